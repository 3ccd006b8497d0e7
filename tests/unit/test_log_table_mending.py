"""A row table after an unclean end: what was durable is there, what was torn is taken back."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from ratoon.core.errors import StoreDamaged, StoreFull, StoreUnwritable
from ratoon.log import disk, table_commits, table_mending
from ratoon.log.table import RowTable
from ratoon.log.table_mending import Mark, commit_path, read_mark, set_mark
from tests.unit.log_table_rows import APP, data_files, filled, rows_of, state_of


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flush nothing: no power is cut here."""
    monkeypatch.setattr(disk, "flush", lambda _: None)
    monkeypatch.setattr(disk, "flush_folder", lambda _: None)


def newest_of(folder: Path) -> Path:
    """Return the newest commit."""
    return commit_path(folder, table_mending.newest(folder) or 0)


def unsure(folder: Path) -> None:
    """Set the mark back, as if the power was cut before it was set."""
    mark = read_mark(folder)
    assert mark is not None
    set_mark(folder, Mark(version=mark.version - 1, checkpoint=mark.checkpoint))


def first_lines(body: bytes, count: int) -> bytes:
    """Return some lines of a file."""
    return b"".join(body.splitlines(keepends=True)[:count])


TEARS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "one line": lambda body: first_lines(body, 1),
    "two lines": lambda body: first_lines(body, 2),
    "all but a line": lambda body: first_lines(body, 3),
    "half": lambda body: body[: len(body) // 2],
    "all but two bytes": lambda body: body[:-2],
    "zeros": lambda body: bytes(len(body)),
    "half zeros": lambda body: body[:300] + bytes(len(body) - 300),
}


@pytest.mark.parametrize("how", TEARS)
def test_torn_commit(how: str, tmp_path: Path) -> None:
    """A torn newest commit is taken back with its files; its rows may be appended again."""
    before = filled(tmp_path, files=2).read()
    table = RowTable(str(tmp_path), app=APP)
    table.append(rows_of(20, 30, 3), seq=3)
    whole = table.read()
    path = newest_of(tmp_path)
    path.write_bytes(TEARS[how](path.read_bytes()))
    unsure(tmp_path)
    found = state_of(tmp_path)
    reader = RowTable(str(tmp_path), app=APP, writable=False)
    assert (reader.stop, reader.seq, reader.version) == (20, 2, 1)
    assert reader.read() == before
    assert state_of(tmp_path) == found
    again = RowTable(str(tmp_path), app=APP)
    assert (again.stop, again.seq, again.version) == (20, 2, 1)
    assert len(data_files(tmp_path)) == 2
    again.append(rows_of(20, 30, 3), seq=3)
    assert again.read() == whole
    assert pl.scan_delta(str(tmp_path)).collect().height == 30
    reader.refresh()
    assert reader.read() == whole


@pytest.mark.parametrize("how", ["missing", "short", "zeros"])
def test_torn_rows(how: str, tmp_path: Path) -> None:
    """A newest commit whose data file did not reach the disk is taken back."""
    table = filled(tmp_path, files=3)
    path = tmp_path / table.files[-1].name
    body = path.read_bytes()
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(body[:-7] if how == "short" else bytes(len(body)))
    unsure(tmp_path)
    again = RowTable(str(tmp_path), app=APP)
    assert (again.stop, again.seq) == (20, 2)
    again.append(rows_of(20, 30, 3), seq=3)
    assert not list(again.verify())


def test_first_commit_torn(tmp_path: Path) -> None:
    """A table whose very first commit is torn is as if it had never been made."""
    filled(tmp_path, files=1)
    newest_of(tmp_path).write_bytes(b"")
    (tmp_path / "_ratoon" / "durable.json").unlink()
    for writable in (False, True):
        table = RowTable(str(tmp_path), app=APP, writable=writable)
        assert (table.version, table.stop) == (None, 0)
    table.append(rows_of(0, 10, 1), seq=1)
    assert RowTable(str(tmp_path), app=APP).stop == 10


def test_damage_is_not_mended(tmp_path: Path) -> None:
    """A commit that had been durable, or one before the newest, is damaged, and never dropped."""
    filled(tmp_path)
    newest, body = newest_of(tmp_path), newest_of(tmp_path).read_bytes()
    for path, mark_at in ((newest, 3), (commit_path(tmp_path, 1), 0)):
        kept = path.read_bytes()
        path.write_bytes(kept[:50])
        set_mark(tmp_path, Mark(version=mark_at, checkpoint=None))
        found = state_of(tmp_path)
        for writable in (True, False):
            with pytest.raises(StoreDamaged, match=r"cannot be read: .*Json"):
                RowTable(str(tmp_path), app=APP, writable=writable)
        assert set(found) == set(state_of(tmp_path))
        path.write_bytes(kept)
    assert newest.read_bytes() == body
    assert RowTable(str(tmp_path), app=APP).stop == 40


