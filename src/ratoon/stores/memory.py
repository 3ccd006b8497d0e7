"""The store in memory: for replay and tests, with the same contract as those on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ratoon.core import wire
from ratoon.core.deciding import Decision
from ratoon.core.errors import IdConflict, RowsRefused
from ratoon.core.events import Event
from ratoon.core.measuring import Measurement, RowRange
from ratoon.core.running import Run
from ratoon.core.versions import Alias
from ratoon.stores.joining import Address, gather, same_content
from ratoon.stores.protocol import (
    Aliases,
    Columns,
    Counts,
    Draft,
    Entry,
    Kept,
    LabelledRows,
    Receipt,
    Record,
    Saved,
)
from ratoon.windows.judged import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class _Label:
    id: str
    address: Address
    value: Scalar


@dataclass(slots=True)
class MemoryStore:
    """Keeps one loop in memory; nothing survives the process."""

    _entries: list[Entry] = field(default_factory=list[Entry])
    _labels: list[_Label] = field(default_factory=list[_Label])
    _values: dict[str, Scalar] = field(default_factory=dict[str, Scalar])
    _addresses: dict[str, Address] = field(default_factory=dict[str, Address])
    _parked: dict[str, Scalar] = field(default_factory=dict[str, Scalar])
    _feedback: dict[str, Scalar] = field(default_factory=dict[str, Scalar])
    _saved: Saved = Saved()
    _events: dict[tuple[str, str], Event] = field(default_factory=dict[tuple[str, str], Event])
    _decisions: list[Decision] = field(default_factory=list[Decision])
    _measurements: list[Measurement] = field(default_factory=list[Measurement])
    _runs: dict[str, Run] = field(default_factory=dict[str, Run])
    _versions: dict[int, Kept] = field(default_factory=dict[int, Kept])
    _aliases: dict[Alias, int | None] = field(default_factory=dict["Alias", "int | None"])

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
        self._entries.append(Entry(seq=seq, draft=replace(draft, columns=columns), joined=rows))
        return seq

    def _append_history(self, draft: Draft) -> Receipt:
        seq = len(self._entries) + 1
        for row, value in enumerate(draft.values):
            self._labels.append(_Label(id=f"history-{seq}-{row}", address=(seq, row), value=value))
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
                value = self._parked.pop(row_id)
                self._labels.append(_Label(id=row_id, address=(seq, row), value=value))
                joined += 1
        return Receipt(seq=self._push(kept, joined), stored=len(new), repeated=repeated)

    def _append_labels(self, draft: Draft) -> Receipt:
        known = [row for row, row_id in enumerate(draft.ids) if row_id in self._values]
        for row in known:
            same_label(draft.ids[row], self._values[draft.ids[row]], draft.values[row])
        new = sorted(set(range(len(draft.ids))) - set(known))
        if not new:
            return Receipt(seq=None, repeated=len(known))
        kept, joined = chosen(draft, new), 0
        for row_id, value in zip(kept.ids, kept.values, strict=True):
            self._values[row_id] = value
            if row_id in self._addresses:
                address = self._addresses[row_id]
                self._labels.append(_Label(id=row_id, address=address, value=value))
                joined += 1
            else:
                self._parked[row_id] = value
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
        return self._entries[seq - 1].draft.columns

    def entries(self, after: int, /) -> Iterator[Entry]:
        """Read the journal behind the entry `after`, in order."""
        yield from self._entries[after:]

    def last_seq(self) -> int:
        """Return the number of the last journal entry."""
        return len(self._entries)

    def labelled(self, rows: RowRange, /) -> LabelledRows:
        """Read labelled rows by their ordinals."""
        found = self._labels[rows.start : rows.stop]
        return LabelledRows(
            rows=rows,
            ids=tuple(label.id for label in found),
            values=tuple(label.value for label in found),
            columns=gather([label.address for label in found], self._read),
        )

    def predictions(self, ids: Sequence[str], /) -> Mapping[str, Columns]:
        """Read the predictions with these ids."""
        known = [row_id for row_id in ids if row_id in self._addresses]
        return {row_id: gather([self._addresses[row_id]], self._read) for row_id in known}

    def saved(self) -> Saved:
        """Return where the loop is."""
        return self._saved

    def commit(self, record: Record, /) -> None:
        """Store what a turn changed: all of it is read before any of it is kept."""
        events, measurements = [*record.events], [*record.measurements]
        decisions = [*record.decisions]
        runs = {run.id: run for run in record.runs}
        versions = {kept.version.number: kept for kept in record.versions}
        self._saved = record.saved
        self._measurements.extend(measurements)
        for event in events:
            self._events.setdefault((event.source, event.id), event)
        self._decisions.extend(decisions)
        self._runs.update(runs)
        self._versions.update(versions)
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


def chosen(draft: Draft, rows: list[int]) -> Draft:
    """Return the draft with these rows only."""
    if len(rows) == len(draft.ids):
        return draft
    index = np.array(rows, dtype=np.intp)
    return replace(
        draft,
        ids=tuple(draft.ids[row] for row in rows),
        values=tuple(draft.values[row] for row in rows) if draft.values else (),
        columns={name: column[index] for name, column in draft.columns.items()},
    )


def same_label(row_id: str, before: Scalar, after: Scalar, what: str = "label") -> None:
    """Refuse a label, or feedback, that is known with another value."""
    if before != after:
        raise IdConflict(what, row_id, f"{before!r} before, {after!r} now")


def unknown_prediction(row_id: str) -> RowsRefused:
    """Return the error for feedback on a prediction that nobody made."""
    return RowsRefused(
        f"feedback on prediction {row_id!r}, which is unknown",
        hint="feedback is given by the id that loop.predict or loop.record returned",
    )


def event_in(draft: Draft) -> Event:
    """Return the event that a draft carries."""
    return wire.from_json(Event, draft.note["event"])
