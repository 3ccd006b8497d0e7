"""What a watched folder's reader remembers of its files, durably."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeAlias

from ratoon.core.errors import StoreDamaged, StoreNewer
from ratoon.log import disk

_SCHEMA = 1

Look: TypeAlias = tuple[int, int, int]
"""How a file looks: its size in bytes, and when content and entry were changed, in nanoseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTaken:
    """A file that was taken, or set aside."""

    size: int  # bytes
    mtime_ns: int
    ctime_ns: int  # so that a file whose access was allowed meanwhile is tried again
    sha256: str | None  # None where it could not be read
    refused: str | None = None  # why it was set aside; None where its rows were taken
    changes: int = 0  # how often it had changed after it was taken

    @property
    def look(self) -> Look:
        """How it looked when it was taken."""
        return self.size, self.mtime_ns, self.ctime_ns


_KEYS = tuple(field.name for field in fields(FileTaken))


def load(path: Path) -> dict[str, FileTaken]:
    """Read what is remembered; nothing where there is no such file yet.

    Raises:
        StoreDamaged: where it is not what `save` wrote.
        StoreNewer: where a newer Ratoon wrote it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    hint = "delete it: the files are then taken again, and rows that are known count once"
    try:
        state = json.loads(text)
        if state["schema"] > _SCHEMA:
            raise StoreNewer(f"{path} was written by a newer Ratoon", hint=hint)
        return {name: FileTaken(**about) for name, about in state["files"].items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StoreDamaged(f"{path} does not hold what was taken of a folder", hint=hint) from error


def save(path: Path, files: Mapping[str, FileTaken]) -> None:
    """Write what is remembered: aside, flushed to the disk, then renamed.

    Raises:
        StoreUnwritable: where the disk does not take it; what stood there stays.
    """
    # Not by `wire`, which is made for records, and slow for a hundred thousand of them.
    about = {name: {key: getattr(file, key) for key in _KEYS} for name, file in files.items()}
    body = json.dumps({"schema": _SCHEMA, "files": about}).encode()
    with disk.writing(path):
        disk.write_durably(path, body)
