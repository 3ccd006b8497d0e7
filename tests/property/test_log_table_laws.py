"""Whatever is done to a row table, it holds what a plain list of rows would hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from ratoon.log.table import RowTable

APP = "test/laws"
LATER = datetime(2100, 1, 1, tzinfo=UTC)
COLUMNS = ("a", "b", "c")

APPEND = st.tuples(
    st.just("append"),
    st.lists(st.integers(0, 12), min_size=1, max_size=3),  # rows of each journal entry
    st.sets(st.sampled_from(COLUMNS)),
)
ERASE = st.tuples(st.just("erase"), st.lists(st.integers(-2, 80), max_size=8), st.none())
RANGE_ERASE = st.tuples(
    st.sampled_from(["erase range", "drop range"]), st.integers(0, 60), st.integers(0, 30)
)
COMPACT = st.tuples(st.just("compact"), st.sampled_from([2, 10, 40, 1000]), st.none())
DROP = st.tuples(
    st.just("drop"), st.integers(0, 60), st.tuples(st.integers(0, 60), st.integers(0, 5))
)
PLAIN = st.tuples(st.sampled_from(["again", "reopen", "vacuum", "forget"]), st.none(), st.none())
STEPS = st.lists(st.one_of(APPEND, APPEND, COMPACT, ERASE, RANGE_ERASE, DROP, PLAIN), max_size=12)
ASKED = st.lists(st.integers(-3, 90), max_size=30)


@dataclass(slots=True)
class Oracle:
    """What the table should hold: rows by their numbers, as plain dictionaries."""

    rows: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    stop: int = 0
    seq: int = 0
    last: tuple[pa.Table, int] | None = None  # what was appended last

    def next_rows(self, counts: list[int], columns: set[str]) -> tuple[pa.Table, int]:
        """Return rows of so many entries that go on where the table ends."""
        seqs = np.repeat(np.arange(self.seq + 1, self.seq + 1 + len(counts)), counts)
        numbers = np.arange(self.stop, self.stop + len(seqs))
        made = {
            "a": numbers * 0.5,
            "b": pa.array([f"b{n % 3}" for n in numbers], pa.string()),
            "c": pa.array([[n] * (n % 3) for n in numbers.tolist()], pa.list_(pa.int64())),
        }
        chosen = {name: made[name] for name in COLUMNS if name in columns}
        return pa.table({"row": numbers, "seq": seqs, **chosen}), self.seq + len(counts)

    def add(self, rows: pa.Table, seq: int) -> None:
        """Hold rows."""
        self.rows |= {row["row"]: row for row in rows.to_pylist()}
        self.stop += rows.num_rows
        self.seq = seq
        self.last = (rows, seq)

    def told(self, numbers: Any, names: list[str]) -> list[dict[str, Any]]:
        """Return rows as the table should give them."""
        return [
            {name: self.rows[number].get(name) for name in names}
            for number in numbers
            if number in self.rows
        ]


@contextmanager
def small_pieces() -> Iterator[None]:
    """Make row groups, files and checkpoints of few rows, and flush nothing."""
    with (
        mock.patch("ratoon.log.table_writing.GROUP_ROWS", 4),
        mock.patch("ratoon.log.table.FILE_ROWS", 10),
        mock.patch("ratoon.log.table_commits.CHECKPOINT_EVERY", 3),
        mock.patch("ratoon.log.disk.flush"),
        mock.patch("ratoon.log.disk.flush_folder"),
    ):
        yield


def step(table: RowTable, oracle: Oracle, what: str, one: Any, two: Any) -> RowTable:
    """Do one step to the table and to the oracle."""
    match what:
        case "append":
            rows, seq = oracle.next_rows(one, two)
            table.append(rows, seq=seq)
            if table.version is not None:
                oracle.add(rows, seq)
        case "again":
            if oracle.last is not None:
                table.append(oracle.last[0], seq=oracle.last[1])
        case "erase" | "erase range" | "drop range":
            wanted = one if what == "erase" else list(range(one, one + two))
            there = {number for number in wanted if number in oracle.rows}
            numbers = np.array(wanted, dtype=np.int64)
            gone = table.drop(numbers, now=LATER) if "drop" in what else table.erase(numbers)
            assert gone == len(there)
            oracle.rows = {n: row for n, row in oracle.rows.items() if n not in there}
        case "compact":
            before = table.read()
            table.compact(rows=one)
            assert table.read() == before
        case "drop":
            first, length = two
            keep = [(first, first + length)]
            _drop(table, oracle, one, keep)
        case "vacuum":
            table.vacuum(older_than=timedelta(0), now=LATER)
        case "forget":
            table.close()
        case _:
            return RowTable(table.uri, app=APP, cache_bytes=2000)
    return table


def _drop(table: RowTable, oracle: Oracle, row: int, keep: list[tuple[int, int]]) -> None:
    """Drop old files: which rows go depends on the files, but never one that must stay."""
    count = table.drop_before(row, keep=keep, now=LATER)
    left = set(table.read(columns=[]).column("row").to_pylist()) if table.files else set()
    gone = set(oracle.rows) - left
    assert count == len(gone)
    assert all(n < row and not any(a <= n < b for a, b in keep) for n in gone)
    assert not any(file.last < row for file in table.files if _spared(file, keep) is False)
    oracle.rows = {n: told for n, told in oracle.rows.items() if n not in gone}


def _spared(file: Any, keep: list[tuple[int, int]]) -> bool:
    return any(file.first < stop and start <= file.last and start < stop for start, stop in keep)


def check(table: RowTable, oracle: Oracle, asked: list[int]) -> None:
    """Compare all ways of reading with the oracle."""
    assert (table.stop, table.seq) == (oracle.stop, oracle.seq)
    names = table.schema.names
    there = sorted(oracle.rows)
    assert table.read().to_pylist() == oracle.told(there, names)
    numbers = np.array(asked, dtype=np.int64)
    assert table.take(numbers).to_pylist() == oracle.told(asked, names)
    assert table.take(np.sort(numbers)).to_pylist() == oracle.told(sorted(asked), names)
    start, stop = (min(asked), max(asked)) if asked else (0, 10)
    between = [number for number in there if start <= number < stop]
    some = [name for name in ("row", "b", "a") if name in names]
    scanned = [row for part in table.scan(start, stop, some) for row in part.to_pylist()]
    assert scanned == oracle.told(between, some)
    assert table.read(start, stop, some).to_pylist() == scanned
    inside = list(range(start, stop))
    assert table.take(np.arange(start, stop), some).to_pylist() == oracle.told(inside, some)
    assert table.dataset().count_rows() == len(there)
    assert not list(table.verify())


@settings(max_examples=60)
@given(steps=STEPS, asked=ASKED)
def test_equals_a_list(steps: list[tuple[str, Any, Any]], asked: list[int]) -> None:
    """Appends, erasures, merges, drops and reopenings in any order leave what a list would hold."""
    with TemporaryDirectory() as folder, small_pieces():
        table, oracle = RowTable(folder, app=APP, cache_bytes=2000), Oracle()
        for what, one, two in steps:
            table = step(table, oracle, what, one, two)
            check(table, oracle, asked)
        reader = RowTable(folder, app=APP, writable=False)
        check(reader, oracle, asked)


@settings(max_examples=30)
@given(
    counts=st.lists(st.integers(0, 6), min_size=1, max_size=12),
    cuts=st.lists(st.integers(0, 12), max_size=4),
    repeats=st.lists(st.integers(0, 12), max_size=4),
)
def test_batches_do_not_matter(counts: list[int], cuts: list[int], repeats: list[int]) -> None:
    """Entries brought in any batches, and again from any earlier entry on, are there once each."""
    rows, last = Oracle().next_rows([1, *counts], {"a", "b"})
    seqs = rows.column("seq").to_numpy()
    with TemporaryDirectory() as folder, small_pieces():
        table = RowTable(folder, app=APP)
        done = 0
        for upto in sorted({*(cut for cut in cuts if cut < last), last}):
            table.append(rows.slice(0, int(np.searchsorted(seqs, upto, side="right"))), seq=upto)
            done = max(done, upto) if table.version is not None else done
            assert table.seq == done
            for first in repeats:
                low, high = np.searchsorted(seqs, [first, upto], side="right").tolist()
                if first <= done:
                    table.append(rows.slice(low, high - low), seq=upto)
        assert table.read() == rows
        assert RowTable(folder, app=APP).read() == rows
