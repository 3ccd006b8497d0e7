"""How well a classifier tells the rows of a window from those of the reference."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ratoon.core.measuring import Measurement, Window
from ratoon.drift.aspects import Limits
from ratoon.drift.change import Change
from ratoon.metrics.influence import standard_error
from ratoon.metrics.ranking import area_and_influence
from ratoon.windows.judged import Floats

Marks: TypeAlias = NDArray[np.bool_]
Scores: TypeAlias = Callable[[Floats], Floats]
"""From rows, shape (n, p), to their scores, shape (n,): higher for those of the window."""

Learn: TypeAlias = Callable[[Floats, Marks], Scores]
"""From rows and whether each is the window's, to what scores others."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Held:
    """Rows that a classifier did not learn from, and what it says of them."""

    scores: Scores
    rows: NDArray[np.intp]  # their places
    marks: Marks  # whether each is the window's
    said: Floats
    area: float  # under the ROC curve
    influence: Floats  # of each row on the area


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Separation:
    """How well the rows are told apart by classifiers that had not seen them."""

    folds: tuple[Held, ...]

    @property
    def area(self) -> float:
        """The mean of the folds' areas under the ROC curve: 0.5 where nothing tells them apart."""
        return float(np.mean([fold.area for fold in self.folds]))

    @property
    def stderr(self) -> float:
        """The standard error of `area` (DeLong), for the classifiers as they were learnt.

        That others would have been learnt from other rows is not in it; without drift the spread
        of `area` over samples was 1.3 times as large (400 and 200 rows).
        """
        each = [standard_error(fold.influence) for fold in self.folds]
        return math.hypot(*each) / len(each)

    def p_value(self, inflation: float = 1.0) -> float:
        """Return the least p-value of the folds, times their number.

        Folds share rows to learn from, so that their areas are not independent; Bonferroni's bound
        holds whatever they are.
        """
        each = [rank_p(fold.area, fold.said, fold.marks, inflation) for fold in self.folds]
        return min(1.0, len(each) * min(each))

    @property
    def said(self) -> Floats:
        """The score of each row by the classifier that had not seen it, as a share of its fold."""
        found = np.empty(sum(len(fold.rows) for fold in self.folds))
        for fold in self.folds:
            found[fold.rows] = np.argsort(np.argsort(fold.said)) / len(fold.rows)
        return found


def separate(
    X: Floats, marks: Marks, learn: Learn, folds: int, rng: np.random.Generator
) -> Separation:
    """Learn to tell the marked rows from the others on all folds but one, and look at that one.

    Args:
        X: rows, shape (n, p).
        marks: whether each is the window's, shape (n,); at least `folds` of either kind.
        learn: makes what scores rows.
        folds: at least 2.
        rng: draws the folds.

    Source: Lopez-Paz & Oquab (2017), "Revisiting classifier two-sample tests", ICLR, section 3;
    Friedman (2003), "On multivariate goodness-of-fit and two-sample testing", PHYSTAT, for ranks
    of scores.
    """
    fold_of = np.empty(len(marks), dtype=np.intp)
    for side in (np.flatnonzero(marks), np.flatnonzero(~marks)):
        fold_of[rng.permutation(side)] = np.arange(len(side)) % folds
    return Separation(folds=tuple(_held(X, marks, learn, fold_of == fold) for fold in range(folds)))


def separability(
    found: Separation, subject: str | None, window: Window, limits: Limits, inflation: float = 1.0
) -> Change:
    """Return an area under the ROC curve as a change; its effect is what it has above 0.5.

    The least effect of `limits` is an area too.
    """
    p_value = found.p_value(inflation)
    return Change(
        aspect="separability",
        measurement=Measurement(
            metric="classifier_auc",
            window=window,
            value=found.area,
            n=sum(int(fold.marks.sum()) for fold in found.folds),
            stderr=found.stderr,
            subject=subject,
        ),
        before=None,
        effect=max(0.0, found.area - 0.5),
        least=limits.least - 0.5,
        p_value=p_value,
        adjusted=p_value,
        rate=limits.rate,
    )


def rank_p(area: float, scores: Floats, marks: Marks, inflation: float = 1.0) -> float:
    """Return the p-value of an area under the ROC curve that it is no more than chance, one-sided.

    >>> scores = np.arange(20.0)
    >>> round(rank_p(1.0, scores, scores >= 10), 5)
    8e-05

    Source: Mann & Whitney (1947), Annals of Mathematical Statistics 18, 50-60, the normal limit;
    the correction for ties by Lehmann (1975), Nonparametrics, section 1.4.
    """
    rows, window = len(marks), int(marks.sum())
    times = np.unique(scores, return_counts=True)[1].astype(float)
    tied = float((times**3 - times).sum()) / (rows * (rows - 1))
    variance = (rows + 1 - tied) / (12 * window * (rows - window)) * max(1.0, inflation)
    if variance <= 0:
        return 1.0
    return math.erfc((area - 0.5) / math.sqrt(2 * variance)) / 2


def _held(X: Floats, marks: Marks, learn: Learn, out: Marks) -> Held:
    rows = np.flatnonzero(out)
    scores = learn(X[~out], marks[~out])
    said = scores(X[rows])
    area, influence = area_and_influence(said, marks[rows])
    return Held(
        scores=scores, rows=rows, marks=marks[rows], said=said, area=area, influence=influence
    )
