"""Which labelled rows to train on."""

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
class Everything:
    """All labelled rows; the newest share of them judges the challenger."""

    least: int = 200  # rows
    holdout: float = 0.2  # share of the newest rows that is not trained on
    holdout_most: int = 500  # rows

    def __post_init__(self) -> None:
        """Check the settings."""
        whole("least", self.least, least=2)
        share("holdout", self.holdout)
        whole("holdout_most", self.holdout_most, least=1)

    def plan(self, rows: int, since_row: int | None, since: datetime | None, /) -> SnapshotPlan:  # noqa: ARG002 - the protocol's
        """Choose every row."""
        return _split(0, rows, self.holdout, self.holdout_most, "all labelled rows", None)

    def needed(self, since_row: int | None, /) -> int:  # noqa: ARG002 - the protocol's
        """Return the least number of rows."""
        return self.least


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """The last `rows` labelled rows."""

    rows: int
    holdout: float = 0.2
    holdout_most: int = 500

    def __post_init__(self) -> None:
        """Check the settings."""
        whole("rows", self.rows, least=2)
        share("holdout", self.holdout)
        whole("holdout_most", self.holdout_most, least=1)

    def plan(self, rows: int, since_row: int | None, since: datetime | None, /) -> SnapshotPlan:  # noqa: ARG002 - the protocol's
        """Choose the last rows."""
        start = max(0, rows - self.rows)
        rule = f"the last {self.rows} labelled rows"
        return _split(start, rows, self.holdout, self.holdout_most, rule, None)

    def needed(self, since_row: int | None, /) -> int:  # noqa: ARG002 - the protocol's
        """Return 2: a row to train on and one to judge on."""
        return 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SinceChange:
    """The rows since the change point, where a detector found one; else all.

    What came before an abrupt change speaks of another world. Fewer than `least` rows since the
    change are too few to train on: the decision is then to wait for them.
    """

    least: int = 200
    holdout: float = 0.2
    holdout_most: int = 500

    def __post_init__(self) -> None:
        """Check the settings."""
        whole("least", self.least, least=2)
        share("holdout", self.holdout)
        whole("holdout_most", self.holdout_most, least=1)

    def plan(self, rows: int, since_row: int | None, since: datetime | None, /) -> SnapshotPlan:
        """Choose the rows since the change."""
        rule = "all labelled rows" if since_row is None else "the rows since the change point"
        return _split(since_row or 0, rows, self.holdout, self.holdout_most, rule, since)

    def needed(self, since_row: int | None, /) -> int:
        """Return the ordinal at which there are enough rows since the change."""
        return self.least + (since_row or 0)


def _split(  # noqa: PLR0913 - one line a fact
    start: int, stop: int, holdout: float, most: int, rule: str, since: datetime | None
) -> SnapshotPlan:
    held = min(most, max(1, int((stop - start) * holdout)))
    return SnapshotPlan(
        train=RowRange(start=start, stop=stop - held),
        holdout=RowRange(start=stop - held, stop=stop),
        rule=rule,
        since=since,
    )
