"""Row tables: what is appended is there once, in order, for Ratoon and for others."""

from __future__ import annotations

import json
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as pads
import pytest
from deltalake import DeltaTable, write_deltalake

from ratoon.core.errors import (
    ColumnKindMismatch,
    ColumnsMismatch,
    FileCorrupt,
    SettingInvalid,
    StoreDamaged,
    TableChanged,
    ValueForbidden,
)
from ratoon.log import disk
from ratoon.log import table as table_module
from ratoon.log.table import RowTable
from tests.unit.log_table_rows import APP, data_files, filled, rows_of, state_of

NOW = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flush nothing: no power is cut here."""
    monkeypatch.setattr(disk, "flush", lambda _: None)
    monkeypatch.setattr(disk, "flush_folder", lambda _: None)


def test_nothing_yet(tmp_path: Path) -> None:
    """A table that nothing was appended to has no version, no rows and no files."""
    table = RowTable(str(tmp_path / "t"), app=APP)
    assert (table.version, table.stop, table.seq, table.files) == (None, 0, 0, ())
    assert table.take(np.array([0, 5])).num_rows == 0
    assert table.read().num_rows == 0
    assert not list(table.scan())
    assert table.dataset().count_rows() == 0
    table.append(rows_of(0, 0, 1), seq=1)
    table.compact()
    assert table.erase(np.array([1])) == 0
    assert table.version is None
    assert not data_files(tmp_path / "t")


def test_reopened(tmp_path: Path) -> None:
    """A table that is opened again, to write or to read, is as it was."""
    table = filled(tmp_path)
    for writable in (True, False):
        again = RowTable(str(tmp_path), app=APP, writable=writable)
        assert (again.stop, again.seq, again.version) == (40, 4, 3)
        assert again.files == table.files
        assert (
            again.schema
            == table.schema
            == rows_of(0, 1, 1).schema.set(
                6, pa.field("list", pa.list_(pa.field("element", pa.int64())))
            )
        )
        assert again.read() == table.read()


def test_appended_twice(tmp_path: Path) -> None:
    """Rows that a table has already are left out when they are sent again, with or without more."""
    table = filled(tmp_path, files=2)
    version = table.version
    table.append(rows_of(0, 10, 1), seq=2)
    table.append(rows_of(10, 20, 2), seq=2)
    assert (table.version, table.stop) == (version, 20)
    both = pa.concat_tables([rows_of(10, 20, 2), rows_of(20, 25, 3), rows_of(25, 30, 4)])
    table.append(both, seq=4)
    table.append(both, seq=4)
    assert table.read(columns=["seq"]).column("seq").to_pylist() == [
        *([1] * 10),
        *([2] * 10),
        *([3] * 5),
        *([4] * 5),
    ]
    assert table.seq == 4


def test_empty_append(tmp_path: Path) -> None:
    """An append without rows moves the last journal entry of a table that exists."""
    table = filled(tmp_path, files=1)
    table.append(rows_of(10, 10, 7), seq=7)
    again = RowTable(str(tmp_path), app=APP)
    assert (again.seq, again.stop, len(again.files)) == (7, 10, 1)


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        pytest.param(rows_of(11, 12, 2), ValueForbidden, id="gap"),
        pytest.param(rows_of(9, 12, 2), ValueForbidden, id="overlap"),
        pytest.param(rows_of(10, 12, 3), ValueForbidden, id="seq-too-great"),
        pytest.param(
            rows_of(10, 12, 2).set_column(1, "seq", [[2, 1]]), ValueForbidden, id="seq-falls"
        ),
        pytest.param(
            rows_of(10, 12, 2).set_column(1, "seq", [pa.array([None, 2])]),
            ValueForbidden,
            id="seq-missing",
        ),
        pytest.param(rows_of(10, 12, 2).drop_columns("row"), ColumnsMismatch, id="no-row"),
        pytest.param(
            rows_of(10, 12, 2).set_column(2, "x", [[1, 2]]), ColumnKindMismatch, id="other-type"
        ),
        pytest.param(
            rows_of(10, 12, 2).append_column("y", [pa.array([1, 2], pa.int32())]),
            ColumnKindMismatch,
            id="unknown-type",
        ),
        pytest.param(
            rows_of(10, 12, 2).set_column(0, "row", [pa.array([10.0, 11.0])]),
            ColumnKindMismatch,
            id="row-not-whole",
        ),
    ],
)
def test_refused(rows: pa.Table, error: type[Exception], tmp_path: Path) -> None:
    """Rows that do not go on where the table ends, or of another kind, are refused whole."""
    table = filled(tmp_path, files=1)
    before = state_of(tmp_path)
    with pytest.raises(error):
        table.append(rows, seq=2)
    assert state_of(tmp_path) == before
    table.append(rows_of(10, 12, 2), seq=2)
    assert table.stop == 12


def test_widened(tmp_path: Path) -> None:
    """A new column is null in the rows before it; a column that rows lack is null in them."""
    table = filled(tmp_path, files=1, rows=3)
    table.append(rows_of(3, 5, 2, y=pa.array([7.0, 8.0])).drop_columns("x"), seq=2)
    table.append(rows_of(5, 6, 3, none=pa.nulls(1)), seq=3)
    assert table.schema.names[-1] == "y"
    for opened in (table, RowTable(str(tmp_path), app=APP, writable=False)):
        read = opened.take(np.array([4, 0, 5]), ["y", "x"])
        assert read.column_names == ["row", "y", "x"]
        assert read.column("y").to_pylist() == [8.0, None, None]
        assert read.column("x").to_pylist() == [None, 0.0, np.sin(5 * 1.7)]
        assert opened.read() == pa.concat_tables(opened.scan())
    frame = pl.scan_delta(str(tmp_path)).sort("row").collect()
    assert frame["y"].to_list() == [None, None, None, 7.0, 8.0, None]


def test_take(tmp_path: Path) -> None:
    """Rows come in the order asked, repeats and all; those that are not there are left out."""
    table = filled(tmp_path)
    asked = np.array([39, 0, 12, 12, -1, 40, 11, 0, 10**12])
    there = [39, 0, 12, 12, 11, 0]
    whole = pa.concat_tables([rows_of(n, n + 1, n // 10 + 1) for n in there])
    assert table.take(asked).to_pydict() == whole.to_pydict()
    assert table.take(np.array([], dtype=np.int64)).num_rows == 0
    assert table.take(np.arange(8, 12), []).to_pydict() == {"row": [8, 9, 10, 11]}
    with pytest.raises(ColumnsMismatch):
        table.take(asked, ["x", "nowhere"])


def test_many_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long append makes several files, and a range over many of them is read in order."""
    monkeypatch.setattr(table_module, "FILE_ROWS", 150_000)
    table = RowTable(str(tmp_path), app=APP)
    numbers = np.arange(400_000)
    table.append(pa.table({"row": numbers, "seq": np.ones_like(numbers)}), seq=1)
    assert [file.rows for file in table.files] == [150_000, 150_000, 100_000]
    assert [part.num_rows for part in table.scan()] == [
        *(65_536, 65_536, 18_928),
        *(65_536, 65_536, 18_928),
        *(65_536, 34_464),
    ]
    assert (table.read().column("row").to_numpy() == numbers).all()
    assert (table.take(numbers[5:-5]).column("row").to_numpy() == numbers[5:-5]).all()
    assert (table.take(numbers[::-7]).column("row").to_numpy() == numbers[::-7]).all()
    part = table.read(149_990, 300_010)
    assert (part.column("row").to_numpy() == numbers[149_990:300_010]).all()


