"""The newest rows of a table, in memory: those that no file has yet, and some that one has."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from ratoon.stores.joining import stacked
from ratoon.stores.protocol import Columns
from ratoon.windows.rows import Array


class Shelf:
    """Batches of numbered rows, one behind the other."""

    def __init__(self, start: int) -> None:
        """Begin empty; the first row to come has the number `start`."""
        self.start = start  # number of the first row that is here
        self.stop = start
        self._firsts: list[int] = []
        self._batches: list[Columns] = []

    def put(self, columns: Columns, rows: int) -> None:
        """Put a batch of rows behind the others."""
        if rows:
            self._firsts.append(self.stop)
            self._batches.append(columns)
            self.stop += rows

    def take(self, numbers: NDArray[np.int64], wanted: Callable[[str], bool]) -> Columns:
        """Return rows by their numbers, in that order, all of which are here.

        Of the columns those are returned whose names are wanted.
        """
        if not len(numbers):
            return {}
        firsts = np.array(self._firsts)
        batches = np.searchsorted(firsts, numbers, side="right") - 1
        edges = [0, *(np.flatnonzero(np.diff(batches)) + 1).tolist(), len(numbers)]
        places = numbers - firsts[batches]
        parts: list[tuple[Columns, Array]] = []
        for start, stop in pairwise(edges):
            batch = self._batches[int(batches[start])]
            columns = {name: column for name, column in batch.items() if wanted(name)}
            parts.append((columns, places[start:stop]))
        return stacked(parts)

    def between(self, start: int, stop: int) -> list[Columns]:
        """Return the rows `start` … `stop` - 1, which are whole batches, in order.

        Neighbours with the same columns come as one.
        """
        first, last = bisect_right(self._firsts, start) - 1, bisect_right(self._firsts, stop - 1)
        grouped = groupby(self._batches[first:last], key=tuple)
        return [_behind_each_other(list(batches)) for _, batches in grouped]

    def trim(self, below: int, most: int) -> None:
        """Let go of batches whose rows are all below `below`, as long as more than `most` stay."""
        gone = 0
        while gone < len(self._firsts) - 1:
            following = self._firsts[gone + 1]
            if following > below or self.stop - following < most:
                break
            gone += 1
        if gone:
            del self._firsts[:gone], self._batches[:gone]
            self.start = self._firsts[0]


def _behind_each_other(parts: Sequence[Columns]) -> Columns:
    """Join batches that have the same columns."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
