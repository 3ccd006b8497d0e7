"""A bounded number of rows of a table, drawn from a seed, in an order that is drawn too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ratoon.core import settings
from ratoon.windows.summaries.summary import Columns

Index = NDArray[np.intp]

LEAST = 40
"""Rows of a side, from which on it is judged."""


def check_sample(*, rows: int, seed: int, false_alarms: float, inflation: float = 1.0) -> None:
    """Refuse settings of a test on a sample that break their rules.

    Raises:
        SettingInvalid: which one.
    """
    settings.share("false_alarms", false_alarms)
    settings.whole("rows", rows, least=LEAST)
    settings.positive("inflation", inflation)
    settings.whole("seed", seed, least=0)


def sides_of(
    reference: Columns, now: Columns, most: int, rng: np.random.Generator
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Draw rows of a reference and of a window; None where either has fewer than 40.

    Raises:
        KeyError: A column of the reference is missing.
    """
    sizes = rows_of(reference), rows_of({name: now[name] for name in reference})
    if min(sizes) < LEAST:
        return None
    before, after = (
        taken(side, reference, drawn(size, most, rng))
        for side, size in zip((reference, now), sizes, strict=True)
    )
    return before, after


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


def stacked(tables: Sequence[Columns]) -> dict[str, Any]:
    """Put tables of the same columns behind each other.

    >>> stacked([{"x": np.array([1.0])}, {"x": np.array([2.0])}])["x"].tolist()
    [1.0, 2.0]
    """
    return {name: _behind([table[name] for table in tables]) for name in tables[0]}


def _behind(parts: list[Any]) -> Any:
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    return cast("Any", pa).concat_arrays(parts)
