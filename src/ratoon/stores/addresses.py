"""Ids that are addresses: `epoch-row`, so that a late label finds its row without a search."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

_NOWHERE = -1
_EPOCH, _ROW = 8, 12  # hexadecimal digits
_LENGTH = _EPOCH + 1 + _ROW
_DIGITS = np.full(128, -1, dtype=np.int64)
_DIGITS[[ord(digit) for digit in "0123456789abcdef"]] = np.arange(16)


def make_ids(epoch: int, first: int, rows: int) -> tuple[str, ...]:
    """Return the ids of rows from the number `first` on.

    >>> make_ids(0xBEEF, 10, 2)
    ('0000beef-00000000000a', '0000beef-00000000000b')
    """
    head = f"{epoch:08x}-"
    return tuple([f"{head}{row:012x}" for row in range(first, first + rows)])


def parse(ids: Sequence[str]) -> tuple[Numbers, Numbers]:
    """Return the epoch and the row of each id; -1 where it is no address."""
    epochs, rows = np.full(len(ids), _NOWHERE), np.full(len(ids), _NOWHERE)
    like = [n for n, row_id in enumerate(ids) if len(row_id) == _LENGTH and row_id.isascii()]
    if not like:
        return epochs, rows
    text = "".join([ids[n] for n in like]).encode("ascii")
    digits = np.frombuffer(text, dtype=np.uint8).reshape(-1, _LENGTH)
    values = _DIGITS[digits]
    dashed = digits[:, _EPOCH] == ord("-")
    whole = dashed & (values[:, :_EPOCH] >= 0).all(axis=1) & (values[:, _EPOCH + 1 :] >= 0).all(1)
    index = np.array(like)[whole]
    epochs[index] = values[whole, :_EPOCH] @ _weights(_EPOCH)
    rows[index] = values[whole, _EPOCH + 1 :] @ _weights(_ROW)
    return epochs, rows


def _weights(digits: int) -> Numbers:
    return 16 ** np.arange(digits - 1, -1, -1, dtype=np.int64)


def address_rows(ids: Sequence[str], numbers: Numbers) -> Numbers:
    """Return the epochs of ids that are the addresses of the rows with these numbers; else -1."""
    epochs, rows = parse(ids)
    return np.where(rows == numbers, epochs, _NOWHERE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grown:
    """Ranges of addresses that are new."""

    ranges: Numbers  # epoch, start, stop; behind each other
    extends: bool  # the first of them takes the place of the last one known


class Addresses:
    """Which rows have ids that are their addresses: ranges of an epoch, a start and a stop."""

    def __init__(self, ranges: Numbers) -> None:
        """Begin with the ranges that are known."""
        self._ranges: list[tuple[int, int, int]] = [
            (epoch, start, stop) for epoch, start, stop in ranges.reshape(-1, 3).tolist()
        ]
        self._starts = [start for _, start, _ in self._ranges]

    def __len__(self) -> int:
        """Count the ranges."""
        return len(self._ranges)

    def find(self, ids: Sequence[str]) -> Numbers:
        """Return the row of each id that is an address of a row; else -1."""
        epochs, rows = parse(ids)
        if len(self._ranges) == 1:
            epoch, start, stop = self._ranges[0]
            return np.where((epochs == epoch) & (rows >= start) & (rows < stop), rows, _NOWHERE)
        pairs = zip(epochs.tolist(), rows.tolist(), strict=True)
        return np.array(
            [row if self._holds(epoch, row) else _NOWHERE for epoch, row in pairs], dtype=np.int64
        )

    def _holds(self, epoch: int, row: int) -> bool:
        at = bisect_right(self._starts, row) - 1
        return at >= 0 and self._ranges[at][0] == epoch and row < self._ranges[at][2]

    def grown(self, epochs: Numbers, first: int) -> Grown:
        """Take in the rows from `first` on whose epoch is given; -1 for those without."""
        edges = np.flatnonzero(np.diff(epochs)) + 1
        bounds = [0, *edges.tolist(), len(epochs)]
        new = [
            (int(epochs[start]), first + start, first + stop)
            for start, stop in pairwise(bounds)
            if epochs[start] != _NOWHERE
        ]
        last = self._ranges[-1] if self._ranges else None
        extends = last is not None and (last[0], last[2]) == new[0][:2]
        if last is not None and extends:
            new[0] = (last[0], last[1], new[0][2])
            del self._ranges[-1], self._starts[-1]
        self._ranges += new
        self._starts += [start for _, start, _ in new]
        return Grown(ranges=np.array(new, dtype=np.int64).reshape(-1), extends=extends)
