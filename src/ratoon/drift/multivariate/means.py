"""Whether two samples have one mean: Welch's test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from ratoon.windows.judged import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """How far the mean of a window lies above that of the reference."""

    value: float
    stderr: float
    freedom: float  # degrees of freedom of the standard error

    def above_p(self, inflation: float = 1.0) -> float:
        """Return the p-value that it lies no higher; 1 where nothing varies and nothing differs."""
        from scipy.special import stdtr  # noqa: PLC0415 - slow to import

        if not self.stderr > 0:
            return 0.0 if self.value > 0 else 1.0
        statistic = self.value / (self.stderr * math.sqrt(max(1.0, inflation)))
        return float(cast("float", stdtr(self.freedom, -statistic)))

    def either_p(self, inflation: float = 1.0) -> float:
        """Return the p-value that it lies neither higher nor lower."""
        size = Apart(value=abs(self.value), stderr=self.stderr, freedom=self.freedom)
        return min(1.0, 2 * size.above_p(inflation))


def welch(before: Floats, now: Floats) -> Apart:
    """Compare two means, of at least two rows each, whose variances may differ.

    >>> import numpy as np
    >>> found = welch(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 9.0]))
    >>> found.value, round(found.above_p(), 4)
    (4.0, 0.0532)

    Source: Welch (1947), Biometrika 34, 28-35.
    """
    left, right = (float(side.var(ddof=1)) / len(side) for side in (before, now))
    both = left + right
    below = left**2 / (len(before) - 1) + right**2 / (len(now) - 1)
    return Apart(
        value=float(now.mean() - before.mean()),
        stderr=math.sqrt(both),
        freedom=both**2 / below if below > 0 else float(len(before) + len(now) - 2),
    )
