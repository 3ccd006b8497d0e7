"""The moving-block bootstrap: how far a sum over time could have come out otherwise."""

from __future__ import annotations

import math

import numpy as np

from ratoon.windows.judged import Floats

_LAGS = 5  # in a row without correlation end it, at the least
_LEAST = 4  # values that a block length can be told from


def block_length(series: Floats) -> float:
    """Return the best block length for the variance of a series' mean by moving blocks.

    b = (2 g^2 / d)^(1/3) n^(1/3), with g the sum of lambda(k / m) abs(k) r(k), d = 4/3 times the
    square of the sum of lambda(k / m) r(k), both over k = -m ... m; r is the autocovariance, lambda
    the flat-top lag window, and m twice the lag behind which the next lags (5, or the logarithm to
    the base of 10 of n if that is more) are all within 2 sqrt(log10(n) / n) of no correlation. At
    least 1, at most min(3 sqrt(n), n / 3).

    Args:
        series: shape (n,), in order of time.

    Source: Politis & White (2004), "Automatic block-length selection for the dependent bootstrap",
    Econometric Reviews 23(1), section 3.2, for the circular bootstrap, whose optimal length is that
    of moving blocks; corrected by Patton, Politis & White (2009), Econometric Reviews 28(4).

    Example:
        >>> noise = np.random.default_rng(0).normal(size=1000)
        >>> slow = np.convolve(noise, np.ones(20) / 20, mode="valid")
        >>> block_length(noise) < 5 < block_length(slow)
        True
    """
    n = len(series)
    off = series - series.mean() if n else series
    if n < _LEAST or not float(off @ off):
        return 1.0
    longest = math.ceil(min(3 * math.sqrt(n), n / 3))
    quiet = max(_LAGS, int(math.log10(n)))
    most = min(math.ceil(math.sqrt(n)) + quiet, n - 2)
    covariance = np.array([off[lag:] @ off[: n - lag] for lag in range(most + 1)]) / n
    m = _lags(off, covariance * n, quiet)
    lags = np.arange(1, m + 1)
    weight = np.where(lags / m <= 0.5, 1.0, 2 * (1 - lags / m))  # noqa: PLR2004 - the flat top
    g = 2 * float(np.sum(weight * lags * covariance[1 : m + 1]))
    whole = float(covariance[0] + 2 * np.sum(weight * covariance[1 : m + 1]))
    if not whole:
        return float(longest)
    return min(max(1.0, (2 * g**2 / (4 / 3 * whole**2) * n) ** (1 / 3)), float(longest))


def _lags(off: Floats, products: Floats, quiet: int) -> int:
    """Return how many lags matter: m of the rule."""
    n, most = len(off), len(products) - 1
    squares = np.concatenate([[0.0], np.cumsum(off**2)])
    behind = np.arange(1, most + 2)
    size = np.sqrt((squares[n] - squares[behind]) * squares[n - behind])
    correlation = np.abs(products) / np.where(size > 0, size, np.inf)
    small = correlation < 2 * math.sqrt(math.log10(n) / n)
    for lag in range(quiet, most + 1):
        if small[lag - quiet : lag].all():
            return min(2 * max(lag - quiet, 1), most)
    return most


def resampled_sums(
    series: Floats, block: int, draws: int, generator: np.random.Generator
) -> Floats:
    """Return how far the sums of several series came out otherwise, when drawn anew in blocks.

    Each draw puts together blocks of `block` values in a row, the same for all series, with
    replacement, and takes the sum of each series, to the length of the series. What is returned is
    the draw's sum less the expected one, so that its mean is 0 but for chance.

    Args:
        series: shape (n, k).
        block: values in a block, at most n.
        draws: how many.
        generator: where chance comes from.

    Returns:
        Shape (draws, k).

    Source: Künsch (1989), "The jackknife and the bootstrap for general stationary observations",
    Annals of Statistics 17(3), section 2.
    """
    n, count = len(series), math.ceil(len(series) / block)
    whole = np.concatenate([np.zeros((1, series.shape[1])), np.cumsum(series, axis=0)])
    sums = whole[block:] - whole[:-block]
    starts = generator.integers(0, len(sums), size=(draws, count))
    drawn = np.stack([column[starts].sum(axis=1) for column in sums.T], axis=1)
    return (drawn - count * sums.mean(axis=0)) * (n / (count * block))
