"""Which runs to merge, and a merge that goes on a little with every flush.

The rule is that of size-tiered compaction: runs whose sizes lie within a factor of `FAN` make a
tier, and `FAN` runs of a tier become one. So n ids lie in some `FAN` log(n) runs (base `FAN`), and
each id is written again about log(n) times.

Source:
    O'Neil, Cheng, Gawlick and O'Neil, The log-structured merge-tree (1996); Bentley and Saxe,
    Decomposable searching problems I (1980), for the rule of equal sizes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ratoon.log.ids_run import Run
from ratoon.log.ids_write import CHUNK_ROWS, merge

FAN = 4
SMALL_ROWS = 2**15
"""A run below this size is merged into the next flush, without a file between."""
AT_ONCE_ROWS = 2**19
"""A merge of at most this size is done within one flush; some 50 ms."""
PACE = 16
"""Rows that a longer merge moves for each new one: four times what all tiers of 10⁸ ids need."""
MOST_RUNS = 64
"""With more runs than this a flush merges until nothing is left to merge."""


def due(sizes: Sequence[int], most_rows: float) -> int | None:
    """Return the first of the runs to merge with all that are newer; None if there is nothing.

    Args:
        sizes: rows of each run, oldest first.
        most_rows: the most rows that the merge may have.

    >>> due([4_000_000, 100_000, 40_000, 40_000, 40_000, 9], 1e9)
    1
    >>> due([4_000_000, 40_000, 40_000, 9], 1e9) is None
    True
    """
    first: int | None = None
    tier, count, rows = -1, 0, 0
    for at in reversed(range(len(sizes))):
        own = _tier(sizes[at])
        tier, count = (own, 1) if own > tier else (tier, count + 1)
        rows += sizes[at]
        ends = at == 0 or _tier(sizes[at - 1]) > tier
        if ends and count >= FAN and rows <= most_rows:
            first = at
    return first


def _tier(rows: int) -> int:
    tier, limit = 0, SMALL_ROWS
    while rows >= limit:
        tier, limit = tier + 1, limit * FAN
    return tier


@dataclass(slots=True, kw_only=True)
class Merging:
    """A merge under way."""

    runs: tuple[Run, ...]  # next to each other, oldest first
    path: Path
    _steps: Iterator[int] | None = None

    @property
    def rows(self) -> int:
        """How many rows it merges."""
        return sum(len(run) for run in self.runs)

    def advance(self, rows: float) -> bool:
        """Merge at least `rows` rows more, a chunk at the least; tell whether all is done."""
        if self._steps is None:
            self._steps = merge(self.runs, self.path)
        done = 0
        for step in self._steps:
            done += step
            if done >= rows:
                return False
        return True

    def abandon(self) -> None:
        """Give up; what was written is removed."""
        close = getattr(self._steps, "close", None)
        if close is not None:
            close()
        self._steps = None


def budget(new_rows: int, runs: int) -> float:
    """Return how many rows to merge after a flush of `new_rows`, where there are so many runs."""
    if runs > MOST_RUNS:
        return float("inf")
    return max(CHUNK_ROWS, PACE * new_rows)
