"""What is known of snapshots whose rows have been compared with their digest.

A digest of millions of rows costs half as much as reading them. Once it was compared, the names of
the files that the rows lie in, which hold the files' SHA-256, and the numbers of the rows there
prove as much: as long as these are the same, and the files are checked as they are read, the rows
are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import numpy as np

from ratoon.log import disk
from ratoon.log.runs import side_by_side
from ratoon.log.table import RowTable
from ratoon.stores.catalog import Numbers

_FOLDER = "compared"
_READERS = ("ratoon", "pyarrow", "numpy")  # another version of one may read other values


def whence(parts: Sequence[tuple[RowTable, Numbers]]) -> str | None:
    """Return the SHA-256 of where rows lie: files, and the numbers of the rows in them.

    None where no file has some of them.
    """
    found = hashlib.sha256()
    for reader in _READERS:
        found.update(f"{reader} {metadata.version(reader)}\n".encode())
    for table, numbers in parts:
        lies = _lies(table, numbers)
        if lies is None:
            return None
        found.update(lies)
    return found.hexdigest()


def _lies(table: RowTable, numbers: Numbers) -> bytes | None:
    """Return the SHA-256 of rows' numbers, and of the names of the files that hold them."""
    if not len(numbers):
        return None
    low, high = int(numbers.min()), int(numbers.max())
    if high >= table.stop:
        return None
    found = hashlib.sha256()
    if side_by_side(numbers):
        found.update(f"{low} to {high}".encode())
    else:
        found.update(np.ascontiguousarray(numbers).data)
    for file in table.files:
        if file.first <= high and file.last >= low:
            found.update(f"\n{file.name}".encode())
    return found.digest()


def note(folder: Path, digest: str, place: str) -> None:
    """Note that the rows that lie in `place` have this digest.

    Where it cannot be written down, nothing is lost but time.
    """
    with suppress(OSError):
        disk.write_durably(folder / _FOLDER / digest, place.encode())


def keep(folder: Path, digests: Collection[str]) -> None:
    """Let go of the notes on all other snapshots."""
    with suppress(OSError):
        for path in (folder / _FOLDER).iterdir():
            if path.name not in digests:
                path.unlink(missing_ok=True)


def noted(folder: Path, digest: str) -> str | None:
    """Return where the rows of a snapshot lay when they were last compared."""
    with suppress(OSError, UnicodeDecodeError):
        return (folder / _FOLDER / digest).read_text(encoding="utf-8")
    return None
