"""Several threads share one loop."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

import ratoon as rt
from ratoon.core.events import Event
from ratoon.stores import MemoryStore, MemoryVault
from ratoon.stores.folder import open_folder, open_known
from ratoon.stores.rowlog import RowLog
from ratoon.testing.drafts import event, predictions
from ratoon.windows.judged import Scalar
from tests.integration.engine_loops import labels_of, rows_of, train

HISTORY = 240
THREADS, BATCHES, ROWS = 8, 4, 3


def loop_in(home: Path | None) -> rt.Loop:
    """Return a loop in a folder, or in memory, that has a champion."""
    if home is None:
        loop = rt.Loop("threads", trainer=train, store=MemoryStore(), vault=MemoryVault())
    else:
        loop = rt.Loop("threads", trainer=train, home=home)
    loop.fit(rows_of(0, HISTORY), labels_of(0, HISTORY))
    return loop


@pytest.mark.parametrize("place", ["memory", "folder"])
def test_threads_record_predict_and_label_at_once(place: str, tmp_path: Path) -> None:
    """What 8 threads record, predict and label at once is all there once, under distinct ids."""
    loop = loop_in(tmp_path if place == "folder" else None)

    def work(thread: int) -> list[str]:
        ids: list[str] = []
        for batch in range(BATCHES):
            start = HISTORY + (thread * BATCHES + batch) * 2 * ROWS
            outputs: list[Scalar] = [*labels_of(start, start + ROWS)]
            scores = [[0.2, 0.8] if said == "yes" else [0.7, 0.3] for said in outputs]
            recorded = loop.record(rows_of(start, start + ROWS), outputs, scores=scores).ids
            asked = loop.predict(rows_of(start + ROWS, start + 2 * ROWS)).ids
            loop.label([*recorded, *asked], labels_of(start, start + 2 * ROWS))
            loop.feedback(recorded[:1], ratings=[1])
            loop.emit("work.done", {"thread": thread, "batch": batch})
            ids += [*recorded, *asked]
        return ids

    with loop, ThreadPoolExecutor(THREADS) as pool:
        ids = [row_id for found in pool.map(work, range(THREADS)) for row_id in found]
        counts = loop.status().counts
        assert len(set(ids)) == THREADS * BATCHES * 2 * ROWS
        assert counts.predictions == len(ids)
        assert counts.labelled == HISTORY + len(ids)
        assert counts.feedback == THREADS * BATCHES
        done = [event for event in loop.events() if event.type == "work.done"]
        assert len(done) == THREADS * BATCHES


def test_threads_open_a_loop_once(tmp_path: Path) -> None:
    """Threads whose calls come first open the folder once: none of them finds it busy."""
    loop_in(tmp_path).close()
    with rt.Loop("threads", trainer=train, home=tmp_path) as loop:
        with ThreadPoolExecutor(THREADS) as pool:
            found = list(pool.map(lambda _: loop.status().counts, range(THREADS)))
        assert len(set(found)) == 1


def test_taking_in_and_flushing_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of others are taken in while rows are flushed, however many wait: nobody hangs."""
    store = open_folder(tmp_path, "shop")
    store.append(predictions(["p"]))
    with closing(open_known(tmp_path, "shop")) as beside:
        beside.append(event("e1"))
    monkeypatch.setattr("ratoon.stores.rowlog._MOST_WAITING", 1)
    begun, known = threading.Event(), RowLog.has_event

    def flush() -> None:
        with store._log._flusher.held():  # type: ignore[union-attr]
            begun.set()
            store.flush()

    flushing = threading.Thread(target=flush, daemon=True)

    def has_event(log: RowLog, told: Event) -> bool:
        flushing.start()
        assert begun.wait(60)
        return known(log, told)

    monkeypatch.setattr(RowLog, "has_event", has_event)
    taking = threading.Thread(target=lambda: list(store.entries(0)), daemon=True)
    taking.start()
    for thread in (taking, flushing):
        thread.join(60)
        assert not thread.is_alive()
    assert [entry.draft.kind for entry in store.entries(0)] == ["predictions", "event"]
    store.close()
