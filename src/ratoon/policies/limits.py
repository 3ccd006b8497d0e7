"""How often a loop may retrain, whatever fires."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ratoon.core.settings import whole
from ratoon.core.times import duration

_DAY = timedelta(days=1)
_DOUBLINGS = 5  # after that many failures in a row the pause no longer grows


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Cooldown, budget of retrainings, and the pause after one that brought nothing.

    Args:
        cooldown: least time between two decisions to retrain, e.g. "6h".
        per_day: most retrainings in any 24 hours.
        retry: labelled rows to wait for after a failed run or a refused challenger; doubled each
            time in a row, up to 32 times.
    """

    cooldown: timedelta | str = timedelta(0)
    per_day: int = 24
    retry: int = 500
    _cooldown: timedelta = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the settings."""
        object.__setattr__(self, "_cooldown", duration("cooldown", self.cooldown))
        whole("per_day", self.per_day, least=1)
        whole("retry", self.retry, least=1)

    def blocked(self, retrained: tuple[datetime, ...], at: datetime) -> tuple[datetime, str] | None:
        """Return until when a retraining must wait and why, or None where it need not.

        Args:
            retrained: the latest decisions to retrain, oldest first; see `kept`.
            at: now.
        """
        if retrained and at < retrained[-1] + self._cooldown:
            return retrained[-1] + self._cooldown, f"cooldown of {self._cooldown}"
        today = [moment for moment in retrained if moment > at - _DAY]
        if len(today) >= self.per_day:
            return today[-self.per_day] + _DAY, f"budget of {self.per_day} retrainings a day"
        return None

    def kept(self, retrained: tuple[datetime, ...], at: datetime) -> tuple[datetime, ...]:
        """Return the decisions to retrain that still matter, with one made `at`."""
        return (*retrained, at)[-self.per_day :]

    def pause(self, failures: int) -> int:
        """Return how many labelled rows to wait for after so many failures in a row."""
        return self.retry * 2 ** min(failures - 1, _DOUBLINGS)
