"""Checks of what a store does with what arrives."""

from __future__ import annotations

import numpy as np

from ratoon.core.errors import IdConflict, RowsRefused
from ratoon.core.measuring import RowRange
from ratoon.stores.protocol import Counts, Entry, Receipt, Store
from ratoon.testing.comparing import (
    expect_columns,
    expect_entries,
    expect_equal,
    expect_named,
    expect_raised,
    expect_rows,
)
from ratoon.testing.drafts import (
    StoreMaker,
    event,
    every_kind,
    feedback,
    history,
    labels,
    moment,
    predicted,
    predictions,
    tick,
)

_MANY = 1100  # more ids than a database takes in one question


def check_empty(make: StoreMaker) -> None:
    """A loop that nothing has reached has nothing."""
    store = make("empty")
    expect_equal("last_seq", store.last_seq(), 0)
    expect_equal("entries", list(store.entries(0)), [])
    expect_equal("counts", store.counts(), _counts())
    expect_equal("saved cursor", store.saved().cursor, 0)
    expect_equal("saved state", store.saved().state, None)
    expect_equal("champion", store.alias("champion"), None)
    expect_equal("delays", store.delays(), None)
    expect_equal("run", store.run("r"), None)
    expect_equal("version", store.version(1), None)
    expect_equal("predictions", dict(store.predictions(["a"])), {})
    for name in ("events", "decisions", "measurements", "runs", "versions"):
        expect_equal(name, list(getattr(store, name)()), [])


def check_journal(make: StoreMaker) -> None:
    """The journal gives back every kind of entry, column and value as it arrived, in order."""
    store = make("journal")
    sent = [
        history([0, 1.5, "late", True]),
        predictions(["a", "b", "ü"], every_kind(3) | predicted(3)),
        labels(["a", "b"], [False, 2]),
        feedback(["b"], ['{"rating":-1.0}'], ["b"]),
        event(),
        tick(0.1),
    ]
    receipts = [store.append(draft) for draft in sent]
    expect_equal("seqs", [receipt.seq for receipt in receipts], [1, 2, 3, 4, 5, 6])
    joined = [(0, 4), (4, 4), (4, 6), (6, 6), (6, 6), (6, 6)]
    expected = [
        Entry(seq=seq, draft=draft, joined=RowRange(start=start, stop=stop))
        for seq, (draft, (start, stop)) in enumerate(zip(sent, joined, strict=True), start=1)
    ]
    expect_entries("the journal", list(store.entries(0)), expected)
    expect_entries("the journal behind 4", list(store.entries(4)), expected[4:])
    expect_equal("the journal behind its end", list(store.entries(6)), [])
    arrived = store.arrived(np.array([6, 1, 6], dtype=np.int64)).tolist()
    came = [sent[n].at.replace(tzinfo=None) for n in (5, 0, 5)]
    expect_equal("when entries arrived, in the order asked", arrived, came)
    expect_equal("last_seq", store.last_seq(), 6)


def check_long_journal(make: StoreMaker) -> None:
    """A journal longer than a page of it is read whole, each entry once, in order."""
    store = make("long")
    for minute in range(520):
        store.append(tick(minute))
    found = [(entry.seq, entry.draft.at) for entry in store.entries(7)]
    expect_equal("entries behind 7", found, [(n + 1, moment(n)) for n in range(7, 520)])


def check_history(make: StoreMaker) -> None:
    """History is labelled rows from the start, with ids of its own."""
    store = make("history")
    receipt = store.append(history(["a", "b", "a"]))
    expect_equal("receipt", receipt, Receipt(seq=1, stored=3))
    found = store.labelled(RowRange(start=0, stop=3))
    expect_equal("labels", list(found.values), ["a", "b", "a"])
    expect_equal("distinct ids", len(set(found.ids)), 3)
    expect_columns("rows", found.columns, history(["a", "b", "a"]).columns)


def check_labels_join(make: StoreMaker) -> None:
    """Labels join their predictions by id, and are counted in the order in which they came."""
    store = make("labels-join")
    store.append(predictions(["a", "b", "c"]))
    store.append(predictions(["d"], predicted(1, shift=9)))
    receipt = store.append(labels(["d", "a"], [1, 0]))
    expect_equal("receipt", receipt, Receipt(seq=3, stored=2))
    store.append(labels(["c"], [1]))
    found = store.labelled(RowRange(start=0, stop=3))
    expect_rows("labelled", found, ["d", "a", "c"], [1, 0, 1])
    expect_equal("their features", found.columns["feature:x"].tolist(), [9.0, 0.0, 2.0])
    middle = store.labelled(RowRange(start=1, stop=2))
    expect_rows("the second of them", middle, ["a"], [0])
    expect_equal("its range", middle.rows, RowRange(start=1, stop=2))
    expect_equal("counts", store.counts(), _counts(predictions=4, labelled=3, entries=4))


