"""Feature rows as columns of numpy arrays."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ratoon.core.schema import Kind, Schema
from ratoon.windows.arrow import ArrowColumns

Array: TypeAlias = NDArray[Any]

DTYPES: Mapping[Kind, str] = {
    "number": "float64",
    "integer": "int64",
    "boolean": "bool",
    "category": "object",
    "time": "datetime64[us]",
}
"""How each kind of column is held; a missing value is NaN, NaT or None."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """A batch of feature rows: one array a column, all of one length.

    Of rows that were read from tables a column may be made an array when it is first asked for.
    """

    schema: Schema
    columns: Mapping[str, Array]

    def __len__(self) -> int:
        """Count the rows."""
        if isinstance(self.columns, ArrowColumns):
            return self.columns.rows
        return len(next(iter(self.columns.values())))

    def take(self, index: NDArray[np.intp] | slice) -> Rows:
        """Return the rows at `index`, in its order."""
        return Rows(
            schema=self.schema, columns={name: col[index] for name, col in self.columns.items()}
        )


def concat(parts: Sequence[Rows]) -> Rows:
    """Join batches of one schema; there is at least one."""
    first = parts[0]
    if len(parts) == 1:
        return first
    columns = {
        name: np.concatenate([part.columns[name] for part in parts]) for name in first.columns
    }
    return Rows(schema=first.schema, columns=columns)


def narrowed(rows: Rows, names: Collection[str]) -> Rows | None:
    """Return some columns of a batch, in its order; None where it has none of them."""
    columns = tuple(column for column in rows.schema.columns if column.name in names)
    if not columns:
        return None
    return Rows(
        schema=replace(rows.schema, columns=columns),
        columns={column.name: rows.columns[column.name] for column in columns},
    )


def missing(column: Array) -> NDArray[np.bool_]:
    """Tell which values of a column are missing."""
    if column.dtype == object:
        return np.array([value is None for value in column], dtype=bool)
    if column.dtype.kind == "M":
        return np.isnat(column)
    if column.dtype.kind == "f":
        return np.isnan(column)
    return np.zeros(len(column), dtype=bool)
