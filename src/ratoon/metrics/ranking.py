"""Metrics of the order that scores put rows in: ROC-AUC, average precision, top-k accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratoon.core.measuring import Measurement, Window
from ratoon.core.settings import whole
from ratoon.metrics.checking import check_task, class_scores, labels_of, second_scores, truths
from ratoon.metrics.histogram import (
    ScoreHistogram,
    area_of,
    area_of_rows,
    histogram_of,
)
from ratoon.metrics.influence import inflation, measured, undefined
from ratoon.metrics.means import OfMean
from ratoon.metrics.protocol import Metric
from ratoon.windows.judged import Floats, Judged, Target

Curve = tuple[float, Floats]  # an area under a curve, and the influence of each row on it


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfCurve:
    """What areas under curves share: no row has a loss, pairs of rows have."""

    tasks = frozenset({"binary", "multiclass"})
    greater_is_better = True
    value_range = (0.0, 1.0)

    def losses(self: Metric, judged: Judged, /) -> None:
        """Return None: pairs of rows have a loss here, rows have none."""
        check_task(self, judged.target)

    def bound(self: Metric, target: Target, /) -> None:
        """Return None: there are no row losses."""
        check_task(self, target)


@dataclass(frozen=True, slots=True, kw_only=True)
class RocAuc(_OfCurve):
    """The probability that a row of the positive class has a higher score than another row.

    AUC = mean over pairs (i positive, j negative) of 1[sᵢ > sⱼ] + ½ 1[sᵢ = sⱼ]. Of several
    classes it is the mean of the AUC of each class against the rest, over the classes that occur
    among the labels; None where fewer than two occur.

    stderr by DeLong's structural components: V₁₀(i) is the share of negatives that positive i
    beats, V₀₁(j) the share of positives that beat negative j, ties counting half;
    stderr² = var(V₁₀)/m + var(V₀₁)/n, by midranks in O(n log n). The components are influences,
    so those of several classes add up row by row with their covariance. It is poor where a class
    has fewer than about ten rows, and 0 where the classes are told apart without a fault.

    From merged windows (`Tally`) of two classes it is exact where each of 1,000 bins of the scores
    holds one distinct score, else `low` and `high` say how far the bins may mislead.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=("good", "bad"))
    >>> bad = np.array([0.1, 0.4, 0.35, 0.8])
    >>> said = Scored(outputs=np.round(bad), scores=np.column_stack([1 - bad, bad]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 0.0, 1.0, 1.0]), scored=said)
    >>> RocAuc().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.75

    Source: DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44, 837-845, equations 3 to 6; Sun &
    Xu (2014), IEEE Signal Processing Letters 21, 1389-1393, for the midranks.
    """

    name = "roc_auc"
    part = "scores"

    def measure(self, judged: Judged, window: Window, /) -> Measurement:
        """Measure the area under the ROC curve."""
        if judged.target.task == "binary":
            scores = second_scores(self, judged)
            positive = truths("labels", judged.labels, judged.target)
            return area_of_rows(self.name, window, scores, positive)
        scores, labels, rows = class_scores(self, judged), labels_of(judged), len(judged)
        counts = np.bincount(labels, minlength=len(judged.target.classes))
        present = np.flatnonzero(counts)
        if len(present) <= 1:
            return undefined(self.name, window, rows)
        value, influence = 0.0, np.zeros(rows)
        for code in present.tolist():
            area, of_rows = area_and_influence(scores[:, code], labels == code)
            value += area / len(present)
            influence += of_rows / len(present)
        support = counts[present].min()
        return measured(self.name, window, rows, value, influence, support)

    def count(self, judged: Judged, /) -> ScoreHistogram:
        """Count the rows of two classes in bins of the second one's score."""
        return histogram_of(self, judged)

    def tell(self, part: ScoreHistogram, target: Target, window: Window, /) -> Measurement:
        """Measure what rows have left behind."""
        check_task(self, target)
        return area_of(self.name, window, part)


@dataclass(frozen=True, slots=True, kw_only=True)
class AveragePrecision(_OfCurve):
    """The mean, over the positive rows, of the precision among the rows scored at least as high.

    AP = mean over positives i of TP(sᵢ) / N(sᵢ), with TP(s) positives and N(s) rows of score s or
    more: the area under the precision-recall curve without interpolation, as in scikit-learn.
    Guessing gives the share of positives, so windows of other shares do not compare. Of several
    classes it is the mean over those that occur; None without positives (scikit-learn says 0).

    stderr by the influence function: a row moves its own precision and that of all positives
    below it. It is poor, and the value biased upwards, on fewer than about 20 positives.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=("good", "bad"))
    >>> bad = np.array([0.1, 0.4, 0.35, 0.8])
    >>> said = Scored(outputs=np.round(bad), scores=np.column_stack([1 - bad, bad]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 0.0, 1.0, 1.0]), scored=said)
    >>> round(AveragePrecision().measure(judged, Window(start=EPOCH, end=EPOCH)).value, 3)
    0.833

    Source: Boyd, Eng & Page (2013), "Area under the precision-recall curve: point estimates and
    confidence intervals", ECML PKDD, section 2.
    """

    name = "average_precision"

    def measure(self, judged: Judged, window: Window, /) -> Measurement:
        """Measure the average precision."""
        scores, labels, rows = class_scores(self, judged), labels_of(judged), len(judged)
        counts = np.bincount(labels, minlength=len(judged.target.classes))
        binary = judged.target.task == "binary"
        chosen = [1] if binary and counts[1] else [] if binary else np.flatnonzero(counts).tolist()
        if not chosen:
            return undefined(self.name, window, rows)
        value, influence = 0.0, np.zeros(rows)
        for code in chosen:
            area, of_rows = precision_and_influence(scores[:, code], labels == code)
            value += area / len(chosen)
            influence += of_rows / len(chosen)
        return measured(self.name, window, rows, value, influence, counts[chosen].min())


