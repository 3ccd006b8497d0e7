"""One column of a window, and how two of them merge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ratoon.windows.summaries.moments import Moments, merged_moments

Counts: TypeAlias = NDArray[np.int64]
"""Rows in each bin of a grid, and in the last place the missing ones."""

Tally: TypeAlias = tuple[tuple[str, int], ...]
"""Categories with the rows of each, the commonest first."""

MOST_NAMED = 50
"""Categories without a bin that are named; the rows of all of them are counted."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ColumnSummary:
    """One column of a window: its rows on each bin of the reference, and what no bin tells."""

    counts: Counts  # rows in each bin, those that lack a value last
    moments: Moments | None = None  # of numbers
    outside: int = 0  # numbers below the reference's least or above its greatest
    others: Tally = ()  # of categories that have no bin; the commonest fifty

    @property
    def rows(self) -> int:
        """How many rows were counted."""
        return int(self.counts.sum())

    @property
    def missing(self) -> int:
        """How many rows lack a value."""
        return int(self.counts[-1])


def merged_column(left: ColumnSummary, right: ColumnSummary) -> ColumnSummary:
    """Return the summary of both."""
    return ColumnSummary(
        counts=left.counts + right.counts,
        moments=left.moments and right.moments and merged_moments(left.moments, right.moments),
        outside=left.outside + right.outside,
        others=merged_tally(left.others, right.others),
    )


def merged_tally(left: Tally, right: Tally) -> Tally:
    """Add two tallies, and keep the commonest fifty."""
    counts = dict(left)
    for name, rows in right:
        counts[name] = counts.get(name, 0) + rows
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_NAMED])
