"""The files of a row table: merged, erased from, dropped, deleted, and damaged."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ratoon.core.errors import FileCorrupt, StoreUnwritable
from ratoon.log import disk, table_vacuum, table_writing
from ratoon.log.files import DataFile, FileList
from ratoon.log.table import RowTable
from ratoon.log.table_commits import DeltaLog
from ratoon.log.table_merging import next_merge, tiers
from tests.unit.log_table_rows import APP, data_files, filled, rows_of

LATER = datetime(2100, 1, 1, tzinfo=UTC)
Reading = Callable[[RowTable], pa.Table]
READINGS: dict[str, Reading] = {
    "take": lambda table: table.take(np.arange(40)[::-1]).sort_by("row"),
    "range": lambda table: table.take(np.arange(40)),
    "scan": lambda table: pa.concat_tables(table.scan()),
    "read": lambda table: table.read(),
    "dataset": lambda table: table.dataset().to_table(),
    "part": lambda table: pa.concat_tables([table.read(0, 11), table.read(11, 40)]),
}


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flush nothing: no power is cut here."""
    monkeypatch.setattr(disk, "flush", lambda _: None)
    monkeypatch.setattr(disk, "flush_folder", lambda _: None)


def of_sizes(*sizes: int) -> list[DataFile]:
    """Return files of so many rows, one behind the other."""
    stops = np.cumsum(sizes).tolist()
    return [
        DataFile(first=stop - n, last=stop - 1, rows=n, size=1, sha256=f"{n:064x}", written_ms=0)
        for n, stop in zip(sizes, stops, strict=True)
    ]


def test_merged(tmp_path: Path) -> None:
    """Merging changes no row and not their order, and the log says so to those who follow it."""
    table = filled(tmp_path, files=20)
    before = table.read()
    old = RowTable(str(tmp_path), app=APP, writable=False)
    table.compact()
    assert len(table.files) < 20
    assert table.read() == before
    assert (table.stop, table.seq) == (200, 20)
    assert old.read() == before  # the old files are there still
    logs = (path.read_text() for path in (tmp_path / "_delta_log").glob("*.json"))
    merges = [log for log in logs if '"remove"' in log]
    assert merges
    assert not any('"dataChange":true' in log for log in merges)
    version = table.version
    table.compact()
    assert table.version == version


def test_merge_plan() -> None:
    """Neighbours are merged from the first on, into files of at most so many rows."""
    files = of_sizes(600, 3, 4, 500, 2, 2)
    assert tiers(1000) == [500, 62, 7]
    assert next_merge(files, 1000) == files[1:3]
    assert next_merge(of_sizes(600, 500, 2, 2), 1000) == ()
    assert next_merge(of_sizes(*[100] * 9), 1000) == of_sizes(*[100] * 9)[:5]
    assert next_merge((), 1000) == ()


@pytest.mark.parametrize("each", [1, 7, 40])
def test_merge_cost(each: int) -> None:
    """A row is rewritten once a tier at most, no file outgrows the limit, and few files wait."""
    files: list[DataFile] = []
    rewritten: dict[int, int] = {}
    limit, count = 250, 800 // each
    for at in range(count):
        files.append(of_sizes(*[each] * (at + 1))[-1])
        while merged := next_merge(files, limit):
            low, high = merged[0].first, merged[-1].last
            for row in range(low, high + 1):
                rewritten[row] = rewritten.get(row, 0) + 1
            start = files.index(merged[0])
            total = sum(file.rows for file in merged)
            whole = DataFile(
                first=low, last=high, rows=total, size=1, sha256="0" * 64, written_ms=0
            )
            files[start : start + len(merged)] = [whole]
        assert max(file.rows for file in files) <= limit
        assert len(files) <= at * each // (limit // 2) + 8 * (len(tiers(limit)) + 1)
    above = [least for least in tiers(limit) if least > each]
    assert max(rewritten.values()) <= len(above)


