"""Rows from processes that do not run the loop: each has a write-ahead file of its own.

They are durable when `put` returns. The process that runs the loop takes them in; a row that is
known there with another content is set aside, never merged.
"""

from __future__ import annotations

import heapq
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np

from ratoon.core.errors import RowsRefused
from ratoon.core.measuring import RowRange
from ratoon.log.wal import WalWriter, read_wal
from ratoon.stores.addresses import make_ids
from ratoon.stores.bodies import Bodies, from_bytes
from ratoon.stores.drafts import chosen, named
from ratoon.stores.entries import Marks, Stored
from ratoon.stores.locking import locked, try_lock
from ratoon.stores.protocol import Draft, Entry, Receipt

_FORGET_AFTER = 256  # puts between two looks at what has been taken in
_NOTHING = RowRange(start=0, stop=0)
_LOOK_AFTER_S = 1.0
_PLACE_DIGITS = 16
_AT_ONCE = 64  # places whose files are open
_EPOCH_BITS, _FIRST_BITS = 32, 46  # of the first id that an inbox makes
_LOCK, _TAKEN = "lock", "taken"


class Bell:
    """Tells the process that runs the loop that others have left something.

    Whoever leaves something rings; should it die before that, the next look after a second finds
    it all the same.
    """

    def __init__(self, folder: Path) -> None:
        """Hang in the loop's inbox."""
        self._path = folder / "bell"
        self._heard: bytes | None = None
        self._looked = 0.0

    def ring(self) -> None:
        """Ring."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_bytes(secrets.token_bytes(8))

    def rung(self) -> bool:
        """Tell whether to look: somebody rang, or nobody has looked for a while."""
        try:
            rang = self._path.read_bytes()
        except FileNotFoundError:
            rang = b""
        now = time.monotonic()
        if rang == self._heard and now - self._looked < _LOOK_AFTER_S:
            return False
        self._heard, self._looked = rang, now
        return True


class Inbox:
    """Where one process leaves rows for the process that runs the loop; threads may share it."""

    def __init__(self, folder: Path) -> None:
        """Make a place of its own below `folder`, the loop's inbox, behind those that are there."""
        folder.mkdir(parents=True, exist_ok=True)
        # Drawn from so many that the ids of two inboxes do not meet.
        self._epoch = secrets.randbits(_EPOCH_BITS)
        self._next_id = secrets.randbits(_FIRST_BITS)
        name = f"{_next_place(folder):0{_PLACE_DIGITS}d}-{secrets.token_hex(8)}"
        hidden, self._folder = folder / f".{name}", folder / name
        hidden.mkdir()
        self._lock = locked(hidden / _LOCK)
        hidden.rename(self._folder)  # nobody sees it before it is locked
        self._wal = WalWriter(self._folder / "wal")
        self._bodies = Bodies()
        self._put = 0
        self._putting = threading.Lock()

    def put(self, draft: Draft) -> Receipt:
        """Leave rows; they survive a power cut when this returns. Those without ids get them."""
        with self._putting:
            made = make_ids(self._epoch, self._next_id, draft.nameless)
            self._next_id += len(made)
            draft = named(draft, made) if made else draft
            number = self._wal.next_number
            stored = Stored(entry=Entry(seq=number, draft=draft, joined=_NOTHING), before=Marks())
            parts = self._bodies.to_parts(replace(stored, partners=_partners(draft)))
            term = self._wal.append(number, parts)
        self._wal.wait(number, term)
        with self._putting:
            self._put += 1
            if self._put % _FORGET_AFTER == 0:
                self._wal.rotate()
                self._wal.forget(_taken(self._folder))
        return Receipt(seq=None, stored=len(draft.ids), ids=made)

    def close(self) -> None:
        """Let go of the files; whoever runs the loop deletes them once they are taken in."""
        self._wal.close()
        self._lock.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A row that could not be taken in, and why."""

    kind: str  # of the draft
    id: str
    why: str
    draft: Draft  # the row alone


def take_in(folder: Path, append: Callable[[Draft], object]) -> Iterator[Refused]:
    """Take in what others have left below `folder`; yield the rows that were refused.

    What one process has left comes in its order. What several have left comes by the moment at
    which it arrived there, so that a label comes behind the prediction that another process has
    left before it; of more than 64 processes, those that came first are taken in first. A row may
    be taken in twice, where the process dies in between: that it is known by its id makes it once.
    """
    places = _places(folder)
    for start in range(0, len(places), _AT_ONCE):
        with ExitStack() as stack:
            few = [
                stack.enter_context(_Place(path, order))
                for order, path in enumerate(places[start : start + _AT_ONCE])
            ]
            for left_one in heapq.merge(*(place.drafts() for place in few)):
                yield from _appended(left_one[-1], append)


def _places(folder: Path) -> list[Path]:
    """Return the places below an inbox, in the order in which they were made."""
    return sorted(path for path in folder.glob("[!.]*") if path.is_dir())


def _next_place(folder: Path) -> int:
    """Return a number above those of all places: of two that are made at once it may be one."""
    found = [path.name.partition("-")[0] for path in _places(folder)]
    return max((int(number) for number in found if number.isdigit()), default=0) + 1


def left(folder: Path) -> int:
    """Count the batches below `folder` that have not been taken in."""
    return sum(_left(place) for place in _places(folder))


def _left(place: Path) -> int:
    with suppress(FileNotFoundError):  # it is being taken in
        before = _taken(place)
        return sum(record.number > before for record in read_wal(place / "wal", after=None))
    return 0


class _Place:
    """What one process has left, while it is being taken in."""

    def __init__(self, path: Path, order: int) -> None:
        self._path = path
        self._order = order
        self._last = self._before = _taken(path)
        self._lock: Any = None

    def __enter__(self) -> Self:
        """Find out whether its process is still there."""
        self._lock = try_lock(self._path / _LOCK) if (self._path / _LOCK).exists() else None
        return self

    def drafts(self) -> Iterator[tuple[datetime, int, int, Draft]]:
        """Yield what has not been taken in, with when it came and what tells it from all others."""
        latest = None
        for record in read_wal(self._path / "wal", after=None):
            self._last = record.number
            if record.number > self._before:
                draft = from_bytes(record.number, record.body).entry.draft
                latest = draft.at if latest is None else max(latest, draft.at)
                yield latest, self._order, record.number, draft

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Forget what has been taken in; all of it where its process has ended."""
        try:
            if kind is None and self._lock is not None:
                shutil.rmtree(self._path)
            elif kind is None and self._last > self._before:
                _write_taken(self._path, self._last)
        finally:
            if self._lock is not None:
                self._lock.close()


def _appended(draft: Draft, append: Callable[[Draft], object]) -> Iterator[Refused]:
    """Append a draft; where it is refused whole, append what of it is not to be refused."""
    try:
        append(draft)
    except RowsRefused as error:
        if len(draft.ids) <= 1:
            row_id = draft.ids[0] if draft.ids else ""
            yield Refused(kind=draft.kind, id=row_id, why=error.fact, draft=draft)
            return
        middle = len(draft.ids) // 2
        yield from _appended(chosen(draft, list(range(middle))), append)
        yield from _appended(chosen(draft, list(range(middle, len(draft.ids)))), append)


def _partners(draft: Draft) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.full(len(draft.ids), -1, dtype=np.int64)


def _taken(place: Path) -> int:
    try:
        return int((place / _TAKEN).read_text())
    except (FileNotFoundError, ValueError):
        return 0


def _write_taken(place: Path, number: int) -> None:
    aside = place / f".{_TAKEN}.{os.getpid()}"
    aside.write_text(str(number))
    aside.replace(place / _TAKEN)
