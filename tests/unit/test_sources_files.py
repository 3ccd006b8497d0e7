"""Files that are not what they seem: paths, formats, damage."""

from __future__ import annotations

import io
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from ratoon.core.errors import RowsRefused, SettingInvalid, SourceUnreachable
from ratoon.sources import read, where
from ratoon.sources.batching import sized
from ratoon.sources.kinds import plain

TABLE = pa.table({"id": [f"p-{i}" for i in range(1000)], "x": np.arange(1000) / 7})


def rows(source: Any, **options: Any) -> list[dict[str, Any]]:
    """Return the rows of a source."""
    return [row for batch in read(source, **options) for row in batch.to_pylist()]


def written(path: Path, table: pa.Table = TABLE) -> Path:
    """Write a table as Parquet with checksums, or as Arrow, by the path's suffix."""
    if path.suffix == ".arrow":
        with pa.ipc.new_file(path, table.schema) as sink:
            sink.write_table(table)
    elif path.suffix == ".arrows":
        with pa.ipc.new_stream(path, table.schema) as sink:
            sink.write_table(table)
    else:
        pq.write_table(table, path, write_page_checksum=True)
    return path


@pytest.fixture
def nobody() -> Iterator[None]:
    """Let the test run as someone who may read nothing that is not given to all."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_missing(tmp_path: Path) -> None:
    """A path that leads nowhere is told at once, before anything is read."""
    with pytest.raises(SettingInvalid, match="No such file or directory") as refused:
        read(tmp_path / "gone.parquet")
    assert str(tmp_path / "gone.parquet") in refused.value.fact


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl", "arrow"])
def test_gone_meanwhile(suffix: str, tmp_path: Path) -> None:
    """A file that goes before it is read is no fault of its rows: it may be there again later."""
    path = tmp_path / f"rows.{suffix}"
    path.write_bytes(b"a\n1\n")
    batches = read(path)
    path.unlink()
    with pytest.raises(SourceUnreachable, match=r"cannot be opened: .*No such file") as refused:
        next(batches)
    assert refused.value.transient


def test_delta_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object store that does not answer is told apart from a table that is damaged."""
    nowhere = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "MAX_RETRIES": "0",
    }
    for name, value in nowhere.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SourceUnreachable, match="s3://rows/some cannot be opened") as refused:
        rows("s3://rows/some", format="delta")
    assert "\x1b" not in str(refused.value)


