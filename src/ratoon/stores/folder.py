"""The embedded default: everything of a project below one folder."""

from __future__ import annotations

import os
from pathlib import Path

from ratoon.core.errors import LoopBusy, LoopUnknown, SettingInvalid
from ratoon.stores.book import SqlBook, loop_names, sqlite_engine
from ratoon.stores.local import LocalStore
from ratoon.stores.locking import locked

DATABASE = "ratoon.db"
LOGS = "logs"


def open_folder(home: Path, loop: str, *, tables: str | None = None) -> LocalStore:
    """Open a loop's store below `home`, making the folder where there is none.

    Args:
        home: the folder.
        loop: the name of the loop.
        tables: a URI below which the tables of all loops lie, each in its own folder; by default
            they lie in the home.

    Raises:
        LoopBusy: another one, perhaps of another process, writes to it.
    """
    lock = FolderLock(home, loop)
    try:
        return _opened(home, loop, lock, None if tables is None else f"{tables}/{loop}")
    except BaseException:
        lock.release()
        raise


def _opened(
    home: Path, loop: str, lock: FolderLock | None, tables: str | None = None
) -> LocalStore:
    engine = sqlite_engine(home / DATABASE)
    try:
        book, folder = SqlBook(engine, loop), home / LOGS / loop
        return LocalStore(book, folder, writable=lock is not None, lock=lock, tables=tables)
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


def open_known(home: Path, loop: str) -> LocalStore:
    """Open the store of a loop that is there already, to read it and to tell it of events."""
    known = known_loops(home)
    if loop not in known:
        raise LoopUnknown(loop, known)
    return _opened(home, loop, None)


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
        try:
            self._file = locked(home / f"{loop}.lock")
        except OSError as error:
            raise LoopBusy(loop, str(home)) from error

    def release(self) -> None:
        """Let go of the lock."""
        self._file.close()
