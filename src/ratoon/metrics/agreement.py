"""Metrics of predicted classes: accuracy, precision, recall, F-scores and specificity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Measurement, Window
from ratoon.core.settings import one_of, positive
from ratoon.metrics.checking import check_task, class_codes
from ratoon.metrics.counts import Cells, OfCounts, told_of_cells
from ratoon.metrics.influence import undefined
from ratoon.windows.judged import Floats, Judged, Scalar, Target

Average = Literal["binary", "macro", "micro", "weighted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy(OfCounts):
    """The share of rows whose predicted class is the label.

    accuracy = mean(1[output = label]); stderr = s/√n. The loss of a row is 1 where it is wrong.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=("good", "bad"))
    >>> said = Scored(outputs=np.array([0.0, 1.0, 0.0, 0.0]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 1.0, 1.0, 0.0]), scored=said)
    >>> measurement = Accuracy().measure(judged, Window(start=EPOCH, end=EPOCH))
    >>> measurement.value, round(measurement.stderr, 3), measurement.n
    (0.75, 0.25, 4)
    """

    name = "accuracy"

    def of_cells(self, found: Cells, _target: Target, window: Window, /) -> Measurement:
        """Measure the share of rows that are right."""
        if found.rows == 0:
            return undefined(self.name, window, 0)
        value = float(found.hits.sum()) / found.rows
        return told_of_cells(self.name, window, found, value, found.right - value)

    def losses(self, judged: Judged, /) -> Floats:
        """Return 1 for a wrong row, 0 for a right one."""
        labels, outputs = class_codes(self, judged)
        return (labels != outputs).astype(np.float64)

    def bound(self, target: Target, /) -> float:
        """Return 1."""
        check_task(self, target)
        return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _ClassRatio(OfCounts):
    """What precision, recall, F and specificity share: for each class, hits over possible hits.

    R(c) = top(c) / bottom(c), both sums over rows; then R of the positive class, or an average
    over the classes that occur: of R alike ("macro"), by their labels ("weighted"), or the sum of
    all tops over that of all bottoms ("micro"). The influence of a row is the sum over classes of
    w(c) / bottom(c) (top of the row - R(c) bottom of the row), where w(c) is the weight in the
    average; it depends on the label and the output alone, so it is found once a cell.
    """

    name: str
    average: Average | None = None  # None: binary of two classes, else macro
    positive: Scalar | None = None  # the class that is meant; None: the second of two

    def __post_init__(self) -> None:
        """Check the settings."""
        if not self.name:
            raise SettingInvalid("name", "a text that is not empty", self.name)
        if self.average is not None:
            one_of("average", self.average, ("binary", "macro", "micro", "weighted"))
        if self.average not in (None, "binary") and self.positive is not None:
            rule = f"left out with average={self.average!r}"
            raise SettingInvalid("positive", rule, self.positive)

    def of_cells(self, found: Cells, target: Target, window: Window, /) -> Measurement:
        """Measure the rows; None where the denominator of the positive class is 0."""
        shares = self._shares(target, found)
        meant = (shares > 0).astype(np.float64)
        top, bottom = self._fractions(found)
        if self.average == "micro":
            top, bottom = meant * (top @ meant), meant * (bottom @ meant)
        defining = meant if self._single(target) else found.predicted + found.labelled > 0
        if not bottom @ defining > 0:
            return undefined(self.name, window, found.rows)
        ratios = _divided(top, bottom)
        gains = _divided(meant if self.average == "micro" else shares, bottom)
        value = float(shares @ ratios)
        influence = found.rows * self._moved(found, gains, ratios)
        if self.average == "weighted":
            influence += ratios[found.labels] - value
        support = bottom[(defining > 0) & (bottom > 0)].min() / sum(self._sides)
        return told_of_cells(self.name, window, found, value, influence, support)

    @property
    def _sides(self) -> tuple[float, float]:
        """The weight of rows that are predicted as the class, and of those labelled so."""
        raise NotImplementedError

    def _fractions(self, found: Cells) -> tuple[Floats, Floats]:
        """Return top and bottom of each class, shape (k,)."""
        of_outputs, of_labels = self._sides
        bottom = of_outputs * found.predicted + of_labels * found.labelled
        return (of_outputs + of_labels) * found.hits, bottom

    def _moved(self, found: Cells, gains: Floats, ratios: Floats) -> Floats:
        """Return for each cell the sum over classes of gain (top - ratio bottom)."""
        of_outputs, of_labels = self._sides
        moved = of_outputs * gains[found.outputs] * (found.right - ratios[found.outputs])
        moved += of_labels * gains[found.labels] * (found.right - ratios[found.labels])
        return moved

    def _single(self, target: Target) -> bool:
        """Tell whether one class is meant, not an average of several."""
        single = self.average == "binary" or self.positive is not None
        return single or (self.average is None and target.task == "binary")

    def _shares(self, target: Target, found: Cells) -> Floats:
        """Return the weight of each class in the average, shape (k,)."""
        if self._single(target):
            shares = np.zeros(len(target.classes))
            shares[self._positive_code(target)] = 1.0
            return shares
        if self.average == "weighted":
            return found.labelled / max(1, found.rows)
        occurs = (found.predicted + found.labelled > 0).astype(np.float64)
        return occurs / max(1.0, occurs.sum())

    def _positive_code(self, target: Target) -> int:
        if self.positive is None and target.task == "binary":
            return 1
        if self.positive is None or self.positive not in target.classes:
            setting = f"positive of metric {self.name!r}"
            raise SettingInvalid(setting, f"one of the classes {target.classes}", self.positive)
        return target.classes.index(self.positive)


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision(_ClassRatio):
    """The share of rows predicted as a class that are of this class.

    precision(c) = hits(c) / predicted(c). Of two classes it is that of the second, or of
    `positive`; None where no row is predicted so (scikit-learn says 0). Of several classes it is
    the mean over those that occur among labels or outputs; one that occurs but is never predicted
    counts as 0, as in scikit-learn. `average` may be "macro", "weighted" by labels, or "micro",
    which is accuracy. stderr by the delta method (`influence`).

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=("good", "bad"))
    >>> said = Scored(outputs=np.array([0.0, 1.0, 1.0, 0.0]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 1.0, 0.0, 1.0]), scored=said)
    >>> Precision(positive="bad").measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.5
    """

    name: str = "precision"

    @property
    def _sides(self) -> tuple[float, float]:
        return 1.0, 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall(_ClassRatio):
    """The share of rows of a class that are predicted as this class.

    recall(c) = hits(c) / labelled(c). Of two classes it is that of the second, or of `positive`;
    None where no label is so (scikit-learn says 0). Of several classes it is the mean over those
    that occur among labels or outputs; one that is predicted but has no label counts as 0, as in
    scikit-learn. `average` may be "macro", or "weighted" by labels or "micro", which both are
    accuracy. stderr by the delta method (`influence`).

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="multiclass", classes=("a", "b", "c"))
    >>> said = Scored(outputs=np.array([0.0, 1.0, 1.0, 0.0]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 1.0, 1.0, 1.0]), scored=said)
    >>> measurement = Recall().measure(judged, Window(start=EPOCH, end=EPOCH))
    >>> round(measurement.value, 3)  # of "a" 1, of "b" 2/3; "c" does not occur
    0.833
    """

    name: str = "recall"

    @property
    def _sides(self) -> tuple[float, float]:
        return 0.0, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class F1(_ClassRatio):
    """The harmonic mean of precision and recall.

    F1(c) = 2 hits(c) / (predicted(c) + labelled(c)). Of two classes it is that of the second, or
    of `positive`; None where it is neither predicted nor labelled (scikit-learn says 0). Of
    several classes it is the mean over those that occur, or "weighted" by labels, or "micro",
    which is accuracy. stderr by the delta method (`influence`).

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=(False, True))
    >>> said = Scored(outputs=np.array([0.0, 1.0, 1.0, 0.0]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 1.0, 1.0, 1.0]), scored=said)
    >>> F1().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.8
    """

    name: str = "f1"

    @property
    def _sides(self) -> tuple[float, float]:
        return 1.0, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FBeta(_ClassRatio):
    """The harmonic mean of precision and recall in which recall weighs β² times as much.

    Fβ(c) = (1 + β²) hits(c) / (predicted(c) + β² labelled(c)). Averages and what is undefined are
    as of `F1`. Above 1, `beta` asks for few misses; below, for few false alarms. stderr by the
    delta method (`influence`).

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=(False, True))
    >>> said = Scored(outputs=np.array([0.0, 1.0, 1.0, 0.0]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 1.0, 1.0, 1.0]), scored=said)
    >>> round(FBeta(beta=2).measure(judged, Window(start=EPOCH, end=EPOCH)).value, 3)
    0.714

    Source: van Rijsbergen (1979), "Information Retrieval", chapter 7.
    """

    name: str = "f_beta"
    beta: float = 2.0

    def __post_init__(self) -> None:
        """Check the settings."""
        _ClassRatio.__post_init__(self)
        positive("beta", self.beta)

    @property
    def _sides(self) -> tuple[float, float]:
        return 1.0, self.beta**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Specificity(_ClassRatio):
    """The share of rows of the other classes that are not predicted as this class.

    specificity(c) = (n - labelled(c) - predicted(c) + hits(c)) / (n - labelled(c)): the recall of
    "not c", or 1 less the rate of false alarms. Of two classes it is that of the second, or of
    `positive`; None where all labels are so. Averages are as of `F1`. stderr by the delta method
    (`influence`).

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=("good", "bad"))
    >>> said = Scored(outputs=np.array([0.0, 1.0, 0.0, 0.0]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 0.0, 0.0, 1.0]), scored=said)
    >>> round(Specificity().measure(judged, Window(start=EPOCH, end=EPOCH)).value, 3)
    0.667
    """

    name: str = "specificity"

    @property
    def _sides(self) -> tuple[float, float]:
        return 0.0, 1.0

    def _fractions(self, found: Cells) -> tuple[Floats, Floats]:
        others = found.rows - found.labelled
        return others - found.predicted + found.hits, others

    def _moved(self, found: Cells, gains: Floats, ratios: Floats) -> Floats:
        """A row counts for all classes but its label's, and is missed for its wrong output's."""
        spared = gains * (1.0 - ratios)
        moved = spared.sum() - spared[found.labels]
        return moved - (1.0 - found.right) * gains[found.outputs]


def _divided(top: Floats, bottom: Floats) -> Floats:
    """Return top / bottom, 0 where bottom is 0."""
    return np.divide(top, bottom, out=np.zeros(len(top)), where=bottom > 0)
