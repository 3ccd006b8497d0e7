"""A disk that loses what nobody waited for: which names and bytes survive a cut of the power.

Until a file was flushed (fsync), any part of what was written since may be on the disk or not.
Until its folder was flushed, each name may stand for what it stood for before or for what it
stands for now. A journaling file system loses less; code that survives this survives those.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from unittest import mock

import numpy as np

_SECTOR = 64  # bytes that reach the disk together; smaller than any real one


class Cut(BaseException):
    """The power went; no `except Exception` stops it."""


class Disk:
    """Watches one folder, cuts the power at the n-th flush, and leaves an image of the disk.

    The real disk is not waited for: what counts as being on it is kept here.

    Args:
        folder: the folder; what lies there now lies on the disk.
        image: where to put what survives; a folder that is not there yet.
        at: the number of the flush before which the power goes, from 1 on.
        seed: of the draws of what survives.
    """

    def __init__(self, folder: Path, image: Path, *, at: int, seed: int) -> None:
        self.folder, self.image = folder, image
        self.at, self.flushes = at, 0
        self._rng = np.random.default_rng(seed)
        self._names = self._names_now()
        self._bodies = {inode: (folder / name).read_bytes() for name, inode in self._names.items()}

    def watching(self) -> mock._patch[object]:
        """Return a context in which flushes are counted."""
        return mock.patch("os.fsync", self._flush)

    def _names_now(self) -> dict[str, int]:
        return {path.name: path.stat().st_ino for path in self.folder.iterdir()}

    def _flush(self, opened: int) -> None:
        self.flushes += 1
        if self.flushes == self.at:
            self._cut()
            raise Cut
        about = os.fstat(opened)
        if stat.S_ISDIR(about.st_mode):
            self._names = self._names_now()
        else:
            self._bodies[about.st_ino] = self._body_now(about.st_ino)

    def _body_now(self, inode: int) -> bytes:
        names = [name for name, own in self._names_now().items() if own == inode]
        return (self.folder / names[0]).read_bytes() if names else self._bodies.get(inode, b"")

    def _cut(self) -> None:
        self.image.mkdir()
        now = self._names_now()
        for name in self._names.keys() | now.keys():
            inode = (self._names, now)[int(self._rng.integers(2))].get(name)
            if inode is not None:
                body = self._mixed(self._bodies.get(inode, b""), self._body_now(inode))
                (self.image / name).write_bytes(body)

    def _mixed(self, old: bytes, new: bytes) -> bytes:
        """Return a body of which each sector is the old or the new one, or a hole."""
        if old == new:
            return new
        length = len(new) if self._rng.integers(2) else len(old)
        size = max(len(old), len(new))
        both = [np.frombuffer(body.ljust(size, b"\0"), dtype=np.uint8) for body in (old, new)]
        chosen = np.repeat(self._rng.integers(0, 2, -(-size // _SECTOR)), _SECTOR)[:size]
        return np.where(chosen == 1, both[1], both[0]).tobytes()[:length]