def check_parked_labels(make: StoreMaker) -> None:
    """A label without a prediction is parked, and joins it when it comes.

    Labels that one batch of predictions completes join in the order of that batch.
    """
    store = make("parked")
    receipt = store.append(labels(["c", "a", "z"], [1, 0, 1]))
    expect_equal("receipt of labels", receipt, Receipt(seq=1, stored=3, parked=3))
    expect_equal("counts before", store.counts(), _counts(parked=3, entries=1))
    again = store.append(labels(["a"], [0]))
    expect_equal("a parked label again", again, Receipt(seq=None, repeated=1))
    receipt = store.append(predictions(["a", "b", "c"]))
    expect_equal("receipt of predictions", receipt, Receipt(seq=2, stored=3))
    found = store.labelled(RowRange(start=0, stop=2))
    expect_rows("labelled", found, ["a", "c"], [0, 1])
    expect_equal("their features", found.columns["feature:x"].tolist(), [0.0, 2.0])
    joined = [entry.joined for entry in store.entries(0)]
    expect_equal("joined", joined, [RowRange(start=0, stop=0), RowRange(start=0, stop=2)])
    after = _counts(predictions=3, labelled=2, parked=1, entries=2)
    expect_equal("counts after", store.counts(), after)


def check_ordinals(make: StoreMaker) -> None:
    """The entries of a journal cut the labelled rows into pieces without gap or overlap."""
    store = make("ordinals")
    for draft in (
        labels(["p0", "p3"], [1, 0]),
        history([0, 1]),
        predictions(["p0", "p1", "p2"]),
        labels(["p2", "p4", "p1"], [1, 1, 0]),
        tick(),
        predictions(["p3", "p4"]),
        history([1]),
    ):
        store.append(draft)
    pieces = [(entry.joined.start, entry.joined.stop) for entry in store.entries(0)]
    expect_equal("pieces", pieces, [(0, 0), (0, 2), (2, 3), (3, 5), (5, 5), (5, 7), (7, 8)])
    found = store.labelled(RowRange(start=2, stop=7))
    expect_rows("rows", found, ["p0", "p2", "p1", "p3", "p4"], [1, 1, 0, 0, 1])


def check_repeated_predictions(make: StoreMaker) -> None:
    """A prediction is stored once; sent again it counts as repeated, whatever came with it."""
    store = make("repeated-predictions")
    store.append(predictions(["a", "b"], every_kind(2) | predicted(2)))
    again = store.append(predictions(["a", "b"], every_kind(2) | predicted(2)))
    expect_equal("the same batch", again, Receipt(seq=None, repeated=2))
    later = predicted(2) | {"time": np.full(2, np.datetime64("2027-01-01", "us"))}
    later |= {"version": np.full(2, 2.0)}
    again = store.append(predictions(["a", "b"], every_kind(2) | later))
    expect_equal("at another time, by another version", again, Receipt(seq=None, repeated=2))
    mixed = store.append(predictions(["b", "c"], _rows(every_kind(3) | predicted(3), [1, 2])))
    expect_equal("one of two known", mixed, Receipt(seq=2, stored=1, repeated=1))
    expect_equal("ids of the entry", next(store.entries(1)).draft.ids, ("c",))
    expect_equal("counts", store.counts(), _counts(predictions=3, entries=2))


def check_conflicting_predictions(make: StoreMaker) -> None:
    """A prediction with another content is refused, and nothing of its batch is stored."""
    store = make("conflicting-predictions")
    sent = every_kind(5) | predicted(5)
    store.append(predictions(["a", "b", "c", "d", "e"], sent))
    changes: dict[str, object] = {
        "feature:number": 0.5,
        "feature:integer": 7,
        "feature:boolean": False,
        "feature:category": "other",
        "feature:moment": np.datetime64("2020-01-01", "us"),
        "output": 1.0,
        "score:1": 0.9,
    }
    for name, value in changes.items():
        other = {key: column.copy() for key, column in sent.items()}
        other[name][0] = value
        draft = predictions(["a", "new"], _rows(other, [0, 1]))
        error = expect_raised(f"another {name}", IdConflict, lambda d=draft: store.append(d))
        expect_equal("the id in the error", error.row_id, "a")
        expect_named("the column", error, [name.removeprefix("feature:")])
    _refuse_missing(store, sent)
    expect_equal("counts", store.counts(), _counts(predictions=5, entries=1))


