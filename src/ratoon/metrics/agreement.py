"""Metrics of predicted classes: accuracy, precision, recall and F1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Measurement, Window
from ratoon.core.settings import one_of
from ratoon.metrics.checking import Codes, check_task, class_codes
from ratoon.metrics.influence import inflation, mean_measured, measured, undefined
from ratoon.windows.judged import Floats, Judged, Scalar, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
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
    tasks = frozenset({"binary", "multiclass"})
    greater_is_better = True

    def measure(self, judged: Judged, window: Window, /) -> Measurement:
        """Measure the share of rows that are right."""
        return mean_measured(self.name, window, 1.0 - self.losses(judged))

    def losses(self, judged: Judged, /) -> Floats:
        """Return 1 for a wrong row, 0 for a right one."""
        labels, outputs = class_codes(self, judged)
        return (labels != outputs).astype(np.float64)

    def bound(self, target: Target, /) -> float:
        """Return 1."""
        check_task(self, target)
        return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _ClassRatio:
    """What precision, recall and F1 share: for each class c, hits over what could be hits.

    R(c) = (a + b) hits(c) / (a predicted(c) + b labelled(c)), with (a, b) as `_sides`; then R of
    the positive class, or the mean of R over the classes that occur. The influence of a row that
    is right (h = 1) or wrong (h = 0), predicted p and labelled l, is
    n (a w(p) (h - R(p)) + b w(l) (h - R(l))), where w(c) is the weight of the class in the
    average over its denominator; so all rows and classes take O(n + k).
    """

    tasks = frozenset({"binary", "multiclass"})
    greater_is_better = True
    _sides: ClassVar[tuple[float, float]]  # weight of predicted rows, of labelled rows

    name: str
    average: Literal["binary", "macro"] | None = None  # None: binary of two classes, else macro
    positive: Scalar | None = None  # the class that is meant; None: the second of two

    def __post_init__(self) -> None:
        """Check the settings."""
        if not self.name:
            raise SettingInvalid("name", "a text that is not empty", self.name)
        if self.average is not None:
            one_of("average", self.average, ("binary", "macro"))
        if self.average == "macro" and self.positive is not None:
            raise SettingInvalid("positive", "left out with average='macro'", self.positive)

    def measure(self, judged: Judged, window: Window, /) -> Measurement:
        """Measure the rows; None where the denominator of the positive class is 0."""
        labels, outputs = class_codes(self, judged)
        rows, (of_outputs, of_labels) = len(judged), self._sides
        predicted, labelled, hits = _counts(labels, outputs, len(judged.target.classes))
        shares = self._shares(judged.target, predicted + labelled)
        bottom = of_outputs * predicted + of_labels * labelled
        if not (bottom[shares > 0] > 0).any():
            return undefined(self.name, window, rows)
        ratios = _divided((of_outputs + of_labels) * hits, bottom)
        gains, hit = _divided(shares, bottom), (labels == outputs).astype(np.float64)
        influence = of_outputs * gains[outputs] * (hit - ratios[outputs])
        influence += of_labels * gains[labels] * (hit - ratios[labels])
        influence *= rows * inflation(rows)
        return measured(self.name, window, rows, float(shares @ ratios), influence)

    def losses(self, judged: Judged, /) -> None:
        """Return None: a ratio of counts is no mean of row losses."""
        check_task(self, judged.target)

    def bound(self, target: Target, /) -> None:
        """Return None: there are no row losses."""
        check_task(self, target)

    def _shares(self, target: Target, present: Floats) -> Floats:
        """Return the weight of each class in the average, shape (k,)."""
        single = self.average == "binary" or self.positive is not None
        if single or (self.average is None and target.task == "binary"):
            shares = np.zeros(len(target.classes))
            shares[self._positive_code(target)] = 1.0
            return shares
        occurs = (present > 0).astype(np.float64)
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
    counts as 0, as in scikit-learn. stderr by the delta method (`influence`).

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=("good", "bad"))
    >>> said = Scored(outputs=np.array([0.0, 1.0, 1.0, 0.0]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 1.0, 0.0, 1.0]), scored=said)
    >>> Precision(positive="bad").measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.5
    """

    _sides: ClassVar[tuple[float, float]] = (1.0, 0.0)
    name: str = "precision"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall(_ClassRatio):
    """The share of rows of a class that are predicted as this class.

    recall(c) = hits(c) / labelled(c). Of two classes it is that of the second, or of `positive`;
    None where no label is so (scikit-learn says 0). Of several classes it is the mean over those
    that occur among labels or outputs; one that is predicted but has no label counts as 0, as in
    scikit-learn. stderr by the delta method (`influence`).

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

    _sides: ClassVar[tuple[float, float]] = (0.0, 1.0)
    name: str = "recall"


@dataclass(frozen=True, slots=True, kw_only=True)
class F1(_ClassRatio):
    """The harmonic mean of precision and recall.

    F1(c) = 2 hits(c) / (predicted(c) + labelled(c)). Of two classes it is that of the second, or
    of `positive`; None where it is neither predicted nor labelled (scikit-learn says 0). Of
    several classes it is the mean over those that occur. stderr by the delta method (`influence`).

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=(False, True))
    >>> said = Scored(outputs=np.array([0.0, 1.0, 1.0, 0.0]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 1.0, 1.0, 1.0]), scored=said)
    >>> F1().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.8
    """

    _sides: ClassVar[tuple[float, float]] = (1.0, 1.0)
    name: str = "f1"


def _counts(labels: Codes, outputs: Codes, classes: int) -> tuple[Floats, Floats, Floats]:
    """Count for each class the rows predicted so, labelled so, and both."""
    predicted = np.bincount(outputs, minlength=classes).astype(np.float64)
    labelled = np.bincount(labels, minlength=classes).astype(np.float64)
    hits = np.bincount(labels[labels == outputs], minlength=classes).astype(np.float64)
    return predicted, labelled, hits


def _divided(top: Floats, bottom: Floats) -> Floats:
    """Return top / bottom, 0 where bottom is 0."""
    return np.divide(top, bottom, out=np.zeros(len(top)), where=bottom > 0)
