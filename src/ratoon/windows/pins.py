"""What a snapshot was made of: enough to read the same rows again, and to know that they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from ratoon.core.deciding import SnapshotPlan
from ratoon.core.measuring import RowRange, Window
from ratoon.core.schema import Schema
from ratoon.windows.judged import Target
from ratoon.windows.rows import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A snapshot without its rows: which labelled rows they are, and their digest.

    Labelled rows never change, and keep their ordinals for ever; so the rows can be read again
    after any number of appends, and the digest proves that they are the same.
    """

    digest: str  # SHA-256 of schema, features and labels
    at: datetime  # when it was pinned
    count: int  # rows
    rows: tuple[RowRange, ...]  # their ordinals, in order
    plan: SnapshotPlan  # the rule that chose them
    schema: Schema
    target: Target
    window: Window  # event time of the rows
    run_id: str | None = None  # the run that it was made for
    tables: Mapping[str, int] = field(default_factory=dict[str, int])  # version of each table
    gone: tuple[RowRange, ...] = ()  # of `rows` those erased since: the digest is of all rows

    @property
    def erased(self) -> int:
        """How many of its rows were erased since, at a person's wish."""
        return sum(len(part) for part in self.gone)


def united(left: Sequence[RowRange], right: Sequence[RowRange]) -> tuple[RowRange, ...]:
    """Return the ordinals that are in one of the two, or in both.

    >>> united([RowRange(start=3, stop=5)], [RowRange(start=4, stop=6), RowRange(start=8, stop=9)])
    (RowRange(start=3, stop=6), RowRange(start=8, stop=9))
    """
    found: list[RowRange] = []
    for part in sorted((*left, *right), key=lambda part: part.start):
        start, stop = part.start, part.stop
        if found and start <= found[-1].stop:
            before = found.pop()
            start, stop = before.start, max(before.stop, stop)
        found.append(RowRange(start=start, stop=stop))
    return tuple(found)


def ranges(ordinals: Array) -> tuple[RowRange, ...]:
    """Return ordinals, in order, as ranges without gaps.

    >>> import numpy as np
    >>> ranges(np.array([3, 4, 5, 9]))
    (RowRange(start=3, stop=6), RowRange(start=9, stop=10))
    """
    if not len(ordinals):
        return ()
    gaps = np.flatnonzero(np.diff(ordinals) != 1)
    starts: list[int] = ordinals[np.concatenate([[0], gaps + 1])].tolist()
    lasts: list[int] = ordinals[np.concatenate([gaps, [len(ordinals) - 1]])].tolist()
    pairs = zip(starts, lasts, strict=True)
    return tuple([RowRange(start=start, stop=last + 1) for start, last in pairs])
