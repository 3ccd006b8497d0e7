"""Where effects happen: the live loop, and replay on history."""

from ratoon.engine.clocks import SystemClock, VirtualClock
from ratoon.engine.history import Arrival, History
from ratoon.engine.loop import Loop
from ratoon.engine.records import Records
from ratoon.engine.replay import Outcome, ReplayReport, replay
from ratoon.engine.results import Predictions, Status

__all__ = [
    "Arrival",
    "History",
    "Loop",
    "Outcome",
    "Predictions",
    "Records",
    "ReplayReport",
    "Status",
    "SystemClock",
    "VirtualClock",
    "replay",
]
