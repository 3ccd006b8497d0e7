"""Welch's test of a slice against the other rows, and Benjamini and Hochberg's adjustment."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ratoon.metrics.slices.slicing import Mask
from ratoon.windows.judged import Floats

_ROUNDING = 1e-9  # a spread below this share of the greatest loss is rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How much greater the mean loss of a slice is than that of the other rows."""

    effect: float
    stderr: float
    size: float  # in standard deviations of all losses
    p_value: float  # one-sided; 1 where it cannot be told


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """Rows, sums and sums of squares of the losses of several slices, each of shape (m,)."""

    rows: Floats
    losses: Floats
    squares: Floats

    def less(self, other: Sums) -> Sums:
        """Return the sums of what is in this and not in the other, a part of it."""
        return Sums(
            rows=self.rows - other.rows,
            losses=self.losses - other.losses,
            squares=self.squares - other.squares,
        )


def compared(losses: Floats, inside: Mask) -> Comparison:
    """Compare the losses of rows inside with those of the others, by Welch's test.

    Where all losses inside are of one size and all outside of another, the p-value is that of a
    permutation test.

    >>> import numpy as np
    >>> losses = np.array([1.0, 2.0, 3.0, 7.0, 9.0, 8.0])
    >>> found = compared(losses, losses > 5)
    >>> round(found.effect, 3), round(found.p_value, 4)
    (6.0, 0.0009)
    """
    one, two = losses[inside], losses[~inside]
    if min(len(one), len(two)) <= 1:
        return Comparison(effect=0.0, stderr=math.inf, size=0.0, p_value=1.0)
    of_one, of_two = one.var(ddof=1) / len(one), two.var(ddof=1) / len(two)
    effect, variance = float(one.mean() - two.mean()), float(of_one + of_two)
    spread, rounding = float(losses.std()), _ROUNDING * float(np.abs(losses).max())
    if spread <= rounding:
        return Comparison(effect=0.0, stderr=0.0, size=0.0, p_value=1.0)
    if math.sqrt(variance) <= rounding:
        p_value = _by_permutation(len(one), len(two)) if effect > 0 else 1.0
    else:
        freedom = variance**2 / (of_one**2 / (len(one) - 1) + of_two**2 / (len(two) - 1))
        p_value = _upper(effect / math.sqrt(variance), float(freedom))
    return Comparison(
        effect=effect, stderr=math.sqrt(variance), size=effect / spread, p_value=p_value
    )


def statistics(inside: Sums, outside: Sums) -> Floats:
    """Return Welch's t of each slice against the rows outside; NaN where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = inside.losses / inside.rows - outside.losses / outside.rows
        return effect / np.sqrt(_variance(inside) + _variance(outside))


def adjusted(p_values: Floats) -> Floats:
    """Return p-values that allow for all tests: the least false discovery rate that takes each in.

    >>> import numpy as np
    >>> adjusted(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    order = np.argsort(p_values)[::-1]
    ranks = np.arange(len(p_values), 0, -1)
    found = np.empty(len(p_values))
    found[order] = np.minimum.accumulate(p_values[order] * len(p_values) / ranks)
    return np.minimum(found, 1.0)


def _variance(sums: Sums) -> Floats:
    """Return the variance of each mean."""
    spread = np.maximum(sums.squares - sums.losses**2 / sums.rows, 0.0)
    return spread / (sums.rows - 1) / sums.rows


def _by_permutation(inside: int, outside: int) -> float:
    """Return the chance that rows dealt at random would part two values so clearly: 1/C(n, m)."""
    ways = math.lgamma(inside + outside + 1) - math.lgamma(inside + 1) - math.lgamma(outside + 1)
    return math.exp(-min(ways, 700.0))


def _upper(t: float, freedom: float) -> float:
    from scipy.special import stdtr  # noqa: PLC0415 - scipy is slow to import

    return float(stdtr(freedom, -t))
