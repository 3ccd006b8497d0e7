"""Metrics of predicted numbers by their size: errors as a share, or of the logarithm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ratoon.core.measuring import Measurement, Window
from ratoon.metrics.checking import check_task, numbers, refuse
from ratoon.metrics.influence import measured, ratio_influence, undefined
from ratoon.metrics.means import OfMean
from ratoon.metrics.regression import RMSE, squared
from ratoon.windows.judged import Floats, Judged, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class MAPE(OfMean):
    """The mean absolute error as a share of the label: 0.1 is 10 %.

    MAPE = mean(|label - output| / |label|); stderr = s/√n. A row whose label is 0 has no loss only
    where the output is 0 too, else an infinite one, and the metric is None: scikit-learn divides
    by 2.2e-16. It forgives outputs that are too small (at most 1) more than ones that are too
    large, and is ruled by the rows of small labels: `WAPE` and `SMAPE` less so.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> said = Scored(outputs=np.array([1.0, 3.0]))
    >>> target = Target(task="regression")
    >>> judged = Judged(target=target, labels=np.array([2.0, 4.0]), scored=said)
    >>> MAPE().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.375
    """

    name = "mape"
    tasks = frozenset({"regression"})

    def losses(self, judged: Judged, /) -> Floats:
        """Return the absolute error of each row as a share of the label."""
        labels, outputs = numbers(self, judged)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            errors = np.abs(labels - outputs)
            return np.where(errors == 0, 0.0, errors / np.abs(labels))


@dataclass(frozen=True, slots=True, kw_only=True)
class SMAPE(OfMean):
    """The mean absolute error as a share of the mean size of label and output, from 0 to 2.

    sMAPE = mean(2 |label - output| / (|label| + |output|)), 0 where both are 0; stderr = s/√n. A
    row whose signs differ has the greatest loss, 2, however small both are.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> said = Scored(outputs=np.array([1.0, 0.0]))
    >>> target = Target(task="regression")
    >>> judged = Judged(target=target, labels=np.array([3.0, 0.0]), scored=said)
    >>> SMAPE().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.5

    Source: Makridakis & Hibon (2000), "The M3-Competition", appendix A.
    """

    name = "smape"
    tasks = frozenset({"regression"})
    value_range = (0.0, 2.0)

    def losses(self, judged: Judged, /) -> Floats:
        """Return twice the absolute error of each row, over the sizes of label and output."""
        labels, outputs = (np.abs(side) for side in numbers(self, judged))
        apart = np.abs(judged.labels / 2 - judged.scored.outputs / 2)  # halves do not overflow
        sizes = labels / 2 + outputs / 2
        shares = np.divide(apart, sizes, out=np.zeros(len(apart)), where=sizes > 0)
        return np.minimum(2.0 * shares, 2.0)

    def bound(self, target: Target, /) -> float:
        """Return 2."""
        check_task(self, target)
        return 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WAPE:
    """All absolute errors as a share of all labels: MAPE with each row weighed by its label.

    WAPE = Σ|label - output| / Σ|label|; None where all labels are 0. stderr by the delta method on
    the ratio.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> said = Scored(outputs=np.array([1.0, 3.0]))
    >>> target = Target(task="regression")
    >>> judged = Judged(target=target, labels=np.array([0.0, 4.0]), scored=said)
    >>> WAPE().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.5

    Source: Kolassa & Schütz (2007), "Advantages of the MAD/Mean ratio over the MAPE".
    """

    name = "wape"
    tasks = frozenset({"regression"})
    greater_is_better = False
    value_range = (0.0, np.inf)

    def measure(self, judged: Judged, window: Window, /) -> Measurement:
        """Measure the share."""
        labels, outputs = numbers(self, judged)
        sizes = np.abs(labels)
        if not (sizes > 0).any():
            return undefined(self.name, window, len(labels))
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            errors = np.abs(labels - outputs)
            value = float(errors.sum() / sizes.sum())
            influence = ratio_influence(errors, sizes)
        return measured(self.name, window, len(labels), value, influence)

    def losses(self, judged: Judged, /) -> None:
        """Return None: the denominator belongs to the window, not to a row."""
        check_task(self, judged.target)

    def bound(self, target: Target, /) -> None:
        """Return None: there are no row losses."""
        check_task(self, target)


@dataclass(frozen=True, slots=True, kw_only=True)
class MSLE(OfMean):
    """The mean squared error of ln(1 + x): an error of a factor counts alike at every size.

    MSLE = mean((ln(1 + label) - ln(1 + output))²); stderr = s/√n. Labels and outputs must be above
    -1; a value at or below it raises `ValueForbidden`, as in scikit-learn.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> said = Scored(outputs=np.array([0.0, np.e - 1]))
    >>> target = Target(task="regression")
    >>> judged = Judged(target=target, labels=np.array([0.0, 0.0]), scored=said)
    >>> MSLE().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.5
    """

    name = "msle"
    tasks = frozenset({"regression"})

    def losses(self, judged: Judged, /) -> Floats:
        """Return the squared error of the logarithm of each row."""
        return _squared_logs(*numbers(self, judged))


@dataclass(frozen=True, slots=True, kw_only=True)
class RMSLE(RMSE):
    """The root of the mean squared error of ln(1 + x); about the usual error as a share.

    RMSLE = √MSLE; stderr by the delta method, as of `RMSE`. `losses` are those of `MSLE`: their
    mean is RMSLE².

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> said = Scored(outputs=np.array([1.0, np.e - 1]))
    >>> target = Target(task="regression")
    >>> judged = Judged(target=target, labels=np.array([1.0, 0.0]), scored=said)
    >>> round(RMSLE().measure(judged, Window(start=EPOCH, end=EPOCH)).value, 4)
    0.7071
    """

    name = "rmsle"

    def losses(self, judged: Judged, /) -> Floats:
        """Return the squared error of the logarithm of each row."""
        return _squared_logs(*numbers(self, judged))


def _squared_logs(labels: Floats, outputs: Floats) -> Floats:
    refuse(labels <= -1, "labels", "above -1", labels)
    refuse(outputs <= -1, "outputs", "above -1", outputs)
    return squared(np.log1p(labels), np.log1p(outputs))
