"""How long labels take, learnt from a loop's journal, entry by entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ratoon.core import wire
from ratoon.core.measuring import Window
from ratoon.engine.evidence import Read
from ratoon.stores.drafts import is_of_model
from ratoon.stores.protocol import Entry, Store
from ratoon.windows.arrived import Arrived, DelayChange, Matched, Maturity
from ratoon.windows.maturity import Arrivals, DelayState, LabelDelays

_ENTRIES = 256  # that wait to be counted, or to be stored: those are read again after a restart
_ROWS = 50_000  # of them
_SOURCES = 100  # told apart; labels of more of them are counted as of `OTHERS`
HISTORY, OTHERS = "history", "others"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sourced:
    """How many labels came from one source."""

    source: str | None  # None where it was not said
    labels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What is known of a loop's labels up to a journal entry; it is stored as JSON."""

    seq: int = 0  # the last entry that was counted
    state: DelayState = DelayState()
    sources: tuple[Sourced, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSeen:
    """A window that was measured, and how many of its labels are in by now."""

    window: Window
    maturity: Maturity


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Delays:
    """What is known of a loop's labels at one time."""

    at: datetime
    p50: timedelta | None  # half of the labels come within this; None where not known yet
    p90: timedelta | None
    p99: timedelta | None
    label_rate: float | None  # share of the predictions that is ever labelled
    label_rate_stderr: float | None
    watermark: datetime | None  # up to this event time windows are mature
    windows: tuple[WindowSeen, ...]  # the newest that were measured, oldest first
    matched: Matched
    change: DelayChange | None  # the labels of new predictions do not come as before
    sources: tuple[Sourced, ...]  # most labels first
    said: str  # in words


class DelayReader:
    """Counts label delays from a journal; each entry is read once, whenever the process ends.

    Labels that a model made are no labels here, and rows of history were never waited for.
    """

    def __init__(self, store: Store, delays: LabelDelays | None = None) -> None:
        """Begin where the store says that entries were counted."""
        text = store.delays()
        self._store = store
        self._delays = delays or LabelDelays()
        self._learnt: Learnt = Learnt() if text is None else wire.loads(Learnt, text)
        self._waiting: list[Arrivals] = []
        self._rows = 0  # that wait to be counted
        self._sources: Counter[str | None] = Counter()
        self._saved = self._learnt.seq
        self._unsaved_rows = 0
        self.seq = self._learnt.seq

    def take(self, entry: Entry, labelled: Read) -> None:
        """Take in the entry behind the last one; its labelled rows are read where it has any.

        Where entries before it are missing they are read later, when somebody asks: what a process
        that died had not stored does not hold up the opening of a loop.
        """
        if entry.seq > self.seq + _ENTRIES:
            self.catch_up(entry.seq - 1)
        if entry.seq != self.seq + 1:
            return
        self.seq = entry.seq
        draft = entry.draft
        if draft.kind in ("history", "labels"):
            source = HISTORY if draft.kind == "history" else draft.note.get("source")
            self._sources[None if source is None else str(source)] += len(draft.values)
        if draft.kind == "predictions":
            self._put(self._predicted(entry, labelled))
        elif draft.kind == "labels" and not is_of_model(draft):
            self._put(self._labelled(entry, labelled))
        if self.seq - self._learnt.seq >= _ENTRIES or self._rows >= _ROWS:
            self._count()

    def catch_up(self, upto: int) -> None:
        """Read the entries up to `upto` that have not been counted."""
        if self.seq >= upto:
            return
        for entry in self._store.entries(self.seq):
            if entry.seq > upto:
                return
            self.take(entry, self._store.labelled)

    def arrived(self, now: datetime) -> Arrived:
        """Return what is known at a time, when all that came before it has been taken in."""
        self._count()
        return self._delays.seen(self._learnt.state, now)

    def sources(self) -> tuple[Sourced, ...]:
        """Return how many labels each source brought, the one with most of them first."""
        self._count()
        return self._learnt.sources

    def unsaved(self) -> str | None:
        """Return what is to be stored; None as long as it is little that is new."""
        if self._learnt.seq - self._saved < _ENTRIES and self._unsaved_rows < _ROWS:
            return None
        return self._stored()

    def last(self) -> str | None:
        """Return what is to be stored at the end; None where all of it is."""
        self._count()
        return None if self._learnt.seq == self._saved else self._stored()

    def _stored(self) -> str:
        self._saved, self._unsaved_rows = self._learnt.seq, 0
        return wire.dumps(self._learnt)

    def _put(self, came: Arrivals) -> None:
        self._waiting.append(came)
        predicted, joined = came.predicted, came.joined
        rows = sum(len(part) for part in (predicted, joined) if part is not None)
        self._rows, self._unsaved_rows = self._rows + rows, self._unsaved_rows + rows

    def _count(self) -> None:
        if self.seq == self._learnt.seq:
            return
        self._learnt = Learnt(
            seq=self.seq,
            state=self._delays.steps(self._learnt.state, self._waiting),
            sources=_added(self._learnt.sources, self._sources),
        )
        self._waiting, self._rows, self._sources = [], 0, Counter()

    def _predicted(self, entry: Entry, labelled: Read) -> Arrivals:
        """Return predictions; those whose labels were parked are labelled from the beginning."""
        times, at = entry.draft.columns["time"], entry.draft.at
        if not entry.joined:
            return Arrivals(at=at, predicted=times)
        joined = labelled(entry.joined)
        return Arrivals(
            at=at,
            predicted=times,
            joined=joined.columns["time"],
            joined_since=self._store.arrived(joined.batches),
            released=self._store.arrived(joined.label_batches),
        )

    def _labelled(self, entry: Entry, labelled: Read) -> Arrivals:
        """Return labels: those that joined their predictions, and those that are parked."""
        parked = len(entry.draft.ids) - len(entry.joined)
        if not entry.joined:
            return Arrivals(at=entry.draft.at, parked=parked)
        joined = labelled(entry.joined)
        return Arrivals(
            at=entry.draft.at,
            joined=joined.columns["time"],
            joined_since=self._store.arrived(joined.batches),
            parked=max(0, parked),  # rows that were erased since are in neither
        )


def delays_at(reader: DelayReader, now: datetime, windows: Sequence[Window]) -> Delays:
    """Return what a reader knows at a time, of all labels and of some windows."""
    arrived = reader.arrived(now)
    return Delays(
        at=now,
        p50=arrived.quantile(0.5),
        p90=arrived.quantile(0.9),
        p99=arrived.quantile(0.99),
        label_rate=arrived.label_rate,
        label_rate_stderr=arrived.label_rate_stderr,
        watermark=arrived.watermark(),
        windows=tuple(WindowSeen(window=w, maturity=arrived.maturity(w)) for w in windows),
        matched=arrived.matched,
        change=arrived.change,
        sources=reader.sources(),
        said=str(arrived),
    )


def _added(known: Sequence[Sourced], new: Mapping[str | None, int]) -> tuple[Sourced, ...]:
    """Return counts by source, most first; what is too much to be told apart stands together."""
    found = Counter({one.source: one.labels for one in known})
    for source, labels in new.items():
        apart = source in found or len(found) < _SOURCES
        found[source if apart else OTHERS] += labels
    ordered = sorted(found.items(), key=lambda one: (-one[1], one[0] or ""))
    return tuple(Sourced(source=source, labels=labels) for source, labels in ordered)
