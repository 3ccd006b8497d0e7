"""Which labelled rows to train on: all, the last, those since a change, by their age."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from ratoon.core.deciding import RowChoice, SnapshotPlan
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import RowRange
from ratoon.core.settings import share, whole
from ratoon.core.times import duration

_FAINT = 20  # half-lives after which a row counts less than a millionth of the newest


class TrainOn(Protocol):
    """Chooses the rows of a snapshot."""

    def plan(self, rows: int, since_row: int | None, since: datetime | None, /) -> SnapshotPlan:
        """Choose from the labelled rows 0 … rows - 1, of which those from `since_row` are new."""
        ...

    def needed(self, since_row: int | None, /) -> int:
        """Return how many labelled rows there must be before a training is worth trying."""
        ...


class Candidate(Protocol):
    """A rule that `Chosen` may choose: it says which of the rows before a boundary it takes."""

    def choice(self, stop: int, since_row: int | None, /) -> RowChoice | None:
        """Choose from the rows 0 … stop - 1; None where there is nothing for this rule."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """How the newest rows are kept from training, to judge on."""

    least: int = 200  # rows that there must be
    holdout: float = 0.2  # share of the newest rows that is not trained on
    holdout_most: int = 500  # rows

    def __post_init__(self) -> None:
        """Check the settings."""
        whole("least", self.least, least=2)
        share("holdout", self.holdout)
        whole("holdout_most", self.holdout_most, least=1)

    def held(self, rows: int) -> int:
        """Return how many of the newest of so many rows are not trained on."""
        return min(self.holdout_most, max(1, int(rows * self.holdout)))

    def split(self, start: int, stop: int, rule: str, since: datetime | None) -> SnapshotPlan:
        """Train on the older rows, judge on the newest."""
        held = self.held(stop - start)
        return SnapshotPlan(
            train=RowRange(start=start, stop=stop - held),
            holdout=RowRange(start=stop - held, stop=stop),
            rule=rule,
            since=since,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything(Held):
    """All labelled rows; the newest of them judge the challenger."""

    def plan(self, rows: int, since_row: int | None, since: datetime | None, /) -> SnapshotPlan:  # noqa: ARG002 - the protocol's
        """Choose every row."""
        return self.split(0, rows, "all labelled rows", None)

    def choice(self, stop: int, since_row: int | None, /) -> RowChoice:  # noqa: ARG002 - the protocol's
        """Choose every row before a boundary."""
        return RowChoice(rows=RowRange(start=0, stop=stop), rule="all labelled rows")

    def needed(self, since_row: int | None, /) -> int:  # noqa: ARG002 - the protocol's
        """Return the least number of rows."""
        return self.least


@dataclass(frozen=True, slots=True, kw_only=True)
class Last(Held):
    """The last `rows` labelled rows."""

    rows: int

    def __post_init__(self) -> None:
        """Check the settings."""
        Held.__post_init__(self)
        whole("rows", self.rows, least=2)

    def plan(self, rows: int, since_row: int | None, since: datetime | None, /) -> SnapshotPlan:  # noqa: ARG002 - the protocol's
        """Choose the last rows."""
        return self.split(max(0, rows - self.rows), rows, self._rule, None)

    def choice(self, stop: int, since_row: int | None, /) -> RowChoice:  # noqa: ARG002 - the protocol's
        """Choose the last rows before a boundary."""
        start = max(0, stop - self.rows)
        return RowChoice(rows=RowRange(start=start, stop=stop), rule=self._rule)

    def needed(self, since_row: int | None, /) -> int:  # noqa: ARG002 - the protocol's
        """Return the least number of rows."""
        return self.least

    @property
    def _rule(self) -> str:
        return f"the last {self.rows} labelled rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class SinceChange(Held):
    """The rows since the change point, where a detector found one; else all.

    What came before an abrupt change speaks of another world. Fewer than `least` rows since the
    change are too few to train on: the decision is then to wait for them.
    """

    def plan(self, rows: int, since_row: int | None, since: datetime | None, /) -> SnapshotPlan:
        """Choose the rows since the change."""
        rule = "all labelled rows" if since_row is None else "the rows since the change point"
        return self.split(since_row or 0, rows, rule, since)

    def choice(self, stop: int, since_row: int | None, /) -> RowChoice | None:
        """Choose the rows from the change point to a boundary, where there is a change point."""
        if since_row is None or since_row >= stop:
            return None
        rows = RowRange(start=since_row, stop=stop)
        return RowChoice(rows=rows, rule="the rows since the change point")

    def needed(self, since_row: int | None, /) -> int:
        """Return the ordinal at which there are enough rows since the change."""
        return self.least + (since_row or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeWeighted(Held):
    """All labelled rows, the older the less they count.

    The newest row has the weight 1; one that is a half-life older has half of that. The trainer
    uses `snapshot.weights`, else all rows count alike::

        model.fit(snapshot.X, snapshot.y, sample_weight=snapshot.weights)

    Args:
        half_life: in rows (a whole number), or in event time (a timedelta, or a text as "30d").
            Of a half-life in rows, rows older than 20 of them are left out: they would count less
            than a millionth.
        least: rows that there must be.
        holdout: share of the newest rows that is not trained on.
        holdout_most: rows that are held out at most.

    Example:
        >>> plan = AgeWeighted(half_life=500).plan(2000, None, None)
        >>> plan.train, plan.choices[0].half_life_rows
        (RowRange(start=0, stop=1600), 500)
    """

    half_life: int | timedelta | str

    def __post_init__(self) -> None:
        """Check the settings."""
        Held.__post_init__(self)
        if isinstance(self.half_life, timedelta | str):
            if not duration("half_life", self.half_life):
                raise SettingInvalid("half_life", "longer than nothing", self.half_life)
        else:
            whole("half_life", self.half_life, least=1)

    def plan(self, rows: int, since_row: int | None, since: datetime | None, /) -> SnapshotPlan:
        """Choose every row, weighted."""
        whole_story = self.split(0, rows, self._rule, since)
        choice = self.choice(whole_story.train.stop, since_row)
        return replace(whole_story, train=choice.rows, choices=(choice,), since=None)

    def choice(self, stop: int, since_row: int | None, /) -> RowChoice:  # noqa: ARG002 - the protocol's
        """Choose every row before a boundary, weighted."""
        if isinstance(self.half_life, timedelta | str):
            length = duration("half_life", self.half_life) / timedelta(seconds=1)
            return RowChoice(rows=RowRange(start=0, stop=stop), rule=self._rule, half_life_s=length)
        start = max(0, stop - _FAINT * self.half_life)
        rows = RowRange(start=start, stop=stop)
        return RowChoice(rows=rows, rule=self._rule, half_life_rows=self.half_life)

    def needed(self, since_row: int | None, /) -> int:  # noqa: ARG002 - the protocol's
        """Return the least number of rows."""
        return self.least

    @property
    def _rule(self) -> str:
        length = f"{self.half_life} rows"
        if isinstance(self.half_life, timedelta | str):
            length = _told(duration("half_life", self.half_life))
        return f"all labelled rows, of half the weight every {length}"


def _told(length: timedelta) -> str:
    """Return a length of time in its largest unit: '30 d'."""
    seconds = length / timedelta(seconds=1)
    unit, size = next(
        ((u, n) for u, n in (("d", 86400), ("h", 3600), ("min", 60)) if seconds >= n), ("s", 1)
    )
    return f"{seconds / size:g} {unit}"
