"""Laws of the write-ahead files: what was acknowledged is read as it was written, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ratoon.core.errors import LogCorrupt, StoreUnwritable
from ratoon.log.wal import WalWriter, read_wal

# A wait, a new file, a process that ends well, one that dies, a sync that fails.
ACTS = ("wait", "rotate", "close", "die", "fail")
HEADER_BYTES, RECORD_BYTES = 56, 32
BODIES = st.binary(max_size=40)
PLANS = st.lists(st.one_of(BODIES, st.sampled_from(ACTS)), min_size=1, max_size=14)
EXAMPLES = settings(max_examples=150)


@dataclass(slots=True)
class Written:
    """A folder, and what was appended and acknowledged there."""

    folder: Path
    appended: dict[int, bytes] = field(default_factory=dict[int, bytes])
    acknowledged: int = 0  # the last number
    durable: int = 0  # the offset up to which the newest file was acknowledged
    unsealed: bool = False  # a sync failed, and nothing was written since

    def files(self) -> list[Path]:
        """Return the files in order."""
        return sorted(self.folder.glob("*.wal"))

    def expect_prefix(self, folder: Path) -> int:
        """Expect that a folder holds the first records as they were, and return how many."""
        found = {record.number: record.body for record in read_wal(folder)}
        assert list(found) == list(range(1, len(found) + 1))
        assert found.items() <= self.appended.items()
        return len(found)


@contextmanager
def written(plan: list[bytes | str]) -> Iterator[Written]:
    """Carry out a plan in a folder of its own; nothing is really flushed."""
    with TemporaryDirectory() as home, mock.patch("os.fdatasync"), mock.patch("os.fsync"):
        state = Written(folder=Path(home) / "wal")
        wal = WalWriter(state.folder, file_bytes=300)
        for step in plan:
            if isinstance(step, bytes):
                state.appended[wal.next_number] = step
                wal.append(wal.next_number, [step])
                state.unsealed = False
            else:
                wal = act(step, wal, state)
        newest = state.files()[-1:]
        state.durable = newest[0].stat().st_size if newest else 0
        if wal.durable_number < wal.next_number - 1 and wal._file:
            state.durable = wal._file.durable_end
        state.acknowledged = wal.durable_number
        yield state


def act(step: str, wal: WalWriter, state: Written) -> WalWriter:
    """Do one thing of a plan, and return the writer that goes on."""
    if step == "wait" and state.appended:
        wal.wait(max(state.appended))
    if step == "rotate":
        wal.rotate()
    if step == "close":
        wal.close()
    if step == "fail" and wal.durable_number < wal.next_number - 1:
        with (
            mock.patch("os.fdatasync", side_effect=OSError(5, "broken")),
            pytest.raises(StoreUnwritable),
        ):
            wal.wait(wal.next_number - 1)
        state.appended = {n: b for n, b in state.appended.items() if n < wal.next_number}
        state.unsealed = True
    if step in {"close", "die"}:
        state.unsealed = False
        return WalWriter(state.folder, file_bytes=300)
    return wal


@st.composite
def damaged_places(draw: DrawFn, files: list[Path]) -> tuple[int, int]:
    """One of the files, and one of its bytes."""
    which = draw(st.integers(0, len(files) - 1))
    return which, draw(st.integers(0, files[which].stat().st_size - 1))


@given(plan=PLANS)
@EXAMPLES
def test_all_is_read_again(plan: list[bytes | str]) -> None:
    """All records are read as they were appended, from any number on, through any history."""
    with written(plan) as state:
        assert state.expect_prefix(state.folder) == len(state.appended)
        for after in range(len(state.appended) + 2):
            found = [record.number for record in read_wal(state.folder, after=after)]
            assert found == list(range(after + 1, len(state.appended) + 1))


@given(plan=PLANS, data=st.data())
@EXAMPLES
def test_a_cut_of_the_newest_file(plan: list[bytes | str], data: st.DataObject) -> None:
    """The newest file, cut behind what was acknowledged, gives a prefix with all of that.

    Cut before, nothing tells what was there: it gives a prefix, or an error where not even the
    header is left. A writer that opens it goes on behind the prefix.
    """
    with written(plan) as state:
        if not state.files():
            return
        newest = state.files()[-1]
        cut = data.draw(st.integers(0, newest.stat().st_size))
        with newest.open("r+b") as file:
            file.truncate(cut)
        if cut < HEADER_BYTES:
            for refuses in (state.expect_prefix, WalWriter):
                with pytest.raises(LogCorrupt, match=newest.name):
                    refuses(state.folder)
            return
        count = state.expect_prefix(state.folder)
        assert count >= state.acknowledged or cut < state.durable
        assert WalWriter(state.folder).next_number == count + 1


@given(plan=PLANS, data=st.data())
@EXAMPLES
def test_any_flipped_bit(plan: list[bytes | str], data: st.DataObject) -> None:
    """A flipped bit within what was acknowledged is an error that names the file.

    In what was not, it may drop the records from there on; none is ever read changed.
    """
    with written(plan) as state:
        if not state.files():
            return
        which, byte = data.draw(damaged_places(state.files()))
        path = state.files()[which]
        flip(path, byte, data.draw(st.integers(0, 7)))
        newest = path == state.files()[-1]
        if newest and byte >= state.durable:
            assert state.expect_prefix(state.folder) >= state.acknowledged
            return
        if newest and is_seal(path, byte, state):
            # The seal at the end of all: only the knowledge of what was acknowledged is lost.
            assert state.expect_prefix(state.folder) == len(state.appended)
            return
        if newest and state.unsealed:
            with suppress(LogCorrupt):
                state.expect_prefix(state.folder)
            return
        with pytest.raises(LogCorrupt) as caught:
            state.expect_prefix(state.folder)
        assert caught.value.path in {str(path), str(state.files()[max(0, which - 1)])}


def flip(path: Path, byte: int, bit: int) -> None:
    """Turn one bit of a file."""
    body = bytearray(path.read_bytes())
    body[byte] ^= 1 << bit
    path.write_bytes(body)


def is_seal(path: Path, byte: int, state: Written) -> bool:
    """Say whether a byte belongs to the seal at the end of a file that has nothing behind it."""
    sealed = len(state.appended) == state.acknowledged and not state.unsealed
    return sealed and byte >= max(HEADER_BYTES, path.stat().st_size - RECORD_BYTES)


@given(plan=PLANS, data=st.data())
@EXAMPLES
def test_a_missing_file(plan: list[bytes | str], data: st.DataObject) -> None:
    """A file that is missing between two others is an error; so is one that was cut."""
    with written(plan) as state:
        files = state.files()
        if len(files) < 3:
            return
        which = data.draw(st.integers(1, len(files) - 2))
        if data.draw(st.booleans()):
            files[which].unlink()
        else:
            with files[which].open("r+b") as file:
                file.truncate(data.draw(st.integers(0, ends(files)[which] - 1)))
        with pytest.raises(LogCorrupt):
            state.expect_prefix(state.folder)


def ends(files: list[Path]) -> list[int]:
    """Return where each file but the newest ends, as the header of the next says."""
    return [int.from_bytes(after.read_bytes()[48:56], "little") for _, after in pairwise(files)]


@given(plan=PLANS, tail=st.binary(max_size=200))
@EXAMPLES
def test_anything_at_the_end(plan: list[bytes | str], tail: bytes) -> None:
    """Whatever stands behind the records, such as a copy of records, is no record."""
    with written(plan) as state:
        if not state.files():
            return
        before = state.files()[0].read_bytes()
        with state.files()[-1].open("ab") as file:
            file.write(tail + before[HEADER_BYTES - 20 :])
        assert state.expect_prefix(state.folder) == len(state.appended)
        assert WalWriter(state.folder).next_number == len(state.appended) + 1
        assert state.expect_prefix(state.folder) == len(state.appended)


@given(body=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=6))
@EXAMPLES
def test_parts_are_one_body(body: bytes, cuts: list[int]) -> None:
    """A body that is given in parts, of any kind that has bytes, is read as one."""
    edges = sorted({0, len(body), *(min(cut, len(body)) for cut in cuts)})
    parts = [body[i:j] for i, j in pairwise(edges)]
    with TemporaryDirectory() as home, mock.patch("os.fdatasync"), mock.patch("os.fsync"):
        with WalWriter(Path(home)) as wal:
            wal.append(1, parts)
            wal.append(2, [memoryview(part) for part in parts])
        assert [record.body for record in read_wal(Path(home))] == [body, body]
