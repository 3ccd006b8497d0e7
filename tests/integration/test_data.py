"""The data under a loop: pinned, read again, blamed, erased, pruned, and found damaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

import ratoon as rt
from ratoon.core.errors import (
    RowsRefused,
    RunUnknown,
    SnapshotCorrupt,
    SnapshotUnknown,
    StoreDamaged,
)
from ratoon.core.measuring import RowRange
from ratoon.stores.protocol import Record
from ratoon.testing import VirtualClock
from tests.integration.engine_loops import fitted, ids_of, labels_of, rows_of, store_of

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> VirtualClock:
    """Return a clock that stands still."""
    return VirtualClock(START)


@pytest.fixture
def loop(tmp_path: Path, clock: VirtualClock) -> Iterator[rt.Loop]:
    """Return a loop with 60 rows of history and 40 predictions, of which 30 are labelled."""
    found = fitted(home=tmp_path, clock=clock)
    found.predict(rows_of(60, 100), ids=ids_of(60, 100))
    found.label(ids_of(60, 90), labels_of(60, 90))
    yield found
    found.close()


def log_of(loop: rt.Loop) -> Path:
    """Return the folder of the loop's rows."""
    return Path(loop.home) / "logs" / "small"


def everything_in(folder: Path) -> str:
    """Return all that any file below a folder says, tables that nobody reads any more included."""
    found: list[str] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet" and "_delta_log" not in path.parts:
            found.append(str(pq.read_table(path).to_pylist()))
        elif path.is_file():
            found.append(path.read_bytes().decode("latin-1"))
    return "".join(found)


def test_a_snapshot_reads_the_same(loop: rt.Loop) -> None:
    """A snapshot that is read again after a thousand appends and a year is the same rows."""
    [pin] = loop.data.snapshots()
    before = loop.data.snapshot(pin.digest)
    for batch in range(1000):
        first = 100 + 2 * batch
        store_of(loop).append(_predictions(loop, first, first + 2))
    loop.close()
    for table in ("predictions", "labels"):
        assert (log_of(loop) / table / "_delta_log").is_dir()
    after = loop.data.snapshot(pin.digest[:12])
    assert after.digest == before.digest == pin.digest
    assert after.labels == before.labels
    for name, column in before.features.columns.items():
        np.testing.assert_array_equal(after.features.columns[name], column)
    assert after.schema == before.schema


def _predictions(loop: rt.Loop, start: int, stop: int) -> Any:
    entry = next(e for e in store_of(loop).entries(0) if e.draft.kind == "predictions")
    columns = {name: column[: stop - start] for name, column in entry.draft.columns.items()}
    return type(entry.draft)(
        kind="predictions", at=START, ids=tuple(ids_of(start, stop)), columns=columns
    )


def test_no_such_snapshot(loop: rt.Loop) -> None:
    """A digest that no snapshot has, or an empty one, is an error that names it."""
    for digest in ("beef", ""):
        with pytest.raises(SnapshotUnknown, match=repr(digest)):
            loop.data.pin(digest)


def test_others_read_the_tables(loop: rt.Loop) -> None:
    """Whoever reads Delta tables reads the history, joins labels by id, and asks what was known."""
    loop.close()
    predictions = DeltaTable(str(log_of(loop) / "predictions")).to_pyarrow_table().to_pandas()
    labels = DeltaTable(str(log_of(loop) / "labels")).to_pyarrow_table().to_pandas()
    assert len(predictions) == 100
    assert set(predictions.columns) >= {"id", "time", "arrived_at", "feature_x", "score_0"}
    joined = predictions.merge(labels, on="id", suffixes=("", "_label"))
    assert len(joined) == 90
    told = dict(zip(joined["id"], joined["value"], strict=True))
    assert [told[row_id] for row_id in ids_of(60, 90)] == labels_of(60, 90)
    assert len(joined[joined["arrived_at_label"] < START]) == 0


