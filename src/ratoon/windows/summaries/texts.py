"""Categories, counted through their dictionary: each distinct text is looked at once a batch."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from ratoon.windows.rows import Array
from ratoon.windows.summaries.column import ColumnSummary, Counts, merged_tally
from ratoon.windows.summaries.grids import CategoryGrid, category_grid


def category_counts(column: Any) -> tuple[list[str], Counts]:
    """Return the distinct categories of a column, and their counts, that of missing ones last.

    Args:
        column: texts, shape (n,): an array of objects, or an Arrow array, chunked or not, of
            texts or of dictionary indices.

    >>> category_counts(np.array(["b", None, "b", "a"], dtype=object))
    (['b', 'a'], array([2, 1, 1]))
    """
    codes, names = _encoded(column)
    return names, np.bincount(codes, minlength=len(names) + 1)


def grid_of(names: list[str], counts: Counts, least: int = 1) -> CategoryGrid:
    """Return the bins of a reference: categories of at least `least` rows, the commonest first.

    Equally common ones stand in the order of their names, whatever order they came in.
    """
    order = sorted(range(len(names)), key=lambda i: (-int(counts[i]), names[i]))
    kept = [names[i] for i in order if counts[i] >= least]
    return category_grid(kept, whole=len(kept) == len(names))


def count_categories(grid: CategoryGrid, column: Any) -> ColumnSummary:
    """Count a column on the bins of a reference, and name the categories that have none.

    >>> grid = category_grid(["a", "b"], whole=True)
    >>> found = count_categories(grid, np.array(["b", None, "b", "new"], dtype=object))
    >>> found.counts.tolist(), found.others
    ([0, 2, 1, 1], (('new', 1),))
    """
    names, counts = category_counts(column)
    places = _places(grid, names)
    found = np.zeros(len(grid) + 1, dtype=np.int64)
    np.add.at(found, places, counts[:-1])
    found[-1] = counts[-1]
    others = np.flatnonzero((places == len(grid) - 1) & (counts[:-1] > 0))
    named = merged_tally((), tuple((names[i], int(counts[i])) for i in others))
    return ColumnSummary(counts=found, others=named)


def _places(grid: CategoryGrid, names: list[str]) -> Array:
    """Return the bin of each name."""
    place = {name: i for i, name in enumerate(grid.categories)}
    others = len(place)
    return np.array([place.get(name, others) for name in names], dtype=np.intp)


def _encoded(column: Any) -> tuple[Array, list[str]]:
    """Return each row's index among the distinct texts, one past them where it is missing."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import
    import pyarrow.compute as pc  # noqa: PLC0415

    texts: Any = column
    if isinstance(column, np.ndarray):
        texts = cast("Any", pa).array(column, from_pandas=True)
    if isinstance(texts, pa.ChunkedArray):
        texts = cast("Any", texts).unify_dictionaries().combine_chunks()
    if isinstance(texts, pa.ChunkedArray):  # of no chunk
        texts = pa.array([], pa.string())
    if not pa.types.is_dictionary(texts.type):
        texts = cast("Any", pc).dictionary_encode(texts)
    names = [str(name) for name in texts.dictionary.to_pylist()]
    codes = cast("Any", pc).fill_null(texts.indices, len(names))
    return codes.to_numpy(zero_copy_only=False), names
