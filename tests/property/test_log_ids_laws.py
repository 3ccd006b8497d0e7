"""Laws of the index of ids: it is a dictionary that survives reopening, merges and power cuts."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratoon.core.errors import StoreDamaged
from ratoon.log.ids import IdIndex
from ratoon.log.ids_columns import Columns, Keys, Words, filter_mask, sorted_newest, without
from ratoon.log.ids_merging import due
from ratoon.log.ids_run import Run
from ratoon.log.ids_write import merge, write_run
from tests.property.power_cut import Cut, Disk
from tests.unit.ids_world import small_limits

EXAMPLES = settings(max_examples=40)
LAST = 2**64 - 1
# Few values of the first half, so that many digests share it, also across blocks of 256 rows.
HALVES = st.sampled_from([0, 1, 2**32, 2**63, LAST - 1, LAST])
COUNTS = st.sampled_from([1, 2, 7, 30, 300, 700])
OPERATIONS = st.one_of(
    st.tuples(st.just("add"), COUNTS),
    st.tuples(st.just("add again"), COUNTS),
    st.tuples(st.just("remove"), COUNTS),
    st.tuples(st.sampled_from(["flush", "flush", "reopen", "clear"]), st.just(0)),
)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Make a folder for one example; nothing waits for the disk."""
    path = Path(tempfile.mkdtemp())
    with mock.patch("os.fsync"):
        try:
            yield path
        finally:
            shutil.rmtree(path)


class Twin:
    """An index beside the dictionary that it must equal."""

    def __init__(self, home: Path) -> None:
        self.index = IdIndex(home)
        self.home = home
        self.known: dict[str, int] = {}
        self.flushed: dict[str, int] = {}
        self.covered = 0
        self.made = 0

    def do(self, what: str, count: int) -> None:
        """Do one operation to both."""
        match what:
            case "add":
                self.add([f"id-{self.made + i}" for i in range(count)])
            case "add again":
                self.add(list(self.known)[:count])
            case "remove":
                gone = [*list(self.known)[-count:], "nobody"]
                self.known = {key: self.known[key] for key in self.known if key not in set(gone)}
                self.flushed = {k: self.flushed[k] for k in self.flushed if k not in set(gone)}
                self.index.remove(gone)
            case "flush":
                self.flush()
            case "reopen":
                self.index.close()
                self.index = IdIndex(self.home)
                self.known = dict(self.flushed)
            case _:
                self.known, self.flushed, self.covered = {}, {}, 0
                self.index.clear()

    def add(self, ids: list[str]) -> None:
        """Add ids with the next numbers."""
        numbers = np.arange(self.made, self.made + len(ids))
        self.made += len(ids)
        self.known.update(zip(ids, numbers.tolist(), strict=True))
        self.index.find(ids)
        self.index.add(ids, numbers)

    def flush(self) -> None:
        """Flush; from then on the new state may be on the disk."""
        self.flushed, self.covered = dict(self.known), self.covered + 1
        self.index.flush(self.covered)

    def check(self) -> None:
        """Compare every id that ever was, and some that were not."""
        compare(self.index, self.known, self.made)
        assert self.index.covered == self.covered


def compare(index: IdIndex, known: dict[str, int], made: int) -> None:
    """Check that the index answers as the dictionary does."""
    ids = [f"id-{i}" for i in range(made + 20)]
    expected = [known.get(key, -1) for key in ids]
    assert index.find(ids).tolist() == expected
    assert [int(index.find([key])[0]) for key in ids[::37]] == expected[::37]
    assert len(index) >= len(known)


@given(operations=st.lists(OPERATIONS, max_size=25))
@EXAMPLES
def test_the_index_is_a_dictionary(operations: list[tuple[str, int]]) -> None:
    """Adds, flushes, merges, removals and reopenings leave what they leave in a dictionary."""
    with small_limits(8), folder() as home:
        twin = Twin(home)
        for what, count in operations:
            twin.do(what, count)
            twin.check()
        twin.index.close()


@given(counts=st.lists(COUNTS, min_size=1, max_size=40))
@EXAMPLES
def test_the_number_of_runs_is_bounded(counts: list[int]) -> None:
    """Whatever the sizes of the flushes, merging ends, and leaves fewer than four runs a tier."""
    with small_limits(8), folder() as home:
        twin = Twin(home)
        for count in counts:
            twin.do("add", count)
            twin.do("flush", 0)
        for _ in range(1000):
            sizes = [len(run) for run in twin.index._runs]
            if twin.index._merging is None and due(sizes, float("inf")) is None:
                break
            twin.flush()
        else:
            pytest.fail("merging does not end")
        assert sum(sizes) == twin.made
        twin.check()
        twin.index.close()


