"""Rows written to Parquet files whose names carry their SHA-256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ratoon.log import disk
from ratoon.log.files import DataFile, Span
from ratoon.log.table_columns import conformed, kinds
from ratoon.log.table_storage import Storage

GROUP_ROWS = 65_536
# Of a row that is asked for alone one page of each column is decoded. Smaller pages make the file
# larger and a scan slower: 2,048 rows by 6 and 10 per cent, 1,024 by 15 and 30.
PAGE_ROWS = 4_096
_PAGE_BYTES = 1 << 30  # no page ends early: those of all columns have the same rows
_SAMPLE = 4_096  # values that tell whether a column repeats itself
SPANNED = ("row", "seq", "time", "arrived_at")  # columns whose least and greatest value are told


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A file on the local disk that has no name in the table yet."""

    aside: Path
    file: DataFile

    def keep(self, storage: Storage) -> DataFile:
        """Give it its name."""
        storage.keep(self.aside, self.file.name)
        return self.file


def write(storage: Storage, schema: pa.Schema, tables: Iterable[pa.Table]) -> Written | None:
    """Write rows, in order, to one file aside, durably; None where there are no rows.

    Raises:
        StoreUnwritable: The disk does not take them; nothing of them stays.
    """
    aside = storage.aside()
    try:
        with disk.writing(aside):
            file = _write(aside, schema, tables)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    if file is None:
        aside.unlink()
        return None
    return Written(aside=aside, file=file)


def _write(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> DataFile | None:
    spans = {name: _Running() for name in SPANNED if name in schema.names}
    rows = 0
    with path.open("wb") as file:
        hashed = _Hashed(file)
        pieces = (conformed(table, schema) for table in _full_groups(tables))
        first = next(pieces, schema.empty_table())
        with _parquet_writer(hashed, first) as writer:
            for full in chain([first], pieces):
                writer.write_table(full, row_group_size=GROUP_ROWS)
                rows += full.num_rows
                for name, span in spans.items():
                    span.add(full.column(name))
        file.flush()
        disk.flush(file.fileno())
    if not rows:
        return None
    found = path.stat()
    return DataFile(
        first=cast("int", spans["row"].low),
        last=cast("int", spans["row"].high),
        rows=rows,
        size=found.st_size,
        sha256=hashed.sha256.hexdigest(),
        written_ms=found.st_mtime_ns // 1_000_000,
        spans=tuple(span.told(name) for name, span in spans.items() if span.low is not None),
    )


def stats(file: DataFile) -> str:
    """Return the statistics of a file as Delta's log has them."""
    return json.dumps(
        {
            "numRecords": file.rows,
            "minValues": {span.column: _told(span.low) for span in file.spans},
            "maxValues": {span.column: _told(span.high) for span in file.spans},
            "nullCount": {span.column: span.nulls for span in file.spans},
        }
    )


def _told(value: int | datetime) -> int | str:
    if isinstance(value, int):
        return value
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class _Hashed:
    """A file that is hashed as it is written."""

    closed = False

    def __init__(self, file: Any) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """Leave the file open: it is flushed to the disk after the last byte."""


@dataclass(slots=True)
class _Running:
    """The least and the greatest value of a column so far."""

    low: Any = field(default=None)
    high: Any = field(default=None)
    nulls: int = 0

    def add(self, column: Any) -> None:
        self.nulls += column.null_count
        if not (pa.types.is_integer(column.type) or pa.types.is_timestamp(column.type)):
            return
        found = cast("Any", pc).min_max(column).as_py()
        if found["min"] is not None:
            self.low = found["min"] if self.low is None else min(self.low, found["min"])
            self.high = found["max"] if self.high is None else max(self.high, found["max"])

    def told(self, name: str) -> Span:
        return Span(column=name, low=self.low, high=self.high, nulls=self.nulls)


def _parquet_writer(sink: Any, first: pa.Table) -> Any:
    """Open a writer for rows like the first ones.

    Texts that repeat themselves stand in dictionaries. Whole numbers and times are told by how much
    each differs from the one before: rows that come in order take a hundredth of the room, and are
    read four times as fast.
    """
    types = kinds(first.schema)
    texts = [name for name, kind in types.items() if kind == pa.string()]
    numbers = [
        name
        for name, kind in types.items()
        if pa.types.is_integer(kind) or pa.types.is_timestamp(kind)
    ]
    return cast("Any", pq).ParquetWriter(
        sink,
        first.schema,
        compression="zstd",
        use_dictionary=[name for name in texts if _repeats(first.column(name))],
        column_encoding=dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
        write_page_checksum=True,
        write_page_index=True,
        max_rows_per_page=PAGE_ROWS,
        data_page_size=_PAGE_BYTES,
    )


def _repeats(column: Any) -> bool:
    """Whether a text comes twice, on average, among the first."""
    some = column.slice(0, _SAMPLE)
    return cast("Any", pc).count_distinct(some).as_py() * 2 <= len(some)


def _full_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the rows in pieces of a whole number of full row groups, the last one shorter."""
    waiting: list[pa.Table] = []
    rows = 0
    for table in tables:
        waiting.append(table)
        rows += table.num_rows
        if rows < GROUP_ROWS:
            continue
        whole = pa.concat_tables(waiting, promote_options="default")
        full = rows - rows % GROUP_ROWS
        yield whole.slice(0, full)
        waiting, rows = [whole.slice(full)], rows - full
    if rows:
        yield pa.concat_tables(waiting, promote_options="default")
