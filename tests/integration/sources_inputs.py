"""One small table, written as each kind of input; a new kind joins `MAKERS` and nothing else."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.feather as pf
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from deltalake import write_deltalake
from sqlalchemy.pool import NullPool

from ratoon.sources import Watched, read

EARLY = timezone(timedelta(hours=-5, minutes=-30))
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BATCH = 2  # rows; the table has more, so that every input comes in several batches

COLUMNS: dict[str, list[Any]] = {
    "id": ["p-1", "p-2", "p-3", "p-4", "p-5"],
    "note": ['a "quoted", text', "two\nlines; and ünïcödé 猫", "", None, "NA"],
    "zip": ["00123", "+49 30", "0x1F", "1e5", "90210"],
    "count": [0, -7, 2**62, 42, 9007199254740993],
    "amount": [0.1, None, -2.5e300, 3.0, 1e-9],
    "flag": [True, False, False, True, True],
    "time": [
        NOON,
        NOON + timedelta(microseconds=1),
        datetime(2026, 3, 1, 12, tzinfo=EARLY),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        NOON + timedelta(days=3650),
    ],
}


def table() -> pa.Table:
    """Return the table, as `read` must give it."""
    types = [
        *([pa.string()] * 3),
        pa.int64(),
        pa.float64(),
        pa.bool_(),
        pa.timestamp("us", tz="UTC"),
    ]
    columns = zip(COLUMNS, COLUMNS.values(), types, strict=True)
    return pa.table({name: pa.array(values, kind) for name, values, kind in columns})


def records() -> list[dict[str, Any]]:
    """Return the table as one dict a row."""
    names = list(COLUMNS)
    return [dict(zip(names, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]


def texts() -> list[list[Any]]:
    """Return the rows with moments and truths as texts."""
    return [[_text(value) for value in record.values()] for record in records()]


def _text(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else value


@dataclass(frozen=True, kw_only=True)
class Maker:
    """How the table is written, and what of it the reading needs to be told."""

    name: str
    make: Callable[[Path], Any]  # writes into a folder; returns what is read
    read: Callable[..., Iterable[Any]] = read
    options: dict[str, Any] = field(default_factory=dict)

    def batches(self, folder: Path) -> list[Any]:
        """Return the table in batches."""
        return list(self.read(self.make(folder), batch_rows=BATCH, **self.options))


def csv_of_pyarrow(folder: Path) -> Path:
    pv.write_csv(table(), folder / "rows.csv")
    return folder / "rows.csv"


def csv_of_pandas(folder: Path) -> Path:
    """Write CSV in which nothing between two commas is the empty text."""
    table().to_pandas().to_csv(folder / "rows.csv", index=False, na_rep="NULL")
    return folder / "rows.csv"


def csv_of_polars(folder: Path) -> Path:
    pl.from_arrow(table()).write_csv(folder / "rows.csv")
    return folder / "rows.csv"


def csv_of_excel(folder: Path) -> Path:
    """Write CSV with a byte order mark and line ends of two bytes; an empty text is in quotes."""
    with (folder / "rows.csv").open("w", encoding="utf-8-sig", newline="") as file:
        lines = csv.writer(file, lineterminator="\r\n")
        lines.writerow(COLUMNS)
        marked = [["EMPTY" if value == "" else value for value in row] for row in texts()]
        lines.writerows(marked)
    path = folder / "rows.csv"
    path.write_bytes(path.read_bytes().replace(b"EMPTY", b'""'))
    return path


def csv_gzipped(folder: Path) -> Path:
    path = folder / "rows.csv.gz"
    path.write_bytes(gzip.compress(csv_of_pyarrow(folder).read_bytes()))
    return path


def csv_stream(folder: Path) -> io.BytesIO:
    return io.BytesIO(csv_of_pyarrow(folder).read_bytes())


def json_lines(folder: Path) -> Path:
    path = folder / "rows.jsonl"
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in texts()]
    for row, flag in zip(rows, COLUMNS["flag"], strict=True):
        row["flag"] = flag
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    return path


def json_lines_gzipped(folder: Path) -> Path:
    path = folder / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(json_lines(folder).read_bytes()))
    return path


def json_lines_stream(folder: Path) -> io.BytesIO:
    return io.BytesIO(json_lines(folder).read_bytes())


def parquet(folder: Path) -> Path:
    pq.write_table(table(), folder / "rows.parquet", write_page_checksum=True)
    return folder / "rows.parquet"


def parquet_of_pandas(folder: Path) -> Path:
    table().to_pandas().to_parquet(folder / "rows.parquet")
    return folder / "rows.parquet"


def parquet_of_polars(folder: Path) -> Path:
    pl.from_arrow(table()).write_parquet(folder / "rows.pq")
    return folder / "rows.pq"


def parquet_narrow(folder: Path) -> Path:
    """Write other types of the same kinds: categories, nanoseconds of another zone."""
    found = table()
    cast = found.set_column(0, "id", found["id"].dictionary_encode())
    moments = found["time"].cast(pa.timestamp("ns", tz="Asia/Tokyo"))
    cast = cast.set_column(6, "time", moments).set_column(
        1, "note", found["note"].cast(pa.large_string())
    )
    pq.write_table(cast, folder / "rows.parquet")
    return folder / "rows.parquet"


def arrow_file(folder: Path) -> Path:
    with pa.ipc.new_file(folder / "rows.arrow", table().schema) as sink:
        sink.write_table(table(), max_chunksize=3)
    return folder / "rows.arrow"


def arrow_stream(folder: Path) -> Path:
    with pa.ipc.new_stream(folder / "rows.arrows", table().schema) as sink:
        sink.write_table(table(), max_chunksize=3)
    return folder / "rows.arrows"


def arrow_of_polars(folder: Path) -> Path:
    pl.from_arrow(table()).write_ipc(folder / "rows.ipc", compression="zstd")
    return folder / "rows.ipc"


def feather(folder: Path) -> Path:
    pf.write_feather(table(), folder / "rows.feather")
    return folder / "rows.feather"


def open_arrow_stream(folder: Path) -> io.BytesIO:
    return io.BytesIO(arrow_stream(folder).read_bytes())


def delta(folder: Path) -> Path:
    write_deltalake(folder / "rows", table().slice(0, 3), mode="append")
    write_deltalake(folder / "rows", table().slice(3), mode="append")
    return folder / "rows"


def sqlite(folder: Path) -> str:
    """Write a SQLite table; it knows neither truths nor moments."""
    with sqlite3.connect(folder / "rows.db") as connection:
        connection.execute(
            "create table rows (id text, note text, zip text, count integer, amount real, "
            "flag integer, time text)"
        )
        rows = [[*row[:5], int(row[5] == "true"), row[6]] for row in texts()]
        connection.executemany("insert into rows values (?, ?, ?, ?, ?, ?, ?)", rows)
    connection.close()
    return f"sqlite:///{folder / 'rows.db'}"


def postgres(folder: Path) -> str:
    """Write a table of PostgreSQL."""
    del folder
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL is not installed")
    url = os.environ.get("RATOON_TEST_POSTGRES")
    if not url:
        pytest.skip("RATOON_TEST_POSTGRES does not name a PostgreSQL to test with")
    engine = sa.create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("drop table if exists ratoon_rows")
        connection.exec_driver_sql(
            "create table ratoon_rows (id text, note text, zip text, count bigint, "
            "amount double precision, flag boolean, time timestamptz)"
        )
        marks = ", ".join(f":{name}" for name in COLUMNS)
        connection.execute(sa.text(f"insert into ratoon_rows values ({marks})"), records())
    engine.dispose()
    return url


def pattern(folder: Path) -> str:
    """Write two files, which come in order of their names."""
    pq.write_table(table().slice(3), folder / "2026-02.parquet")
    pq.write_table(table().slice(0, 3), folder / "2026-01.parquet")
    return f"{folder}/2026-*.parquet"


def folder_of_files(folder: Path) -> Watched:
    pattern(folder)
    return Watched(folder, state=folder.parent / f"{folder.name}.json", still="0s")


def read_folder(watched: Watched, **options: Any) -> Iterable[Any]:
    """Yield the batches of all files that are due."""
    for path in watched.due(NOON):
        yield from read(path, **options)
        assert watched.taken(path)


def structured(folder: Path) -> Any:
    """Return the table as one array of numpy, a field a column; moments have no zone there."""
    del folder
    kinds = [*[object] * 3, "i8", "f8", "?", "M8[us]"]
    found = np.zeros(len(COLUMNS["id"]), dtype=list(zip(COLUMNS, kinds, strict=True)))
    for name, values in COLUMNS.items():
        found[name] = table()[name].to_numpy() if name == "time" else values
    return found


def record_batch() -> pa.RecordBatch:
    """Return the table as what Arrow sends at once."""
    [found] = table().combine_chunks().to_batches()
    return found


def whole(data: Any, batch_rows: int) -> list[Any]:
    """Return a Python object, which comes in one batch."""
    assert batch_rows == BATCH
    return [data]


MAKERS = [
    Maker(name="csv of pyarrow", make=csv_of_pyarrow),
    Maker(name="csv of pandas", make=csv_of_pandas, options={"missing": ["NULL"]}),
    Maker(name="csv of polars", make=csv_of_polars),
    Maker(name="csv with a byte order mark", make=csv_of_excel),
    Maker(name="csv, gzipped", make=csv_gzipped),
    Maker(name="csv, a stream", make=csv_stream, options={"format": "csv"}),
    Maker(name="JSON lines", make=json_lines),
    Maker(name="JSON lines, gzipped", make=json_lines_gzipped),
    Maker(name="JSON lines, a stream", make=json_lines_stream, options={"format": "jsonl"}),
    Maker(name="Parquet", make=parquet),
    Maker(name="Parquet of pandas", make=parquet_of_pandas),
    Maker(name="Parquet of polars", make=parquet_of_polars),
    Maker(name="Parquet of other types", make=parquet_narrow),
    Maker(name="Arrow file", make=arrow_file),
    Maker(name="Arrow stream", make=arrow_stream),
    Maker(name="Arrow of polars", make=arrow_of_polars),
    Maker(name="Feather", make=feather),
    Maker(name="Arrow, an open stream", make=open_arrow_stream, options={"format": "arrow"}),
    Maker(name="Delta", make=delta),
    Maker(
        name="SQLite",
        make=sqlite,
        options={"query": "select * from rows order by rowid", "types": {"flag": "boolean"}},
    ),
    Maker(
        name="PostgreSQL",
        make=postgres,
        options={"query": "select * from ratoon_rows order by id"},
    ),
    Maker(name="a pattern of files", make=pattern),
    Maker(name="a watched folder", make=folder_of_files, read=read_folder),
    Maker(name="a pyarrow table", make=lambda _: table(), read=whole),
    Maker(name="a pyarrow record batch", make=lambda _: record_batch(), read=whole),
    Maker(name="a relation of DuckDB", make=lambda _: duckdb.arrow(table()), read=whole),
    Maker(name="a pandas frame", make=lambda _: pd.DataFrame(COLUMNS), read=whole),
    Maker(
        name="a pandas frame of Arrow columns",
        make=lambda _: table().to_pandas(types_mapper=pd.ArrowDtype),
        read=whole,
    ),
    Maker(name="a polars frame", make=lambda _: pl.from_arrow(table()), read=whole),
    Maker(name="a numpy array with fields", make=structured, read=whole),
    Maker(name="records of numpy", make=lambda _: structured(_).view(np.recarray), read=whole),
    Maker(name="a dict of columns", make=lambda _: COLUMNS, read=whole),
    Maker(
        name="a dict of arrays",
        make=lambda _: {name: table()[name].to_numpy() for name in COLUMNS},
        read=whole,
    ),
    Maker(name="a list of dicts", make=lambda _: records(), read=whole),
]