def _refuse_missing(
    store: Store, sent: dict[str, np.ndarray[tuple[int], np.dtype[np.object_]]]
) -> None:
    """Send a missing value where there was one, and one where it was missing."""
    for row, name, value in (
        (0, "feature:number", np.nan),
        (2, "feature:number", 1.0),
        (0, "feature:category", None),
        (2, "feature:category", "x"),
        (0, "feature:moment", np.datetime64("NaT", "us")),
        (1, "feature:moment", np.datetime64("2020-01-01", "us")),
    ):
        other = {key: column.copy() for key, column in sent.items()}
        other[name][row] = value
        draft = predictions(["abcde"[row]], _rows(other, [row]))
        expect_raised(f"{name} of row {row}", IdConflict, lambda d=draft: store.append(d))


def check_repeated_labels(make: StoreMaker) -> None:
    """A label is stored once; 1 and 1.0 are the same label, "1" is another."""
    store = make("repeated-labels")
    store.append(predictions(["a", "b"]))
    store.append(labels(["a"], [1]))
    expect_equal("again", store.append(labels(["a"], [1])), Receipt(seq=None, repeated=1))
    expect_equal("as 1.0", store.append(labels(["a"], [1.0])), Receipt(seq=None, repeated=1))
    mixed = store.append(labels(["b", "a"], [0, 1]))
    expect_equal("one of two known", mixed, Receipt(seq=3, stored=1, repeated=1))
    expect_equal("counts", store.counts(), _counts(predictions=2, labelled=2, entries=3))


def check_conflicting_labels(make: StoreMaker) -> None:
    """A label with another value is refused, parked or joined, with its whole batch."""
    store = make("conflicting-labels")
    store.append(predictions(["a", "b"]))
    store.append(labels(["a", "parked"], [1, "late"]))
    for batch in (
        labels(["b", "a"], [0, 0]),
        labels(["a", "b"], ["1", 0]),
        labels(["b", "parked"], [0, "early"]),
        labels(["new", "parked"], [0, "early"]),
    ):
        error = expect_raised("another label", IdConflict, lambda d=batch: store.append(d))
        expect_named("the id", error, ["a", "parked"])
    expect_equal("counts", store.counts(), _counts(predictions=2, labelled=1, parked=1, entries=2))


def check_feedback(make: StoreMaker) -> None:
    """Feedback is given once, on a prediction that is known; else its batch is refused."""
    store = make("feedback")
    store.append(predictions(["a", "b"]))
    first = store.append(feedback(["a"], ["-1"], ["a"]))
    expect_equal("receipt", first, Receipt(seq=2, stored=1))
    again = store.append(feedback(["a"], ["-1"], ["a"]))
    expect_equal("again", again, Receipt(seq=None, repeated=1))
    mixed = feedback(["b", "a"], ["1", "0"])
    error = expect_raised("said otherwise", IdConflict, lambda: store.append(mixed))
    expect_equal("the id in the error", error.row_id, "a")
    unknown = feedback(["b", "nobody"], ["1", "1"])
    error = expect_raised("an unknown id", RowsRefused, lambda: store.append(unknown))
    expect_named("the id", error, ["nobody"])
    expect_equal("counts", store.counts(), _counts(predictions=2, feedback=1, entries=2))
    store.append(feedback(["b", "a"], ["1", "-1"]))
    expect_equal("ids of the entry", next(store.entries(2)).draft.ids, ("b",))


def check_events(make: StoreMaker) -> None:
    """An event is stored once for its source and id, among the records too."""
    store = make("events")
    store.append(event("e1", "shop"))
    expect_equal("again", store.append(event("e1", "shop")), Receipt(seq=None, repeated=1))
    store.append(event("e1", "till"))
    store.append(event("e2", "shop"))
    found = [(told.id, told.source) for told in store.events()]
    expect_equal("events", found, [("e1", "shop"), ("e1", "till"), ("e2", "shop")])
    expect_equal("data", store.events()[0].data["deep"], {"list": [1, None, "ü", True]})
    expect_equal("entries", store.last_seq(), 3)