def test_end_is_missing(tmp_path: Path) -> None:
    """A log that ends before the version that was durable is damaged."""
    filled(tmp_path)
    newest_of(tmp_path).unlink()
    with pytest.raises(StoreDamaged, match="version 2, but it had come to 3"):
        RowTable(str(tmp_path), app=APP)
    for path in (tmp_path / "_delta_log").iterdir():
        path.unlink()
    with pytest.raises(StoreDamaged, match="None"):
        RowTable(str(tmp_path), app=APP)


@pytest.mark.parametrize("body", [None, b"", b"{", b"[]", b"null", b'{"version": 1}'])
def test_no_mark(body: bytes | None, tmp_path: Path) -> None:
    """Without a mark that can be read, what is whole is taken, and the mark is set."""
    filled(tmp_path)
    mark = tmp_path / "_ratoon" / "durable.json"
    if body is None:
        mark.unlink()
    else:
        mark.write_bytes(body)
    assert RowTable(str(tmp_path), app=APP).stop == 40
    assert read_mark(tmp_path) == Mark(version=3, checkpoint=None)


def test_killed_before_the_mark(tmp_path: Path) -> None:
    """A whole commit that a killed process did not mark is kept, and marked."""
    filled(tmp_path)
    set_mark(tmp_path, Mark(version=1, checkpoint=None))
    assert RowTable(str(tmp_path), app=APP).stop == 40
    assert read_mark(tmp_path) == Mark(version=3, checkpoint=None)


def test_leftovers(tmp_path: Path) -> None:
    """Files that were being written, and rows that no commit names, go when the table is opened."""
    table = filled(tmp_path, files=2)
    other = filled(tmp_path / "other", files=3)
    orphan = tmp_path / other.files[2].name
    (tmp_path / "other" / orphan.name).rename(orphan)
    leftovers = [
        tmp_path / "_ratoon" / "tmp123.part",
        tmp_path / "_delta_log" / f"{2:020d}.json#1",
        tmp_path / "_delta_log" / f"{1:020d}.checkpoint.parquet#12",
    ]
    for path in leftovers:
        path.write_bytes(b"half")
    kept = tmp_path / "notes.txt"
    kept.write_text("a person's own file")
    RowTable(str(tmp_path), app=APP, writable=False)
    assert orphan.exists()
    assert all(path.exists() for path in leftovers)
    again = RowTable(str(tmp_path), app=APP)
    assert not orphan.exists()
    assert not any(path.exists() for path in leftovers)
    assert kept.exists()
    assert again.files == table.files


def checkpointed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> RowTable:
    """Return a table with a durable checkpoint at version 4, and one at 8 that is not sure."""
    monkeypatch.setattr(table_commits, "CHECKPOINT_EVERY", 4)
    table = filled(folder, files=9)
    assert read_mark(folder) == Mark(version=8, checkpoint=7)
    names = {path.name for path in (folder / "_delta_log").glob("*.parquet")}
    assert names == {f"{version:020d}.checkpoint.parquet" for version in (3, 7)}
    set_mark(folder, Mark(version=8, checkpoint=3))
    return table


CHECKPOINT_TEARS: dict[str, Callable[[Path, Path], Any]] = {
    "half": lambda point, _: point.write_bytes(point.read_bytes()[:100]),
    "empty": lambda point, _: point.write_bytes(b""),
    "missing": lambda point, _: point.unlink(),
    "whole": lambda *_: None,
    "hint empty": lambda _, hint: hint.write_bytes(b""),
    "hint half": lambda _, hint: hint.write_bytes(b'{"version":'),
    "both": lambda point, hint: (point.write_bytes(b"PAR1"), hint.write_bytes(b"\0\0")),
}