def test_small_ranges_are_slices(tmp_path: Path) -> None:
    """A range of few rows is a slice of what is in memory, not a copy."""
    table = filled(tmp_path, files=1, rows=5000)
    first, second = (table.take(np.arange(start, 900), ["x"]) for start in (100, 200))
    addresses = [t.column("x").chunk(0).buffers()[1].address for t in (first, second)]
    assert addresses[0] == addresses[1]


def test_refresh(tmp_path: Path) -> None:
    """A reader sees what was there when it looked, and more when it looks again."""
    table = filled(tmp_path, files=1)
    reader = RowTable(str(tmp_path), app=APP, writable=False)
    waiting = RowTable(str(tmp_path / "later"), app=APP, writable=False)
    table.append(rows_of(10, 20, 2), seq=2)
    filled(tmp_path / "later", files=1)
    assert (reader.stop, waiting.stop) == (10, 0)
    reader.refresh()
    waiting.refresh()
    assert (reader.stop, reader.seq, waiting.stop) == (20, 2, 10)


def test_reader_of_old_files(tmp_path: Path) -> None:
    """A reader whose files another process has replaced and deleted looks again by itself."""
    table = filled(tmp_path)
    reader = RowTable(str(tmp_path), app=APP, writable=False)
    late = RowTable(str(tmp_path), app=APP, writable=False)
    table.compact()
    table.erase(np.array([3]))
    assert table.vacuum(older_than=timedelta(0), now=NOW) > 0
    assert reader.take(np.array([3, 35, 4])).column("row").to_pylist() == [35, 4]
    assert late.read().num_rows == 39


