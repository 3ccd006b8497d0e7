"""Moments of a column of numbers, which merge."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ratoon.windows.judged import Floats

_LARGEST = 1e150  # its square is still finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Number, mean, sum of squared deviations, least and greatest of the values that are finite."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0
    least: float = math.inf
    greatest: float = -math.inf

    @property
    def deviation(self) -> float:
        """The standard deviation, n - 1 below; NaN of fewer than two values."""
        return math.sqrt(self.squares / (self.n - 1)) if self.n > 1 else math.nan


def moments_of(values: Floats) -> Moments:
    """Return the moments of the values that are finite.

    Where their sum is not, values beyond 1e150 count as that.

    >>> moments_of(np.array([1.0, 3.0, np.inf])).mean
    2.0
    """
    with np.errstate(over="ignore", invalid="ignore"):
        total = float(values.sum()) if len(values) else 0.0
    if not math.isfinite(total):
        values = np.clip(values[np.isfinite(values)], -_LARGEST, _LARGEST)
        total = float(values.sum())
    if not len(values):
        return Moments()
    mean = total / len(values)
    off = values - mean
    # Not `off @ off`: BLAS would start its threads for it.
    squares = float(np.einsum("i,i->", off, off))
    return Moments(
        n=len(values),
        mean=mean,
        squares=squares,
        least=float(values.min()),
        greatest=float(values.max()),
    )


def merged_moments(left: Moments, right: Moments) -> Moments:
    """Return the moments of both, up to rounding.

    Source: Chan, Golub & LeVeque (1983), The American Statistician 37, equation 2.1.
    """
    if not left.n or not right.n:
        return left if left.n else right
    rows, apart = left.n + right.n, right.mean - left.mean
    return Moments(
        n=rows,
        mean=left.mean + apart * (right.n / rows),
        squares=left.squares + right.squares + apart * apart * (left.n * right.n / rows),
        least=min(left.least, right.least),
        greatest=max(left.greatest, right.greatest),
    )
