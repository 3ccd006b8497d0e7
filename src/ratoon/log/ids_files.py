"""Files that are whole on the disk before another file speaks of them."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import IO

from ratoon.log.disk import flush_folder


def sync_file(file: IO[bytes]) -> None:
    """Hand what was written to `file` to the disk, and wait until it lies there."""
    file.flush()
    os.fsync(file.fileno())


def replace_file(path: Path, body: bytes) -> None:
    """Give `path` the content `body`, whole or not at all, whenever the power goes.

    A reader sees the old content or the new one. The other names in the folder are on the disk
    before the content is replaced, so that it may speak of them.
    """
    aside = aside_of(path)
    with aside.open("wb") as file:
        file.write(body)
        sync_file(file)
    flush_folder(path.parent)
    aside.replace(path)
    flush_folder(path.parent)


def mapped(path: Path, length: int) -> mmap.mmap:
    """Map the first `length` bytes of a file, at least one, to be read.

    The mapping ends when nothing that was made of it is left.
    """
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), length, access=mmap.ACCESS_READ)


def let_go(mapping: mmap.mmap) -> None:
    """Let the pages of a mapping go: they no longer count as memory of the process.

    They stay in the page cache while there is room, so that to touch one again costs a microsecond.
    Where the system cannot do so (Windows) nothing happens.
    """
    if hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


def aside_of(path: Path) -> Path:
    """Return the name under which `replace_file` first writes; what lies there was never whole."""
    return path.with_name(f"{path.name}.aside")
