"""The book: a loop's records in a SQL database, SQLite by default."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from ratoon.core import wire
from ratoon.core.deciding import Decision
from ratoon.core.errors import StoreFull, StoreNewer, StoreOlder, StoreUnwritable
from ratoon.core.events import Event
from ratoon.core.measuring import Measurement
from ratoon.core.quarantine import Quarantined
from ratoon.core.running import Run
from ratoon.core.versions import Alias, ModelVersion
from ratoon.core.wire import Json
from ratoon.stores.protocol import Aliases, Kept, Record, Saved
from ratoon.stores.tables import SCHEMA_VERSION, tables
from ratoon.stores.writing import Writing
from ratoon.windows.pins import Pin

_READING = {"reads": True}  # one statement, which waits for no writer
_LAZY = {"lazy": True}  # a transaction that is not waited for until the disk has it
_REFUSED = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")  # by the disk


class SqlBook:
    """Keeps the records of one loop: events, decisions, measurements, runs, versions, aliases.

    Several loops share a database, each in its own book. Every write is one transaction.
    """

    def __init__(self, engine: sa.Engine, loop: str) -> None:
        """Open the loop's place in the database, making the tables where there are none."""
        self._engine = engine
        self.loop = loop
        self._metadata = sa.MetaData()
        tables(self._metadata)
        self._updates: dict[tuple[str, ...], sa.Update] = {}
        prepare(engine, self._metadata)

    @contextmanager
    def _writing(self, *, durable: bool = True) -> Generator[Writing]:
        """Open a transaction that writes; it is undone where it does not come to its end."""
        options: Mapping[str, bool] = {} if durable else _LAZY
        with (
            _disk_trouble(self._engine),
            self._engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield Writing(
                connection=connection,
                tables=self._metadata.tables,
                loop=self.loop,
                updates=self._updates,
            )

    def _table(self, name: str) -> sa.Table:
        return self._metadata.tables[name]

    def _rows(self, statement: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        with self._engine.connect().execution_options(**_READING) as connection:
            return connection.execute(statement).all()

    def _of_loop(self, name: str, *picked: str) -> sa.Select[Any]:
        table = self._table(name)
        return sa.select(*(table.c[column] for column in picked)).where(table.c.loop == self.loop)

    def begin(self) -> None:
        """Make the loop known, so that others find it by its name."""
        with self._writing() as writing:
            writing.begin()

    def tell(self, told: Event, aliases: Aliases) -> bool:
        """Record an event from outside and point `aliases`; False where it is known already."""
        with self._writing() as writing:
            return writing.tell(told, aliases)

    def knows(self, told: Event) -> bool:
        """Tell whether an event of that source and id is recorded."""
        table = self._table("event")
        found = self._of_loop("event", "position").where(
            table.c.source == told.source, table.c.id == told.id
        )
        return bool(self._rows(found))

    def post(self, told: Event, aliases: Aliases, body: str) -> bool:
        """Record an event and leave its draft in the inbox, for the process that runs the loop."""
        with self._writing() as writing:
            return writing.post(told, aliases, body)

    def inbox(self) -> list[tuple[int, str]]:
        """Return what lies in the inbox, with its places there."""
        table = self._table("inbox")
        rows = self._rows(self._of_loop("inbox", "position", "body").order_by(table.c.position))
        return [(row.position, row.body) for row in rows]

    def taken(self, position: int) -> None:
        """Empty the inbox up to a place."""
        with self._writing() as writing:
            writing.taken(position)

    def refuse(self, bodies: Sequence[str]) -> None:
        """Keep rows that could not be taken in."""
        with self._writing() as writing:
            writing.refuse(bodies)

    def forget_refused(self, ids: Sequence[str]) -> None:
        """Erase rows that could not be taken in, by their ids."""
        gone = set(ids)
        if any(row["id"] in gone for row in self.refused()):
            with self._writing() as writing:
                writing.forget_refused(gone)

    def refused(self) -> Sequence[Mapping[str, Json]]:
        """Return the rows that could not be taken in."""
        return self._bodies("refused", dict[str, Any])

    def saved(self) -> Saved:
        """Return where the loop is."""
        loop = self._table("loop")
        found = self._rows(sa.select(loop).where(loop.c.name == self.loop))
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
            first_target=row.first_target,
        )

    def delays(self) -> str | None:
        """Return what is known of label delays."""
        found = self._rows(self._of_loop("delays", "body"))
        return found[0].body if found else None

    def commit(self, record: Record, /, *, durable: bool = True) -> None:
        """Store what a turn changed, whole; unless it is `durable`, a cut of the power may undo it.

        What was stored before it is undone no sooner than it is.
        """
        with self._writing(durable=durable) as writing:
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

    def pins(self) -> Sequence[Pin]:
        """Return the pins of all snapshots."""
        return self._bodies("snapshot", Pin)

    def pin(self, digest: str, /) -> Pin | None:
        """Return the pin of a snapshot by its digest."""
        snapshot = self._table("snapshot")
        found = self._rows(self._of_loop("snapshot", "body").where(snapshot.c.digest == digest))
        return wire.loads(Pin, found[0].body) if found else None

    def quarantined(self) -> Sequence[Quarantined]:
        """Return all rows that were ever set aside."""
        return self._bodies("quarantine", Quarantined)

    def alias(self, name: Alias, /) -> int | None:
        """Return the version that an alias names."""
        alias = self._table("alias")
        found = self._rows(self._of_loop("alias", "version").where(alias.c.name == name))
        return found[0].version if found else None

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


@contextmanager
def _disk_trouble(engine: sa.Engine) -> Generator[None]:
    """Raise what the disk refuses to SQLite as an error of the tree."""
    try:
        yield
    except OperationalError as error:
        name = str(getattr(error.orig, "sqlite_errorname", ""))
        if not name.startswith(_REFUSED):
            raise
        kind = StoreFull if name == _REFUSED[0] else StoreUnwritable
        raise kind(str(engine.url.database), str(error.orig)) from error


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
        options = connection.get_execution_options()
        if not options.get("reads", False):
            level = "NORMAL" if options.get("lazy", False) else "FULL"
            connection.exec_driver_sql(f"PRAGMA synchronous={level}")
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
    if 0 < found < SCHEMA_VERSION:
        raise StoreOlder(
            f"the state has schema version {found}, this Ratoon knows {SCHEMA_VERSION}",
            hint="a folder of a Ratoon before the first release is not carried over: begin anew",
        )
    return found


def loop_names(engine: sa.Engine) -> tuple[str, ...]:
    """Return the names of the loops that a database holds."""
    if not sa.inspect(engine).has_table("loop"):
        return ()
    with engine.connect().execution_options(**_READING) as connection:
        found = connection.exec_driver_sql("SELECT name FROM loop ORDER BY name")
        return tuple(row[0] for row in found)


def _kept(row: sa.Row[Any]) -> Kept:
    return Kept(version=wire.loads(ModelVersion, row.body), standing=row.standing)
