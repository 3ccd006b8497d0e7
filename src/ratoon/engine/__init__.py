"""Where effects happen: the live loop, and replay on history."""

from ratoon.engine.clocks import SystemClock, VirtualClock
from ratoon.engine.data import Data, Difference, Touched
from ratoon.engine.delays import Delays, Sourced, WindowSeen
from ratoon.engine.history import Arrival, History
from ratoon.engine.loop import Loop
from ratoon.engine.monitoring import Monitor, Monitoring, monitor
from ratoon.engine.records import Records
from ratoon.engine.replay import Outcome, ReplayReport, replay
from ratoon.engine.reproducing import Reproduction
from ratoon.engine.results import Predictions, Status

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
    "Records",
    "ReplayReport",
    "Reproduction",
    "Sourced",
    "Status",
    "SystemClock",
    "Touched",
    "VirtualClock",
    "WindowSeen",
    "monitor",
    "replay",
]
