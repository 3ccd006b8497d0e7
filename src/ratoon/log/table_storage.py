"""Where the files of a row table lie, and how they do in a folder."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.fs as pafs

from ratoon.log import disk
from ratoon.log.files import read_name

OWN = "_ratoon"  # beside the data; readers of Delta tables pass over names that begin so
LOG = "_delta_log"

Stamp: TypeAlias = tuple[int, ...]  # changes when a file is written to


class Storage(Protocol):
    """The files of a table, by their names as seen from the table's folder."""

    @property
    def is_remote(self) -> bool:
        """Whether each read of a part of a file is a request."""
        ...

    @property
    def filesystem(self) -> Any:
        """The table's folder as a `pyarrow.fs.FileSystem`."""
        ...

    def path(self, name: str) -> str:
        """Return the full name of a file, for messages."""
        ...

    def aside(self) -> Path:
        """Return a new empty local file, to be filled and then kept."""
        ...

    def keep(self, aside: Path, name: str) -> None:
        """Give a local file, whose bytes are durable, its name in the table."""
        ...

    def settle(self) -> None:
        """Return when what was kept and deleted would survive a cut of the power."""
        ...

    def stamp(self, name: str) -> Stamp | None:
        """Return what changes when the file is written to, or None where there is no file."""
        ...

    def open(self, name: str) -> Any:
        """Open a file for random access, as a `pyarrow.NativeFile`."""
        ...

    def open_first(self, name: str) -> tuple[str, Any]:
        """Return the SHA-256 of all of a file's bytes, and the file, open."""
        ...

    def listing(self) -> dict[str, datetime]:
        """Return the data files that lie there, and when each was written."""
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Delete files; those that are not there are passed over."""
        ...

    def note(self, name: str) -> bytes | None:
        """Read a small file, or return None where there is none."""
        ...

    def save(self, name: str, body: bytes) -> None:
        """Write a small file, whole or not at all, and durably."""
        ...


def local_root(uri: str) -> Path | None:
    """Return the folder that a path or a file URI names; None for any other URI.

    >>> local_root("file:///data/my%20rows").as_posix()
    '/data/my rows'
    >>> local_root("s3://bucket/rows") is None
    True
    """
    if uri.startswith("file://"):
        return Path(unquote(urlsplit(uri).path)).absolute()
    return None if "://" in uri else Path(uri).absolute()


@dataclass(frozen=True, slots=True)
class LocalStorage:
    """The files of a table in a folder."""

    root: Path

    @property
    def is_remote(self) -> bool:
        """Not so."""
        return False

    @property
    def filesystem(self) -> Any:
        """The table's folder."""
        return pafs.SubTreeFileSystem(str(self.root), pafs.LocalFileSystem())

    def path(self, name: str) -> str:
        """Return the full name of a file."""
        return str(self.root / name)

    def aside(self) -> Path:
        """Return a new empty file beside the table."""
        folder = self.root / OWN
        disk.make_folder(folder)
        opened, path = tempfile.mkstemp(suffix=".part", dir=folder)
        os.close(opened)
        return Path(path)

    def keep(self, aside: Path, name: str) -> None:
        """Rename a file that was written aside."""
        aside.replace(self.root / name)

    def settle(self) -> None:
        """Flush the names of the folder."""
        disk.flush_folder(self.root)

    def stamp(self, name: str) -> Stamp | None:
        """Return size, time of the last write, and inode."""
        try:
            found = (self.root / name).stat()
        except FileNotFoundError:
            return None
        return (found.st_size, found.st_mtime_ns, found.st_ino)

    def open(self, name: str) -> Any:
        """Open a file. Not as a memory map: there a bad sector would kill the process."""
        return pa.OSFile(str(self.root / name), "r")

    def open_first(self, name: str) -> tuple[str, Any]:
        """Read a file through, and open it."""
        with (self.root / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        return found, self.open(name)

    def listing(self) -> dict[str, datetime]:
        """List the folder."""
        if not self.root.is_dir():
            return {}
        with os.scandir(self.root) as entries:
            return {
                entry.name: datetime.fromtimestamp(entry.stat().st_mtime, UTC)
                for entry in entries
                if read_name(entry.name)
            }

    def delete(self, names: Iterable[str]) -> None:
        """Delete files."""
        with disk.writing(self.root):
            for name in names:
                disk.delete(self.root / name)
            self.settle()

    def note(self, name: str) -> bytes | None:
        """Read a small file."""
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None

    def save(self, name: str, body: bytes) -> None:
        """Write aside, flush, rename, flush the folder."""
        path = self.root / name
        with disk.writing(path):
            aside = self.aside()
            write_flushed(aside, body)
            aside.replace(path)
            disk.flush_folder(path.parent)


def write_flushed(path: Path, body: bytes) -> None:
    """Write a file and return when its bytes would survive a cut of the power."""
    with path.open("wb") as file:
        file.write(body)
        file.flush()
        disk.flush(file.fileno())


def flush_path(path: Path) -> None:
    """Return when the bytes of a file would survive a cut of the power."""
    with path.open("r+b") as file:  # Windows flushes only what is open for writing
        disk.flush(file.fileno())
