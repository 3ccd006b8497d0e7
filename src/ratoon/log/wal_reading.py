"""Reads write-ahead files, also while a writer of another process goes on."""

from __future__ import annotations

import contextlib
import errno
import os
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from ratoon.core.errors import LogCorrupt
from ratoon.log import wal_format as layout
from ratoon.log.wal_format import Ending, Header

_CHUNK_BYTES = 2**20
_HEAD = layout.RECORD.size
# A listing that is made while files come and go may miss one; the next shows it.
_LISTINGS = 3


@dataclass(frozen=True, slots=True)
class WalRecord:
    """What was appended under a number."""

    number: int
    body: bytes


def read_wal(folder: Path, *, after: int | None = 0) -> Iterator[WalRecord]:
    """Read the records of a folder in order, each checked, and change nothing.

    What a crash left at the end of the newest file was never acknowledged and is dropped without
    a word. A record that is bad although it had been acknowledged is an error; so is one that is
    missing. That it had been acknowledged follows from what was written later: a record of the
    same file that says how far the file was durable, or a later file that says where it ended.

    Another process may go on writing meanwhile: then the newest records may not be acknowledged
    yet, and may vanish if the power is cut. Memory is bounded by 1 MiB and the longest record.

    Args:
        folder: The folder of a `WalWriter`; without files, or missing, it has no records.
        after: The number of the last record that is not wanted; all later ones that exist are
            read. None reads whatever is kept.

    Raises:
        LogCorrupt: Acknowledged bytes are damaged or missing; it names the file and the offset.
        FileNotFoundError: A file was forgotten while it was read, or before: the first records
            that are kept come later than `after` + 1. Look again how far the rows are elsewhere,
            and read from there. If they are not further, records were lost.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from ratoon.log.wal import WalWriter
        >>> with TemporaryDirectory() as folder:
        ...     with WalWriter(Path(folder)) as wal:
        ...         _ = wal.append(1, [b"a row"])
        ...         term = wal.append(2, [b"another ", b"row"])
        ...         wal.wait(2, term)
        ...     [record.body for record in read_wal(Path(folder), after=1)]
        [b'another row']
    """
    first = _first_file(folder, after)
    while first is not None:
        with open_file(folder, first) as file:
            first = yield from _read_file(folder, file, after or 0)


def _first_file(folder: Path, after: int | None) -> int | None:
    """Return the file in which the record after `after` stands, or would stand."""
    firsts = layout.first_numbers(folder)
    if not firsts or after is None:
        return firsts[0] if firsts else None
    if firsts[0] > after + 1:
        path = folder / layout.file_name(firsts[0])
        raise _gone(path, f"record {after + 1} is no longer kept, the first is {firsts[0]}")
    return max(first for first in firsts if first <= after + 1)


def _read_file(folder: Path, file: WalFile, after: int) -> Generator[WalRecord, None, int | None]:
    """Yield what a file holds, and return the number that the following file begins with."""
    while True:
        following = _following(folder, file)
        end = following.previous if following else None
        for record in file.records(end.length if end else None):
            if record.number > after:
                yield record
        if following and end:
            file.expect_end(end)
            return following.first
        if _following(folder, file) is None and not file.has_more():
            return None


def _following(folder: Path, file: WalFile) -> Header | None:
    """Return the header of the file that follows, or None where it is the newest."""
    header = file.header
    for _ in range(_LISTINGS):
        later = [first for first in layout.first_numbers(folder) if first > file.header.first]
        if not later:
            return None
        with open_file(folder, later[0]) as found:
            header = found.header
        if header.previous and header.previous.first == file.header.first:
            return header
    file.expect_there()
    missing = layout.file_name(header.previous.first) if header.previous else "the file"
    path = folder / layout.file_name(header.first)
    raise LogCorrupt(str(path), 0, f"{missing} that comes before it is missing")


@contextlib.contextmanager
def open_file(folder: Path, first: int) -> Generator[WalFile]:
    """Open a file and check its header."""
    path = folder / layout.file_name(first)
    with FileIO(path) as opened:
        header = layout.parse_header(path, opened.read(layout.HEADER.size))
        yield WalFile(
            path=path,
            opened=opened,
            header=header,
            at=layout.HEADER.size,
            last=header.first - 1,
            durable=layout.HEADER.size,
            sealed=True,
        )


