"""`ratoon data`: damage found, rows set aside, rows erased, and what rows have touched."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ratoon.core.measuring import RowRange
from ratoon.engine import Data, Loop
from ratoon.engine.clocks import SystemClock
from ratoon.stores.folder import FolderLock, open_folder, open_known
from ratoon.stores.local import LocalStore

Run = Callable[..., str]
Read = Callable[..., Any]


@contextmanager
def known(home: Path) -> Iterator[LocalStore]:
    """Open the store of the loop for reading."""
    store = open_known(home, "fraud")
    try:
        yield store
    finally:
        store.close()


def data_file(home: Path, table: str) -> Path:
    """Return a file of a table."""
    with known(home) as store:
        part = store.parts()[table]
        assert part.folder is not None
        return part.folder / part.table.files[0].name


def test_a_sound_loop(run: Run, read: Read, home: Path) -> None:
    """`data check` reads every file and every snapshot, and counts them."""
    text = run("data", "check", "fraud", "--home", home)
    assert text.count(": sound") == 2
    found = read("data", "check", "fraud", "--home", home)
    assert found["sound"] is True
    assert [one["wrong"] for one in found["checks"]] == [[], []]


@pytest.mark.parametrize("table", ["predictions", "labels"])
def test_a_flipped_bit(read: Read, home: Path, table: str) -> None:
    """One bit of a data file: the exit code is 1, and the file and its snapshots are named."""
    path = data_file(home, table)
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)
    found = read("data", "check", "fraud", "--home", home, code=1)
    files, snapshots = found["checks"]
    assert found["sound"] is False
    [told] = files["wrong"]
    assert str(path) in told
    assert "SHA-256" in told
    assert snapshots["wrong"]
    assert all(path.name in told for told in snapshots["wrong"])


def test_a_file_that_is_gone(run: Run, home: Path) -> None:
    """A file that is missing is named."""
    path = data_file(home, "predictions")
    path.unlink()
    args = ("data", "check", "fraud", "--home", home)
    result = run(*args, "--json", code=1)
    assert f"{path} is missing" in result


def test_a_snapshot_of_other_rows(read: Read, home: Path) -> None:
    """A snapshot whose rows have another digest than it had is named."""
    with known(home) as store:
        first = store.pins()[0]
    wrong = "0" * 64
    database = sqlite3.connect(home / "ratoon.db")
    database.execute("UPDATE snapshot SET body = replace(body, ?, ?)", (first.digest, wrong))
    database.commit()
    database.close()
    found = read("data", "check", "fraud", "--home", home, code=1)
    [told] = found["checks"][1]["wrong"]
    assert told.startswith("snapshot 00000000: ")
    assert first.digest in told


def set_aside(home: Path, ids: list[str]) -> str:
    """Set rows aside, as a check before a training does."""
    store = open_folder(home, "fraud")
    found = Data(store, "fraud", SystemClock()).set_aside(ids, "prices in cents")
    store.close()
    return found.id


def some_ids(home: Path, start: int, stop: int) -> list[str]:
    """Return the ids of labelled rows."""
    with known(home) as store:
        return list(store.labelled(RowRange(start=start, stop=stop)).ids)


def test_quarantine_and_release(run: Run, read: Read, home: Path) -> None:
    """Rows that were set aside are listed with the reason and their ids, and can be released."""
    assert "No row was set aside." in run("data", "quarantine", "fraud", "--home", home)
    ids = some_ids(home, 310, 313)
    name = set_aside(home, ids)
    text = run("data", "quarantine", "fraud", "--home", home)
    assert name in text
    assert "prices in cents" in text
    found = read("data", "quarantine", "fraud", name[:15], "--home", home)
    assert (found["ids"], found["released_at"]) == (ids, None)
    assert ids[0] in run("data", "quarantine", "fraud", name, "--home", home)
    text = run("data", "release", "fraud", name, "--by", "Ana", "--home", home)
    assert "3 rows may be trained on again" in text
    again = run("data", "release", "fraud", name, "--by", "Ben", "--home", home)
    assert "was released before, by Ana" in again
    assert read("data", "quarantine", "fraud", name, "--home", home)["released_by"] == "Ana"
    assert "no batch 'x'" in run("data", "release", "fraud", "x", "--home", home, code=1)


def test_release_needs_the_lock(run: Run, home: Path) -> None:
    """Beside a running loop nothing is released: it would write over what the loop writes."""
    name = set_aside(home, some_ids(home, 310, 313))
    lock = FolderLock(home, "fraud")
    told = run("data", "release", "fraud", name, "--home", home, code=1)
    lock.release()
    assert "is open already" in told


def test_forget_asks(run: Run, home: Path) -> None:
    """`data forget` tells what would go and what was trained on it, and asks first."""
    [row_id] = some_ids(home, 1000, 1001)
    args = ("data", "forget", "fraud", "--ids", f"{row_id},nobody", "--home", home)
    told = run(*args, code=1, input="n\n")
    assert "Erase for good all rows of 2 ids" in told
    assert some_ids(home, 1000, 1001) == [row_id]
    with known(home) as store:
        assert row_id in store.predictions([row_id])


def trained_row(home: Path) -> tuple[str, int]:
    """Return a row that a version was trained on, which was predicted, and the version."""
    with known(home) as store:
        version = store.versions()[-1].version
        pin = store.pin(str(version.snapshot))
        assert pin is not None
        start = pin.rows[-1].stop - 1
    return some_ids(home, start, start + 1)[0], version.number


def test_forget(run: Run, read: Read, home: Path, tmp_path: Path) -> None:
    """Rows go from every file; what was trained on them is listed, and their snapshot says so."""
    row_id, number = trained_row(home)
    path = tmp_path / "ids.txt"
    path.write_text(f"{row_id}\n\nnobody\n")
    args = ("data", "forget", "fraud", "--ids-file", path, "--reason", "request 42", "--home", home)
    found = read(*args, "--yes")
    assert found["asked"] == 2
    assert (found["erased"]["rows"], found["erased"]["labels"]) == (1, 1)
    assert number in found["versions"]
    assert found["runs"]
    for file in (home / "logs" / "fraud").rglob("*"):
        assert not file.is_file() or row_id.encode() not in file.read_bytes(), file
    rows = read("data", "sql", "fraud", f"FROM labels WHERE id = '{row_id}'", "--home", home)
    assert rows == []
    [snapshot] = [
        one
        for one in read("data", "versions", "fraud", "--home", home)
        if number in one["versions"]
    ]
    assert snapshot["erased"] == 1
    assert "1 erased" in run("data", "versions", "fraud", "--home", home)
    checked = read("data", "check", "fraud", "--home", home)
    assert "lost rows at a person's wish" in checked["checks"][1]["note"]
    [event] = read("events", "fraud", "--type", "ratoon.data.forgotten", "--home", home)
    assert event["data"]["reason"] == "request 42"
    text = run(*args, "--yes")
    assert "Erased: 0 rows, 0 labels" in text
    assert "ratoon events fraud" in text
    assert "No model" not in text


def test_forget_history(run: Run, read: Read, home: Path) -> None:
    """A row of history is blamed and erased by its entry and its place there."""
    args = ("--ids", "history-1-0", "--home", home)
    blamed = read("data", "blame", "fraud", *args)
    assert 1 in blamed["versions"]
    assert [(part["start"], part["stop"]) for part in blamed["ordinals"]] == [(0, 1)]
    found = read("data", "forget", "fraud", *args, "--yes")
    assert found["erased"]["ids"] == ["history-1-0"]
    assert (found["erased"]["rows"], found["erased"]["labels"]) == (1, 1)
    assert 1 in found["versions"]
    told = read("data", "sql", "fraud", "FROM labels WHERE id = 'history-1-0'", "--home", home)
    assert told == []
    assert "Of 1 id there was no row." in run("data", "forget", "fraud", *args, "--yes")


def test_forget_what_waits(run: Run, read: Read, home: Path, tmp_path: Path, loop: Loop) -> None:
    """Rows that the loop has not taken in yet are erased too: they do not come back."""
    path = tmp_path / "labels.csv"
    path.write_text("id,label\nperson,good\n")
    run("label", "fraud", path, "--home", home)
    args = ("data", "forget", "fraud", "--ids", "person", "--yes", "--home", home)
    assert read(*args)["erased"]["labels"] == 1
    with loop:
        loop.tick()
    assert read("data", "sql", "fraud", "FROM labels WHERE id = 'person'", "--home", home) == []


def test_forget_needs_the_lock(read: Read, home: Path) -> None:
    """A loop that runs elsewhere is busy; nothing is erased."""
    [row_id] = some_ids(home, 1000, 1001)
    lock = FolderLock(home, "fraud")
    args = ("data", "forget", "fraud", "--ids", row_id, "--yes", "--home", home)
    assert read(*args, code=1)["error"]["type"] == "LoopBusy"
    lock.release()
    assert some_ids(home, 1000, 1001) == [row_id]


def test_forget_nobody(run: Run, home: Path) -> None:
    """The ids must be named."""
    assert "names the rows to erase" in run("data", "forget", "fraud", "--home", home, code=2)


def test_blame(run: Run, read: Read, home: Path) -> None:
    """`data blame` tells the measurements, snapshots, runs and versions that rest on rows."""
    row_id, number = trained_row(home)
    found = read("data", "blame", "fraud", "--ids", row_id, "--home", home)
    assert number in found["versions"]
    assert len(found["runs"]) == len(found["snapshots"]) >= 1
    assert found["measurements"]
    [entry] = read("data", "sql", "fraud", f"FROM labels WHERE id = '{row_id}'", "--home", home)
    batch = read("data", "blame", "fraud", entry["seq"], "--home", home)
    assert row_id in batch["ids"]
    assert number in batch["versions"]
    text = run("data", "blame", "fraud", entry["seq"], "--home", home)
    assert f"fraud@{number}" in text
    first = read("data", "blame", "fraud", 1, "--home", home)
    assert 1 in first["versions"]
    assert "there is no journal entry 99999" in run(
        "data", "blame", "fraud", "99999", "--home", home, code=1
    )
    assert "either ENTRY, or --ids" in run("data", "blame", "fraud", "--home", home, code=2)


def test_blame_of_labels_that_came_first(read: Read, home: Path, loop: Loop) -> None:
    """A batch of labels that were parked has touched what its predictions made of them."""
    with loop:
        loop.label(["early"], ["good"])
        entry = loop._open().store.last_seq()
        before = loop.status().counts.labelled
        loop.predict({"a": [0.1], "b": [0.2]}, ids=["early"])
    found = read("data", "blame", "fraud", entry, "--home", home)
    assert found["ordinals"] == [{"start": before, "stop": before + 1}]


def test_blame_of_labels_of_a_model(read: Read, home: Path, loop: Loop) -> None:
    """Labels that a model made have touched nothing, though others labelled the same rows."""
    with loop:
        loop.predict({"a": [0.1], "b": [0.2]}, ids=["both"])
        loop.label(["both"], ["good"])
        loop.label(["both"], ["good"], source="model")
        entry = loop._open().store.last_seq()
    found = read("data", "blame", "fraud", entry, "--home", home)
    assert (found["ids"], found["ordinals"]) == (["both"], [])
