"""The store in a SQL database: SQLite by default."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from ratoon.core import wire
from ratoon.core.deciding import Decision
from ratoon.core.errors import StoreNewer
from ratoon.core.events import Event
from ratoon.core.measuring import Measurement, RowRange
from ratoon.core.running import Run
from ratoon.core.versions import Alias, ModelVersion
from ratoon.stores import columns as codec
from ratoon.stores.joining import Address, gather
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
from ratoon.stores.tables import SCHEMA_VERSION, tables
from ratoon.stores.writing import Writing, batched, scalar

_WARM_ENTRIES = 256  # journal entries whose columns stay in memory
_PAGE = 500  # journal entries read at once
_READING: Mapping[str, bool] = {"reads": True}  # one statement, which waits for no writer


class SqlStore:
    """Keeps one loop in a SQL database. Several loops share a database, each in its own store."""

    def __init__(self, engine: sa.Engine, loop: str) -> None:
        """Open the loop's place in the database, making the tables where there are none."""
        self._engine = engine
        self._loop = loop
        self._metadata = sa.MetaData()
        tables(self._metadata)
        prepare(engine, self._metadata)
        self._warm: OrderedDict[int, Columns] = OrderedDict()

    def append(self, draft: Draft, /, *, aliases: Aliases | None = None) -> Receipt:
        """Store what arrived, once."""
        with self._writing() as writing:
            return writing.append(draft, aliases or {})

    @contextmanager
    def _writing(self) -> Generator[Writing]:
        """Open a transaction that writes; it is undone where it does not come to its end."""
        with self._engine.begin() as connection:
            yield Writing(
                connection=connection,
                tables=self._metadata.tables,
                loop=self._loop,
                read=lambda seq: self._columns([seq])[seq],
            )

    def _table(self, name: str) -> sa.Table:
        return self._metadata.tables[name]

    def _rows(self, statement: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        with self._engine.connect().execution_options(**_READING) as connection:
            return connection.execute(statement).all()

    def _of_loop(self, name: str, *picked: str) -> sa.Select[Any]:
        table = self._table(name)
        return sa.select(*(table.c[column] for column in picked)).where(table.c.loop == self._loop)

    def entries(self, after: int, /) -> Iterator[Entry]:
        """Read the journal behind the entry `after`, in order."""
        journal = self._table("journal")
        while True:
            page = self._rows(
                sa.select(journal)
                .where(journal.c.loop == self._loop, journal.c.seq > after)
                .order_by(journal.c.seq)
                .limit(_PAGE)
            )
            for row in page:
                yield _entry(row)
            if len(page) < _PAGE:
                return
            after = page[-1].seq

    def last_seq(self) -> int:
        """Return the number of the last journal entry."""
        journal = self._table("journal")
        last = sa.select(sa.func.max(journal.c.seq)).where(journal.c.loop == self._loop)
        return self._rows(last)[0][0] or 0

    def _columns(self, seqs: Iterable[int]) -> Mapping[int, Columns]:
        """Read the columns of journal entries; those read last stay warm."""
        wanted = dict.fromkeys(seqs)
        found = {seq: self._warm[seq] for seq in wanted if seq in self._warm}
        cold = [seq for seq in wanted if seq not in found]
        journal = self._table("journal")
        for asked in batched(cold):
            rows = self._rows(
                self._of_loop("journal", "seq", "columns").where(journal.c.seq.in_(asked))
            )
            found |= {row.seq: codec.from_bytes(row.columns) for row in rows}
        self._warm.update({seq: found[seq] for seq in cold[-_WARM_ENTRIES:]})
        while len(self._warm) > _WARM_ENTRIES:
            self._warm.popitem(last=False)
        return found

    def _gathered(self, addresses: Sequence[Address]) -> Columns:
        return gather(addresses, self._columns(seq for seq, _ in addresses).__getitem__)

    def labelled(self, rows: RowRange, /) -> LabelledRows:
        """Read labelled rows by their ordinals."""
        label = self._table("label")
        found = self._rows(
            self._of_loop("label", "id", "value", "seq", "offset")
            .where(label.c.ordinal >= rows.start, label.c.ordinal < rows.stop)
            .order_by(label.c.ordinal)
        )
        return LabelledRows(
            rows=rows,
            ids=tuple(row.id for row in found),
            values=tuple(scalar(row.value) for row in found),
            columns=self._gathered([(row.seq, row.offset) for row in found]),
        )

    def predictions(self, ids: Sequence[str], /) -> Mapping[str, Columns]:
        """Read the predictions with these ids."""
        table = self._table("prediction")
        places: dict[str, Address] = {}
        for asked in batched(ids):
            picked = self._of_loop("prediction", "id", "seq", "offset")
            rows = self._rows(picked.where(table.c.id.in_(asked)))
            places |= {row.id: (row.seq, row.offset) for row in rows}
        entries = self._columns(seq for seq, _ in places.values())
        return {name: gather([place], entries.__getitem__) for name, place in places.items()}

    def saved(self) -> Saved:
        """Return where the loop is."""
        loop = self._table("loop")
        found = self._rows(sa.select(loop).where(loop.c.name == self._loop))
        if not found:
            return Saved()
        row = found[0]
        return Saved(
            cursor=row.cursor,
            begun=bool(row.begun),
            state=row.state,
            definition=row.definition,
            schema=row.schema,
            target=row.target,
        )

    def commit(self, record: Record, /) -> None:
        """Store what a turn changed."""
        with self._writing() as writing:
            writing.commit(record)

    def _bodies(self, name: str, kind: Any, order: str = "position") -> list[Any]:
        table = self._table(name)
        rows = self._rows(self._of_loop(name, "body").order_by(table.c[order]))
        return [wire.loads(kind, row.body) for row in rows]

    def events(self) -> Sequence[Event]:
        """Return all events."""
        return self._bodies("event", Event)

    def decisions(self) -> Sequence[Decision]:
        """Return all decisions."""
        return self._bodies("decision", Decision)

    def measurements(self) -> Sequence[Measurement]:
        """Return all measurements."""
        return self._bodies("measurement", Measurement)

    def runs(self) -> Sequence[Run]:
        """Return all runs."""
        return self._bodies("run", Run)

    def versions(self) -> Sequence[Kept]:
        """Return all versions."""
        version = self._table("version")
        rows = self._rows(self._of_loop("version", "body", "standing").order_by(version.c.number))
        return [_kept(row) for row in rows]

    def run(self, run_id: str, /) -> Run | None:
        """Return a run by its id."""
        run = self._table("run")
        found = self._rows(self._of_loop("run", "body").where(run.c.id == run_id))
        return wire.loads(Run, found[0].body) if found else None

    def version(self, number: int, /) -> Kept | None:
        """Return a version by its number."""
        version = self._table("version")
        asked = self._of_loop("version", "body", "standing").where(version.c.number == number)
        found = self._rows(asked)
        return _kept(found[0]) if found else None

    def alias(self, name: Alias, /) -> int | None:
        """Return the version that an alias names."""
        alias = self._table("alias")
        found = self._rows(self._of_loop("alias", "version").where(alias.c.name == name))
        return found[0].version if found else None

    def counts(self) -> Counts:
        """Count what is there."""
        label = self._table("label")
        return Counts(
            predictions=self._count("prediction"),
            labelled=self._count("label", label.c.ordinal.is_not(None)),
            parked=self._count("label", label.c.ordinal.is_(None)),
            feedback=self._count("feedback"),
            entries=self._count("journal"),
        )

    def _count(self, name: str, *where: sa.ColumnElement[bool]) -> int:
        table = self._table(name)
        counted = sa.select(sa.func.count()).select_from(table)
        return self._rows(counted.where(table.c.loop == self._loop, *where))[0][0]

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def sqlite_engine(path: Path) -> sa.Engine:
    """Open a SQLite file so that what is committed survives a power cut.

    Write-ahead log with synchronous=FULL, and BEGIN IMMEDIATE, since a deferred transaction that
    turns to writing fails at once instead of waiting.
    """
    engine = sa.create_engine(f"sqlite:///{path}")

    def connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions of its own
        for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    def begun(connection: sa.Connection) -> None:
        if not connection.get_execution_options().get("reads", False):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine


def prepare(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """Make the tables where there are none; a database that has them is only read."""
    with engine.connect().execution_options(**_READING) as connection:
        if _schema_version(connection):
            return
    with engine.begin() as connection:
        if not _schema_version(connection):
            metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION}")


def _schema_version(connection: sa.Connection) -> int:
    """Return the version of the tables, 0 for none; refuse those of a newer Ratoon."""
    found: int = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    if found > SCHEMA_VERSION:
        raise StoreNewer(
            f"the state has schema version {found}, this Ratoon knows {SCHEMA_VERSION}",
            hint="install the Ratoon that wrote it, or a newer one",
        )
    return found


def loop_names(engine: sa.Engine) -> tuple[str, ...]:
    """Return the names of the loops that a database holds."""
    if not sa.inspect(engine).has_table("journal"):
        return ()
    with engine.connect().execution_options(**_READING) as connection:
        found = connection.exec_driver_sql("SELECT DISTINCT loop FROM journal ORDER BY loop")
        return tuple(row[0] for row in found)


def _kept(row: sa.Row[Any]) -> Kept:
    return Kept(version=wire.loads(ModelVersion, row.body), standing=row.standing)


def _entry(row: sa.Row[Any]) -> Entry:
    draft = Draft(
        kind=row.kind,
        at=datetime.fromisoformat(row.at),
        ids=tuple(json.loads(row.ids)),
        values=tuple(json.loads(row.labels)),
        columns={} if row.columns is None else codec.from_bytes(row.columns),
        note=json.loads(row.note),
    )
    joined = RowRange(start=row.joined_start, stop=row.joined_stop)
    return Entry(seq=row.seq, draft=draft, joined=joined)
