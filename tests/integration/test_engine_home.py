"""A loop's folder: who may open it, what is in it, and what happens when that is damaged."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import ratoon as rt
from ratoon.core.errors import ArtifactCorrupt, LoopBusy, SettingInvalid, StoreNewer
from ratoon.core.events import Event
from ratoon.core.wire import to_json
from ratoon.stores import MemoryStore, MemoryVault
from ratoon.stores.folder import open_folder, open_known
from ratoon.stores.protocol import Draft
from ratoon.stores.tables import SCHEMA_VERSION
from ratoon.testing import VirtualClock
from tests.integration.engine_loops import (
    files_below,
    fitted,
    ids_of,
    labels_of,
    numbers_of,
    on_record,
    rows_of,
    small,
    train,
)

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120
SECOND = """
import sys
from tests.integration.engine_loops import small
from ratoon.core.errors import LoopBusy
try:
    small(home=sys.argv[1]).status()
except LoopBusy as busy:
    print(busy.transient, busy)
"""


def test_a_second_process(tmp_path: Path) -> None:
    """While a process has a loop open another one is told so, and may try again later."""
    loop = fitted(home=tmp_path)

    def second() -> str:
        command = [sys.executable, "-c", SECOND, tmp_path]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=True
        )
        return done.stdout

    said = second()
    assert said.startswith(f"True loop 'small' in '{tmp_path}' is open")
    loop.close()
    assert second() == ""
    assert loop.predict(rows_of(60, 61)).version == 1
    loop.close()


def test_a_second_loop_object(tmp_path: Path) -> None:
    """The lock holds within a process too, and goes with `close` and with a `with` block."""
    with fitted(home=tmp_path) as loop:
        with pytest.raises(LoopBusy):
            small(home=tmp_path).status()
        assert loop.status().champion is not None
    small(home=tmp_path).close()


def test_a_failed_opening_lets_go(tmp_path: Path) -> None:
    """A loop that cannot be opened says why at each call, and does not lock itself out."""
    fitted(home=tmp_path).close()
    with sqlite3.connect(tmp_path / "ratoon.db") as connection:
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    connection.close()
    loop = small(home=tmp_path)
    for _ in range(2):
        with pytest.raises(StoreNewer):
            loop.predict(rows_of(60, 61))
    with sqlite3.connect(tmp_path / "ratoon.db") as connection:
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    connection.close()
    assert loop.predict(rows_of(60, 61)).version == 1
    loop.close()


@pytest.mark.parametrize("name", ["", "a/b", "a b", "a\n", "x" * 201, "ö" * 101])
def test_bad_names(name: str) -> None:
    """A loop's name makes a file's name everywhere."""
    with pytest.raises(SettingInvalid, match=r"^name must be") as caught:
        rt.Loop(name, trainer=train)
    assert caught.value.got == name


BAD: dict[str, dict[str, Any]] = {
    "trainer": {"trainer": "train.py"},
    "task": {"task": "clustering"},
    "frame": {"frame": "spark"},
    "store and vault": {"store": MemoryStore()},
}


@pytest.mark.parametrize("setting", BAD)
def test_bad_settings(setting: str) -> None:
    """A bad setting is refused where the loop is made."""
    with pytest.raises(SettingInvalid, match=f"^{setting} must be"):
        rt.Loop("a", **{"trainer": train, **BAD[setting]})


@pytest.mark.parametrize("beneath", ["", "deeper"])
def test_a_home_that_is_a_file(tmp_path: Path, beneath: str) -> None:
    """A home that is a file, or lies below one, is refused by name."""
    (tmp_path / "file").write_text("")
    home = tmp_path / "file" / beneath
    with pytest.raises(SettingInvalid, match="home must be a folder that can be written to"):
        small(home=home).fit(rows_of(0, 60), labels_of(0, 60))
    assert files_below(tmp_path) == [tmp_path / "file"]


def test_a_home_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home without the right to write is refused by name."""
    monkeypatch.setattr(os, "access", lambda *_: False)  # the tests may run as root
    with pytest.raises(SettingInvalid, match=rf"home must be .*, got '{tmp_path}'"):
        small(home=tmp_path).status()
    assert files_below(tmp_path) == []


def test_two_loops_in_one_home(tmp_path: Path) -> None:
    """Loops share a folder and a database, and nothing else."""
    one = fitted(home=tmp_path)
    other = one.settings(name="other")
    other.fit(numbers_of(0, 40), labels_of(0, 40))
    one.predict(rows_of(60, 61), ids=["a"])
    other.predict(numbers_of(60, 62), ids=["a", "b"])
    assert (one.status().counts.predictions, other.status().counts.predictions) == (1, 2)
    assert (one.status().counts.labelled, other.status().counts.labelled) == (60, 40)
    one.close()
    other.close()


def test_reopened(tmp_path: Path) -> None:
    """A loop that is opened again has the same records, and opening it adds nothing to them."""
    loop = fitted(home=tmp_path)
    loop.predict(rows_of(60, 90), ids=ids_of(60, 90))
    loop.label(ids_of(60, 90), labels_of(60, 90))
    loop.emit("now")
    before, said = on_record(loop), loop.why()
    loop.close()
    again = small(home=tmp_path)
    assert again.why() == said
    again.tick()
    assert on_record(again) == before
    again.close()


