"""Columns of Arrow tables, brought into the shape of a schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pyarrow as pa


def kinds(schema: pa.Schema) -> dict[str, Any]:
    """Return the type of each column.

    >>> kinds(pa.schema([("row", pa.int64())]))
    {'row': DataType(int64)}
    """
    names: list[str] = schema.names
    return dict(zip(names, cast("Any", schema).types, strict=True))


def coded(schema: pa.Schema) -> pa.Schema:
    """Return the schema with texts as numbers of distinct ones.

    >>> coded(pa.schema([("id", pa.string())])).field("id").type
    DictionaryType(dictionary<values=string, indices=int32, ordered=0>)
    """
    by_number = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            (name, by_number if pa.types.is_string(kind) else kind)
            for name, kind in kinds(schema).items()
        ]
    )


def filled(columns: Mapping[str, Any], rows: int, schema: pa.Schema) -> pa.Table:
    """Return a table of all columns of the schema; those that are not given are null.

    Args:
        columns: Arrow arrays by name, of types that may differ in the names of their parts.
        rows: The length of each.
        schema: What the table is to be like.
    """
    arrays = [_typed(columns.get(name), rows, kind) for name, kind in kinds(schema).items()]
    return cast("Any", pa.Table).from_arrays(arrays, schema=schema)


def conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the rows with the columns of the schema; those that are missing are null."""
    if table.schema.equals(schema):
        return table
    columns = {name: cast("Any", table).column(name) for name in table.column_names}
    return filled(columns, table.num_rows, schema)


def _typed(column: Any, rows: int, kind: Any) -> Any:
    if column is None:
        return cast("Any", pa).nulls(rows, type=kind)
    return column if column.type == kind else column.cast(kind)
