"""Write-ahead files keep records in order, share syncs, and forget what is no longer needed."""

from __future__ import annotations

import array
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ratoon.core.errors import RowsRefused, SettingInvalid
from ratoon.log.wal import WalRecord, WalWriter, read_wal
from tests.unit.wal_files import (
    LIMIT_S,
    append,
    cut,
    expect_ended,
    four_files,
    names,
    numbers,
    started,
    wal_file,
)


class CountedFlush:
    """Counts the syncs of files, and lets a test hold them back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.begun = threading.Semaphore(0)
        self.allowed: threading.Semaphore | None = None
        self._real: Callable[[int], None] = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self)

    def __call__(self, opened: int) -> None:
        self.count += 1
        self.begun.release()
        if self.allowed:
            assert self.allowed.acquire(timeout=LIMIT_S)
        self._real(opened)


@pytest.fixture
def flushes(monkeypatch: pytest.MonkeyPatch) -> CountedFlush:
    """Count the syncs of files."""
    return CountedFlush(monkeypatch)


def test_round_trip(tmp_path: Path) -> None:
    """Records are read in order as they were appended: empty, long, of all kinds of bytes."""
    long = os.urandom(3 * 2**20 + 17)
    with WalWriter(tmp_path / "made" / "here") as wal:
        assert wal.next_number == 1
        wal.append(1, [])
        wal.append(2, [b"", b"one ", memoryview(b"two "), memoryview(array.array("I", [7, 8]))])
        wal.append(3, [long])
        wal.append(4, [b"x"] * 3000)
        wal.wait(4)
        assert (wal.next_number, wal.durable_number, wal.term) == (5, 4, 0)
    bodies = [b"", b"one two " + array.array("I", [7, 8]).tobytes(), long, b"x" * 3000]
    expected = [WalRecord(number, body) for number, body in enumerate(bodies, start=1)]
    assert list(read_wal(tmp_path / "made" / "here")) == expected


def test_opened_again(tmp_path: Path) -> None:
    """A writer goes on with the next number, in a new file that is called by it."""
    for first in (1, 3, 5):
        wal = WalWriter(tmp_path, first=99 if first > 1 else 1)
        assert wal.next_number == first
        wal.wait(append(wal, b"a", b"b"))
    assert names(tmp_path) == [f"{first:018d}.wal" for first in (1, 3, 5)]
    assert numbers(tmp_path) == [1, 2, 3, 4, 5, 6]


def test_opened_for_nothing(tmp_path: Path) -> None:
    """A writer that appends nothing makes no file; a file without records is begun anew."""
    with WalWriter(tmp_path, first=17) as wal:
        assert wal.next_number == 17
        wal.wait(16)
        wal.rotate()
    assert names(tmp_path) == []
    with WalWriter(tmp_path, first=17) as wal:
        append(wal, b"a")
    cut(wal_file(tmp_path, 17), 60)
    with WalWriter(tmp_path) as wal:
        assert wal.next_number == 17
        append(wal, b"b")
    assert list(read_wal(tmp_path, after=16)) == [WalRecord(17, b"b")]


def test_files_are_bounded(tmp_path: Path) -> None:
    """A file that has reached its length is followed by another one."""
    files = four_files(tmp_path)
    assert [path.name for path in files] == [f"{first:018d}.wal" for first in (1, 3, 5, 7)]
    assert numbers(tmp_path) == list(range(1, 9))
    assert numbers(tmp_path, after=4) == [5, 6, 7, 8]
    assert numbers(tmp_path, after=5) == [6, 7, 8]
    assert numbers(tmp_path, after=80) == []


def test_settings_are_checked(tmp_path: Path) -> None:
    """A length or a first number below 1 is refused."""
    with pytest.raises(SettingInvalid, match="file_bytes must be at least 1, got 0"):
        WalWriter(tmp_path, file_bytes=0)
    with pytest.raises(SettingInvalid, match="first must be at least 1, got 0"):
        WalWriter(tmp_path, first=0)


def test_too_long(tmp_path: Path) -> None:
    """A record above 1 GiB is refused, and nothing of it is written."""
    with WalWriter(tmp_path) as wal:
        part = memoryview(bytes(2**20))
        with pytest.raises(RowsRefused, match="at most 1073741824 bytes, got 1074790400"):
            wal.append(1, [part] * 1025)
        assert wal.next_number == 1


def test_bugs_of_the_caller(tmp_path: Path) -> None:
    """A number that does not follow, a wait for what was not appended: our own bugs."""
    wal = WalWriter(tmp_path)
    append(wal, b"a")
    for number in (1, 3):
        with pytest.raises(AssertionError, match="does not follow"):
            wal.append(number, [b"b"])
    with pytest.raises(AssertionError, match="was not appended"):
        wal.wait(2)
    with pytest.raises(AssertionError, match="was not appended"):
        wal.wait(2, 0)
    wal.close()
    wal.close()
    with pytest.raises(AssertionError, match="closed"):
        wal.append(2, [b"b"])


def test_an_idle_writer_syncs_at_once(tmp_path: Path, flushes: CountedFlush) -> None:
    """A wait is one sync, and none for what is durable already."""
    wal = WalWriter(tmp_path)
    append(wal, b"a", b"b", b"c")
    before = flushes.count
    wal.wait(2)
    wal.wait(3)
    wal.wait(1)
    assert flushes.count == before + 1


def test_two_syncs_at_most(tmp_path: Path, flushes: CountedFlush) -> None:
    """Who comes while a sync runs is acknowledged by the next one, all of them together."""
    wal = WalWriter(tmp_path)
    append(wal, b"first")
    before, flushes.allowed = flushes.count, threading.Semaphore(0)
    waiting = [started(wal.wait, 1)]
    while flushes.count == before:
        assert flushes.begun.acquire(timeout=LIMIT_S)
    append(wal, *[b"more"] * 8)
    waiting += [started(wal.wait, number) for number in range(2, 10)]
    assert wal.durable_number == 0
    flushes.allowed.release(2)
    expect_ended(waiting)
    assert flushes.count == before + 2
    assert wal.durable_number == 9


def test_threads_share_syncs(tmp_path: Path, flushes: CountedFlush) -> None:
    """Many threads lose nothing, also where files end, and need fewer syncs than records."""
    wal = WalWriter(tmp_path, file_bytes=20_000)
    numbering, mine = threading.Lock(), dict[int, bytes]()

    def work(name: int) -> None:
        for count in range(50):
            body = b"%d of thread %d" % (count, name)
            with numbering:
                number = wal.next_number
                mine[number] = body
                term = wal.append(number, [body])
            wal.wait(number, term)
            assert wal.durable_number >= number

    expect_ended([started(work, name) for name in range(16)])
    assert {record.number: record.body for record in read_wal(tmp_path)} == mine
    assert len(mine) == 800
    assert flushes.count < 800


def test_forget(tmp_path: Path) -> None:
    """Files go whose records are all forgotten; the one that is written is not among them."""
    wal = WalWriter(tmp_path, file_bytes=56 + 2 * 40)
    append(wal, *[b"12345678"] * 7)
    wal.forget(0)
    assert numbers(tmp_path) == [1, 2, 3, 4, 5, 6, 7]
    wal.forget(5)
    assert numbers(tmp_path, after=None) == [5, 6, 7]
    wal.forget(7)
    assert numbers(tmp_path, after=None) == [7]
    wal.rotate()
    wal.forget(6)
    assert numbers(tmp_path, after=None) == [7]
    wal.forget(7)
    assert names(tmp_path) == []
    append(wal, b"on")
    assert numbers(tmp_path, after=7) == [8]
    wal.close()
    assert WalWriter(tmp_path).next_number == 9


def test_what_a_crash_left(tmp_path: Path) -> None:
    """A torn record and a file without a name are dropped, by the reader and by the writer."""
    wal = WalWriter(tmp_path)
    wal.wait(append(wal, b"first"))
    whole = wal_file(tmp_path, 1).stat().st_size
    append(wal, b"second")
    cut(wal_file(tmp_path, 1), wal_file(tmp_path, 1).stat().st_size - 1)
    (tmp_path / "000000000000000002.new").write_bytes(b"ratoon")
    assert numbers(tmp_path) == [1]
    with WalWriter(tmp_path) as wal:
        assert names(tmp_path) == ["000000000000000001.wal"]
        assert wal_file(tmp_path, 1).stat().st_size == whole
        assert append(wal, b"again") == 2
    assert list(read_wal(tmp_path, after=1)) == [WalRecord(2, b"again")]
