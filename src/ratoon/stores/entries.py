"""A journal entry with all that was found out about it, and as rows of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratoon.core import wire
from ratoon.core.wire import Json
from ratoon.stores import shapes
from ratoon.stores.drafts import is_of_model
from ratoon.stores.protocol import Aliases, Columns, Draft, Entry
from ratoon.windows.rows import Array

NOWHERE = -1
"""The partner of a row that has none: a parked label's prediction, a prediction's label."""

ERASED = 2**47 - 2
"""The label, a number that no label gets, of a row that was erased at a person's wish."""

_NO_PARTNERS: NDArray[np.int64] = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """How many of everything there were before an entry."""

    entries: int = 0
    rows: int = 0  # predictions and rows of history
    history: int = 0  # of them, rows of history
    labels: int = 0
    joined: int = 0  # labelled rows
    aside: int = 0  # labels that a model made, which join nothing
    said: int = 0  # feedback


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stored:
    """An entry, where its rows begin, and with whom they are joined."""

    entry: Entry
    before: Marks
    partners: NDArray[np.int64] = field(default_factory=lambda: _NO_PARTNERS)
    """Of labels and feedback the row of the prediction, of predictions that of a parked label."""
    numbers: NDArray[np.int64] | None = None
    """The numbers of its rows in their table, where some of them were erased."""
    ordinals: NDArray[np.int64] | None = None
    """The ordinals of its rows, where some of them were erased; NOWHERE for those without."""
    made: int | None = None
    """The epoch in the ids of its predictions, where the store has made all of them with it."""
    aliases: Aliases = field(default_factory=dict[Any, "int | None"])
    after: Marks = field(default_factory=Marks)
    """How many of everything there are with the entry."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """The numbers of its rows in the table of predictions, labels or feedback."""
        if self.numbers is not None:
            return self.numbers
        before, draft = self.before, self.entry.draft
        starts = {"labels": before.labels, "feedback": before.said}
        n = len(draft.values) if draft.kind == "history" else len(draft.ids)
        return starts.get(draft.kind, before.rows) + np.arange(n)

    @property
    def joins(self) -> NDArray[np.int64]:
        """The ordinal that each of its rows got as a labelled one, NOWHERE for none."""
        if self.ordinals is not None:
            return self.ordinals
        first = self.entry.joined.start
        if self.entry.draft.kind == "history":
            return first + np.arange(len(self.entry.draft.values))
        joined = self.partners != NOWHERE
        if not len(self.entry.joined):
            return np.full(len(joined), NOWHERE)
        return np.where(joined, first + np.cumsum(joined) - 1, NOWHERE)


def totals(before: Marks, draft: Draft, joined: int) -> Marks:
    """Return how many of everything there are after a draft that completes `joined` rows."""
    kind, n = draft.kind, len(draft.ids) or len(draft.values)
    is_history, is_labels = kind == "history", kind == "labels"
    return Marks(
        entries=before.entries + 1,
        rows=before.rows + (n if is_history or kind == "predictions" else 0),
        history=before.history + (n if is_history else 0),
        labels=before.labels + (n if is_history or is_labels else 0),
        joined=before.joined + joined,
        aside=before.aside + (n if is_labels and is_of_model(draft) else 0),
        said=before.said + (n if kind == "feedback" else 0),
    )


def history_ids(seq: int, rows: int) -> list[str]:
    """Return the ids of rows of history, which nobody else names."""
    return [f"history-{seq}-{row}" for row in range(rows)]


def prediction_rows(many: Sequence[Stored]) -> Columns:
    """Return the rows of entries, of one kind and with the same columns, as predictions."""
    drafts = [stored.entry.draft for stored in many]
    if drafts[0].kind == "history":
        ids = [i for s in many for i in history_ids(s.entry.seq, len(s.entry.draft.values))]
        labels = _behind(
            [s.before.labels + np.arange(len(s.entry.draft.values), dtype=np.int64) for s in many]
        )
    else:
        ids = _all_of([draft.ids for draft in drafts])
        labels = _behind([stored.partners for stored in many])
    own = {"id": shapes.objects(ids), **_arrival(many)}
    own |= {"label": labels, "ordinal": _behind([stored.joins for stored in many])}
    return own | {name: _column(drafts, name) for name in drafts[0].columns}


def label_rows(many: Sequence[Stored]) -> Columns:
    """Return the rows of entries, of one kind and with the same columns, as labels."""
    drafts = [stored.entry.draft for stored in many]
    if drafts[0].kind == "history":
        ids = [i for s in many for i in history_ids(s.entry.seq, len(s.entry.draft.values))]
        partners = [s.before.rows + np.arange(len(s.entry.draft.values)) for s in many]
        sources: list[Json] = ["history"] * len(many)
    else:
        ids = _all_of([draft.ids for draft in drafts])
        partners = [stored.partners for stored in many]
        sources = [draft.note.get("source") for draft in drafts]
    counts = [len(draft.values) for draft in drafts]
    if "time" in drafts[0].columns:
        times = _column(drafts, "time")
    else:
        times = np.full(sum(counts), np.datetime64("NaT", "us"))
    kinds, texts = shapes.texts_of(_all_of([draft.values for draft in drafts]))
    return {
        "id": shapes.objects(ids),
        **_arrival(many),
        "value": texts,
        "kind": kinds,
        "time": times,
        "prediction": _behind(partners),
        "ordinal": _behind([stored.joins for stored in many]),
        "source": np.repeat(shapes.objects(sources), counts),
    }


def feedback_rows(many: Sequence[Stored]) -> Columns:
    """Return the rows of entries in the table of feedback."""
    drafts = [stored.entry.draft for stored in many]
    return {
        "id": shapes.objects(_all_of([draft.ids for draft in drafts])),
        **_arrival(many),
        "said": shapes.objects(_all_of([draft.values for draft in drafts])),
        "negative": _behind([_negative(draft) for draft in drafts]),
        "prediction": _behind([stored.partners for stored in many]),
    }


def _all_of(parts: Sequence[tuple[Any, ...]]) -> Sequence[Any]:
    """Return the elements of all parts."""
    return parts[0] if len(parts) == 1 else [*chain.from_iterable(parts)]


def _behind(parts: Sequence[Array]) -> Array:
    """Return all parts, one behind the other."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _column(drafts: Sequence[Draft], name: str) -> Array:
    return _behind([draft.columns[name] for draft in drafts])


