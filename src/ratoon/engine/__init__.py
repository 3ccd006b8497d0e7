"""Where effects happen: the live loop, and replay on history."""

from ratoon.engine.clocks import SystemClock, VirtualClock
from ratoon.engine.data import Data, Difference, Touched
from ratoon.engine.history import Arrival, History
from ratoon.engine.loop import Loop
from ratoon.engine.records import Records
from ratoon.engine.replay import Outcome, ReplayReport, replay
from ratoon.engine.reproducing import Reproduction
from ratoon.engine.results import Predictions, Status

__all__ = [
    "Arrival",
    "Data",
    "Difference",
    "History",
    "Loop",
    "Outcome",
    "Predictions",
    "Records",
    "ReplayReport",
    "Reproduction",
    "Status",
    "SystemClock",
    "Touched",
    "VirtualClock",
    "replay",
]
