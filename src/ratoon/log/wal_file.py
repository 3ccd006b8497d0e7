"""The write-ahead file that is being written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ratoon.log import disk
from ratoon.log import wal_format as layout
from ratoon.log.wal_format import Ending, Header
from ratoon.log.wal_reading import WalFile, open_file

_CHUNK_BYTES = 2**20
_ASIDE = ".new"  # what a file is called until its header is on the disk


@dataclass(slots=True, kw_only=True)
class OpenFile:
    """A file that records are appended to; its owner sees to it that one thread does so."""

    path: Path
    opened: int  # the system's number of the open file
    header: Header
    end: int  # the offset behind the last whole record
    last: int  # the number of the last whole record
    durable_end: int
    durable_last: int
    sealed_last: int  # the last record that a seal says is durable
    torn: bool = False  # what stands behind `end` could not be cut off
    closing: bool = False  # no more records are to come

    @property
    def ending(self) -> Ending | None:
        """Where the file ends on the disk; where it has no record, where the one before ends."""
        if self.durable_last < self.header.first:
            return self.header.previous
        return Ending(first=self.header.first, last=self.durable_last, length=self.durable_end)

    def append(self, number: int, parts: Sequence[memoryview], length: int, crc: int) -> None:
        """Write a record, whole or not at all."""
        self._write(self._head(number, length, crc), parts, layout.RECORD.size + length, number)

    def seal(self) -> None:
        """Write down how far the file is durable, so that damage is told from a torn tail.

        Nothing depends on it but that: where there is no room for it, it is left out.
        """
        if self.torn or self.sealed_last == self.last or self.durable_last < self.last:
            return
        with contextlib.suppress(OSError):
            head = self._head(self.last, layout.SEAL, 0)
            self._write(head, (), layout.RECORD.size, self.last)
            self.sealed_last = self.last

    def is_full(self, file_bytes: int) -> bool:
        """Say whether the next record belongs into another file."""
        return self.torn or self.closing or self.end >= file_bytes

    def give_up(self) -> None:
        """Cut off what may not be on the disk, if the disk lets us, and close."""
        with contextlib.suppress(OSError):
            os.ftruncate(self.opened, self.durable_end)
        self.close()

    def close(self) -> None:
        """Close the file; all that counts of it is on the disk."""
        with contextlib.suppress(OSError):
            os.close(self.opened)

    def _head(self, number: int, length: int, crc: int) -> bytes:
        return layout.record_head(self.header.marker, number, length, self.durable_end, crc)

    def _write(self, head: bytes, parts: Sequence[memoryview], size: int, number: int) -> None:
        end, last = self.end, self.last
        try:
            disk.write_all(self.opened, [head, *parts])
            self.end, self.last = end + size, number
        except BaseException:
            # Also where a signal raised: the file holds what is counted, and no more.
            self.end, self.last = end, last
            self._cut()
            raise

    def _cut(self) -> None:
        try:
            os.ftruncate(self.opened, self.end)
        except OSError:
            self.torn = True


def begin_file(folder: Path, first: int, previous: Ending | None) -> OpenFile:
    """Begin a file; its header and its name are on the disk when this returns.

    A file of that name has no record that was acknowledged, and is replaced.
    """
    # The marker tells this file's records from all others; nothing that is decided rests on it.
    header = Header(first=first, marker=os.urandom(8), previous=previous)
    path = folder / layout.file_name(first)
    aside = path.with_suffix(_ASIDE)
    try:
        _write_aside(aside, layout.header_bytes(header))
        aside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise
    disk.flush_folder(folder)
    return OpenFile(
        path=path,
        opened=disk.open_to_append(path),
        header=header,
        end=layout.HEADER.size,
        last=first - 1,
        durable_end=layout.HEADER.size,
        durable_last=first - 1,
        sealed_last=first - 1,
    )


def _write_aside(aside: Path, body: bytes) -> None:
    opened = disk.open_to_append(aside, os.O_CREAT, os.O_TRUNC)
    try:
        disk.write_all(opened, [body])
        disk.flush(opened)
    finally:
        os.close(opened)


def mend(folder: Path) -> tuple[int, Ending | None] | None:
    """Cut off what a crash left at the end of the newest file, and put the rest on the disk.

    Returns:
        The last number, and where the newest file that has records ends; None where the folder
        has no files.

    Raises:
        LogCorrupt: What would be cut off had been acknowledged.
    """
    for aside in folder.glob(f"*{_ASIDE}"):
        aside.unlink(missing_ok=True)
    firsts = layout.first_numbers(folder)
    if not firsts:
        return None
    with open_file(folder, firsts[-1]) as file:
        file.skip_all()
    end = _put_on_disk(file)
    disk.flush_folder(folder)
    if file.last < file.header.first:
        return file.last, file.header.previous
    return file.last, Ending(first=file.header.first, last=file.last, length=end)


def _put_on_disk(file: WalFile) -> int:
    """Cut a file behind its last whole record, make all of it durable, seal it; return its end."""
    opened = os.open(file.path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        if os.fstat(opened).st_size > file.at:
            os.ftruncate(opened, file.at)
        for begin in range(file.durable, file.at, _CHUNK_BYTES):
            _rewrite(opened, begin, min(_CHUNK_BYTES, file.at - begin))
        disk.flush(opened)
        if file.sealed or not _write_seal(opened, file):
            return file.at
        disk.flush(opened)
        return file.at + layout.RECORD.size
    finally:
        os.close(opened)


def _write_seal(opened: int, file: WalFile) -> bool:
    """Write a seal at the end of a file that is durable, if there is room for it."""
    head = layout.record_head(file.header.marker, file.last, layout.SEAL, file.at, 0)
    os.lseek(opened, file.at, os.SEEK_SET)
    try:
        disk.write_all(opened, [head])
    except OSError:
        os.ftruncate(opened, file.at)
        return False
    return True


def _rewrite(opened: int, begin: int, size: int) -> None:
    """Write bytes that nobody has seen durable once more.

    An earlier process may have asked for a sync that failed. The system then shows the bytes, takes
    them for written, and would say yes to a sync that does nothing.
    """
    os.lseek(opened, begin, os.SEEK_SET)
    found = os.read(opened, size)
    os.lseek(opened, begin, os.SEEK_SET)
    disk.write_all(opened, [found])
