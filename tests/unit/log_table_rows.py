"""Rows for the tests of row tables: the same for the same numbers at each call."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa

from ratoon.log.table import RowTable

APP = "test/rows"
DAY_US = 86_400_000_000


def rows_of(start: int, stop: int, seq: int, **more: pa.Array) -> pa.Table:
    """Return rows with every kind of column that tables have."""
    numbers = np.arange(start, stop)
    return pa.table(
        {
            "row": numbers,
            "seq": np.full(stop - start, seq),
            "x": np.sin(numbers * 1.7),
            "text": pa.array([f"t{number % 11}" for number in numbers]),
            "time": pa.array(numbers * DAY_US, pa.timestamp("us", tz="UTC")),
            "flag": numbers % 3 == 0,
            "list": pa.array([[n, -n] for n in numbers.tolist()], pa.list_(pa.int64())),
            **more,
        }
    )


def filled(uri: object, *, files: int = 4, rows: int = 10) -> RowTable:
    """Return a table of some files of as many rows; the entry of each is its place from 1 on."""
    table = RowTable(str(uri), app=APP)
    for at in range(files):
        table.append(rows_of(at * rows, (at + 1) * rows, at + 1), seq=at + 1)
    return table


def data_files(folder: Path) -> set[str]:
    """Return the names of the data files that lie in a folder."""
    return {path.name for path in folder.glob("*.parquet")}


def state_of(folder: Path) -> dict[str, str]:
    """Return every file below a folder with the digest of its bytes."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
