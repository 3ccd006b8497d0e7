"""What is kept of a window's rows: small, and the sum of what is kept of its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np

from ratoon.windows.judged import Floats
from ratoon.windows.rows import Array
from ratoon.windows.summaries.column import ColumnSummary, merged_column
from ratoon.windows.summaries.grids import MOST_BINS, Grid, NumberGrid, number_grid
from ratoon.windows.summaries.texts import category_counts, count_categories, grid_of

Columns: TypeAlias = Mapping[str, Any]
"""Columns of one length: numpy arrays, or Arrow arrays, chunked or not."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Summary:
    """A window's columns, each on the bins of the reference."""

    columns: Mapping[str, ColumnSummary]

    @property
    def rows(self) -> int:
        """How many rows were counted."""
        return next((column.rows for column in self.columns.values()), 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """What a window is compared with: the bins of each column, and the reference's own counts."""

    grids: Mapping[str, Grid]
    summary: Summary

    def summarise(self, columns: Columns) -> Summary:
        """Count the rows of a window on these bins, in one pass.

        Columns that the reference lacks are left out.

        Raises:
            KeyError: A column of the reference is missing.
        """
        return Summary(
            columns={name: count(grid, columns[name]) for name, grid in self.grids.items()}
        )


def reference_of(columns: Columns, bins: int = MOST_BINS) -> Reference:
    """Return the bins that suit `columns`, and their counts.

    Numbers, truths and moments get bins of about equal shares of the rows, texts a bin for each
    category. It sorts each column of numbers once.

    Args:
        columns: of the reference, each of shape (n,).
        bins: of a column of numbers; at least 2.

    >>> reference = reference_of({"x": np.arange(100.0)}, bins=4)
    >>> window = reference.summarise({"x": np.array([5.0, 80.0, 90.0, np.nan])})
    >>> window.columns["x"].counts.tolist()
    [1, 0, 0, 2, 1]
    """
    grids = {name: grid_for(column, bins) for name, column in columns.items()}
    return Reference(
        grids=grids,
        summary=Summary(columns={name: count(grids[name], columns[name]) for name in grids}),
    )


def grid_for(column: Any, bins: int = MOST_BINS) -> Grid:
    """Return the bins that suit a column."""
    if is_text(column):
        return grid_of(*category_counts(column))
    return number_grid(numbers(column), bins)


def count(grid: Grid, column: Any) -> ColumnSummary:
    """Count a column on the bins of its grid."""
    if isinstance(grid, NumberGrid):
        return grid.count(numbers(column))
    return count_categories(grid, column)


def merged(left: Summary, right: Summary) -> Summary:
    """Return the summary of both, which must be on the bins of one reference.

    Counts and moments are those of all rows together (moments up to rounding).
    """
    pairs = {name: (column, right.columns[name]) for name, column in left.columns.items()}
    return Summary(columns={name: merged_column(*pair) for name, pair in pairs.items()})


def is_text(column: Any) -> bool:
    """Tell whether a column holds texts."""
    if isinstance(column, np.ndarray):
        return cast("Array", column).dtype == object
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    kind = column.type
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)
    )


def numbers(column: Any) -> Floats:
    """Return a column of numbers, truths or moments as floats, NaN where a value is missing."""
    if isinstance(column, np.ndarray):
        return _floats(cast("Array", column))
    if hasattr(column, "combine_chunks"):
        column = column.combine_chunks()
    return _floats(column.to_numpy(zero_copy_only=False))


def _floats(column: Array) -> Floats:
    if column.dtype.kind == "M":
        return np.where(np.isnat(column), np.nan, column.astype("M8[us]").astype("int64"))
    return column.astype(np.float64, copy=False)
