"""A folder whose files are taken once each, as they come."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path, PurePath
from typing import Literal

from ratoon.core.errors import RowsRefused, SettingInvalid
from ratoon.core.settings import one_of
from ratoon.core.times import duration, utc
from ratoon.sources.remembering import FileTaken, Look, load, save

_MOST = 100_000  # files in a folder


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRefused:
    """A file that was set aside."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchReport:
    """How a watched folder stands."""

    taken: int  # files that lie there and were taken
    refused: tuple[FileRefused, ...]  # that were set aside, until they change
    changed: tuple[Path, ...]  # that were changed after they had been taken


class Watched:
    r"""A folder that is looked at now and then; each file that comes into it is taken once.

    A file is due when its size and its time have been the same for `still`, from one look to
    another. Whoever writes aside (under a name that begins with a dot, or in another folder) and
    renames may set it to 0: then a file is due when it is first seen. Its rows are taken by the
    caller, and only what the caller says is `taken` is remembered, so a crash between the two
    takes a file again: its rows are known by their ids and count once.

    A file that was changed after it was taken is due again, and reported; its rows that are known
    with another content are then refused by the loop, by their ids. A file that was touched, but
    has the same SHA-256, is not. A file that was refused is due again when it changes.

    What is remembered of a file is forgotten when the file is gone from the folder. So the state
    grows with the folder and not with its history: remove the files that were taken, now and
    then. More than 100,000 of them are refused.

    Args:
        folder: what is looked at.
        pattern: which files, by their path below the folder: "*.parquet", "**/*.csv".
        state: the JSON file in which is remembered what was taken; beside the store, not in the
            folder. One process at a time may use it.
        still: how long a file must not change; a timedelta, or a text such as "10s".
        order: "name", or "mtime": the oldest first.

    Raises:
        SettingInvalid: where a setting is not what it must be.
        StoreDamaged: where the state is not what was written.

    Example:
        >>> import tempfile
        >>> from datetime import UTC
        >>> home = tempfile.TemporaryDirectory()
        >>> folder = Path(home.name, "incoming")
        >>> folder.mkdir()
        >>> _ = (folder / "a.csv").write_text("id,label\n")
        >>> watched = Watched(folder, pattern="*.csv", state=Path(home.name, "watched.json"))
        >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
        >>> len(watched.due(noon)), len(watched.due(noon + timedelta(seconds=10)))
        (0, 1)
        >>> watched.taken(folder / "a.csv")
        True
        >>> watched.due(noon + timedelta(minutes=1))
        []
        >>> home.cleanup()
    """

    def __init__(
        self,
        folder: Path,
        *,
        pattern: str = "*.parquet",
        state: Path,
        still: timedelta | str = "10s",
        order: Literal["name", "mtime"] = "name",
    ) -> None:
        below = PurePath(pattern)
        if not pattern or below.is_absolute() or ".." in below.parts:
            raise SettingInvalid("pattern", "a pattern of paths below the folder", pattern)
        one_of("order", order, ("name", "mtime"))
        self.folder = Path(folder)
        self.pattern = pattern
        self._state = Path(state)
        if self.folder.resolve() in self._state.resolve().parents:
            raise SettingInvalid("state", "a file outside of the folder", str(state))
        self._still = duration("still", still)
        self._order = order
        self._known = load(self._state)
        self._seen: dict[str, tuple[Look, datetime]] = {}  # since when a file has not changed
        self._due: dict[Path, Look] = {}

    def due(self, now: datetime) -> list[Path]:
        """Look at the folder, and return the files to be taken, in order.

        Args:
            now: an aware time; only the time between two looks matters.

        Raises:
            SettingInvalid: where the folder is not there, or cannot be read.
            RowsRefused: where there are more files than can be remembered.
        """
        now = utc("now", now)
        found = self._look()
        self._seen = {name: self._since(name, look, now) for name, look in found.items()}
        still = [name for name, (_, since) in self._seen.items() if now - since >= self._still]
        new = [name for name in still if self._is_new(name, found[name])]
        if self._order == "name":
            new.sort()
        else:
            new.sort(key=lambda name: (found[name][1], name))
        self._due = {self.folder / name: found[name] for name in new}
        return list(self._due)

    def taken(self, path: Path) -> bool:
        """Remember that the rows of a file that was due are stored.

        Returns:
            False where the file has changed since it was found due: it stays to be taken.

        Raises:
            SettingInvalid: where the file was not due.
        """
        return self._remember(path, None)

    def set_aside(self, path: Path, reason: str) -> bool:
        """Remember why a file that was due cannot be taken; it is due again when it changes.

        Returns:
            False where the file has changed since it was found due.

        Raises:
            SettingInvalid: where the file was not due.
        """
        return self._remember(path, reason)

    def report(self) -> WatchReport:
        """Return how the folder stands, as of the last look."""
        known = {self.folder / name: file for name, file in sorted(self._known.items())}
        refused = {path: file.refused for path, file in known.items() if file.refused is not None}
        changed = [
            path
            for path, file in known.items()
            if file.changes or (path in self._due and file.refused is None)
        ]
        return WatchReport(
            taken=len(known) - len(refused),
            refused=tuple(FileRefused(path=path, reason=why) for path, why in refused.items()),
            changed=tuple(changed),
        )

    def _look(self) -> dict[str, Look]:
        """Return the files that are there; what begins with a dot is still being written."""
        try:
            with os.scandir(self.folder):
                pass
        except OSError as error:
            rule = f"a folder that can be read ({error.strerror})"
            raise SettingInvalid("folder", rule, str(self.folder)) from error
        found: dict[str, Look] = {}
        for path in self.folder.glob(self.pattern):
            below = path.relative_to(self.folder)
            look = None if any(part.startswith(".") for part in below.parts) else _looked(path)
            if look is not None:
                found[below.as_posix()] = look
            if len(found) > _MOST:
                fact = f"{self.folder} holds more than {_MOST} files {self.pattern}"
                raise RowsRefused(fact, hint="remove those that were taken")
        return found

    def _since(self, name: str, look: Look, now: datetime) -> tuple[Look, datetime]:
        before = self._seen.get(name)
        return before if before is not None and before[0] == look else (look, now)

    def _is_new(self, name: str, look: Look) -> bool:
        known = self._known.get(name)
        if known is None or known.look == look:
            return known is None
        if known.refused is not None or _digest(self.folder / name) != known.sha256:
            return True
        self._known[name] = _as_seen(known, look)  # touched, no more
        return False

    def _remember(self, path: Path, refused: str | None) -> bool:
        look = self._due.get(path)
        if look is None:
            raise SettingInvalid("path", "that of a file that was found due", str(path))
        digest = _digest(path)
        if _looked(path) != look or (digest is None and refused is None):
            return False
        name = path.relative_to(self.folder).as_posix()
        before = self._known.get(name)
        changes = 0 if before is None else before.changes + (before.refused is None)
        size, mtime_ns, ctime_ns = look
        file = FileTaken(
            size=size,
            mtime_ns=mtime_ns,
            ctime_ns=ctime_ns,
            sha256=digest,
            refused=refused,
            changes=changes,
        )
        there = {each: known for each, known in self._known.items() if each in self._seen}
        there[name] = file
        save(self._state, there)
        self._known = there
        del self._due[path]
        return True


def _as_seen(known: FileTaken, look: Look) -> FileTaken:
    size, mtime_ns, ctime_ns = look
    return replace(known, size=size, mtime_ns=mtime_ns, ctime_ns=ctime_ns)


def _looked(path: Path) -> Look | None:
    """Return how a file looks; None where it is none, or is gone."""
    try:
        about = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(about.st_mode):
        return None
    return about.st_size, about.st_mtime_ns, about.st_ctime_ns


def _digest(path: Path) -> str | None:
    """Return the SHA-256 of a file; None where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
