"""Numbers that were set in an array of places and wait in memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ratoon.log.places_state import NO_CHANGES, Changes

_FEW = 64  # numbers set at once that go to a dict
_MOST_FEW = 4_096  # of those, before they are sorted


class Pending:
    """What was set since the last flush; of two numbers for one place the newer counts.

    Many numbers at once are kept sorted, in parts each of which is more than twice as long as the
    next newer one: so each is sorted again but log n times, and looking up goes through log n of
    them. Few at once go to a dict, which is newer than all parts.
    """

    def __init__(self) -> None:
        self._few: dict[int, int] = {}
        self._parts: list[Changes] = []

    def __len__(self) -> int:
        """Count the numbers; one that was set twice may count twice."""
        return len(self._few) + sum(len(part) for part in self._parts)

    def set(self, places: NDArray[np.int64], values: NDArray[np.int64]) -> None:
        """Set numbers at places; of one that stands twice the last value counts."""
        if len(places) <= _FEW:
            self._few.update(zip(places.tolist(), values.tolist(), strict=True))
            if len(self._few) >= _MOST_FEW:
                self._sort_few()
        else:
            self._sort_few()
            self._push(Changes.of_arrays(places, values))

    def _sort_few(self) -> None:
        if self._few:
            self._push(Changes.of(self._few))
            self._few = {}

    def _push(self, newest: Changes) -> None:
        while self._parts and len(self._parts[-1]) <= 2 * len(newest):
            newest = self._parts.pop().then(newest)
        self._parts.append(newest)

    def over(self, places: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Lay what was set over `values`, those that stand at the places."""
        for part in self._parts:
            values = part.over(places, values)
        if not self._few:
            return values
        if len(places) > len(self._few):
            return Changes.of(self._few).over(places, values)
        pairs = zip(places.tolist(), values.tolist(), strict=True)
        return np.array([self._few.get(place, value) for place, value in pairs], dtype=np.int64)

    def all(self) -> Changes:
        """Return all that was set."""
        found = NO_CHANGES
        for part in self._parts:
            found = found.then(part)
        return found.then(Changes.of(self._few)) if self._few else found