@dataclass(slots=True, kw_only=True)
class WalFile:
    """A file that is being read, from its beginning to the first record that is not whole."""

    path: Path
    opened: FileIO
    header: Header
    at: int  # the offset behind the last whole record
    last: int  # the number of the last whole record
    durable: int  # how far the file was durable, as its last whole record tells
    sealed: bool  # whether that is all of it

    def records(self, end: int | None = None) -> Iterator[WalRecord]:
        """Yield the whole records that come next, until the offset `end` is reached."""
        marker = self.header.marker
        buffer, begin = b"", 0
        while end is None or self.at < end:
            size = _size(buffer, begin, marker)
            while size and begin + size > len(buffer):
                buffer, begin = self._read(self.at, max(size, _CHUNK_BYTES)), 0
                if len(buffer) < size:
                    return
                size = _size(buffer, 0, marker)
            if not size:
                return
            head, body = buffer[begin : begin + _HEAD], buffer[begin + _HEAD : begin + size]
            if not layout.is_whole(head, zlib.crc32(body)):
                return
            begin += size
            number = self._step(head, size)
            if number is not None:
                yield WalRecord(number, body)

    def skip_all(self) -> None:
        """Go to the end of the newest file, where what a crash left begins."""
        while True:
            for _ in self.records():
                pass
            if not self.has_more():
                return

    def expect_end(self, end: Ending) -> None:
        """Check that the file ends where the following one says."""
        if self.at > end.length:
            raise _gone(self.path, "what was read of it was given up: a sync had failed")
        if self.at < end.length:
            raise self._damaged("an acknowledged record is not what was written")
        if self.last != end.last:
            raise self._damaged(f"it ends with record {self.last}, not {end.last}")

    def has_more(self) -> bool:
        """Say whether the file has grown since; what else stands there was never acknowledged.

        Raises:
            LogCorrupt: It had been acknowledged.
        """
        if not self._was_acknowledged(self.at):
            return False
        # The witness was written after the record before it. If that was being written when it
        # was read, it is whole by now.
        if self._whole(self.at) is None:
            raise self._damaged("an acknowledged record is not what was written")
        return True

    def expect_there(self) -> None:
        """Check that the file has not been forgotten while it was read."""
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(self.path.stat(), os.fstat(self.opened.fileno())):
                return
        raise _gone(self.path, "it was forgotten while it was read")

    def _damaged(self, why: str) -> LogCorrupt:
        self.expect_there()
        return LogCorrupt(str(self.path), self.at, why)

    def _step(self, head: bytes, size: int) -> int | None:
        """Go behind a record and return its number, or None where it is a seal."""
        _, length, number, durable, _ = layout.RECORD.unpack(head)
        sealed = length == layout.SEAL
        if number != self.last + (not sealed):
            raise self._damaged(f"record {number} follows record {self.last}")
        self.sealed = sealed and durable == self.at
        self.at += size
        self.last, self.durable = number, durable
        return None if sealed else number

    def _was_acknowledged(self, bad: int) -> bool:
        """Say whether a later record tells that what stands at `bad` had been durable."""
        return any(durable > bad for durable in self._durables(bad + 1))

    def _durables(self, begin: int) -> Iterator[int]:
        """Yield how far the file was durable, as each whole record behind `begin` tells."""
        marker = self.header.marker
        while len(chunk := self._read(begin, _CHUNK_BYTES)) >= _HEAD:
            found = chunk.find(marker)
            while found >= 0:
                at = begin + found - layout.MARKER_AT
                durable = self._whole(at) if at >= begin else None
                if durable is not None:
                    yield durable
                found = chunk.find(marker, found + 1)
            # The next chunk begins with the first record whose marker is not all in this one.
            begin += len(chunk) - _HEAD + 1

    def _whole(self, at: int) -> int | None:
        """Return what a record at this offset tells of how far the file was durable."""
        head = self._read(at, _HEAD)
        size = _size(head, 0, self.header.marker) if len(head) == _HEAD else 0
        if not size:
            return None
        body = self._read(at + _HEAD, size - _HEAD)
        if len(body) < size - _HEAD or not layout.is_whole(head, zlib.crc32(body)):
            return None
        return layout.RECORD.unpack(head)[3]

    def _read(self, at: int, size: int) -> bytes:
        """Return `size` bytes from `at`, fewer at the end of the file."""
        # A torn length may ask for a gigabyte that is not there.
        left = os.fstat(self.opened.fileno()).st_size - at if size > _CHUNK_BYTES else size
        self.opened.seek(at)
        return self.opened.read(min(size, max(left, 0)))


def _size(buffer: bytes, begin: int, marker: bytes) -> int:
    """Return how many bytes a record takes: those of its head alone where that is not all there.

    0 where no record begins there.
    """
    if len(buffer) - begin < _HEAD:
        return _HEAD
    _, length, _, _, found = layout.RECORD.unpack_from(buffer, begin)
    if found != marker:
        return 0
    if length == layout.SEAL:
        return _HEAD
    return _HEAD + length if length <= layout.RECORD_BYTES else 0


def _gone(path: Path, why: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, why, str(path))
