"""A reference of few bins, as it is stored with the version that it is of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ratoon.windows.summaries.column import ColumnSummary
from ratoon.windows.summaries.grids import Grid, NumberGrid
from ratoon.windows.summaries.moments import Moments
from ratoon.windows.summaries.summary import Columns, Reference, Summary, count, grid_for

__all__ = ["FEW_BINS", "StoredColumn", "StoredReference", "few_bins", "stored"]

FEW_BINS = 40
"""Bins of a column of numbers in a reference that goes with a version.

Two for each of the twenty that a distance compares. An open window is stored with every turn, so
there are not more.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredColumn:
    """One column of a reference: its bins, and the reference's rows in each."""

    name: str
    grid: Grid
    counts: tuple[int, ...]  # rows in each bin, those that lack a value last
    moments: Moments | None = None  # of numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReference:
    """A reference as values that are JSON."""

    columns: tuple[StoredColumn, ...]

    def opened(self) -> Reference:
        """Return the reference, to compare windows with."""
        summaries = {
            column.name: ColumnSummary(
                counts=np.array(column.counts, dtype=np.int64), moments=column.moments
            )
            for column in self.columns
        }
        return Reference(
            grids={column.name: column.grid for column in self.columns},
            summary=Summary(columns=summaries),
        )


def stored(reference: Reference) -> StoredReference:
    """Return a reference as values that are JSON.

    >>> reference = few_bins({"x": np.arange(100.0)}, bins=2)
    >>> stored(reference).columns[0].counts
    (50, 50, 0)
    >>> stored(stored(reference).opened()) == stored(reference)
    True
    """
    found = reference.summary.columns
    return StoredReference(
        columns=tuple(
            StoredColumn(
                name=name,
                grid=grid,
                counts=tuple(found[name].counts.tolist()),
                moments=found[name].moments,
            )
            for name, grid in reference.grids.items()
        )
    )


def few_bins(columns: Columns, bins: int = FEW_BINS) -> Reference:
    """Return a reference of few bins, whose windows are counted in small batches.

    A value finds its bin by a search, whatever the bins.

    Args:
        columns: of the reference, each of shape (n,).
        bins: of a column of numbers; at least 2. Texts have a bin for each category, as ever.
    """
    grids = {name: _searched(grid_for(column, bins)) for name, column in columns.items()}
    counts = {name: count(grid, columns[name]) for name, grid in grids.items()}
    return Reference(grids=grids, summary=Summary(columns=counts))


def _searched(grid: Grid) -> Grid:
    return replace(grid, cells=None) if isinstance(grid, NumberGrid) else grid
