"""Grids: the bins of a column, frozen when its reference was seen.

Every later batch is counted on the same bins, so counts of two batches are comparable, and those of
parts of a batch add up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ratoon.windows.judged import Floats
from ratoon.windows.summaries.column import ColumnSummary, Counts
from ratoon.windows.summaries.moments import Moments, merged_moments, moments_of

MOST_BINS = 1000
"""Bins of a column of numbers: a distribution function is known to a thousandth."""

MOST_CATEGORIES = 1000
"""Categories that are kept, the commonest first."""

_CELLS = 16_384  # equal in width; the bins are made of them where that fits
_BLOCK = 32_768  # values that are worked on at once: they stay in the processor's cache
_UNEVEN = 3  # times its share a bin may have, so that a value finds it by a multiplication
_LARGEST = 1e100  # number in columns that are cut into cells; sums and ratios stay finite
_NEXT = 1e-9  # of an edge: a column whose only edge it is has some room on both sides


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Cells of equal width: cell 0 is all below `low`, the last one all above the 16,384 others.

    Of a column with long tails the cells are equal in asinh((x - centre) / spread).
    """

    low: float
    per_unit: float  # cells per unit
    ends: tuple[int, ...]  # last cell of each bin but the last
    bend: tuple[float, float] | None = None  # centre and spread


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberGrid:
    """Bins of a column of numbers: bin i holds the values above edge i - 1, up to edge i.

    The first bin has no lower edge and the last no upper one, so k edges make k + 1 bins. Where
    the bins can be made of cells of equal width (no cell has a share of the reference that should
    have been split) an edge is the end of a cell, and a value finds its bin by one multiplication;
    elsewhere by a search.
    """

    edges: tuple[float, ...]  # ascending
    cells: Cells | None = None
    least: float = -math.inf  # value of the reference
    greatest: float = math.inf

    def __len__(self) -> int:
        """Count the bins."""
        return len(self.edges) + 1

    def count(self, values: Floats) -> ColumnSummary:
        """Count `values`, shape (n,), on the bins, and the missing ones (NaN) last; one pass.

        >>> grid = NumberGrid(edges=(0.0, 1.0))
        >>> found = grid.count(np.array([-3.0, 1.0, 0.5, 7.0, np.nan]))
        >>> found.counts.tolist(), found.moments.mean
        ([1, 2, 1, 1], 1.375)
        """
        tally = np.zeros(len(self) if self.cells is None else _CELLS + 2, dtype=np.int64)
        moments, outside, edges = Moments(), 0, np.array(self.edges)
        for block in _present_blocks(values):
            cells = self.cells
            places = np.searchsorted(edges, block) if cells is None else _cell_of(block, cells)
            tally += np.bincount(places, minlength=len(tally))
            found = moments_of(block)
            finite = found.n == len(block)
            if not finite or found.least < self.least or found.greatest > self.greatest:
                beyond = (block < self.least) | (block > self.greatest)
                outside += int(np.count_nonzero(beyond))
            moments = merged_moments(moments, found)
        counts = np.append(self._on_bins(tally), len(values) - int(tally.sum()))
        return ColumnSummary(counts=counts, moments=moments, outside=outside)

    def places(self, values: Floats) -> NDArray[np.intp]:
        """Return the bin of each value, shape (n,); one past the last bin of a missing one.

        >>> NumberGrid(edges=(0.0, 1.0)).places(np.array([-3.0, 1.0, np.nan, 7.0])).tolist()
        [0, 1, 3, 2]
        """
        if self.cells is None:
            found = np.searchsorted(self.edges, values)
        else:
            bins = np.searchsorted(self.cells.ends, np.arange(_CELLS + 2))
            found = bins[_cell_of(values, self.cells)]
        return np.where(np.isnan(values), len(self), found)

    def _on_bins(self, tally: Counts) -> Counts:
        """Add the cells of each bin together."""
        if self.cells is None:
            return tally
        starts = np.append(0, np.array(self.cells.ends, dtype=np.intp) + 1)
        return np.add.reduceat(tally, starts)


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryGrid:
    """Bins of a column of categories: one for each that is kept, and one for all others."""

    categories: tuple[str, ...]  # the commonest first
    whole: bool  # whether these are all that the reference has: then the others are new ones

    def __len__(self) -> int:
        """Count the bins."""
        return len(self.categories) + 1


Grid: TypeAlias = NumberGrid | CategoryGrid