def test_reader_after_a_long_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader sees what is new also where the commits after its own are gone from the log."""
    monkeypatch.setattr("ratoon.log.table_commits.CHECKPOINT_EVERY", 2)
    table = filled(tmp_path, files=1)
    reader = RowTable(str(tmp_path), app=APP, writable=False)
    for seq in range(2, 8):
        table.append(rows_of(seq * 10 - 10, seq * 10, seq), seq=seq)
    for version in (0, 1, 2):
        (tmp_path / "_delta_log" / f"{version:020d}.json").unlink()
    reader.refresh()
    assert (reader.stop, reader.seq) == (70, 7)
    table.append(rows_of(70, 80, 8), seq=8)  # nor does the writer ask for them
    reader.refresh()
    assert (reader.stop, reader.version) == (80, 7)


def test_read_only(tmp_path: Path) -> None:
    """A table that was opened to be read changes nothing."""
    filled(tmp_path)
    before = state_of(tmp_path)
    reader = RowTable(str(tmp_path), app=APP, writable=False)
    assert reader.read().num_rows == 40
    assert not list(reader.verify())
    for change in (
        lambda: reader.append(rows_of(40, 41, 5), seq=5),
        lambda: reader.erase(np.array([1])),
        lambda: reader.drop_before(20, now=NOW),
        lambda: reader.vacuum(older_than=timedelta(0), now=NOW),
        reader.compact,
    ):
        with pytest.raises(SettingInvalid):
            change()
    assert state_of(tmp_path) == before


def test_two_writers(tmp_path: Path) -> None:
    """A commit that meets another is refused and leaves nothing; sent again, it is stored once."""
    ours = filled(tmp_path, files=1)
    theirs = RowTable(str(tmp_path), app=APP)
    theirs.append(rows_of(10, 15, 2), seq=2)
    before = data_files(tmp_path)
    with pytest.raises(TableChanged):
        ours.append(rows_of(10, 16, 2), seq=2)
    assert ours.stop == 15
    assert data_files(tmp_path) == before
    ours.append(rows_of(10, 15, 2), seq=2)
    ours.append(rows_of(15, 20, 3), seq=3)
    assert ours.read().column("row").to_pylist() == list(range(20))
    first = RowTable(str(tmp_path / "new"), app=APP)
    filled(tmp_path / "new", files=1)
    with pytest.raises(TableChanged):
        first.append(rows_of(0, 10, 1), seq=1)
    assert first.stop == 10


def test_others_read_it(tmp_path: Path) -> None:
    """DuckDB, polars, pandas and pyarrow read the table, with its types, as it is."""
    table = filled(tmp_path)
    table.erase(np.array([7]))
    table.compact(rows=20)
    wanted = table.read()
    data = table.dataset()
    assert pads.Scanner.from_dataset(data).to_table().sort_by("row") == wanted
    told = duckdb.sql("SELECT count(*), sum(x), max(row) FROM data WHERE time > '1970-01-05'")
    assert told.fetchall()[0] == (34, pytest.approx(wanted.column("x").to_numpy()[5:].sum()), 39)
    frame = pl.scan_delta(str(tmp_path)).sort("row").collect()
    assert frame.to_arrow().cast(wanted.schema) == wanted
    frame = DeltaTable(str(tmp_path)).to_pandas().sort_values("row", ignore_index=True)
    pd.testing.assert_frame_equal(frame, wanted.to_pandas())


def test_statistics(tmp_path: Path) -> None:
    """The log tells the least and greatest row, seq and times, so that others can skip files."""
    filled(tmp_path, files=1)
    late = rows_of(10, 12, 2, arrived_at=pa.array([None, 5], pa.timestamp("us", tz="UTC")))
    table = RowTable(str(tmp_path), app=APP)
    table.append(late, seq=2)
    lines = (tmp_path / "_delta_log" / f"{2:020d}.json").read_text().splitlines()
    add = next(action["add"] for action in map(json.loads, lines) if "add" in action)
    assert json.loads(add["stats"]) == {
        "numRecords": 2,
        "minValues": {
            "row": 10,
            "seq": 2,
            "time": "1970-01-11T00:00:00.000000Z",
            "arrived_at": "1970-01-01T00:00:00.000005Z",
        },
        "maxValues": {
            "row": 11,
            "seq": 2,
            "time": "1970-01-12T00:00:00.000000Z",
            "arrived_at": "1970-01-01T00:00:00.000005Z",
        },
        "nullCount": {"row": 0, "seq": 0, "time": 0, "arrived_at": 1},
    }
    assert RowTable(str(tmp_path), app=APP).files == table.files


def test_files_are_skipped(tmp_path: Path) -> None:
    """A file that cannot match a filter is not even opened."""
    table = filled(tmp_path)
    (tmp_path / table.files[0].name).unlink()
    data = table.dataset()
    late = pads.field("time") >= pa.scalar(datetime(1970, 1, 20, tzinfo=UTC))
    assert data.to_table(filter=late).num_rows == 21
    assert data.filter(late).filter(pads.field("row") < 30).count_rows() == 11
    assert duckdb.sql("SELECT count(*) FROM data WHERE row > 15").fetchall() == [(24,)]
    with pytest.raises(FileCorrupt):
        data.to_table()


def test_threads(tmp_path: Path) -> None:
    """While one thread appends, merges and erases, another reads whole rows all the time."""
    table = filled(tmp_path, files=1)
    done = threading.Event()
    seen: list[pa.Table] = []

    def read() -> None:
        while not done.is_set():
            seen.append(table.take(np.array([3, 9, 5]), ["x"]))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for seq in range(2, 12):
            table.append(rows_of(seq * 10 - 10, seq * 10, seq), seq=seq)
            table.compact(rows=40)
            table.erase(np.array([seq * 10 - 7]))
    finally:
        done.set()
        reader.join()
    wanted = rows_of(0, 10, 1).take(pa.array([3, 9, 5])).select(["row", "x"])
    assert seen
    assert all(found == wanted for found in seen)


def test_copied_elsewhere(tmp_path: Path) -> None:
    """A table may be moved: its log names files from its own folder."""
    table = filled(tmp_path / "here")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    moved = RowTable(str(tmp_path / "there"), app=APP)
    assert moved.read() == table.read()
    assert DeltaTable(str(tmp_path / "there")).version() == table.version


def test_foreign_file(tmp_path: Path) -> None:
    """A table that another program has written to is refused, with the name of its file."""
    filled(tmp_path, files=1)
    write_deltalake(str(tmp_path), rows_of(10, 12, 2), mode="append")
    with pytest.raises(StoreDamaged, match=r"part-.*parquet"):
        RowTable(str(tmp_path), app=APP)


def test_settings(tmp_path: Path) -> None:
    """Settings that make no sense are refused."""
    with pytest.raises(SettingInvalid):
        RowTable(str(tmp_path), app=APP, cache_bytes=-1)
    with pytest.raises(SettingInvalid, match="s3://bucket/path"):
        RowTable("gs://bucket/path", app=APP)
    with RowTable(f"file://{tmp_path}/a%20b", app=APP) as table:
        table.append(rows_of(0, 1, 1), seq=1)
        with pytest.raises(SettingInvalid):
            table.compact(rows=1)
    assert (tmp_path / "a b" / "_delta_log").is_dir()
