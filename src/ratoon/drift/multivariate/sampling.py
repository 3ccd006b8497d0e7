"""A bounded number of rows of a table, drawn from a seed, in an order that is drawn too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ratoon.windows.summaries.summary import Columns

Index = NDArray[np.intp]


def rows_of(columns: Columns) -> int:
    """Count the rows of a table; 0 without columns."""
    return next((len(column) for column in columns.values()), 0)


def drawn(size: int, most: int, rng: np.random.Generator) -> Index:
    """Draw at most `most` of `size` rows, each as likely, in any order.

    >>> sorted(drawn(3, 5, np.random.default_rng(0)).tolist())
    [0, 1, 2]
    """
    return rng.permutation(size)[:most]


def taken(columns: Columns, names: Iterable[str], index: Index) -> dict[str, Any]:
    """Return some rows of some columns, in the order of `index`.

    Raises:
        KeyError: A column is missing.
    """
    return {name: take(columns[name], index) for name in names}


def take(column: Any, index: Index) -> Any:
    """Return some rows of a column, in the order of `index`."""
    if isinstance(column, np.ndarray):
        return cast("NDArray[Any]", column)[index]
    return column.take(index)
