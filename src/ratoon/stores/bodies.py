"""Journal entries as bytes, as they stand in a write-ahead file, and back.

A body begins with the length of its head (4 bytes, little-endian) and the head, a JSON object. What
follows are the columns: the numbers of few rows as they lie in memory, one column behind the other
(to build and read an Arrow batch of 20 columns takes longer than to write it to the disk), those
of many rows as one compressed Arrow batch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from ratoon.core import wire
from ratoon.core.measuring import RowRange
from ratoon.stores import columns as codec
from ratoon.stores import shapes
from ratoon.stores.addresses import make_ids
from ratoon.stores.entries import NOWHERE, Marks, Stored, totals
from ratoon.stores.protocol import Columns, Draft, Entry
from ratoon.windows.rows import Array

_HEAD = 4  # bytes that say how long the head is
_FEW = 1_024  # rows; of more than that the columns are compressed
_TEXTS = "|O"  # the kind of a column of texts
_MARKS = ("entries", "rows", "history", "labels", "joined", "aside", "said")


class Bodies:
    """Makes bodies of entries; how the columns of the last one look is not written anew."""

    def __init__(self) -> None:
        self._encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
        self._layout: list[object] = []  # names and kinds of columns
        self._told = ""  # the same as JSON

    def to_parts(self, stored: Stored) -> tuple[bytes, ...]:
        """Return an entry as bytes, in parts that stand behind each other."""
        draft = stored.entry.draft
        n = len(draft.ids) or len(draft.values)
        head = _head(stored, n)
        columns: dict[str, Array] = dict(draft.columns)
        if draft.ids:
            if stored.made is None:
                columns["id"] = shapes.objects(draft.ids)
            if draft.kind != "predictions" or len(stored.entry.joined):
                columns["partner"] = stored.partners
        if n > _FEW:
            text, body = self._encoded(head), codec.to_bytes(columns)
        else:
            text, body = self._plain(head, columns)
        told = text.encode()
        return (len(told).to_bytes(_HEAD, "little"), told, body)

    def _plain(self, head: dict[str, Any], columns: Columns) -> tuple[str, bytes]:
        """Return the head and the body of few rows."""
        layout: list[object] = []
        texts: list[Any] = []
        body: list[bytes] = []
        for name, column in columns.items():
            kind = column.dtype
            layout += (name, kind)
            if kind.kind == "O":
                texts.append(column.tolist())
            else:
                body.append(column.tobytes())
        if layout != self._layout:
            told = [column.dtype.str for column in columns.values()]
            pairs = [part for pair in zip(columns, told, strict=True) for part in pair]
            self._layout, self._told = layout, self._encoded(pairs)
        if texts:
            head["texts"] = texts
        return f'{self._encoded(head)[:-1]},"columns":{self._told}}}', b"".join(body)


def _head(stored: Stored, n: int) -> dict[str, Any]:
    """Return all of an entry but its columns."""
    entry, draft, before = stored.entry, stored.entry.draft, stored.before
    head: dict[str, Any] = {
        "kind": draft.kind,
        "at": draft.at.isoformat(),
        "before": [getattr(before, name) for name in _MARKS],
        "joined": [entry.joined.start, entry.joined.stop],
        "n": n,
    }
    if draft.note:
        head["note"] = wire.to_json(draft.note)
    if stored.aliases:
        head["aliases"] = dict(stored.aliases)
    if draft.values:
        head["values"] = tuple(draft.values)
    if stored.made is not None:
        head["made"] = stored.made
    return head


def from_bytes(seq: int, body: bytes) -> Stored:
    """Read what `Bodies` made."""
    end = _HEAD + int.from_bytes(body[:_HEAD], "little")
    head: dict[str, Any] = json.loads(body[_HEAD:end])
    before = Marks(**dict(zip(_MARKS, head["before"], strict=True)))
    columns = dict(_columns(head, body, end))
    n, made = head["n"], head.get("made")
    ids = () if "id" not in columns else tuple(columns.pop("id").tolist())
    if made is not None:
        ids = make_ids(made, before.rows, n)
    partners = columns.pop("partner", np.full(len(ids), NOWHERE))
    draft = Draft(
        kind=head["kind"],
        at=datetime.fromisoformat(head["at"]),
        ids=ids,
        values=tuple(head.get("values", ())),
        columns=columns,
        note=head.get("note", {}),
    )
    start, stop = head["joined"]
    return Stored(
        entry=Entry(seq=seq, draft=draft, joined=RowRange(start=start, stop=stop)),
        before=before,
        after=totals(before, draft, stop - start),
        partners=partners,
        made=made,
        aliases=head.get("aliases", {}),
    )


def _columns(head: Mapping[str, Any], body: bytes, at: int) -> Columns:
    """Read the columns that stand behind `at`, in the order in which they were."""
    if "columns" not in head:
        return codec.from_bytes(body[at:])
    found: dict[str, Array] = {}
    told, texts = head["columns"], iter(head.get("texts", ()))
    for name, kind in zip(told[::2], told[1::2], strict=True):
        if kind == _TEXTS:
            found[name] = shapes.objects(next(texts))
            continue
        found[name] = np.frombuffer(body, dtype=kind, count=head["n"], offset=at)
        at += found[name].nbytes
    return found
