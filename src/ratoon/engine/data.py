"""The data under a loop: its snapshots, rows set aside, erasure, and what rows have touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ratoon.core.errors import RowsRefused, SnapshotUnknown
from ratoon.core.events import DATA_FORGOTTEN, Event
from ratoon.core.ids import derive
from ratoon.core.measuring import Measurement, RowRange
from ratoon.core.quarantine import Quarantined
from ratoon.core.running import Run
from ratoon.core.settings import whole
from ratoon.core.times import Clock, duration
from ratoon.engine import steps
from ratoon.engine.delays import DelayReader, Delays, delays_at
from ratoon.engine.pinning import unpinned
from ratoon.engine.records import Records
from ratoon.stores.memory import is_of_model
from ratoon.stores.protocol import Forgotten, Keeping, Record, Store
from ratoon.windows.pins import Pin, united
from ratoon.windows.snapshot import DatasetSnapshot

_NEWEST = 5  # windows whose labels are told
_LOOKED_BACK = 10_000  # labelled rows that trials, watches and new references may look back to


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What two snapshots differ in."""

    left: str  # digests
    right: str
    only_left: tuple[RowRange, ...]  # ordinals of labelled rows
    only_right: tuple[RowRange, ...]
    both: int  # rows
    columns_gone: tuple[str, ...]
    columns_new: tuple[str, ...]
    columns_changed: tuple[str, ...]  # of another kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What some rows have touched."""

    ids: tuple[str, ...]
    ordinals: tuple[RowRange, ...]  # of the labelled rows among them
    measurements: tuple[Measurement, ...]  # of windows that hold one of them
    snapshots: tuple[Pin, ...]
    runs: tuple[Run, ...]  # that trained on them
    versions: tuple[int, ...]  # that came of those runs


