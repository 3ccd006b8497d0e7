"""When the disk refuses, what was acknowledged stays, who waits is told, and writing goes on."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ratoon.core.errors import RatoonError, StoreFull, StoreUnwritable
from ratoon.log import disk
from ratoon.log.wal import WalRecord, WalWriter, read_wal
from tests.unit.wal_files import LIMIT_S, append, expect_ended, started

FULL = OSError(errno.ENOSPC, "No space left on device")
BROKEN = OSError(errno.EIO, "Input/output error")


def bodies(folder: Path, after: int | None = 0) -> list[bytes]:
    """Return the bodies that are read."""
    return [record.body for record in read_wal(folder, after=after)]


def newest(folder: Path) -> Path:
    """Return the newest file."""
    return max(folder.glob("*.wal"))


def failing(error: BaseException) -> Callable[..., Any]:
    """Return a call that fails."""

    def call(*_: object) -> Any:
        raise error

    return call


def taking(monkeypatch: pytest.MonkeyPatch, room: int, error: BaseException) -> None:
    """Let the disk take so many bytes more, and then fail."""
    real, left = os.write, [room]

    def write(opened: int, data: Any) -> int:
        part = bytes(data)[: left[0]]
        if not part:
            raise error
        left[0] -= len(part)
        return real(opened, part)

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(os, "writev", lambda opened, parts: write(opened, b"".join(parts)))


@pytest.mark.parametrize("room", [0, 1, 31, 32, 50])
@pytest.mark.parametrize("error", [FULL, BROKEN], ids=["full", "broken"])
def test_no_room(
    room: int, error: OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that the disk takes in part leaves nothing, and the next one takes its number."""
    wal = WalWriter(tmp_path)
    append(wal, b"first")
    size = newest(tmp_path).stat().st_size
    with monkeypatch.context() as patch:
        taking(patch, room, error)
        with pytest.raises(StoreUnwritable, match=error.strerror or "") as caught:
            append(wal, b"refused" * 10)
    assert (type(caught.value) is StoreFull) == (error is FULL)
    assert caught.value.transient
    assert caught.value.__cause__ is error
    assert caught.value.path == str(newest(tmp_path))
    assert newest(tmp_path).stat().st_size == size
    wal.wait(append(wal, b"second"))
    assert bodies(tmp_path) == [b"first", b"second"]


def test_a_short_write_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes a record in several parts, and then all of it, is well."""
    wal = WalWriter(tmp_path)
    append(wal, b"first")
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda opened, data: real(opened, bytes(data)[:7]))
        patch.setattr(os, "writev", lambda opened, parts: real(opened, parts[0][:9]))
        append(wal, b"in many parts")
        patch.setattr(os, "write", lambda *_: 0)
        with pytest.raises(StoreFull):
            append(wal, b"taken by nobody")
    assert bodies(tmp_path) == [b"first", b"in many parts"]


def test_no_room_and_no_way_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be cut back is left as it is; what stands behind its end is not read."""
    wal = WalWriter(tmp_path)
    append(wal, b"first")
    with monkeypatch.context() as patch:
        taking(patch, 20, BROKEN)
        patch.setattr(os, "ftruncate", failing(BROKEN))
        with pytest.raises(StoreUnwritable):
            append(wal, b"refused")
    wal.wait(1)
    assert bodies(tmp_path) == [b"first"]
    append(wal, b"second")
    assert newest(tmp_path).name == "000000000000000002.wal"
    wal.close()
    assert bodies(tmp_path) == [b"first", b"second"]
    assert WalWriter(tmp_path).next_number == 3


