"""Metrics of predicted numbers: MAE, RMSE and R²."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ratoon.core.measuring import Measurement, Window
from ratoon.metrics.checking import check_task, numbers
from ratoon.metrics.influence import (
    mean_influence,
    mean_measured,
    measured,
    ratio_influence,
    undefined,
)
from ratoon.windows.judged import Floats, Judged, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class MAE:
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
    greater_is_better = False

    def measure(self, judged: Judged, window: Window, /) -> Measurement:
        """Measure the mean absolute error."""
        return mean_measured(self.name, window, self.losses(judged))

    def losses(self, judged: Judged, /) -> Floats:
        """Return the absolute error of each row."""
        labels, outputs = numbers(self, judged)
        with np.errstate(over="ignore"):
            return np.abs(labels - outputs)

    def bound(self, target: Target, /) -> None:
        """Return None: an error can be of any size."""
        check_task(self, target)


@dataclass(frozen=True, slots=True, kw_only=True)
class RMSE:
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
    greater_is_better = False

    def measure(self, judged: Judged, window: Window, /) -> Measurement:
        """Measure the root of the mean squared error."""
        squares, rows = self.losses(judged), len(judged)
        if rows == 0:
            return undefined(self.name, window, 0)
        with np.errstate(over="ignore", invalid="ignore"):
            value = math.sqrt(float(squares.mean()))
            influence = mean_influence(squares) / (2 * value or 1.0)
        return measured(self.name, window, rows, value, influence)

    def losses(self, judged: Judged, /) -> Floats:
        """Return the squared error of each row, whose mean is the square of the metric."""
        return squared(*numbers(self, judged))

    def bound(self, target: Target, /) -> None:
        """Return None: an error can be of any size."""
        check_task(self, target)


@dataclass(frozen=True, slots=True, kw_only=True)
class R2:
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
    tasks = frozenset({"regression"})
    greater_is_better = True

    def measure(self, judged: Judged, window: Window, /) -> Measurement:
        """Measure the share of variance explained."""
        labels, outputs = numbers(self, judged)
        rows = len(labels)
        if rows == 0 or labels.min() == labels.max():
            return undefined(self.name, window, rows)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            errors, spread = squared(labels, outputs), squared(labels, labels.mean())
            value = float(1.0 - errors.sum() / spread.sum())
            influence = ratio_influence(errors, spread)
        return measured(self.name, window, rows, value, influence)

    def losses(self, judged: Judged, /) -> None:
        """Return None: the denominator belongs to the window, not to a row."""
        check_task(self, judged.target)

    def bound(self, target: Target, /) -> None:
        """Return None: there are no row losses."""
        check_task(self, target)


def squared(left: Floats, right: Floats | np.float64) -> Floats:
    """Return the squared differences; what does not fit a float is infinite."""
    with np.errstate(over="ignore"):
        return np.square(left - right)