def _negative(draft: Draft) -> Array:
    """Tell which feedback is a complaint."""
    complaints: Any = draft.note.get("negative", [])
    return np.isin(np.array(draft.ids), np.array(complaints, dtype=str))


def _arrival(many: Sequence[Stored]) -> Columns:
    """Return which entry brought each row, and when."""
    counts = [len(stored.entry.draft.ids) or len(stored.entry.draft.values) for stored in many]
    seqs = np.array([stored.entry.seq for stored in many], dtype=np.int64)
    return {"seq": np.repeat(seqs, counts), "arrived_at": np.repeat(_moments(many), counts)}


def _moments(many: Sequence[Stored]) -> Array:
    """Return when entries arrived."""
    at = [stored.entry.draft.at.replace(tzinfo=None) for stored in many]
    return np.array(at, dtype="datetime64[us]")


def journal_rows(many: Sequence[Stored]) -> Columns:
    """Return entries as rows of the journal's table, each with how many of everything there are."""
    drafts = [stored.entry.draft for stored in many]
    columns: dict[str, Array] = {
        "seq": np.array([stored.entry.seq for stored in many], dtype=np.int64),
        "kind": shapes.objects([draft.kind for draft in drafts]),
        "arrived_at": _moments(many),
        "note": shapes.objects([_plain_note(draft) if draft.note else "{}" for draft in drafts]),
    }
    for name in Marks.__slots__:
        counts = [getattr(stored.after, name) for stored in many]
        columns[name] = np.array(counts, dtype=np.int64)
    return columns


def _plain_note(draft: Draft) -> str:
    """Return the note but for ids: those stand with their rows, and are erased with them."""
    return wire.dumps({key: value for key, value in draft.note.items() if key != "negative"})


def marks_of(row: Mapping[str, Any]) -> Marks:
    """Return the marks after an entry, that stand in its row of the journal's table."""
    return Marks(**{name: row[name] for name in Marks.__slots__})
