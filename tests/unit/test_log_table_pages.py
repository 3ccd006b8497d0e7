"""Single pages of Parquet files: they hold the rows that the whole file holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ratoon.core.errors import FileCorrupt
from ratoon.log import table_groups, table_writing
from ratoon.log.table import RowTable
from ratoon.log.table_pages import page_map
from tests.unit.log_table_rows import APP, rows_of

ROWS = 5_000


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_writing, "GROUP_ROWS", 1_000)
    monkeypatch.setattr(table_writing, "PAGE_ROWS", 50)


def unique_texts(start: int, stop: int) -> pa.Array:
    """Return texts of which no two are the same."""
    return pa.array([f"own-{number}" for number in range(start, stop)])


def table_in(folder: Path, **more: Any) -> RowTable:
    """Return a table of two files, one of which has more columns."""
    table = RowTable(str(folder), app=APP)
    table.append(rows_of(0, ROWS, 1), seq=1)
    table.append(rows_of(ROWS, 2 * ROWS, 2, own=unique_texts(ROWS, 2 * ROWS), **more), seq=2)
    return table


class Decoded:
    """Counts the row groups that are decoded whole."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.groups = 0
        whole = table_groups.Groups.read

        def read(groups: Any, file: Any, some: Any, *rest: Any) -> Any:
            self.groups += 1
            return whole(groups, file, some, *rest)

        monkeypatch.setattr(table_groups.Groups, "read", read)


def test_rows_far_apart_are_read_by_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows from all over two files are those of the whole files, and no row group is decoded."""
    table = table_in(tmp_path)
    whole = table.read()
    decoded = Decoded(monkeypatch)
    rows = np.array([9_999, 0, 4_999, 49, 50, 5_001, 7_777, 7_778, 0])
    assert table.take(rows) == whole.take(pa.array(rows))
    assert table.take(rows, ["list", "own"]) == whole.select(["row", "list", "own"]).take(
        pa.array(rows)
    )
    assert decoded.groups == 0


def test_every_page_can_be_read(tmp_path: Path) -> None:
    """A page at a time, a file gives all of its rows, also after others were erased."""
    table = table_in(tmp_path)
    table.erase(np.arange(3, ROWS, 7))
    whole, fresh = table.read(), RowTable(str(tmp_path), app=APP, writable=False, cache_bytes=0)
    numbers = whole.column("row").to_numpy()
    for start in range(0, 500, 1):
        some = numbers[start::500]
        assert fresh.take(some) == whole.take(pa.array(np.arange(start, len(numbers), 500)))
    assert not fresh.take(np.array([3, 10])).num_rows


def test_what_is_asked_for_often_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row group of which many pages are read is decoded as a whole, and stays in memory."""
    table = table_in(tmp_path)
    decoded = Decoded(monkeypatch)
    for row in range(0, 1_000, 10):
        table.take(np.array([row]), ["x"])
    assert decoded.groups == 1
    table.take(np.arange(2_000, 3_000, 2), ["x"])
    assert decoded.groups == 2


def test_files_without_an_index_of_pages(tmp_path: Path) -> None:
    """A file that tells nothing of its pages is read by row groups."""
    path = tmp_path / "old.parquet"
    pq.write_table(rows_of(0, 100, 1), path)
    with pa.OSFile(str(path)) as opened:
        assert page_map(opened) is None


def test_a_dictionary_that_grows_too_large(tmp_path: Path) -> None:
    """Where texts end pages early, their column is read by row groups; the rows are the same."""
    long = pa.array([f"{n % 3_000:0600d}" for n in range(ROWS)])
    mixed = pa.array(["a", "a"] * 2_100 + long.to_pylist()[: ROWS - 4_200])
    table = table_in(tmp_path, long=long, mixed=mixed)
    whole, rows = table.read(), np.array([5_000, 6_100, 9_001, 9_998])
    assert table.take(rows) == whole.take(pa.array(rows))


def test_a_bit_that_flips_in_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is not as it was written names its file, among those read with it."""
    monkeypatch.setattr(table_groups, "_READS", 0)  # so that no row group is decoded whole
    table = table_in(tmp_path)
    rows, path = np.array([70, 9_020]), tmp_path / table.files[1].name
    whole, body, found = table.take(rows, ["x"]), path.read_bytes(), path.stat()
    with pa.OSFile(str(path)) as opened:
        pages = page_map(opened)
    assert pages is not None
    column = pages.columns["x"][0]
    start, size = int(column.starts[4, 0]), int(column.sizes[4, 0])
    wrong: list[str] = []
    for at in range(start, start + size):
        bad = bytearray(body)
        bad[at] ^= 1 << at % 8
        with path.open("r+b") as file:
            file.write(bad)
        # The disk changes a file behind the back of the system.
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
        try:
            assert table.take(rows, ["x"]) == whole
        except FileCorrupt as error:
            wrong.append(str(error))
    assert len(wrong) > 0.9 * size
    assert all(path.name in told for told in wrong)
