"""Metrics: a window of labelled rows becomes a value, with its standard error."""

from ratoon.metrics.agreement import F1, Accuracy, Precision, Recall
from ratoon.metrics.custom import Custom
from ratoon.metrics.naming import by_name, default_metrics
from ratoon.metrics.probability import Brier, LogLoss
from ratoon.metrics.protocol import Metric
from ratoon.metrics.ranking import RocAuc
from ratoon.metrics.regression import MAE, R2, RMSE

__all__ = [
    "F1",
    "MAE",
    "R2",
    "RMSE",
    "Accuracy",
    "Brier",
    "Custom",
    "LogLoss",
    "Metric",
    "Precision",
    "Recall",
    "RocAuc",
    "by_name",
    "default_metrics",
]