def test_appends_go_on_while_merging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows may be appended, and erased, while a merge is being written; both are kept."""
    table = filled(tmp_path, files=10)
    write = table_writing.write
    calls: list[str] = []

    def meanwhile(*arguments: Any) -> Any:
        written = write(*arguments)
        if not calls:
            calls.append("once")
            table.append(rows_of(100, 110, 11), seq=11)
            table.erase(np.array([55]))
        return written

    monkeypatch.setattr("ratoon.log.table_changing.write", meanwhile)
    table.compact()
    numbers = [number for number in range(110) if number != 55]
    assert table.read().column("row").to_pylist() == numbers
    assert not list((tmp_path / "_ratoon").glob("*.part"))


def test_erased(tmp_path: Path) -> None:
    """Erased rows are in no file any more, not even in those of older versions; all others stay."""
    table = filled(tmp_path, files=12)
    table.compact(rows=60)
    table.append(rows_of(120, 130, 13), seq=13)
    secret = [5, 6, 64, 129]
    texts = pa.array([f"secret {n}" for n in range(130, 140)])
    table.append(rows_of(130, 140, 14, who=texts), seq=14)
    before = table.read()
    assert table.erase(np.array([*secret, 133, 64, 1000, -3])) == 5
    assert table.erase(np.array([5])) == 0
    gone = {*secret, 133}
    stays = pa.array([number not in gone for number in range(140)])
    for opened in (table, RowTable(str(tmp_path), app=APP)):
        assert opened.read() == before.filter(stays)
        assert pa.concat_tables(opened.scan()) == before.filter(stays)
        assert opened.take(np.arange(140)) == before.filter(stays)
        assert opened.take(np.array([65, 5, 63, 133, 7])).column("row").to_pylist() == [65, 63, 7]
        assert opened.stop == 140
    for name in data_files(tmp_path):
        left = pq.read_table(tmp_path / name)
        assert not gone & set(left.column("row").to_pylist())
        assert not any(b"secret 133" in part for part in [(tmp_path / name).read_bytes()])
    assert not (tmp_path / "_ratoon" / "erasing.json").exists()


def test_last_rows_erased(tmp_path: Path) -> None:
    """The numbers of rows that were erased are not given again, not even those of the last ones."""
    table = filled(tmp_path, files=2)
    assert table.erase(np.arange(5, 30)) == 15
    for opened in (table, RowTable(str(tmp_path), app=APP)):
        assert (opened.stop, opened.seq, len(opened.files)) == (20, 2, 1)
    table.append(rows_of(20, 22, 3), seq=3)
    assert table.read().column("row").to_pylist() == [0, 1, 2, 3, 4, 20, 21]
    table.erase(np.arange(100))
    again = RowTable(str(tmp_path), app=APP)
    assert (again.stop, again.read().num_rows, data_files(tmp_path)) == (22, 0, set())
    again.append(rows_of(22, 23, 4), seq=4)
    assert again.read().column("row").to_pylist() == [22]


@pytest.mark.parametrize("done", [0, 1])
def test_erasure_cut_short(done: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An erasure that ends halfway was not begun, or is done when the table is opened next."""
    table = filled(tmp_path, files=2)
    old = table.files[0].name

    def ends(*_: Any) -> None:
        raise StoreUnwritable("a test", "the process ends")

    if done:
        monkeypatch.setattr(table_vacuum, "finish_erasure", ends)
    else:
        monkeypatch.setattr(DeltaLog, "commit", ends)
    with pytest.raises(StoreUnwritable):
        table.erase(np.array([3]))
    assert (tmp_path / old).exists()
    monkeypatch.undo()
    reader = RowTable(str(tmp_path), app=APP, writable=False)
    assert (reader.read().num_rows, (tmp_path / old).exists()) == (20 - done, True)
    again = RowTable(str(tmp_path), app=APP)
    assert again.read().num_rows == 20 - done
    assert (tmp_path / old).exists() != bool(done)
    assert not (tmp_path / "_ratoon" / "erasing.json").exists()


