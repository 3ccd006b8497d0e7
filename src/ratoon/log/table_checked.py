"""Data files whose bytes are checked before they are read."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from ratoon.core.errors import FileCorrupt, StoreUnreachable
from ratoon.log.files import DataFile, read_name
from ratoon.log.table_storage import Stamp, Storage

_AT_ONCE = 2  # one file is hashed while the next is read


class CheckedFiles:
    """Opens data files; all bytes of each must have the SHA-256 of its name.

    A file is read through when it is first opened, and again when it was written to since. What
    changes on the disk without being written shows in the checksums of the pages that are read.
    """

    def __init__(self, storage: Storage) -> None:
        """Begin with no file checked."""
        self._storage = storage
        self._checked: dict[str, Stamp] = {}
        self._lock = threading.Lock()

    def path(self, name: str) -> str:
        """Return the full name of a file."""
        return self._storage.path(name)

    @property
    def is_remote(self) -> bool:
        """Whether each read of a part of a file is a request."""
        return self._storage.is_remote

    def open(self, name: str) -> tuple[Any, bool]:
        """Open a file for random access, and tell whether all its bytes were checked just now.

        Raises:
            FileCorrupt: It is missing, cannot be read, or has other bytes than were written.
        """
        with self.reading(name):
            stamp = self._storage.stamp(name)
            if stamp is None:
                raise FileNotFoundError(name)
            with self._lock:
                known = self._checked.get(name)
            if known == stamp:
                return self._storage.open(name), False
            return self._open_first(name, stamp), True

    def _open_first(self, name: str, stamp: Stamp) -> Any:
        found, opened = self._storage.open_first(name)
        told = read_name(name)
        if told is None or told.sha256 != found:
            opened.close()
            raise FileCorrupt(self.path(name), f"has the SHA-256 {found}, not that of its name")
        with self._lock:
            self._checked[name] = stamp
        return opened

    @contextmanager
    def reading(self, name: str) -> Generator[None]:
        """Raise whatever goes wrong while a file is read as `FileCorrupt`.

        But an object store that does not answer says nothing of its objects (`StoreUnreachable`).
        """
        try:
            yield
        except FileNotFoundError as error:
            raise FileCorrupt(self._storage.path(name), "is missing", missing=True) from error
        except (pa.ArrowException, OSError, ValueError) as error:
            if self.is_remote and isinstance(error, OSError) and "CRC" not in str(error):
                raise StoreUnreachable(self.path(name), str(error)) from error
            raise FileCorrupt(self._storage.path(name), f"cannot be read: {error}") from error

    def forget(self, names: Iterable[str]) -> None:
        """Forget files that are gone."""
        with self._lock:
            for name in names:
                self._checked.pop(name, None)

    @property
    def filesystem(self) -> Any:
        """The table's folder as a `pyarrow.fs.FileSystem`, for files that have been checked."""
        return self._storage.filesystem

    def check(self, names: Iterable[str]) -> None:
        """Check files that were not checked before.

        Raises:
            FileCorrupt: One is missing, cannot be read, or has other bytes than were written.
        """
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for opened, _ in pool.map(self.open, names):
                opened.close()

    def complaint(self, file: DataFile) -> str | None:
        """Read a file through, also where it was checked before, and say what is wrong."""
        self.forget([file.name])
        try:
            opened, _ = self.open(file.name)
            with opened:
                size: int = opened.size()
        except (FileCorrupt, StoreUnreachable) as error:
            return error.fact
        if size != file.size:
            return f"{self._storage.path(file.name)} has {size} bytes, the log says {file.size}"
        return None
