"""The store in memory: for replay and tests, with the same contract as those on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ratoon.core.deciding import Decision
from ratoon.core.events import Event
from ratoon.core.measuring import Measurement, RowRange
from ratoon.core.quarantine import Quarantined
from ratoon.core.running import Run
from ratoon.core.versions import Alias
from ratoon.stores.addresses import make_ids
from ratoon.stores.drafts import (
    chosen,
    event_in,
    is_of_model,
    same_label,
    unknown_prediction,
    without,
)
from ratoon.stores.joining import Address, gather, same_content
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
    Receipt,
    Record,
    Saved,
)
from ratoon.windows.judged import Scalar
from ratoon.windows.pins import Pin, ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class _Label:
    id: str
    address: Address
    value: Scalar
    seq: int  # the journal entry that brought the label


@dataclass(slots=True)
class MemoryStore:
    """Keeps one loop in memory; nothing survives the process."""

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
    _saved: Saved = Saved()
    _events: dict[tuple[str, str], Event] = field(default_factory=dict[tuple[str, str], Event])
    _decisions: list[Decision] = field(default_factory=list[Decision])
    _measurements: list[Measurement] = field(default_factory=list[Measurement])
    _runs: dict[str, Run] = field(default_factory=dict[str, Run])
    _versions: dict[int, Kept] = field(default_factory=dict[int, Kept])
    _pins: dict[str, Pin] = field(default_factory=dict[str, Pin])
    _quarantined: dict[str, Quarantined] = field(default_factory=dict[str, Quarantined])
    _aliases: dict[Alias, int | None] = field(default_factory=dict["Alias", "int | None"])

    def make_ids(self, rows: int, /) -> tuple[str, ...]:
        """Return ids for the rows that come next."""
        return make_ids(0, len(self._addresses), rows)

    def append(self, draft: Draft, /, *, aliases: Aliases | None = None) -> Receipt:
        """Store what arrived, once."""
        receipt = self._append(draft)
        if receipt.seq is not None:
            self._aliases.update(aliases or {})
        return receipt

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
            self._labels.append(_Label(id=name, address=(seq, row), value=value, seq=seq))
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
        unknown = next((row_id for row_id in draft.ids if row_id not in self._addresses), None)
        if unknown is not None:
            raise unknown_prediction(unknown)
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

    def entries(self, after: int, /) -> Iterator[Entry]:
        """Read the journal behind the entry `after`, in order."""
        yield from self._entries[after:]

    def last_seq(self) -> int:
        """Return the number of the last journal entry."""
        return len(self._entries)

    def labelled(self, rows: RowRange, /) -> LabelledRows:
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
            columns=gather([label.address for label in found], self._read),
        )

    @property
    def stale(self) -> bool:
        """Whether it must be opened anew: never."""
        return False

    def forget(self, ids: Sequence[str], /) -> Forgotten:
        """Erase all rows with these ids, from the journal too."""
        gone = set(ids) - self._gone
        self._gone |= gone
        labels = sum(row_id in said for row_id in gone for said in (self._values, self._of_model))
        feedback = sum(row_id in self._feedback for row_id in gone)
        for row_id in gone & self._addresses.keys():
            self._blank(*self._addresses[row_id])
        self._entries = [
            replace(entry, draft=without(entry.draft, gone)) for entry in self._entries
        ]
        ordinals = [n for n, label in enumerate(self._labels) if label.id in gone]
        known = tuple(row_id for row_id in ids if row_id in gone and row_id in self._addresses)
        return Forgotten(
            ids=known,
            rows=len(known),
            labels=labels,
            feedback=feedback,
            ordinals=ranges(np.array(ordinals, dtype=np.int64)),
        )

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

    def saved(self) -> Saved:
        """Return where the loop is."""
        return self._saved

    def commit(self, record: Record, /) -> None:
        """Store what a turn changed: all of it is read before any of it is kept."""
        events, measurements = [*record.events], [*record.measurements]
        decisions, pins = [*record.decisions], [*record.pins]
        quarantined = [*record.quarantined]
        runs = {run.id: run for run in record.runs}
        versions = {kept.version.number: kept for kept in record.versions}
        self._saved = record.saved
        self._measurements.extend(measurements)
        for event in events:
            self._events.setdefault((event.source, event.id), event)
        self._decisions.extend(decisions)
        self._runs.update(runs)
        self._versions.update(versions)
        self._pins.update({pin.digest: pin for pin in pins})
        self._quarantined.update({found.id: found for found in quarantined})
        self._aliases.update(record.aliases)

    def events(self) -> Sequence[Event]:
        """Return all events."""
        return list(self._events.values())

    def decisions(self) -> Sequence[Decision]:
        """Return all decisions."""
        return list(self._decisions)

    def measurements(self) -> Sequence[Measurement]:
        """Return all measurements."""
        return list(self._measurements)

    def runs(self) -> Sequence[Run]:
        """Return all runs."""
        return list(self._runs.values())

    def versions(self) -> Sequence[Kept]:
        """Return all versions."""
        return list(self._versions.values())

    def run(self, run_id: str, /) -> Run | None:
        """Return a run by its id."""
        return self._runs.get(run_id)

    def version(self, number: int, /) -> Kept | None:
        """Return a version by its number."""
        return self._versions.get(number)

    def pins(self) -> Sequence[Pin]:
        """Return the pins of all snapshots."""
        return list(self._pins.values())

    def pin(self, digest: str, /) -> Pin | None:
        """Return the pin of a snapshot by its digest."""
        return self._pins.get(digest)

    def quarantined(self) -> Sequence[Quarantined]:
        """Return all rows that were ever set aside."""
        return list(self._quarantined.values())

    def alias(self, name: Alias, /) -> int | None:
        """Return the version that an alias names."""
        return self._aliases.get(name)

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