def test_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that raises within a write leaves nothing; one within a sync tells nobody yes."""
    wal = WalWriter(tmp_path)
    append(wal, b"first")
    with monkeypatch.context() as patch:
        taking(patch, 20, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            append(wal, b"interrupted")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            wal.wait(1)
    assert wal.durable_number == 0
    wal.wait(append(wal, b"second"))
    assert bodies(tmp_path) == [b"first", b"second"]


def test_a_sync_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not durable is lost and cut off, its numbers are given again in another file."""
    wal = WalWriter(tmp_path)
    wal.wait(append(wal, b"kept"))
    term = wal.append(2, [b"lost"])
    append(wal, b"lost too")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing(BROKEN))
        with pytest.raises(StoreUnwritable, match="Input/output error") as caught:
            wal.wait(2)
    assert caught.value.__cause__ is BROKEN
    assert (wal.next_number, wal.durable_number, wal.term) == (2, 1, term + 1)
    assert bodies(tmp_path) == [b"kept"]
    for number in (2, 3):
        with pytest.raises(StoreUnwritable):
            wal.wait(number)
    assert wal.append(2, [b"again"]) == term + 1
    wal.wait(2)
    wal.wait(2, term + 1)
    wal.wait(1, term)
    for number in (2, 3):
        with pytest.raises(StoreUnwritable):
            wal.wait(number, term)
    assert len(list(tmp_path.iterdir())) == 2
    assert list(read_wal(tmp_path)) == [WalRecord(1, b"kept"), WalRecord(2, b"again")]


def test_the_first_sync_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of which nothing is durable is replaced by one of the same name."""
    wal = WalWriter(tmp_path)
    append(wal, b"lost")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing(FULL))
        patch.setattr(os, "ftruncate", failing(BROKEN))
        with pytest.raises(StoreFull):
            wal.close()
    assert bodies(tmp_path) == [b"lost"]
    append(wal, b"again", b"more")
    wal.close()
    assert bodies(tmp_path) == [b"again", b"more"]
    assert len(list(tmp_path.iterdir())) == 1


def test_lost_records_that_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost records that could not be cut off are not read once their numbers are given again."""
    wal = WalWriter(tmp_path)
    wal.wait(append(wal, b"kept"))
    append(wal, b"lost")
    reading = read_wal(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing(BROKEN))
        patch.setattr(os, "ftruncate", failing(BROKEN))
        with pytest.raises(StoreUnwritable):
            wal.rotate()
    assert [next(reading).body for _ in range(2)] == [b"kept", b"lost"]
    wal.wait(append(wal, b"again"))
    with pytest.raises(FileNotFoundError, match="what was read of it was given up"):
        list(reading)
    assert bodies(tmp_path) == [b"kept", b"again"]
    assert WalWriter(tmp_path).next_number == 3


def test_all_who_wait_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody who waits for a sync that fails, or for the next one, gets the error."""
    wal = WalWriter(tmp_path)
    wal.wait(append(wal, b"kept"))
    begun, allowed, told = threading.Event(), threading.Event(), list[int]()

    def broken(_: int) -> None:
        begun.set()
        assert allowed.wait(LIMIT_S)
        raise BROKEN

    def wait(number: int) -> None:
        try:
            wal.wait(number, 0)
        except StoreUnwritable:
            told.append(number)

    monkeypatch.setattr(os, "fdatasync", broken)
    append(wal, b"lost")
    threads = [started(wait, 2)]
    assert begun.wait(LIMIT_S)
    append(wal, *[b"lost"] * 10)
    threads += [started(wait, number) for number in range(2, 13)]
    allowed.set()
    expect_ended(threads)
    assert sorted(told) == [2, *range(2, 13)]
    monkeypatch.undo()
    assert append(wal, b"on") == 2
    wal.wait(2)
    assert bodies(tmp_path) == [b"kept", b"on"]


def test_a_number_that_was_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An append under the number that was the next until a sync failed is refused as lost."""
    wal = WalWriter(tmp_path)
    append(wal, b"lost", b"lost too")
    number = wal.next_number
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing(BROKEN))
        with pytest.raises(StoreUnwritable):
            wal.wait(2)
    with pytest.raises(StoreUnwritable):
        wal.append(number, [b"in the belief that 1 and 2 are there"])
    with pytest.raises(AssertionError):
        wal.append(number + 1, [b"a bug"])


