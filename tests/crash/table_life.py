"""The life of a row table: appends, merges and erasures, and what must be left of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ratoon.log import disk
from ratoon.log.table import RowTable

APP = "test/crash"
ENTRIES = 10
ROWS = 7  # of each entry
WIDENED = 4  # from this entry on rows have one more column
CHECKPOINT_EVERY = 3


def rows_of(seq: int) -> pa.Table:
    """Return the rows of an entry, the same at each call."""
    numbers = np.arange((seq - 1) * ROWS, seq * ROWS)
    columns: dict[str, Any] = {
        "row": numbers,
        "seq": np.full(ROWS, seq),
        "x": np.sin(numbers),
        "text": pa.array([f"secret {number}" for number in numbers]),
    }
    if seq >= WIDENED:
        columns["y"] = numbers * 2.0
    return pa.table(columns)


def erased_by(seq: int) -> list[int]:
    """Return the rows that are erased behind an entry: some of that one, and an older one."""
    return [(seq - 1) * ROWS + 2, (seq - 1) * ROWS + 5, (seq - 2) * ROWS + 1]


ERASING = (3, 7)  # behind these entries
MERGING = (2, 5, 8)


@dataclass(slots=True)
class Told:
    """What was acknowledged."""

    appended: int = 0  # the last entry
    erased: set[int] = field(default_factory=set[int])

    def hear(self, line: str) -> None:
        """Take in an acknowledgement."""
        what, _, number = line.partition(" ")
        if what == "appended":
            self.appended = int(number)
        if what == "erased":
            self.erased |= set(erased_by(int(number)))


def live(folder: Path, say: Callable[[str], Any]) -> None:
    """Open a table and bring it as far as it goes, saying what is done.

    Like a log that is flushed again after a crash, it sends the entry before the last again.
    """
    with mock.patch("ratoon.log.table_commits.CHECKPOINT_EVERY", CHECKPOINT_EVERY):
        table = RowTable(str(folder), app=APP)
        for seq in range(max(1, table.seq - 1), ENTRIES + 1):
            table.append(rows_of(seq), seq=seq)
            say(f"appended {seq}")
            if seq in MERGING:
                table.compact(rows=100)
                say(f"merged {seq}")
            if seq in ERASING and seq * ROWS <= table.stop:
                table.erase(np.array(erased_by(seq)))
                say(f"erased {seq}")


def check(folder: Path, told: Told) -> None:
    """Expect what was acknowledged and nothing that was not sent, then that life goes on."""
    if not folder.exists():
        assert told.appended == 0
        return
    reader = RowTable(str(folder), app=APP, writable=False)
    table = RowTable(str(folder), app=APP)
    assert told.appended <= reader.seq == table.seq <= told.appended + 1
    assert reader.read() == table.read()
    found = table.read().to_pylist()
    sent = [row for seq in range(1, table.seq + 1) for row in rows_of(seq).to_pylist()]
    names = table.schema.names
    wanted = {row["row"]: {name: row.get(name) for name in names} for row in sent}
    assert [row["row"] for row in found] == sorted(row["row"] for row in found)
    assert all(wanted[row["row"]] == row for row in found)
    missing = set(wanted) - {row["row"] for row in found}
    assert told.erased <= missing
    assert missing <= {row for seq in ERASING for row in erased_by(seq)}
    assert table.stop == table.seq * ROWS
    assert not list(table.verify())
    _expect_gone(folder, told.erased)
    if table.version is not None:
        assert pl.scan_delta(str(folder)).collect().height == len(found)
    assert not list((folder / "_ratoon").glob("*.part"))


def _expect_gone(folder: Path, erased: set[int]) -> None:
    """Expect erased rows to be in no file, named by the table or not."""
    for path in folder.glob("*.parquet"):
        numbers = pq.read_table(path, columns=["row"]).column("row").to_pylist()
        assert not erased & set(numbers)


def main(folder: str, *, careless: bool) -> None:
    """Live, stopping before each flush until a line is read."""

    def paused(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> None:
            say("step")
            if not careless:
                real(*arguments)

        return call

    def say(line: str) -> None:
        print(line, flush=True)  # noqa: T201 - the parent reads it
        sys.stdin.readline()

    with (
        mock.patch.object(disk, "flush", paused(disk.flush)),
        mock.patch.object(disk, "flush_folder", paused(disk.flush_folder)),
    ):
        live(Path(folder), say)
    say("end")


if __name__ == "__main__":
    main(sys.argv[1], careless=len(sys.argv) > 2)
