"""Checks of what belongs to rows: ids, pins, quarantine, erasure."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ratoon.core.deciding import SnapshotPlan
from ratoon.core.errors import IdConflict, RowsRefused
from ratoon.core.measuring import RowRange, Window
from ratoon.core.quarantine import Quarantined
from ratoon.core.schema import Column, Schema
from ratoon.stores.protocol import Forgotten, Receipt, Record, Saved
from ratoon.testing.comparing import expect_equal, expect_raised, expect_rows
from ratoon.testing.drafts import (
    StoreMaker,
    feedback,
    history,
    labels,
    moment,
    nameless,
    predicted,
    predictions,
)
from ratoon.windows.judged import Target
from ratoon.windows.pins import Pin


def check_made_ids(make: StoreMaker) -> None:
    """Ids that the store makes are new, and find their rows, among others that people made."""
    store = make("made-ids")
    mine = predictions(["mine"])
    store.append(mine)
    made = store.append(nameless(predicted(3, shift=10))).ids
    expect_equal("distinct ids", len({*made, "mine"}), 4)
    store.append(predictions(["other"]))
    more = store.append(nameless(predicted(2, shift=20))).ids
    expect_equal("ids made", (len(made), len(more)), (3, 2))
    expect_equal("ids made before", set(more) & set(made), set[str]())
    store.append(labels([more[1], "mine", made[2], "other"], [1, 0, 1, 0]))
    found = store.labelled(RowRange(start=0, stop=4))
    expect_rows("labelled", found, [more[1], "mine", made[2], "other"], [1, 0, 1, 0])
    expect_equal("their features", found.columns["feature:x"].tolist(), [21.0, 0.0, 12.0, 0.0])
    expect_equal("ordinals", found.ordinals.tolist(), [0, 1, 2, 3])
    again = store.append(predictions(made, predicted(3, shift=10)))
    expect_equal("made ids again", again, Receipt(seq=None, repeated=3))


def check_made_ids_of_threads(make: StoreMaker) -> None:
    """Threads that append rows without ids at once each get ids of their own, for their rows."""
    store, threads, batches = make("made-ids-of-threads"), 8, 6
    store.append(predictions(["mine"]))

    def record(thread: int) -> list[tuple[str, int]]:
        shifts = [10 * (batches * thread + batch) for batch in range(batches)]
        drafts = [nameless(predicted(2, shift=shift)) for shift in shifts]
        receipts = [store.append(draft) for draft in drafts]
        pairs = zip(receipts, shifts, strict=True)
        return [(r.ids[row], shift + row) for r, shift in pairs for row in range(2)]

    with ThreadPoolExecutor(threads) as pool:
        features = dict(pair for pairs in pool.map(record, range(threads)) for pair in pairs)
    expect_equal("distinct ids", len(features), threads * batches * 2)
    expect_equal("predictions", store.counts().predictions, threads * batches * 2 + 1)
    ids = sorted(features)
    store.append(labels(ids, [1] * len(ids)))
    found = store.labelled(RowRange(start=0, stop=len(ids)))
    expect_equal("ids of labels", sorted(found.ids), ids)
    told = dict(zip(found.ids, found.columns["feature:x"].tolist(), strict=True))
    expect_equal("their features", told, {i: float(x) for i, x in features.items()})
    entries = store.entries(0)
    seqs = [entry.seq for entry in entries]
    expect_equal("the journal", seqs, list(range(1, threads * batches + 3)))


def check_labels_of_a_model(make: StoreMaker) -> None:
    """Labels that a model made are kept once, and join nothing; the true ones may still come."""
    store = make("labels-of-a-model")
    store.append(predictions(["a", "b"]))
    made = replace(labels(["a", "nobody"], [1, 1]), note={"source": "model"})
    expect_equal("receipt", store.append(made), Receipt(seq=2, stored=2))
    expect_equal("again", store.append(made), Receipt(seq=None, repeated=2))
    other = replace(made, values=(0, 1))
    expect_raised("another value", IdConflict, lambda: store.append(other))
    expect_equal("labelled", store.counts().labelled, 0)
    expect_equal("parked", store.counts().parked, 0)
    expect_equal("the true label", store.append(labels(["a"], [0])), Receipt(seq=3, stored=1))
    found = store.labelled(RowRange(start=0, stop=1))
    expect_rows("labelled then", found, ["a"], [0])


def check_ordinals_of_ids(make: StoreMaker) -> None:
    """The ordinals of labelled rows are found by their ids, as ranges in order."""
    store = make("ordinals-of-ids")
    store.append(history([0, 1]))
    store.append(predictions(["a", "b", "c", "d"]))
    store.append(labels(["c", "a", "d"], [1, 1, 1]))
    found = store.ordinals(["a", "b", "c", "nobody"])
    expect_equal("ordinals", found, (RowRange(start=2, stop=4),))
    expect_equal("of a gap", store.ordinals(["d", "c"]), (_one(2), _one(4)))
    expect_equal("of none", store.ordinals(["b"]), ())


def _one(ordinal: int) -> RowRange:
    return RowRange(start=ordinal, stop=ordinal + 1)


def check_forget(make: StoreMaker) -> None:
    """Rows that are forgotten are gone for good; all others stay, with their ordinals."""
    store = make("forget")
    store.append(predictions(["a", "b", "c", "d"]))
    store.append(labels(["d", "a", "late", "b"], [1, 0, 1, 1]))
    store.append(feedback(["a", "b"], ["-1", "1"], ["a"]))
    gone = store.forget(["a", "late", "nobody"])
    expect_equal("known ids", gone.ids, ("a",))
    expect_equal("what is gone", (gone.rows, gone.labels, gone.feedback), (1, 2, 1))
    expect_equal("ordinals", gone.ordinals, (_one(1),))
    found = store.labelled(RowRange(start=0, stop=3))
    expect_rows("labelled", found, ["d", "b"], [1, 1])
    expect_equal("their ordinals", found.ordinals.tolist(), [0, 2])
    expect_equal("predictions", sorted(store.predictions(["a", "b"])), ["b"])
    expect_equal("ordinals by id", store.ordinals(["a"]), ())
    left = [row_id for entry in store.entries(0) for row_id in entry.draft.ids]
    expect_equal("ids in the journal", sorted(set(left)), ["b", "c", "d"])
    noted = [str(entry.draft.note) for entry in store.entries(0)]
    expect_equal("notes that name it", [note for note in noted if "'a'" in note], [])
    unknown = feedback(["a"], ["1"])
    expect_raised("feedback on it", RowsRefused, lambda: store.append(unknown))
    store.append(predictions(["e"]))
    store.append(labels(["e", "c"], [0, 0]))
    found = store.labelled(RowRange(start=0, stop=5))
    expect_rows("labelled later", found, ["d", "b", "e", "c"], [1, 1, 0, 0])
    expect_equal("their ordinals", found.ordinals.tolist(), [0, 2, 3, 4])
    again = store.forget(["a"])
    expect_equal("forgotten again", (again.rows, again.labels), (0, 0))


def check_forget_history(make: StoreMaker) -> None:
    """Rows of history are forgotten by their entry and their place there, and keep both."""
    store = make("forget-history")
    store.append(predictions(["a"]))
    store.append(history([0, 1, 0, 1]))
    store.append(labels(["a"], [1]))
    expect_equal("ordinals", store.ordinals(["history-2-0", "history-2-3"]), (_one(0), _one(3)))
    unknown = ["history-1-0", "history-2-4", "history-02-0", "history-2-00", "history-9-0"]
    expect_equal("ordinals of others", store.ordinals(unknown), ())
    nothing = store.forget(unknown)
    expect_equal("of others", (nothing.ids, nothing.rows, nothing.labels), ((), 0, 0))
    gone = store.forget(["history-2-1", "a", "history-2-1"])
    expect_equal("known ids", gone.ids, ("a", "history-2-1"))
    expect_equal("what is gone", (gone.rows, gone.labels, gone.feedback), (2, 2, 0))
    expect_equal("ordinals gone", gone.ordinals, (_one(1), _one(4)))
    gone = store.forget(["history-2-2", "history-2-1"])
    expect_equal("the next", (gone.ids, gone.rows, gone.labels), (("history-2-2",), 1, 1))
    found = store.labelled(RowRange(start=0, stop=5))
    expect_rows("labelled", found, ["history-2-0", "history-2-3"], [0, 1])
    expect_equal("their ordinals", found.ordinals.tolist(), [0, 3])
    drafts = [entry.draft for entry in store.entries(0)]
    expect_equal("labels in the journal", drafts[1].values, (0, 1))
    expect_equal("features there", drafts[1].columns["feature:x"].tolist(), [0.0, 3.0])
    expect_equal("ordinals by id", store.ordinals(["history-2-1", "a"]), ())


def check_forget_on_record(make: StoreMaker) -> None:
    """What is put on record of rows that are forgotten is told of them, and kept with them."""
    store = make("forget-on-record")
    store.append(history([0, 1]))
    store.append(nameless(predicted(2)))
    store.commit(Record(saved=Saved(cursor=2, state="{}")))
    made = store.append(nameless(predicted(1))).ids
    store.append(labels(made, [1]))
    told: list[Forgotten] = []

    def record(found: Forgotten) -> Record:
        told.append(found)
        there = store.labelled(RowRange(start=0, stop=3))
        expect_equal("rows that are there meanwhile", len(there.ordinals), 3)
        return Record(aliases={"champion": found.rows})

    gone = store.forget(["history-1-1", *made], record=record)
    expect_equal("told", told, [gone])
    expect_equal("rows", gone.rows, 2)
    expect_equal("on record", store.alias("champion"), 2)
    expect_equal("as before", store.saved(), Saved(cursor=2, state="{}"))
    expect_equal("ordinals by id", store.ordinals(["history-1-1", *made]), ())


def check_pins(make: StoreMaker) -> None:
    """Pins of snapshots and rows set aside are kept by their names; a later one replaces it."""
    store = make("pins")
    rows = RowRange(start=0, stop=4)
    pin = Pin(
        digest="d1",
        at=moment(),
        count=4,
        rows=(rows,),
        plan=SnapshotPlan(train=rows, holdout=RowRange(start=4, stop=5), rule="all"),
        schema=Schema(columns=(Column(name="x", kind="number"),)),
        target=Target(task="binary", classes=("no", "yes")),
        window=Window(start=moment(), end=moment(1)),
        run_id="run-1",
        tables={"predictions": 3},
    )
    aside = Quarantined(id="q1", at=moment(), rows=(rows,), reasons=("too many 9999",))
    others = (replace(pin, digest="d2"), replace(aside, id="q2"))
    store.commit(Record(saved=Saved(), pins=(pin, others[0]), quarantined=(aside, others[1])))
    gone = (RowRange(start=1, stop=2), RowRange(start=3, stop=4))
    erased, released = replace(pin, gone=gone), replace(aside, released_at=moment(5))
    store.commit(Record(saved=Saved(), pins=(erased,), quarantined=(released,)))
    found = store.pin("d1")
    expect_equal("the pin", found and (found.digest, found.gone, found.rows), ("d1", gone, (rows,)))
    expect_equal("its classes", found and found.target.classes, ("no", "yes"))
    expect_equal("no pin", store.pin("d"), None)
    expect_equal("all pins", [(p.digest, p.erased) for p in store.pins()], [("d1", 2), ("d2", 0)])
    kept = [(q.id, q.released_at) for q in store.quarantined()]
    expect_equal("set aside", kept, [("q1", moment(5)), ("q2", None)])


def check_files_are_whole(make: StoreMaker) -> None:
    """Nothing is wrong with files that nobody touched."""
    store = make("files-are-whole")
    store.append(predictions(["a"], predicted(1)))
    store.append(labels(["a"], [1]))
    expect_equal("complaints", list(store.verify()), [])
    versions = store.table_versions()
    expect_equal("versions below 0", [n for n, version in versions.items() if version < 0], [])
