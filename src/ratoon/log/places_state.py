"""What is known of an array of places beside its data: a file that is replaced whole."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ratoon.core.errors import StoreDamaged, StoreNewer
from ratoon.log.ids_files import replace_file

HINT = "it is derived data: make it anew, and fill it from the log"
_MAGIC = b"ratoonPL"
_FORMAT = 1
_HEADER = struct.Struct("<8sIIQQQQ")
_CHECKED_FROM = 12  # behind the CRC
_NO_NUMBERS: NDArray[np.int64] = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Changes:
    """Values at places; the places are in order, each stands once."""

    index: NDArray[np.int64]
    values: NDArray[np.int64]

    @classmethod
    def of(cls, changed: dict[int, int]) -> Changes:
        """Return what `changed` holds."""
        count = len(changed)
        index = np.fromiter(changed.keys(), np.int64, count)
        values = np.fromiter(changed.values(), np.int64, count)
        order = np.argsort(index)
        return cls(index=index[order], values=values[order])

    def __len__(self) -> int:
        """Count the places."""
        return len(self.index)

    def then(self, newer: Changes) -> Changes:
        """Return these changes and `newer` ones as one; of two at one place the newer counts."""
        index = np.concatenate([newer.index, self.index])
        values = np.concatenate([newer.values, self.values])
        index, first = np.unique(index, return_index=True)
        return Changes(index=index, values=values[first])

    def over(self, index: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return `values`, those that stand at the places `index`, after these changes."""
        if not len(self):
            return values
        at = np.minimum(np.searchsorted(self.index, index), len(self) - 1)
        return np.where(self.index[at] == index, self.values[at], values)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """What the last flush left."""

    covered: int  # the journal entry up to which the array holds everything
    length: int  # places
    size: int  # bytes of the data file that count
    changes: Changes  # values that stand here, and may not be in the data file yet


NOTHING = State(covered=0, length=0, size=0, changes=Changes(index=_NO_NUMBERS, values=_NO_NUMBERS))


def write_state(path: Path, state: State) -> None:
    """Replace the state; when this returns, the new one lies on the disk."""
    changes = state.changes
    head = _HEADER.pack(_MAGIC, 0, _FORMAT, state.covered, state.length, state.size, len(changes))
    rest = b"".join(
        (
            head[_CHECKED_FROM:],
            changes.index.astype("<i8").tobytes(),
            changes.values.astype("<i8").tobytes(),
        )
    )
    replace_file(path, _MAGIC + struct.pack("<I", zlib.crc32(rest)) + rest)


def read_state(path: Path) -> State:
    """Read the state; without a file it is empty. `StoreDamaged` where it is not as written."""
    try:
        body = path.read_bytes()
    except FileNotFoundError:
        return NOTHING
    if len(body) < _HEADER.size or body[: len(_MAGIC)] != _MAGIC:
        raise StoreDamaged(f"{path} is no state of an array", hint=HINT)
    _, crc, kind, covered, length, size, count = _HEADER.unpack_from(body)
    if zlib.crc32(body[_CHECKED_FROM:]) != crc:
        raise StoreDamaged(f"{path} is not as it was written", hint=HINT)
    if kind != _FORMAT:
        raise StoreNewer(f"{path} has format {kind}, known is {_FORMAT}", hint=HINT)
    both = np.frombuffer(body, dtype="<i8", count=2 * count, offset=_HEADER.size)
    changes = Changes(index=both[:count], values=both[count:])
    return State(covered=covered, length=length, size=size, changes=changes)