@given(
    before=st.lists(OPERATIONS, max_size=8),
    during=st.lists(OPERATIONS, min_size=1, max_size=8),
    at=st.integers(1, 25),
    seed=st.integers(0, 2**32),
)
@EXAMPLES
def test_a_power_cut_leaves_the_last_flush_or_the_one_under_way(
    before: list[tuple[str, int]], during: list[tuple[str, int]], at: int, seed: int
) -> None:
    """What is found after a cut is whole: the state before the call that died, or after it."""
    with small_limits(8), folder() as home:
        cut_off(home, before, during, at=at, seed=seed)


def test_a_power_cut_at_every_moment() -> None:
    """The same at each moment of a life with merges, removals and a new start."""
    life = [
        *[("add", 30), ("flush", 0), ("add", 300), ("flush", 0), ("add again", 7), ("flush", 0)],
        *[("add", 30), ("flush", 0), ("add", 300), ("flush", 0), ("add", 300), ("flush", 0)],
        *[("add", 1), ("flush", 0), ("remove", 30), ("add", 7), ("flush", 0)],
        *[("clear", 0), ("add", 7), ("flush", 0)],
    ]
    with small_limits(8), folder() as home:
        flushes = cut_off(home, [], life, at=0, seed=0)
    assert flushes > 40
    for at in range(1, flushes + 1):
        for seed in range(4):
            with small_limits(8), folder() as home:
                assert cut_off(home, [], life, at=at, seed=seed) == at


def cut_off(
    home: Path,
    before: list[tuple[str, int]],
    during: list[tuple[str, int]],
    *,
    at: int,
    seed: int,
) -> int:
    """Cut the power at a flush of the second operations, check what is left; count the flushes."""
    twin = Twin(home / "live")
    for what, count in before:
        twin.do(what, count)
    disk = Disk(home / "live", home / "image", at=at, seed=seed)
    old = (twin.covered, dict(twin.flushed))
    try:
        with disk.watching():
            for what, count in during:
                old = (twin.covered, dict(twin.flushed))
                twin.do(what, count)
    except Cut:
        _continue_after(twin, home / "image", old)
    return disk.flushes


def _continue_after(twin: Twin, image: Path, old: tuple[int, dict[str, int]]) -> None:
    """Open the image, compare it with both states, and go on with it."""
    index = IdIndex(image)
    states = [old, (twin.covered, twin.flushed)]
    found = index.find([f"id-{i}" for i in range(twin.made)]).tolist() if twin.made else []
    fitting = [
        known
        for covered, known in states
        if index.covered == covered
        and found == [known.get(f"id-{i}", -1) for i in range(twin.made)]
    ]
    assert fitting
    index.add(["new"], np.array([10**6]))
    index.flush(99)
    index.close()
    index = IdIndex(image)
    assert index.find(["new"]).tolist() == [10**6]
    compare(index, fitting[0], twin.made)
    index.close()


