"""A process that dies while it erases rows leaves all or none of them, and records that fit."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from ratoon.core import wire
from ratoon.core.events import DATA_FORGOTTEN
from ratoon.core.measuring import RowRange
from ratoon.engine.data import Data
from ratoon.log import disk
from ratoon.log.table import RowTable
from ratoon.stores.book import SqlBook, sqlite_engine
from ratoon.stores.catalog import Catalog
from ratoon.stores.local import LocalStore
from ratoon.stores.protocol import Keeping, Store
from ratoon.testing import Crash, VirtualClock
from tests.crash.scenario import (
    NAME,
    START,
    ids_of,
    labels_of,
    local_store,
    loop_on,
    rows_of,
)

GONE = ("p60", "history-1-3", "history-1-4", "p79", "nobody")
STEPS: tuple[tuple[Any, str], ...] = (
    (disk, "write_durably"),
    (disk, "delete"),
    (SqlBook, "commit"),
    (SqlBook, "forget_refused"),
    (RowTable, "erase"),
    (Catalog, "write"),
)
Told = dict[str, object]


class Steps:
    """Counts the writes, and dies before or after one of them."""

    def __init__(self, at: int | None, *, after: bool) -> None:
        self.count = 0
        self._at = at
        self._after = after

    def _die_if(self, number: int, *, after: bool) -> None:
        if number == self._at and after == self._after:
            raise Crash(f"died at step {number}")

    def counted(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Return a step that is counted, and may be the last."""

        def run(*args: Any, **settings: Any) -> Any:
            self.count += 1
            number = self.count
            self._die_if(number, after=False)
            found = step(*args, **settings)
            self._die_if(number, after=True)
            return found

        return run


@cache
def _prepared() -> TemporaryDirectory[str]:
    """Make a loop that was trained on history, and has labels of its own, all in the tables."""
    folder = TemporaryDirectory()
    home = Path(folder.name)
    with local_store(home) as store:
        loop = loop_on(store, home, VirtualClock(START))
        loop.fit(rows_of(0, 60), labels_of(0, 60))
        loop.predict(rows_of(60, 80), ids=ids_of(60, 80))
        loop.label(ids_of(60, 78), labels_of(60, 78))
        loop.label(["p79", "late"], ["yes", "no"])
        loop.feedback(["p60", "p61"], ratings=[-1, 1])
        store.flush()
    return folder


def _copied(folder: Path) -> Path:
    shutil.copytree(_prepared().name, folder)
    return folder


def _forget(home: Path, steps: Steps, monkeypatch: pytest.MonkeyPatch, minutes: int = 5) -> Told:
    """Erase the rows, so that it may die; return what the call has told."""
    with local_store(home) as store, monkeypatch.context() as patch:
        for where, name in STEPS:
            patch.setattr(where, name, steps.counted(getattr(where, name)))
        clock = VirtualClock(START + timedelta(minutes=minutes))
        gone, touched = Data(store, NAME, clock).forget(GONE, reason="asked")
        return {"gone": gone, "versions": touched.versions, "runs": [r.id for r in touched.runs]}


def _state(store: Store) -> Told:
    """Return all that tells of the rows and of their erasure."""
    data = Data(store, NAME, VirtualClock(START))
    found = store.labelled(RowRange(start=0, stop=store.counts().labelled))
    events = [event.data for event in store.events() if event.type == DATA_FORGOTTEN]
    return {
        "events": wire.to_json(events),
        "ids": found.ids,
        "values": tuple(found.values),
        "x": found.columns["feature:x"].tolist(),
        "ordinals": found.ordinals.tolist(),
        "pins": [(pin.digest, pin.gone) for pin in data.snapshots()],
        "snapshots": [_rows_of_snapshot(data, pin.digest) for pin in data.snapshots()],
        "journal": [(entry.draft.ids, tuple(entry.draft.values)) for entry in store.entries(0)],
        "predictions": sorted(store.predictions(ids_of(60, 80))),
        "saved": store.saved(),
    }


def _rows_of_snapshot(data: Data, digest: str) -> tuple[int, list[float]]:
    """Read a snapshot, whose pin must say how many rows are gone."""
    pin, snapshot = data.pin(digest), data.snapshot(digest)
    assert len(snapshot) == pin.count - pin.erased
    return len(snapshot), snapshot.X[:, 0].tolist()


@contextmanager
def _beside(home: Path) -> Iterator[LocalStore]:
    """Open the store as a process that reads."""
    store = LocalStore(
        SqlBook(sqlite_engine(home / "ratoon.db"), NAME), home / "log", writable=False
    )
    try:
        yield store
    finally:
        store.abandon()


