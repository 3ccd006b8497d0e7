"""What holds for the store in a folder beside the contract of every store."""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from ratoon.core.errors import (
    IdConflict,
    LoopBusy,
    LoopUnknown,
    StoreDamaged,
    StoreFull,
    StoreNewer,
    StoreOlder,
    StoreUnwritable,
)
from ratoon.core.measuring import RowRange
from ratoon.core.quarantine import Quarantined
from ratoon.stores.book import SqlBook, sqlite_engine
from ratoon.stores.folder import FolderLock, known_loops, open_folder, open_known
from ratoon.stores.protocol import Receipt, Record, Saved
from ratoon.stores.tables import SCHEMA_VERSION
from ratoon.testing.drafts import (
    event,
    history,
    labels,
    moment,
    nameless,
    predicted,
    predictions,
    tick,
)


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
        store.append(event("e1"))
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


def test_a_refused_write_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that the disk refuses leaves nothing of it: neither rows nor entry."""
    store = open_folder(home, "a")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("ratoon.log.disk.write_all", full)
        for draft in (predictions(["q"]), labels(["p2"], [1]), history([1]), tick()):
            with pytest.raises(StoreFull):
                store.append(draft)
    assert store.last_seq() == 3
    assert store.counts() == replace(store.counts(), predictions=1, labelled=3, parked=0)
    assert store.append(predictions(["q"])).seq == 4
    store.close()


@pytest.mark.parametrize(
    ("said", "kind"), [("SQLITE_FULL", StoreFull), ("SQLITE_IOERR_WRITE", StoreUnwritable)]
)
def test_a_refused_record_is_told_as_a_refused_row(
    home: Path, said: str, kind: type[StoreUnwritable]
) -> None:
    """Where the disk refuses the records it is the same error as where it refuses rows."""
    engine = sqlite_engine(home / "ratoon.db")
    book = SqlBook(engine, "a")

    def refused(*_: object) -> None:
        error = sqlite3.OperationalError("no room")
        error.sqlite_errorname = said
        raise OperationalError("COMMIT", {}, error)

    sa.event.listen(engine, "commit", refused)
    with pytest.raises(kind, match=r"ratoon\.db cannot be written to: no room"):
        book.commit(Record(saved=Saved(cursor=4)))
    said = "SQLITE_BUSY"
    with pytest.raises(OperationalError):
        book.commit(Record(saved=Saved(cursor=4)))
    sa.event.remove(engine, "commit", refused)
    book.commit(Record(saved=Saved(cursor=4)))
    assert book.saved().cursor == 4
    book.close()


def test_a_database_without_room(home: Path) -> None:
    """SQLite itself says what is told as a full disk."""
    engine = sqlite_engine(home / "ratoon.db")

    def small(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA max_page_count=1")  # as many as there are

    sa.event.listen(engine, "connect", small)
    book = SqlBook(engine, "a")
    reason = "broken " * 100_000
    large = Quarantined(id="q", at=moment(1), rows=(), reasons=(reason,))
    with pytest.raises(StoreFull, match="full"):
        book.commit(Record(quarantined=(large,)))
    book.close()


def test_a_failed_flush_of_the_disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk cannot say that rows are there, they are not acknowledged.

    The store must be opened anew; it has what was acknowledged, and takes the rows again.
    """
    store = open_folder(home, "a")
    store.append(predictions(["first"]))

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("os.fdatasync", broken)
        with pytest.raises(StoreUnwritable):
            store.append(predictions(["q"]))
    assert store.stale
    with pytest.raises(StoreUnwritable):
        store.append(predictions(["r"]))
    store.abandon()
    again = open_folder(home, "a")
    assert again.counts().predictions == 2
    assert again.append(predictions(["q"])).stored == 1
    again.close()


def test_one_transaction_a_commit(home: Path) -> None:
    """A turn is one transaction, so that it is stored whole, and costs one flush to the disk."""
    engine = sqlite_engine(home / "ratoon.db")
    book = SqlBook(engine, "a")
    commits: list[object] = []
    sa.event.listen(engine, "commit", commits.append)
    book.commit(Record(saved=Saved(cursor=4), aliases={"champion": 1}))
    assert len(commits) == 1
    book.close()


def test_a_book_ahead_of_its_log(home: Path) -> None:
    """A log that ends before what was taken in has lost rows: it is refused, not gone on with."""
    book = SqlBook(sqlite_engine(home / "ratoon.db"), "a")
    book.commit(Record(saved=Saved(cursor=9)))
    book.close()
    with pytest.raises(StoreDamaged, match="ends at entry 3, but entry 9 was taken in"):
        open_folder(home, "a")


def test_an_older_folder_is_refused(home: Path) -> None:
    """A database from before the first release is refused with words that help."""
    with sqlite3.connect(home / "ratoon.db") as connection:
        connection.execute("PRAGMA user_version=1")
    connection.close()
    with pytest.raises(StoreOlder, match="begin anew"):
        open_folder(home, "a")


