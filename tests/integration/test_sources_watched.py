"""A watched folder: each file is taken once, whatever happens in between."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ratoon.core.errors import (
    RowsRefused,
    SettingInvalid,
    StoreDamaged,
    StoreFull,
    StoreNewer,
    StoreUnwritable,
)
from ratoon.sources import Watched, read, watching

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder that is watched."""
    path = tmp_path / "incoming"
    path.mkdir()
    return path


def watched(folder: Path, **options: Any) -> Watched:
    """Watch a folder for CSV files, or go on with it."""
    return Watched(folder, **{"pattern": "*.csv", "state": folder.parent / "taken.json", **options})


def put(folder: Path, name: str, text: str = "id\n1\n", mtime: int | None = None) -> Path:
    """Write a file, perhaps as of another time."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    if mtime is not None:
        os.utime(path, (mtime, mtime))
    return path


def test_a_file_is_due_when_it_stands_still(folder: Path) -> None:
    """A file whose size or time changes is still being written."""
    files = watched(folder)
    path = put(folder, "a.csv", "id\n")
    assert files.due(NOON) == []
    put(folder, "a.csv", "id\n1\n")
    assert files.due(NOON + timedelta(seconds=9)) == []
    assert files.due(NOON + timedelta(seconds=18)) == []
    os.utime(path, (1, 1))
    assert files.due(NOON + timedelta(seconds=19)) == []
    assert files.due(NOON + timedelta(seconds=29)) == [path]


def test_a_file_that_was_renamed_is_due_at_once(folder: Path) -> None:
    """Who writes aside and renames need not wait; what is aside is not seen."""
    files = watched(folder, still="0s", pattern="**/*.csv")
    put(folder, ".a.csv")
    put(folder, ".aside/b.csv")
    assert files.due(NOON) == []
    (folder / ".a.csv").rename(folder / "a.csv")
    assert files.due(NOON) == [folder / "a.csv"]


def test_the_order(folder: Path) -> None:
    """Files come in order of their names, or the oldest first."""
    for name, mtime in (("b.csv", 1), ("a.csv", 3), ("c.csv", 2)):
        put(folder, name, mtime=mtime)
    by_name, by_time = watched(folder, still="0s"), watched(folder, still="0s", order="mtime")
    assert [path.name for path in by_name.due(NOON)] == ["a.csv", "b.csv", "c.csv"]
    assert [path.name for path in by_time.due(NOON)] == ["b.csv", "c.csv", "a.csv"]


def test_only_what_fits_the_pattern(folder: Path) -> None:
    """Other files, folders and what a link leads nowhere to are passed over."""
    put(folder, "a.parquet")
    put(folder, "sub/b.csv")
    (folder / "folder.csv").mkdir()
    (folder / "nowhere.csv").symlink_to(folder / "gone")
    assert watched(folder, still="0s").due(NOON) == []
    assert watched(folder, still="0s", pattern="**/*.csv").due(NOON) == [folder / "sub/b.csv"]


def test_taken_once(folder: Path) -> None:
    """A file that was taken is not due again, after a restart neither."""
    path = put(folder, "a.csv")
    files = watched(folder, still="0s")
    assert files.due(NOON) == files.due(NOON) == [path]
    assert files.taken(path)
    assert files.due(LATER) == []
    assert watched(folder, still="0s").due(NOON) == []
    assert watched(folder).report() == files.report()
    assert files.report().taken == 1


def test_not_taken_before_the_caller_says_so(folder: Path) -> None:
    """A file that was due when the process died is due again."""
    path = put(folder, "a.csv")
    assert watched(folder, still="0s").due(NOON) == [path]
    assert watched(folder, still="0s").due(NOON) == [path]


def test_what_is_remembered(folder: Path) -> None:
    """The state is JSON: name, size, time and SHA-256 of each file."""
    path = put(folder, "a.csv")
    files = watched(folder, still="0s")
    files.due(NOON)
    files.taken(path)
    state = json.loads((folder.parent / "taken.json").read_text())
    about = state["files"]["a.csv"]
    assert about["size"] == path.stat().st_size
    assert about["mtime_ns"] == path.stat().st_mtime_ns
    assert about["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_that_was_changed_is_taken_again(folder: Path) -> None:
    """A file that was changed after it was taken is due again and reported."""
    path = put(folder, "a.csv")
    files = watched(folder, still="0s")
    files.due(NOON)
    files.taken(path)
    assert files.report().changed == ()
    put(folder, "a.csv", "id\n1\n2\n")
    assert files.due(LATER) == [path]
    assert files.report().changed == (path,)
    assert files.taken(path)
    assert files.due(LATER) == []
    assert watched(folder).report().changed == (path,)


def test_a_file_that_was_touched_is_not(folder: Path) -> None:
    """A file that has another time and the same content is not due."""
    path = put(folder, "a.csv")
    files = watched(folder, still="0s")
    files.due(NOON)
    files.taken(path)
    os.utime(path, (1, 1))
    assert files.due(LATER) == []
    assert files.report().changed == ()


def test_a_change_that_keeps_size_and_time(folder: Path) -> None:
    """Content that was replaced, with the size and the time as before, is noticed."""
    path = put(folder, "a.csv", "id\n1\n", mtime=1)
    files = watched(folder, still="0s")
    files.due(NOON)
    files.taken(path)
    put(folder, "a.csv", "id\n2\n", mtime=1)
    assert files.due(LATER) == [path]


def test_a_file_that_changes_while_it_is_read(folder: Path) -> None:
    """A file that changed since it was due, or is gone, is not remembered as taken."""
    path = put(folder, "a.csv")
    files = watched(folder, still="0s")
    files.due(NOON)
    put(folder, "a.csv", "id\n1\n2\n")
    assert not files.taken(path)
    assert files.due(LATER) == [path]
    path.unlink()
    assert not files.taken(path)
    assert files.due(LATER) == []
    assert files.report().taken == 0


def test_a_file_that_cannot_be_read_is_set_aside(folder: Path) -> None:
    """A bad file is kept with its reason and stops no other; when it is mended, it is due."""
    bad, good = put(folder, "a.csv", "id,id\n1,2\n"), put(folder, "b.csv")
    files = watched(folder, still="0s")
    for path in files.due(NOON):
        try:
            for _ in read(path):
                pass
            files.taken(path)
        except RowsRefused as error:
            files.set_aside(path, error.fact)
    again = watched(folder, still="0s")
    assert again.due(LATER) == []
    report = again.report()
    assert [(file.path, "stands there twice" in file.reason) for file in report.refused] == [
        (bad, True)
    ]
    assert report.taken == 1
    put(folder, "a.csv", "id\n1\n")
    assert again.due(LATER) == [bad]
    assert again.taken(bad)
    assert (again.report().refused, again.report().changed) == ((), ())
    assert good.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_a_file_that_may_not_be_read_is_tried_when_it_may(folder: Path) -> None:
    """A file whose access was allowed meanwhile is due again, though its content is as before."""
    path = put(folder, "a.csv")
    path.chmod(0)
    files = watched(folder, still="0s")
    files.due(NOON)
    assert files.set_aside(path, "no permission")
    assert files.due(NOON) == []
    path.chmod(0o644)
    assert files.due(LATER) == [path]


def test_what_is_gone_is_forgotten(folder: Path) -> None:
    """The state holds files that lie there, and no others, however many there were."""
    files = watched(folder, still="0s")
    for number in range(50):
        path = put(folder, f"{number}.csv")
        assert files.due(NOON) == [path]
        files.taken(path)
        path.unlink()
    put(folder, "last.csv")
    files.due(NOON)
    files.taken(folder / "last.csv")
    assert list(json.loads((folder.parent / "taken.json").read_text())["files"]) == ["last.csv"]


def test_an_empty_folder_forgets_nothing(folder: Path) -> None:
    """A folder that is not mounted for a while is no reason to take all files again."""
    path = put(folder, "a.csv")
    files = watched(folder, still="0s")
    files.due(NOON)
    files.taken(path)
    folder.rename(folder.with_name("away"))
    with pytest.raises(SettingInvalid, match="a folder that can be read"):
        files.due(NOON)
    folder.mkdir()
    assert files.due(NOON) == []
    folder.rmdir()
    folder.with_name("away").rename(folder)
    assert files.due(NOON) == watched(folder, still="0s").due(NOON) == []


def test_too_many_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More files than can be remembered are refused."""
    monkeypatch.setattr(watching, "_MOST", 2)
    for name in "abc":
        put(folder, f"{name}.csv")
    with pytest.raises(RowsRefused, match="holds more than 2 files"):
        watched(folder).due(NOON)


