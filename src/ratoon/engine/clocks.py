"""The clocks: the system's for a live loop, a virtual one for replay and tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ratoon.core.times import utc


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The system's time."""

    def now(self) -> datetime:
        """Return the moment in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - the one place where the clock is read


@dataclass(slots=True)
class VirtualClock:
    """A time that only moves when it is told to.

    >>> clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    >>> clock.advance(timedelta(hours=6))
    >>> clock.now().hour
    6
    """

    _now: datetime

    def __post_init__(self) -> None:
        """Check that it begins in UTC."""
        self._now = utc("start", self._now)

    def now(self) -> datetime:
        """Return the moment in UTC."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move on by a length of time."""
        self.set(self._now + by)

    def set(self, moment: datetime) -> None:
        """Move on to a moment; time does not go back."""
        self._now = max(self._now, utc("moment", moment))