@given(data=st.data(), batches=st.lists(COUNTS, min_size=1, max_size=4))
@settings(max_examples=80)
def test_a_flipped_bit_is_never_a_wrong_number(data: st.DataObject, batches: list[int]) -> None:
    """With one bit of one file flipped, every answer is right, or the file is named."""
    with small_limits(8), folder() as home:
        twin = Twin(home)
        for count in batches:
            twin.do("add", count)
            twin.do("flush", 0)
        twin.index.close()
        path = data.draw(st.sampled_from(sorted(home.iterdir())))
        body = bytearray(path.read_bytes())
        bit = data.draw(st.integers(0, 8 * len(body) - 1))
        body[bit // 8] ^= 1 << bit % 8
        path.write_bytes(body)
        told: str | None = None
        try:
            compare(IdIndex(home, writable=False), twin.known, twin.made)
        except StoreDamaged as error:
            told = error.fact
        assert told is None or str(path) in told


def rows_of(pairs: list[tuple[int, int]]) -> Columns:
    """Return rows of these digests, numbered as they come."""
    halves = np.array(pairs, dtype=np.uint64).reshape(-1, 2)
    keys = Keys(high=halves[:, 0].copy(), low=halves[:, 1].copy())
    return Columns(keys=keys, number=np.arange(len(pairs)))


@given(
    pieces=st.lists(
        st.lists(st.tuples(HALVES, st.integers(0, 900)), min_size=1, max_size=900),
        min_size=1,
        max_size=3,
    ),
    seed=st.integers(0, 2**32),
)
@EXAMPLES
def test_digests_that_share_their_first_half(
    pieces: list[list[tuple[int, int]]], seed: int
) -> None:
    """Runs and merges of digests that agree in their first half answer as a dictionary does."""
    rng = np.random.default_rng(seed)
    halves = np.array([0, 1, 2**32, 2**63, LAST - 1, LAST], dtype=np.uint64)
    more = zip(rng.choice(halves, 900).tolist(), rng.integers(0, 900, 900).tolist(), strict=True)
    pieces = [*pieces, list(more)]
    every = {(high, low) for high in halves.tolist() for low in range(0, 900, 7)}
    every.update(pair for piece in pieces for pair in piece)
    asked = rows_of(sorted(every)).keys
    with small_limits(8), folder() as home:
        runs: list[Run] = []
        known: dict[tuple[int, int], int] = {}
        for at, piece in enumerate(pieces):
            known.update({pair: number for number, pair in enumerate(piece)})
            write_run(home / f"{at}", sorted_newest(rows_of(piece)))
            runs.append(Run(home / f"{at}"))
            own = {pair: number for number, pair in enumerate(piece)}
            expected = [own.get(pair, -1) for pair in sorted(every)]
            assert runs[-1].numbers(asked).tolist() == expected
        gone = frozenset(list(known)[::5])
        for left_out in (frozenset[tuple[int, int]](), gone):
            for _ in merge(runs, home / "merged", left_out):
                pass
            merged = Run(home / "merged")
            expected = [-1 if pair in left_out else known.get(pair, -1) for pair in sorted(every)]
            assert merged.numbers(asked).tolist() == expected
            assert len(merged) == len(known.keys() - left_out)


@given(seed=st.integers(0, 2**32), rows=st.integers(1, 3000))
@EXAMPLES
def test_the_filter_stops_no_digest_that_is_there(seed: int, rows: int) -> None:
    """All digests of a run pass its filter, asked one by one too; of others few do."""
    rng = np.random.default_rng(seed)
    with folder() as home:
        keys = Keys(high=_drawn(rng, rows), low=_drawn(rng, rows))
        write_run(home / "run", sorted_newest(Columns(keys=keys, number=np.arange(rows))))
        run = Run(home / "run")
        assert len(run.may_hold(keys.high, filter_mask(keys.low))) == rows
        pairs = zip(keys.high[:50].tolist(), keys.low[:50].tolist(), strict=True)
        assert all(run.may_hold_one(high, low) for high, low in pairs)
        others = Keys(high=_drawn(rng, 5000), low=_drawn(rng, 5000))
        passed = run.may_hold(others.high, filter_mask(others.low))
        assert len(passed) < 100
        one_by_one = [
            run.may_hold_one(high, low)
            for high, low in zip(others.high.tolist(), others.low.tolist(), strict=True)
        ]
        assert np.flatnonzero(one_by_one).tolist() == passed.tolist()


def _drawn(rng: np.random.Generator, count: int) -> Words:
    return rng.integers(0, LAST, count, dtype=np.uint64, endpoint=True)


@given(
    pairs=st.lists(st.tuples(HALVES, st.integers(0, 9)), max_size=60),
    gone=st.frozensets(st.tuples(HALVES, st.integers(0, 9)), max_size=20),
)
@EXAMPLES
def test_sorting_and_leaving_out(pairs: list[tuple[int, int]], gone: set[tuple[int, int]]) -> None:
    """Rows come out sorted, of one digest the last, and without those left out."""
    expected = {pair: number for number, pair in enumerate(pairs) if pair not in gone}
    rows = without(sorted_newest(rows_of(pairs)), frozenset(gone))
    found = zip(rows.keys.high.tolist(), rows.keys.low.tolist(), strict=True)
    order = list(found)
    assert dict(zip(order, rows.number.tolist(), strict=True)) == expected
    assert [high for high, _ in order] == sorted(high for high, _ in order)
    assert len(order) == len(expected)
