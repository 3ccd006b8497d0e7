from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from ratoon.core.deciding import SnapshotPlan
from ratoon.core.errors import FileCorrupt, SnapshotCorrupt
from ratoon.core.measuring import RowRange, Window
from ratoon.core.schema import Column, Schema
from ratoon.engine import pinning
from ratoon.stores.folder import open_folder
from ratoon.stores.local import LocalStore
from ratoon.stores.protocol import Draft
from ratoon.windows.judged import Target
from ratoon.windows.pins import Pin
from ratoon.windows.rows import Rows

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCHEMA = Schema(
    columns=(Column(name="x", kind="number"), Column(name="city", kind="category")), frame="numpy"
)
ROWS = 40


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    """Return a store with 40 labelled rows, in two files of each table."""
    found = open_folder(tmp_path, "loop")
    for _ in range(2):
        append(found)
    yield found
    found.close()


def append(store: LocalStore) -> None:
    first = store.counts().predictions
    ids = tuple(f"p{row}" for row in range(first, first + ROWS // 2))
    columns = {
        "feature:x": np.arange(len(ids)) / 3,
        "feature:city": np.array(["Porto", "Faro"] * (len(ids) // 2), dtype=object),
        "time": np.full(len(ids), np.datetime64("2026-03-01T12", "us")),
    }
    store.append(Draft(kind="predictions", at=NOON, ids=ids, columns=columns))
    store.append(Draft(kind="labels", at=NOON, ids=ids, values=("a", "b") * (len(ids) // 2)))
    store._log.flush()


def pin_of(store: LocalStore, *rows: RowRange) -> Pin:
    """Pin labelled rows, as the engine does."""
    hull = RowRange(start=rows[0].start, stop=rows[-1].stop)
    found = pinning.only(store.labelled(hull), rows)
    held = Rows(
        schema=SCHEMA, columns={name: found.columns[f"feature:{name}"] for name in ("x", "city")}
    )
    return Pin(
        digest=pinning.hashed(held, found.values, None),
        at=NOON,
        count=len(found.values),
        rows=rows,
        plan=SnapshotPlan(train=hull, holdout=RowRange(start=ROWS, stop=ROWS), rule="all"),
        schema=SCHEMA,
        target=Target(task="binary", classes=("a", "b")),
        window=Window(start=NOON, end=NOON, rows=hull),
    )


@pytest.fixture
def hashings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets an item whenever rows are hashed to be compared."""
    counted, hashed = list[int](), pinning.hashed

    def count(*given: object) -> str:
        counted.append(1)
        return hashed(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(pinning, "hashed", count)
    return counted


@pytest.mark.parametrize(
    "rows",
    [(RowRange(start=0, stop=40),), (RowRange(start=3, stop=8), RowRange(start=21, stop=40))],
    ids=["all", "some"],
)
def test_rows_are_compared_once(
    store: LocalStore, hashings: list[int], rows: tuple[RowRange, ...]
) -> None:
    """Rows are compared with their digest at the first reading, and then as long as they move."""
    pin = pin_of(store, *rows)
    hashings.clear()
    first = pinning.unpinned(pin, store)
    again = pinning.unpinned(pin, store)
    assert (len(hashings), again.digest) == (1, pin.digest)
    np.testing.assert_array_equal(first.X, again.X)
    assert first.labels == again.labels
    assert len(first) == pin.count
    pinning.unpinned(pin, store, anew=True)
    assert len(hashings) == 2


def test_rows_that_moved_are_compared_again(store: LocalStore, hashings: list[int]) -> None:
    """Rows whose files were merged are compared with their digest once more, and once only."""
    pin = pin_of(store, RowRange(start=0, stop=40))
    pinning.unpinned(pin, store)
    hashings.clear()
    tables = store._log._shelves.tables
    before = len(tables["predictions"].files)
    for _ in range(12):
        append(store)
    assert before < 14 > len(tables["predictions"].files)
    pinning.unpinned(pin, store)
    pinning.unpinned(pin, store)
    assert len(hashings) == 1


def test_a_file_that_was_damaged_after_the_rows_were_compared(tmp_path: Path) -> None:
    """A bit that flips in a file of rows that were compared is an error that names the file."""
    store = open_folder(tmp_path, "loop")
    append(store)
    pin = pin_of(store, RowRange(start=0, stop=20))
    pinning.unpinned(pin, store)
    store.close()
    [file] = (tmp_path / "logs/loop/predictions").glob("*.parquet")
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    file.write_bytes(body)
    store = open_folder(tmp_path, "loop")
    with pytest.raises(FileCorrupt, match=file.name):
        pinning.unpinned(pin, store)
    store.close()


def test_other_rows_than_those_compared(store: LocalStore) -> None:
    """Where rows lie is noted for one digest and one set of rows: others are not taken for them."""
    pin = pin_of(store, RowRange(start=0, stop=20))
    pinning.unpinned(pin, store)
    with pytest.raises(SnapshotCorrupt, match=pin.digest):
        pinning.unpinned(replace(pin, rows=(RowRange(start=0, stop=19),)), store)


def test_a_note_that_cannot_be_read_is_none(store: LocalStore, tmp_path: Path) -> None:
    """What was noted may be lost or damaged: then the rows are compared."""
    pin = pin_of(store, RowRange(start=0, stop=40))
    pinning.unpinned(pin, store)
    [note] = (tmp_path / "logs/loop/compared").iterdir()
    assert note.name == pin.digest
    note.write_bytes(b"\xff")
    assert pinning.unpinned(pin, store).digest == pin.digest
    assert len(note.read_text()) == 64
