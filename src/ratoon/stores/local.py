"""The embedded store: rows in a log, records in a book."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from ratoon.core import wire
from ratoon.core.deciding import Decision
from ratoon.core.errors import RatoonError, StoreDamaged
from ratoon.core.events import Event
from ratoon.core.measuring import Measurement, RowRange
from ratoon.core.quarantine import Quarantined
from ratoon.core.running import Run
from ratoon.core.versions import Alias
from ratoon.core.wire import Json
from ratoon.stores.asking import Part
from ratoon.stores.book import SqlBook
from ratoon.stores.drafts import event_in
from ratoon.stores.erasing import Erasure, ErasureNote, same_call
from ratoon.stores.inbox import Bell, Inbox, Refused, left, take_in
from ratoon.stores.known_aliases import KnownAliases
from ratoon.stores.protocol import (
    Aliases,
    Columns,
    Counts,
    Draft,
    Entry,
    Forgotten,
    Keeping,
    Kept,
    LabelledRows,
    OnRecord,
    Receipt,
    Record,
    Saved,
)
from ratoon.stores.rowlog import RowLog
from ratoon.windows.pins import Pin
from ratoon.windows.rows import Array

_INBOX = "inbox"
_LOOKS = 5  # of a reader, while the process that writes moves rows from file to file


class Releasable(Protocol):
    """Something that is held, and let go of."""

    def release(self) -> None:
        """Let go of it."""
        ...


class LocalStore:
    """Keeps one loop: its rows in a log below a folder, its records in a book.

    One process writes the log. Another one may read, and leave events in the book's inbox, which
    the writer takes in.
    """

    def __init__(
        self,
        book: SqlBook,
        folder: Path,
        *,
        writable: bool = True,
        epoch: int | None = None,
        lock: Releasable | None = None,
        tables: str | None = None,
    ) -> None:
        """Open a loop's log in `folder`; what a process that died left undone is done.

        `epoch` stands in the ids that are made, so that no other life of the log makes the same
        ones; by default it is drawn. `lock` is released when the store is closed. `tables` is the
        URI of a place for the tables, by default the folder.
        """
        self._book = book
        self._writable = writable
        self._folder = folder
        self._inbox: Inbox | None = None
        self._opening = threading.Lock()
        self._aliases = KnownAliases(book.alias)
        self._bell = Bell(folder / _INBOX)
        self._log = RowLog(folder, epoch=epoch, tables=tables) if writable else _read(folder)
        self._lock = lock
        self._note = ErasureNote(folder)
        self._unheard = self._note.read() if writable else None  # by whoever asked for it
        try:
            if writable:
                self._recover()
        except BaseException:
            self._log.abandon()
            raise

    def _recover(self) -> None:
        """Bring the book to where the log is: the log is written first."""
        cursor = self._book.saved().cursor
        if cursor > self._log.marks.entries:
            raise StoreDamaged(
                f"the log of loop {self._book.loop!r} ends at entry {self._log.marks.entries}, "
                f"but entry {cursor} was taken in",
                hint="restore the folder from a backup",
            )
        if self._log.recovered:
            self._book.begin()
        for stored in self._log.recovered:
            if stored.entry.draft.kind == "event":
                aliases: Aliases = stored.aliases if stored.entry.seq > cursor else {}
                self._book.tell(event_in(stored.entry.draft), aliases)
        with suppress(RatoonError, SQLAlchemyError):  # the rows are hidden; later it is tried again
            self._finish_erasure()

    def append(self, draft: Draft, /, *, aliases: Aliases | None = None) -> Receipt:
        """Store what arrived, once."""
        if draft.kind == "event":
            return self._event(draft, aliases or {})
        if not self._writable:
            receipt = self._own_inbox().put(draft)
            self._bell.ring()
            return receipt
        if not self._log.marks.entries:
            self._book.begin()
        return self._log.append(draft, {})

    def _own_inbox(self) -> Inbox:
        with self._opening:
            if self._inbox is None:
                self._inbox = Inbox(self._folder / _INBOX)
            return self._inbox

    def _event(self, draft: Draft, aliases: Aliases) -> Receipt:
        told = event_in(draft)
        if not self._writable:
            body = wire.dumps({"at": draft.at.isoformat(), "note": wire.to_json(draft.note)})
            new = self._book.post(told, aliases, body)
            self._bell.ring()
            return Receipt(seq=None, stored=int(new), repeated=int(not new))
        if self._book.knows(told):
            return Receipt(seq=None, repeated=1)
        self._book.begin()
        receipt = self._log.append(draft, aliases)
        with self._aliases.changing():
            self._book.tell(told, aliases)
        return receipt

    def _take_in(self) -> None:
        """Move to the log what other processes have left: events, then rows."""
        if not self._bell.rung():
            return
        with self._aliases.changing():  # by those who rang
            self._take_in_events()
        for row in take_in(self._folder / _INBOX, self.append):
            self._book.refuse([wire.dumps(_told(row))])  # before the inbox lets go of it

    def _take_in_events(self) -> None:
        for position, body in self._book.inbox():
            found: dict[str, Any] = json.loads(body)
            at = datetime.fromisoformat(found["at"])
            draft = Draft(kind="event", at=at, note=found["note"])
            with self._log.held() as append:  # so that no flush forgets it before the inbox does
                if not self._log.has_event(event_in(draft)):
                    append(draft, {})
                self._book.taken(position)

    def entries(self, after: int, /) -> Iterator[Entry]:
        """Read the journal behind the entry `after`, in order."""
        if self._writable:
            self._take_in()
        return self._log.entries(after)

    def last_seq(self) -> int:
        """Return the number of the last journal entry."""
        return self._log.marks.entries

    def arrived(self, seqs: Array, /) -> Array:
        """Return when journal entries arrived."""
        return self._log.arrived(seqs)

    def pending(self) -> int:
        """Count the events and batches of other processes that were not taken in yet."""
        return len(self._book.inbox()) + left(self._folder / _INBOX)

    def labelled(
        self, rows: RowRange, /, *, columns: Collection[str] | None = None
    ) -> LabelledRows:
        """Read labelled rows by their ordinals."""
        return self._log.labelled(rows, columns=columns)

    def compared(self, digest: str, /) -> str | None:
        """Return where the rows of a snapshot lay when they were last compared."""
        return self._log.compared(digest)

    def note_compared(self, digest: str, whence: str, /) -> None:
        """Note that the rows that lie there have this digest."""
        self._log.note_compared(digest, whence)

    def prune(self, keeping: Keeping, /) -> int:
        """Remove old rows from the tables; return how many predictions went."""
        return self._log.prune(keeping)

    def forget(self, ids: Sequence[str], /, *, record: OnRecord | None = None) -> Forgotten:
        """Erase all rows with these ids from every file, and put that on record.

        A process that dies meanwhile has done nothing, or the rest is done when the log is opened
        next; the same call, sent again, then tells of the same rows.
        """
        self._finish_erasure()
        with self._log.erasing(ids) as found:
            before, self._unheard = self._unheard, None
            if before is not None and same_call(before, found):
                return before.answer(ids)
            begun = found if record is None else replace(found, record=record(found.forgotten))
            self._note.write(begun)
            with self._log.stale_if_failed():
                self._erase(begun)
                self._note.settle(begun)
        return found.forgotten

    def _erase(self, erasure: Erasure) -> None:
        """Put on record what is erased, and erase it; all of it may be done again."""
        if erasure.record is not None:
            self.commit(erasure.record)
        self._log.erase(erasure)
        self._book.forget_refused(erasure.ids)

    def _finish_erasure(self) -> None:
        """Do the rest of what a process that died had begun to erase."""
        erasure = self._note.read()
        if erasure is not None and not erasure.done:
            self._log.hide(erasure)
            self._erase(erasure)
            self._note.settle(erasure)
            self._unheard = self._note.read()

    @property
    def stale(self) -> bool:
        """Whether it knows of rows that are not on the disk, so that it must be opened anew."""
        return self._log.stale

    def ordinals(self, ids: Sequence[str], /) -> tuple[RowRange, ...]:
        """Return the ordinals of those rows that are labelled."""
        return self._log.ordinals(ids)

    def verify(self) -> Iterator[str]:
        """Read every file of rows; tell of each that is not what was written."""
        return self._log.verify()

    def parts(self) -> Mapping[str, Part]:
        """Return the rows of each table, for questions in SQL."""
        return self._log.parts()

    def predictions(self, ids: Sequence[str], /) -> Mapping[str, Columns]:
        """Read the predictions with these ids."""
        return self._log.predictions(ids)

    def refused(self) -> Sequence[Mapping[str, Json]]:
        """Return the rows of other processes that could not be taken in, and why."""
        return self._book.refused()

    def table_versions(self) -> Mapping[str, int]:
        """Bring the rows to their tables, and return the version of each."""
        return self._log.table_versions()

    def saved(self) -> Saved:
        """Return where the loop is."""
        return self._book.saved()

    def delays(self) -> str | None:
        """Return what is known of label delays."""
        return self._book.delays()

    def commit(self, record: Record, /) -> None:
        """Store what a turn changed.

        A turn that did nothing but count on is not waited for: after a cut of the power the
        journal brings it about again. Whatever has an effect is durable when this returns.
        """
        counts = replace(record, saved=Saved(), measurements=(), delays=None)
        counted = counts == Record(saved=Saved())
        with self._aliases.changing() if record.aliases else nullcontext():
            self._book.commit(record, durable=not counted)

    def events(self) -> Sequence[Event]:
        """Return all events."""
        return self._book.events()

    def decisions(self) -> Sequence[Decision]:
        """Return all decisions."""
        return self._book.decisions()

    def measurements(self) -> Sequence[Measurement]:
        """Return all measurements."""
        return self._book.measurements()

    def runs(self) -> Sequence[Run]:
        """Return all runs."""
        return self._book.runs()

    def versions(self) -> Sequence[Kept]:
        """Return all versions."""
        return self._book.versions()

    def run(self, run_id: str, /) -> Run | None:
        """Return a run by its id."""
        return self._book.run(run_id)

    def version(self, number: int, /) -> Kept | None:
        """Return a version by its number."""
        return self._book.version(number)

    def pins(self) -> Sequence[Pin]:
        """Return the pins of all snapshots."""
        return self._book.pins()

    def pin(self, digest: str, /) -> Pin | None:
        """Return the pin of a snapshot by its digest."""
        return self._book.pin(digest)

    def quarantined(self) -> Sequence[Quarantined]:
        """Return all rows that were ever set aside."""
        return self._book.quarantined()

    def alias(self, name: Alias, /) -> int | None:
        """Return the version that an alias names."""
        return self._aliases.get(name) if self._writable else self._book.alias(name)

    @property
    def trouble(self) -> str | None:
        """Why rows did not reach the tables at the last try; None where they did."""
        return self._log.trouble

    def counts(self) -> Counts:
        """Count what is there."""
        return self._log.counts()

    def flush(self) -> None:
        """Bring what waits to the tables."""
        self._log.flush()

    def abandon(self) -> None:
        """Let go of files and connections as the system does when a process dies."""
        if self._inbox is not None:
            self._inbox.close()
        self._log.abandon()
        self._book.close()
        if self._lock is not None:
            self._lock.release()

    def close(self) -> None:
        """Bring what waits to the tables, and let go of files and connections."""
        try:
            if self._inbox is not None:
                self._inbox.close()
            self._log.close()
            if self._writable and self._unheard is None:
                self._note.remove()
        finally:
            self._book.close()
            if self._lock is not None:
                self._lock.release()


def _told(row: Refused) -> dict[str, Json]:
    """Return a row that was refused as JSON: what it is, why, and its content as text."""
    content = {name: str(column[0]) for name, column in row.draft.columns.items()}
    value = str(row.draft.values[0]) if row.draft.values else None
    return {
        "kind": row.kind,
        "id": row.id,
        "why": row.why,
        "at": row.draft.at.isoformat(),
        "value": value,
        "columns": content,
    }


def _read(folder: Path) -> RowLog:
    """Open a log for reading; where its writer moves rows meanwhile, look again."""
    for _ in range(_LOOKS):
        with suppress(FileNotFoundError, StoreDamaged):
            return _read_once(folder)
    return _read_once(folder)


def _read_once(folder: Path) -> RowLog:
    """Open a log for reading; what its writer has begun to erase is gone."""
    erasure = ErasureNote(folder).read()
    log = RowLog(folder, writable=False)
    if erasure is not None:
        log.hide(erasure)
    return log
