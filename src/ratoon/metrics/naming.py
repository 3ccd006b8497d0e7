"""Metrics by name and by task."""

from __future__ import annotations

from ratoon.core.settings import one_of
from ratoon.metrics.agreement import F1, Accuracy, Precision, Recall
from ratoon.metrics.probability import Brier, LogLoss
from ratoon.metrics.protocol import Metric
from ratoon.metrics.ranking import RocAuc
from ratoon.metrics.regression import MAE, R2, RMSE


def by_name(name: str) -> Metric:
    """Return the metric of that name, with default settings; another name is a `SettingInvalid`.

    >>> by_name("log_loss")
    LogLoss(clip=1e-06)
    """
    metrics: tuple[Metric, ...] = (
        Accuracy(),
        Brier(),
        F1(),
        LogLoss(),
        MAE(),
        Precision(),
        R2(),
        RMSE(),
        Recall(),
        RocAuc(),
    )
    known = {metric.name: metric for metric in metrics}
    one_of("metric", name, known)
    return known[name]


def default_metrics(task: str) -> tuple[Metric, ...]:
    """Return the metrics that a loop measures if none are chosen, the most telling one first.

    >>> default_metrics("regression")
    (MAE(), RMSE(), R2())
    """
    defaults: dict[str, tuple[Metric, ...]] = {
        "binary": (LogLoss(), Brier(), Accuracy(), RocAuc()),
        "multiclass": (LogLoss(), Brier(), Accuracy()),
        "regression": (MAE(), RMSE(), R2()),
    }
    one_of("task", task, defaults)
    return defaults[task]
