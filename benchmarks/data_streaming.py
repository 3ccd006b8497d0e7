"""Steps that go through tables larger than the memory that they may use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import data_rows as rows_of
from benchmarks.data_measuring import Figures, measuring, size_mib
from ratoon.log.table import RowTable
from ratoon.stores.asking import Asking, Part
from ratoon.stores.folder import open_known

_PIECE = 1_000_000
_COLUMNS = 20
_BINS = 50
_HOUR_US = 3_600_000_000


def build(home: str, *, gib: float, run: int = 0) -> Figures:
    """Make a table of numbers that hardly compress, so many GiB of files."""
    table = RowTable(home, app="ratoon")
    rows = 0
    while size_mib(Path(home)) < gib * 1024:
        columns: Any = rows_of.numbers(run, rows, _PIECE, _COLUMNS)
        numbered = {
            "row": np.arange(rows, rows + _PIECE),
            "seq": np.full(_PIECE, rows // _PIECE + 1),
        }
        table.append(pa.table(numbered | columns), seq=rows // _PIECE + 1)
        rows += _PIECE
    table.close()
    return {"rows": rows, "mib": size_mib(Path(home))}


def scan(home: str, *, run: int) -> Figures:
    """Add up every column, a row group at a time."""
    _ = run
    table = RowTable(home, app="x", writable=False)
    with measuring() as found:
        sums = np.zeros(_COLUMNS)
        for piece in table.scan():
            whole: Any = piece
            sums += [pc.sum(whole.column(f"feature_number_{k}")).as_py() for k in range(_COLUMNS)]
    return _per_gib(found, home) | {"sum": float(sums.sum())}


def export(home: str, *, run: int) -> Figures:
    """Write all rows to one Parquet file, a row group at a time."""
    _ = run
    table, path = RowTable(home, app="x", writable=False), Path(home) / "export.parquet"
    with measuring() as found, pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for piece in table.scan():
            writer.write_table(piece)
    path.unlink()
    return _per_gib(found, home)


def verify(home: str, *, run: int) -> Figures:
    """Check the SHA-256 of every file."""
    _ = run
    table = RowTable(home, app="x", writable=False)
    with measuring() as found:
        complaints = list(table.verify())
    if complaints:
        raise RuntimeError(complaints[0])
    return _per_gib(found, home)


def duckdb_wide(home: str, *, run: int, limit_mib: int) -> Figures:
    """Aggregate every column with DuckDB, after a comparison of every SHA-256."""
    _ = run
    told = ", ".join(
        f"avg(feature_number_{k}), stddev(feature_number_{k})" for k in range(_COLUMNS)
    )
    nothing = RowTable(f"{home}/.nothing", app="x", writable=False)
    table = Part(table=RowTable(home, app="x", writable=False), folder=Path(home), stop=2**62)
    parts = {name: Part(table=nothing, folder=None, stop=0) for name in ("labels", "feedback")}
    asked = [f"SELECT {told} FROM predictions HAVING count(*) > 0"]
    return _per_gib(_asked(parts | {"predictions": table}, home, asked, limit_mib), home)


def duckdb_long(home: str, *, run: int, rows: int, limit_mib: int) -> Figures:
    """Aggregates and histograms of the first rows of a long history, with DuckDB."""
    _ = run
    within = f"FROM predictions WHERE row < {rows}"
    asked = [
        f"SELECT count(*), avg(feature_x), stddev(feature_x), min(time), max(time) {within}",
        f"SELECT epoch_us(time) // {_HOUR_US} h, count(*), avg(output) {within} GROUP BY h",
        f"SELECT floor(feature_x * {_BINS}) b, count(*) {within} GROUP BY b",
        f"SELECT output, approx_quantile(feature_x, 0.99) {within} GROUP BY output",
    ]
    store = open_known(Path(home), "loop")
    found = _asked(store.parts(), home, asked, limit_mib)
    store.close()
    return found


def _asked(parts: Mapping[str, Part], home: str, queries: list[str], limit_mib: int) -> Figures:
    temp, memory = Path(home) / ".spill", f"{limit_mib}MiB"
    with Asking(parts, temp=temp, memory=memory) as asking, measuring() as found:
        for query in queries:
            if not asking.ask(query).read_all().num_rows:
                raise RuntimeError("there is no answer")
    return found


def _per_gib(found: Figures, home: str) -> Figures:
    size = sum(path.stat().st_size for path in Path(home).glob("rows-*.parquet"))
    return found | {"cpu_s_per_gib": found["cpu_s"] / (size / 2**30)}
