"""Writes of the book, all within the transaction that they are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ratoon.core import wire
from ratoon.core.events import Event
from ratoon.stores.protocol import Aliases, Record, Saved


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """One open transaction of one loop."""

    connection: sa.Connection
    tables: Mapping[str, sa.Table]
    loop: str
    updates: dict[tuple[str, ...], sa.Update]
    """Statements by table and columns: to put one together takes longer than to run it."""

    def begin(self) -> None:
        """Make the loop known."""
        table = self.tables["loop"]
        known = sa.select(table.c.name).where(table.c.name == self.loop)
        if self.connection.execute(known).first() is None:
            values = {"name": self.loop, "cursor": 0, "begun": 0, "definition": ""}
            self.connection.execute(table.insert().values(**values))

    def tell(self, told: Event, aliases: Aliases) -> bool:
        """Record an event from outside, once, and point `aliases` with it."""
        if not self._record_event(told.source, told.id, wire.dumps(told)):
            return False
        self._point(aliases)
        return True

    def post(self, told: Event, aliases: Aliases, body: str) -> bool:
        """Record an event from outside, once, and leave its draft in the inbox."""
        if not self.tell(told, aliases):
            return False
        self._insert("inbox", [{"position": self._next("position", "inbox"), "body": body}])
        return True

    def taken(self, position: int) -> None:
        """Empty the inbox up to a place."""
        table = self.tables["inbox"]
        gone = table.delete().where(table.c.loop == self.loop, table.c.position <= position)
        self.connection.execute(gone)

    def refuse(self, bodies: Sequence[str]) -> None:
        """Keep rows that could not be taken in."""
        start = self._next("position", "refused")
        rows = [{"position": start + n, "body": body} for n, body in enumerate(bodies)]
        self._insert("refused", rows)

    def forget_refused(self, ids: AbstractSet[str]) -> None:
        """Erase rows that could not be taken in, by their ids."""
        table = self.tables["refused"]
        asked = sa.select(table.c.position, table.c.body).where(table.c.loop == self.loop)
        for row in self.connection.execute(asked).all():
            if wire.loads(dict[str, Any], row.body)["id"] in ids:
                place = (table.c.loop == self.loop, table.c.position == row.position)
                self.connection.execute(table.delete().where(*place))

    def commit(self, record: Record) -> None:
        """Store what a turn changed."""
        if record.saved is not None:
            self._go(record.saved)
        for name, said in (("measurement", record.measurements), ("decision", record.decisions)):
            bodies = [wire.dumps(value) for value in said]
            start = self._next("position", name) if bodies else 0
            rows = [{"position": start + i, "body": body} for i, body in enumerate(bodies)]
            self._insert(name, rows)
        for event in record.events:
            self._record_event(event.source, event.id, wire.dumps(event))
        for run in record.runs:
            self._keep("run", "id", run.id, wire.dumps(run))
        for pin in record.pins:
            self._keep("snapshot", "digest", pin.digest, wire.dumps(pin))
        for found in record.quarantined:
            self._keep("quarantine", "id", found.id, wire.dumps(found))
        for kept in record.versions:
            body = {"body": wire.dumps(kept.version), "standing": kept.standing}
            self._put("version", {"loop": self.loop, "number": kept.version.number}, body)
        if record.delays is not None:
            self._put("delays", {"loop": self.loop}, {"body": record.delays})
        self._point(record.aliases)

    def _go(self, saved: Saved) -> None:
        """Say where the loop is."""
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
                "first_target": saved.first_target,
            },
        )

    def _keep(self, name: str, key: str, value: str, body: str) -> None:
        """Write a body in the place of the one with its key, or behind all others."""
        if not self._update(name, {"loop": self.loop, key: value}, {"body": body}):
            position = self._next("position", name)
            self._insert(name, [{key: value, "position": position, "body": body}])

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

    def _next(self, column: str, name: str) -> int:
        table = self.tables[name]
        last = sa.select(sa.func.max(table.c[column])).where(table.c.loop == self.loop)
        return (self.connection.execute(last).scalar() or 0) + 1

    def _insert(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            table = self.tables[name]
            self.connection.execute(table.insert(), [{"loop": self.loop, **row} for row in rows])

    def _update(self, name: str, key: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
        named = (name, *key, *values)
        if named not in self.updates:
            table = self.tables[name]
            where = [table.c[column] == sa.bindparam(f"key_{column}") for column in key]
            changed: dict[str, Any] = {column: sa.bindparam(f"new_{column}") for column in values}
            self.updates[named] = table.update().where(*where).values(changed)
        given = {f"key_{column}": value for column, value in key.items()}
        given |= {f"new_{column}": value for column, value in values.items()}
        return self.connection.execute(self.updates[named], given).rowcount > 0

    def _put(self, name: str, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        if not self._update(name, key, values):
            self.connection.execute(self.tables[name].insert().values(**key, **values))
