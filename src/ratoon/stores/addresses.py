"""Ids that are addresses: `epoch-row`, so that a late label finds its row without a search."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

_NOWHERE = -1
_EPOCH, _ROW = 8, 12  # hexadecimal digits
_LENGTH = _EPOCH + 1 + _ROW
_ADDRESS = re.compile(f"([0-9a-f]{{{_EPOCH}}})-([0-9a-f]{{{_ROW}}})")
_DIGITS = b"0123456789abcdef"
_DASH, _OTHER = 0x10, 0x11  # what stands for a dash and for what is no digit
_VALUES = bytes([_DASH if c == ord("-") else _DIGITS.find(c) % (_OTHER + 1) for c in range(256)])


def make_ids(epoch: int, first: int, rows: int) -> tuple[str, ...]:
    """Return the ids of rows from the number `first` on.

    >>> make_ids(0xBEEF, 10, 2)
    ('0000beef-00000000000a', '0000beef-00000000000b')
    """
    head = f"{epoch:08x}-"
    return tuple([f"{head}{row:012x}" for row in range(first, first + rows)])


def may_be_addresses(ids: Sequence[str]) -> bool:
    """Tell whether one of the ids is as long as an address.

    >>> may_be_addresses(["mine", "yours"])
    False
    """
    return _LENGTH in map(len, ids)


def parse(ids: Sequence[str]) -> tuple[Numbers, Numbers]:
    """Return the epoch and the row of each id; -1 where it is no address."""
    text = "".join(ids)
    if len(text) == _LENGTH * len(ids) and text.isascii() and set(map(len, ids)) == {_LENGTH}:
        return _parsed(text)
    epochs, rows = np.full(len(ids), _NOWHERE), np.full(len(ids), _NOWHERE)
    like = [n for n, row_id in enumerate(ids) if len(row_id) == _LENGTH and row_id.isascii()]
    if like:
        epochs[like], rows[like] = _parsed("".join([ids[n] for n in like]))
    return epochs, rows


def _parsed(text: str) -> tuple[Numbers, Numbers]:
    """Return the epochs and the rows of texts that are as long as addresses, joined."""
    values = bytearray(text, "ascii").translate(_VALUES)
    digits = np.frombuffer(values, dtype=np.uint8).reshape(-1, _LENGTH)
    dashed = digits[:, _EPOCH] == _DASH
    digits[:, _EPOCH] = 0
    epochs, rows = _number(digits[:, :_EPOCH]), _number(digits[:, _EPOCH + 1 :])
    if dashed.all() and digits.max(initial=0) < _DASH:
        return epochs, rows
    right = dashed & (digits.max(axis=1) < _DASH)
    return np.where(right, epochs, _NOWHERE), np.where(right, rows, _NOWHERE)


def _number(digits: NDArray[np.uint8]) -> Numbers:
    """Return the numbers of which these are the digits, two of which make a byte."""
    halves = digits.shape[1] // 2
    whole = np.zeros((len(digits), 8), dtype=np.uint8)
    whole[:, 8 - halves :] = digits[:, ::2] << 4 | digits[:, 1::2]
    return whole.view(">i8")[:, 0].astype(np.int64)


def address_rows(ids: Sequence[str], numbers: Numbers) -> Numbers:
    """Return the epochs of ids that are the addresses of the rows with these numbers; else -1."""
    epochs, rows = parse(ids)
    return np.where(rows == numbers, epochs, _NOWHERE)


class Addresses:
    """Which rows have ids that are their addresses: ranges of an epoch, a start and a stop."""

    def __init__(self, ranges: Numbers) -> None:
        """Begin with the ranges that are known."""
        self._ranges: list[tuple[int, int, int]] = [
            (epoch, start, stop) for epoch, start, stop in ranges.reshape(-1, 3).tolist()
        ]
        self._starts = [start for _, start, _ in self._ranges]
        self._kept = len(self._ranges)  # ranges that are kept elsewhere as they are

    def __len__(self) -> int:
        """Count the ranges."""
        return len(self._ranges)

    def find(self, ids: Sequence[str]) -> Numbers:
        """Return the row of each id that is an address of a row; else -1."""
        if len(ids) == 1:
            return np.array([self._find_one(ids[0])], dtype=np.int64)
        epochs, rows = parse(ids)
        if len(self._ranges) == 1:
            epoch, start, stop = self._ranges[0]
            return np.where((epochs == epoch) & (rows >= start) & (rows < stop), rows, _NOWHERE)
        pairs = zip(epochs.tolist(), rows.tolist(), strict=True)
        return np.array(
            [row if self._holds(epoch, row) else _NOWHERE for epoch, row in pairs], dtype=np.int64
        )

    def _find_one(self, row_id: str) -> int:
        found = _ADDRESS.fullmatch(row_id)
        if found is None:
            return _NOWHERE
        epoch, row = int(found[1], 16), int(found[2], 16)
        return row if self._holds(epoch, row) else _NOWHERE

    def _holds(self, epoch: int, row: int) -> bool:
        at = bisect_right(self._starts, row) - 1
        return at >= 0 and self._ranges[at][0] == epoch and row < self._ranges[at][2]

    def extend(self, epoch: int, start: int, stop: int) -> None:
        """Take in the rows from `start` to `stop` - 1, whose ids are addresses of an epoch."""
        ranges = self._ranges
        if ranges and ranges[-1][0] == epoch and ranges[-1][2] == start:
            ranges[-1] = (epoch, ranges[-1][1], stop)
            self._kept = min(self._kept, len(ranges) - 1)
        else:
            ranges.append((epoch, start, stop))
            self._starts.append(start)

    def take_in(self, epochs: Numbers, first: int) -> None:
        """Take in the rows from `first` on whose epoch is given; -1 for those without."""
        edges = np.flatnonzero(np.diff(epochs)) + 1
        for start, stop in pairwise([0, *edges.tolist(), len(epochs)]):
            if epochs[start] != _NOWHERE:
                self.extend(int(epochs[start]), first + start, first + stop)

    def new(self) -> Numbers:
        """Return the ranges that are new, or longer, since `kept` was called: all the last ones."""
        return np.array(self._ranges[self._kept :], dtype=np.int64).reshape(-1)

    def kept(self) -> None:
        """Tell that all ranges are kept elsewhere."""
        self._kept = len(self._ranges)
