"""Single pages of Parquet files, decoded without the rest of their row groups.

pyarrow decodes a row group, or nothing. But the offset index at the end of a file tells where each
page lies. So the pages that are wanted are copied, as they are, behind each other into a Parquet
file in memory, a row group for each, and pyarrow decodes that one, checksums and all.

Source:
    Parquet's page index (apache/parquet-format, PageIndex.md); PyPaimon reads windows of rows the
    same way (apache/paimon, pull request 9850).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ratoon.log.table_columns import kinds
from ratoon.log.table_thrift import (
    I32,
    I64,
    LIST,
    STRUCT,
    fields,
    list_head,
    packed,
    packed_plain,
    struct,
)

_MAGIC = b"PAR1"
_TAIL = 8  # bytes: the length of the footer, and the magic
# Fields of FileMetaData, RowGroup, ColumnChunk, ColumnMetaData, OffsetIndex, PageLocation.
_ROW_GROUPS, _NUM_ROWS = 4, 3
_COLUMNS = 1
_META, _INDEX_AT, _INDEX_LENGTH = 3, 4, 5
_TYPE, _ENCODINGS, _PATH, _CODEC, _DATA_AT, _DICTIONARY_AT = 1, 2, 3, 4, 9, 11
_LOCATIONS = 1
_AT, _SIZE, _FIRST_ROW = 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ColumnPages:
    """Where the pages of a column lie in a file."""

    nested: bool  # within lists, so that a row may have any number of values
    about: bytes  # type, encodings, path and codec, as a footer tells them
    dictionaries: NDArray[np.int64]  # (groups, 2), where the dictionary begins and ends
    starts: NDArray[np.int64]  # (groups, pages), where each page begins
    sizes: NDArray[np.int64]  # (groups, pages), its bytes; 0 where there is no such page


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PageMap:
    """Where the pages of a file lie; within a row group those of all columns have the same rows."""

    page_rows: int  # rows of each page but the last of a row group
    columns: Mapping[str, tuple[ColumnPages, ...]]  # those of the leaves of each column


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of some columns, as it lies in a file."""

    rows: int
    leaves: Mapping[str, tuple[Leaf, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """The bytes of a page, and of the dictionary that it needs."""

    about: bytes
    alone: bool  # it cannot stand beside a page of another row group
    dictionary: bytes
    data: bytes


def page_map(opened: Any) -> PageMap | None:
    """Read where the pages of a file lie; None where it has no index, or one page a row group.

    Columns whose pages have other rows than those of `row` are left out: a dictionary that grew too
    large ends a page early.

    Raises:
        ValueError: The footer is not one.
    """
    size: int = opened.size()
    tail = opened.read_at(_TAIL, size - _TAIL)
    length = int.from_bytes(tail[:4], "little")
    about, _ = struct(opened.read_at(length, size - _TAIL - length), 0)
    chunks = [group[_COLUMNS] for group in about[_ROW_GROUPS]]
    if not chunks or any(_INDEX_AT not in chunk for group in chunks for chunk in group):
        return None
    first = min(chunk[_INDEX_AT] for group in chunks for chunk in group)
    body: bytes = opened.read_at(size - _TAIL - length - first, first)
    leaves = [_leaf([group[at] for group in chunks], body, first) for at in range(len(chunks[0]))]
    page_rows = next((rows for name, _, rows in leaves if name == "row"), 0)
    if page_rows <= 0:
        return None
    unlike = {name for name, _, rows in leaves if rows != page_rows}
    columns: dict[str, tuple[ColumnPages, ...]] = {}
    for name, pages, _ in leaves:
        if name not in unlike:
            columns[name] = (*columns.get(name, ()), pages)
    return PageMap(page_rows=page_rows, columns=columns)


def _leaf(
    chunks: Sequence[Mapping[int, Any]], body: bytes, first: int
) -> tuple[str, ColumnPages, int]:
    """Return the name of a column, its pages, and how many rows a page has.

    The rows are 0 where no row group has two pages, and -1 where they are unlike.
    """
    metas = [chunk[_META] for chunk in chunks]
    lists = [struct(body, chunk[_INDEX_AT] - first)[0][_LOCATIONS] for chunk in chunks]
    most = max(len(locations) for locations in lists)
    starts = np.zeros((len(lists), most), dtype=np.int64)
    sizes = np.zeros((len(lists), most), dtype=np.int64)
    steps: set[int] = set()
    for at, locations in enumerate(lists):
        starts[at, : len(locations)] = [one[_AT] for one in locations]
        sizes[at, : len(locations)] = [one[_SIZE] for one in locations]
        steps.update(one[_FIRST_ROW] // n for n, one in enumerate(locations) if n)
        if any(one[_FIRST_ROW] % n for n, one in enumerate(locations) if n):
            steps.add(-1)
    dictionaries = [
        (meta.get(_DICTIONARY_AT, 0), at) for meta, at in zip(metas, starts[:, 0], strict=True)
    ]
    pages = ColumnPages(
        nested=len(metas[0][_PATH]) > 1,
        about=_about(metas),
        dictionaries=np.array([(low or high, high) for low, high in dictionaries]),
        starts=starts,
        sizes=sizes,
    )
    rows = steps.pop() if len(steps) == 1 else -1 if steps else 0
    return metas[0][_PATH][0].decode(), pages, rows


def _about(metas: Sequence[Mapping[int, Any]]) -> bytes:
    meta = metas[0]
    encodings = sorted({code for each in metas for code in each[_ENCODINGS]})
    path: list[bytes] = meta[_PATH]
    return b"".join(
        (
            _head(I32, 1) + packed(meta[_TYPE]),
            _head(LIST, 1) + list_head(I32, len(encodings)) + b"".join(map(packed, encodings)),
            _head(LIST, 1) + list_head(8, len(path)),
            *(packed_plain(len(part)) + part for part in path),
            _head(I32, 1) + packed(meta[_CODEC]),
        )
    )


def copied(
    opened: Any, pages: PageMap, names: Sequence[str], place: tuple[int, int], rows: int
) -> Page:
    """Copy a page of some columns out of a file: that of this row group and place in it."""
    leaves = {
        name: tuple(_leaf_at(opened, column, *place) for column in pages.columns[name])
        for name in names
    }
    return Page(rows=rows, leaves=leaves)


def _leaf_at(opened: Any, column: ColumnPages, group: int, page: int) -> Leaf:
    start, stop = column.dictionaries[group].tolist()
    at, size = column.starts[group, page].item(), column.sizes[group, page].item()
    return Leaf(
        about=column.about,
        alone=column.nested or start < stop,
        dictionary=opened.read_at(stop - start, start) if start < stop else b"",
        data=opened.read_at(size, at),
    )


def decoded(pages: Sequence[Page], schema: pa.Schema) -> pa.Table:
    """Decode pages, all of which have the columns of the schema; their rows in that order.

    Pages that need a dictionary, and those of lists, stand in a row group each. All others stand
    side by side in one, which is read five times as fast.

    Raises:
        OSError: A page is not as it was written, as its checksum tells.
    """
    names: list[str] = schema.names
    alone = {name for name in names if any(page.leaves[name][0].alone for page in pages)}
    together = [name for name in names if name not in alone]
    found = dict(_columns(schema, together, [pages]))
    apart = [name for name in names if name in alone]
    found |= _columns(schema, apart, [[page] for page in pages])
    return pa.table({name: found[name] for name in names})


def _columns(
    schema: pa.Schema, names: Sequence[str], groups: Sequence[Sequence[Page]]
) -> Iterator[tuple[str, Any]]:
    """Decode some columns; the pages of each group as one row group."""
    if not names:
        return
    sink = io.BytesIO()
    sink.write(_MAGIC)
    told = [_row_group(pages, names, sink) for pages in groups]
    known = kinds(schema)
    some = pa.schema([(name, known[name]) for name in names])
    footer = _footer(some, told, sum(page.rows for pages in groups for page in pages))
    sink.write(footer + len(footer).to_bytes(4, "little") + _MAGIC)
    body = pa.BufferReader(cast("Any", sink.getbuffer()))
    parquet = cast("Any", pq).ParquetFile(body, page_checksum_verification=True)
    yield from zip(names, parquet.read().columns, strict=True)


def _row_group(pages: Sequence[Page], names: Sequence[str], sink: io.BytesIO) -> bytes:
    """Write pages as one row group; return how a footer tells of it."""
    rows, begin = sum(page.rows for page in pages), sink.tell()
    chunks = [
        _written([page.leaves[name][at] for page in pages], rows, sink)
        for name in names
        for at in range(len(pages[0].leaves[name]))
    ]
    return b"".join(
        (
            _head(LIST, 1) + list_head(STRUCT, len(chunks)),
            *chunks,
            _head(I64, 1) + packed(sink.tell() - begin),
            _head(I64, 1) + packed(rows),
            b"\0",
        )
    )


def _written(leaves: Sequence[Leaf], rows: int, sink: io.BytesIO) -> bytes:
    """Write the pages of a column, behind the dictionary if there is one."""
    begin = sink.tell()
    sink.write(leaves[0].dictionary)
    first = sink.tell()
    sink.write(b"".join(leaf.data for leaf in leaves))
    return _chunk(leaves[0].about, rows, (begin, first, sink.tell()))


def _chunk(about: bytes, rows: int, places: tuple[int, int, int]) -> bytes:
    """Return a column chunk: where its dictionary begins, its page, and what comes behind."""
    start, page, stop = places
    size = packed(stop - start)
    return b"".join(
        (
            _head(I64, 2) + packed(start),
            _head(STRUCT, 1) + about,
            _head(I64, 1) + packed(rows),
            _head(I64, 1) + size,
            _head(I64, 1) + size,
            _head(I64, 2) + packed(page),
            _head(I64, 2) + packed(start) if start < page else b"",
            b"\0\0",
        )
    )


def _footer(schema: pa.Schema, groups: Sequence[bytes], rows: int) -> bytes:
    """Return a footer with these row groups, otherwise as pyarrow writes it."""
    sink = io.BytesIO()
    with cast("Any", pq).ParquetWriter(sink, schema):
        pass
    whole = sink.getvalue()
    length = int.from_bytes(whole[-_TAIL:-4], "little")
    body = whole[-_TAIL - length : -_TAIL]
    parts: list[bytes] = []
    before = 0
    for number, kind, start, stop in fields(body, 0):
        if number == _NUM_ROWS:
            value = packed(rows)
        elif number == _ROW_GROUPS:
            value = list_head(STRUCT, len(groups)) + b"".join(groups)
        else:
            value = body[start:stop]
        parts.append(_head(kind, number - before) + value)
        before = number
    return b"".join(parts) + b"\0"


def _head(kind: int, step: int) -> bytes:
    """Return what stands before a field, `step` behind the one before it."""
    return bytes([step << 4 | kind])