def test_folder(tmp_path: Path) -> None:
    """A folder is no file; the message says what to give."""
    with pytest.raises(SettingInvalid, match="not a folder") as refused:
        read(tmp_path)
    assert str(tmp_path / "*.parquet") in refused.value.fact


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
@pytest.mark.usefixtures("nobody")
def test_no_permission(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A file that may not be read is told at once."""
    euid = os.geteuid()
    os.seteuid(os.getuid())
    path = written(tmp_path_factory.mktemp("closed") / "a.parquet")
    path.chmod(0)
    os.seteuid(euid)
    with pytest.raises(SettingInvalid, match="Permission denied"):
        read(path)


def test_pattern_without_files(tmp_path: Path) -> None:
    """A pattern that leads to no file is refused; hidden files and folders are none."""
    written(tmp_path / ".half.parquet")
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(SettingInvalid, match="at least one file"):
        read(f"{tmp_path}/*.parquet")


def test_a_path_with_brackets_is_no_pattern(tmp_path: Path) -> None:
    """A file whose name looks like a pattern is read."""
    assert len(rows(written(tmp_path / "rows[1].parquet"))) == 1000


def test_format_by_name(tmp_path: Path) -> None:
    """A name that says no format is refused, unless the format is said."""
    path = tmp_path / "rows.dat"
    path.write_text("a\n1\n")
    with pytest.raises(SettingInvalid, match="format must be one of csv, jsonl, arrow, parquet"):
        read(path)
    assert rows(path, format="csv") == [{"a": 1}]
    capitals = path.rename(tmp_path / "ROWS.CSV")
    assert rows(capitals) == [{"a": 1}]


@pytest.mark.parametrize(
    ("name", "said", "message"),
    [
        ("a.parquet", "csv", "holds Parquet"),
        ("a.arrow", "csv", "holds Arrow"),
        ("a.arrows", "jsonl", "holds an Arrow stream"),
        ("a.arrow", "parquet", "cannot be read: Parquet magic bytes not found"),
        ("a.parquet", "arrow", "cannot be read:"),
    ],
)
def test_wrong_format(name: str, said: Any, message: str, tmp_path: Path) -> None:
    """A file of another format than its name says is refused by the file's name."""
    path = written(tmp_path / name)
    with pytest.raises(RowsRefused) as refused:
        rows(path, format=said)
    assert refused.value.fact.startswith(f"{path} ")
    assert message in refused.value.fact


def test_sqlite_file_is_a_database(tmp_path: Path) -> None:
    """A SQLite file by a wrong name is told as such."""
    path = tmp_path / "rows.csv"
    sqlite3.connect(path).execute("create table a (b)").connection.close()
    with pytest.raises(RowsRefused, match="holds a SQLite database"):
        rows(path)


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.arrows"])
def test_truncated(name: str, tmp_path: Path) -> None:
    """A file that was cut anywhere is refused, or gives the first of its rows and then is."""
    path = written(tmp_path / name, TABLE.slice(0, 50))
    body = path.read_bytes()
    for length in (len(body) - 8, *range(len(body) - 1, -1, -37)):
        path.write_bytes(body[:length])
        with pytest.raises(RowsRefused, match=f"{name} (cannot be read|ends without the mark)"):
            rows(path)


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_damaged(name: str, tmp_path: Path) -> None:
    """A flipped byte never ends the process; in Parquet with checksums it gives no wrong row."""
    path = written(tmp_path / name, TABLE.slice(0, 50))
    body = path.read_bytes()
    expected = TABLE.slice(0, 50).to_pylist()
    for at in range(0, len(body), 11):
        path.write_bytes(body[:at] + bytes([body[at] ^ 0x41]) + body[at + 1 :])
        try:
            found = rows(path)
        except RowsRefused:
            continue
        in_footer = at >= len(body) - 8 - int.from_bytes(body[-8:-4], "little")
        assert name == "a.arrow" or in_footer or found == expected


def test_no_rows(tmp_path: Path) -> None:
    """A file of columns without rows gives no batch."""
    for name in ("a.parquet", "a.arrow", "a.arrows"):
        assert rows(written(tmp_path / name, TABLE.slice(0, 0))) == []


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.arrows"])
def test_a_column_twice(name: str, tmp_path: Path) -> None:
    """A name that stands twice among the columns is refused."""
    twice = pa.table([[1], [2]], names=["x", "x"])
    with pytest.raises(RowsRefused, match="column 'x' stands there twice"):
        rows(written(tmp_path / name, twice))


def test_feather_of_version_1(tmp_path: Path) -> None:
    """The first version of Feather is told by its name."""
    path = tmp_path / "old.feather"
    path.write_bytes(b"FEA1" + b"\0" * 40)
    with pytest.raises(RowsRefused, match="is Feather of version 1"):
        rows(path)


def test_arrow_file_is_no_stream(tmp_path: Path) -> None:
    """An Arrow file that comes as a stream without an end to look at is refused."""

    class Pipe(io.RawIOBase):
        def __init__(self, body: bytes) -> None:
            super().__init__()
            self.body = io.BytesIO(body)

        def read(self, size: int = -1) -> bytes:
            return self.body.read(size)

    body = written(tmp_path / "a.arrow").read_bytes()
    with pytest.raises(RowsRefused, match="is an Arrow file: it is read by its end"):
        rows(Pipe(body), format="arrow")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dash is standard input, whose format must be said; it stays open."""

    class Input:
        buffer = io.BytesIO(b"a\n1\n")

    monkeypatch.setattr(sys, "stdin", Input)
    for said in (None, "parquet", "delta"):
        with pytest.raises(SettingInvalid, match="format must be given for standard input"):
            read("-", format=said)
    assert rows("-", format="csv") == [{"a": 1}]
    assert not Input.buffer.closed


@pytest.mark.parametrize(
    "options",
    [
        {"batch_rows": 0},
        {"batch_rows": 2.5},
        {"format": "excel"},
        {"types": {"a": "float64"}},
        {"missing": "NA"},
        {"query": "select 1"},
    ],
)
def test_settings(options: dict[str, Any], tmp_path: Path) -> None:
    """A setting that breaks its rule is told at once."""
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n")
    with pytest.raises(SettingInvalid):
        read(path, **options)


def test_types_of_a_file(tmp_path: Path) -> None:
    """What a person says of a column of Parquet is so, or refused by its row."""
    path = written(
        tmp_path / "a.parquet",
        pa.table({"zip": [1, 2], "flag": [0, 1], "price": [Decimal("1.5"), None], "n": ["1", "x"]}),
    )
    found = rows(path, types={"zip": "category", "flag": "boolean", "price": "number"})
    assert found[0] == {"zip": "1", "flag": False, "price": 1.5, "n": "1"}
    with pytest.raises(RowsRefused, match=r"a\.parquet, row 2, column 'n': 'x' is not a number"):
        rows(path, types={"n": "number"})
    with pytest.raises(RowsRefused, match=r"row 1, column 'zip': 1 is not a moment"):
        rows(path, types={"zip": "time"})


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (pa.array([1], pa.uint8()), pa.int64()),
        (pa.array([2**64 - 1], pa.uint64()), pa.uint64()),
        (pa.array([1.5], pa.float32()), pa.float64()),
        (pa.array(["a"], pa.large_string()), pa.string()),
        (pa.array(["a"], pa.string_view()), pa.string()),
        (pa.array(["a"]).dictionary_encode(), pa.string()),
        (pa.array([0], pa.date32()), pa.timestamp("us", "UTC")),
        (pa.array([1], pa.timestamp("s")), pa.timestamp("us", "UTC")),
        (pa.array([1], pa.timestamp("ns", "Asia/Tokyo")), pa.timestamp("us", "UTC")),
        (pa.array([b"0" * 16], pa.uuid()), pa.string()),
        (pa.array([True]), pa.bool_()),
        (pa.array([[1]]), pa.list_(pa.int64())),
        (pa.array([time(12)]), pa.time64("us")),
        (pa.nulls(1), pa.null()),
    ],
)
def test_plain_types(column: Any, found: Any) -> None:
    """Every type that a feature can have becomes one of six; any other stays as it is."""
    assert plain(column).type == found
    assert plain(plain(column)).type == found


def test_moments_without_a_zone_are_in_utc() -> None:
    """A moment without a zone is in UTC, and what is finer than a microsecond is cut off."""
    assert plain(pa.array([1_999], pa.timestamp("ns"))).to_pylist() == [
        datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    ]


def test_files_of_a_pattern_are_told_apart(tmp_path: Path) -> None:
    """No batch holds rows of two files; each says which rows of which file it holds."""
    for name in ("b.csv", "a.csv"):
        (tmp_path / name).write_text("x\n1\n2\n3\n")
    told = [where(batch) for batch in read(f"{tmp_path}/*.csv", batch_rows=2)]
    assert told == [
        f"{tmp_path / name}, rows {rows}"
        for name in ("a.csv", "b.csv")
        for rows in ("1 to 2", "3 to 3")
    ]


def test_batches_are_bounded_by_their_bytes() -> None:
    """A batch holds no more than some 64 MiB, however few rows that are."""
    texts = pa.table({"x": ["x" * (1 << 20)] * 200})
    batches = list(sized("a.csv", [texts.slice(0, 3), texts], 100))
    assert sum(batch.num_rows for batch in batches) == 203
    assert max(batch.nbytes for batch in batches) <= 130 << 20
    assert len(batches) >= 3


DELTA: dict[str, Callable[[str], None]] = {
    "partitions": lambda uri: write_deltalake(uri, DAYS, partition_by=["day", "part of"]),
    "a column that came later": lambda uri: (
        write_deltalake(uri, DAYS.drop_columns(["x"])),
        write_deltalake(uri, DAYS.slice(0, 0), mode="append", schema_mode="merge"),
    )[0],
}
DAYS = pa.table({"x": [1, 2, 3], "day": ["a b", "c/%20", None], "part of": [1, 2, 1]})


@pytest.mark.parametrize("case", DELTA)
def test_delta_columns_that_stand_elsewhere(case: str, tmp_path: Path) -> None:
    """Columns that stand in the paths of the files, or came later, are there."""
    DELTA[case](str(tmp_path / "t"))
    found = pa.concat_tables(read(tmp_path / "t")).select(DAYS.column_names).to_pylist()
    expected = DAYS.to_pylist()
    if case != "partitions":
        expected = [{**row, "x": None} for row in expected]
    assert sorted(found, key=str) == sorted(expected, key=str)


def test_delta_of_now(tmp_path: Path) -> None:
    """The newest version is read: what was deleted is gone."""
    write_deltalake(tmp_path / "t", TABLE)
    DeltaTable(tmp_path / "t").delete("x > 1")
    assert len(rows(tmp_path / "t")) == 8


def test_delta_without_a_file(tmp_path: Path) -> None:
    """A table one of whose files is gone is refused, by the name of the table."""
    write_deltalake(tmp_path / "t", TABLE)
    next((tmp_path / "t").glob("*.parquet")).unlink()
    with pytest.raises(RowsRefused, match="/t cannot be read"):
        rows(tmp_path / "t")


def test_delta_that_is_none(tmp_path: Path) -> None:
    """A folder that only looks like a Delta table is refused."""
    (tmp_path / "t" / "_delta_log").mkdir(parents=True)
    with pytest.raises(RowsRefused, match="cannot be read as a Delta table"):
        rows(tmp_path / "t")
    with pytest.raises(SettingInvalid, match="the folder of a Delta table"):
        read(tmp_path, format="delta")
    with pytest.raises(SettingInvalid, match="is a Delta table"):
        read(tmp_path / "t", format="csv")
