"""A machine whose disk is only as good as its last sync, and whose power can be cut.

It stands between the write-ahead files and the system's calls, and knows block by block what is on
the disk. What was written and not synced is there after a cut, or not, each block of 512 bytes for
itself. When a sync fails, some blocks reach the disk, and the system takes the others for written
all the same, as Linux does: only to write them again brings them there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

BLOCK = 512
CALLS = ("writev", "write", "ftruncate", "fdatasync", "fsync", "replace", "unlink")

Draw = Callable[[int], int]  # a number from 0 up to the argument, both possible


class PowerCut(BaseException):
    """The process is dead or the power is gone: no call does anything from here on."""


@dataclass(slots=True)
class _Node:
    """A file: what the disk has of it, and which blocks of it are not on the disk yet."""

    held: int  # an open file, so that the system gives its number to no other
    disk: bytes = b""
    dirty: set[int] = field(default_factory=set[int])
    resized: bool = False


class Machine:
    """Runs code on a folder until the power is cut, and shows what is left."""

    def __init__(self, folder: Path, draw: Draw) -> None:
        self.folder = folder
        self.failing = False  # whether syncs of files fail
        self._draw = draw
        self._calls_left = 0
        self._nodes: dict[int, _Node] = {}
        self._names = self._names_now()
        for path in folder.iterdir():
            held = os.open(path, os.O_RDONLY)
            self._nodes[path.stat().st_ino] = _Node(held=held, disk=path.read_bytes())

    @contextmanager
    def running(self) -> Iterator[None]:
        """Stand between the code inside and the system."""
        with ExitStack() as stack:
            for name in CALLS:
                if hasattr(os, name):
                    call = self._watched(name, getattr(os, name))
                    stack.enter_context(mock.patch.object(os, name, call))
            yield

    def allow(self, *, calls: int) -> None:
        """Let a process do so many calls, then let it die."""
        self._calls_left = calls

    def close(self) -> None:
        """Let go of all files."""
        for node in self._nodes.values():
            os.close(node.held)

    def after_the_cut(self, folder: Path) -> None:
        """Write what a machine finds that starts now into another folder."""
        folder.mkdir()
        names = self._names_now() if self._draw(1) else self._names
        for name, number in names.items():
            node = self._nodes.get(number)
            (folder / name).write_bytes(self._found(node) if node else b"")

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self._count()
            if name in {"writev", "write"}:
                return self._write(real, *arguments)
            if name == "ftruncate":
                node = self._node(arguments[0])
                node.resized = True
                return real(*arguments)
            if name in {"fdatasync", "fsync"}:
                return self._sync(arguments[0])
            return real(*arguments, **named)

        return call

    def _count(self) -> None:
        self._calls_left -= 1
        if self._calls_left < 0:
            raise PowerCut

    def _write(self, real: Callable[..., int], opened: int, data: Any) -> int:
        node = self._node(opened)
        done = real(opened, data)
        end = os.lseek(opened, 0, os.SEEK_CUR)
        node.dirty |= set(range((end - done) // BLOCK, (end - 1) // BLOCK + 1))
        node.resized = True
        return done

    def _node(self, opened: int) -> _Node:
        number = os.fstat(opened).st_ino
        if number not in self._nodes:
            path = next(p for p in self.folder.iterdir() if p.stat().st_ino == number)
            self._nodes[number] = _Node(held=os.open(path, os.O_RDONLY))
        return self._nodes[number]

    def _sync(self, opened: int) -> None:
        if os.path.samestat(os.fstat(opened), self.folder.stat()):
            self._names = self._names_now()
            return
        node = self._node(opened)
        reached = self._lucky(node) if self.failing else node.dirty
        live = _live(node)
        node.disk = _mixed(node.disk, live, reached)[: len(live)]
        node.dirty, node.resized = set(), False
        if self.failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _found(self, node: _Node) -> bytes:
        live = _live(node)
        found = _mixed(node.disk, live, self._lucky(node))
        shorter, longer = sorted((len(node.disk), len(live)))
        return found[: shorter + self._draw(longer - shorter)] if node.resized else found

    def _lucky(self, node: _Node) -> set[int]:
        return {block for block in sorted(node.dirty) if self._draw(1)}

    def _names_now(self) -> dict[str, int]:
        return {path.name: path.stat().st_ino for path in self.folder.iterdir()}


def _live(node: _Node) -> bytes:
    os.lseek(node.held, 0, os.SEEK_SET)
    return os.read(node.held, os.fstat(node.held).st_size)


def _mixed(disk: bytes, live: bytes, blocks: set[int]) -> bytes:
    """Return the bytes of the disk, with these blocks as the system shows them."""
    found = bytearray(disk.ljust(len(live), b"\0"))
    for block in blocks:
        part = live[block * BLOCK : (block + 1) * BLOCK]
        found[block * BLOCK : block * BLOCK + len(part)] = part
    return bytes(found)
