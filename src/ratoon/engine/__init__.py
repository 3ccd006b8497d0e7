"""Where effects happen: the live loop, and replay on history."""

from ratoon.engine.clocks import SystemClock, VirtualClock
from ratoon.engine.loop import Loop
from ratoon.engine.records import Records
from ratoon.engine.results import Predictions, Status

__all__ = ["Loop", "Predictions", "Records", "Status", "SystemClock", "VirtualClock"]