def test_many_losses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that was lost long ago is still told to be lost."""
    wal = WalWriter(tmp_path)
    append(wal, b"lost long ago")
    with monkeypatch.context() as patch:
        for _ in range(105):
            patch.setattr(os, "fdatasync", failing(BROKEN))
            with pytest.raises(StoreUnwritable):
                wal.wait(1)
            patch.undo()
            append(wal, b"again")
    with pytest.raises(StoreUnwritable, match="long ago"):
        wal.wait(1, 0)
    wal.wait(1)


@pytest.mark.parametrize("name", ["open", "fdatasync", "replace", "fsync"])
def test_a_file_cannot_be_begun(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a new file cannot be made, nothing changes, and the next append tries again."""
    wal = WalWriter(tmp_path)
    wal.wait(append(wal, b"first"))
    wal.rotate()
    with monkeypatch.context() as patch:
        patch.setattr(os, name, failing(FULL))
        with pytest.raises(StoreFull):
            wal.append(2, [b"refused"])
    assert bodies(tmp_path) == [b"first"]
    assert not list(tmp_path.glob("*.new"))
    wal.wait(append(wal, b"second"))
    assert bodies(tmp_path) == [b"first", b"second"]


def test_opening_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be made or mended is an error of the tree."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnwritable):
        WalWriter(tmp_path / "file")
    append(WalWriter(tmp_path / "log"), b"first")
    monkeypatch.setattr(os, "fdatasync", failing(BROKEN))
    with pytest.raises(RatoonError):
        WalWriter(tmp_path / "log")


def test_mended_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk the files are opened all the same: what is there is known and is read."""
    append(WalWriter(tmp_path), b"first")
    size = newest(tmp_path).stat().st_size
    with monkeypatch.context() as patch:
        taking(patch, size - 56 + 10, FULL)
        assert WalWriter(tmp_path).next_number == 2
    assert newest(tmp_path).stat().st_size == size


def test_a_full_disk(full_disk: Path) -> None:
    """On a disk that is really full, what was acknowledged stays, and writing resumes with room."""
    room = full_disk / "room"
    room.write_bytes(bytes(200_000))
    wal = WalWriter(full_disk / "log")
    last = 0
    with contextlib.suppress(StoreFull):
        for number in range(1, 200):
            wal.wait(append(wal, bytes([last % 251]) * 10_001))
            last = number
    assert 20 < last < 100
    assert len(bodies(full_disk / "log")) == last
    with pytest.raises(StoreFull):
        append(wal, bytes(10_000))
    room.unlink()
    wal.wait(append(wal, b"there is room"))
    wal.close()
    found = bodies(full_disk / "log")
    assert found == [*(bytes([n % 251]) * 10_001 for n in range(last)), b"there is room"]


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a small disk in memory, or skip where this process may not."""
    if sys.platform != "linux":
        pytest.skip("a tmpfs is needed")
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "small", tmp_path]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


def test_the_cache_of_the_disk_is_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS the disk itself is flushed, by fsync alone only where it does not know how."""
    fcntl = pytest.importorskip("fcntl")
    asked = list[object]()
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda *arguments: asked.append(arguments))
    monkeypatch.delattr(os, "fdatasync")
    monkeypatch.setattr(os, "fsync", asked.append)
    disk.flush(7)
    monkeypatch.setattr(fcntl, "fcntl", failing(OSError(errno.ENOTSUP, "not supported")))
    disk.flush(8)
    monkeypatch.setattr(fcntl, "fcntl", failing(BROKEN))
    with pytest.raises(OSError, match="Input/output error"):
        disk.flush(9)
    assert asked == [(7, 51), 8]


def test_without_the_calls_of_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no fdatasync and no writev, fsync and write do."""
    monkeypatch.delattr(os, "fdatasync")
    monkeypatch.delattr(os, "writev")
    with WalWriter(tmp_path) as wal:
        wal.wait(append(wal, b"first", b"second"))
    assert bodies(tmp_path) == [b"first", b"second"]
