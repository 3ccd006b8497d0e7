"""Rows erased at a person's wish, from every file, whatever a process dies at meanwhile.

What is to be erased is noted first. A process that finds such a note, of one that has died, does
the rest; so neither tables, catalogue and records ever disagree for long, nor does the call that is
sent again find nothing to tell of.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ratoon.core import wire
from ratoon.log import disk
from ratoon.stores.catalog import Catalog, Numbers
from ratoon.stores.catalog import of_model as of_model_name
from ratoon.stores.entries import ERASED, NOWHERE
from ratoon.stores.protocol import Forgotten, Record
from ratoon.stores.shelves import Shelves
from ratoon.windows.pins import ranges

_NAME = "erasing.json"
_HISTORY = re.compile("history-([1-9][0-9]{0,14})-(0|[1-9][0-9]{0,14})")
_COUNTED = ["rows", "history"]  # of the marks behind an entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What one call erases."""

    ids: tuple[str, ...]  # as they were asked for; none once it is done
    asked: str  # their digest
    rows: tuple[int, ...]  # numbers in the table of predictions
    labels: tuple[int, ...]
    said: tuple[int, ...]  # feedback
    forgotten: Forgotten  # without ids once it is done
    known: tuple[int, ...] = ()  # the places of `forgotten.ids` among `ids`
    record: Record | None = None  # what is put on record of it
    done: bool = False

    def answer(self, ids: Sequence[str]) -> Forgotten:
        """Return what was erased, for the same call sent again."""
        return replace(self.forgotten, ids=tuple([ids[place] for place in self.known]))


def planned(ids: Sequence[str], catalog: Catalog, shelves: Shelves) -> Erasure:
    """Tell what rows with these ids there are to erase; all of them have been flushed."""
    rows = _still_there(rows_of(ids, catalog, shelves), catalog)
    models = catalog.parked([of_model_name(row_id) for row_id in ids])
    labels = np.concatenate([catalog.labels(rows), catalog.parked(ids), models])
    labels, said = labels[labels >= 0], catalog.said(ids)
    said = said[said >= 0]
    known = tuple(shelves.ids_of(rows))
    places = {row_id: place for place, row_id in enumerate(ids)}
    return Erasure(
        ids=tuple(ids),
        asked=_digest(ids),
        rows=tuple(rows.tolist()),
        labels=tuple(labels.tolist()),
        said=tuple(said.tolist()),
        forgotten=Forgotten(
            ids=known,
            rows=len(rows),
            labels=len(labels),
            feedback=len(said),
            ordinals=ranges(catalog.ordinals(rows)),
        ),
        known=tuple([places[row_id] for row_id in known]),
    )


def ordinals_of(ids: Sequence[str], catalog: Catalog, shelves: Shelves) -> Numbers:
    """Return the ordinals of those rows that are labelled, and still there."""
    return catalog.ordinals(_still_there(rows_of(ids, catalog, shelves), catalog))


def rows_of(ids: Sequence[str], catalog: Catalog, shelves: Shelves) -> Numbers:
    """Return the rows of predictions and of history that have one of these ids."""
    distinct = list(dict.fromkeys(ids))
    rows = catalog.find(distinct)
    return np.concatenate([rows[rows != NOWHERE], _history_rows(distinct, shelves)])


def _still_there(rows: Numbers, catalog: Catalog) -> Numbers:
    return rows[catalog.labels(rows) != ERASED]


def _history_rows(ids: Sequence[str], shelves: Shelves) -> Numbers:
    """Return the rows of history that are named by their entry and their place there.

    They stand in no index: the journal tells where an entry's rows begin.
    """
    matches = [found for found in map(_HISTORY.fullmatch, ids) if found is not None]
    named = [(int(found[1]), int(found[2])) for found in matches]
    spans = _history_spans({seq for seq, _ in named}, shelves)
    rows = [spans[seq][place] for seq, place in named if place < len(spans.get(seq, range(0)))]
    return np.array(rows, dtype=np.int64)


def _history_spans(seqs: Collection[int], shelves: Shelves) -> Mapping[int, range]:
    """Return the rows of those of the entries that are history."""
    new = {stored.entry.seq: stored for stored in shelves.newest()}
    found = {
        seq: range(new[seq].before.rows, new[seq].after.rows)
        for seq in seqs
        if seq in new and new[seq].entry.draft.kind == "history"
    }
    old = [seq for seq in seqs if seq not in new and seq <= shelves.flushed]
    if not old:
        return found
    places: Numbers = np.unique(
        [number for seq in old for number in (seq - 2, seq - 1) if number >= 0]
    )
    told = shelves.tables["journal"].take(places, _COUNTED).to_pylist()
    counts = [(row["rows"], row["history"]) for row in told]
    marks = dict(zip(places.tolist(), counts, strict=True))
    for seq in old:
        (start, before), (stop, after) = marks.get(seq - 2, (0, 0)), marks[seq - 1]
        if after > before:
            found[seq] = range(start, stop)
    return found


class ErasureNote:
    """A file that says what is being erased, or what was while a process died."""

    def __init__(self, folder: Path) -> None:
        """Keep it in a log's folder."""
        self._path = folder / _NAME

    def read(self) -> Erasure | None:
        """Return what it says; None where nothing is being erased."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        found: Erasure = wire.loads(Erasure, text)
        return found

    def write(self, erasure: Erasure) -> None:
        """Say it, durably."""
        with disk.writing(self._path):
            disk.write_durably(self._path, wire.dumps(erasure).encode())

    def settle(self, erasure: Erasure) -> None:
        """Say that it is done; no id is kept, but enough to tell the same call sent again."""
        gone = replace(erasure.forgotten, ids=())
        self.write(
            replace(
                erasure, ids=(), rows=(), labels=(), said=(), forgotten=gone, record=None, done=True
            )
        )

    def remove(self) -> None:
        """Say nothing any more, where all is done."""
        found = self.read()
        if found is not None and found.done:
            with disk.writing(self._path):
                disk.delete(self._path)
                disk.flush_folder(self._path.parent)


def same_call(before: Erasure, now: Erasure) -> bool:
    """Tell whether a call was sent before, and a process died at it that others have finished."""
    nothing = not (now.rows or now.labels or now.said)
    return before.done and nothing and before.asked == now.asked


def _digest(ids: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(ids).encode()).hexdigest()
