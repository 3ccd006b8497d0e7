"""Training at once whose model is handed over later, in the time of a clock: for a replay."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ratoon.core.times import Clock, duration
from ratoon.executors.inline import Inline
from ratoon.executors.protocol import StepState, TrainStep


@dataclass(slots=True)
class Delayed:
    """Trains at once, and says so only when a training that begins now would have ended.

    All fits of a run take `takes` together, however many they are: the run's challenger exists
    `takes` after the run began. The first run takes no time: its model is what a history begins
    with.

    Args:
        clock: of which time it is told.
        takes: how long a run trains: "2h", "1d 12h", or a timedelta.

    Example:
        >>> from datetime import UTC
        >>> from ratoon.engine import VirtualClock
        >>> clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
        >>> Delayed(clock, "2h").next_end() is None  # nothing trains
        True
    """

    clock: Clock
    takes: timedelta | str
    _length: timedelta = field(init=False, repr=False)
    _inner: Inline = field(default_factory=Inline, init=False, repr=False)
    _ends: dict[str, datetime] = field(default_factory=dict[str, datetime], init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the setting."""
        self._length = duration("training_takes", self.takes)

    def submit(self, step: TrainStep, /) -> None:
        """Train now."""
        now = self.clock.now()
        self._ends.setdefault(_run(step.id), now + self._length if self._ends else now)
        self._inner.submit(step)

    def poll(self, step_id: str, /) -> StepState:
        """Tell how it ended, once the time of the training has passed."""
        if self.clock.now() < self._ends[_run(step_id)]:
            return StepState(status="running")
        return self._inner.poll(step_id)

    def next_end(self) -> datetime | None:
        """Return when the next training that still runs will have ended."""
        now = self.clock.now()
        return min((end for end in self._ends.values() if end > now), default=None)


def _run(step_id: str) -> str:
    """Return the run that a step belongs to."""
    return step_id.rpartition("/")[0]
