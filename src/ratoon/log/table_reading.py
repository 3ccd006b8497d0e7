"""Rows of a table: some by their numbers, or all of a range in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ratoon.core.errors import ColumnsMismatch
from ratoon.log.files import DataFile, TableState
from ratoon.log.runs import side_by_side
from ratoon.log.table_columns import coded, conformed, filled, kinds
from ratoon.log.table_groups import Groups
from ratoon.log.table_picking import picked

_BULK = 4  # a range of more row groups than that is read past the cache
_FILES_AT_ONCE = 2
_FEW = 1_024  # rows in order: fewer may be read page by page
_BULK_ROWS = 262_144  # a range of more rows than that is read in the cheapest form
_ROW = pa.schema([("row", pa.int64())])


def selected(state: TableState, columns: Sequence[str] | None) -> pa.Schema:
    """Return the schema of what is read: `row` first, then the columns as they are asked for.

    Raises:
        ColumnsMismatch: The table lacks one of them.
    """
    schema: pa.Schema = state.schema
    if columns is None:
        return schema
    missing = tuple(name for name in columns if name not in schema.names)
    if missing and state.version is not None:
        raise ColumnsMismatch(missing, ())
    known = kinds(schema)
    names = dict.fromkeys(("row", *columns))
    return pa.schema([(name, known[name]) for name in names if name in known])


def empty(schema: pa.Schema) -> pa.Table:
    """Return a table without rows."""
    return schema.empty_table()


def take(groups: Groups, state: TableState, rows: NDArray[np.int64], schema: pa.Schema) -> pa.Table:
    """Return rows by their numbers, in the order asked; those that are not there are left out."""
    if not len(rows) or not len(state.files):
        return empty(schema)
    if len(rows) > _FEW and side_by_side(rows):
        return _range(groups, state, int(rows[0]), int(rows[-1]) + 1, schema)
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    parts: list[pa.Table] = []
    found: list[NDArray[np.intp]] = []
    for table, here in picked(groups, state, ordered, schema):
        parts.append(table)
        found.append(order[here])
    if not parts:
        return empty(schema)
    table = pa.concat_tables(parts)
    back = np.argsort(np.concatenate(found), kind="stable")
    return table if _ascending(back) else table.take(cast("Any", pa.array(back)))


def pick(
    groups: Groups, state: TableState, rows: NDArray[np.int64], columns: Sequence[str]
) -> pa.Table:
    """Return columns of rows by their numbers, texts as numbers of distinct ones where it pays."""
    numbered = selected(state, columns)
    known = kinds(numbered)
    schema = pa.schema([(name, known[name]) for name in columns if name in known])
    if schema.names and len(rows) > _BULK_ROWS and side_by_side(rows):
        return read(groups, state, int(rows[0]), int(rows[-1]) + 1, coded(schema))
    return take(groups, state, rows, numbered).select(schema.names)


def scan(
    groups: Groups, state: TableState, start: int, stop: int, schema: pa.Schema
) -> Iterator[pa.Table]:
    """Yield the rows from `start` up to `stop` in order, a row group at a time."""
    for file in state.files.between(start, stop):
        for group in groups.footer(file).between(start, stop):
            table = _decoded(groups, file, [group], schema)
            part = _cut(table, start, stop)
            if part.num_rows:
                yield part


def whole_file(groups: Groups, file: DataFile, schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield all rows of a file, a row group at a time."""
    for group in range(len(groups.footer(file).counts)):
        yield _decoded(groups, file, [group], schema)


def read(groups: Groups, state: TableState, start: int, stop: int, schema: pa.Schema) -> pa.Table:
    """Return the rows from `start` up to `stop` in order, decoded on all cores."""

    def part(file: DataFile) -> pa.Table:
        return _part(groups, file, start, stop, schema)

    files = state.files.between(start, stop)
    if not files:
        return empty(schema)
    # While one file is decoded the next is read and checked.
    with ThreadPoolExecutor(min(len(files), _FILES_AT_ONCE)) as pool:
        return pa.concat_tables(list(pool.map(part, files)))


def _part(groups: Groups, file: DataFile, start: int, stop: int, schema: pa.Schema) -> pa.Table:
    """Return the rows of a file from `start` up to `stop`.

    Where no row of the file is missing its numbers are those between its first and its last. The
    footer of a whole file is left to whoever decodes it: pages of a file whose bytes have been
    checked in the same go are not checked again.
    """
    whole = start <= file.first and file.last < stop
    some = None if whole else groups.footer(file).between(start, stop)
    plain = pa.schema([(name, kind) for name, kind in kinds(schema).items() if name != "row"])
    if not (file.dense and plain.names):
        numbered = schema if "row" in schema.names else pa.unify_schemas([_ROW, schema])
        return _cut(_decoded(groups, file, some, numbered), start, stop).select(schema.names)
    table = _decoded(groups, file, some, plain)
    first = file.first if some is None else int(groups.footer(file).firsts[some[0]])
    begin, end = max(start, first), min(stop, first + table.num_rows)
    table = table.slice(begin - first, end - begin)
    if "row" not in schema.names:
        return table
    at = schema.names.index("row")
    return table.add_column(at, "row", cast("Any", pa.array(np.arange(begin, end))))


def _range(groups: Groups, state: TableState, start: int, stop: int, schema: pa.Schema) -> pa.Table:
    """Return a range of rows, by slices of what is in memory where it is small."""
    wanted = [
        (file, group)
        for file in state.files.between(start, stop)
        for group in groups.footer(file).between(start, stop)
    ]
    if len(wanted) > _BULK:
        return read(groups, state, start, stop, schema)
    parts = [_cut(_group(groups, file, group, schema), start, stop) for file, group in wanted]
    return pa.concat_tables(parts) if parts else empty(schema)


def _ascending(order: NDArray[np.intp]) -> bool:
    return bool((np.diff(order) > 0).all())


def _numbers(table: pa.Table) -> NDArray[np.int64]:
    return cast("Any", table.column("row")).to_numpy()


def _cut(table: pa.Table, start: int, stop: int) -> pa.Table:
    """Return the rows from `start` up to `stop` of rows in order."""
    numbers = _numbers(table)
    first, last = np.searchsorted(numbers, [start, stop]).tolist()
    return table.slice(first, last - first)


def _group(groups: Groups, file: DataFile, group: int, schema: pa.Schema) -> pa.Table:
    """Return a row group with all columns of the schema, from memory where it is there."""
    arrays = groups.arrays(file, group, schema.names)
    rows = int(groups.footer(file).counts[group])
    return filled(arrays, rows, schema)


def _decoded(
    groups: Groups, file: DataFile, some: Sequence[int] | None, schema: pa.Schema
) -> pa.Table:
    """Return row groups, or all, with all columns of the schema, past what is in memory."""
    texts = [name for name, kind in kinds(schema).items() if pa.types.is_dictionary(kind)]
    return conformed(groups.read(file, some, schema.names, texts), schema)
