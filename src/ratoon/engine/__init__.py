"""Where effects happen: the live loop, and replay on history."""

from ratoon.engine.clocks import SystemClock, VirtualClock
from ratoon.engine.comparison import ReplayReport
from ratoon.engine.data import Data, Difference, Touched
from ratoon.engine.delays import Delays, Sourced, WindowSeen
from ratoon.engine.frontier import Stretch
from ratoon.engine.history import Arrival, History
from ratoon.engine.loop import Loop
from ratoon.engine.monitoring import Monitor, Monitoring, monitor
from ratoon.engine.naming_policies import policy_named, trigger_named
from ratoon.engine.outcomes import Outcome
from ratoon.engine.recommending import Recommendation, Rival
from ratoon.engine.records import Records
from ratoon.engine.replay import replay
from ratoon.engine.reproducing import Reproduction
from ratoon.engine.results import Predictions, Status
from ratoon.engine.tuning import TuningReport, tune

__all__ = [
    "Arrival",
    "Data",
    "Delays",
    "Difference",
    "History",
    "Loop",
    "Monitor",
    "Monitoring",
    "Outcome",
    "Predictions",
    "Recommendation",
    "Records",
    "ReplayReport",
    "Reproduction",
    "Rival",
    "Sourced",
    "Status",
    "Stretch",
    "SystemClock",
    "Touched",
    "TuningReport",
    "VirtualClock",
    "WindowSeen",
    "monitor",
    "policy_named",
    "replay",
    "trigger_named",
    "tune",
]
