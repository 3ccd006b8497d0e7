"""The rows that a SQL query gives, through SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.pool import NullPool

from ratoon.core.errors import RowsRefused, SettingInvalid, SourceUnreachable
from ratoon.sources.kinds import Kinds

_ROWS = 5000  # fetched at once; the kinds of columns are told from the first of these


def database(source: str) -> tuple[sa.Engine, str]:
    """Return the database of a URL, and its name without a password; nothing is connected yet.

    Raises:
        SettingInvalid: where it is no URL that SQLAlchemy knows, its driver is not installed, or
            it names a SQLite file that is not there.
    """
    rule = "the URL of a database, such as postgresql+psycopg://user@host/name"
    try:
        url = sa.make_url(source)
    except exc.ArgumentError as error:
        scheme = source.partition("://")[0]
        raise SettingInvalid("source", rule, f"{scheme}://…") from error
    # A password may stand among the options too.
    name = url.set(query={}).render_as_string(hide_password=True)
    path = url.database or ":memory:"
    is_file = not path.startswith((":", "file:"))
    if url.get_backend_name() == "sqlite" and is_file and not Path(path).is_file():
        raise SettingInvalid("source", "the URL of a database that is there", name)
    try:
        return sa.create_engine(url, poolclass=NullPool), name
    except (exc.ArgumentError, ImportError) as error:
        rule = f"{rule}, with its driver installed ({error})"
        raise SettingInvalid("source", rule, name) from error


def read_query(engine: sa.Engine, query: str, kinds: Kinds) -> Iterator[Any]:
    """Yield the rows of a query, some thousand at a time, from a cursor that the server keeps.

    A query cannot change anything in SQLite and PostgreSQL; elsewhere it is rolled back, which
    not every database does with every statement.

    Raises:
        SettingInvalid: where the query gives no rows at all, as a SAVEPOINT.
        SourceUnreachable: where the database does not let itself be opened, or goes away.
        RowsRefused: where it refuses the query, or a value is of another kind than those before.
    """
    options: dict[str, Any] = {"stream_results": True, "no_parameters": True}
    if engine.dialect.name == "postgresql":
        options["postgresql_readonly"] = True
    try:
        with _opened(engine, kinds.source).execution_options(**options) as connection:
            if engine.dialect.name == "sqlite":  # whose driver commits some statements by itself
                connection.exec_driver_sql("pragma query_only = on")
            found = connection.exec_driver_sql(query)
            if not found.returns_rows:
                raise SettingInvalid("query", "one that gives rows, as a SELECT", query)
            names = list(found.keys())
            kinds.check_names(names)
            for part in found.partitions(_ROWS):
                columns = [list(column) for column in zip(*part, strict=True)]
                yield kinds.values(dict(zip(names, columns, strict=True)))
    except exc.SQLAlchemyError as error:
        if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
            raise SourceUnreachable(f"{kinds.source} has gone away: {_said(error)}") from error
        raise RowsRefused(f"{kinds.source}: the query cannot be read: {_said(error)}") from error
    finally:
        engine.dispose()


def _opened(engine: sa.Engine, source: str) -> sa.Connection:
    try:
        return engine.connect()
    except exc.DBAPIError as error:
        hint = "is the database running, and may this user log in?"
        fact = f"{source} cannot be opened: {_said(error)}"
        raise SourceUnreachable(fact, hint=hint) from error


def _said(error: exc.SQLAlchemyError) -> str:
    """Return the first line of what a database says."""
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
