"""Rows out, as the kind of frame that a person's models are used to."""

from __future__ import annotations

from typing import Any

import numpy as np

from ratoon.core.schema import Kind
from ratoon.windows.rows import Array, Rows

_PLAIN: frozenset[Kind] = frozenset({"number", "integer", "boolean"})


def to_frame(rows: Rows) -> Any:
    """Return `rows` as their schema's kind of frame.

    "numpy" gives an array of shape (rows, columns): float64 where every column is a number,
    else objects with None for a missing text. The other kinds keep names and types.
    """
    match rows.schema.frame:
        case "numpy":
            return to_array(rows)
        case "pandas":
            import pandas as pd  # noqa: PLC0415 - only where a person uses pandas

            return pd.DataFrame(dict(rows.columns), columns=list(rows.schema.names))
        case "polars":
            import polars as pl  # noqa: PLC0415 - only where a person uses polars

            return pl.DataFrame(_listed(rows))
        case "arrow":
            import pyarrow as pa  # noqa: PLC0415 - only where a person uses Arrow

            return pa.table(_listed(rows))


def to_array(rows: Rows) -> Array:
    """Return `rows` as one array of shape (rows, columns)."""
    columns = [rows.columns[name] for name in rows.schema.names]
    if all(column.kind in _PLAIN for column in rows.schema.columns):
        return np.column_stack(columns).astype("float64", copy=False)
    table = np.empty((len(rows), len(columns)), dtype=object)
    for i, column in enumerate(columns):
        table[:, i] = column
    return table


def _listed(rows: Rows) -> dict[str, Any]:
    """Return the columns in the schema's order, texts as lists."""
    columns = {name: rows.columns[name] for name in rows.schema.names}
    return {n: c.tolist() if c.dtype == object else c for n, c in columns.items()}
