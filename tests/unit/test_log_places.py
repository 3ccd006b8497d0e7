"""Arrays of places: what is refused, what a flush writes, what damage is told."""

from __future__ import annotations

import errno
import shutil
import struct
import zlib
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from ratoon.core.errors import LengthMismatch, SettingInvalid, StoreDamaged, StoreNewer
from ratoon.log.places import Places
from ratoon.log.places_state import LIMIT


def files(home: Path) -> dict[str, bytes]:
    """Return the content of each file."""
    return {path.name: path.read_bytes() for path in home.iterdir()}


def test_a_new_array_is_empty(tmp_path: Path) -> None:
    """An empty array covers nothing, has no length and -1 at every place."""
    places = Places(tmp_path / "deep" / "array")
    assert (len(places), places.covered, places.pending) == (0, 0, 0)
    assert places.get(np.array([0, 5])).tolist() == [-1, -1]
    assert places.get(slice(None)).tolist() == []
    assert places.get(np.array([], dtype=np.int64)).dtype == np.int64


def test_a_place_far_behind_the_end_takes_no_room(tmp_path: Path) -> None:
    """A sparse array is set far behind its end without filling memory or disk."""
    places = Places(str(tmp_path / "sparse"))
    far = 2**31
    places.set(np.array([far]), np.array([5]))
    places.flush(1)
    places.append(np.array([6]))
    places.flush(2)
    places.close()
    again = Places(tmp_path / "sparse")
    assert again.get(np.array([0, far - 1, far, far + 1])).tolist() == [-1, -1, 5, 6]
    assert len(again) == far + 2
    # What counts is the room that the file takes, where the system tells it.
    blocks = getattr((tmp_path / "sparse").stat(), "st_blocks", 0)
    assert blocks * 512 < 2**20


def test_what_was_set_reaches_the_data_file_when_it_is_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes stand in the state until they are enough, then in the data file alone."""
    monkeypatch.setattr("ratoon.log.places._SETTLE_AT", 3)
    places = Places(tmp_path / "array")
    state = tmp_path / "array.state"
    sizes: list[tuple[int, int]] = []
    for covered in range(1, 6):
        places.set(np.array([covered * 10]), np.array([covered]))
        places.flush(covered)
        data = files(tmp_path).get("array", b"")
        sizes.append((len(data), state.stat().st_size))
    assert [size for size, _ in sizes] == [0, 0, 0, 31 * 8, 31 * 8]
    head = sizes[0][1] - 16
    assert [(size - head) // 16 for _, size in sizes] == [1, 2, 3, 1, 2]
    assert places.get(np.arange(10, 60, 10)).tolist() == [1, 2, 3, 4, 5]


def test_a_flush_of_nothing_new_writes_nothing(tmp_path: Path) -> None:
    """A flush moves what is covered, also without numbers; done twice it does nothing."""
    places = Places(tmp_path / "array")
    places.flush(4)
    state = tmp_path / "array.state"
    inode = state.stat().st_ino
    places.flush(4)
    assert state.stat().st_ino == inode
    assert Places(tmp_path / "array", writable=False).covered == 4


def test_bad_arguments_are_refused(tmp_path: Path) -> None:
    """Places below 0, numbers out of range and columns that do not fit are refused."""
    places = Places(tmp_path / "array")
    one = np.array([1])
    refusals: list[tuple[Callable[[], None], str]] = [
        (lambda: places.append(np.array([-2])), "values must be numbers from -1 to 2.*got -2"),
        (lambda: places.append(np.array([LIMIT])), f"values must be .* got {LIMIT}"),
        (lambda: places.set(np.array([-1]), one), "index must be numbers from 0 to .* got -1"),
        (lambda: places.set(np.array([LIMIT]), one), f"index must be .* got {LIMIT}"),
        (lambda: places.set(one, np.array([-2])), "values must be .* got -2"),
        (lambda: places.flush(-1), "covered must be a whole number"),
    ]
    for call, told in refusals:
        with pytest.raises(SettingInvalid, match=told):
            call()
    with pytest.raises(LengthMismatch, match="index has 1 rows but values has 2"):
        places.set(one, np.array([1, 2]))
    assert (len(places), places.pending) == (0, 0)


def test_a_closed_array_refuses(tmp_path: Path) -> None:
    """A closed array raises; it never says that a place is not set."""
    places = Places(tmp_path / "array")
    places.append(np.array([1]))
    places.close()
    places.close()
    with pytest.raises(ValueError, match="is closed"):
        places.get(slice(None))
    with pytest.raises(ValueError, match="is closed"):
        places.append(np.array([1]))


def test_a_reader_leaves_the_files_alone(tmp_path: Path) -> None:
    """Opened to be read, an array refuses changes and cuts nothing off a writer's file."""
    path = tmp_path / "array"
    writer = Places(path)
    writer.append(np.arange(10))
    writer.flush(1)
    with path.open("ab") as file:
        file.write(b"a flush under way")
    before = files(tmp_path)
    reader = Places(path, writable=False)
    assert reader.get(slice(None)).tolist() == list(range(10))
    reader.append(np.array([11]))
    reader.set(np.array([1]), np.array([7]))
    assert reader.get(np.array([1, 10])).tolist() == [7, 11]
    calls: list[Callable[[], None]] = [
        lambda: reader.flush(2),
        reader.clear,
    ]
    for call in calls:
        with pytest.raises(SettingInvalid, match="writable must be True to change the array"):
            call()
    reader.close()
    assert files(tmp_path) == before
    writer.close()
    assert Places(path).get(slice(None)).tolist() == list(range(10))
    assert path.stat().st_size == 80


