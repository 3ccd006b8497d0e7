"""The newest rows of a table, in memory: those that no file has yet, and some that one has."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ratoon.stores.entries import Stored
from ratoon.stores.joining import stacked
from ratoon.stores.protocol import Columns
from ratoon.windows.rows import Array

RowsOf: TypeAlias = Callable[[Sequence[Stored]], Columns]
"""Returns the rows of entries that are of one kind and have the same columns."""


class Shelf:
    """Entries with numbered rows, one behind the other; they are made to columns when asked for."""

    def __init__(self, start: int, rows_of: RowsOf) -> None:
        """Begin empty; the first row to come has the number `start`."""
        self.start = start  # number of the first row that is here
        self.stop = start
        self._rows_of = rows_of
        self._firsts: list[int] = []
        self._entries: list[Stored] = []

    def put(self, stored: Stored, rows: int) -> None:
        """Put an entry with so many rows behind the others."""
        if rows:
            self._firsts.append(self.stop)
            self._entries.append(stored)
            self.stop += rows

    def take(self, numbers: NDArray[np.int64], wanted: Callable[[str], bool]) -> Columns:
        """Return rows by their numbers, in that order, all of which are here.

        Of the columns those are returned whose names are wanted.
        """
        if not len(numbers):
            return {}
        firsts = np.array(self._firsts)
        entries, inverse = np.unique(
            np.searchsorted(firsts, numbers, side="right") - 1, return_inverse=True
        )
        groups, places = self._groups(entries.tolist())
        at = places[inverse] + numbers - firsts[entries[inverse]]
        ends = np.cumsum([len(next(iter(group.values()))) for group in groups])
        which = np.searchsorted(ends, at, side="right")
        begins = np.concatenate([[0], ends[:-1]])
        edges = [0, *(np.flatnonzero(np.diff(which)) + 1).tolist(), len(at)]
        parts: list[tuple[Columns, Array]] = []
        for start, stop in pairwise(edges):
            group = int(which[start])
            columns = {name: c for name, c in groups[group].items() if wanted(name)}
            parts.append((columns, at[start:stop] - begins[group]))
        return stacked(parts)

    def _groups(self, entries: Sequence[int]) -> tuple[list[Columns], NDArray[np.int64]]:
        """Return the rows of entries, and where those of each begin among them."""
        found = [self._entries[entry] for entry in entries]
        counts = np.array([self._count(entry) for entry in entries], dtype=np.int64)
        return _by_columns(found, self._rows_of), np.cumsum(counts) - counts

    def _count(self, entry: int) -> int:
        following = entry + 1
        stop = self._firsts[following] if following < len(self._firsts) else self.stop
        return stop - self._firsts[entry]

    def between(self, start: int, stop: int) -> list[Columns]:
        """Return the rows `start` … `stop` - 1, which are those of whole entries, in order.

        Neighbours with the same columns come as one.
        """
        first, last = bisect_right(self._firsts, start) - 1, bisect_right(self._firsts, stop - 1)
        return _by_columns(self._entries[first:last], self._rows_of)

    def trim(self, below: int, most: int) -> None:
        """Let go of entries whose rows are all below `below`, as long as more than `most` stay."""
        gone = 0
        while gone < len(self._firsts) - 1:
            following = self._firsts[gone + 1]
            if following > below or self.stop - following < most:
                break
            gone += 1
        if gone:
            del self._firsts[:gone], self._entries[:gone]
            self.start = self._firsts[0]


def _by_columns(entries: Sequence[Stored], rows_of: RowsOf) -> list[Columns]:
    """Return the rows of entries; neighbours with the same columns come as one."""
    return [rows_of(list(alike)) for _, alike in groupby(entries, key=_look)]


def _look(stored: Stored) -> tuple[str, ...]:
    """Return what two entries have in common whose rows stand in the same columns."""
    draft = stored.entry.draft
    return (draft.kind, *draft.columns)
