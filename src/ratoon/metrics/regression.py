"""Metrics of predicted numbers, in the label's unit or as a share of its variance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ratoon.core.measuring import Measurement, Window
from ratoon.metrics.checking import check_task, numbers
from ratoon.metrics.influence import told, undefined
from ratoon.metrics.means import OfMean
from ratoon.metrics.moments import ErrorMoments, explained, moments_of
from ratoon.metrics.parts import Mean, Mergeable
from ratoon.windows.judged import Floats, Judged, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class MAE(OfMean):
    """The mean absolute error, in the unit of the label.

    MAE = mean(|label - output|); stderr = s/√n. The loss of a row has no bound.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> said = Scored(outputs=np.array([1.0, 2.0, 5.0]))
    >>> target = Target(task="regression")
    >>> judged = Judged(target=target, labels=np.array([1.0, 3.0, 3.0]), scored=said)
    >>> MAE().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    1.0
    """

    name = "mae"
    tasks = frozenset({"regression"})

    def losses(self, judged: Judged, /) -> Floats:
        """Return the absolute error of each row."""
        labels, outputs = numbers(self, judged)
        with np.errstate(over="ignore"):
            return np.abs(labels - outputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class RMSE(OfMean):
    """The root of the mean squared error, in the unit of the label.

    RMSE = √mean(e²) with e = label - output; stderr = stderr(mean(e²)) / (2 RMSE) by the delta
    method, 0 where all errors are 0. `losses` are the squared errors: their mean is RMSE².

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> said = Scored(outputs=np.array([1.0, 2.0, 6.0, 3.0]))
    >>> target = Target(task="regression")
    >>> judged = Judged(target=target, labels=np.array([4.0, 3.0, 5.0, 8.0]), scored=said)
    >>> RMSE().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    3.0

    Source: van der Vaart (1998), "Asymptotic Statistics", theorem 3.1, for the delta method.
    """

    name = "rmse"
    tasks = frozenset({"regression"})

    def tell(self, part: Mean, target: Target, window: Window, /) -> Measurement:
        """Measure the root of the mean that rows have left behind."""
        check_task(self, target)
        if part.n == 0 or not math.isfinite(part.mean):
            return undefined(self.name, window, part.n)
        value = math.sqrt(part.mean)
        return told(self.name, window, part.n, value, part.stderr / (2 * value or 1.0))

    def losses(self, judged: Judged, /) -> Floats:
        """Return the squared error of each row, whose mean is the square of the metric."""
        return squared(*numbers(self, judged))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bias(OfMean):
    """The mean of output less label: above 0 the model says too much, below 0 too little.

    bias = mean(output - label), in the unit of the label; stderr = s/√n. The best value is 0, so
    rows have no loss here, and a trigger, which takes a greater value as a worse one, sees only
    that the model says more than before: watch the other side with another metric.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> said = Scored(outputs=np.array([1.0, 2.0, 6.0]))
    >>> target = Target(task="regression")
    >>> judged = Judged(target=target, labels=np.array([1.0, 3.0, 2.0]), scored=said)
    >>> Bias().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    1.0
    """

    name = "bias"
    tasks = frozenset({"regression"})
    value_range = (-math.inf, math.inf)

    def values(self, judged: Judged, /) -> Floats:
        """Return output less label of each row."""
        labels, outputs = numbers(self, judged)
        with np.errstate(over="ignore"):
            return outputs - labels

    def losses(self, judged: Judged, /) -> None:
        """Return None: an error upwards and one downwards cancel."""
        check_task(self, judged.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Explained:
    """What R² and the explained variance share."""

    part = "error moments"
    tasks = frozenset({"regression"})
    greater_is_better = True
    value_range = (-math.inf, 1.0)

    def measure(self: Mergeable[ErrorMoments], judged: Judged, window: Window, /) -> Measurement:
        """Measure the share of variance explained."""
        return self.tell(self.count(judged), judged.target, window)

    def count(self: Mergeable[ErrorMoments], judged: Judged, /) -> ErrorMoments:
        """Return the moments of labels and errors."""
        return moments_of(*numbers(self, judged))

    def losses(self: Mergeable[ErrorMoments], judged: Judged, /) -> None:
        """Return None: the denominator belongs to the window, not to a row."""
        check_task(self, judged.target)

    def bound(self: Mergeable[ErrorMoments], target: Target, /) -> None:
        """Return None: there are no row losses."""
        check_task(self, target)


@dataclass(frozen=True, slots=True, kw_only=True)
class R2(_Explained):
    """The share of the labels' variance, in the window, that the outputs explain.

    R² = 1 - Σ(label - output)² / Σ(label - mean(label))². None where the labels are all equal:
    there is no variance to explain (scikit-learn says 1 or 0). stderr by the delta method on the
    ratio; the mean of the labels adds nothing to first order, for it minimises the denominator.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> said = Scored(outputs=np.array([1.0, 2.0, 4.0]))
    >>> target = Target(task="regression")
    >>> judged = Judged(target=target, labels=np.array([1.0, 2.0, 3.0]), scored=said)
    >>> R2().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.5

    Source: van der Vaart (1998), "Asymptotic Statistics", theorem 3.1, for the delta method.
    """

    name = "r2"

    def tell(self, part: ErrorMoments, target: Target, window: Window, /) -> Measurement:
        """Measure what rows have left behind."""
        check_task(self, target)
        return told(self.name, window, part.n, *explained(part, centred=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedVariance(_Explained):
    """The share of the labels' variance that the outputs explain, were their bias taken away.

    explained variance = 1 - var(label - output) / var(label): R² forgives no bias, this does. None
    where the labels are all equal. stderr by the delta method, as of `R2`.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> said = Scored(outputs=np.array([2.0, 3.0, 4.0]))  # one too much each
    >>> target = Target(task="regression")
    >>> judged = Judged(target=target, labels=np.array([1.0, 2.0, 3.0]), scored=said)
    >>> ExplainedVariance().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    1.0
    """

    name = "explained_variance"

    def tell(self, part: ErrorMoments, target: Target, window: Window, /) -> Measurement:
        """Measure what rows have left behind."""
        check_task(self, target)
        return told(self.name, window, part.n, *explained(part, centred=True))


def squared(left: Floats, right: Floats | np.float64) -> Floats:
    """Return the squared differences; what does not fit a float is infinite."""
    with np.errstate(over="ignore"):
        return np.square(left - right)
