"""What windows leave behind so that metrics can be told from it: small, JSON, and it merges."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from ratoon.core.measuring import Measurement, Window
from ratoon.metrics.influence import inflation
from ratoon.metrics.protocol import Metric
from ratoon.windows.judged import Floats, Judged, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """The mean of n numbers and the sum of their squared distances from it."""

    n: int
    mean: float
    spread: float

    def __add__(self, other: Mean) -> Mean:
        """Merge with the numbers of other rows (Chan, Golub & LeVeque 1979, equation 2.1)."""
        if self.n == 0 or other.n == 0:
            return self if other.n == 0 else other
        n, step = self.n + other.n, np.float64(other.mean - self.mean)
        with np.errstate(over="ignore", invalid="ignore"):
            apart = step * step * self.n * other.n / n
        return Mean(
            n=n,
            mean=float(self.mean + step * other.n / n),
            spread=float(self.spread + other.spread + apart),
        )

    @property
    def stderr(self) -> float:
        """The standard error of the mean, s/√n; NaN of fewer than two numbers."""
        return math.sqrt(self.spread) / self.n * inflation(self.n) if self.n else math.nan


P = TypeVar("P")


class Mergeable(Metric, Protocol[P]):
    """A metric that can be told from what windows leave behind, merged by ``+``."""

    @property
    def part(self) -> str:
        """The name of what it is told from; metrics of one name share it."""
        ...

    def count(self, judged: Judged, /) -> P:
        """Return what the rows leave behind."""
        ...

    def tell(self, part: P, target: Target, window: Window, /) -> Measurement:
        """Measure what rows have left behind."""
        ...


def mean_of(values: Floats) -> Mean:
    """Return the mean of `values` and their spread.

    >>> import numpy as np
    >>> mean_of(np.array([1.0, 3.0])) + mean_of(np.array([2.0]))
    Mean(n=3, mean=2.0, spread=2.0)
    """
    if len(values) == 0:
        return Mean(n=0, mean=0.0, spread=0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = values.mean()
        away = values - mean
        return Mean(n=len(values), mean=float(mean), spread=float(away @ away))
