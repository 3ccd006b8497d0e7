"""The counts of a window that is open: small, JSON, and the same however its rows are cut."""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ratoon.windows.judged import Floats
from ratoon.windows.rows import Array
from ratoon.windows.summaries.column import ColumnSummary
from ratoon.windows.summaries.grids import CategoryGrid, Grid, NumberGrid
from ratoon.windows.summaries.summary import numbers

__all__ = ["SparseColumn", "sparse"]

_FEW = 16  # rows that are counted one by one: the calls for arrays cost as much


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseColumn:
    """The rows of a column in the bins that have any; the place behind the bins is of missing ones.

    It has neither moments nor the names of categories without a bin: sums of floats, and the
    commonest fifty, would hang on how the rows were cut.
    """

    places: tuple[int, ...] = ()  # ascending
    counts: tuple[int, ...] = ()  # rows in each of them
    outside: int = 0  # numbers beyond the reference's least and greatest

    @property
    def rows(self) -> int:
        """How many rows were counted."""
        return sum(self.counts)

    def fits(self, grid: Grid) -> bool:
        """Tell whether it can have been counted on these bins."""
        return not self.places or self.places[-1] <= len(grid)

    def dense(self, grid: Grid) -> ColumnSummary:
        """Return the rows in each bin of the grid that they were counted on."""
        counts = np.zeros(len(grid) + 1, dtype=np.int64)
        counts[list(self.places)] = self.counts
        return ColumnSummary(counts=counts, outside=self.outside)

    def counted(self, grid: Grid, column: Array) -> SparseColumn:
        """Return the counts with these rows too.

        Args:
            grid: of the column; of numbers one without cells, as `few_bins` makes it.
            column: shape (n,): numbers, truths or moments, or texts as objects.

        >>> grid = NumberGrid(edges=(0.0, 1.0), least=-1.0, greatest=2.0)
        >>> SparseColumn().counted(grid, np.array([0.5, np.nan, 7.0, 0.6]))
        SparseColumn(places=(1, 2, 3), counts=(2, 1, 1), outside=1)
        """
        if isinstance(grid, CategoryGrid):
            return self._added(_categories(grid, column), 0)
        values = numbers(column)
        if len(values) > _FEW:
            return self._added(_binned(grid, values), _outside(grid, values))
        few: list[float] = values.tolist()
        last = len(grid)
        places = [bisect_left(grid.edges, v) if v == v else last for v in few]  # noqa: PLR0124 - NaN
        beyond = sum([v < grid.least or v > grid.greatest for v in few])
        return self._added(Counter(places), beyond)

    def _added(self, found: Mapping[int, int], outside: int) -> SparseColumn:
        """Add the rows of places that have any."""
        places, counts = list(self.places), list(self.counts)
        for place, rows in found.items() if places else ():
            at = bisect_left(places, place)
            if at < len(places) and places[at] == place:
                counts[at] += rows
            else:
                places.insert(at, place)
                counts.insert(at, rows)
        if not places:
            places = sorted(found)
            counts = [found[place] for place in places]
        return SparseColumn(
            places=tuple(places), counts=tuple(counts), outside=self.outside + outside
        )


def sparse(column: ColumnSummary) -> SparseColumn:
    """Return the bins of a column that have any rows."""
    places = np.flatnonzero(column.counts)
    return SparseColumn(
        places=tuple(places.tolist()),
        counts=tuple(column.counts[places].tolist()),
        outside=column.outside,
    )


def _binned(grid: NumberGrid, values: Floats) -> Mapping[int, int]:
    """Return the rows in each bin that has any."""
    gone = np.isnan(values)
    lost = int(np.count_nonzero(gone))
    places = np.searchsorted(np.array(grid.edges), values[~gone] if lost else values)
    counts = np.bincount(places, minlength=len(grid) + 1)
    counts[-1] = lost
    there = np.flatnonzero(counts)
    return dict(zip(there.tolist(), counts[there].tolist(), strict=True))


def _outside(grid: NumberGrid, values: Floats) -> int:
    return int(np.count_nonzero((values < grid.least) | (values > grid.greatest)))


def _categories(grid: CategoryGrid, column: Array) -> Mapping[int, int]:
    """Return the rows in each bin that has any; each distinct text is looked up once."""
    known = _place_of(grid.categories)
    others, found = len(known), dict[int, int]()
    for text, rows in Counter(cast("list[Any]", column.tolist())).items():
        gone = text is None or text != text  # noqa: PLR0124 - NaN
        place = others + 1 if gone else known.get(str(text), others)
        found[place] = found.get(place, 0) + rows
    return found


@functools.lru_cache(maxsize=1024)
def _place_of(categories: tuple[str, ...]) -> Mapping[str, int]:
    return {name: place for place, name in enumerate(categories)}