def test_reopened_after_a_new_class() -> None:
    """A third class makes no other policy of a loop of two, before and after it is opened again."""
    store, vault = MemoryStore(), MemoryVault()
    loop = fitted(store=store, vault=vault)
    loop.predict(rows_of(60, 100), ids=ids_of(60, 100))
    loop.label(ids_of(60, 75), labels_of(60, 75))
    loop.emit("now")
    assert loop.status().challenger is not None
    loop.label(ids_of(75, 80), ["maybe"] * 5)
    trials = store.saved()
    again = fitted_again(store, vault)
    again.label(ids_of(80, 81), ["yes"])
    assert store.saved().definition == trials.definition
    assert again.status().challenger is not None


def fitted_again(store: Any, vault: Any) -> rt.Loop:
    """Return the same loop in a new process."""
    return small(store=store, vault=vault)


def _spoil(home: Path, artifact: str) -> None:
    (path,) = [path for path in files_below(home / "models") if path.name == artifact]
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)


@pytest.fixture
def promoted(tmp_path: Path) -> rt.Loop:
    """Return a loop whose second version is champion, closed."""
    loop = small(home=tmp_path, accept_if=rt.gates.Untested())
    loop.fit(numbers_of(0, 40), labels_of(0, 40))
    loop.predict(numbers_of(40, 60), ids=ids_of(40, 60))
    loop.label(ids_of(40, 50), labels_of(40, 50))
    loop.emit("now")
    assert loop.status().champion.number == 2  # type: ignore[union-attr]
    loop.close()
    return loop


def test_a_damaged_champion(promoted: rt.Loop) -> None:
    """A damaged champion does not answer; labels are taken, and one call undoes it."""
    first, second = promoted.versions()
    _spoil(Path(promoted.home), second.artifact.sha256)
    promoted.close()
    with pytest.raises(ArtifactCorrupt, match=second.artifact.sha256):
        promoted.predict(numbers_of(60, 61))
    assert promoted.label(ids_of(50, 60), labels_of(50, 60)).stored == 10
    assert promoted.rollback() == first.number
    assert promoted.predict(numbers_of(60, 61)).version == first.number
    promoted.close()


def test_a_rollback_to_a_damaged_version(promoted: rt.Loop) -> None:
    """A rollback to a version whose file is damaged is refused, and the champion stays."""
    first, second = promoted.versions()
    _spoil(Path(promoted.home), first.artifact.sha256)
    promoted.close()
    assert promoted.predict(numbers_of(60, 61)).version == second.number
    before = on_record(promoted)
    with pytest.raises(ArtifactCorrupt, match=first.artifact.sha256):
        promoted.rollback(1)
    assert on_record(promoted) == before
    assert promoted.label(ids_of(50, 60), labels_of(50, 60)).stored == 10
    promoted.close()


def test_what_a_training_read_is_kept(promoted: rt.Loop) -> None:
    """The rows that each version was trained on are there, and have the digest on record."""
    for version in promoted.versions():
        assert version.snapshot is not None
        found = promoted.data.snapshot(version.snapshot)
        assert found.digest == version.snapshot
        assert len(found) == {1: 32, 2: 40}[version.number]
    promoted.close()


def test_the_same_training_gives_the_same_files(tmp_path: Path) -> None:
    """Two loops that are fed alike have equal artifacts, byte for byte, and equal snapshots."""
    pins: list[list[str]] = []
    for home in ("one", "other"):
        clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
        with fitted(home=tmp_path / home, clock=clock) as loop:
            loop.predict(rows_of(60, 61))
            pins.append([pin.digest for pin in loop.data.snapshots()])
    found = [
        {path.name: path.read_bytes() for path in files_below(tmp_path / home / "models")}
        for home in ("one", "other")
    ]
    assert len(found[0]) == 1
    assert found[0] == found[1]
    assert pins[0] == pins[1] != []


def test_an_event_from_another_process(tmp_path: Path) -> None:
    """What another process puts into the journal is taken in at the loop's next call."""
    loop = fitted(home=tmp_path)
    beside = open_known(tmp_path, "small")
    told = Event(id="e1", source="command", type="now", time=datetime(2026, 1, 1, tzinfo=UTC))
    beside.append(Draft(kind="event", at=told.time, note={"event": to_json(told)}))
    beside.close()
    assert len(loop.runs()) == 1
    loop.predict(rows_of(60, 61))
    assert [cause.event_id for cause in loop.decisions()[1].causes] == ["e1"]
    assert len(loop.runs()) == 2
    loop.close()


def test_a_store_of_ones_own(tmp_path: Path) -> None:
    """A loop runs on a store and a vault that it is given."""
    store = open_folder(tmp_path, "small")
    loop = fitted(store=store, vault=MemoryVault())
    assert loop.status().counts.labelled == 60
    loop.close()
