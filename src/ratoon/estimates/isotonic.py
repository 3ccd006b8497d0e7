"""Calibrators: from the score of a class to the share of rows that are of this class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ratoon.windows.judged import Floats

Order: TypeAlias = NDArray[np.intp]

_GRID = 1000  # bins of the reference's scores on which calibration is tried out
_GROUPS = 10  # of equally many rows, for the expected calibration error
_FOLDS = 10
_LEAST = 2 * _GROUPS  # rows; fewer tell nothing about calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrator:
    """A rising curve through (score, share), straight between its points and level beyond them.

    Without points it leaves the scores as they are.

    >>> import numpy as np
    >>> curve = Calibrator(scores=(0.2, 0.6), shares=(0.0, 1.0))
    >>> curve.calibrate(np.array([0.1, 0.4, 0.9])).tolist()
    [0.0, 0.5, 1.0]
    """

    scores: tuple[float, ...] = ()  # rising
    shares: tuple[float, ...] = ()  # not falling, between 0 and 1

    def calibrate(self, scores: Floats) -> Floats:
        """Return the probability that each score stands for, shape (n,)."""
        if not self.scores:
            return scores
        order = np.argsort(scores)  # sorted, a million scores take a tenth of the time
        found = np.empty(len(scores))
        found[order] = np.interp(scores[order], np.array(self.scores), np.array(self.shares))
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ordered:
    """The scores of a class in rising order, and which of these rows are of the class."""

    order: Order  # (n,): where in the reference each row stands
    scores: Floats  # (n,): rising
    outcomes: Floats  # (n,): 0 or 1


def ordered(scores: Floats, outcomes: NDArray[np.bool_]) -> Ordered:
    """Sort the rows by their scores; all that is fitted on them shares this one sort."""
    order = np.argsort(scores)
    return Ordered(order=order, scores=scores[order], outcomes=outcomes[order].astype(np.float64))


def fit_isotonic(rows: Ordered, weights: Floats | None = None) -> Calibrator:
    """Fit the rising curve that is nearest to the outcomes, in squared error.

    Isotonic regression of the mean outcome of each distinct score, by pooling adjacent violators;
    of points of equal height only the ends are kept, so the curve is small and JSON.

    Args:
        rows: at least one.
        weights: shape (n,), in the order of the reference; above 0. None: all weigh 1.

    >>> import numpy as np
    >>> fit_isotonic(ordered(np.array([0.1, 0.3, 0.2]), np.array([False, True, True])))
    Calibrator(scores=(0.1, 0.2, 0.3), shares=(0.0, 1.0, 1.0))

    Source: Ayer et al. (1955), Annals of Mathematical Statistics 26, 641-647; Zadrozny & Elkan
    (2002), "Transforming classifier scores into accurate multiclass probability estimates".
    """
    begins = np.flatnonzero(np.diff(rows.scores, prepend=np.nan))  # NaN differs from all
    if weights is None:
        weight = np.diff(begins, append=len(rows.scores)).astype(np.float64)
        hits = np.add.reduceat(rows.outcomes, begins)
    else:
        counted = weights[rows.order]
        weight = np.add.reduceat(counted, begins)
        hits = np.add.reduceat(counted * rows.outcomes, begins)
    return _curve(rows.scores[begins], pooled(hits / weight, weight))


def pooled(shares: Floats, weights: Floats) -> Floats:
    """Return the rising numbers that are nearest to `shares`, in weighted squared error."""
    from scipy.optimize import isotonic_regression  # noqa: PLC0415 - scipy is slow to import

    return np.clip(isotonic_regression(shares, weights=weights).x, 0.0, 1.0)


def calibration_helps(rows: Ordered) -> bool:
    """Tell whether isotonic calibration brings scores nearer to shares, on rows not fitted on.

    The expected calibration error is Σ |mean score - share| · rows / n over ten groups of equally
    many rows in order of the score. It is compared before calibration, and after it by curves
    that were fitted on nine tenths of the rows and asked for the last: every tenth row in turn.
    Scores are first put into 1,000 bins of equally many rows, so that n rows cost one sort.

    Of one class alone, or of fewer than 20 rows, it says no.

    Source: Naeini, Cooper & Hauskrecht (2015), "Obtaining well calibrated probabilities using
    Bayesian binning", section 3, for the error; NannyML's `needs_calibration` for the rule, there
    by ten random splits.
    """
    n = len(rows.scores)
    if n < _LEAST or rows.outcomes.min() == rows.outcomes.max():
        return False
    cells = (np.arange(n) * _GRID // n) * _FOLDS + rows.order % _FOLDS
    counts, said, true = (
        np.bincount(cells, weights=each, minlength=_GRID * _FOLDS)
        .reshape(_GRID, _FOLDS)
        .astype(np.float64)
        for each in (None, rows.scores, rows.outcomes)
    )
    before = calibration_error(counts.ravel(), said.ravel(), true.ravel())
    curves = _left_out(counts, true)
    after_order = np.argsort(curves.ravel(), kind="stable")
    after = calibration_error(
        counts.ravel()[after_order],
        (curves * counts).ravel()[after_order],
        true.ravel()[after_order],
    )
    return after < before


def calibration_error(counts: Floats, said: Floats, true: Floats) -> float:
    """Return the expected calibration error over ten groups of cells in the order given.

    Args:
        counts: rows of each cell.
        said: sum of the scores of each cell.
        true: sum of the outcomes of each cell.
    """
    rows = counts.sum()
    middle = np.cumsum(counts) - counts / 2
    group = np.minimum((middle * _GROUPS / rows).astype(np.intp), _GROUPS - 1)
    gaps = np.bincount(group, weights=said - true, minlength=_GROUPS)
    return float(np.abs(gaps).sum() / rows)


def _left_out(counts: Floats, true: Floats) -> Floats:
    """Return for each bin and fold the calibrated share, fitted without the fold."""
    curves = np.zeros_like(counts)
    for fold in range(_FOLDS):
        weight = counts.sum(axis=1) - counts[:, fold]
        hits = true.sum(axis=1) - true[:, fold]
        used = weight > 0
        shares = pooled(hits[used] / weight[used], weight[used])
        curves[:, fold] = np.interp(np.arange(len(weight)), np.flatnonzero(used), shares)
    return curves


def _curve(points: Floats, shares: Floats) -> Calibrator:
    kept = np.ones(len(points), dtype=bool)
    kept[1:-1] = (shares[1:-1] != shares[:-2]) | (shares[1:-1] != shares[2:])
    return Calibrator(scores=tuple(points[kept].tolist()), shares=tuple(shares[kept].tolist()))
