"""What the parts of a catalogue say of their files: each in a file of its own, or all in one."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from ratoon.core.errors import StoreDamaged
from ratoon.log.ids_files import aside_of, replace_file

_SCHEMA = 1
HINT = "it is derived data: make it anew, and fill it from the log"


class StateFile(Protocol):
    """Keeps what a part says of its files: what is named there counts, and nothing else does."""

    def read(self) -> bytes | None:
        """Return what was kept last; None for nothing."""
        ...

    def keep(self, body: bytes) -> bool:
        """Keep this in the place of what was kept before; tell whether it lies on the disk."""
        ...

    def clean(self) -> None:
        """Remove what a process that died has left."""
        ...


class OwnState:
    """A file that one part has for itself; what was kept lies on the disk."""

    def __init__(self, path: Path) -> None:
        """Keep it in this file."""
        self.path = path

    def read(self) -> bytes | None:
        """Read the file."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None

    def keep(self, body: bytes) -> bool:
        """Replace the file; when this returns, the new one lies on the disk."""
        replace_file(self.path, body)
        return True

    def clean(self) -> None:
        """Remove a file that was never whole."""
        aside_of(self.path).unlink(missing_ok=True)


class States:
    """The states of several parts in one file: all of them are replaced, or none is.

    So several parts are brought to the disk with one flush of a file and one of a folder.

    >>> import tempfile
    >>> states = States(Path(tempfile.mkdtemp()) / "states")
    >>> one, other = states.of("one"), states.of("other")
    >>> one.keep(b"1"), other.keep(b"2")  # in memory alone
    (False, False)
    >>> states.commit()
    >>> one.read(), other.read()
    (b'1', b'2')
    """

    def __init__(self, path: Path) -> None:
        """Keep them in this file."""
        self.path = path
        self._new: dict[str, bytes] = {}
        self._known: tuple[tuple[int, int, int], Mapping[str, bytes]] | None = None

    def of(self, name: str) -> _Named:
        """Return where one part keeps its state."""
        return _Named(self, name)

    def stage(self, name: str, body: bytes) -> None:
        """Take a state that the next commit brings to the disk."""
        self._new[name] = body

    def read(self) -> Mapping[str, bytes]:
        """Read all states.

        Raises:
            StoreDamaged: the file is not as it was written.
        """
        try:
            found = self.path.stat()
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
            if self._known is None or self._known[0] != stamp:
                self._known = (stamp, self._parsed(self.path.read_bytes()))
        except FileNotFoundError:
            return {}
        return self._known[1]

    def _parsed(self, body: bytes) -> Mapping[str, bytes]:
        head, _, rest = body.partition(b"\n")
        try:
            told = json.loads(head)
            parts: list[tuple[str, int]] = [(name, length) for name, length in told["parts"]]
            schema, crc = told["schema"], told["crc32"]
        except (ValueError, KeyError, TypeError) as error:
            raise StoreDamaged(f"{self.path} is no list of states", hint=HINT) from error
        if schema != _SCHEMA or crc != _crc(parts, rest):
            raise StoreDamaged(f"{self.path} is not as it was written", hint=HINT)
        found: dict[str, bytes] = {}
        at = 0
        for name, length in parts:
            found[name] = rest[at : at + length]
            at += length
        return found

    def commit(self) -> None:
        """Bring what was staged to the disk, with the other states as they were.

        Raises:
            OSError: the disk refused it; the file is as before.
        """
        if not self._new:
            return
        states = {**self.read(), **self._new}
        parts = [(name, len(body)) for name, body in states.items()]
        rest = b"".join(states.values())
        head = {"schema": _SCHEMA, "parts": parts, "crc32": _crc(parts, rest)}
        replace_file(self.path, json.dumps(head).encode() + b"\n" + rest)
        self._new = {}

    def drop(self) -> None:
        """Forget what was staged."""
        self._new = {}


class _Named:
    """One of several states."""

    def __init__(self, states: States, name: str) -> None:
        self._states = states
        self._name = name

    def read(self) -> bytes | None:
        """Read it."""
        return self._states.read().get(self._name)

    def keep(self, body: bytes) -> bool:
        """Stage it."""
        self._states.stage(self._name, body)
        return False

    def clean(self) -> None:
        """Remove a file that was never whole."""
        aside_of(self._states.path).unlink(missing_ok=True)


def _crc(parts: list[tuple[str, int]], rest: bytes) -> int:
    return zlib.crc32(rest, zlib.crc32(json.dumps(parts).encode()))