@dataclass(frozen=True, slots=True, kw_only=True)
class TopKAccuracy(OfMean):
    """The share of rows whose label is among the k classes of the highest scores.

    A row is right where fewer than k classes have a higher score than the label's. Where classes
    tie across the k-th place the row counts the share of orders in which it is right; scikit-learn
    takes the class that stands last. stderr = s/√n; the loss of a row is 1 less what it counts.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.core.measuring import Window
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="multiclass", classes=("a", "b", "c"))
    >>> said = Scored(outputs=np.zeros(2), scores=np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]))
    >>> judged = Judged(target=target, labels=np.array([1.0, 2.0]), scored=said)
    >>> TopKAccuracy(k=2).measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.5
    """

    name: str = "top_k_accuracy"
    tasks = frozenset({"multiclass"})
    greater_is_better = True
    value_range = (0.0, 1.0)

    k: int = 2  # how many classes count as the answer

    def __post_init__(self) -> None:
        """Check the setting."""
        whole("k", self.k, least=1)

    def values(self, judged: Judged, /) -> Floats:
        """Return what each row counts, between 0 and 1."""
        return 1.0 - self.losses(judged)

    def losses(self, judged: Judged, /) -> Floats:
        """Return the share of orders of tied classes in which the row is wrong."""
        scores, labels = class_scores(self, judged), labels_of(judged)
        own = scores[np.arange(len(labels)), labels][:, None]
        higher, tied = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
        return 1.0 - np.clip((self.k - higher) / np.maximum(tied, 1), 0.0, 1.0)

    def bound(self, target: Target, /) -> float:
        """Return 1."""
        check_task(self, target)
        return 1.0


def area_and_influence(scores: Floats, positive: NDArray[np.bool_]) -> Curve:
    """Return the AUC and the influence of each row on it; both classes must occur.

    >>> import numpy as np
    >>> area_and_influence(np.array([1.0, 1.0, 2.0]), np.array([False, True, True]))[0]
    0.75
    """
    order = np.argsort(scores)
    marks = positive[order]
    ahead, upto = _edges(scores[order])
    ones = np.concatenate([[0], np.cumsum(marks)])  # positives among the first rows
    positives, rows = int(ones[-1]), len(scores)
    negatives = rows - positives
    below = (ones[ahead] + ones[upto]) / 2  # midranks among positives
    under = (ahead + upto) / 2 - below  # midranks among negatives
    beaten = under[marks] / negatives  # V10
    area = float(beaten.mean())
    components = np.where(
        marks,
        (under / negatives - area) * (inflation(positives) * rows / positives),
        (1 - below / positives - area) * (inflation(negatives) * rows / negatives),
    )
    influence = np.empty(rows)
    influence[order] = components
    return area, influence


def precision_and_influence(scores: Floats, positive: NDArray[np.bool_]) -> Curve:
    """Return the average precision and the influence of each row on it; positives must occur.

    >>> import numpy as np
    >>> precision_and_influence(np.array([1.0, 1.0, 2.0]), np.array([False, True, True]))[0]
    0.8333333333333333
    """
    order = np.argsort(-scores)
    marks = positive[order].astype(np.float64)
    ahead, upto = _edges(-scores[order])
    ones = np.concatenate([[0.0], np.cumsum(marks)])
    rows, positives = len(scores), ones[-1]
    precision = ones[upto] / upto
    value = float(marks @ precision / positives)
    # a row counts in N, and where it is positive in TP, of every positive below or beside it
    more = _from_below(marks / upto, ahead)
    fewer = _from_below(marks * precision / upto, ahead)
    moved = marks * (precision - value + more) - fewer
    influence = np.empty(rows)
    influence[order] = moved * (rows / positives * inflation(rows))
    return value, influence


def _edges(ordered: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return for each row in order how many stand before its tie, and how many up to its end."""
    starts = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    first = np.flatnonzero(starts)
    which = np.cumsum(starts) - 1
    last = np.append(first[1:], len(ordered))
    return first[which], last[which]


def _from_below(values: Floats, ahead: NDArray[np.intp]) -> Floats:
    """Return for each row the sum of `values` from the start of its tie to the end."""
    sums = np.append(np.cumsum(values[::-1])[::-1], 0.0)
    return sums[ahead]
