"""The product-limit estimator on a grid of delays, and a test of two such curves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ratoon.windows.judged import Floats

Mask: TypeAlias = NDArray[np.bool_]
_TERMS = 50  # of the series of the supremum's distribution; it converges after a few


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """Which share of the predictions still waits for its label, by the delay."""

    edges: Floats  # (bins,): upper edge of each bin of delay
    at_risk: Floats  # (bins,): predictions that were seen through the bin, unlabelled before it
    labelled: Floats  # (bins,): those of them whose label came in the bin
    waiting: Floats  # (bins,): share without a label at the upper edge
    stderr: Floats  # (bins,): standard error of that share

    @property
    def terms(self) -> Floats:
        """The terms of Greenwood's sum: d / (n (n - d)) of each bin, 0 where nobody waits on."""
        left = self.at_risk - self.labelled
        whole = self.at_risk * left
        return np.divide(self.labelled, whole, out=np.zeros_like(whole), where=whole > 0)

    def at(self, delay: Floats) -> Floats:
        """Return the share that waits at each delay, on a straight line within a bin."""
        return np.interp(delay, np.append(0.0, self.edges), np.append(1.0, self.waiting))

    def upto(self, bins: int) -> Curve:
        """Return the curve over its first bins."""
        return Curve(
            edges=self.edges[:bins],
            at_risk=self.at_risk[:bins],
            labelled=self.labelled[:bins],
            waiting=self.waiting[:bins],
            stderr=self.stderr[:bins],
        )


def product_limit(edges: Floats, at_risk: Floats, labelled: Floats) -> Curve:
    """Return the Kaplan-Meier curve of delays that are known by their bin.

    With d labels in a bin and n predictions at risk, those that were seen through the whole bin
    and had no label before it::

        S = product of (1 - d / n),    stderr(S) = S sqrt(sum of d / (n (n - d)))

    A bin that nobody was seen through says nothing, and leaves the curve as it is.

    Args:
        edges: upper edge of each bin, ascending.
        at_risk: n of each bin.
        labelled: d of each bin, at most n.

    Example:
        Remission in weeks of 21 children with leukaemia; 13 more weeks of others are known only
        from below:

        >>> curve = product_limit(
        ...     np.array([6.0, 7.0, 10.0]), np.array([21.0, 17.0, 15.0]), np.array([3.0, 1.0, 1.0])
        ... )
        >>> curve.waiting.round(4).tolist(), curve.stderr.round(4).tolist()
        ([0.8571, 0.8067, 0.7529], [0.0764, 0.0869, 0.0963])

    References:
        Kaplan, E. L. and Meier, P. (1958). Nonparametric estimation from incomplete observations.
        Journal of the American Statistical Association 53, 457-481. The standard error: Greenwood,
        M. (1926). The natural duration of cancer. The data: Freireich et al. (1963), Blood 21.

    """
    share = np.divide(labelled, at_risk, out=np.zeros_like(at_risk), where=at_risk > 0)
    waiting: Floats = np.cumprod(1.0 - share, dtype=np.float64)
    curve = Curve(edges=edges, at_risk=at_risk, labelled=labelled, waiting=waiting, stderr=waiting)
    stderr: Floats = waiting * np.sqrt(np.cumsum(curve.terms))
    return Curve(edges=edges, at_risk=at_risk, labelled=labelled, waiting=waiting, stderr=stderr)


def supremum_test(one: Curve, other: Curve, variance: float = 0.0) -> tuple[float, float]:
    """Compare two curves on the same bins: return the statistic Q and its p-value.

    In each bin the labels d of both, given the n at risk of both, are split as chance would:
    the first curve gets d n1 / n of them. The differences from that are summed up from the first
    bin on; Q is the largest absolute sum, over the standard deviation of the last. It sees curves
    that cross, which the log-rank test does not: labels that come later, but as many in the end.

    The p-value is that of the supremum of a Brownian motion on [0, 1]::

        P = 1 - 4/pi sum over k of (-1)^k / (2k + 1) exp(-pi^2 (2k + 1)^2 / (8 Q^2))

    Args:
        one: a curve.
        other: another one, of other predictions.
        variance: what the sum's variance is at least, where labels do not come one by one; see
            `clustered_variance`.

    References:
        Klein, J. P. and Moeschberger, M. L. (2003). Survival analysis, 2nd edition, section 7.6.
        Gill, R. D. (1980). Censoring and stochastic integrals.

    """
    at_risk, labelled = one.at_risk + other.at_risk, one.labelled + other.labelled
    both = (one.at_risk > 0) & (other.at_risk > 0) & (at_risk > 1)
    n, d, n1 = at_risk[both], labelled[both], one.at_risk[both]
    gaps = np.cumsum(one.labelled[both] - d * n1 / n)
    own = float((d * n1 / n * (1.0 - n1 / n) * (n - d) / (n - 1.0)).sum())
    variance = max(own, variance)
    if variance <= 0.0:
        return 0.0, 1.0
    statistic = float(np.abs(gaps).max(initial=0.0)) / math.sqrt(variance)
    return statistic, _beyond(statistic)


def clustered_variance(at_risk: Floats, labelled: Floats, first: Mask) -> float:
    """Return the variance of the sum in `supremum_test` where each cohort is labelled as one.

    Labels often come in batches, so that the predictions of a day share their fate. The sum is
    one of a part from each cohort, with h the share of all at risk that is labelled in a bin::

        part = sum over bins of (labelled - h at_risk) x (1 - n1 / n, or -n1 / n for the others)

    and the sum of their squares, from the first bin up to where it is largest, is its variance.

    Args:
        at_risk: predictions at risk, (cohorts, bins).
        labelled: those that were labelled, (cohorts, bins).
        first: whether they belong to the first curve, (cohorts, bins).

    References:
        Wei, L. J., Lin, D. Y. and Weissfeld, L. (1989). Regression analysis of multivariate
        incomplete failure time data by modeling marginal distributions. JASA 84, 1065-1073.

    """
    n, n1 = at_risk.sum(axis=0), np.where(first, at_risk, 0.0).sum(axis=0)
    both = (n1 > 0) & (n1 < n)
    share = np.divide(labelled.sum(axis=0), n, out=np.zeros_like(n), where=both)
    mine = np.divide(n1, n, out=np.zeros_like(n), where=both)
    parts = (labelled - share * at_risk) * (first - mine) * both
    return float((np.cumsum(parts, axis=1) ** 2).sum(axis=0).max(initial=0.0))


def _beyond(statistic: float) -> float:
    """Return the chance that the absolute Brownian motion on [0, 1] ever exceeds `statistic`."""
    if statistic <= 0.0:
        return 1.0
    odd = 2.0 * np.arange(_TERMS) + 1.0
    signs = np.where(np.arange(_TERMS) % 2 == 0, 1.0, -1.0)
    series = signs / odd * np.exp(-((math.pi * odd / statistic) ** 2) / 8.0)
    return float(np.clip(1.0 - 4.0 / math.pi * series.sum(), 0.0, 1.0))
