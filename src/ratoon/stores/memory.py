"""The store in memory: for replay and tests, with the same contract as those on disk."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from threading import RLock

import numpy as np

from ratoon.core.errors import PredictionsUnknown
from ratoon.core.measuring import RowRange
from ratoon.stores.addresses import make_ids
from ratoon.stores.drafts import (
    chosen,
    event_in,
    is_of_model,
    named,
    same_label,
    without,
)
from ratoon.stores.joining import Address, gather, same_content
from ratoon.stores.memory_book import MemoryBook
from ratoon.stores.protocol import (
    Aliases,
    Columns,
    Counts,
    Draft,
    Entry,
    Forgotten,
    Keeping,
    LabelledRows,
    OnRecord,
    Receipt,
)
from ratoon.stores.shapes import moment_of
from ratoon.windows.judged import Scalar
from ratoon.windows.pins import ranges
from ratoon.windows.rows import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class _Label:
    id: str
    address: Address
    value: Scalar
    seq: int  # the journal entry that brought the label
    named: bool = True  # whether the row is a prediction; else it is one of history


@dataclass(slots=True)
class MemoryStore(MemoryBook):
    """Keeps one loop in memory; nothing survives the process."""

    _lock: RLock = field(default_factory=RLock)
    _entries: list[Entry] = field(default_factory=list[Entry])
    _columns: dict[int, Columns] = field(default_factory=dict[int, Columns])
    _labels: list[_Label] = field(default_factory=list[_Label])
    _values: dict[str, Scalar] = field(default_factory=dict[str, Scalar])
    _addresses: dict[str, Address] = field(default_factory=dict[str, Address])
    _parked: dict[str, tuple[Scalar, int]] = field(
        default_factory=dict[str, tuple[Scalar, int]]
    )  # the label, and the entry that brought it
    _of_model: dict[str, Scalar] = field(default_factory=dict[str, Scalar])
    _gone: set[str] = field(default_factory=set[str])
    _feedback: dict[str, Scalar] = field(default_factory=dict[str, Scalar])

    def append(self, draft: Draft, /, *, aliases: Aliases | None = None) -> Receipt:
        """Store what arrived, once."""
        with self._lock:
            ids = self._made(draft.nameless)
            receipt = self._append(named(draft, ids) if ids else draft)
            if receipt.seq is not None:
                self._aliases.update(aliases or {})
        return replace(receipt, ids=ids) if ids else receipt

    def _made(self, rows: int) -> tuple[str, ...]:
        """Return ids that no row has."""
        first = len(self._addresses)
        while not self._addresses.keys().isdisjoint(ids := make_ids(0, first, rows)):
            first += rows
        return ids

    def _append(self, draft: Draft) -> Receipt:
        match draft.kind:
            case "history":
                return self._append_history(draft)
            case "predictions":
                return self._append_predictions(draft)
            case "labels":
                return self._append_labels(draft)
            case "feedback":
                return self._append_feedback(draft)
            case "event":
                return self._append_event(draft)
            case "tick":
                return Receipt(seq=self._push(draft, 0), stored=1)

    def _push(self, draft: Draft, joined: int) -> int:
        seq, stop = len(self._entries) + 1, len(self._labels)
        rows = RowRange(start=stop - joined, stop=stop)
        columns = {name: column.copy() for name, column in draft.columns.items()}
        self._columns[seq] = columns
        self._entries.append(Entry(seq=seq, draft=replace(draft, columns=columns), joined=rows))
        return seq

    def _append_history(self, draft: Draft) -> Receipt:
        seq = len(self._entries) + 1
        for row, value in enumerate(draft.values):
            name = f"history-{seq}-{row}"
            self._labels.append(
                _Label(id=name, address=(seq, row), value=value, seq=seq, named=False)
            )
        return Receipt(seq=self._push(draft, len(draft.values)), stored=len(draft.values))

    def _append_predictions(self, draft: Draft) -> Receipt:
        new: list[int] = []
        for row, row_id in enumerate(draft.ids):
            address = self._addresses.get(row_id)
            if address is None:
                new.append(row)
            else:
                known = self._read(address[0])
                same_content("prediction", row_id, known, address[1], draft.columns, row)
        repeated = len(draft.ids) - len(new)
        if not new:
            return Receipt(seq=None, repeated=repeated)
        kept, seq = chosen(draft, new), len(self._entries) + 1
        joined = 0
        for row, row_id in enumerate(kept.ids):
            self._addresses[row_id] = (seq, row)
            if row_id in self._parked:
                value, came = self._parked.pop(row_id)
                self._labels.append(_Label(id=row_id, address=(seq, row), value=value, seq=came))
                joined += 1
        return Receipt(seq=self._push(kept, joined), stored=len(new), repeated=repeated)

    def _append_labels_of_model(self, draft: Draft) -> Receipt:
        """Labels that a model made are kept once, and join nothing."""
        for row_id, value in zip(draft.ids, draft.values, strict=True):
            if row_id in self._of_model:
                same_label(row_id, self._of_model[row_id], value)
        new = [row for row, row_id in enumerate(draft.ids) if row_id not in self._of_model]
        repeated = len(draft.ids) - len(new)
        if not new:
            return Receipt(seq=None, repeated=repeated)
        kept = chosen(draft, new)
        self._of_model.update(zip(kept.ids, kept.values, strict=True))
        return Receipt(seq=self._push(kept, 0), stored=len(new), repeated=repeated)

    def _append_labels(self, draft: Draft) -> Receipt:
        if is_of_model(draft):
            return self._append_labels_of_model(draft)
        known = [row for row, row_id in enumerate(draft.ids) if row_id in self._values]
        for row in known:
            same_label(draft.ids[row], self._values[draft.ids[row]], draft.values[row])
        new = sorted(set(range(len(draft.ids))) - set(known))
        if not new:
            return Receipt(seq=None, repeated=len(known))
        kept, joined, seq = chosen(draft, new), 0, len(self._entries) + 1
        for row_id, value in zip(kept.ids, kept.values, strict=True):
            self._values[row_id] = value
            if row_id in self._addresses:
                address = self._addresses[row_id]
                self._labels.append(_Label(id=row_id, address=address, value=value, seq=seq))
                joined += 1
            else:
                self._parked[row_id] = (value, seq)
        return Receipt(
            seq=self._push(kept, joined),
            stored=len(new),
            repeated=len(known),
            parked=len(new) - joined,
        )

    def _append_feedback(self, draft: Draft) -> Receipt:
        unknown = tuple([row_id for row_id in draft.ids if row_id not in self._addresses])
        if unknown:
            raise PredictionsUnknown(unknown)
        for row_id, said in zip(draft.ids, draft.values, strict=True):
            if row_id in self._feedback:
                same_label(row_id, self._feedback[row_id], said, "feedback on")
        new = [row for row, row_id in enumerate(draft.ids) if row_id not in self._feedback]
        repeated = len(draft.ids) - len(new)
        if not new:
            return Receipt(seq=None, repeated=repeated)
        kept = chosen(draft, new)
        self._feedback.update(zip(kept.ids, kept.values, strict=True))
        return Receipt(seq=self._push(kept, 0), stored=len(new), repeated=repeated)

    def _append_event(self, draft: Draft) -> Receipt:
        event = event_in(draft)
        if (event.source, event.id) in self._events:
            return Receipt(seq=None, repeated=1)
        self._events[event.source, event.id] = event
        return Receipt(seq=self._push(draft, 0), stored=1)

    def _read(self, seq: int) -> Columns:
        return self._columns[seq]

    def _some(self, names: Collection[str] | None, seq: int) -> Columns:
        """Return columns of an entry by their names; all for None."""
        found = self._columns[seq]
        return found if names is None else {n: c for n, c in found.items() if n in names}

    def entries(self, after: int, /) -> Iterator[Entry]:
        """Read the journal behind the entry `after`, in order."""
        yield from self._entries[after:]

    def last_seq(self) -> int:
        """Return the number of the last journal entry."""
        return len(self._entries)

    def arrived(self, seqs: Array, /) -> Array:
        """Return when journal entries arrived."""
        wanted: list[int] = seqs.tolist()
        found = [moment_of(self._entries[seq - 1].draft.at) for seq in wanted]
        return np.array(found, dtype="datetime64[us]")

    def compared(self, digest: str, /) -> str | None:  # noqa: ARG002 - the protocol's
        """Tell nothing: rows in memory have no files whose SHA-256 could stand for them."""
        return None

    def note_compared(self, digest: str, whence: str, /) -> None:
        """Note nothing."""

    def labelled(
        self, rows: RowRange, /, *, columns: Collection[str] | None = None
    ) -> LabelledRows:
        """Read labelled rows by their ordinals."""
        asked = list(enumerate(self._labels[rows.start : rows.stop], start=rows.start))
        asked = [(n, label) for n, label in asked if label.id not in self._gone]
        found = [label for _, label in asked]
        return LabelledRows(
            rows=rows,
            ordinals=np.array([n for n, _ in asked], dtype=np.int64),
            batches=np.array([label.address[0] for label in found], dtype=np.int64),
            label_batches=np.array([label.seq for label in found], dtype=np.int64),
            ids=tuple(label.id for label in found),
            values=tuple(label.value for label in found),
            columns=gather([label.address for label in found], partial(self._some, columns)),
        )

    @property
    def stale(self) -> bool:
        """Whether it must be opened anew: never."""
        return False

    def forget(self, ids: Sequence[str], /, *, record: OnRecord | None = None) -> Forgotten:
        """Erase all rows with these ids, from the journal too."""
        asked = [row_id for row_id in dict.fromkeys(ids) if row_id not in self._gone]
        found = self._to_forget(asked)
        if record is not None:
            self.commit(record(found))
        gone = set(asked)
        self._gone |= gone
        for row_id in gone & self._addresses.keys():
            self._blank(*self._addresses[row_id])
        self._entries = [
            self._history_left(entry)
            if entry.draft.kind == "history"
            else replace(entry, draft=without(entry.draft, gone))
            for entry in self._entries
        ]
        return found

    def _to_forget(self, ids: Sequence[str]) -> Forgotten:
        """Tell what rows with these ids there are to erase."""
        gone = set(ids)
        history = {label.id for label in self._labels if label.id in gone and not label.named}
        labels = sum(row_id in said for row_id in gone for said in (self._values, self._of_model))
        ordinals = [n for n, label in enumerate(self._labels) if label.id in gone]
        known = [row_id for row_id in ids if row_id in self._addresses]
        known += [row_id for row_id in ids if row_id in history]
        return Forgotten(
            ids=tuple(known),
            rows=len(known),
            labels=labels + len(history),
            feedback=sum(row_id in self._feedback for row_id in gone),
            ordinals=ranges(np.array(ordinals, dtype=np.int64)),
        )

    def _history_left(self, entry: Entry) -> Entry:
        """Return an entry of history without the rows that were forgotten."""
        there = [
            label
            for label in self._labels[entry.joined.start : entry.joined.stop]
            if label.id not in self._gone
        ]
        kept = np.array([label.address[1] for label in there], dtype=np.intp)
        columns = {name: column[kept] for name, column in self._columns[entry.seq].items()}
        values = tuple([label.value for label in there])
        return replace(entry, draft=replace(entry.draft, values=values, columns=columns))

    def _blank(self, seq: int, row: int) -> None:
        """Put nothing in the place of a row, which keeps its address."""
        kept = {name: column.copy() for name, column in self._columns[seq].items()}
        for column in kept.values():
            column[row] = np.zeros(1, dtype=column.dtype)[0]
        self._columns[seq] = kept

    def prune(self, keeping: Keeping, /) -> int:  # noqa: ARG002 - the protocol's
        """Remove nothing: all of it goes with the process."""
        return 0

    def ordinals(self, ids: Sequence[str], /) -> tuple[RowRange, ...]:
        """Return the ordinals of those rows that are labelled."""
        wanted = set(ids) - self._gone
        found = [n for n, label in enumerate(self._labels) if label.id in wanted]
        return ranges(np.array(found, dtype=np.int64))

    def verify(self) -> Iterator[str]:
        """Tell of nothing: there are no files."""
        yield from ()

    def predictions(self, ids: Sequence[str], /) -> Mapping[str, Columns]:
        """Read the predictions with these ids."""
        there = self._addresses.keys() - self._gone
        known = [row_id for row_id in ids if row_id in there]
        return {row_id: gather([self._addresses[row_id]], self._read) for row_id in known}

    def table_versions(self) -> Mapping[str, int]:
        """Return nothing: there are no tables."""
        return {}

    def counts(self) -> Counts:
        """Count what is there."""
        return Counts(
            predictions=len(self._addresses),
            labelled=len(self._labels),
            parked=len(self._parked),
            feedback=len(self._feedback),
            entries=len(self._entries),
        )

    def close(self) -> None:
        """Do nothing."""