@pytest.mark.parametrize(
    "options",
    [
        {"pattern": ""},
        {"pattern": "/etc/*"},
        {"pattern": "../*.csv"},
        {"still": "soon"},
        {"order": "size"},
    ],
)
def test_settings(options: dict[str, Any], folder: Path) -> None:
    """A setting that breaks its rule is told at once."""
    with pytest.raises(SettingInvalid):
        watched(folder, **options)


def test_the_state_lies_elsewhere(folder: Path) -> None:
    """The state may not lie in the folder that is watched."""
    with pytest.raises(SettingInvalid, match="state must be a file outside of the folder"):
        watched(folder, state=folder / "sub" / "taken.json")


def test_only_what_was_due_is_taken(folder: Path) -> None:
    """A path that was not found due cannot be taken, nor can it be twice."""
    path = put(folder, "a.csv")
    files = watched(folder, still="0s")
    for name in (path, folder.parent / "b.csv"):
        with pytest.raises(SettingInvalid, match="a file that was found due"):
            files.taken(name)
    files.due(NOON)
    files.taken(path)
    with pytest.raises(SettingInvalid):
        files.set_aside(path, "twice")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema": 1}', '{"schema": 1, "files": [1]}'])
def test_a_damaged_state(text: str, folder: Path) -> None:
    """A state that is not what was written is refused, with what to do."""
    (folder.parent / "taken.json").write_text(text)
    with pytest.raises(StoreDamaged) as refused:
        watched(folder)
    assert "taken again" in refused.value.hint


