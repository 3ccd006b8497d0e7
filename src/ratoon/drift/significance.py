"""Whether two samples differ by more than chance: p-values from their counts on the same bins.

The reference is a sample as the window is, not the truth: every test here is one of two samples.
"""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from ratoon.windows.judged import Floats

_LEAST_EXPECTED = 5.0  # rows in a bin that counts by itself (Cochran's rule)
_TERMS = 50  # of a series whose terms fall faster than exp(-k^2)
_CERTAIN = 15.0  # Cramér and von Mises' statistic above which the p-value is below 1e-30


def homogeneity(before: Floats, now: Floats, inflation: float = 1.0) -> float:
    """Return the p-value of Pearson's chi-squared test that both are of one distribution.

    Bins in which fewer than five rows of either side are to be expected are counted together.

    Args:
        before: the reference's rows in each bin, shape (bins,).
        now: the window's, shape (bins,).
        inflation: how many times the chi-squared of windows without any drift is its degrees of
            freedom (Rao & Scott 1984); 1 where rows are independent.

    >>> round(homogeneity(np.array([50.0, 50.0]), np.array([30.0, 70.0])), 4)
    0.0039

    Source: Pearson (1911), Biometrika 8, 250-254; Cochran (1954), Biometrics 10, section 3.
    """
    from scipy.special import chdtrc  # noqa: PLC0415 - slow to import

    statistic, freedom = chi_squared(before, now)
    if not freedom:
        return 1.0
    return float(cast("float", chdtrc(freedom, statistic / max(1.0, inflation))))


def chi_squared(before: Floats, now: Floats) -> tuple[float, int]:
    """Return Pearson's chi-squared of the two rows of counts, and its degrees of freedom.

    >>> chi_squared(np.array([4.0, 2.0]), np.array([1.0, 5.0]))[1]
    0
    """
    before, now = _without_rare(before, now)
    if len(before) < 2:  # noqa: PLR2004 - one bin cannot differ
        return 0.0, 0
    rows, windows = float(before.sum()), float(now.sum())
    both = before + now
    off = before * windows - now * rows
    return float((off * off / both).sum() / (rows * windows)), len(both) - 1


def kolmogorov(distance: float, rows: float, windows: float) -> float:
    """Return the p-value of a Kolmogorov-Smirnov distance, two-sided, for many rows.

    With ties, and so with bins, it is too large, never too small.

    Args:
        distance: largest difference of the distribution functions, in [0, 1].
        rows: of the reference.
        windows: rows of the window.

    >>> round(kolmogorov(0.1, 400, 400), 4)
    0.0366

    Source: Smirnov (1948), Annals of Mathematical Statistics 19, 279-281.
    """
    from scipy.special import kolmogorov as survival  # noqa: PLC0415 - slow to import

    root = math.sqrt(rows * windows / (rows + windows))
    return float(cast("float", survival(root * distance)))


def kuiper_p(distance: float, rows: float, windows: float) -> float:
    """Return the p-value of Kuiper's V.

    Q(x) = 2 sum over j of (4 j^2 x^2 - 1) exp(-2 j^2 x^2), x = (sqrt(N) + 0.155 + 0.24 / sqrt(N)) V
    with N = nm / (n + m).

    >>> round(kuiper_p(0.1, 400, 400), 3)
    0.239

    Source: Stephens (1970), Journal of the Royal Statistical Society B 32, section 3.
    """
    root = math.sqrt(rows * windows / (rows + windows))
    x = (root + 0.155 + 0.24 / root) * distance
    if x < 0.4:  # noqa: PLR2004 - the series does not converge, and p is 1 to seven digits
        return 1.0
    j = np.arange(1, _TERMS + 1, dtype=float)
    squares = (j * x) ** 2
    return min(1.0, max(0.0, float(2 * ((4 * squares - 1) * np.exp(-2 * squares)).sum())))


