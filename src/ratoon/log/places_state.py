"""What is known of an array of places beside its data: a file that is replaced whole."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratoon.core.errors import SettingInvalid, StoreDamaged, StoreNewer
from ratoon.log.states import HINT, StateFile

LIMIT = 2**47 - 1
"""Places and values lie below this."""

_MAGIC = b"ratoonPL"
_FORMAT = 1
_HEADER = struct.Struct("<8sIIQQQQ")
VALUE = 2**48 - 1
_VALUE_BITS = 48
_PRIME = 65_521
_SPREAD = 40_503  # so that a value at a wrong place is seen too
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

    @classmethod
    def of_arrays(cls, index: NDArray[np.int64], values: NDArray[np.int64]) -> Changes:
        """Return values at places in any order; of one that stands twice the last value counts."""
        order = np.argsort(index, kind="stable")
        index, values = index[order], values[order]
        last = np.append(index[1:] != index[:-1], True)
        return cls(index=index[last], values=values[last])

    def __len__(self) -> int:
        """Count the places."""
        return len(self.index)

    def then(self, newer: Changes) -> Changes:
        """Return these changes and `newer` ones as one; of two at one place the newer counts."""
        if not len(self) or not len(newer):
            return newer if len(newer) else self
        at = np.searchsorted(self.index, newer.index)
        known = self.index[np.minimum(at, len(self) - 1)] == newer.index
        values = self.values.copy()
        values[at[known]] = newer.values[known]
        new = ~known
        return Changes(
            index=np.insert(self.index, at[new], newer.index[new]),
            values=np.insert(values, at[new], newer.values[new]),
        )

    def over(self, index: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return `values`, those that stand at the places `index`, after these changes."""
        if not len(self):
            return values
        at = np.minimum(np.searchsorted(self.index, index), len(self) - 1)
        return np.where(self.index[at] == index, self.values[at], values)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """Numbers that stand in memory while they are written."""

    tail_at: int  # place of the first that was appended
    tail: NDArray[np.int64]
    changes: Changes

    def over(self, places: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return `values`, those that stand at `places`, after these."""
        if len(self.tail):
            values = np.array(values)
            inside = (places >= self.tail_at) & (places < self.tail_at + len(self.tail))
            values[inside] = self.tail[places[inside] - self.tail_at]
        return self.changes.over(places, values)


NO_CHANGES = Changes(index=_NO_NUMBERS, values=_NO_NUMBERS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """What the last flush left."""

    covered: int  # the journal entry up to which the array holds everything
    length: int  # places
    size: int  # bytes of the data file that count
    changes: Changes  # values that stand here, and may not be in the data file yet


NOTHING = State(covered=0, length=0, size=0, changes=NO_CHANGES)


def written(state: State) -> bytes:
    """Return a state as it is kept."""
    changes = state.changes
    head = _HEADER.pack(_MAGIC, 0, _FORMAT, state.covered, state.length, state.size, len(changes))
    rest = b"".join(
        (
            head[_CHECKED_FROM:],
            changes.index.astype("<i8").tobytes(),
            changes.values.astype("<i8").tobytes(),
        )
    )
    return _MAGIC + struct.pack("<I", zlib.crc32(rest)) + rest


def read_state(file: StateFile, path: Path) -> State:
    """Read the state; without a file it is empty. `StoreDamaged` where it is not as written."""
    body = file.read()
    if body is None:
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


def words_of(places: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the words of the data file for numbers at places."""
    stored = (values + 1).astype(np.uint64)
    check = stored + places.astype(np.uint64) * _SPREAD
    check -= check // _PRIME * _PRIME  # numpy divides by a number much faster than it takes modulo
    check += 1
    check <<= _VALUE_BITS
    check |= stored
    check[stored == 0] = 0
    return check


def checked(name: str, given: Any, *, least: int) -> NDArray[np.int64]:
    """Return a column of numbers, each of them at least `least` and below the limit."""
    column = np.asarray(given, dtype=np.int64).reshape(-1)
    if column.size and not (column.min() >= least and column.max() < LIMIT):
        out = column.min() if column.min() < least else column.max()
        raise SettingInvalid(name, f"numbers from {least} to 2**47 - 2", int(out))
    return column


def places_in(wanted: Any) -> NDArray[np.int64]:
    """Return a piece of what was asked for as an array."""
    if isinstance(wanted, range):
        return np.arange(wanted.start, wanted.stop, wanted.step, dtype=np.int64)
    return np.asarray(wanted, dtype=np.int64)
