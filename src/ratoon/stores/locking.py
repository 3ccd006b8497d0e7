"""Locks on files; the system lets go of them when their process ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def locked(path: Path) -> Any:
    """Return the open file, locked; an `OSError` says that another one holds it."""
    file = path.open("a+b")
    try:
        _lock(file)
    except OSError:
        file.close()
        raise
    return file


def try_lock(path: Path) -> Any:
    """Return the open file, locked, or None where another one holds it."""
    try:
        return locked(path)
    except OSError:
        return None


def _lock(file: Any) -> None:
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - on Windows alone

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl  # noqa: PLC0415 - not on Windows

        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
