"""Triggers by the calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from ratoon.core.deciding import Firing
from ratoon.core.errors import SettingInvalid
from ratoon.core.events import SCHEDULE
from ratoon.core.times import duration
from ratoon.triggers.combine import Combines
from ratoon.triggers.protocol import QUIET, Fired, View

_FIELDS = 5  # minute, hour, day of the month, month, day of the week


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleState:
    """When the schedule was last due; None before it was first looked at."""

    last: datetime | None = None


@dataclass(frozen=True, slots=True, init=False)
class Every(Combines):
    """An interval: fires when `interval` has passed since it last did, or since the first champion.

    However many intervals were missed while nothing ran, it fires once.
    """

    interval: timedelta

    def __init__(
        self, interval: timedelta | str = "0s", *, days: float = 0, hours: float = 0
    ) -> None:
        """Read the interval: text such as "12h", a timedelta, or days and hours."""
        try:
            length = duration("interval", interval) + timedelta(days=days, hours=hours)
        except (OverflowError, TypeError) as error:
            raise SettingInvalid("interval", "days and hours", (days, hours)) from error
        if length <= timedelta(0):
            raise SettingInvalid("interval", "longer than nothing", length)
        object.__setattr__(self, "interval", length)

    def init(self) -> ScheduleState:
        """Return the state before it was first due."""
        return ScheduleState()

    def fires(self, state: ScheduleState, view: View, /) -> tuple[ScheduleState, Fired]:
        """Look at the time."""
        last = state.last or view.champion_since
        intervals = (view.at - last) // self.interval
        if intervals < 1:
            return ScheduleState(last=last), QUIET
        due = last + intervals * self.interval
        return ScheduleState(last=due), _due(str(self), view, due, intervals)

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"Every({self.interval})"


@dataclass(frozen=True, slots=True)
class Cron(Combines):
    """A cron expression of five fields, in a time zone: ``Cron("0 3 * * MON", "Europe/Lisbon")``.

    However many times were missed while nothing ran, it fires once.
    """

    expression: str
    zone: str = "UTC"

    def __post_init__(self) -> None:
        """Check expression and zone."""
        if len(str(self.expression).split()) != _FIELDS:
            raise SettingInvalid("expression", "a cron expression of five fields", self.expression)
        try:
            self._next(datetime(2020, 1, 1, tzinfo=UTC))
        except (CronSimError, StopIteration) as error:
            rule = "a cron expression of five fields"
            raise SettingInvalid("expression", rule, self.expression) from error
        except (ZoneInfoNotFoundError, OSError, ValueError) as error:
            raise SettingInvalid(
                "zone", "a time zone such as 'Europe/Lisbon'", self.zone
            ) from error

    def init(self) -> ScheduleState:
        """Return the state before it was first due."""
        return ScheduleState()

    def fires(self, state: ScheduleState, view: View, /) -> tuple[ScheduleState, Fired]:
        """Look at the time."""
        last = state.last or view.champion_since
        due = self._next(last)
        if due > view.at:
            return ScheduleState(last=last), QUIET
        return ScheduleState(last=view.at), _due(str(self), view, due, 1)

    def _next(self, after: datetime) -> datetime:
        local = after.astimezone(ZoneInfo(self.zone))
        return next(CronSim(self.expression, local)).astimezone(UTC)

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"Cron({self.expression})"


def _due(trigger: str, view: View, due: datetime, intervals: int) -> Fired:
    firing = Firing(
        trigger=trigger,
        event_type=SCHEDULE,
        reason=f"it was due at {due:%Y-%m-%d %H:%M} UTC",
        at=view.at,
        subject=trigger,
        evidence={"due": due.isoformat(), "intervals": intervals},
    )
    return Fired(sparks=(firing,), causes=(firing,))
