"""Queries to a real SQLite database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import exc

from ratoon.core.errors import RowsRefused, SettingInvalid, SourceUnreachable
from ratoon.sources import read, sql
from ratoon.sources.kinds import Kinds


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Return the URL of a database with a table of 20 rows, which no test changes."""
    path = tmp_path / "rows.db"
    connection = sqlite3.connect(path)
    connection.execute("create table rows (id integer, x any)")
    connection.executemany("insert into rows values (?, ?)", [(i, i / 2) for i in range(20)])
    connection.commit()
    yield f"sqlite:///{path}"
    assert connection.execute("select count(*), sum(x) from rows").fetchone() == (20, 95)
    connection.close()


def rows(url: str, query: str | None, **options: Any) -> list[dict[str, Any]]:
    """Return the rows of a query."""
    return [row for batch in read(url, query=query, **options) for row in batch.to_pylist()]


def test_rows_of_a_query(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows come in the order of the query, whatever is fetched at once."""
    monkeypatch.setattr(sql, "_ROWS", 3)
    found = rows(url, "select id, x from rows where id % 2 = 1 order by id desc", batch_rows=4)
    assert [row["id"] for row in found] == [19, 17, 15, 13, 11, 9, 7, 5, 3, 1]
    assert found[0] == {"id": 19, "x": 9.5}


def test_signs_of_drivers_are_plain_text(url: str) -> None:
    """Colons and per cent signs mean nothing in a query."""
    query = "select '50 %' as a, ':x' as b, '%(c)s ?' as c, '12:30' as d"
    assert rows(url, query) == [{"a": "50 %", "b": ":x", "c": "%(c)s ?", "d": "12:30"}]


def test_no_rows(url: str) -> None:
    """A query that finds nothing gives no batch."""
    assert rows(url, "select * from rows where id < 0") == []


@pytest.mark.parametrize(
    "query",
    [
        "delete from rows",
        "update rows set x = 0 returning id",
        "drop table rows",
        "insert into rows values (1, 2)",
        "create table others (a)",
    ],
)
def test_a_query_changes_nothing(query: str, url: str) -> None:
    """A statement that would change the database is refused."""
    with pytest.raises(RowsRefused, match="attempt to write a readonly database"):
        rows(url, query)


def test_a_statement_without_rows(url: str) -> None:
    """A statement that gives no rows is refused."""
    with pytest.raises(SettingInvalid, match="query must be one that gives rows"):
        rows(url, "savepoint here")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("selec 1", "the query cannot be read: near"),
        ("select * from nobody", "no such table: nobody"),
        ("select id, id from rows", "column 'id' stands there twice"),
        ("select x'00' as a", r"row 1, column 'a': b'\x00' is no number"),
    ],
)
def test_a_query_that_fails(query: str, message: str, url: str) -> None:
    """What the database says is told, with the database's name."""
    with pytest.raises(RowsRefused) as refused:
        rows(url, query)
    assert message in refused.value.fact
    assert refused.value.fact.startswith(url)


def test_a_later_value_of_another_kind(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column of SQLite may hold anything; what does not fit is told by its row."""
    monkeypatch.setattr(sql, "_ROWS", 5)
    with pytest.raises(RowsRefused, match="row 13, column 'a': 'x' is of another kind than 10"):
        rows(url, "select case id when 12 then 'x' else id end as a from rows order by id")
    found = rows(
        url, "select case id when 12 then 'x' else id end as a from rows", types={"a": "category"}
    )
    assert [row["a"] for row in found[11:13]] == ["11", "x"]


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    """A file that is not there is told, and not made."""
    with pytest.raises(SettingInvalid, match="a database that is there"):
        read(f"sqlite:///{tmp_path}/gone.db", query="select 1")
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_cannot_be_opened(tmp_path: Path) -> None:
    """What does not let itself be opened is no fault of the rows, and may be tried again."""
    source = f"sqlite:///file:{tmp_path}/gone.db?mode=ro&uri=true"
    with pytest.raises(SourceUnreachable, match=r"cannot be opened: unable to open") as refused:
        rows(source, "select 1")
    assert refused.value.transient
    assert "mode=ro" not in refused.value.fact


def test_a_database_that_goes_away(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is lost in the middle of a query is told apart from a bad query."""
    lost = exc.OperationalError("select", {}, Exception("the server went away"), None, True)  # noqa: FBT003 - SQLAlchemy's own order

    monkeypatch.setattr(Kinds, "values", Mock(side_effect=lost))
    with pytest.raises(SourceUnreachable, match="has gone away: the server went away"):
        rows(url, "select * from rows")


@pytest.mark.parametrize("query", [None, "", " \n"])
def test_no_query(query: str | None, url: str) -> None:
    """A database without a query is refused at once."""
    with pytest.raises(SettingInvalid, match="query must be what to read"):
        read(url, query=query)


@pytest.mark.parametrize(
    "source",
    [
        "nothing://u:s3cret@host/name",
        "postgresql+nothing://u:s3cret@host/name?password=s3cret",
        "oracle+cx_oracle://u:s3cret@host/name",
        "://s3cret",
    ],
)
def test_a_database_that_nobody_knows(source: str) -> None:
    """A URL of no known database, or without its driver, is refused; no password is shown."""
    with pytest.raises(SettingInvalid, match="the URL of a database") as refused:
        read(source, query="select 1")
    assert "s3cret" not in str(refused.value)


def test_a_reader_that_stops_lets_go(url: str) -> None:
    """Who stops in the middle leaves nothing open."""
    batches = read(url, query="select * from rows", batch_rows=2)
    assert next(batches).num_rows == 2
    batches.close()
