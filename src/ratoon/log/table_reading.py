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
from ratoon.log.table_columns import conformed, filled, kinds
from ratoon.log.table_groups import Groups

_BULK = 4  # a range of more row groups than that is read past the cache
_FILES_AT_ONCE = 2


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
    low, high = int(rows[0]), int(rows[-1])
    if high - low == len(rows) - 1 and bool((np.diff(rows) == 1).all()):
        return _range(groups, state, low, high + 1, schema)
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    parts: list[pa.Table] = []
    found: list[NDArray[np.intp]] = []
    places: list[int] = state.files.places(ordered).tolist()
    for start, stop in _runs(places):
        if places[start] >= 0:
            file = state.files.files[places[start]]
            for table, here in _picked(groups, file, ordered[start:stop], schema):
                parts.append(table)
                found.append(order[start + here])
    if not parts:
        return empty(schema)
    table = pa.concat_tables(parts)
    back = np.argsort(np.concatenate(found), kind="stable")
    return table if _ascending(back) else table.take(cast("Any", pa.array(back)))


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
        whole = start <= file.first and file.last < stop
        some = None if whole else groups.footer(file).between(start, stop)
        return _cut(_decoded(groups, file, some, schema), start, stop)

    files = state.files.between(start, stop)
    if not files:
        return empty(schema)
    # While one file is decoded the next is read and checked.
    with ThreadPoolExecutor(min(len(files), _FILES_AT_ONCE)) as pool:
        return pa.concat_tables(list(pool.map(part, files)))


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


def _picked(
    groups: Groups, file: DataFile, rows: NDArray[np.int64], schema: pa.Schema
) -> Iterator[tuple[pa.Table, NDArray[np.intp]]]:
    """Yield those of `rows`, which ascend, that the file has, and their places in `rows`."""
    footer = groups.footer(file)
    at = np.searchsorted(footer.firsts, rows, side="right") - 1
    for start, stop in _runs(at):
        group = int(at[start])
        if group < 0:
            continue
        table = _group(groups, file, group, schema)
        wanted = rows[start:stop]
        if footer.dense(group):
            local = wanted - footer.firsts[group]
            here = local < footer.counts[group]
        else:
            has = _numbers(table)
            local = np.minimum(np.searchsorted(has, wanted), len(has) - 1)
            here = has[local] == wanted
        if here.any():
            yield table.take(cast("Any", pa.array(local[here]))), start + np.flatnonzero(here)


def _runs(values: Sequence[int] | NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """Yield where runs of equal values begin and end."""
    edges = np.flatnonzero(np.diff(values)) + 1
    yield from zip([0, *edges.tolist()], [*edges.tolist(), len(values)], strict=True)


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
    return conformed(groups.read(file, some, schema.names), schema)
