"""Scores of two classes counted in bins: the area under the ROC curve from windows that merge."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from operator import add

import numpy as np
from numpy.typing import NDArray

from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Measurement, Window
from ratoon.metrics.checking import second_probabilities, truths
from ratoon.metrics.influence import told, undefined
from ratoon.metrics.protocol import Metric
from ratoon.windows.judged import Floats, Judged

_BINS = 1000
_TWO = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreHistogram:
    """Rows of each of two classes in 1,000 bins of equal width of the second one's probability.

    A bin in which all rows have one score, bit for bit, remembers it, so that models of few
    distinct scores lose nothing.
    """

    negatives: tuple[int, ...]  # rows of the first class, in each bin
    positives: tuple[int, ...]  # rows of the second class
    single: tuple[int, ...] = ()  # bins of one distinct score, rising
    scores: tuple[float, ...] = ()  # that score

    def __add__(self, other: ScoreHistogram) -> ScoreHistogram:
        """Merge with the counts of other rows, exactly and in any order."""
        mine, theirs = _distinct(self), _distinct(other)
        merged = np.where(np.isnan(mine) | (mine == theirs), theirs, np.inf)
        merged = np.where(np.isnan(theirs), mine, merged)
        single = np.flatnonzero(np.isfinite(merged))
        return ScoreHistogram(
            negatives=tuple(map(add, self.negatives, other.negatives)),
            positives=tuple(map(add, self.positives, other.positives)),
            single=tuple(single.tolist()),
            scores=tuple(merged[single].tolist()),
        )


def histogram_of(metric: Metric, judged: Judged) -> ScoreHistogram:
    """Count rows of two classes by label and score."""
    if judged.target.task != "binary":
        rule = "binary, to be told from counts"
        raise SettingInvalid(f"the task of metric {metric.name!r}", rule, judged.target.task)
    scores = second_probabilities(metric, judged)
    positive = truths("labels", judged.labels, judged.target)
    bins = np.minimum((scores * _BINS).astype(np.intp), _BINS - 1)
    every = np.bincount(bins, minlength=_BINS)
    wins = np.bincount(bins[positive], minlength=_BINS)
    one = np.full(_BINS, np.nan)
    one[bins] = scores  # of rows in one bin any one: all are compared with it
    one[bins[one[bins] != scores]] = np.nan
    single = np.flatnonzero(~np.isnan(one))
    return ScoreHistogram(
        negatives=tuple((every - wins).tolist()),
        positives=tuple(wins.tolist()),
        single=tuple(single.tolist()),
        scores=tuple(one[single].tolist()),
    )


def area_of(metric: str, window: Window, found: ScoreHistogram) -> Measurement:
    """Return the area under the ROC curve, rows of one bin counting as tied.

    It lies within ½ Σ pₖ nₖ / (P N) of that of the rows, over bins of several distinct scores
    with pₖ of the P positives and nₖ of the N negatives; `low` and `high` say so.
    """
    wins = np.array(found.positives, dtype=np.float64)
    losses = np.array(found.negatives, dtype=np.float64)
    measurement = area_of_counts(metric, window, wins, losses)
    pairs = wins * losses
    pairs[list(found.single)] = 0.0
    if measurement.value is None or not pairs.any():
        return measurement
    slack = float(pairs.sum() / wins.sum() / losses.sum()) / 2
    low, high = max(0.0, measurement.value - slack), min(1.0, measurement.value + slack)
    return replace(measurement, low=low, high=high)


def area_of_rows(
    metric: str, window: Window, scores: Floats, positive: NDArray[np.bool_]
) -> Measurement:
    """Return the area under the ROC curve of rows, exactly."""
    marks, rises = _sorted(scores, positive)
    last = np.flatnonzero(np.append(rises, [True] * min(1, len(marks))))  # of each score
    below = np.cumsum(marks)[last].astype(np.float64)
    return _area(metric, window, below, last + 1.0 - below)


def area_of_counts(metric: str, window: Window, wins: Floats, losses: Floats) -> Measurement:
    """Return the area of so many positives and negatives at each score, from the lowest up."""
    return _area(metric, window, np.cumsum(wins), np.cumsum(losses))


def _area(metric: str, window: Window, below: Floats, under: Floats) -> Measurement:
    """Return the area of so many positives and negatives at each score or below.

    The midranks of each class among the other are, normed, DeLong's V10 of a positive and 1 - V01
    of a negative.
    """
    positives, negatives = (float(side[-1]) if len(side) else 0.0 for side in (below, under))
    rows = int(positives + negatives)
    if not positives or not negatives:
        return undefined(metric, window, rows)
    wins, losses = np.diff(below, prepend=0.0), np.diff(under, prepend=0.0)
    beaten, beating = under - losses / 2, below - wins / 2
    value = float(wins @ beaten) / positives / negatives
    variance = _variance(beaten, wins, positives) / negatives**2
    variance += _variance(beating, losses, negatives) / positives**2
    return told(metric, window, rows, value, math.sqrt(variance), min(positives, negatives))


def _sorted(
    scores: Floats, positive: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows are positive in the order of scores, and whether each next is higher.

    The bits of floats from 0 to below 2 are whole numbers of the same order, below 2⁶²; so there
    is room for the label in the same number, and to sort those is faster than to sort places.
    """
    if len(scores) and scores.min() >= 0 and scores.max() < _TWO:
        keys = (scores + 0.0).view(np.int64) << 1  # + 0.0 makes 0 of -0
        keys |= positive
        keys.sort()
        return (keys & 1).astype(np.bool_), (keys[1:] ^ keys[:-1]) > 1
    order = np.argsort(scores)
    ordered = scores[order]
    return positive[order], ordered[1:] != ordered[:-1]


def _distinct(found: ScoreHistogram) -> Floats:
    """Return the one score of each bin: NaN of an empty bin, infinite of several scores."""
    counts = np.array(found.negatives) + np.array(found.positives)
    known = np.where(counts > 0, np.inf, np.nan)
    known[list(found.single)] = found.scores
    return known


def _variance(values: Floats, counts: Floats, rows: float) -> float:
    """Return the variance of the mean of values, each so many times; NaN of fewer than two."""
    if rows <= 1:
        return math.nan
    away = values - float(counts @ values) / rows
    away *= away
    return float(counts @ away) / (rows - 1) / rows
