"""Entries of the journal read again from the tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratoon.core.measuring import RowRange
from ratoon.log.table import RowTable
from ratoon.stores import shapes
from ratoon.stores.entries import NOWHERE, Marks, Stored, marks_of
from ratoon.stores.protocol import Columns, Draft, Entry, EntryKind
from ratoon.windows.arrow import from_arrow

_OWN = ["row", "seq", "arrived_at", "label", "ordinal", "id"]
_PARTNERS = {"labels": "prediction", "feedback": "prediction"} | dict.fromkeys(
    ("history", "predictions"), "label"
)
_ROWS = 50_000  # rows read at once
_ENTRIES = 4_096  # entries read at once


def reread(tables: Mapping[Any, RowTable], after: int, last: int) -> Iterator[Stored]:
    """Read the entries behind `after` up to `last`, which the tables hold, in order."""
    before = Marks()
    if after:
        before = marks_of(tables["journal"].take(np.array([after - 1])).to_pylist()[0])
    for page in _pages(tables["journal"], after, last):
        for few in _small(page, before):
            rows = _Rows(tables, before, marks_of(few[-1]))
            for told in few:
                totals = marks_of(told)
                yield rows.stored(told, before, totals)
                before = totals


def _pages(journal: RowTable, after: int, last: int) -> Iterator[list[dict[str, Any]]]:
    for start in range(after, last, _ENTRIES):
        yield journal.take(np.arange(start, min(start + _ENTRIES, last))).to_pylist()


def _small(page: list[dict[str, Any]], before: Marks) -> Iterator[list[dict[str, Any]]]:
    """Cut a page into pieces of so many rows, at least an entry each."""
    piece: list[dict[str, Any]] = []
    start = before.rows + before.labels
    for told in page:
        piece.append(told)
        if told["rows"] + told["labels"] - start >= _ROWS:
            yield piece
            piece, start = [], told["rows"] + told["labels"]
    if piece:
        yield piece


class _Rows:
    """The rows of some entries, from all tables."""

    def __init__(self, tables: Mapping[Any, RowTable], before: Marks, after: Marks) -> None:
        self._predictions = _between(tables["predictions"], before.rows, after.rows)
        self._labels = _between(tables["labels"], before.labels, after.labels)
        self._feedback = _between(tables["feedback"], before.said, after.said)

    def stored(self, told: Mapping[str, Any], before: Marks, after: Marks) -> Stored:
        """Return one entry."""
        draft = Draft(
            kind=told["kind"],
            at=told["arrived_at"].astimezone(UTC),
            note=json.loads(told["note"]),
        )
        rows = self._of(draft.kind, before, after)
        joined = RowRange(start=before.joined, stop=after.joined)
        if rows is None:
            entry = Entry(seq=told["seq"], draft=draft, joined=joined)
            return Stored(entry=entry, before=before, after=after)
        if draft.kind == "history":
            labels = _cut(self._labels, before.labels, after.labels)
            draft = replace(draft, values=_values(labels))
        is_joined = draft.kind != "feedback"
        return Stored(
            entry=Entry(seq=told["seq"], draft=_filled(draft, rows), joined=joined),
            before=before,
            after=after,
            partners=_numbers(rows, _PARTNERS[draft.kind]),
            numbers=rows.column("row").to_numpy(),
            ordinals=_numbers(rows, "ordinal") if is_joined else None,
        )

    def _of(self, kind: EntryKind, before: Marks, after: Marks) -> Any:
        """Return an entry's rows in its table; None where it has none."""
        match kind:
            case "history" | "predictions":
                return _cut(self._predictions, before.rows, after.rows)
            case "labels":
                return _cut(self._labels, before.labels, after.labels)
            case "feedback":
                return _cut(self._feedback, before.said, after.said)
            case _:
                return None


def _filled(draft: Draft, rows: Any) -> Draft:
    """Return a draft with its rows."""
    ids = tuple(rows.column("id").to_pylist())
    match draft.kind:
        case "history":
            return replace(draft, columns=shapes.columns_of(rows.drop_columns(_OWN)))
        case "predictions":
            return replace(draft, ids=ids, columns=shapes.columns_of(rows.drop_columns(_OWN)))
        case "labels":
            return replace(draft, ids=ids, values=_values(rows), columns=_times(rows))
        case _:
            said = tuple(rows.column("said").to_pylist())
            complaints = rows.filter(rows.column("negative")).column("id").to_pylist()
            return replace(draft, ids=ids, values=said, note={**draft.note, "negative": complaints})


def _between(table: RowTable, start: int, stop: int) -> Any:
    return table.take(np.arange(start, stop)) if stop > start else None


def _cut(rows: Any, start: int, stop: int) -> Any:
    """Return the rows of an entry; some of them may have been erased."""
    numbers = rows.column("row").to_numpy()
    first, last = np.searchsorted(numbers, [start, stop]).tolist()
    return rows.slice(first, last - first)


def _values(rows: Any) -> tuple[Any, ...]:
    kinds, texts = rows.column("kind"), rows.column("value")
    return shapes.values_of(from_arrow(kinds), from_arrow(texts))


def _times(rows: Any) -> Columns:
    times = rows.column("time")
    return {"time": from_arrow(times)} if times.null_count < len(times) else {}


def _numbers(rows: Any, name: str) -> NDArray[np.int64]:
    return rows.column(name).fill_null(NOWHERE).to_numpy()