@pytest.mark.parametrize("how", CHECKPOINT_TEARS)
def test_torn_checkpoint(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint that is not durable may be torn: it is done without, and written again."""
    whole = checkpointed(tmp_path, monkeypatch).read()
    log = tmp_path / "_delta_log"
    CHECKPOINT_TEARS[how](log / f"{7:020d}.checkpoint.parquet", log / "_last_checkpoint")
    found = state_of(tmp_path)
    reader = RowTable(str(tmp_path), app=APP, writable=False)
    assert (reader.stop, reader.seq, reader.version) == (90, 9, 8)
    assert reader.read() == whole
    assert state_of(tmp_path) == found
    again = RowTable(str(tmp_path), app=APP)
    assert again.read() == whole
    assert DeltaTable(str(tmp_path)).version() == 8
    again.append(rows_of(90, 91, 10), seq=10)
    assert read_mark(tmp_path) == Mark(version=9, checkpoint=9)
    assert RowTable(str(tmp_path), app=APP).stop == 91


def test_log_goes_behind_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old commits go once a durable checkpoint stands in for them; what is left is enough."""
    table = checkpointed(tmp_path, monkeypatch)
    for path in (tmp_path / "_delta_log").glob("*.json"):
        os.utime(path, (0, 0))
    for seq in range(10, 14):
        table.append(rows_of(seq * 10 - 10, seq * 10, seq), seq=seq)
    left = sorted(int(path.stem) for path in (tmp_path / "_delta_log").glob("*.json"))
    assert left[0] == 3
    assert left[-1] == 12
    for writable in (False, True):
        again = RowTable(str(tmp_path), app=APP, writable=writable)
        assert (again.stop, again.seq) == (130, 13)
    # The only copy of what was before is not thrown away, though the mark does not vouch for it.
    (tmp_path / "_ratoon" / "durable.json").unlink()
    assert RowTable(str(tmp_path), app=APP).stop == 130


def test_checkpoint_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a checkpoint cannot be written rows are appended all the same; the next one is."""
    monkeypatch.setattr(table_commits, "CHECKPOINT_EVERY", 2)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(table_mending, "flush_checkpoint", full)
        table = filled(tmp_path, files=3)
    assert read_mark(tmp_path) == Mark(version=2, checkpoint=None)
    table.append(rows_of(30, 40, 4), seq=4)
    assert read_mark(tmp_path) == Mark(version=3, checkpoint=3)
    assert RowTable(str(tmp_path), app=APP).read().num_rows == 40


@pytest.mark.parametrize("where", ["data", "commit", "folder"])
def test_flush_fails(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be flushed is not there afterwards, for nobody knows what reached the disk."""
    table = filled(tmp_path, files=2)
    calls = {"data": 0, "commit": 1, "folder": 0}

    def failing(_: Any) -> None:
        calls[where] -= 1
        if calls[where] < 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    name = "flush_folder" if where == "folder" else "flush"
    with monkeypatch.context() as patch:
        patch.setattr(disk, name, failing)
        with pytest.raises(StoreUnwritable) as caught:
            table.append(rows_of(20, 30, 3), seq=3)
        assert not isinstance(caught.value, StoreFull)
    assert (table.stop, table.seq, table.version) == (20, 2, 1)
    assert len(data_files(tmp_path)) == 2
    assert not list((tmp_path / "_ratoon").glob("*.part"))
    table.append(rows_of(20, 30, 3), seq=3)
    assert table.read().column("row").to_pylist() == list(range(30))


def test_widened_and_no_more(tmp_path: Path) -> None:
    """Where a process ends between a new column and its rows, the rows come when sent again."""
    table = filled(tmp_path, files=1)
    rows = rows_of(10, 12, 2, y=rows_of(10, 12, 2).column("x"))
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(table_commits.DeltaLog, "commit", _ends)
        with pytest.raises(StoreUnwritable):
            table.append(rows, seq=2)
    assert (table.stop, table.seq, table.schema.names[-1]) == (10, 1, "y")
    again = RowTable(str(tmp_path), app=APP)
    again.append(rows, seq=2)
    assert again.read(columns=["y"]).column("y").null_count == 10


def _ends(*_: Any) -> None:
    raise StoreUnwritable("a test", "the process ends")


def test_committed_and_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a commit came to the disk and the log cannot be read then, the rows are there once."""
    table = filled(tmp_path, files=1)

    def fails(*_: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(DeltaTable, "update_incremental", fails)
        with pytest.raises(StoreUnwritable):
            table.append(rows_of(10, 20, 2), seq=2)
    table.append(rows_of(10, 20, 2), seq=2)
    table.append(rows_of(20, 30, 3), seq=3)
    assert table.read().column("row").to_pylist() == list(range(30))
