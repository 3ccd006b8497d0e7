"""The log of rows: predictions, labels and feedback, in the order in which they arrived."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from ratoon.core.errors import RatoonError, StoreDamaged, StoreUnwritable
from ratoon.core.events import Event
from ratoon.core.measuring import RowRange
from ratoon.log.wal import WalWriter, read_wal
from ratoon.stores import compared
from ratoon.stores.addresses import make_ids
from ratoon.stores.asking import Part
from ratoon.stores.bodies import Bodies, from_bytes
from ratoon.stores.catalog import Catalog, Numbers
from ratoon.stores.drafts import event_in, named, owned
from ratoon.stores.entries import (
    Marks,
    Stored,
    totals,
)
from ratoon.stores.erasing import Erasure, ordinals_of, planned
from ratoon.stores.flushing import Flusher, trouble_of
from ratoon.stores.protocol import (
    Aliases,
    Columns,
    Counts,
    Draft,
    Entry,
    Keeping,
    LabelledRows,
    Receipt,
)
from ratoon.stores.pruning import prune
from ratoon.stores.resolving import Resolved, resolve, resolve_made
from ratoon.stores.row_reading import read_labelled, read_predictions, versions
from ratoon.stores.shelves import Shelves
from ratoon.stores.table_place import table_place
from ratoon.windows.pins import ranges
from ratoon.windows.rows import Array

_EPOCH_BITS = 32
_TROUBLE = "flush.error"  # why rows do not reach the tables, for other processes
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
        self._bodies = Bodies()
        self.marks = Marks()
        self.recovered = self._recover()
        first = self.marks.entries + 1
        self._wal = WalWriter(folder / "wal", first=first) if writable else None
        self._flusher = Flusher(self._flush, folder / _TROUBLE) if writable else None

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

    def append(self, draft: Draft, aliases: Aliases) -> Receipt:
        """Store what arrived, once; it is durable when this returns."""
        self._make_room()
        return self._append(draft, aliases)

    def _make_room(self) -> None:
        """Flush where the thread does not get through: whoever brings rows hears why."""
        if self._shelves.waiting >= _MOST_WAITING:
            self.flush()

    def _append(self, draft: Draft, aliases: Aliases) -> Receipt:
        with self._lock:
            self._check()
            resolved = self._resolved(draft)
            if resolved.draft is None:
                return Receipt(seq=None, repeated=resolved.repeated)
            stored, term = self._write(resolved, aliases)
        self._wait(stored.entry.seq, term)
        n = len(stored.entry.draft.ids) or len(stored.entry.draft.values) or 1
        return Receipt(
            seq=stored.entry.seq,
            stored=n,
            repeated=resolved.repeated,
            parked=resolved.parked,
            ids=() if resolved.made is None else stored.entry.draft.ids,
        )

    def _resolved(self, draft: Draft) -> Resolved:
        """Tell what of a draft is new; predictions without ids get those of their rows."""
        if not draft.nameless:
            return resolve(draft, self)
        ids = make_ids(self._epoch, self.marks.rows, draft.nameless)
        while not self._catalog.is_new(ids):  # somebody has sent what looks like ours
            self._epoch = secrets.randbits(_EPOCH_BITS)
            ids = make_ids(self._epoch, self.marks.rows, draft.nameless)
        return resolve_made(named(draft, ids), self._epoch, self)

    def _write(self, resolved: Resolved, aliases: Aliases) -> tuple[Stored, int]:
        assert self._wal is not None  # a log that is open for reading is never written to
        assert resolved.draft is not None  # there is something new
        seq, first = self.marks.entries + 1, self.marks.joined
        joined = RowRange(start=first, stop=first + resolved.joined)
        stored = Stored(
            entry=Entry(seq=seq, draft=owned(resolved.draft), joined=joined),
            before=self.marks,
            after=totals(self.marks, resolved.draft, resolved.joined),
            partners=resolved.partners,
            made=resolved.made,
            aliases=aliases,
        )
        try:
            term = self._wal.append(seq, self._bodies.to_parts(stored))
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
    def held(self) -> Generator[Callable[[Draft, Aliases], Receipt]]:
        """Hold the log: nothing is appended but by what this yields, and nothing forgotten.

        Room is made before: a flush that is under way waits for the log.
        """
        self._make_room()
        with self._lock:
            yield self._append

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

    def arrived(self, seqs: Array) -> Array:
        """Return when journal entries arrived."""
        with self._lock:
            return self._shelves.arrived(seqs)

    def labelled(self, rows: RowRange, *, columns: Collection[str] | None = None) -> LabelledRows:
        """Read labelled rows by their ordinals."""
        with self._lock:
            return read_labelled(rows, columns, self._catalog, self._shelves)

    def compared(self, digest: str) -> str | None:
        """Return where the rows of a snapshot lay when they were last compared."""
        return compared.noted(self._folder, digest)

    def note_compared(self, digest: str, whence: str) -> None:
        """Note that the rows that lie there have this digest."""
        compared.note(self._folder, digest, whence)

    def ordinals(self, ids: Sequence[str]) -> tuple[RowRange, ...]:
        """Return the ordinals of those rows that are labelled."""
        with self._lock:
            return ranges(ordinals_of(ids, self._catalog, self._shelves))

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
            return read_predictions(ids, self._catalog, self._shelves)

    def has_event(self, told: Event) -> bool:
        """Tell whether one of the newest entries is this event."""
        newest = (stored.entry.draft for stored in self._shelves.newest())
        found = (event_in(draft) for draft in newest if draft.kind == "event")
        return any((event.source, event.id) == (told.source, told.id) for event in found)

    def table_versions(self) -> Mapping[str, int]:
        """Return the version of each table, with all rows in it that the disk takes there."""
        with suppress(RatoonError, OSError):  # the flusher tries again, and says why it could not
            self.flush()
        return versions(self._shelves)

    @property
    def trouble(self) -> str | None:
        """Why rows did not reach the tables at the last try; None where they did."""
        return trouble_of(self._flusher, self._folder / _TROUBLE)

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
            covered = self.marks.entries
            self._catalog.freeze()
        try:
            self._wal.wait(covered)  # the catalogue knows no entry that could be lost
            self._catalog.write(covered)
        except BaseException:
            with self._lock:
                self._catalog.thaw()
            raise
        with self._lock:
            self._catalog.settle()
            self._wal.rotate()
            self._wal.forget(self._shelves.flushed)
        for table in self._shelves.tables.values():
            table.compact()

    @contextmanager
    def _flushed(self) -> Generator[None]:
        """Hold the log with all of it in the tables; no flush is under way."""
        assert self._flusher is not None  # a log that is open for reading is never written to
        with self._flusher.held():
            self.flush()
            with self._lock:
                yield

    @contextmanager
    def erasing(self, ids: Sequence[str]) -> Generator[Erasure]:
        """Hold the log with all of it in the tables, and tell what rows have these ids."""
        with self._flushed():
            yield planned(ids, self._catalog, self._shelves)

    def hide(self, erasure: Erasure) -> None:
        """Read nothing any more that another process has begun to erase."""
        with self._lock:
            self._catalog.hide(np.array(erasure.rows, dtype=np.int64))

    def erase(self, erasure: Erasure) -> None:
        """Erase rows from every file; what is erased already is left alone."""
        rows, *others = (
            np.array(numbers, dtype=np.int64)
            for numbers in (erasure.rows, erasure.labels, erasure.said)
        )
        with self._flushed():
            self._shelves.erase(rows, *others)
            self._catalog.erase(erasure.ids, rows)
            self._catalog.flush(self.marks.entries)

    @contextmanager
    def stale_if_failed(self) -> Generator[None]:
        """Let the log be opened anew where something fails that was done by halves."""
        try:
            yield
        except BaseException:
            self.stale = True
            raise

    def prune(self, keeping: Keeping) -> int:
        """Remove old rows from the tables; return how many predictions went."""
        if keeping.dry:  # nothing is written: that may be another process's
            with self._lock:
                return prune(self._shelves, self._catalog, keeping)
        with self._flushed():
            count = prune(self._shelves, self._catalog, keeping)
            self._shelves.cool()
        compared.keep(self._folder, keeping.snapshots)
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