def test_a_reader_of_files_that_are_not_there(tmp_path: Path) -> None:
    """Without files a reader finds an empty array, and makes none."""
    assert len(Places(tmp_path / "none", writable=False)) == 0
    assert not list(tmp_path.iterdir())


def test_a_reader_outlives_a_clear(tmp_path: Path) -> None:
    """What a reader has mapped stays readable when the writer clears the array and fills it."""
    writer = Places(tmp_path / "array")
    writer.append(np.arange(10_000))
    writer.flush(1)
    reader = Places(tmp_path / "array", writable=False)
    writer.clear()
    writer.append(np.array([5]))
    writer.flush(1)
    assert reader.get(slice(None)).tolist() == list(range(10_000))
    assert writer.get(slice(None)).tolist() == [5]


@pytest.mark.parametrize(
    "where", ["places_writing._write_all", "places.sync_file", "ids_files.sync_file"]
)
def test_a_flush_that_fails_can_be_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """When the disk refuses a flush, the array is as before, and a later flush has it all."""

    def refused(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ratoon.log.places._SETTLE_AT", 2)
    places = Places(tmp_path / "array")
    places.set(np.array([5, 1]), np.array([50, 10]))
    places.flush(1)
    places.append(np.array([60, 70]))
    places.set(np.array([0, 6]), np.array([0, 61]))
    expected = [0, 10, -1, -1, -1, 50, 61, 70]
    with monkeypatch.context() as full:
        full.setattr(f"ratoon.log.{where}", refused)
        with pytest.raises(OSError, match="No space"):
            places.flush(2)
    assert (places.covered, places.get(slice(None)).tolist()) == (1, expected)
    image = tmp_path / "image"
    image.mkdir()
    for name in ("array", "array.state"):
        shutil.copy(tmp_path / name, image / name)
    assert Places(image / "array").get(slice(None)).tolist() == [-1, 10, -1, -1, -1, 50]
    places.flush(2)
    places.close()
    assert Places(tmp_path / "array").get(slice(None)).tolist() == expected


def test_a_disk_that_takes_a_part_of_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of a write that was taken in part follows."""

    class Slow(FileIO):
        """A file that takes at most five bytes a call."""

        def write(self, body: memoryview) -> int:
            return super().write(body[:5])

    places = Places(tmp_path / "array")
    places.append(np.arange(20))
    monkeypatch.setattr("ratoon.log.places.FileIO", Slow)
    places.flush(1)
    places.close()
    assert Places(tmp_path / "array").get(slice(None)).tolist() == list(range(20))


def flushed(path: Path) -> Path:
    """Make an array of ten numbers."""
    places = Places(path)
    places.append(np.arange(10))
    places.set(np.array([3]), np.array([33]))
    places.flush(1)
    places.close()
    return path


def test_a_data_file_that_lost_its_end_is_named(tmp_path: Path) -> None:
    """A data file shorter than what was flushed, or missing, does not open."""
    path = flushed(tmp_path / "array")
    path.write_bytes(path.read_bytes()[:72])
    for writable in (False, True):
        with pytest.raises(StoreDamaged, match=f"{path} has 72 bytes, 80 were written"):
            Places(path, writable=writable)
    path.unlink()
    with pytest.raises(StoreDamaged, match=f"{path} has 0 bytes, 80 were written"):
        Places(path)
    anew = Places.anew(path)
    assert (len(anew), anew.covered) == (0, 0)


def test_a_word_that_was_changed_is_named(tmp_path: Path) -> None:
    """A number that is not the one written, or stands at another place, is damage when read."""
    path = flushed(tmp_path / "array")
    body = path.read_bytes()
    swapped = body[:32] + body[40:48] + body[32:40] + body[48:]
    path.write_bytes(swapped)
    places = Places(path)
    assert places.get(np.array([0, 3, 9])).tolist() == [0, 33, 9]
    with pytest.raises(StoreDamaged, match=f"{path} is not as it was written at place 4"):
        places.get(slice(None))


def test_a_bit_that_was_alone_is_noticed_when_it_falls(tmp_path: Path) -> None:
    """A word of one bit and a check of nothing would read as a place that was never set."""
    bit, prime, spread = 2**20, 65_521, 40_503
    place = next(at for at in range(prime) if (bit + at * spread) % prime == 0)
    path = tmp_path / "array"
    places = Places(path)
    places.append(np.zeros(place + 1, dtype=np.int64))
    places.set(np.array([place]), np.array([bit - 1]))
    places.flush(1)
    with mock.patch("ratoon.log.places._SETTLE_AT", 1):
        places.append(np.array([0]))
        places.flush(2)
    places.close()
    body = bytearray(path.read_bytes())
    word = struct.unpack_from("<Q", body, place * 8)[0]
    assert word & bit
    struct.pack_into("<Q", body, place * 8, word ^ bit)
    path.write_bytes(body)
    with pytest.raises(StoreDamaged, match=f"at place {place}"):
        Places(path).get(np.array([place]))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "is no state of an array"),
        (b"otherXYZ" + bytes(80), "is no state of an array"),
        (b"ratoonPL" + bytes(80), "is not as it was written"),
    ],
    ids=["empty", "other magic", "wrong crc"],
)
def test_a_state_that_is_no_state_is_named(tmp_path: Path, body: bytes, told: str) -> None:
    """A state that cannot be read is damage; `anew` makes an empty array of such files."""
    path = flushed(tmp_path / "array")
    state = tmp_path / "array.state"
    state.write_bytes(body)
    with pytest.raises(StoreDamaged, match=f"{state} {told}"):
        Places(path)
    assert len(Places.anew(path)) == 0


def test_a_state_of_a_newer_ratoon_is_refused(tmp_path: Path) -> None:
    """A state of a format that is not known yet is not read as if it were of this one."""
    path = flushed(tmp_path / "array")
    state = tmp_path / "array.state"
    body = state.read_bytes()
    rest = struct.pack("<I", 2) + body[16:]
    state.write_bytes(body[:8] + struct.pack("<I", zlib.crc32(rest)) + rest)
    with pytest.raises(StoreNewer, match=str(state)):
        Places(path)


def test_data_without_a_state_does_not_count(tmp_path: Path) -> None:
    """Numbers of a first flush that never ended are not there."""
    path = flushed(tmp_path / "array")
    (tmp_path / "array.state").unlink()
    places = Places(path)
    assert (len(places), places.covered) == (0, 0)
    places.set(np.array([9]), np.array([1]))
    places.flush(1)
    places.append(np.array([2]))
    places.flush(2)
    assert places.get(slice(None)).tolist() == [*[-1] * 9, 1, 2]
