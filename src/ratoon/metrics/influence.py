r"""Standard errors by influence functions, the one mechanism of every metric here.

The influence of row i on a statistic T is the derivative of T by the weight of that row, times n:
ψᵢ = n ∂T/∂wᵢ. The infinitesimal jackknife then says

    stderr(T) = √(Σ ψᵢ²) / n

Every ψ here is inflated by √(m / (m - 1)), m being the number of rows of its group, so that the
standard error of a mean is the familiar s/√n, where s has the divisor n - 1, and the standard
error of ROC-AUC is that of DeLong.

Source: Jaeckel (1972), "The infinitesimal jackknife"; Efron (1982), "The Jackknife, the Bootstrap
and Other Resampling Plans", chapter 6, equation 6.3.
"""

from __future__ import annotations

import math

import numpy as np

from ratoon.core.measuring import Measurement, Window
from ratoon.windows.judged import Floats


def inflation(rows: int) -> float:
    """Return √(m / (m - 1)) for m rows; NaN where one row says nothing about its spread."""
    return math.sqrt(rows / (rows - 1)) if rows > 1 else math.nan


def mean_influence(values: Floats) -> Floats:
    """Return the influence of each row on the mean of `values`: (x - mean) √(n / (n - 1)).

    >>> import numpy as np
    >>> mean_influence(np.array([1.0, 3.0])).round(3).tolist()
    [-1.414, 1.414]
    """
    return (values - values.mean()) * inflation(len(values))


def ratio_influence(top: Floats, bottom: Floats) -> Floats:
    """Return the influence of each row on R = Σ top / Σ bottom, by the delta method.

    ψ = (top - R bottom) / mean(bottom), inflated by √(n / (n - 1)).
    """
    ratio = top.sum() / bottom.sum()
    return (top - ratio * bottom) / bottom.mean() * inflation(len(top))


def standard_error(influence: Floats) -> float:
    """Return √(Σ ψ²) / n.

    >>> import numpy as np
    >>> standard_error(mean_influence(np.array([1.0, 3.0])))
    1.0
    """
    return math.sqrt(float(influence @ influence)) / len(influence)


def measured(
    metric: str,
    window: Window,
    rows: int,
    value: float,
    influence: Floats,
    support: float | None = None,
) -> Measurement:
    """Return the measurement of `value`; what is not finite becomes None."""
    with np.errstate(over="ignore", invalid="ignore"):
        stderr = standard_error(influence)
    return told(metric, window, rows, value, stderr, support)


def told(
    metric: str,
    window: Window,
    rows: int,
    value: float,
    stderr: float,
    support: float | None = None,
) -> Measurement:
    """Return a measurement; what is not finite becomes None, as a support of all rows."""
    if not math.isfinite(value):
        return undefined(metric, window, rows)
    return Measurement(
        metric=metric,
        window=window,
        value=value,
        n=rows,
        stderr=stderr if math.isfinite(stderr) else None,
        support=None if support is None or support >= rows else int(support),
    )


def undefined(metric: str, window: Window, rows: int) -> Measurement:
    """Return the measurement of a metric that `rows` rows do not define."""
    return Measurement(metric=metric, window=window, value=None, n=rows)
