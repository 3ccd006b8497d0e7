"""Metrics of single errors: the median one and the largest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ratoon.core.measuring import Measurement, Window
from ratoon.metrics.checking import check_task, numbers
from ratoon.metrics.influence import told, undefined
from ratoon.windows.judged import Floats, Judged, Target

_Z = 1.96  # half the width, in standard errors, of the interval that the spread is read from


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfErrors:
    tasks = frozenset({"regression"})
    greater_is_better = False
    value_range = (0.0, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class MedianAE(_OfErrors):
    """The median absolute error: half the rows err by less. A few wild errors do not move it.

    stderr = (e(u) - e(l)) / (2 · 1.96), where e(l) and e(u) are the errors of rank n/2 - 1.96 √n/2
    from below and from above, between which the median lies with a chance of 95 %. It is poor on
    fewer than about 30 rows and where many errors are equal, and None on fewer than eight rows,
    where those ranks do not exist.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> said = Scored(outputs=np.array([1.0, 2.0, 50.0]))
    >>> target = Target(task="regression")
    >>> judged = Judged(target=target, labels=np.array([1.0, 3.0, 3.0]), scored=said)
    >>> MedianAE().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    1.0

    Source: Woodruff (1952), "Confidence intervals for medians and other position measures", JASA
    47, 635-646.
    """

    name = "median_ae"

    def measure(self, judged: Judged, window: Window, /) -> Measurement:
        """Measure the median absolute error."""
        labels, outputs = numbers(self, judged)
        rows = len(labels)
        if rows == 0:
            return undefined(self.name, window, 0)
        with np.errstate(over="ignore", invalid="ignore"):
            errors = np.sort(np.abs(labels - outputs))
            value = float(errors[(rows - 1) // 2] / 2 + errors[rows // 2] / 2)
            stderr = _spread(errors)
        return told(self.name, window, rows, value, stderr)

    def losses(self, judged: Judged, /) -> None:
        """Return None: a median is no mean of row losses."""
        check_task(self, judged.target)

    def bound(self, target: Target, /) -> None:
        """Return None: there are no row losses."""
        check_task(self, target)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxError(_OfErrors):
    """The largest absolute error.

    It has no standard error: it is ruled by one row, and grows with the number of rows, so that
    windows of different size do not compare.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> said = Scored(outputs=np.array([1.0, 2.0, 5.0]))
    >>> target = Target(task="regression")
    >>> judged = Judged(target=target, labels=np.array([1.0, 3.0, 3.0]), scored=said)
    >>> MaxError().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    2.0
    """

    name = "max_error"

    def measure(self, judged: Judged, window: Window, /) -> Measurement:
        """Measure the largest absolute error."""
        labels, outputs = numbers(self, judged)
        if len(labels) == 0:
            return undefined(self.name, window, 0)
        with np.errstate(over="ignore"):
            value = float(np.abs(labels - outputs).max())
        return told(self.name, window, len(labels), value, math.nan)

    def losses(self, judged: Judged, /) -> None:
        """Return None: a maximum is no mean of row losses."""
        check_task(self, judged.target)

    def bound(self, target: Target, /) -> None:
        """Return None: there are no row losses."""
        check_task(self, target)


def _spread(ordered: Floats) -> float:
    """Return the stderr of the median of values in order; NaN of too few."""
    rows = len(ordered)
    away = _Z * math.sqrt(rows) / 2
    low = math.floor(rows / 2 - away)  # rank from 1; as many errors lie above the upper one
    if low < 1:
        return math.nan
    return float(ordered[rows - low] - ordered[low - 1]) / (2 * _Z)
