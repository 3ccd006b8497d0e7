"""Distances of two samples, from their counts on the same bins, each with its standard error.

A distance is a function of the shares p of the reference and q of the window. Where it is smooth,
its standard error follows by the delta method from its slopes::

    stderr^2 = Var_p(dD/dp) / n + Var_q(dD/dq) / m

with n and m rows: both are samples. At a distance of 0 the slopes are 0 too, and so is the standard
error; whether a distance is more than chance is for a test to say (`ratoon.drift.significance`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ratoon.windows.judged import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """How far a window is from the reference, and how sure that is."""

    value: float
    stderr: float


Function: TypeAlias = Callable[[Floats, Floats], Distance]
"""From the counts of reference and window, each of shape (bins,), to their distance."""


def jensen_shannon(before: Floats, now: Floats) -> Distance:
    """Return the Jensen-Shannon distance: 0 for equal shares, 1 for samples without a common bin.

    The square root of H((p + q) / 2) - (H(p) + H(q)) / 2, with H the entropy in bits.

    >>> round(jensen_shannon(np.array([4.0, 4.0, 0.0]), np.array([0.0, 4.0, 4.0])).value, 4)
    0.7071

    Source: Lin (1991), IEEE Transactions on Information Theory 37, equation 4.1; Endres &
    Schindelin (2003), IEEE Transactions on Information Theory 49, 1858-1860, for the root.
    """
    p, q = _shares(before, now)
    middle = (p + q) / 2
    left, right = _log2(p, middle), _log2(q, middle)
    squared = max(0.0, float(p @ left + q @ right) / 2)
    return _rooted(squared, _stderr(left / 2, right / 2, before, now))


def hellinger(before: Floats, now: Floats) -> Distance:
    """Return the Hellinger distance, in [0, 1]: sqrt(1 - sum sqrt(p q)).

    >>> hellinger(np.array([1.0, 0.0]), np.array([0.0, 1.0])).value
    1.0

    Source: Hellinger (1909), Journal für die reine und angewandte Mathematik 136, 210-271.
    """
    p, q = _shares(before, now)
    squared = max(0.0, 1 - float(np.sqrt(p * q).sum()))
    slopes = [-np.sqrt(_ratio(*pair)) / 2 for pair in ((q, p), (p, q))]
    return _rooted(squared, _stderr(slopes[0], slopes[1], before, now))


def psi(before: Floats, now: Floats) -> Distance:
    """Return the population stability index, sum (q - p) ln(q / p), from 0 without an end.

    A bin that is empty on one side counts as half a row there. Without that it were infinite, and
    with a smaller share, as others take, it grows without a limit as that share shrinks.

    >>> round(psi(np.array([50.0, 50.0]), np.array([30.0, 70.0])).value, 4)
    0.1695

    Source: Siddiqi (2006), Credit Risk Scorecards, 136; twice the divergence J of Jeffreys (1946).
    """
    used = (before > 0) | (now > 0)
    left, right = (np.maximum(counts[used], 0.5) for counts in (before, now))
    p, q = _shares(left, right)
    logs = np.log(q / p)
    stderr = _stderr(-logs - q / p, logs - p / q, left, right)
    return Distance(value=float((q - p) @ logs), stderr=stderr)


def total_variation(before: Floats, now: Floats) -> Distance:
    """Return the total variation, in [0, 1]: the share of rows that stand in other bins now.

    >>> total_variation(np.array([5.0, 5.0]), np.array([2.0, 8.0])).value
    0.3

    Source: Levin, Peres & Wilmer (2017), Markov Chains and Mixing Times, proposition 4.2.
    """
    p, q = _shares(before, now)
    signs = np.sign(q - p) / 2
    return Distance(
        value=_tidy(np.abs(q - p).sum() / 2), stderr=_stderr(-signs, signs, before, now)
    )


def l_infinity(before: Floats, now: Floats) -> Distance:
    """Return the largest difference of a bin's shares, in [0, 1].

    >>> l_infinity(np.array([5.0, 3.0, 2.0]), np.array([5.0, 2.0, 3.0])).value
    0.1
    """
    p, q = _shares(before, now)
    bin_ = int(np.argmax(np.abs(q - p)))
    slope = np.zeros(len(p))
    slope[bin_] = np.sign(q[bin_] - p[bin_])
    return Distance(value=_tidy(abs(q[bin_] - p[bin_])), stderr=_stderr(-slope, slope, before, now))


def cramers_v(before: Floats, now: Floats) -> Distance:
    """Return Cramér's V, in [0, 1]: the root of Pearson's chi-squared over the rows of both.

    >>> round(cramers_v(np.array([10.0, 0.0]), np.array([0.0, 10.0])).value, 3)
    1.0

    Source: Cramér (1946), Mathematical Methods of Statistics, 282 and 443.
    """
    p, q = _shares(before, now)
    share = float(before.sum() / (before.sum() + now.sum()))
    pooled = share * p + (1 - share) * q
    off = _ratio(q - p, pooled)
    squared = share * (1 - share) * float(((q - p) * off).sum())
    scale = share * (1 - share)
    left = scale * (-2 * off - share * off * off)
    right = scale * (2 * off - (1 - share) * off * off)
    return _rooted(squared, _stderr(left, right, before, now))


def kolmogorov_smirnov(before: Floats, now: Floats) -> Distance:
    """Return the largest difference of the distribution functions at the ends of the bins.

    Of numbers on the thousand bins of a reference it is less than that of the samples themselves by
    at most the share of one bin, and the same where each bin holds one value.

    >>> kolmogorov_smirnov(np.array([2.0, 2.0]), np.array([1.0, 3.0])).value
    0.25

    Source: Smirnov (1939), Bulletin mathématique de l'Université de Moscou 2, fascicule 2.
    """
    apart = _apart(before, now)
    end = int(np.argmax(np.abs(apart)))
    slope = np.where(np.arange(len(apart)) <= end, np.sign(apart[end]), 0.0)
    return Distance(value=_tidy(abs(apart[end])), stderr=_stderr(slope, -slope, before, now))


def kuiper(before: Floats, now: Floats) -> Distance:
    """Return Kuiper's V: the largest differences of the distribution functions up and down, added.

    As sensitive in the tails as in the middle, and the same wherever a circle (hours of a day,
    directions) is cut open.

    >>> kuiper(np.array([0.0, 2.0, 0.0]), np.array([1.0, 0.0, 1.0])).value
    1.0

    Source: Kuiper (1960), Proceedings Koninklijke Nederlandse Akademie van Wetenschappen A 63.
    """
    apart = np.append(_apart(before, now), 0.0)
    above, below = int(np.argmax(apart)), int(np.argmin(apart))
    bins = np.arange(len(before))
    slope = (bins <= above).astype(float) - (bins <= below)
    return Distance(value=_tidy(np.ptp(apart)), stderr=_stderr(slope, -slope, before, now))


def cramer_von_mises(before: Floats, now: Floats) -> Distance:
    """Return the mean over all rows of (F - G)^2, F and G being the distribution functions.

    It is T (nm / (n + m))^-1 of the two-sample test, and at most 1 / 3.

    >>> round(cramer_von_mises(np.array([1.0, 1.0]), np.array([0.0, 2.0])).value, 4)
    0.0625

    Source: Anderson (1962), Annals of Mathematical Statistics 33, equation 2.
    """
    apart = _apart(before, now)
    pooled = (before + now) / (before.sum() + now.sum())
    share = float(before.sum() / (before.sum() + now.sum()))
    weighted = 2 * pooled * apart
    steps = weighted[::-1].cumsum()[::-1]  # what one more row up to a bin's end adds
    left, right = steps + share * apart**2, -steps + (1 - share) * apart**2
    return Distance(value=float(pooled @ apart**2), stderr=_stderr(left, right, before, now))


def wasserstein(before: Floats, now: Floats, values: Floats) -> Distance:
    """Return the earth mover's distance, in the unit of `values`: the area between F and G.

    Args:
        before: the reference's rows in each bin, shape (bins,).
        now: the window's, shape (bins,).
        values: where the rows of each bin stand, ascending, shape (bins,).

    >>> wasserstein(np.array([1.0, 1.0]), np.array([0.0, 2.0]), np.array([0.0, 10.0])).value
    5.0

    Source: Vallender (1974), Theory of Probability and its Applications 18, 784-786.
    """
    apart = _apart(before, now)[:-1]
    widths = np.diff(values)
    slopes = np.append((np.sign(apart) * widths)[::-1].cumsum()[::-1], 0.0)
    value = float(np.abs(apart) @ widths)
    return Distance(value=value, stderr=_stderr(slopes, -slopes, before, now))


DISTANCES: Mapping[str, Function] = {
    "jensen_shannon": jensen_shannon,
    "hellinger": hellinger,
    "psi": psi,
    "total_variation": total_variation,
    "l_infinity": l_infinity,
    "cramers_v": cramers_v,
    "kolmogorov_smirnov": kolmogorov_smirnov,
    "kuiper": kuiper,
    "cramer_von_mises": cramer_von_mises,
}
"""Distances by name that need nothing but counts."""

ORDERED = frozenset({"kolmogorov_smirnov", "kuiper", "cramer_von_mises", "wasserstein"})
"""Distances of distribution functions: for bins that stand in an order."""


def _shares(before: Floats, now: Floats) -> tuple[Floats, Floats]:
    return before / before.sum(), now / now.sum()


def _apart(before: Floats, now: Floats) -> Floats:
    """Return F - G at the end of each bin."""
    apart = before.cumsum() / before.sum() - now.cumsum() / now.sum()
    apart[-1] = 0.0
    return apart


def _log2(p: Floats, middle: Floats) -> Floats:
    return np.log2(np.divide(p, middle, out=np.ones(len(p)), where=p > 0))


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)


def _stderr(of_before: Floats, of_now: Floats, before: Floats, now: Floats) -> float:
    """Apply the delta method to slopes in the shares."""
    return math.sqrt(_variance(of_before, before) + _variance(of_now, now))


def _variance(slopes: Floats, counts: Floats) -> float:
    """Return the variance of the mean slope over the rows."""
    rows = counts.sum()
    mean = (counts @ slopes) / rows
    return float(counts @ (slopes - mean) ** 2) / float(rows) ** 2


def _rooted(squared: float, stderr: float) -> Distance:
    """Return the root of a distance, and its standard error."""
    value = math.sqrt(squared)
    return Distance(value=value, stderr=stderr / (2 * value) if value > 0 else 0.0)


def _tidy(value: float) -> float:
    """Leave out the last bits, which are rounding, so that equal samples are 0 apart."""
    return round(float(value), 15)