def number_grid(values: Floats, bins: int = MOST_BINS) -> NumberGrid:
    """Return bins of about equal shares of `values`; as many as values where those are few.

    Args:
        values: of the reference, shape (n,); missing ones (NaN) and infinite ones are left out.
        bins: how many at most; at least 2.

    >>> grid = number_grid(np.array([1.0, 1.0, 2.0, 5.0]))
    >>> [round(edge, 3) for edge in grid.edges]
    [1.5, 3.5]
    """
    present = np.sort(values[np.isfinite(values)])
    if not len(present):
        return NumberGrid(edges=())
    distinct, times = np.unique(present, return_counts=True)
    most = 0
    uppers = distinct[:-1] / 2 + distinct[1:] / 2
    if len(distinct) > bins:
        places = (np.arange(1, bins) * len(present)) // bins - 1
        uppers = np.unique(present[np.maximum(places, 0)])
        uppers = uppers[uppers < present[-1]]
        most = _UNEVEN * len(present) // bins
    cells = _made_of_cells(distinct, times, uppers, most)
    return NumberGrid(
        edges=_tuple(uppers if cells is None else _values_at(cells)),
        cells=cells,
        least=float(present[0]),
        greatest=float(present[-1]),
    )


def category_grid(categories: Iterable[str], *, whole: bool) -> CategoryGrid:
    """Return a bin for each of `categories`, the commonest first, at most a thousand."""
    kept = tuple(categories)
    return CategoryGrid(
        categories=kept[:MOST_CATEGORIES], whole=whole and len(kept) <= MOST_CATEGORIES
    )


def _made_of_cells(
    distinct: Floats, times: NDArray[np.intp], uppers: Floats, most: int
) -> Cells | None:
    """Move the edges to the ends of cells: straight ones, or bent ones, or return None.

    A bin may hold one value however often, and `most` rows more of others.
    """
    if not len(uppers) or max(-distinct[0], distinct[-1]) > _LARGEST:
        return None
    low, middle, high = (float(distinct[len(distinct) * part // 4]) for part in (1, 2, 3))
    for bend in (None, (middle, high / 2 - low / 2)):
        cells = _cells(distinct, uppers, bend)
        if cells is None:
            continue
        bins = np.searchsorted(cells.ends, _cell_of(distinct, cells))
        firsts = np.flatnonzero(np.append(True, bins[1:] != bins[:-1]))
        rows, largest = (reduce.reduceat(times, firsts) for reduce in (np.add, np.maximum))
        if (rows - largest).max() <= most:
            return cells
    return None


def _cells(distinct: Floats, uppers: Floats, bend: tuple[float, float] | None) -> Cells | None:
    """Divide what lies between the outermost edges, and as much again, into equal cells."""
    if bend is not None and bend[1] < 1 / _LARGEST:
        return None
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        first, last = _bent(uppers[[0, -1]], bend)
        least, greatest = _bent(distinct[[0, -1]], bend)
        room = max(last - first, _NEXT * abs(last))
        low, high = max(first - room, least), min(last + room, greatest)
        per_unit = float(_CELLS / (high - low))
        if not (math.isfinite(per_unit) and math.isfinite(low * per_unit)):
            return None
    bare = Cells(low=float(low), per_unit=per_unit, ends=(), bend=bend)
    ends = np.unique(_cell_of(uppers, bare))
    if ends[-1] > _CELLS:  # rounded up to the cell that has no end
        return None
    found = Cells(low=bare.low, per_unit=per_unit, ends=tuple(int(end) for end in ends), bend=bend)
    edges = _values_at(found)
    return found if np.isfinite(edges).all() and (np.diff(edges) > 0).all() else None


def _values_at(cells: Cells) -> Floats:
    """Return the upper edges of the bins, in the column's unit."""
    with np.errstate(over="ignore", divide="ignore"):
        ends = cells.low + np.array(cells.ends) / cells.per_unit
    if cells.bend is None:
        return ends
    with np.errstate(over="ignore", divide="ignore"):
        return cells.bend[0] + cells.bend[1] * np.sinh(ends)


def _bent(values: Floats, bend: tuple[float, float] | None) -> Floats:
    if bend is None:
        return values
    with np.errstate(over="ignore", divide="ignore"):
        return np.arcsinh((values - bend[0]) / bend[1])


def _present_blocks(values: Floats) -> Iterator[Floats]:
    """Yield the values that are not missing, so many at once as stay in the processor's cache."""
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK]
        gone = np.isnan(block)
        yield block[~gone] if gone.any() else block


def _cell_of(values: Floats, cells: Cells) -> NDArray[np.intp]:
    """Return the cell of each value; of a NaN the lowest, as of all that lie below."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = _bent(values, cells.bend) - cells.low
        found *= cells.per_unit
        found += 1.0
    np.fmax(found, 0.0, out=found)
    np.fmin(found, _CELLS + 1.0, out=found)
    return found.astype(np.intp)


def _tuple(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
