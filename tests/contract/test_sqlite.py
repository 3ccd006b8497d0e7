"""What holds for the store on SQLite beside the contract of every store."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from ratoon.core.errors import LoopBusy, LoopUnknown, StoreNewer
from ratoon.core.measuring import RowRange
from ratoon.stores.folder import FolderLock, known_loops, open_folder, open_known
from ratoon.stores.protocol import Draft, Record, Saved
from ratoon.stores.sql import SqlStore, sqlite_engine
from ratoon.stores.tables import SCHEMA_VERSION
from ratoon.testing.drafts import history, labels, predictions, tick


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with a loop in it."""
    store = open_folder(tmp_path, "a")
    store.append(history([0, 1]))
    store.append(predictions(["p"]))
    store.append(labels(["p"], [1]))
    store.close()
    return tmp_path


@pytest.fixture
def busy(home: Path) -> Iterator[sqlite3.Connection]:
    """Hold the one write transaction that SQLite allows."""
    writer = sqlite3.connect(home / "ratoon.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO alias VALUES ('a', 'champion', 9)")
    yield writer
    writer.rollback()
    writer.close()


def test_survives_a_power_cut(tmp_path: Path) -> None:
    """What is committed is on the disk: a write-ahead log, flushed at every commit."""
    engine = sqlite_engine(tmp_path / "ratoon.db")
    with engine.connect() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one()
            for pragma in ("journal_mode", "synchronous", "busy_timeout")
        ]
    engine.dispose()
    full = 2
    assert found == ["wal", full, 30000]


def test_newer_schema_is_refused(home: Path) -> None:
    """A database that a newer Ratoon wrote is refused, and left as it is."""
    with sqlite3.connect(home / "ratoon.db") as connection:
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    connection.close()
    before = (home / "ratoon.db").read_bytes()
    with pytest.raises(StoreNewer, match=rf"version {SCHEMA_VERSION + 1}.*knows {SCHEMA_VERSION}"):
        open_folder(home, "a")
    assert (home / "ratoon.db").read_bytes() == before


def test_reads_beside_a_writer(home: Path, busy: sqlite3.Connection) -> None:
    """While a writer holds the database, a store opens and reads what was committed before."""
    assert busy.in_transaction
    store = open_folder(home, "a")
    assert store.counts().labelled == 3
    assert [entry.seq for entry in store.entries(0)] == [1, 2, 3]
    assert store.labelled(RowRange(start=0, stop=3)).values == (0, 1, 1)
    assert store.alias("champion") is None
    store.close()


def test_writes_wait_for_the_writer(home: Path, busy: sqlite3.Connection) -> None:
    """A write waits until the other one is done, and then both are there."""
    store = open_folder(home, "a")
    began, done = threading.Event(), threading.Event()

    def write() -> None:
        began.set()
        store.append(tick())
        done.set()

    writing = threading.Thread(target=write)
    writing.start()
    assert began.wait(10)
    assert not done.wait(0.05)
    busy.commit()
    writing.join(10)
    assert done.is_set()
    assert (store.last_seq(), store.alias("champion")) == (4, 9)
    store.close()


class _Stop(BaseException):
    pass


def test_a_broken_write_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that stops within a write leaves nothing of it: neither rows nor entry."""
    store = open_folder(home, "a")

    def stop(*_: object) -> None:
        raise _Stop

    monkeypatch.setattr("ratoon.stores.writing.Writing._push", stop)
    for draft in (predictions(["q"]), labels(["p2"], [1]), history([1]), tick()):
        with pytest.raises(_Stop):
            store.append(draft)
    monkeypatch.undo()
    assert store.last_seq() == 3
    assert store.counts() == replace(store.counts(), predictions=1, labelled=3, parked=0)
    assert store.append(predictions(["q"])).seq == 4
    store.close()


@pytest.mark.parametrize("draft", [predictions(["q"]), labels(["q"], [1]), tick()])
def test_one_commit_a_write(home: Path, draft: Draft) -> None:
    """A write is one transaction, so that it costs one flush to the disk."""
    engine = sqlite_engine(home / "ratoon.db")
    store = SqlStore(engine, "a")
    commits: list[object] = []
    sa.event.listen(engine, "commit", commits.append)
    store.append(draft)
    store.commit(Record(saved=Saved(cursor=4), aliases={"champion": 1}))
    assert len(commits) == 2
    store.close()


def test_one_process_runs_a_loop(tmp_path: Path) -> None:
    """A second holder of a loop's lock is told so at once; other loops are free."""
    lock = FolderLock(tmp_path, "a")
    with pytest.raises(LoopBusy, match=rf"'a' in '{tmp_path}'"):
        FolderLock(tmp_path, "a")
    FolderLock(tmp_path, "b").release()
    lock.release()
    FolderLock(tmp_path, "a").release()


def test_known_loops(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The loops of a folder are known by name; opening another one names those that are there."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert known_loops(elsewhere) == ()
    assert not list(elsewhere.iterdir())
    assert known_loops(home) == ("a",)
    open_known(home, "a").close()
    with pytest.raises(LoopUnknown, match=r"no loop 'b' here; there are \['a'\]"):
        open_known(home, "b")
