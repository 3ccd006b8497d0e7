"""Which labelled rows to train on, and which to judge on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ratoon.core.deciding import SnapshotPlan
from ratoon.core.measuring import RowRange
from ratoon.core.settings import share, whole


class TrainOn(Protocol):
    """Chooses the rows of a snapshot."""

    def plan(self, rows: int, since_row: int | None, since: datetime | None, /) -> SnapshotPlan:
        """Choose from the labelled rows 0 … rows - 1, of which those from `since_row` are new."""
        ...

    def needed(self, since_row: int | None, /) -> int:
        """Return how many labelled rows there must be before a training is worth trying."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """How the newest rows are kept from training, to judge on."""

    least: int = 200  # rows that there must be
    holdout: float = 0.2  # share of the newest rows that is not trained on
    holdout_most: int = 500  # rows

    def __post_init__(self) -> None:
        """Check the settings."""
        whole("least", self.least, least=2)
        share("holdout", self.holdout)
        whole("holdout_most", self.holdout_most, least=1)

    def split(self, start: int, stop: int, rule: str, since: datetime | None) -> SnapshotPlan:
        """Train on the older rows, judge on the newest."""
        held = min(self.holdout_most, max(1, int((stop - start) * self.holdout)))
        return SnapshotPlan(
            train=RowRange(start=start, stop=stop - held),
            holdout=RowRange(start=stop - held, stop=stop),
            rule=rule,
            since=since,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything(_Held):
    """All labelled rows; the newest of them judge the challenger."""

    def plan(self, rows: int, since_row: int | None, since: datetime | None, /) -> SnapshotPlan:  # noqa: ARG002 - the protocol's
        """Choose every row."""
        return self.split(0, rows, "all labelled rows", None)

    def needed(self, since_row: int | None, /) -> int:  # noqa: ARG002 - the protocol's
        """Return the least number of rows."""
        return self.least


@dataclass(frozen=True, slots=True, kw_only=True)
class Last(_Held):
    """The last `rows` labelled rows."""

    rows: int

    def plan(self, rows: int, since_row: int | None, since: datetime | None, /) -> SnapshotPlan:  # noqa: ARG002 - the protocol's
        """Choose the last rows."""
        start = max(0, rows - self.rows)
        return self.split(start, rows, f"the last {self.rows} labelled rows", None)

    def needed(self, since_row: int | None, /) -> int:  # noqa: ARG002 - the protocol's
        """Return the least number of rows."""
        return self.least


@dataclass(frozen=True, slots=True, kw_only=True)
class SinceChange(_Held):
    """The rows since the change point, where a detector found one; else all.

    What came before an abrupt change speaks of another world. Fewer than `least` rows since the
    change are too few to train on: the decision is then to wait for them.
    """

    def plan(self, rows: int, since_row: int | None, since: datetime | None, /) -> SnapshotPlan:
        """Choose the rows since the change."""
        rule = "all labelled rows" if since_row is None else "the rows since the change point"
        return self.split(since_row or 0, rows, rule, since)

    def needed(self, since_row: int | None, /) -> int:
        """Return the ordinal at which there are enough rows since the change."""
        return self.least + (since_row or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen(_Held):
    """All labelled rows, or those since the change point: whichever makes the better model.

    Where a change point is known and enough rows have come since, two models are trained. The
    first half of the held-out rows tells which is better; the second half, and the labels that
    come later, judge it against the champion. So the choice does not flatter the challenger.
    """

    def plan(self, rows: int, since_row: int | None, since: datetime | None, /) -> SnapshotPlan:
        """Choose both where there are two."""
        whole_story = self.split(0, rows, "all labelled rows", None)
        new = 0 if since_row is None else rows - since_row
        if since_row is None or since_row == 0 or new < self.least:
            return whole_story
        recent = self.split(since_row, rows, "all labelled rows, or those since the change", since)
        start, stop = recent.holdout.start, recent.holdout.stop
        middle = start + (stop - start) // 2
        return SnapshotPlan(
            train=RowRange(start=0, stop=start),
            others=(recent.train,),
            chosen_on=RowRange(start=start, stop=middle),
            holdout=RowRange(start=middle, stop=stop),
            rule=recent.rule,
            since=since,
        )

    def needed(self, since_row: int | None, /) -> int:
        """Return the ordinal at which there are enough rows since the change."""
        return self.least + (since_row or 0)
