"""Steps that join late labels to predictions."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data_rows as rows_of
from benchmarks.data_measuring import Figures, measuring

_AT = datetime(2026, 1, 2, tzinfo=UTC)
_BATCH = 10_000
_PIECE = 1_000_000


def ratoon_label(home: str, *, run: int, rows: int, labels: int, foreign: bool) -> Figures:
    """Append labels of rows from all over a history, in batches; each run labels other rows."""
    from benchmarks.data_histories import ids_of  # noqa: PLC0415 - only this contender has it
    from ratoon.stores.folder import open_folder  # noqa: PLC0415
    from ratoon.stores.protocol import Draft  # noqa: PLC0415

    store = open_folder(Path(home), "loop")
    ids = ids_of(_late(run, rows, labels), 0 if foreign else rows)
    values = rows_of.labels(run, labels)
    with measuring() as found:
        for start in range(0, labels, _BATCH):
            named, said = ids[start : start + _BATCH], values[start : start + _BATCH]
            draft = Draft(kind="labels", at=_AT, ids=tuple(named), values=tuple(said))
            receipt = store.append(draft)
            if receipt.parked:
                raise RuntimeError("a label did not find its prediction")
        store.flush()
    store.close()
    return found


def ratoon_read(home: str, *, run: int, labels: int) -> Figures:
    """Read the rows that one run has labelled, joined with their labels."""
    from ratoon.core.measuring import RowRange  # noqa: PLC0415 - only this contender has it
    from ratoon.stores.folder import open_known  # noqa: PLC0415

    store = open_known(Path(home), "loop")
    with measuring() as found:
        rows = store.labelled(RowRange(start=run * labels, stop=(run + 1) * labels))
    store.close()
    _check(len(rows.values), labels)
    return found


def prepare_peers(folder: str, *, rows: int, labels: int, runs: int) -> Figures:
    """Write the predictions for the peers: a Parquet file, a Delta table, a SQLite table."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import
    import pyarrow.parquet as pq  # noqa: PLC0415
    from deltalake import write_deltalake  # noqa: PLC0415

    home = Path(folder)
    pieces = [_predictions(first, min(_PIECE, rows - first)) for first in range(0, rows, _PIECE)]
    table: Any = pa.concat_tables(pieces)
    pq.write_table(table, home / "predictions.parquet", compression="zstd")
    with_place = table.append_column("label", pa.nulls(rows, pa.int64()))
    for run in range(runs):
        write_deltalake(str(home / f"delta-{run}"), with_place)
        pq.write_table(_labels(run, rows, labels), home / f"labels-{run}.parquet")
    with closing(_connected(home / "rows.db")) as connection:
        connection.execute("CREATE TABLE prediction (id TEXT PRIMARY KEY, x, time, output)")
        connection.execute("CREATE TABLE label (run, id TEXT PRIMARY KEY, value)")
        for piece in pieces:
            plain = piece.set_column(2, "time", piece.column("time").cast(pa.int64()))
            lines = zip(*(plain.column(k).to_pylist() for k in range(4)), strict=True)
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO prediction VALUES (?, ?, ?, ?)", lines)
            connection.execute("COMMIT")
    return {"rows": rows}


def duckdb_join(folder: str, *, run: int, rows: int, labels: int) -> Figures:
    """Write the labels to a Parquet file, and join two such files."""
    import duckdb  # noqa: PLC0415 - slow to import
    import pyarrow.parquet as pq  # noqa: PLC0415

    home, table = Path(folder), _labels(run, rows, labels)
    with measuring() as written:
        pq.write_table(table, home / f"labels-{run}.parquet")
    with measuring() as joined, duckdb.connect(config={"threads": 2}) as connection:
        found: Any = connection.sql(
            f"SELECT p.*, l.value FROM '{home}/predictions.parquet' p "
            f"JOIN '{home}/labels-{run}.parquet' l USING (id)"
        ).to_arrow_table()
    _check(found.num_rows, labels)
    return _both(written, joined)


def sqlite_join(folder: str, *, run: int, rows: int, labels: int) -> Figures:
    """Insert the labels, in batches that are on the disk, and join two tables."""
    table = _labels(run, rows, labels)
    lines = list(zip(*(table.column(k).to_pylist() for k in range(2)), strict=True))
    with closing(_connected(Path(folder) / "rows.db")) as connection:
        with measuring() as written:
            for start in range(0, labels, _BATCH):
                connection.execute("BEGIN IMMEDIATE")
                statement = f"INSERT INTO label VALUES ({run}, ?, ?)"
                connection.executemany(statement, lines[start : start + _BATCH])
                connection.execute("COMMIT")
        with measuring() as joined:
            found = connection.execute(
                f"SELECT p.*, l.value FROM label l JOIN prediction p USING (id) WHERE run = {run}"
            ).fetchall()
    _check(len(found), labels)
    return _both(written, joined)


def delta_merge(folder: str, *, run: int, rows: int, labels: int) -> Figures:
    """Merge the labels into a Delta table, and read the rows that have one."""
    from deltalake import DeltaTable  # noqa: PLC0415 - slow to import

    delta, table = DeltaTable(str(Path(folder) / f"delta-{run}")), _labels(run, rows, labels)
    with measuring() as written:
        told: Mapping[str, Any] = (
            delta.merge(table, "t.id = s.id", source_alias="s", target_alias="t")
            .when_matched_update({"label": "s.value"})
            .execute()
        )
    _check(told["num_target_rows_updated"], labels)
    with measuring() as joined:
        dataset: Any = DeltaTable(str(Path(folder) / f"delta-{run}")).to_pyarrow_dataset()
        found = dataset.to_table(filter=_is_labelled())
    _check(found.num_rows, labels)
    return _both(written, joined)


def _is_labelled() -> Any:
    import pyarrow.compute as pc  # noqa: PLC0415 - slow to import

    return pc.field("label").is_valid()


def _both(written: Figures, joined: Figures) -> Figures:
    """Return the figures of adding the labels, and of reading the joined rows."""
    return {
        "add_wall_s": written["wall_s"],
        "add_cpu_s": written["cpu_s"],
        "read_wall_s": joined["wall_s"],
        "read_cpu_s": joined["cpu_s"],
        "peak_mib": max(written["peak_mib"], joined["peak_mib"]),
    }


def _late(run: int, rows: int, labels: int) -> Any:
    """Return rows from all over a history; those of another run are others."""
    every = np.random.default_rng(0).permutation(rows)
    return every[run * labels : (run + 1) * labels]


def _predictions(first: int, rows: int) -> Any:
    return rows_of.arrow(rows_of.foreign_ids(first, rows), rows_of.narrow(0, first, rows))


def _labels(run: int, rows: int, labels: int) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    ids = rows_of.foreign_ids_of(_late(run, rows, labels).tolist())
    return pa.table({"id": pa.array(ids), "value": pa.array(rows_of.labels(run, labels))})


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _check(found: int, expected: int) -> None:
    if found != expected:
        raise RuntimeError(f"{found} rows were joined, not {expected}")