def test_rows_beside_the_writer(home: Path) -> None:
    """Rows that another process leaves are durable at once, and taken in at the next look.

    What is known with another content is set aside with its reason; the rest of its batch is taken.
    """
    store = open_folder(home, "a")
    beside = open_known(home, "a")
    assert beside.append(predictions(["q", "r"])).stored == 2
    assert beside.append(labels(["q", "p", "r"], [1, 0, 0])).stored == 3
    beside.close()
    assert store.counts().predictions == 1
    assert [entry.draft.ids for entry in store.entries(3)] == [("q", "r"), ("q",), ("r",)]
    assert store.counts() == replace(store.counts(), predictions=3, labelled=5, parked=0)
    refused = store.refused()
    assert [(row["kind"], row["id"]) for row in refused] == [("labels", "p")]
    assert "1 before, 0 now" in str(refused[0]["why"])
    assert list(store.entries(6)) == []
    store.forget(["p"])
    assert list(store.refused()) == []
    store.close()


def test_rows_left_by_a_process_that_died(home: Path) -> None:
    """Rows that a process left before it was gone are taken in when the loop opens next."""
    beside = open_known(home, "a")
    beside.append(predictions(["q"]))
    beside.abandon()
    store = open_folder(home, "a")
    assert len(list(store.entries(3))) == 1
    left = (home / "logs" / "a" / "inbox").iterdir()
    assert [path.name for path in left] == ["bell"]
    store.close()


def test_processes_one_after_the_other_are_taken_in_in_order(home: Path) -> None:
    """A label that one process left after another had left its prediction is never parked."""
    for number in range(12):
        for kind, draft in enumerate((predictions([f"q{number}"]), labels([f"q{number}"], [1]))):
            beside = open_known(home, "a")
            beside.append(replace(draft, at=moment(number + kind / 2)))
            beside.close()
    store = open_folder(home, "a")
    kinds = [entry.draft.kind for entry in store.entries(3)]
    assert kinds == ["predictions", "labels"] * 12
    assert store.counts().parked == 0
    store.close()


def test_processes_at_once_are_taken_in_by_the_moment(home: Path) -> None:
    """What processes leave at once comes by the moment at which it arrived, each in its order."""
    senders = [open_known(home, "a") for _ in range(3)]
    for number in range(9):
        draft = replace(predictions([f"q{number}"]), at=moment(number))
        senders[(number * 2) % 3].append(draft)
    late = replace(labels(["q8"], [1]), at=moment(4))  # its clock went back
    senders[1].append(late)
    store = open_folder(home, "a")
    entries = [entry.draft for entry in store.entries(3)]
    assert [draft.ids[0] for draft in entries if draft.kind == "predictions"] == [
        f"q{number}" for number in range(9)
    ]
    assert store.counts().parked == 0
    for beside in senders:
        beside.close()
    store.close()


def test_threads_that_leave_rows_without_ids(home: Path) -> None:
    """Threads, and processes, that leave rows without ids each get ids of their own."""
    senders = [open_known(home, "a") for _ in range(2)]

    def leave(number: int) -> tuple[str, ...]:
        return senders[number % 2].append(nameless(predicted(2, shift=number))).ids

    with ThreadPoolExecutor(8) as pool:
        ids = [row_id for made in pool.map(leave, range(32)) for row_id in made]
    assert len(set(ids)) == 64
    store = open_folder(home, "a")
    assert len(list(store.entries(3))) == 32
    assert list(store.refused()) == []
    assert sorted(store.predictions(ids)) == sorted(ids)
    for beside in senders:
        beside.close()
    store.close()


def test_labels_of_a_model_join_nothing(home: Path) -> None:
    """Labels that a model made are kept once, and neither judge nor train."""
    store = open_folder(home, "a")
    store.append(predictions(["q"]))
    made = replace(labels(["q"], [1]), note={"source": "model"})
    assert store.append(made) == Receipt(seq=5, stored=1)
    assert store.append(made) == Receipt(seq=None, repeated=1)
    with pytest.raises(IdConflict):
        store.append(replace(made, values=(0,)))
    assert (store.counts().labelled, store.counts().parked) == (3, 0)
    assert store.append(labels(["q"], [0])).stored == 1
    assert store.counts().labelled == 4
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


def test_an_alias_that_another_process_points(home: Path) -> None:
    """What another process points an alias at holds from the next look at what arrived."""
    store = open_folder(home, "a")
    store.commit(Record(aliases={"champion": 2, "challenger": 3}))
    assert (store.alias("champion"), store.alias("challenger")) == (2, 3)
    beside = open_known(home, "a")
    beside.append(event("back"), aliases={"champion": 1})
    assert beside.alias("champion") == 1
    assert [entry.draft.kind for entry in store.entries(3)] == ["event"]
    assert (store.alias("champion"), store.alias("challenger")) == (1, 3)
    store.commit(Record(aliases={"champion": 4}))
    assert store.alias("champion") == beside.alias("champion") == 4
    store.append(event("on"), aliases={"champion": 5})
    assert store.alias("champion") == 5
    beside.close()
    store.close()
