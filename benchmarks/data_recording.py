"""Steps that record rows in batches, durably where the contender can."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks import data_rows as rows_of
from benchmarks.data_measuring import Figures, measuring, peak_mib

_AT = datetime(2026, 1, 1, tzinfo=UTC)


def ratoon(
    folder: str, *, run: int, batch: int, batches: int, threads: int = 1, foreign: bool = False
) -> Figures:
    """Record batches in Ratoon's log; what waits is then brought to the tables.

    A first batch is recorded before, and brought there: what a process imports once (pyarrow has
    pandas imported, where it is there, by the first array that it makes) is not measured.
    """
    from ratoon.stores.folder import open_folder  # noqa: PLC0415 - only this contender has it
    from ratoon.stores.protocol import Draft  # noqa: PLC0415

    total = batch * batches
    columns = rows_of.wide(run, 0, total)
    ids = rows_of.foreign_ids(0, total)
    with TemporaryDirectory(dir=folder) as home:
        store = open_folder(Path(home), "loop")

        def record(number: int) -> None:
            start = number * batch
            named = tuple(ids[start : start + batch]) if foreign else ()
            part, nameless = rows_of.cut(columns, start, batch), 0 if foreign else batch
            store.append(
                Draft(kind="predictions", at=_AT, ids=named, nameless=nameless, columns=part)
            )

        warm = rows_of.wide(run, total, 1)
        store.append(Draft(kind="predictions", at=_AT, nameless=1, columns=warm))
        store.flush()
        with measuring() as all_of_it:
            found = _each(record, batches, threads)
            store.flush()
        store.close()
    return _told(found, all_of_it, total)


def sqlite(folder: str, *, run: int, batch: int, batches: int, threads: int = 1) -> Figures:
    """Record batches in one table of SQLite, a transaction each, each on the disk."""
    total = batch * batches
    lines = _lines(run, total)
    marks = ", ".join("?" * len(lines[0]))
    statement = f"INSERT INTO prediction VALUES ({marks})"
    with TemporaryDirectory(dir=folder) as home:
        path = Path(home) / "rows.db"
        with closing(_connected(path)) as first:
            names = ", ".join(["id TEXT PRIMARY KEY", *(f"c{k}" for k in range(len(lines[0]) - 1))])
            first.execute(f"CREATE TABLE prediction ({names})")
        local = [_connected(path) for _ in range(threads)]

        def record(number: int) -> None:
            connection = local.pop()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(statement, lines[number * batch : (number + 1) * batch])
            connection.execute("COMMIT")
            local.append(connection)

        with measuring() as all_of_it:
            found = _each(record, batches, threads)
        for connection in local:
            connection.close()
    return _told(found, all_of_it, total)


def delta(folder: str, *, run: int, batch: int, batches: int) -> Figures:
    """Append batches to a Delta table; nothing is flushed to the disk."""
    from deltalake import write_deltalake  # noqa: PLC0415 - only this contender has it

    table = _table(run, batch * batches)
    with TemporaryDirectory(dir=folder) as home:

        def record(number: int) -> None:
            write_deltalake(home, table.slice(number * batch, batch), mode="append")

        with measuring() as all_of_it:
            found = _each(record, batches, 1)
    return _told(found, all_of_it, batch * batches)


def lance(folder: str, *, run: int, batch: int, batches: int) -> Figures:
    """Append batches to a Lance dataset; nothing is flushed to the disk."""
    from lance import write_dataset  # noqa: PLC0415 - only this contender has it

    table = _table(run, batch * batches)
    with TemporaryDirectory(dir=folder) as home:
        uri = str(Path(home) / "rows.lance")

        def record(number: int) -> None:
            mode = "append" if number else "create"
            write_dataset(table.slice(number * batch, batch), uri, mode=mode)

        with measuring() as all_of_it:
            found = _each(record, batches, 1)
    return _told(found, all_of_it, batch * batches)


def _each(record: Callable[[int], None], batches: int, threads: int) -> Figures:
    """Record all batches; return how long it took, and how long each had to wait."""
    waits: list[float] = []

    def timed(number: int) -> None:
        begun = perf_counter()
        record(number)
        waits.append(perf_counter() - begun)

    begun = perf_counter()
    if threads == 1:
        for number in range(batches):
            timed(number)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(timed, range(batches)))
    took = perf_counter() - begun
    middle, late = np.quantile(waits, [0.5, 0.99]).tolist()
    return {"wall_s": took, "batch_ms": middle * 1000, "batch_ms_p99": late * 1000}


def _told(found: Figures, all_of_it: Figures, rows: int) -> Figures:
    """Return the figures of a contender: rates until all was acknowledged, CPU time of it all."""
    return {
        "rows_per_s": rows / found["wall_s"],
        "batch_ms": found["batch_ms"],
        "batch_ms_p99": found["batch_ms_p99"],
        "cpu_us_per_row": all_of_it["cpu_s"] / rows * 1e6,
        "peak_mib": max(all_of_it["peak_mib"], peak_mib()),
    }


def _table(run: int, rows: int) -> Any:
    return rows_of.arrow(rows_of.foreign_ids(0, rows), rows_of.wide(run, 0, rows))


def _lines(run: int, rows: int) -> Sequence[tuple[Any, ...]]:
    """Return rows as SQLite takes them: moments as whole numbers."""
    columns = rows_of.wide(run, 0, rows).values()
    plain = [column.astype("i8") if column.dtype.kind == "M" else column for column in columns]
    values = [column.tolist() for column in plain]
    return list(zip(rows_of.foreign_ids(0, rows), *values, strict=True))


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in ("busy_timeout=60000", "journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    return connection
