"""Any log as batches: frames, dicts, files, patterns, Delta tables, queries, batches already."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, cast

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ratoon.core.errors import BatchEmpty, LengthMismatch, RowsRefused
from ratoon.sources import read
from ratoon.sources.kinds import plain
from ratoon.windows.columns import read_column
from ratoon.windows.intake import read_rows
from ratoon.windows.rows import Rows

BATCH_ROWS = 200_000
_BUFFERED = 256 << 20  # bytes of a log from whose first part the reference is taken
_PART = 0.2  # of the log, the first rows, which are the reference where none is given
_MOST_ROWS = 1_000_000  # of a log that are looked at for that

_INDEX = "__index_level_"  # as pandas calls an index that has no name

Table = Any


def tables(source: object, query: str | None = None) -> Iterator[Table]:
    """Yield the rows of a log as Arrow tables of a bounded size, without those that are empty.

    Args:
        source: what `ratoon.sources.read` or `read_rows` takes, or an iterator of frames.
        query: what to read from a database.

    Raises:
        SettingInvalid: there is no such source.
        RowsRefused: rows cannot be read.
    """
    if isinstance(source, str | os.PathLike) or hasattr(source, "read"):
        given: Iterable[Any] = read(cast("Any", source), query=query, batch_rows=BATCH_ROWS)
    elif isinstance(source, Iterator):
        given = chain.from_iterable(_cut(_table(part)) for part in cast("Iterator[object]", source))
    else:
        given = _cut(_table(source))
    return (_simple(table) for table in given if table.num_rows)


def first_part(given: Iterator[Table]) -> tuple[list[Table], Iterator[Table], str]:
    """Take the first fifth of a log for its reference; of a large log, that of its first rows.

    Returns:
        The reference, the rest of the log, and where the reference is from.

    Raises:
        BatchEmpty: the log has fewer than two rows.
    """
    held: list[Table] = []
    size = rows = 0
    for table in given:
        held.append(table)
        size, rows = size + table.nbytes, rows + table.num_rows
        if size >= _BUFFERED or rows >= _MOST_ROWS:
            break
    more = next(given, None)
    wanted = int(rows * _PART)
    if not wanted:
        raise BatchEmpty("the log, whose first fifth would be the reference,")
    share = "the first fifth of the log" if more is None else "the first rows of the log"
    first, rest = list[Table](), list[Table]()
    for table in held:
        take = max(0, min(wanted - sum(t.num_rows for t in first), table.num_rows))
        if take:
            first.append(table.slice(0, take))
        if take < table.num_rows:
            rest.append(table.slice(take))
    return first, chain(rest, [] if more is None else [more], given), share


def _cut(table: Table) -> Iterator[Table]:
    for start in range(0, table.num_rows, BATCH_ROWS):
        yield table.slice(start, BATCH_ROWS)


def _table(data: object) -> Table:
    """Return rows of any kind as a table of Arrow."""
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return cast("Any", pa).Table.from_batches([data])
    if isinstance(data, Mapping):
        return _of_columns(cast("Mapping[object, object]", data))
    if isinstance(data, Rows | np.ndarray | list | tuple):
        rows = read_rows(cast("object", data))
        return _of_columns(rows.columns)
    try:
        frame = nw.from_native(cast("Any", data), eager_only=True)
        return frame.to_arrow()
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, nw.exceptions.NarwhalsError):
        return _of_columns(read_rows(data).columns)  # which says what is wrong


def _of_columns(columns: Mapping[Any, object]) -> Table:
    found = {str(name): read_column(str(name), values) for name, values in columns.items()}
    lengths = {name: len(values) for name, values in found.items()}
    if not found or not max(lengths.values()):
        raise BatchEmpty("the log")
    first, rows = next(iter(lengths.items()))
    for name, length in lengths.items():
        if length != rows:
            raise LengthMismatch(first, rows, name, length)
    made = cast("Any", pa)
    return made.table({n: made.array(v, from_pandas=v.dtype == object) for n, v in found.items()})


def _simple(table: Table) -> Table:
    """Return a table of few types: numbers, texts, moments; truths as texts, gaps as nothing."""
    names = [name for name in table.column_names if not name.startswith(_INDEX)]
    for name in names:
        if names.count(name) > 1:
            raise RowsRefused(f"column {name!r} stands more than once in the log")
    whole = table.combine_chunks()
    return cast("Any", pa).table([_column(whole.column(name)) for name in names], names=names)


def _column(column: Any) -> Any:
    found = plain(column)
    kind = found.type
    types = cast("Any", pa.types)
    if types.is_boolean(kind):
        return cast("Any", pc).if_else(found, "true", "false")
    if types.is_decimal(kind) or types.is_uint64(kind):
        return found.cast(pa.float64(), safe=False)
    return found
