"""A column of the reference beside the same column of a window."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ratoon.core.measuring import Window
from ratoon.drift.binning import coarser
from ratoon.windows.judged import Floats
from ratoon.windows.summaries import CategoryGrid, ColumnSummary, Grid

_RARE = 5.0  # rows in the reference up to which a category is rare


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One column, before and now, on one grid."""

    name: str
    grid: Grid
    before: ColumnSummary
    now: ColumnSummary
    window: Window
    inflation: float = 1.0  # rows that are worth one, as they come in clumps that are alike
    sizes: tuple[int, int] = field(init=False)  # rows that have a value, before and now

    def __post_init__(self) -> None:
        """Count the rows once: many ask."""
        sizes = tuple(int(side.counts[:-1].sum()) for side in (self.before, self.now))
        object.__setattr__(self, "sizes", sizes)

    @property
    def unseen(self) -> tuple[int, int]:
        """Rows whose value the reference does not have: as many as are to be expected, and now.

        The share of new categories that is to be expected is that of the reference's rows whose
        category it has only once (Good 1953, Biometrika 40, equation 9).
        """
        if not isinstance(self.grid, CategoryGrid):
            return 0, self.now.outside
        if not self.grid.whole:
            return 0, 0
        return int(np.count_nonzero(self.before.counts[:-2] == 1)), int(self.now.counts[-2])

    def counts(self, bins: int | None = None) -> tuple[Floats, Floats]:
        """Return the rows of both in each bin, without missing values.

        Rare categories are counted together, with as many new ones as were to be expected.

        Args:
            bins: of numbers, put together to so many; None for all.
        """
        before, now = (side.counts[:-1].astype(float) for side in (self.before, self.now))
        if isinstance(self.grid, CategoryGrid):
            return self._of_categories(before, now)
        return (before, now) if bins is None else coarser(self.grid, before, now, bins)

    def _of_categories(self, before: Floats, now: Floats) -> tuple[Floats, Floats]:
        """Count rare categories together: which are kept was told by the counts themselves.

        A row of the window is rare where its category has at most r rows in the reference; a row
        of the reference, were it one of the window's, where its category has at most r + 1. With
        an r that no category exceeds by one the two are the same categories, and the shares of
        equal populations are the same on average (leave-one-out; Good 1953, Biometrika 40).
        """
        assert isinstance(self.grid, CategoryGrid)
        kept = before[:-1]
        rare = kept <= _rare_up_to(kept, whole=self.grid.whole)
        expected, new = self.unseen
        rows, windows = self.sizes
        left, right = before[-1], now[-1]
        if self.grid.whole:
            right = min(float(new), expected * windows / rows)
        left, right = left + kept[rare].sum(), right + now[:-1][rare].sum()
        return np.append(kept[~rare], left), np.append(now[:-1][~rare], right)


def _rare_up_to(counts: Floats, *, whole: bool) -> float:
    """Return the least count from 5 on, and from the least that is kept, that none follows."""
    present = set(counts.tolist())
    least = _RARE if whole or not present else max(_RARE, min(present))
    return next(least + i for i in range(len(present) + 1) if least + i + 1 not in present)
