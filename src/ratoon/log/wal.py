"""Write-ahead files: what was appended and waited for survives a crash and a cut of the power."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ratoon.core.errors import RowsRefused, SettingInvalid, StoreUnwritable
from ratoon.log import disk
from ratoon.log import wal_format as layout
from ratoon.log.wal_file import OpenFile, begin_file, mend
from ratoon.log.wal_reading import WalRecord, read_wal

__all__ = ["WalRecord", "WalWriter", "read_wal"]

_TERMS_KEPT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lost:
    """How a term ended: a sync failed, and the records behind the last durable one are lost."""

    durable: int  # the last record of the term that is durable
    written: int  # the last record of the term
    path: Path
    cause: OSError

    def error(self) -> StoreUnwritable:
        """Return the error for a record that is lost."""
        return disk.unwritable(self.path, self.cause)


class WalWriter:
    """The one writer of a folder of write-ahead files.

    A record is appended under the next number, then waited for. All that was appended up to then
    is made durable by one sync of the file; who comes while it runs waits for the next one. So a
    record is acknowledged after two syncs at most, an idle writer syncs at once, and many threads
    share one sync (group commit; DeWitt et al., Implementation techniques for main memory
    database systems, 1984).

    After a sync has failed, nobody knows which of its bytes are on the disk, and to sync again
    would say yes to bytes that are not (Rebello et al., Can applications recover from fsync
    failures?, 2020). So the file is given up: all who wait get the error, and `next_number` goes
    back to the first record that is not durable. Each such loss begins a new `term`; a number
    and its term name a record for good.

    The caller makes sure that no other process writes to the folder, and that a folder without
    files is really new, or that `first` goes on where the forgotten files ended.

    Args:
        folder: Made where there is none.
        file_bytes: A file that is this long is closed, and the next record begins a new one.
        first: The number to begin with where the folder has no files, at least 1.

    Raises:
        SettingInvalid: `file_bytes` or `first` is below 1.
        LogCorrupt: Acknowledged bytes of the newest file are damaged.
        StoreUnwritable: The disk refuses.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with WalWriter(Path(folder), first=17) as wal:
        ...         term = wal.append(wal.next_number, [b"a row"])
        ...         wal.wait(17, term)
        ...         print(wal.next_number, wal.durable_number)
        ...     print(list(read_wal(Path(folder), after=16)))
        18 17
        [WalRecord(number=17, body=b'a row')]
    """

    def __init__(self, folder: Path, *, file_bytes: int = 64 * 2**20, first: int = 1) -> None:
        for name, value in (("file_bytes", file_bytes), ("first", first)):
            if value < 1:
                raise SettingInvalid(name, "at least 1", value)
        self._folder = folder
        self._file_bytes = file_bytes
        with disk.writing(folder):
            disk.make_folder(folder)
            last, self._previous = mend(folder) or (first - 1, None)
        self._last = last  # the last number of the closed files
        self._file: OpenFile | None = None
        self._term = 0
        self._lost: dict[int, _Lost] = {}
        self._closed = False
        self._lock = threading.Lock()
        self._syncing = False
        self._covered = 0  # the last record that the running sync makes durable
        # Who waits for the running sync, and who waits to lead or join the one after it.
        self._this_sync = threading.Condition(self._lock)
        self._next_sync = threading.Condition(self._lock)

    @property
    def next_number(self) -> int:
        """The number that the next record must have."""
        file = self._file
        return (file.last if file else self._last) + 1

    @property
    def durable_number(self) -> int:
        """The last number that would survive a cut of the power; all before it would too."""
        file = self._file
        return file.durable_last if file else self._last

    @property
    def term(self) -> int:
        """How often records were lost because a sync had failed, since the writer was opened."""
        return self._term

    def append(self, number: int, parts: Sequence[bytes | memoryview]) -> int:
        """Write a record, which is durable once it was waited for.

        Args:
            number: `next_number`; anything else is a bug of the caller.
            parts: The body, in contiguous parts; 1 GiB (2**30 bytes) at most.

        Returns:
            The term of the record, for `wait`.

        Raises:
            RowsRefused: The body is too long.
            StoreFull: There is no room; nothing of the record stays, and the next one may fit.
            StoreUnwritable: The disk refuses; nothing of the record stays. `next_number` may
                have gone back.
        """
        views = [memoryview(part).cast("B") for part in parts if memoryview(part).nbytes]
        length = sum(len(view) for view in views)
        if length > layout.RECORD_BYTES:
            raise RowsRefused(
                f"a record has at most {layout.RECORD_BYTES} bytes, got {length}",
                hint="send smaller batches",
            )
        crc = layout.body_crc(views)
        with self._lock:
            file = self._open_file()
            if number != file.last + 1:
                self._refuse(number, file.last)
            try:
                file.append(number, views, length, crc)
            except OSError as error:
                raise disk.unwritable(file.path, error) from error
            return self._term

    def wait(self, number: int, term: int | None = None) -> None:
        """Return when a record, and all before it, would survive a cut of the power.

        Args:
            number: A record that was appended.
            term: What `append` returned. Without it, the record that has the number now is meant:
                enough for one thread alone, but where several write, a number may have been
                given again to another one's record after a failed sync.

        Raises:
            StoreUnwritable: The record was lost: the sync failed. Append it again.
        """
        with self._lock:
            if term is None:
                term = self._term if number < self.next_number else self._term - 1
            while not self._is_durable(number, term):
                if self._syncing:
                    self._follow(number)
                else:
                    assert self._file
                    self._sync(self._file)

    def rotate(self) -> None:
        """Close the present file, durably; the next record begins a new one."""
        with self._lock:
            if self._file:
                self._retire(self._file)

    def forget(self, number: int) -> None:
        """Delete the files whose records are all up to `number`, but not the one being written.

        A deletion may be undone by a cut of the power; the next call repeats it.
        """
        with self._lock, disk.writing(self._folder):
            firsts = layout.first_numbers(self._folder)
            lasts = [*(first - 1 for first in firsts[1:]), self.next_number - 1]
            for first, last in zip(firsts, lasts, strict=True):
                if last > number or (self._file and self._file.header.first == first):
                    break
                if not disk.delete(self._folder / layout.file_name(first)):
                    break

    def close(self) -> None:
        """Make all durable and close; a writer is closed once or more often."""
        self.rotate()
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_file(self) -> OpenFile:
        """Return the file that takes the next record."""
        assert not self._closed, "the writer is closed"
        while self._file and self._file.is_full(self._file_bytes):
            self._retire(self._file)
        if not self._file:
            with disk.writing(self._folder):
                self._file = begin_file(self._folder, self._last + 1, self._previous)
        return self._file

    def _retire(self, file: OpenFile) -> None:
        """Close a file when all of it is durable."""
        file.closing = True
        while self._file is file:
            if self._syncing:
                self._this_sync.wait()
            elif file.durable_end < file.end:
                self._sync(file)
            else:
                self._leave(file)
                file.close()

    def _follow(self, number: int) -> None:
        """Wait until the sync ends that makes a record durable, or to lead the next one."""
        try:
            (self._this_sync if number <= self._covered else self._next_sync).wait()
        except BaseException:
            # A signal raised: whoever was called to lead calls another one.
            self._next_sync.notify()
            raise

    def _sync(self, file: OpenFile) -> None:
        """Make durable what was written up to now: for those too who wait for the next sync."""
        end, self._covered = file.end, file.last
        self._this_sync, self._next_sync = self._next_sync, self._this_sync
        failure = self._flush(file)
        if failure:
            self._lose(file, failure)
            raise disk.unwritable(file.path, failure) from failure
        file.durable_end, file.durable_last = end, self._covered
        file.seal()

    def _flush(self, file: OpenFile) -> OSError | None:
        """Flush a file and return how that failed; the lock is open while the disk works."""
        self._syncing = True
        self._lock.release()
        try:
            disk.flush(file.opened)
        except OSError as error:
            return error
        finally:
            self._lock.acquire()
            self._syncing = False
            self._this_sync.notify_all()
            self._next_sync.notify()
        return None

    def _lose(self, file: OpenFile, cause: OSError) -> None:
        """Give up a file of which nobody knows what is on the disk."""
        self._lost[self._term] = _Lost(
            durable=file.durable_last, written=file.last, path=file.path, cause=cause
        )
        self._lost.pop(self._term - _TERMS_KEPT, None)
        self._term += 1
        self._leave(file)
        self._next_sync.notify_all()
        file.give_up()

    def _refuse(self, number: int, last: int) -> None:
        """Refuse a number that is not the next: perhaps it was, until a sync failed just now."""
        lost = self._lost.get(self._term - 1)
        if lost and last < number <= lost.written + 1:
            raise lost.error() from lost.cause
        raise AssertionError(f"record {number} does not follow {last}")

    def _leave(self, file: OpenFile) -> None:
        self._previous = file.ending
        self._last = file.durable_last
        self._file = None

    def _is_durable(self, number: int, term: int) -> bool:
        """Say whether a record is durable, or raise because it was lost."""
        if term == self._term:
            assert number < self.next_number, f"record {number} was not appended"
            return number <= self.durable_number
        assert 0 <= term < self._term, f"record {number} was not appended"
        lost = self._lost.get(term)
        if lost is None:
            raise StoreUnwritable(str(self._folder), "a sync failed, long ago")
        if number > lost.durable:
            raise lost.error() from lost.cause
        return True