class Data:
    """The data under one loop."""

    def __init__(self, store: Store, loop: str, clock: Clock) -> None:
        """Look at one loop's store."""
        self._store = store
        self._loop = loop
        self._clock = clock

    def snapshots(self) -> Sequence[Pin]:
        """Return the pins of all snapshots, in order of their making."""
        return self._store.pins()

    def pin(self, digest: str) -> Pin:
        """Return the pin of a snapshot by its digest, or by what the digest begins with.

        Raises:
            SnapshotUnknown: there is none, or more than one.
        """
        found = [pin for pin in self._store.pins() if digest and pin.digest.startswith(digest)]
        if len(found) != 1:
            raise SnapshotUnknown(digest)
        return found[0]

    def snapshot(self, digest: str, *, anew: bool = False) -> DatasetSnapshot:
        """Read the rows of a snapshot again.

        They are compared with its digest when they are first read, and when they lie in other files
        than then; with `anew` in any case. The SHA-256 of the files is checked whenever they are
        first read by a process.

        Raises:
            SnapshotUnknown: there is none.
            SnapshotCorrupt: the rows are not what they were.
        """
        return unpinned(self.pin(digest), self._store, anew=anew)

    def diff(self, left: str, right: str) -> Difference:
        """Compare two snapshots by the rows and columns that they pin."""
        one, other = self.pin(left), self.pin(right)
        kinds, others = (
            {column.name: column.kind for column in pin.schema.columns} for pin in (one, other)
        )
        only_left, only_right = _without(one.rows, other.rows), _without(other.rows, one.rows)
        return Difference(
            left=one.digest,
            right=other.digest,
            only_left=only_left,
            only_right=only_right,
            both=_count(one.rows) - _count(only_left),
            columns_gone=tuple(name for name in kinds if name not in others),
            columns_new=tuple(name for name in others if name not in kinds),
            columns_changed=tuple(n for n in kinds if n in others and kinds[n] != others[n]),
        )

    def delays(self) -> Delays:
        """Tell how long labels take, which of them are in, and who brought them.

        The windows are the newest that were measured. Only entries that the loop has not counted
        yet are read.
        """
        reader = DelayReader(self._store)
        reader.catch_up(self._store.last_seq())
        measured = (m.window for m in self._store.measurements() if m.window.rows is not None)
        windows = list(dict.fromkeys(measured))[-_NEWEST:]
        return delays_at(reader, self._clock.now(), windows)

    def blame(self, ids: Sequence[str]) -> Touched:
        """Tell what rows have touched: measurements, snapshots, runs and versions."""
        return self._touched(tuple(ids), self._store.ordinals(ids))

    def blame_entry(self, seq: int) -> Touched:
        """Tell what the rows of one journal entry, one batch as it came, have touched."""
        entry = next(iter(self._store.entries(seq - 1)), None)
        if entry is None or entry.seq != seq:
            raise RowsRefused(f"there is no journal entry {seq}")
        if entry.draft.kind == "history":
            return self._touched((), (entry.joined,))
        if is_of_model(entry.draft):
            return self._touched(entry.draft.ids, ())  # they join nothing
        return self.blame(entry.draft.ids)  # labels that came first were joined later

    def _touched(self, ids: tuple[str, ...], ordinals: tuple[RowRange, ...]) -> Touched:
        pins = tuple(pin for pin in self._store.pins() if _overlap(pin.rows, ordinals))
        digests = {pin.digest for pin in pins}
        runs = [run for run in self._store.runs() if _trained_on(run, digests)]
        return Touched(
            ids=ids,
            ordinals=ordinals,
            measurements=tuple(
                m
                for m in self._store.measurements()
                if m.window.rows is not None and _overlap((m.window.rows,), ordinals)
            ),
            snapshots=pins,
            runs=tuple(runs),
            versions=tuple(
                kept.version.number
                for kept in self._store.versions()
                if kept.version.snapshot in digests
            ),
        )

    def forget(self, ids: Sequence[str], *, reason: str = "") -> tuple[Forgotten, Touched]:
        """Erase all rows with these ids from every file, and tell what was trained on them.

        The models stay: a model cannot be made to forget. Snapshots that held the rows keep their
        digest, which is of all rows, and say how many are gone.
        """
        now = self._clock.now()
        gone = self._store.forget(ids, record=lambda found: self._erased(found, reason, now))
        return gone, self._touched(tuple(ids), gone.ordinals)

    def _erased(self, gone: Forgotten, reason: str, now: datetime) -> Record:
        """Return what is put on record of rows that are erased."""
        touched = self._touched((), gone.ordinals)
        told = Event(
            id=derive("event", self._loop, DATA_FORGOTTEN, now.isoformat(), *gone.ordinals),
            source=f"/ratoon/{self._loop}",
            type=DATA_FORGOTTEN,
            time=now,
            subject=self._loop,
            data={
                "rows": gone.rows,
                "labels": gone.labels,
                "feedback": gone.feedback,
                "reason": reason,
                "runs": [run.id for run in touched.runs],
                "versions": list(touched.versions),
            },
        )
        pins = [
            replace(pin, gone=united(pin.gone, _common(pin.rows, gone.ordinals)))
            for pin in touched.snapshots
        ]
        return Record(pins=pins, events=(told,))

    def prune(
        self,
        *,
        age: timedelta | str | None = None,
        rows: int | None = None,
        dry_run: bool = False,
    ) -> int:
        """Remove old rows from the history; return how many predictions and rows went.

        Rows older than `age` go, and the oldest ones beyond `rows`. What a version was trained on
        stays, and so does what the loop still looks at; a file less than a quarter of which may go
        stays whole. A `dry_run` tells
        how many would go, and removes nothing.
        """
        if rows is not None:
            whole("rows", rows, least=0)
        found = None if age is None else duration("age", age)
        versions = {kept.version.snapshot for kept in self._store.versions()}
        pins = [pin for pin in self._store.pins() if pin.digest in versions]
        pinned = [part for pin in pins for part in pin.rows]
        state, labelled = Records(self._store, self._loop).state(), self._store.counts().labelled
        first = labelled if state is None else min(state.window_start, labelled)
        newest = RowRange(start=max(0, first - _LOOKED_BACK), stop=labelled)
        return self._store.prune(
            Keeping(
                now=self._clock.now(),
                age=found,
                rows=rows,
                needed=(*pinned, newest),
                snapshots=tuple(pin.digest for pin in pins),
                dry=dry_run,
            )
        )

    def quarantined(self) -> Sequence[Quarantined]:
        """Return all rows that were ever set aside."""
        return self._store.quarantined()

    def set_aside(self, ids: Sequence[str], reason: str) -> Quarantined:
        """Set labelled rows aside, so that no model is trained on them.

        Raises:
            RowsRefused: none of the rows is labelled.
        """
        ordinals = self._store.ordinals(ids)
        if not ordinals:
            raise RowsRefused("none of these rows is labelled: there is nothing to set aside")
        now = self._clock.now()
        found = Quarantined(
            id=derive("quarantine", self._loop, reason, *ordinals),
            at=now,
            rows=ordinals,
            reasons=(reason,),
        )
        self._store.commit(Record(quarantined=(found,)))
        return found

    def release(self, quarantine: str, *, by: str = "a person") -> Quarantined:
        """Let rows that were set aside be trained on again."""
        found = next((q for q in self._store.quarantined() if q.id == quarantine), None)
        if found is None:
            raise RowsRefused(f"nothing was set aside under {quarantine!r}")
        at: datetime = self._clock.now()
        released = replace(found, released_at=at, released_by=by)
        self._store.commit(Record(quarantined=(released,)))
        return released


def _trained_on(run: Run, digests: set[str]) -> bool:
    return steps.wrote(run, "train", "snapshot") in digests


def _count(rows: Sequence[RowRange]) -> int:
    return sum(len(part) for part in rows)


def _common(left: Sequence[RowRange], right: Sequence[RowRange]) -> tuple[RowRange, ...]:
    """Return the ordinals that are in both; each side is in order and without overlaps."""
    found = [
        RowRange(start=max(one.start, other.start), stop=min(one.stop, other.stop))
        for one in left
        for other in right
        if max(one.start, other.start) < min(one.stop, other.stop)
    ]
    return tuple(found)


def _overlap(left: Sequence[RowRange], right: Sequence[RowRange]) -> bool:
    return bool(_common(left, right))


def _without(left: Sequence[RowRange], right: Sequence[RowRange]) -> tuple[RowRange, ...]:
    """Return the ordinals that are in `left` alone."""
    found: list[RowRange] = []
    for one in left:
        start = one.start
        for gone in _common((one,), right):
            if start < gone.start:
                found.append(RowRange(start=start, stop=gone.start))
            start = gone.stop
        if start < one.stop:
            found.append(RowRange(start=start, stop=one.stop))
    return tuple(found)
