"""Write-ahead files are read while they are written, and damage is never read as a record."""

from __future__ import annotations

from pathlib import Path

import pytest

from ratoon.core.errors import LogCorrupt, StoreNewer
from ratoon.log import wal_format, wal_reading
from ratoon.log.wal import WalWriter, read_wal
from tests.unit.wal_files import append, four_files, numbers, wal_file


def test_what_is_forgotten_is_told_apart(tmp_path: Path) -> None:
    """Records that are no longer kept are no damage: the caller looks again."""
    assert numbers(tmp_path / "nothing") == []
    four_files(tmp_path)
    wal = WalWriter(tmp_path)
    readings = [read_wal(tmp_path), read_wal(tmp_path, after=2)]
    assert [next(reading).number for reading in readings] == [1, 3]
    wal.forget(4)
    with pytest.raises(FileNotFoundError):
        list(readings[0])
    assert [record.number for record in readings[1]] == [4, 5, 6, 7, 8]
    with pytest.raises(FileNotFoundError, match="record 4 is no longer kept, the first is 5"):
        numbers(tmp_path, after=3)
    assert numbers(tmp_path, after=4) == [5, 6, 7, 8]


def test_the_newest_file_is_forgotten(tmp_path: Path) -> None:
    """Files that came and went while the newest one was read are no damage either."""
    wal = WalWriter(tmp_path)
    append(wal, b"a", b"b")
    reading = read_wal(tmp_path)
    assert next(reading).number == 1
    for body in (b"c", b"d"):
        wal.rotate()
        append(wal, body)
    wal.forget(3)
    with pytest.raises(FileNotFoundError, match="forgotten while it was read"):
        list(reading)


def test_read_while_it_is_written(tmp_path: Path) -> None:
    """A reader goes on into what is written meanwhile, and through new files."""
    wal = WalWriter(tmp_path)
    append(wal, b"a", b"b")
    reading = read_wal(tmp_path)
    assert next(reading).number == 1
    append(wal, bytes(2**21))
    wal.rotate()
    append(wal, b"d")
    wal.rotate()
    append(wal, b"e")
    assert [record.number for record in reading] == [2, 3, 4, 5]


def test_a_record_that_is_being_written(tmp_path: Path) -> None:
    """A record that was half written when it was read is read once it is whole."""
    wal = WalWriter(tmp_path)
    wal.wait(append(wal, b"first", b"second"))
    append(wal, b"third")
    path = wal_file(tmp_path, 1)
    whole = path.read_bytes()
    path.write_bytes(whole[:110] + bytes(len(whole) - 110))
    with wal_reading.open_file(tmp_path, 1) as file:
        assert [record.number for record in file.records()] == [1]
        path.write_bytes(whole)
        assert file.has_more()
        assert [record.number for record in file.records()] == [2, 3]
        assert not file.has_more()


def test_a_listing_that_misses_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing that missed a file that was just begun is made again."""
    four_files(tmp_path)
    answers = iter([[1], [1, 5, 7]])
    real = wal_format.first_numbers
    monkeypatch.setattr(wal_format, "first_numbers", lambda path: next(answers, None) or real(path))
    assert numbers(tmp_path) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_torn_length(tmp_path: Path) -> None:
    """A length that was torn and asks for a gigabyte is no reason to read one."""
    wal = WalWriter(tmp_path)
    append(wal, bytes(100))
    with wal_file(tmp_path, 1).open("r+b") as file:
        file.seek(60)
        file.write((2**30).to_bytes(4, "little"))
    assert numbers(tmp_path) == []


def test_damage_is_told(tmp_path: Path) -> None:
    """A damaged record that was acknowledged is an error with file and offset."""
    wal = WalWriter(tmp_path)
    wal.wait(append(wal, b"first"))
    wal.wait(append(wal, b"second"))
    path = wal_file(tmp_path, 1)
    body = bytearray(path.read_bytes())
    place = body.index(b"second") - 32
    body[place + 33] ^= 4
    path.write_bytes(body)
    for refuses in (WalWriter, numbers):
        with pytest.raises(LogCorrupt, match="not what was written") as caught:
            refuses(tmp_path)
        assert (caught.value.path, caught.value.offset) == (str(path), place)
    assert path.read_bytes() == body


@pytest.mark.parametrize("chunk_bytes", [33, 50, 2**20])
def test_each_byte(chunk_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any byte that is changed in a file that was closed is an error, however it is read.

    In the seal at its end, it is nothing.
    """
    with WalWriter(tmp_path) as wal:
        append(wal, bytes(70), b"", b"x", b"more")
    path = wal_file(tmp_path, 1)
    whole = path.read_bytes()
    monkeypatch.setattr(wal_reading, "_CHUNK_BYTES", chunk_bytes)
    for place in range(len(whole) - 32):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        with pytest.raises(LogCorrupt):
            numbers(tmp_path)
    path.write_bytes(whole[:-5] + b"!" + whole[-4:])
    assert numbers(tmp_path) == [1, 2, 3, 4]


def test_files_that_are_wrong(tmp_path: Path) -> None:
    """A header that is damaged or another file's, and a file that is missing, are told."""
    files = four_files(tmp_path)
    bodies = [path.read_bytes() for path in files]
    for wrong, why in [
        (bodies[1][:55], "lacks its beginning"),
        (bytes(56) + bodies[1][56:], "header is not what"),
        (bodies[0], "its header says that it is 000000000000000001.wal"),
        (bodies[1][:90], "an acknowledged record is not what was written"),
    ]:
        files[1].write_bytes(wrong)
        with pytest.raises(LogCorrupt, match=why):
            numbers(tmp_path)
    with WalWriter(tmp_path / "other") as wal:
        append(wal, bytes(48))
    files[1].write_bytes(bodies[1])
    files[0].write_bytes(wal_file(tmp_path / "other", 1).read_bytes())
    with pytest.raises(LogCorrupt, match="ends with record 1, not 2"):
        numbers(tmp_path)
    files[0].write_bytes(bodies[0])
    files[1].unlink()
    with pytest.raises(LogCorrupt, match=r"5.wal .* byte 0: 0+3.wal that comes before"):
        numbers(tmp_path)
    assert numbers(tmp_path, after=6) == [7, 8]


def test_records_that_do_not_follow(tmp_path: Path) -> None:
    """A whole record with a number that does not follow is an error."""
    with WalWriter(tmp_path) as wal:
        append(wal, b"first", b"other")
    path = wal_file(tmp_path, 1)
    body = path.read_bytes()
    path.write_bytes(body[:56] + body[56 + 37 :])
    with pytest.raises(LogCorrupt, match="record 2 follows record 0"):
        numbers(tmp_path)


def test_a_newer_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a newer Ratoon is not read, and not mended."""
    monkeypatch.setattr(wal_format, "VERSION", 2)
    four_files(tmp_path)
    monkeypatch.undo()
    for refuses in (WalWriter, numbers):
        with pytest.raises(StoreNewer, match="has format 2, this Ratoon reads up to 1"):
            refuses(tmp_path)