def _labelled_ids(store: Store) -> Sequence[str]:
    found = store.labelled(RowRange(start=0, stop=store.counts().labelled))
    assert len(found.ids) == len(found.ordinals) == len(found.values)
    return found.ids


def test_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever step it dies at, all is erased and on record, or nothing; the same call ends it."""
    before, whole = _copied(tmp_path / "before"), _copied(tmp_path / "whole")
    with local_store(before) as store:
        untouched, all_ids = _state(store), _labelled_ids(store)
    steps = Steps(None, after=False)
    told = _forget(whole, steps, monkeypatch)
    with local_store(whole) as store:
        expected, left = _state(store), _labelled_ids(store)
    assert set(all_ids) - set(left) == set(GONE) - {"nobody"}
    assert steps.count > len(STEPS)
    for at in range(1, steps.count + 1):
        for after in (False, True):
            home = _copied(tmp_path / f"{at}-{after}")
            with pytest.raises(Crash):
                _forget(home, Steps(at, after=after), monkeypatch)
            with _beside(home) as reader:
                assert _labelled_ids(reader) in (all_ids, left)
            with local_store(home) as store:
                assert _state(store) in (untouched, expected)
            assert _forget(home, Steps(None, after=False), monkeypatch, minutes=9) == told
            with local_store(home) as store:
                assert _state(store) == expected
            shutil.rmtree(home)


def _prune(home: Path, steps: Steps, monkeypatch: pytest.MonkeyPatch, needed: int = 0) -> None:
    """Remove all old rows but so many of the first, so that it may die."""
    parts = (RowRange(start=0, stop=needed),) if needed else ()
    with local_store(home) as store, monkeypatch.context() as patch:
        for name in ("drop_before", "drop", "vacuum"):
            patch.setattr(RowTable, name, steps.counted(getattr(RowTable, name)))
        patch.setattr(Catalog, "write", steps.counted(Catalog.write))
        store.prune(Keeping(now=START, rows=0, needed=parts))


def test_every_step_of_pruning_beside_needed_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever step it dies at while files are written anew, the rows that are needed stay."""
    steps, kept = Steps(None, after=False), 7
    _prune(_copied(tmp_path / "whole"), steps, monkeypatch, kept)
    for at in range(1, steps.count + 1):
        for after in (False, True):
            home = _copied(tmp_path / f"{at}-{after}")
            with pytest.raises(Crash):
                _prune(home, Steps(at, after=after), monkeypatch, kept)
            with local_store(home) as store:
                assert len(_labelled_ids(store)) in (kept, 79)
            _prune(home, Steps(None, after=False), monkeypatch, kept)
            with local_store(home) as store:
                assert len(_labelled_ids(store)) == kept
                assert not store.predictions(ids_of(60, 80))
                assert list(store.verify()) == []


def test_every_step_of_pruning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever step it dies at while old rows are removed, nobody is shown rows that are gone."""
    steps = Steps(None, after=False)
    _prune(_copied(tmp_path / "whole"), steps, monkeypatch)
    for at in range(1, steps.count + 1):
        for after in (False, True):
            home = _copied(tmp_path / f"{at}-{after}")
            with pytest.raises(Crash):
                _prune(home, Steps(at, after=after), monkeypatch)
            with local_store(home) as store:
                assert len(_labelled_ids(store)) in (0, 79)
                assert len(store.predictions(ids_of(60, 80))) in (0, 20)
            _prune(home, Steps(None, after=False), monkeypatch)
            with local_store(home) as store:
                assert not _labelled_ids(store)
                assert not store.predictions(ids_of(60, 80))
                assert not store._log.shelves.tables["predictions"].files


def test_no_id_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once rows are erased no file has their ids, and the note of it goes when nobody needs it."""
    home, counted = _copied(tmp_path / "home"), Steps(None, after=False)
    _forget(_copied(tmp_path / "counted"), counted, monkeypatch)
    with pytest.raises(Crash):
        _forget(home, Steps(counted.count - 1, after=True), monkeypatch)
    store = LocalStore(SqlBook(sqlite_engine(home / "ratoon.db"), NAME), home / "log")
    for path in (home / "log").rglob("*.*"):
        assert b"history-1-3" not in path.read_bytes(), path
    store.close()
    assert list(home.rglob("erasing.json"))  # whoever asked may ask again
    store = LocalStore(SqlBook(sqlite_engine(home / "ratoon.db"), NAME), home / "log")
    data = Data(store, NAME, VirtualClock(START))
    assert data.forget(GONE)[0].rows == len(GONE) - 1
    assert data.forget(GONE)[0].rows == 0
    store.close()
    assert not list(home.rglob("erasing.json"))
