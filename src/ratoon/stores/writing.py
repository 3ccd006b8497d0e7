"""Writes of the SQL store, all within the transaction that they are given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from ratoon.core import wire
from ratoon.stores import columns as codec
from ratoon.stores.joining import same_content
from ratoon.stores.memory import chosen, event_in, same_label, unknown_prediction
from ratoon.stores.protocol import Aliases, Columns, Draft, Receipt, Record
from ratoon.windows.judged import Scalar

_ASKED = 500  # values asked for at once: databases bound the parameters of a statement
T = TypeVar("T")


def scalar(text: str) -> Scalar:
    """Read a label from its JSON text."""
    return json.loads(text)


def batched(values: Sequence[T]) -> Iterator[list[T]]:
    """Cut values into lists that one statement can ask for."""
    for start in range(0, len(values), _ASKED):
        yield list(values[start : start + _ASKED])


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """One open transaction of one loop."""

    connection: sa.Connection
    tables: Mapping[str, sa.Table]
    loop: str
    read: Callable[[int], Columns]

    def append(self, draft: Draft, aliases: Aliases) -> Receipt:
        """Store what arrived, once, and point `aliases` with it."""
        receipt = self._append(draft)
        if receipt.seq is not None:
            self._point(aliases)
        return receipt

    def _append(self, draft: Draft) -> Receipt:
        match draft.kind:
            case "history":
                return self._history(draft)
            case "predictions":
                return self._predictions(draft)
            case "labels":
                return self._labels(draft)
            case "feedback":
                return self._feedback(draft)
            case "event":
                return self._event(draft)
            case "tick":
                return Receipt(seq=self._push(draft, *self._here(), 0), stored=1)

    def _history(self, draft: Draft) -> Receipt:
        (seq, first), n = self._here(), len(draft.values)
        self._insert(
            "label",
            [
                {
                    "id": f"history-{seq}-{row}",
                    "value": json.dumps(value),
                    "ordinal": first + row,
                    "seq": seq,
                    "offset": row,
                }
                for row, value in enumerate(draft.values)
            ],
        )
        self._push(draft, seq, first, n)
        return Receipt(seq=seq, stored=n)

    def _predictions(self, draft: Draft) -> Receipt:
        known = self._known("prediction", draft.ids)
        for row, row_id in enumerate(draft.ids):
            if row_id in known:
                place = known[row_id]
                before = self.read(place.seq)
                same_content("prediction", row_id, before, place.offset, draft.columns, row)
        new = [row for row, row_id in enumerate(draft.ids) if row_id not in known]
        if not new:
            return Receipt(seq=None, repeated=len(known))
        kept, (seq, first) = chosen(draft, new), self._here()
        places = {row_id: offset for offset, row_id in enumerate(kept.ids)}
        self._insert("prediction", [{"id": i, "seq": seq, "offset": o} for i, o in places.items()])
        parked = list(self._known("label", kept.ids))
        parked.sort(key=places.__getitem__)
        for ordinal, row_id in enumerate(parked, start=first):
            self._join(row_id, ordinal, seq, places[row_id])
        self._push(kept, seq, first, len(parked))
        return Receipt(seq=seq, stored=len(new), repeated=len(known))

    def _labels(self, draft: Draft) -> Receipt:
        known = self._known("label", draft.ids)
        for row, row_id in enumerate(draft.ids):
            if row_id in known:
                same_label(row_id, scalar(known[row_id].value), draft.values[row])
        new = [row for row, row_id in enumerate(draft.ids) if row_id not in known]
        if not new:
            return Receipt(seq=None, repeated=len(known))
        kept, (seq, first) = chosen(draft, new), self._here()
        places = self._known("prediction", kept.ids)
        ordinal, rows = first, list[dict[str, Any]]()
        for row_id, value in zip(kept.ids, kept.values, strict=True):
            place = places.get(row_id)
            row = {"id": row_id, "value": json.dumps(value)}
            row |= {"ordinal": None, "seq": None, "offset": None}
            if place is not None:
                row |= {"ordinal": ordinal, "seq": place.seq, "offset": place.offset}
                ordinal += 1
            rows.append(row)
        self._insert("label", rows)
        self._push(kept, seq, first, ordinal - first)
        parked = len(new) - (ordinal - first)
        return Receipt(seq=seq, stored=len(new), repeated=len(known), parked=parked)

    def _feedback(self, draft: Draft) -> Receipt:
        known = self._known("prediction", draft.ids)
        unknown = next((row_id for row_id in draft.ids if row_id not in known), None)
        if unknown is not None:
            raise unknown_prediction(unknown)
        given = self._known("feedback", draft.ids)
        for row_id, said in zip(draft.ids, draft.values, strict=True):
            if row_id in given:
                same_label(row_id, scalar(given[row_id].value), said, "feedback on")
        new = [row for row, row_id in enumerate(draft.ids) if row_id not in given]
        if not new:
            return Receipt(seq=None, repeated=len(given))
        kept = chosen(draft, new)
        pairs = zip(kept.ids, kept.values, strict=True)
        self._insert("feedback", [{"id": i, "value": json.dumps(v)} for i, v in pairs])
        seq = self._push(kept, *self._here(), 0)
        return Receipt(seq=seq, stored=len(new), repeated=len(given))

    def _event(self, draft: Draft) -> Receipt:
        event = event_in(draft)
        if not self._record_event(event.source, event.id, wire.dumps(event)):
            return Receipt(seq=None, repeated=1)
        return Receipt(seq=self._push(draft, *self._here(), 0), stored=1)

    def commit(self, record: Record) -> None:
        """Store what a turn changed."""
        saved = record.saved
        self._put(
            "loop",
            {"name": self.loop},
            {
                "cursor": saved.cursor,
                "begun": int(saved.begun),
                "state": saved.state,
                "definition": saved.definition,
                "schema": saved.schema,
                "target": saved.target,
            },
        )
        for name, found in (("measurement", record.measurements), ("decision", record.decisions)):
            bodies = [wire.dumps(value) for value in found]
            start = self._next("position", name) if bodies else 0
            rows = [{"position": start + i, "body": body} for i, body in enumerate(bodies)]
            self._insert(name, rows)
        for event in record.events:
            self._record_event(event.source, event.id, wire.dumps(event))
        for run in record.runs:
            body = {"body": wire.dumps(run)}
            if not self._update("run", {"loop": self.loop, "id": run.id}, body):
                position = self._next("position", "run")
                self._insert("run", [{"id": run.id, "position": position, **body}])
        for kept in record.versions:
            body = {"body": wire.dumps(kept.version), "standing": kept.standing}
            self._put("version", {"loop": self.loop, "number": kept.version.number}, body)
        self._point(record.aliases)

    def _point(self, aliases: Aliases) -> None:
        for name, version in aliases.items():
            self._put("alias", {"loop": self.loop, "name": name}, {"version": version})

    def _record_event(self, source: str, event_id: str, body: str) -> bool:
        event = self.tables["event"]
        known = sa.select(event.c.position).where(
            event.c.loop == self.loop, event.c.source == source, event.c.id == event_id
        )
        if self.connection.execute(known).first() is not None:
            return False
        position = self._next("position", "event")
        row = {"position": position, "source": source, "id": event_id, "body": body}
        self._insert("event", [row])
        return True

    def _push(self, draft: Draft, seq: int, first: int, joined: int) -> int:
        row = {
            "seq": seq,
            "kind": draft.kind,
            "at": draft.at.isoformat(),
            "ids": json.dumps(draft.ids),
            "labels": json.dumps(draft.values),
            "note": wire.dumps(draft.note),
            "columns": codec.to_bytes(draft.columns) if draft.columns else None,
            "joined_start": first,
            "joined_stop": first + joined,
        }
        self._insert("journal", [row])
        return seq

    def _join(self, row_id: str, ordinal: int, seq: int, offset: int) -> None:
        place = {"ordinal": ordinal, "seq": seq, "offset": offset}
        self._update("label", {"loop": self.loop, "id": row_id}, place)

    def _known(self, name: str, ids: Sequence[str]) -> dict[str, sa.Row[Any]]:
        table = self.tables[name]
        found: dict[str, sa.Row[Any]] = {}
        for asked in batched(ids):
            query = sa.select(table).where(table.c.loop == self.loop, table.c.id.in_(asked))
            found.update({row.id: row for row in self.connection.execute(query)})
        return found

    def _here(self) -> tuple[int, int]:
        """Return the numbers of the next journal entry and of the next labelled row."""
        journal, label = self.tables["journal"], self.tables["label"]
        entries = sa.select(sa.func.max(journal.c.seq)).where(journal.c.loop == self.loop)
        rows = sa.select(sa.func.max(label.c.ordinal)).where(label.c.loop == self.loop)
        both = sa.select(entries.scalar_subquery(), rows.scalar_subquery())
        seq, ordinal = self.connection.execute(both).one()
        return (seq or 0) + 1, 0 if ordinal is None else ordinal + 1

    def _next(self, column: str, name: str) -> int:
        table = self.tables[name]
        last = sa.select(sa.func.max(table.c[column])).where(table.c.loop == self.loop)
        return (self.connection.execute(last).scalar() or 0) + 1

    def _insert(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            table = self.tables[name]
            self.connection.execute(table.insert(), [{"loop": self.loop, **row} for row in rows])

    def _update(self, name: str, key: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
        table = self.tables[name]
        where = [table.c[column] == value for column, value in key.items()]
        return self.connection.execute(table.update().where(*where).values(**values)).rowcount > 0

    def _put(self, name: str, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        if not self._update(name, key, values):
            self.connection.execute(self.tables[name].insert().values(**key, **values))
