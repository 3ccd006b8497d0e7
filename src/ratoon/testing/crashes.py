"""A store whose process dies at a chosen write."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from ratoon.core.deciding import Decision
from ratoon.core.events import Event
from ratoon.core.measuring import Measurement, RowRange
from ratoon.core.quarantine import Quarantined
from ratoon.core.running import Run
from ratoon.core.settings import whole
from ratoon.core.versions import Alias
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
    Store,
)
from ratoon.windows.pins import Pin
from ratoon.windows.rows import Array


class Crash(BaseException):
    """The process died: no `except Exception` stops it, as none stops a power cut."""


class CrashingStore:
    """Passes everything on to another store, and dies at the n-th write.

    A write is a call of `append`, `commit` or `forget`. From the crash on every call but `close`
    raises `Crash` again, as a process that has died asks nothing more; what the inner store holds
    by then is what a new process finds. `writes` counts the writes that were begun.

    Args:
        store: the store that keeps the rows.
        at: the number of the write to die at, 1 for the first; None never dies, and only counts.
        after: die when that write is durable, just before its caller hears of it; else before it.

    >>> from ratoon.stores import MemoryStore
    >>> from ratoon.stores.protocol import Record, Saved
    >>> store = CrashingStore(MemoryStore(), at=1, after=True)
    >>> try:
    ...     store.commit(Record(saved=Saved(cursor=7)))
    ... except Crash as crash:
    ...     print(crash)
    died after write 1
    >>> store.inner.saved().cursor
    7
    """

    def __init__(self, store: Store, at: int | None = None, *, after: bool = False) -> None:
        if at is not None:
            whole("at", at, least=1)
        self.inner = store
        self.writes = 0
        self._at = at
        self._after = after
        self._dead = False

    def _die_if(self, *, after: bool) -> None:
        if self.writes == self._at and after == self._after:
            self._dead = True
            raise Crash(f"died {'after' if after else 'before'} write {self.writes}")

    def _alive(self) -> Store:
        if self._dead:
            raise Crash(f"died at write {self._at}")
        return self.inner

    def append(self, draft: Draft, /, *, aliases: Aliases | None = None) -> Receipt:
        """Store what arrived, or die."""
        store = self._alive()
        self.writes += 1
        self._die_if(after=False)
        receipt = store.append(draft, aliases=aliases)
        self._die_if(after=True)
        return receipt

    def commit(self, record: Record, /) -> None:
        """Store what a turn changed, or die."""
        store = self._alive()
        self.writes += 1
        self._die_if(after=False)
        store.commit(record)
        self._die_if(after=True)

    def entries(self, after: int, /) -> Iterator[Entry]:
        """Read the journal, while alive."""
        for entry in self._alive().entries(after):
            self._alive()
            yield entry

    def last_seq(self) -> int:
        """Return the number of the last journal entry."""
        return self._alive().last_seq()

    def arrived(self, seqs: Array, /) -> Array:
        """Return when journal entries arrived."""
        return self._alive().arrived(seqs)

    def labelled(
        self, rows: RowRange, /, *, columns: Collection[str] | None = None
    ) -> LabelledRows:
        """Read labelled rows by their ordinals."""
        return self._alive().labelled(rows, columns=columns)

    def compared(self, digest: str, /) -> str | None:
        """Return where the rows of a snapshot lay when they were last compared."""
        return self._alive().compared(digest)

    def note_compared(self, digest: str, whence: str, /) -> None:
        """Note that the rows that lie there have this digest."""
        self._alive().note_compared(digest, whence)

    def forget(self, ids: Sequence[str], /, *, record: OnRecord | None = None) -> Forgotten:
        """Erase rows, or die."""
        store = self._alive()
        self.writes += 1
        self._die_if(after=False)
        gone = store.forget(ids, record=record)
        self._die_if(after=True)
        return gone

    @property
    def stale(self) -> bool:
        """Whether the inner store must be opened anew."""
        return self.inner.stale

    def prune(self, keeping: Keeping, /) -> int:
        """Remove old rows, while alive."""
        return self._alive().prune(keeping)

    def ordinals(self, ids: Sequence[str], /) -> tuple[RowRange, ...]:
        """Return the ordinals of labelled rows."""
        return self._alive().ordinals(ids)

    def verify(self) -> Iterator[str]:
        """Read every file of rows."""
        return self._alive().verify()

    def predictions(self, ids: Sequence[str], /) -> Mapping[str, Columns]:
        """Read the predictions with these ids."""
        return self._alive().predictions(ids)

    def table_versions(self) -> Mapping[str, int]:
        """Return the version of each table."""
        return self._alive().table_versions()

    def saved(self) -> Saved:
        """Return where the loop is."""
        return self._alive().saved()

    def delays(self) -> str | None:
        """Return what is known of label delays."""
        return self._alive().delays()

    def events(self) -> Sequence[Event]:
        """Return all events."""
        return self._alive().events()

    def decisions(self) -> Sequence[Decision]:
        """Return all decisions."""
        return self._alive().decisions()

    def measurements(self) -> Sequence[Measurement]:
        """Return all measurements."""
        return self._alive().measurements()

    def runs(self) -> Sequence[Run]:
        """Return all runs."""
        return self._alive().runs()

    def versions(self) -> Sequence[Kept]:
        """Return all versions."""
        return self._alive().versions()

    def run(self, run_id: str, /) -> Run | None:
        """Return a run by its id."""
        return self._alive().run(run_id)

    def version(self, number: int, /) -> Kept | None:
        """Return a version by its number."""
        return self._alive().version(number)

    def pins(self) -> Sequence[Pin]:
        """Return the pins of all snapshots."""
        return self._alive().pins()

    def pin(self, digest: str, /) -> Pin | None:
        """Return the pin of a snapshot by its digest."""
        return self._alive().pin(digest)

    def quarantined(self) -> Sequence[Quarantined]:
        """Return all rows that were ever set aside."""
        return self._alive().quarantined()

    def alias(self, name: Alias, /) -> int | None:
        """Return the version that an alias names."""
        return self._alive().alias(name)

    def counts(self) -> Counts:
        """Count what is there."""
        return self._alive().counts()

    def close(self) -> None:
        """Close the inner store, dead or alive: the system closes a dead process's files too."""
        self.inner.close()
