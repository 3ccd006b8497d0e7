"""The embedded default: everything of a project below one folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from ratoon.core.errors import LoopBusy, LoopUnknown, SettingInvalid
from ratoon.stores.sql import SqlStore, loop_names, sqlite_engine

DATABASE = "ratoon.db"


def open_folder(home: Path, loop: str) -> SqlStore:
    """Open a loop's store below `home`, making the folder where there is none."""
    make_home(home)
    engine = sqlite_engine(home / DATABASE)
    try:
        return SqlStore(engine, loop)
    except BaseException:
        engine.dispose()
        raise


def make_home(home: Path) -> None:
    """Make the folder where there is none; it must be one that can be written to."""
    rule = "a folder that can be written to"
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingInvalid("home", f"{rule} ({error.strerror})", str(home)) from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise SettingInvalid("home", rule, str(home))


def open_known(home: Path, loop: str) -> SqlStore:
    """Open the store of a loop that is there already."""
    known = known_loops(home)
    if loop not in known:
        raise LoopUnknown(loop, known)
    return open_folder(home, loop)


def known_loops(home: Path) -> tuple[str, ...]:
    """Return the names of the loops below `home`."""
    path = home / DATABASE
    if not path.exists():
        return ()
    engine = sqlite_engine(path)
    try:
        return loop_names(engine)
    finally:
        engine.dispose()


class FolderLock:
    """Held by the one process that runs a loop; the system lets go of it when the process ends."""

    def __init__(self, home: Path, loop: str) -> None:
        """Take the lock, or raise `LoopBusy`."""
        make_home(home)
        self._file = (home / f"{loop}.lock").open("a+b")
        try:
            _lock(self._file)
        except OSError as error:
            self._file.close()
            raise LoopBusy(loop, str(home)) from error

    def release(self) -> None:
        """Let go of the lock."""
        self._file.close()


def _lock(file: Any) -> None:
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - on Windows alone

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl  # noqa: PLC0415 - not on Windows

        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