def cramer_von_mises_p(mean_square: float, rows: float, windows: float) -> float:
    """Return the p-value of the mean of (F - G)^2 over all rows, for many rows.

    >>> round(cramer_von_mises_p(0.0023, 400, 400), 3)
    0.05

    Source: Anderson (1962), Annals of Mathematical Statistics 33, equations 2 and 5; the limit by
    Csörgő & Faraway (1996), Journal of the Royal Statistical Society B 58, equation 1.2.
    """
    from scipy.special import gammaln, kv  # noqa: PLC0415 - slow to import

    size, both = rows * windows / (rows + windows), rows + windows
    t = size * mean_square
    mean = (1 + 1 / both) / 6
    variance = (both + 1) * (
        4 * rows * windows * both - 3 * (rows**2 + windows**2) - 2 * rows * windows
    )
    variance /= 45 * both**2 * 4 * rows * windows
    x = 1 / 6 + (t - mean) / math.sqrt(45 * variance)
    if x <= 0:
        return 1.0
    if x > _CERTAIN:
        return 0.0
    k = np.arange(_TERMS, dtype=float)
    y = 4 * k + 1
    q = y * y / (16 * x)
    logs = gammaln(k + 0.5) - gammaln(k + 1)
    terms = np.exp(logs - q) / (math.pi**1.5 * math.sqrt(x)) * np.sqrt(y) * kv(0.25, q)
    return min(1.0, max(0.0, 1 - float(terms.sum())))


def two_shares(before: float, rows: float, now: float, windows: float) -> float:
    """Return the p-value that a share is the same on both sides, two-sided.

    Args:
        before: the reference's rows that have it.
        rows: of the reference.
        now: the window's rows that have it.
        windows: rows of the window.

    Fisher's exact test where a side has few of them, the normal approximation elsewhere.

    >>> round(two_shares(150, 1000, 300, 1000), 6)
    0.0
    """
    if before + now in (0, rows + windows):
        return 1.0  # all rows are alike
    from scipy.stats import fisher_exact  # noqa: PLC0415 - slow to import

    least = min(before + now, rows + windows - before - now) * min(rows, windows)
    if least / (rows + windows) < _LEAST_EXPECTED:
        table = np.array([[before, rows - before], [now, windows - now]]).astype(int)
        return float(cast("Any", fisher_exact(table)).pvalue)
    pooled = (before + now) / (rows + windows)
    stderr = math.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / windows))
    z = (now / windows - before / rows) / stderr if stderr else 0.0
    return math.erfc(abs(z) / math.sqrt(2))


def beyond_all(fresh: int, rows: int, windows: int) -> float:
    """Bound the chance of so many numbers beyond the reference's least and greatest.

    Were both of one population, the k largest of all rows would all be the window's with a chance
    of the product of (m - i) / (n + m - i) for i < k, with n and m rows; and k beyond either end
    can be j above and k - j below in k + 1 ways.

    >>> round(beyond_all(2, 98, 2) * 4950, 9)
    3.0

    Source: Wilks (1942), Annals of Mathematical Statistics 13, section 2, for one end.
    """
    chances = ((windows - i) / (rows + windows - i) for i in range(min(fresh, windows)))
    return min(1.0, (fresh + 1) * math.prod(chances))


def _without_rare(before: Floats, now: Floats) -> tuple[Floats, Floats]:
    """Count bins together in which too few rows are to be expected."""
    both = before + now
    least = min(before.sum(), now.sum()) / max(both.sum(), 1.0)
    rare = both * least < _LEAST_EXPECTED
    if not rare.any():
        return before, now
    left, right = (np.append(c[~rare], c[rare].sum()) for c in (before, now))
    if (left[-1] + right[-1]) * least >= _LEAST_EXPECTED:
        return left, right
    if len(left) > 1:  # what is rare even together goes to the smallest of the others
        smallest = int(np.argmin((left + right)[:-1]))
        left[smallest], right[smallest] = left[smallest] + left[-1], right[smallest] + right[-1]
    return left[:-1], right[:-1]
