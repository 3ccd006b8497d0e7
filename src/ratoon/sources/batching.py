"""Batches of a bounded size, each of which knows where it came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import pyarrow as pa

from ratoon.core.settings import whole

Table = Any
"""An Arrow table."""

_BYTES = 64 << 20  # of a batch, however few rows that are
_SOURCE, _FIRST = b"ratoon:source", b"ratoon:first_row"


def sized(source: str, tables: Iterable[Table], rows: int) -> Iterator[Table]:
    """Yield tables of `rows` rows, the last one of fewer; none is larger than some 64 MiB.

    >>> import pyarrow as pa
    >>> parts = [pa.table({"x": [1, 2, 3]}), pa.table({"x": [4]})]
    >>> [where(batch) for batch in sized("a.csv", parts, 2)]
    ['a.csv, rows 1 to 2', 'a.csv, rows 3 to 4']
    """
    whole("batch_rows", rows, least=1)
    waiting: list[Table] = []
    done = 0
    for table in tables:
        for piece in _pieces(table, rows):
            waiting.append(piece)
            while _count(waiting) >= rows or _size(waiting) >= _BYTES:
                joined = _joined(waiting)
                waiting = [joined.slice(rows)] if len(joined) > rows else []
                yield _marked(joined.slice(0, rows), source, done)
                done += min(rows, len(joined))
    if _count(waiting):
        yield _marked(_joined(waiting), source, done)


def where(batch: Table) -> str:
    """Return which rows of which source a batch holds, as a person reads it; "" where unknown.

    The first row of a source is row 1; a header is no row.
    """
    about: dict[bytes, bytes] = batch.schema.metadata or {}
    if _SOURCE not in about:
        return ""
    first = int(about[_FIRST])
    return f"{about[_SOURCE].decode()}, rows {first} to {first + batch.num_rows - 1}"


def row_of(batch: Table, at: int) -> str:
    """Return which row of which source row `at` of a batch is; "row 5" where it is unknown."""
    about: dict[bytes, bytes] = batch.schema.metadata or {}
    if _SOURCE not in about:
        return f"row {at + 1}"
    return f"{about[_SOURCE].decode()}, row {int(about[_FIRST]) + at}"


def _pieces(table: Table, rows: int) -> Iterator[Table]:
    """Cut a table that holds more bytes than a batch may."""
    share = min(1.0, _BYTES / max(1, table.nbytes))
    step = max(1, min(rows, int(table.num_rows * share)))
    for start in range(0, table.num_rows, step):
        yield table.slice(start, step)


def _count(tables: list[Table]) -> int:
    return sum(table.num_rows for table in tables)


def _size(tables: list[Table]) -> int:
    return sum(table.nbytes for table in tables)


def _joined(tables: list[Table]) -> Table:
    """Join tables; a column that was all missing in one takes the type that it has in another."""
    if len(tables) == 1:
        return tables[0]
    return cast("Any", pa).concat_tables(tables, promote_options="default")


def _marked(table: Table, source: str, done: int) -> Table:
    return table.replace_schema_metadata({_SOURCE: source.encode(), _FIRST: str(done + 1)})