def test_a_state_of_a_newer_ratoon(folder: Path) -> None:
    """A state of a newer Ratoon is refused as such."""
    (folder.parent / "taken.json").write_text('{"schema": 2}')
    with pytest.raises(StoreNewer):
        watched(folder)


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, StoreFull), (errno.EIO, StoreUnwritable)]
)
def test_a_disk_that_takes_nothing(
    number: int, kind: type[StoreUnwritable], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the state cannot be written the file is not taken, and what was remembered stays."""
    files = watched(folder, still="0s")
    first, second = put(folder, "a.csv"), put(folder, "b.csv")
    files.due(NOON)
    files.taken(first)

    def fails(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fails)
        with pytest.raises(kind):
            files.taken(second)
    assert [path.name for path in folder.parent.iterdir()] == ["incoming", "taken.json"]
    assert files.due(NOON) == watched(folder, still="0s").due(NOON) == [second]
    assert files.taken(second)


class Folder(RuleBasedStateMachine):
    """Files come, change and go, and the process dies, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp()).resolve()
        (self.home / "incoming").mkdir()
        self.now = NOON
        self.stored: dict[str, set[str]] = {}  # what a caller has stored of each file
        self.serial = 0
        self.restart()

    def teardown(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.home)

    names = st.sampled_from(["a.csv", "b.csv", "c.csv"])

    @rule(name=names)
    def write(self, name: str) -> None:
        """A file comes, or is replaced."""
        self.serial += 1
        (self.home / "incoming" / name).write_text(f"id\n{self.serial}\n")

    @rule(name=names)
    def remove(self, name: str) -> None:
        """A file goes."""
        (self.home / "incoming" / name).unlink(missing_ok=True)

    @rule()
    def restart(self) -> None:
        """The process dies."""
        self.files = watched(self.home / "incoming")
        self.due: list[Path] = []

    @rule(seconds=st.sampled_from([1, 10, 60]))
    def look(self, seconds: int) -> None:
        """Time passes, and the folder is looked at."""
        self.now += timedelta(seconds=seconds)
        self.due = self.files.due(self.now)

    @precondition(lambda self: self.due)
    @rule(dies=st.booleans())
    def take(self, *, dies: bool) -> None:
        """The rows of a file are stored; the process may die before it says so."""
        path = self.due.pop(0)
        body = path.read_text() if path.exists() else None
        if dies:
            self.restart()
        elif self.files.taken(path):
            assert body is not None
            assert body not in self.stored.setdefault(path.name, set()), "taken twice"
            self.stored[path.name].add(body)

    @invariant()
    def misses_none(self) -> None:
        """What is not due after a long time without change has been stored."""
        files = watched(self.home / "incoming")
        files.due(NOON)
        due = {path.name for path in files.due(LATER)}
        for path in (self.home / "incoming").iterdir():
            assert path.name in due or path.read_text() in self.stored.get(path.name, set())


TestFolder = Folder.TestCase
TestFolder.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