def test_a_flipped_bit_is_an_error(loop: rt.Loop) -> None:
    """A flipped bit in a file of rows is an error that names the file, never a wrong number."""
    [pin] = loop.data.snapshots()
    loop.close()
    files = sorted((log_of(loop) / "predictions").glob("*.parquet"))
    body = bytearray(files[0].read_bytes())
    body[len(body) // 2] ^= 1
    files[0].write_bytes(body)
    with pytest.raises(StoreDamaged, match=files[0].name):
        loop.data.snapshot(pin.digest)
    assert [files[0].name in found for found in store_of(loop).verify()] == [True]


def test_other_rows_are_an_error(loop: rt.Loop) -> None:
    """Rows that are whole, but not those that were pinned, are an error."""
    [pin] = loop.data.snapshots()
    store = store_of(loop)
    wrong = replace(pin, rows=(_range(1, pin.count + 1),))
    store.commit(Record(saved=store.saved(), pins=(wrong,)))
    with pytest.raises(SnapshotCorrupt, match=pin.digest):
        loop.data.snapshot(pin.digest)


def _range(start: int, stop: int) -> RowRange:
    return RowRange(start=start, stop=stop)


def test_what_differs(loop: rt.Loop) -> None:
    """Two snapshots are compared by their rows."""
    loop.emit("now")
    first, second = loop.data.snapshots()
    found = loop.data.diff(first.digest, second.digest)
    assert found.only_left == ()
    assert found.both == first.count
    assert sum(len(part) for part in found.only_right) == second.count - first.count
    assert (found.columns_gone, found.columns_new, found.columns_changed) == ((), (), ())


def test_reproduce(loop: rt.Loop) -> None:
    """A training done again on its pinned rows comes to the same model."""
    [run] = loop.runs()
    found = loop.reproduce(run.id)
    assert found.same
    assert found.same_bytes
    assert found.largest_difference == 0.0
    assert found.rows == loop.data.snapshots()[0].count
    assert (found.version, found.code_changed) == (1, False)
    assert found.environment == {}
    with pytest.raises(RunUnknown, match="run-0"):
        loop.reproduce("run-0")


def test_another_trainer_does_not_reproduce(loop: rt.Loop) -> None:
    """A trainer that was changed since is found out by the answers to the probe rows."""

    def other(data: rt.DatasetSnapshot) -> Any:
        model = loop.trainer(data)
        model.inner.theta_ = model.inner.theta_ + 0.25
        return model

    [run] = loop.runs()
    loop.close()
    changed = loop.settings(trainer=other)
    found = changed.reproduce(run.id)
    changed.close()
    assert not found.same
    assert found.largest_difference is not None
    assert found.largest_difference > 0.0
    assert found.code_changed is True


def test_blame(loop: rt.Loop) -> None:
    """What a batch has touched is told: snapshots, runs, versions and measurements."""
    loop.emit("now")
    early = loop.data.blame_entry(1)
    assert len(early.snapshots) == 2
    assert early.versions[0] == 1
    assert len(early.runs) == 2
    late = loop.data.blame(ids_of(85, 95))
    assert late.ordinals == (_range(85, 90),)
    assert late.snapshots == ()
    assert {m.metric for m in loop.data.blame(ids_of(60, 61)).measurements} != set()
    with pytest.raises(RowsRefused, match="no journal entry 99"):
        loop.data.blame_entry(99)


def test_forget(loop: rt.Loop) -> None:
    """A person's rows are erased from every file, and what was trained on them is named."""
    loop.feedback(["p61"], ratings=[-1])
    loop.emit("now")
    gone, touched = loop.data.forget(ids_of(60, 63), reason="asked for")
    assert (gone.rows, gone.labels, gone.feedback) == (3, 3, 1)
    assert [pin.erased for pin in loop.data.snapshots()] == [0, 3]
    assert touched.runs[0].id == loop.runs()[1].id
    [told] = [e for e in loop.events() if e.type == "ratoon.data.forgotten"]
    assert told.data["rows"] == 3
    loop.close()
    left = everything_in(log_of(loop))
    assert "p64" in left
    for row_id in ("p60", "p61", "p62"):
        assert row_id not in left
    second = loop.data.snapshots()[1]
    assert len(loop.data.snapshot(second.digest)) == second.count - 3
    answer = loop.predict(rows_of(100, 130), ids=ids_of(100, 130))
    loop.label(ids_of(100, 130), labels_of(100, 130))
    assert len(answer) == 30
    assert loop.status().counts.labelled == 120


def test_forget_history(loop: rt.Loop) -> None:
    """Rows of history are blamed and erased too, and the loop goes on without them."""
    ids = ["history-1-3", "history-1-59", "history-1-60"]
    blamed = loop.data.blame(ids)
    assert blamed.ordinals == (_range(3, 4), _range(59, 60))
    assert 1 in blamed.versions
    gone, touched = loop.data.forget(ids)
    assert (gone.ids, gone.rows, gone.labels) == (("history-1-3", "history-1-59"), 2, 2)
    assert touched.versions == blamed.versions
    assert loop.data.blame(ids).ordinals == ()
    first = loop.data.snapshots()[0]
    assert len(loop.data.snapshot(first.digest)) == first.count - first.erased
    assert first.erased
    loop.close()
    left = everything_in(log_of(loop))
    assert "history-1-4'" in left
    assert "history-1-3'" not in left
    loop.emit("now")
    assert loop.runs()[-1].version == 2
    assert rt.replay(loop, loop.history()).rows[0].fits


def test_table_versions_of_a_pin_hold_its_rows(loop: rt.Loop) -> None:
    """The versions of the tables that a pin names have all rows that were trained on."""
    loop.emit("now")
    for pin in loop.data.snapshots():
        table = DeltaTable(str(log_of(loop) / "labels"), version=pin.tables["labels"])
        there = set(table.to_pyarrow_table()["ordinal"].to_pylist())
        assert there.issuperset(n for part in pin.rows for n in range(part.start, part.stop))
        assert pin.tables.keys() >= {"predictions", "labels", "journal"}


def test_forget_while_a_training_reads(loop: rt.Loop) -> None:
    """A snapshot whose rows were erased before it was pinned is read without them."""
    pin = loop.data.snapshots()[0]
    loop.data.forget(["history-1-0"])
    store_of(loop).commit(Record(pins=(replace(pin, gone=()),)))
    assert len(loop.data.snapshot(pin.digest)) == pin.count - 1
    assert loop.reproduce(str(pin.run_id)).erased == 1


def test_rows_set_aside_are_not_trained_on(loop: rt.Loop) -> None:
    """Rows that are set aside are in no snapshot until they are released."""
    aside = loop.data.set_aside(ids_of(60, 65), "the sensor was broken")
    assert aside.rows == (_range(60, 65),)
    loop.emit("now")
    first, second = loop.data.snapshots()
    assert all(part.stop <= 60 or part.start >= 65 for part in second.rows)
    released = loop.data.release(aside.id, by="ann")
    assert released.released_by == "ann"
    with pytest.raises(RowsRefused, match="'nothing'"):
        loop.data.release("nothing")
    with pytest.raises(RowsRefused, match="none of these rows is labelled"):
        loop.data.set_aside(["p99"], "no label")
    assert first.count < second.count


def test_prune(loop: rt.Loop, clock: VirtualClock) -> None:
    """Old rows go, but never those that a version was trained on, nor those still looked at.

    Files that hold some of both are written anew.
    """
    store = store_of(loop)
    for batch in range(3):
        first = 100 + 40 * batch
        at = START + timedelta(days=10 * batch)
        store.append(replace(_predictions(loop, first, first + 40), at=at))
        loop.close()  # a file of its own
        store = store_of(loop)
    clock.set(START + timedelta(days=40))
    store.note_compared("0" * 64, "of a snapshot that no version was trained on")
    old = 180 - store.counts().labelled  # without labels, before day 15
    assert 80 < old < 180
    assert loop.data.prune(age="25d", dry_run=True) == old
    assert loop.data.prune(age="25d") == old
    left = ds.dataset(DeltaTable(str(log_of(loop) / "predictions")).file_uris()).count_rows()
    assert left == 220 - old
    [pin] = loop.data.snapshots()
    assert len(loop.data.snapshot(pin.digest)) == pin.count
    assert loop.data.prune(age="25d") == 0
    assert [path.name for path in (log_of(loop) / "compared").iterdir()] == [pin.digest]
    assert store_of(loop).predictions(["p100", "p179", "p210"]).keys() == {"p210"}
    sent = _predictions(loop, 100, 101)
    assert store_of(loop).append(sent).stored == 1
    assert list(store_of(loop).verify()) == []
