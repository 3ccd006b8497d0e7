"""Rows from processes that do not run the loop: each has a write-ahead file of its own.

They are durable when `put` returns. The process that runs the loop takes them in; a row that is
known there with another content is set aside, never merged.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ratoon.core.errors import RowsRefused
from ratoon.core.measuring import RowRange
from ratoon.log.wal import WalWriter, read_wal
from ratoon.stores.drafts import chosen
from ratoon.stores.entries import Marks, Stored, from_bytes, to_parts
from ratoon.stores.locking import locked, try_lock
from ratoon.stores.protocol import Draft, Entry, Receipt

_FORGET_AFTER = 256  # puts between two looks at what has been taken in
_NOTHING = RowRange(start=0, stop=0)
_LOOK_AFTER_S = 1.0
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
    """Where one process leaves rows for the process that runs the loop."""

    def __init__(self, folder: Path) -> None:
        """Make a place of its own below `folder`, the loop's inbox."""
        name = secrets.token_hex(8)
        hidden, self._folder = folder / f".{name}", folder / name
        hidden.mkdir(parents=True)
        self._lock = locked(hidden / _LOCK)
        hidden.rename(self._folder)  # nobody sees it before it is locked
        self._wal = WalWriter(self._folder / "wal")
        self._put = 0

    def put(self, draft: Draft) -> Receipt:
        """Leave rows; they survive a power cut when this returns."""
        number = self._wal.next_number
        stored = Stored(entry=Entry(seq=number, draft=draft, joined=_NOTHING), before=Marks())
        self._wal.append(number, to_parts(replace(stored, partners=_partners(draft))))
        self._wal.wait(number)
        self._put += 1
        if self._put % _FORGET_AFTER == 0:
            self._wal.rotate()
            self._wal.forget(_taken(self._folder))
        return Receipt(seq=None, stored=len(draft.ids))

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

    A row may be taken in twice, where the process dies in between: that it is known by its id makes
    it once.
    """
    if not folder.is_dir():
        return
    for place in sorted(path for path in folder.glob("[!.]*") if path.is_dir()):
        yield from _take_in(place, append)


def left(folder: Path) -> int:
    """Count the batches below `folder` that have not been taken in."""
    places = [path for path in folder.glob("[!.]*") if path.is_dir()]
    return sum(_left(place) for place in places)


def _left(place: Path) -> int:
    with suppress(FileNotFoundError):  # it is being taken in
        before = _taken(place)
        return sum(record.number > before for record in read_wal(place / "wal", after=None))
    return 0


def _take_in(place: Path, append: Callable[[Draft], object]) -> Iterator[Refused]:
    lock = try_lock(place / _LOCK) if (place / _LOCK).exists() else None
    try:
        last = before = _taken(place)
        for record in read_wal(place / "wal", after=None):
            if record.number > before:
                yield from _appended(from_bytes(record.number, record.body).entry.draft, append)
                last = record.number
        if lock is not None:
            shutil.rmtree(place)
        elif last > before:
            _write_taken(place, last)
    finally:
        if lock is not None:
            lock.close()


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
