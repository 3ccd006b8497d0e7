"""Metrics of numbers that are a mean of row losses, or the root of one."""

from __future__ import annotations

import math

import numpy as np

from ratoon.core.errors import SettingInvalid, ValueForbidden
from ratoon.core.settings import one_of
from ratoon.estimates.chances import Figure
from ratoon.metrics.naming import by_name
from ratoon.windows.judged import Floats, Judged

LOSSES = ("mae", "mape", "msle", "rmse", "rmsle", "smape")
USUAL = ("mae", "rmse")
_ROOTS = ("rmse", "rmsle")


def check_names(metrics: tuple[str, ...]) -> None:
    """Refuse a metric of numbers that is no mean of row losses."""
    for name in metrics:
        one_of("metrics", name, LOSSES)


def losses_of(metric: str, judged: Judged) -> Floats:
    """Return what each row of a regression loses by `metric`; of a root, what stands below it.

    Raises:
        SettingInvalid: the task is not regression.
        RowsRefused: there are no rows, or a loss is not finite (of MAPE, where a label is 0).
    """
    if judged.target.task != "regression":
        raise SettingInvalid(f"the task of metric {metric!r}", "regression", judged.target.task)
    losses = by_name(metric).losses(judged)
    assert losses is not None
    wrong = np.flatnonzero(~np.isfinite(losses))
    if len(wrong):
        row = int(wrong[0])
        raise ValueForbidden(f"the loss by {metric}", "finite", float(losses[row]), row)
    return losses


def figure_of(metric: str, mean: float, spread: float, each: float) -> Figure:
    """Return the figure of a metric whose losses have this mean and these variances."""
    if metric not in _ROOTS:
        return Figure(metric=metric, value=mean, spread=spread, each=each)
    root = math.sqrt(mean)
    slope = 1.0 / (4.0 * mean) if mean > 0 else 0.0
    return Figure(metric=metric, value=root, spread=spread * slope, each=each * slope)


def sampling_of(metric: str, losses: Floats, rows: int) -> float:
    """Return NannyML's sampling error of a metric over `rows` rows: s/√n, by the delta method."""
    figure = figure_of(metric, float(losses.mean()), float(losses.var()), 0.0)
    return math.sqrt(figure.spread / rows)
