"""How likely a difference between two samples is, where nothing has changed.

A reference is a sample too, so a rate of it is not the truth: every test here compares two samples.
Labels and gaps come in runs, so rows count for less than they are: a design effect says how much.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = NDArray[Any] | float

_BLOCKS = 20  # pieces of the reference, in the order of its rows
_BLOCK_ROWS = 50  # rows that a piece has at least


def log_excess(found: Numbers, rows: Numbers, before: Numbers, reference: Numbers) -> Floats:
    """Bound how likely so many hits are, where batch and reference are of one kind.

    Of `rows` rows `found` are hits, of `reference` rows `before` were. Given all hits together,
    those of the batch are hypergeometric; Hoeffding bounds their upper tail by
    exp(-m KL(k / m || s / N)) for m draws, and, as hits and draws may be exchanged, by
    exp(-s KL(k / s || m / N)). The better of the two is returned: it is never below the one-sided
    p-value of Fisher's exact test, and costs two logarithms.

    Args:
        found: hits in the batch, k.
        rows: rows of the batch, m.
        before: hits in the reference, s - k.
        reference: rows of the reference, N - m.

    Returns:
        The logarithm of the bound: 0 where the batch has no more hits than its share.

    Source: W. Hoeffding, Probability inequalities for sums of bounded random variables, JASA 58
    (1963), theorem 1 and section 6; V. Chvátal, The tail of the hypergeometric distribution,
    Discrete Mathematics 25 (1979).

    >>> log_excess(60, 100, 5, 100).round(1).tolist()
    -27.4
    >>> log_excess(5, 100, 5, 100).tolist()
    -0.0
    """
    k, m, a, n = (np.asarray(x, dtype=np.float64) for x in (found, rows, before, reference))
    hits, every = k + a, m + n
    with np.errstate(invalid="ignore"):  # no draws from nothing: the last line leaves it out
        bound = np.maximum(
            m * _divergence(_ratio(k, m), _ratio(hits, every)),
            hits * _divergence(_ratio(k, hits), _ratio(m, every)),
        )
    return np.where(k * n > a * m, -bound, -0.0)


def log_above(found: Numbers, rows: Numbers, most: Numbers) -> Floats:
    """Bound how likely `found` of `rows` hits are where the true rate is at most `most`.

    Source: Hoeffding 1963, theorem 1; it is Chernoff's bound on the binomial.

    >>> log_above(20, 100, 0.1).round(1).tolist()
    -4.4
    """
    k, m, p = (np.asarray(x, dtype=np.float64) for x in (found, rows, most))
    rate = _ratio(k, m)
    with np.errstate(invalid="ignore"):
        return np.where(rate > p, -m * _divergence(rate, p), -0.0)


def design_effect(hits: NDArray[np.bool_]) -> float:
    """Return how many rows count as one, because hits come in runs; 1 where they do not.

    The rows are cut into at most 20 pieces in their order; the effect is the variance of the
    pieces' rates over the one that independent rows would have (Kish, Survey Sampling, 1965,
    section 8.2), and never below 1.

    >>> design_effect(np.tile([True, False], 500))
    1.0
    >>> design_effect(np.repeat([True, False], 500)) > 20
    True
    """
    rate = float(hits.mean()) if len(hits) else 0.0
    pieces = min(_BLOCKS, len(hits) // _BLOCK_ROWS)
    if pieces < 2 or not 0 < rate < 1:  # noqa: PLR2004 - one piece does not vary
        return 1.0
    starts = np.arange(pieces) * len(hits) // pieces
    sizes = np.diff(np.append(starts, len(hits)))
    rates = np.add.reduceat(hits.astype(np.float64), starts) / sizes
    between = float((sizes * (rates - rate) ** 2).sum()) / (pieces - 1)
    return max(1.0, float(f"{between / (rate * (1 - rate)):.4g}"))


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole > 0)


def _divergence(p: Floats, q: Floats) -> Floats:
    """Return the Kullback-Leibler divergence of two coins, in nats."""
    with np.errstate(divide="ignore", invalid="ignore"):
        hit = np.where(p > 0, p * np.log(p / q), 0.0)
        miss = np.where(p < 1, (1 - p) * np.log((1 - p) / (1 - q)), 0.0)
    return np.nan_to_num(np.maximum(hit + miss, 0.0), posinf=np.inf)
