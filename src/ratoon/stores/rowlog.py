"""The log of rows: predictions, labels and feedback, in the order in which they arrived."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ratoon.core.errors import SettingInvalid, StoreDamaged, StoreUnwritable
from ratoon.core.events import Event
from ratoon.core.measuring import RowRange
from ratoon.log import disk
from ratoon.log.wal import WalWriter, read_wal
from ratoon.stores import shapes
from ratoon.stores.addresses import make_ids
from ratoon.stores.asking import Part
from ratoon.stores.catalog import Catalog, Numbers
from ratoon.stores.catalog import of_model as of_model_name
from ratoon.stores.drafts import event_in
from ratoon.stores.entries import (
    ERASED,
    NOWHERE,
    Marks,
    Stored,
    from_bytes,
    to_parts,
    totals,
)
from ratoon.stores.flushing import Flusher
from ratoon.stores.protocol import (
    Aliases,
    Columns,
    Counts,
    Draft,
    Entry,
    Forgotten,
    Keeping,
    LabelledRows,
    Receipt,
)
from ratoon.stores.pruning import prune
from ratoon.stores.resolving import Resolved, resolve
from ratoon.stores.shelves import Shelves
from ratoon.windows.pins import ranges

_EPOCH_BITS = 32
_PLACE = "tables.json"
_MOST_WAITING = 1_000_000  # rows in memory that no table has


class RowLog:
    """Keeps the journal of one loop: a write-ahead file, tables, and a catalogue of the two.

    What `append` returns from survives a power cut: it stands in the write-ahead file. A thread
    brings it to the tables, in large pieces. One process writes; others may read.
    """

    def __init__(
        self,
        folder: Path,
        *,
        writable: bool = True,
        epoch: int | None = None,
        tables: str | None = None,
    ) -> None:
        """Open the log in a folder, and take in what had not reached the tables.

        `tables` is where the tables lie; by default beside the rest.
        """
        self._folder = folder
        self._lock = threading.RLock()
        self.stale = False  # whether it knows of rows that are not on the disk
        self._catalog = Catalog(folder / "catalog", writable=writable)
        self._shelves = Shelves(table_place(folder, tables, writable), writable=writable)
        self._epoch = secrets.randbits(_EPOCH_BITS) if epoch is None else epoch
        self.marks = Marks()
        self.recovered = self._recover()
        first = self.marks.entries + 1
        self._wal = WalWriter(folder / "wal", first=first) if writable else None
        self._flusher = Flusher(self._flush) if writable else None

    def _recover(self) -> tuple[Stored, ...]:
        """Take in what the write-ahead file has beyond the tables and the catalogue."""
        covered = self._catalog.covered
        found: list[Stored] = []
        self.marks = self._shelves.marks()
        if self._shelves.flushed > covered:
            for entry in self._shelves.entries(covered, self._shelves.flushed):
                self._catalog.apply(entry)
        for record in read_wal(self._folder / "wal", after=min(covered, self._shelves.flushed)):
            stored = from_bytes(record.number, record.body)
            found.append(stored)
            if record.number > covered:
                self._catalog.apply(stored)
            if record.number > self._shelves.flushed:
                self._expect(stored)
                self._shelves.put(stored)
                self.marks = stored.after
        return tuple(found)

    def _expect(self, stored: Stored) -> None:
        if stored.before != self.marks:
            raise StoreDamaged(
                f"the log in {self._folder} has a gap before entry {stored.entry.seq}",
                hint="restore the folder from a backup",
            )

    def make_ids(self, rows: int) -> tuple[str, ...]:
        """Return ids for rows that come next: each says where its row will stand."""
        return make_ids(self._epoch, self.marks.rows, rows)

    def append(self, draft: Draft, aliases: Aliases) -> Receipt:
        """Store what arrived, once; it is durable when this returns."""
        if self._shelves.waiting >= _MOST_WAITING:
            self.flush()  # the thread does not get through: whoever brings rows hears why
        with self._lock:
            self._check()
            resolved = resolve(draft, self)
            if resolved.draft is None:
                return Receipt(seq=None, repeated=resolved.repeated)
            stored, term = self._write(resolved, aliases)
        self._wait(stored.entry.seq, term)
        n = len(stored.entry.draft.ids) or len(stored.entry.draft.values) or 1
        return Receipt(
            seq=stored.entry.seq, stored=n, repeated=resolved.repeated, parked=resolved.parked
        )

    def _write(self, resolved: Resolved, aliases: Aliases) -> tuple[Stored, int]:
        assert self._wal is not None  # a log that is open for reading is never written to
        assert resolved.draft is not None  # there is something new
        seq, first = self.marks.entries + 1, self.marks.joined
        joined = RowRange(start=first, stop=first + resolved.joined)
        stored = Stored(
            entry=Entry(seq=seq, draft=_owned(resolved.draft), joined=joined),
            before=self.marks,
            after=totals(self.marks, resolved.draft, resolved.joined),
            partners=resolved.partners,
            aliases=aliases,
        )
        try:
            term = self._wal.append(seq, to_parts(stored))
        except StoreUnwritable:
            self.stale = self._wal.next_number != seq
            raise
        self._catalog.apply(stored)
        self._shelves.put(stored)
        self.marks = stored.after
        return stored, term

    def _check(self) -> None:
        if self.stale:
            why = "a write failed that others were built on; the log must be opened anew"
            raise StoreUnwritable(str(self._folder), why)

    def _wait(self, seq: int, term: int) -> None:
        assert self._wal is not None
        assert self._flusher is not None
        try:
            self._wal.wait(seq, term)
        except StoreUnwritable:
            self.stale = True  # what is in memory is not on the disk
            raise
        self._flusher.grown(self._shelves.waiting)

    @contextmanager
    def held(self) -> Generator[None]:
        """Hold the log: nothing else is appended, and nothing forgotten."""
        with self._lock:
            yield

    # What `resolve` asks

    def find(self, ids: Sequence[str]) -> Numbers:
        """Return the rows of predictions by id; -1 for those unknown."""
        return self._catalog.find(ids)

    @property
    def catalog(self) -> Catalog:
        """Where rows stand."""
        return self._catalog

    @property
    def shelves(self) -> Shelves:
        """The rows themselves."""
        return self._shelves

    # What it holds

    def entries(self, after: int) -> Iterator[Entry]:
        """Read the journal behind the entry `after`, in order."""
        with self._lock:
            last = self.marks.entries
        for stored in self._shelves.entries(after, last):
            yield stored.entry

    def labelled(self, rows: RowRange) -> LabelledRows:
        """Read labelled rows by their ordinals."""
        with self._lock:
            places, labels = self._catalog.joined(rows.start, rows.stop)
            there = self._catalog.labels(places) != ERASED
            places, labels = places[there], labels[there]
            columns = dict(self._shelves.predictions(places))
            said = self._shelves.labels(labels)
        ids = columns.pop("id", np.empty(0, dtype=object))
        nothing = np.empty(0, dtype=np.int64)
        values = shapes.values_of(said["kind"], said["value"]) if len(labels) else ()
        batches = columns.pop("seq", nothing)
        return LabelledRows(
            rows=rows,
            ids=tuple(ids.tolist()),
            values=values,
            columns=columns,
            ordinals=rows.start + np.flatnonzero(there),
            batches=batches,
            label_batches=said.get("seq", nothing),
        )

    def ordinals(self, ids: Sequence[str]) -> tuple[RowRange, ...]:
        """Return the ordinals of those rows that are labelled."""
        with self._lock:
            rows = self._catalog.find(ids)
            return ranges(self._catalog.ordinals(rows[rows != NOWHERE]))

    def verify(self) -> Iterator[str]:
        """Read every file; tell of each that is not what was written."""
        for table in self._shelves.tables.values():
            yield from table.verify()

    def parts(self) -> Mapping[str, Part]:
        """Return the rows of each table, for questions in SQL."""
        with self._lock:
            return self._shelves.parts()

    def predictions(self, ids: Sequence[str]) -> Mapping[str, Columns]:
        """Read predictions by their ids, one row each."""
        with self._lock:
            places = self._catalog.find(ids)
            known = [(row_id, int(row)) for row_id, row in zip(ids, places, strict=True)]
            there = [(row_id, row) for row_id, row in known if row >= 0]
            gone = self._catalog.labels(np.array([row for _, row in there], dtype=np.int64))
            found = [one for one, label in zip(there, gone, strict=True) if label != ERASED]
            return {row_id: self._one(row) for row_id, row in found}

    def _one(self, row: int) -> Columns:
        found = self._shelves.predictions(np.array([row]))
        return {name: column for name, column in found.items() if name not in ("id", "seq")}

    def has_event(self, told: Event) -> bool:
        """Tell whether one of the newest entries is this event."""
        newest = (stored.entry.draft for stored in self._shelves.newest())
        found = (event_in(draft) for draft in newest if draft.kind == "event")
        return any((event.source, event.id) == (told.source, told.id) for event in found)

    def table_versions(self) -> Mapping[str, int]:
        """Return the version of each table."""
        tables = self._shelves.tables.items()
        return {name: table.version for name, table in tables if table.version is not None}

    def counts(self) -> Counts:
        """Count what is there."""
        marks = self.marks
        return Counts(
            predictions=marks.rows - marks.history,
            labelled=marks.joined,
            parked=marks.labels - marks.joined - marks.aside,
            feedback=marks.said,
            entries=marks.entries,
        )

    # To the tables

    def flush(self) -> None:
        """Bring everything to the tables."""
        if self._flusher is not None:
            self._flusher.now()

    def _flush(self) -> None:
        assert self._wal is not None
        with self._lock:
            upto = self.marks.entries
        if not self._shelves.flush(upto, self._lock):
            return
        with self._lock:
            self._wal.wait(self.marks.entries)  # the catalogue knows no entry that could be lost
            self._catalog.flush(self.marks.entries)
            self._wal.rotate()
            self._wal.forget(self._shelves.flushed)
        for table in self._shelves.tables.values():
            table.compact()

    def forget(self, ids: Sequence[str]) -> Forgotten:
        """Erase the rows with these ids from every file."""
        self.flush()
        with self._lock:
            rows, parked = self._catalog.find(ids), self._catalog.parked(ids)
            said = self._catalog.said(ids)
            of_model = self._catalog.parked([of_model_name(row_id) for row_id in ids])
            rows = rows[rows != NOWHERE]
            labels = self._catalog.labels(rows)
            rows, labels = rows[labels != ERASED], labels[labels != ERASED]
            labels = np.concatenate([found[found >= 0] for found in (labels, parked, of_model)])
            said = said[said >= 0]
            ordinals = self._catalog.ordinals(rows)
            known = tuple(self._shelves.ids_of(rows))
            self._shelves.erase(rows, labels, said)
            self._catalog.erase(ids, rows)
            self._catalog.flush(self.marks.entries)
        return Forgotten(
            ids=known,
            rows=len(rows),
            labels=len(labels),
            feedback=len(said),
            ordinals=ranges(ordinals),
        )

    def prune(self, keeping: Keeping) -> int:
        """Remove old rows from the tables; return how many predictions went."""
        self.flush()
        with self._lock:
            count = prune(self._shelves, self._catalog, keeping)
            self._shelves.cool()
            self._catalog.flush(self.marks.entries)
        return count

    def abandon(self) -> None:
        """Let go of the files as they are."""
        if self._flusher is not None:
            self._flusher.stop()
        self._let_go()

    def _let_go(self) -> None:
        self._catalog.close()
        self._shelves.close()
        if self._wal is not None:
            self._wal.close()

    def close(self) -> None:
        """Bring everything to the tables, and let go of the files."""
        try:
            if self._flusher is not None:
                self._flusher.close()
        finally:
            self._let_go()


def table_place(folder: Path, asked: str | None, writable: bool) -> str:  # noqa: FBT001 - one caller
    """Return where the tables lie: where they were first put, else where they are asked for.

    Raises:
        SettingInvalid: they lie elsewhere already.
    """
    note = folder / _PLACE
    known: str | None = json.loads(note.read_text())["tables"] if note.exists() else None
    if known is not None and asked not in (None, known):
        raise SettingInvalid("tables", f"{known!r}, where they have been so far", asked)
    if known is None and asked is not None and writable:
        if (folder / "journal").exists():
            raise SettingInvalid("tables", "None: they lie in the loop's folder already", asked)
        disk.make_folder(folder)
        disk.write_durably(note, json.dumps({"tables": asked}).encode())
    return known or asked or str(folder)


def _owned(draft: Draft) -> Draft:
    """Return a draft whose arrays nobody else changes."""
    columns: dict[str, Any] = {name: column.copy() for name, column in draft.columns.items()}
    return replace(draft, columns=columns)