def test_erasures_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that one erasure could not delete are deleted by the next."""
    table = filled(tmp_path, files=2)
    old = [file.name for file in table.files]
    delete = os.unlink

    def refuses(path: Any, *more: Any, **named: Any) -> None:
        if str(path).endswith(old[0]):
            raise PermissionError(1, "a test")
        delete(path, *more, **named)

    monkeypatch.setattr(os, "unlink", refuses)
    with pytest.raises(StoreUnwritable):
        table.erase(np.array([3]))
    monkeypatch.undo()
    assert table.erase(np.array([15])) == 1
    assert not data_files(tmp_path) & set(old)
    assert table.read().num_rows == 18


def test_dropped(tmp_path: Path) -> None:
    """Whole files before a row go, but for those with kept rows; the numbers go on."""
    table = filled(tmp_path, files=6)
    assert table.drop_before(45, keep=[(12, 13), (30, 31)], now=LATER) == 20
    numbers = [*range(10, 20), *range(30, 60)]
    assert table.read().column("row").to_pylist() == numbers
    assert table.drop_before(45, keep=[(12, 13), (30, 31)], now=LATER) == 0
    assert table.drop_before(1000, now=LATER) == 40
    again = RowTable(str(tmp_path), app=APP)
    assert (again.stop, again.seq, again.files) == (60, 6, ())
    again.append(rows_of(60, 61, 7), seq=7)
    assert again.take(np.array([59, 60])).column("row").to_pylist() == [60]


def test_vacuum(tmp_path: Path) -> None:
    """What no present version names is deleted when it has been removed long enough ago."""
    table = filled(tmp_path, files=10)
    table.compact()
    moment = datetime.fromtimestamp(table.files[-1].written_ms / 1000, UTC)
    hour = timedelta(hours=1)
    # All were written before the merge; yet it is the merge that counts.
    for name in data_files(tmp_path):
        os.utime(tmp_path / name, (0, 0))
    held = len(data_files(tmp_path))
    assert table.vacuum(older_than=hour, now=moment + hour / 2) == 0
    assert len(data_files(tmp_path)) == held
    removed = held - len(table.files)
    assert table.vacuum(older_than=hour, now=moment + 2 * hour) == removed
    assert data_files(tmp_path) == {file.name for file in table.files}
    assert table.vacuum(older_than=hour, now=moment + 2 * hour) == 0
    dropped = table.drop_before(1000, now=moment)
    assert dropped == 100
    assert table.vacuum(older_than=hour, now=moment + hour / 2) == 0
    assert table.vacuum(older_than=hour, now=moment + 2 * hour) > 0
    assert data_files(tmp_path) == set()


def test_vacuum_reads_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a file was removed is known also where a checkpoint stands in for the commit."""
    monkeypatch.setattr("ratoon.log.table_commits.CHECKPOINT_EVERY", 2)
    table = filled(tmp_path, files=3)
    table.drop_before(10, now=LATER)
    table.append(rows_of(30, 40, 4), seq=4)
    table.append(rows_of(40, 50, 5), seq=5)
    assert (tmp_path / "_delta_log" / f"{table.version or 0:020d}.checkpoint.parquet").exists()
    for path in (tmp_path / "_delta_log").glob("*.json"):
        if path.stem < f"{table.version or 0:020d}":
            path.unlink()
    assert table.vacuum(older_than=timedelta(1), now=LATER) == 0
    assert table.vacuum(older_than=timedelta(1), now=LATER + timedelta(2)) == 1


def spoil(folder: Path, how: str) -> Path:
    """Damage the second file of a table, and return its path."""
    first, second = sorted(folder.glob("*.parquet"))[:2]
    body = second.read_bytes()
    match how:
        case "missing":
            second.unlink()
        case "empty":
            second.write_bytes(b"")
        case "short":
            second.write_bytes(body[:-1])
        case "long":
            second.write_bytes(body + b"\0")
        case "other":
            second.write_bytes(first.read_bytes())
        case _:
            second.write_bytes(bytes(len(body)))
    return second


@pytest.mark.parametrize("how", ["missing", "empty", "short", "long", "other", "zeros"])
def test_damaged(how: str, tmp_path: Path) -> None:
    """A file that is not as it was written is an error that names it, however it is read."""
    table = filled(tmp_path)
    table.read()
    path = spoil(tmp_path, how)
    for opened in (table, RowTable(str(tmp_path), app=APP)):
        opened.close()
        for reading in READINGS.values():
            with pytest.raises(FileCorrupt) as caught:
                reading(opened)
            assert caught.value.path == str(path)
            assert caught.value.missing == (how == "missing")
        with duckdb.connect() as database:
            database.register("rows", opened.dataset())
            with pytest.raises((FileCorrupt, duckdb.Error), match=path.name):
                database.sql("SELECT sum(x) FROM rows").fetchall()
        for change in (opened.compact, lambda: opened.erase(np.array([15]))):  # noqa: B023 - called at once
            with pytest.raises(FileCorrupt):
                change()
        assert [path.name in complaint for complaint in opened.verify()] == [True]
        assert opened.take(np.arange(20, 40)).num_rows == 20  # the others can be read