def check_aliases_with_a_draft(make: StoreMaker) -> None:
    """Aliases given with a draft are pointed in the same write, unless nothing of it was new."""
    store = make("aliases-with-a-draft")
    store.append(event("e1"), aliases={"champion": 2, "challenger": None})
    expect_equal("champion", store.alias("champion"), 2)
    store.append(event("e1"), aliases={"champion": 3})
    expect_equal("champion after a repetition", store.alias("champion"), 2)
    store.append(event("e2"))
    expect_equal("champion after another event", store.alias("champion"), 2)


def check_gather(make: StoreMaker) -> None:
    """Rows of batches with different columns stand together; what a batch lacks is NaN."""
    store = make("gather")
    store.append(history([0, 1]))
    store.append(predictions(["a"], predicted(1, scores=2)))
    store.append(predictions(["b"], predicted(1, scores=3)))
    store.append(predictions(["c"], predicted(1, scores=0)))
    store.append(labels(["b", "c", "a"], [2, 0, 1]))
    found = store.labelled(RowRange(start=0, stop=5)).columns
    nan = np.nan
    expected = {
        "feature:x": np.array([0.0, 1.0, 0.0, 0.0, 0.0]),
        "output": np.array([nan, nan, 0.0, 0.0, 0.0]),
        "score:0": np.array([nan, nan, 0.1, nan, 0.1]),
        "score:1": np.array([nan, nan, 0.2, nan, 0.2]),
        "score:2": np.array([nan, nan, 0.3, nan, nan]),
        "version": np.array([nan, nan, 1.0, 1.0, 1.0]),
    }
    expect_columns("rows", {name: found[name] for name in expected}, expected)


def check_predictions_by_id(make: StoreMaker) -> None:
    """Predictions are found by id, one row each; unknown ids are left out."""
    store = make("predictions-by-id")
    sent = every_kind(5) | predicted(5)
    store.append(predictions(["a", "b", "c", "d", "e"], sent))
    found = store.predictions(["e", "nobody", "b"])
    expect_equal("ids", sorted(found), ["b", "e"])
    expect_columns("row e", found["e"], _rows(sent, [4]))
    expect_columns("row b", found["b"], _rows(sent, [1]))


def check_many_ids(make: StoreMaker) -> None:
    """A batch may have more ids than a database takes in one question."""
    store = make("many-ids")
    ids = [f"p{n}" for n in range(_MANY)]
    store.append(labels(ids[:_MANY:2], [n % 2 for n in range(0, _MANY, 2)]))
    stored = store.append(predictions(ids, predicted(_MANY)))
    expect_equal("stored", stored.stored, _MANY)
    expect_equal("found", len(store.predictions(ids)), _MANY)
    late = store.append(labels(ids, [n % 2 for n in range(_MANY)]))
    expect_equal("labels", (late.stored, late.repeated), (_MANY // 2, _MANY // 2))
    again = store.append(predictions(ids, predicted(_MANY)))
    expect_equal("again", again, Receipt(seq=None, repeated=_MANY))
    found = store.labelled(RowRange(start=0, stop=_MANY))
    expect_rows("labelled", found, [*ids[::2], *ids[1::2]], [0] * 550 + [1] * 550)
    expect_equal("features", found.columns["feature:x"].tolist()[:3], [0.0, 2.0, 4.0])


def check_sent_arrays_are_copied(make: StoreMaker) -> None:
    """What is stored does not change when a sender or a reader goes on using its arrays."""
    store = make("copied")
    sent = predicted(2)
    store.append(predictions(["a", "b"], sent))
    store.append(labels(["a", "b"], [0, 1]))
    sent["feature:x"][:] = 99.0
    read = store.labelled(RowRange(start=0, stop=2)).columns["feature:x"]
    expect_equal("after the sender's change", read.tolist(), [0.0, 1.0])


def _rows(
    columns: dict[str, np.ndarray[tuple[int], np.dtype[np.object_]]], index: list[int]
) -> dict[str, np.ndarray[tuple[int], np.dtype[np.object_]]]:
    return {name: column[index] for name, column in columns.items()}


def _counts(
    predictions: int = 0, labelled: int = 0, parked: int = 0, feedback: int = 0, entries: int = 0
) -> Counts:
    return Counts(
        predictions=predictions,
        labelled=labelled,
        parked=parked,
        feedback=feedback,
        entries=entries,
    )
