"""Moments of labels and errors, which merge, and the variance that they say is explained."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ratoon.metrics.influence import inflation
from ratoon.windows.judged import Floats

_ORDER = 4  # a standard error of a ratio of squares needs fourth powers
_POWERS = range(_ORDER + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorMoments:
    """Sums of powers of labels and errors about two origins, so that no digits are lost."""

    n: int
    label: float  # the labels' origin: their mean in the rows that were counted
    error: float  # the errors' origin: their mean
    least: float  # label
    greatest: float  # label
    sums: tuple[tuple[float, ...], ...]  # [i][j]: Σ (label - origin)^i (error - origin)^j, i+j <= 4

    def __add__(self, other: ErrorMoments) -> ErrorMoments:
        """Merge with the moments of other rows."""
        if self.n == 0 or other.n == 0:
            return self if other.n == 0 else other
        n = self.n + other.n
        label = self.label + (other.label - self.label) * other.n / n
        error = self.error + (other.error - self.error) * other.n / n
        left, right = shifted(self, label, error), shifted(other, label, error)
        return ErrorMoments(
            n=n,
            label=label,
            error=error,
            least=min(self.least, other.least),
            greatest=max(self.greatest, other.greatest),
            sums=tuple(
                tuple(a + b for a, b in zip(one, two, strict=True))
                for one, two in zip(left, right, strict=True)
            ),
        )


def moments_of(labels: Floats, outputs: Floats) -> ErrorMoments:
    """Return the moments of labels and of the errors label - output."""
    if len(labels) == 0:
        nothing = tuple((0.0,) * (_ORDER + 1 - i) for i in _POWERS)
        return ErrorMoments(n=0, label=0.0, error=0.0, least=0.0, greatest=0.0, sums=nothing)
    with np.errstate(over="ignore", invalid="ignore"):
        errors = labels - outputs
        label, error = float(labels.mean()), float(errors.mean())
        sums = _sums(labels - label, errors - error)
    return ErrorMoments(
        n=len(labels),
        label=label,
        error=error,
        least=float(labels.min()),
        greatest=float(labels.max()),
        sums=sums,
    )


def shifted(moments: ErrorMoments, label: float, error: float) -> tuple[tuple[float, ...], ...]:
    """Return the sums of powers about other origins, by the binomial theorem."""
    by_label, by_error = _steps(moments.label - label), _steps(moments.error - error)
    return tuple(
        tuple(
            sum(
                by_label[i][k] * by_error[j][m] * moments.sums[k][m]
                for k in range(i + 1)
                for m in range(j + 1)
            )
            for j in range(_ORDER + 1 - i)
        )
        for i in _POWERS
    )


def explained(moments: ErrorMoments, *, centred: bool) -> tuple[float, float]:
    """Return 1 - Σ error² / Σ (label - mean)² and its stderr; NaN where the labels are all equal.

    With `centred` the errors are taken about their mean.
    """
    if moments.n == 0 or moments.least == moments.greatest:
        return math.nan, math.nan
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        s = shifted(moments, moments.label, moments.error if centred else 0.0)
        spread = np.float64(s[2][0])
        ratio = s[0][2] / spread
        squares = s[0][4] - 2 * ratio * s[2][2] + ratio**2 * s[4][0]
        stderr = np.sqrt(np.maximum(0.0, squares)) / spread * inflation(moments.n)
    return float(1.0 - ratio), float(stderr)


def _steps(step: float) -> list[list[float]]:
    """Return the weights of the powers k <= i about one origin in power i about another."""
    powers = [1.0]
    for _ in range(_ORDER):
        powers.append(powers[-1] * step)
    return [[math.comb(i, k) * powers[i - k] for k in range(i + 1)] for i in _POWERS]


def _sums(labels: Floats, errors: Floats) -> tuple[tuple[float, ...], ...]:
    """Return Σ label^i error^j for i + j <= 4, by as few passes over the rows as there can be."""
    squares, of_errors, products = labels * labels, errors * errors, labels * errors
    pairs = (
        ((errors, errors), (of_errors, errors), (of_errors, of_errors)),
        ((labels, errors), (labels, of_errors), (products, of_errors)),
        ((labels, labels), (squares, errors), (squares, of_errors)),
        ((squares, labels), (squares, products)),
        ((squares, squares),),
    )
    rest = [tuple(float(one @ two) for one, two in row) for row in pairs]
    rest[0] = (float(len(labels)), float(errors.sum()), *rest[0])
    rest[1] = (float(labels.sum()), *rest[1])
    return tuple(rest)
