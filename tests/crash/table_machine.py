"""A disk that holds what was flushed, and of the rest whatever it happens to hold.

It watches a folder that a process writes to by whatever means, also from outside of Python, and
knows what was flushed: bytes of files, and names in folders. When the power is cut, each block of
512 bytes that was written since, and each name that was given or taken since, is as it was or as
it is now, by chance.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np

from ratoon.log import disk

BLOCK = 512


class Cut(BaseException):
    """The power is cut."""


class Machine:
    """Cuts the power before a flush, and shows what is left."""

    def __init__(self, root: Path, image: Path, *, at: int, rng: np.random.Generator) -> None:
        """Watch `root`, all of which is on the disk now; before the `at`-th flush fill `image`."""
        self._root, self._image, self._at, self._rng = root, image, at, rng
        self.flushes = 0
        self._held: dict[int, int] = {}  # open files, so that their inodes are not given again
        self._bytes: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        for folder, _, files in os.walk(root):
            self._names[Path(folder).stat().st_ino] = _names(Path(folder))
            for name in files:
                self._hold(Path(folder) / name)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Stand between the code inside and the disk."""
        with (
            mock.patch.object(disk, "flush", self._flush),
            mock.patch.object(disk, "flush_folder", self._flush_folder),
        ):
            try:
                yield
            finally:
                for held in self._held.values():
                    os.close(held)

    def _flush(self, opened: int) -> None:
        self._count()
        inode = os.fstat(opened).st_ino
        for folder, _, files in os.walk(self._root):
            for name in files:
                if (Path(folder) / name).stat().st_ino == inode:
                    self._hold(Path(folder) / name)

    def _flush_folder(self, folder: Path) -> None:
        self._count()
        self._names[folder.stat().st_ino] = _names(folder)
        if folder == self._root.parent and self._root.exists():
            self._names.setdefault(self._root.stat().st_ino, {})

    def _hold(self, path: Path) -> None:
        inode = path.stat().st_ino
        if inode not in self._held:
            self._held[inode] = os.open(path, os.O_RDONLY)
        self._bytes[inode] = path.read_bytes()

    def _count(self) -> None:
        self.flushes += 1
        if self.flushes == self._at:
            self._cut(self._root, self._image)
            raise Cut

    def _cut(self, folder: Path, image: Path) -> None:
        """Write what the disk may have of a folder, which is there itself."""
        image.mkdir()
        now, flushed = _names(folder), self._names.get(folder.stat().st_ino, {})
        for name in sorted(now.keys() | flushed.keys()):
            inode = now.get(name) if self._lucky(now.get(name) == flushed.get(name)) else None
            inode = flushed.get(name) if inode is None else inode
            if inode is None:
                continue
            if (folder / name).is_dir():
                self._cut(folder / name, image / name)
            else:
                live = (folder / name).read_bytes() if now.get(name) == inode else None
                (image / name).write_bytes(self._found(inode, live))

    def _lucky(self, sure: bool) -> bool:  # noqa: FBT001 - of the one thing that is asked
        return sure or bool(self._rng.random() < 0.5)

    def _found(self, inode: int, live: bytes | None) -> bytes:
        """Return what the disk may have of a file."""
        flushed = self._bytes.get(inode, b"")
        if live is None:  # it has another name by now, or none
            live = os.pread(self._held[inode], 2**30, 0) if inode in self._held else flushed
        if live == flushed:
            return live
        length = len(live) if self._lucky(sure=False) else len(flushed)
        found = bytearray(flushed.ljust(length, b"\0")[:length])
        for at in range(0, min(length, len(live)), BLOCK):
            if self._lucky(sure=False):
                found[at : at + BLOCK] = live[at : at + BLOCK][: length - at]
        return bytes(found)


def _names(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in folder.iterdir()}