def test_flipped_bits(tmp_path: Path) -> None:
    """A flipped bit, anywhere in a file, is an error that names the file."""
    table = filled(tmp_path, files=1, rows=40)
    path = tmp_path / table.files[0].name
    body = path.read_bytes()
    for at in range(0, len(body), 13):
        bad = bytearray(body)
        bad[at] ^= 1 << at % 8
        path.write_bytes(bad)
        reading = list(READINGS.values())[at % len(READINGS)]
        opened = RowTable(str(tmp_path), app=APP, writable=False)
        with pytest.raises(FileCorrupt, match=path.name):
            reading(opened)


def test_flipped_bits_unchecked(tmp_path: Path) -> None:
    """Without checks a flipped bit gives wrong numbers: the checks are what finds it."""
    numbers = np.arange(5000)
    values = np.random.default_rng(7).normal(size=5000)
    table = RowTable(str(tmp_path), app=APP)
    table.append(pa.table({"row": numbers, "seq": numbers * 0 + 1, "x": values}), seq=1)
    path = tmp_path / table.files[0].name
    body = path.read_bytes()
    chunk = pq.read_metadata(path).row_group(0).column(2)
    wrong, tried = 0, range(100, chunk.total_compressed_size, 401)
    for at in tried:
        bad = bytearray(body)
        bad[chunk.data_page_offset + at] ^= 1
        with contextlib.suppress(OSError, pa.ArrowInvalid):
            found = pq.read_table(io.BytesIO(bytes(bad)), columns=["x"])
            wrong += not np.array_equal(found.column("x").to_numpy(), values)
        path.write_bytes(bad)
        with pytest.raises(FileCorrupt):
            RowTable(str(tmp_path), app=APP, writable=False).read()
    assert wrong > len(tried) / 2


def test_flipped_while_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bit that flips on the disk after a file was checked is an error, or changes nothing."""
    monkeypatch.setattr(table_writing, "GROUP_ROWS", 16)
    table = filled(tmp_path, files=1, rows=40)
    whole, path = table.read(), tmp_path / table.files[0].name
    body, found = path.read_bytes(), path.stat()
    errors = 0
    for at in range(0, len(body), 7):
        bad = bytearray(body)
        bad[at] ^= 1 << at % 8
        with path.open("r+b") as file:
            file.write(bad)
        # The disk changes a file behind the back of the system.
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
        try:
            right = pa.concat_tables(table.scan()) == whole
        except FileCorrupt:
            errors += 1
        else:
            assert right
    assert errors > len(body) / 7 / 4


def test_pages_carry_checksums(tmp_path: Path) -> None:
    """Other readers that check the checksums of pages find a flipped bit too."""
    table = filled(tmp_path, files=1, rows=40)
    body = bytearray((tmp_path / table.files[0].name).read_bytes())
    column = pq.read_metadata(io.BytesIO(bytes(body))).row_group(0).column(2)
    body[column.data_page_offset + column.total_compressed_size - 1] ^= 1
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(io.BytesIO(bytes(body)), page_checksum_verification=True)


def test_order_of_files() -> None:
    """Rows are found by a search among files in order; files that overlap are refused."""
    files = FileList.of(reversed(of_sizes(5, 10, 1)))
    assert [file.rows for file in files.files] == [5, 10, 1]
    assert files.places(np.array([-1, 0, 4, 5, 14, 15, 16])).tolist() == [-1, 0, 0, 1, 1, 2, -1]
    assert [file.rows for file in files.between(5, 15)] == [10]
    assert [file.rows for file in files.between(4, 16)] == [5, 10, 1]
    assert files.between(5, 5) == ()
    assert files.replaced(files.files[:1], ()).places(np.array([0, 5])).tolist() == [-1, 0]
    with pytest.raises(Exception, match="the same numbers"):
        FileList.of([*files.files, of_sizes(1)[0]])
