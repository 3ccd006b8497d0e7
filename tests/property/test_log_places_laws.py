"""Laws of the arrays of places: they are lists that survive reopening and power cuts."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ratoon.core.errors import StoreDamaged
from ratoon.log.places import Places
from ratoon.log.places_state import LIMIT
from tests.property.power_cut import Cut, Disk

VALUES = st.one_of(st.integers(-1, 40), st.sampled_from([LIMIT - 1, 2**32, 2**46]))
COUNTS = st.sampled_from([1, 2, 5, 40, 1500])
OPERATIONS = st.one_of(
    st.tuples(st.just("append"), st.lists(VALUES, max_size=5), COUNTS),
    st.tuples(st.just("set"), st.lists(VALUES, min_size=1, max_size=5), COUNTS),
    st.tuples(
        st.sampled_from(["flush", "flush", "reopen", "let go", "clear"]), st.just([1]), st.just(1)
    ),
)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Make a folder for one example: few changes are settled, and nothing waits for the disk."""
    path = Path(tempfile.mkdtemp())
    with (
        mock.patch("ratoon.log.places._SETTLE_AT", 4),
        mock.patch("ratoon.log.places._PIECE", 16),
        mock.patch("os.fsync"),
    ):
        try:
            yield path
        finally:
            shutil.rmtree(path)


class Twin:
    """An array beside the list that it must equal."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.places = Places(path)
        self.known: list[int] = []
        self.flushed: list[int] = []
        self.covered = 0
        self.rng = np.random.default_rng(0)

    def do(self, what: str, values: list[int], count: int) -> None:
        """Do one operation to both."""
        column = np.array(values * count, dtype=np.int64)
        match what:
            case "append":
                self.known += column.tolist()
                self.places.append(column)
            case "set":
                self.set(self.rng.integers(0, len(self.known) + 3 * count, len(column)), column)
            case "flush":
                self.flushed, self.covered = list(self.known), self.covered + 1
                self.places.flush(self.covered)
            case "reopen":
                self.places.close()
                self.places, self.known = Places(self.path), list(self.flushed)
            case "let go":
                self.places.let_go()
            case _:
                self.known, self.flushed, self.covered = [], [], 0
                self.places.clear()

    def set(self, index: np.ndarray, column: np.ndarray) -> None:
        """Set values, of one place the last."""
        self.known += [-1] * (int(index.max()) + 1 - len(self.known))
        for at, value in zip(index.tolist(), column.tolist(), strict=True):
            self.known[at] = value
        self.places.set(index, column)

    def check(self) -> None:
        """Compare every place, from the front, from behind and at random."""
        compare(self.places, self.known)
        assert self.places.covered == self.covered


def compare(places: Places, known: list[int]) -> None:
    """Check that the array answers as the list does."""
    assert len(places) == len(known)
    assert places.get(slice(None)).tolist() == known
    assert places.get(slice(-5, None, 2)).tolist() == known[-5::2]
    index = np.array([len(known), -1, 0, len(known) // 2, 2**60])
    expected = [-1, -1, *known[:1], *known[len(known) // 2 :][:1], -1]
    if known:
        assert places.get(index).tolist() == expected
    assert [int(places.get(np.array([at]))[0]) for at in range(0, len(known), 97)] == known[::97]


@given(operations=st.lists(OPERATIONS, max_size=25))
@settings(max_examples=60)
def test_an_array_is_a_list(operations: list[tuple[str, list[int], int]]) -> None:
    """Appending, setting, flushing and reopening leave what they leave in a list."""
    with folder() as home:
        twin = Twin(home / "array")
        for operation in operations:
            twin.do(*operation)
            twin.check()
        twin.places.close()


@given(
    before=st.lists(OPERATIONS, max_size=8),
    during=st.lists(OPERATIONS, min_size=1, max_size=8),
    at=st.integers(1, 16),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=40)
def test_a_power_cut_leaves_the_last_flush_or_the_one_under_way(
    before: list[tuple[str, list[int], int]],
    during: list[tuple[str, list[int], int]],
    at: int,
    seed: int,
) -> None:
    """What is found after a cut is whole: the state before the call that died, or after it."""
    with folder() as home:
        cut_off(home, before, during, at=at, seed=seed)


def test_a_power_cut_at_every_moment() -> None:
    """The same at each moment of a life in which changes are settled, and of a new start."""
    flush = ("flush", [0], 1)
    life = [
        *[("append", [5, 6], 40), flush, ("set", [7], 5), flush, ("set", [1, -1], 2), flush],
        *[("append", [9], 40), ("set", [2], 2), flush, ("set", [3], 5), flush, flush],
        *[("clear", [0], 1), ("set", [4], 5), flush, ("append", [5], 2), flush, flush],
    ]
    with folder() as home:
        flushes = cut_off(home, [], life, at=0, seed=0)
    assert flushes > 25
    for at in range(1, flushes + 1):
        for seed in range(4):
            with folder() as home:
                assert cut_off(home, [], life, at=at, seed=seed) == at


def cut_off(
    home: Path,
    before: list[tuple[str, list[int], int]],
    during: list[tuple[str, list[int], int]],
    *,
    at: int,
    seed: int,
) -> int:
    """Cut the power at a flush of the second operations, check what is left; count the flushes."""
    twin = Twin(home / "live" / "array")
    for operation in before:
        twin.do(*operation)
    disk = Disk(home / "live", home / "image", at=at, seed=seed)
    old = (twin.covered, twin.flushed)
    try:
        with disk.watching():
            for operation in during:
                old = (twin.covered, twin.flushed)
                twin.do(*operation)
    except Cut:
        _continue_after(home / "image" / "array", old, (twin.covered, twin.flushed))
    return disk.flushes


def _continue_after(path: Path, old: tuple[int, list[int]], new: tuple[int, list[int]]) -> None:
    """Open the image to read and to write, compare it with both states, and go on with it."""
    states = dict([old, new])
    for writable in (False, True):
        places = Places(path, writable=writable)
        assert places.covered in states
        compare(places, states[places.covered])
    known = states[places.covered]
    places.append(np.array([7]))
    places.set(np.array([len(known) + 3]), np.array([8]))
    places.flush(99)
    places.set(np.array([0]), np.array([9]))
    places.flush(100)
    places.close()
    after = [*known, 7, -1, -1, 8]
    after[0] = 9
    compare(Places(path), after)


@given(data=st.data(), operations=st.lists(OPERATIONS, min_size=1, max_size=8))
@settings(max_examples=60)
def test_a_flipped_bit_is_never_a_wrong_number(
    data: st.DataObject, operations: list[tuple[str, list[int], int]]
) -> None:
    """With one bit of one file flipped, every number is right, or the file is named."""
    with folder() as home:
        twin = Twin(home / "array")
        for operation in [*operations, ("append", [3], 2), ("flush", [], 1)]:
            twin.do(*operation)
        twin.places.close()
        path = data.draw(st.sampled_from([p for p in sorted(home.iterdir()) if p.stat().st_size]))
        body = bytearray(path.read_bytes())
        bit = data.draw(st.integers(0, 8 * len(body) - 1))
        body[bit // 8] ^= 1 << bit % 8
        path.write_bytes(body)
        told: str | None = None
        try:
            compare(Places(home / "array", writable=False), twin.known)
        except StoreDamaged as error:
            told = error.fact
        assert told is None or str(path) in told
