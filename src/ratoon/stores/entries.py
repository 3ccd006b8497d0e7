"""A journal entry with all that was found out about it, as bytes and as rows of tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratoon.core import wire
from ratoon.core.measuring import RowRange
from ratoon.stores import columns as codec
from ratoon.stores import shapes
from ratoon.stores.drafts import is_of_model
from ratoon.stores.protocol import Aliases, Columns, Draft, Entry
from ratoon.windows.rows import Array

NOWHERE = -1
"""The partner of a row that has none: a parked label's prediction, a prediction's label."""

ERASED = 2**47 - 2
"""The label, a number that no label gets, of a row that was erased at a person's wish."""

_HEAD = 4  # bytes that say how long the header is
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
        return np.where(joined, first + np.cumsum(joined) - 1, NOWHERE)


def totals(before: Marks, draft: Draft, joined: int) -> Marks:
    """Return how many of everything there are after a draft that completes `joined` rows."""
    now = replace(before, entries=before.entries + 1, joined=before.joined + joined)
    match draft.kind:
        case "history":
            n = len(draft.values)
            return replace(now, rows=now.rows + n, history=now.history + n, labels=now.labels + n)
        case "predictions":
            return replace(now, rows=now.rows + len(draft.ids))
        case "labels":
            n = len(draft.ids)
            aside = n if is_of_model(draft) else 0
            return replace(now, labels=now.labels + n, aside=now.aside + aside)
        case "feedback":
            return replace(now, said=now.said + len(draft.ids))
        case _:
            return now


def history_ids(seq: int, rows: int) -> list[str]:
    """Return the ids of rows of history, which nobody else names."""
    return [f"history-{seq}-{row}" for row in range(rows)]


def to_parts(stored: Stored) -> tuple[bytes, ...]:
    """Return an entry as bytes, in parts that stand behind each other."""
    entry, draft = stored.entry, stored.entry.draft
    columns: dict[str, Array] = dict(draft.columns)
    if draft.ids:
        columns["id"] = shapes.objects(draft.ids)
        columns["partner"] = stored.partners
    if draft.values:
        columns["kind"], columns["value"] = shapes.texts_of(draft.values)
    before = stored.before
    header = {
        "kind": draft.kind,
        "at": draft.at.isoformat(),
        "before": [getattr(before, name) for name in Marks.__slots__],
        "joined": [entry.joined.start, entry.joined.stop],
        "note": wire.to_json(draft.note),
        "aliases": dict(stored.aliases),
    }
    head = json.dumps(header).encode()
    body = codec.to_bytes(columns) if columns else b""
    return (len(head).to_bytes(_HEAD, "little"), head, body)


def from_bytes(seq: int, body: bytes) -> Stored:
    """Read what `to_parts` made."""
    end = _HEAD + int.from_bytes(body[:_HEAD], "little")
    header: dict[str, Any] = json.loads(bytes(body[_HEAD:end]))
    columns = dict(codec.from_bytes(bytes(body[end:]))) if len(body) > end else {}
    ids = tuple(columns.pop("id").tolist()) if "id" in columns else ()
    partners = columns.pop("partner", _NO_PARTNERS)
    kinds, texts = columns.pop("kind", None), columns.pop("value", None)
    values = () if kinds is None or texts is None else shapes.values_of(kinds, texts)
    draft = Draft(
        kind=header["kind"],
        at=datetime.fromisoformat(header["at"]),
        ids=ids,
        values=values,
        columns=columns,
        note=header["note"],
    )
    start, stop = header["joined"]
    before = Marks(**dict(zip(Marks.__slots__, header["before"], strict=True)))
    return Stored(
        entry=Entry(seq=seq, draft=draft, joined=RowRange(start=start, stop=stop)),
        before=before,
        after=totals(before, draft, stop - start),
        partners=partners,
        aliases=header["aliases"],
    )


def prediction_rows(stored: Stored) -> Columns:
    """Return the rows of an entry in the table of predictions."""
    draft, seq = stored.entry.draft, stored.entry.seq
    ids: Sequence[str] = draft.ids
    labels, ordinals = stored.partners, stored.joins
    if draft.kind == "history":
        ids = history_ids(seq, len(draft.values))
        labels = stored.before.labels + np.arange(len(ids))
    own = {"id": shapes.objects(ids), **_arrival(stored, len(ids))}
    return own | {"label": labels, "ordinal": ordinals} | dict(draft.columns)


def label_rows(stored: Stored) -> Columns:
    """Return the rows of an entry in the table of labels."""
    draft, seq = stored.entry.draft, stored.entry.seq
    n = len(draft.values)
    if draft.kind == "history":
        ids: Sequence[str] = history_ids(seq, n)
        partners, source = stored.before.rows + np.arange(n), "history"
        times = draft.columns["time"]
    else:
        ids, partners, source = draft.ids, stored.partners, draft.note.get("source")
        times = draft.columns.get("time", np.full(n, np.datetime64("NaT", "us")))
    kinds, texts = shapes.texts_of(draft.values)
    return {
        "id": shapes.objects(ids),
        **_arrival(stored, n),
        "value": texts,
        "kind": kinds,
        "time": times,
        "prediction": partners,
        "ordinal": stored.joins,
        "source": np.full(n, source, dtype=object),
    }


def feedback_rows(stored: Stored) -> Columns:
    """Return the rows of an entry in the table of feedback."""
    draft = stored.entry.draft
    return {
        "id": shapes.objects(draft.ids),
        **_arrival(stored, len(draft.ids)),
        "said": shapes.objects(draft.values),
        "negative": _negative(draft),
        "prediction": stored.partners,
    }


def _negative(draft: Draft) -> Array:
    """Tell which feedback is a complaint."""
    complaints: Any = draft.note.get("negative", [])
    return np.isin(np.array(draft.ids), np.array(complaints, dtype=str))


def _arrival(stored: Stored, rows: int) -> Columns:
    moment = shapes.moment_of(stored.entry.draft.at)
    return {"seq": np.full(rows, stored.entry.seq), "arrived_at": np.full(rows, moment)}


def journal_rows(many: Sequence[Stored]) -> Columns:
    """Return entries as rows of the journal's table, each with how many of everything there are."""
    drafts = [stored.entry.draft for stored in many]
    columns: dict[str, Array] = {
        "seq": np.array([stored.entry.seq for stored in many], dtype=np.int64),
        "kind": shapes.objects([draft.kind for draft in drafts]),
        "arrived_at": np.array([shapes.moment_of(draft.at) for draft in drafts]),
        "note": shapes.objects([_plain_note(draft) for draft in drafts]),
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
