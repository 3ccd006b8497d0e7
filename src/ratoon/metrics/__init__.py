"""Metrics: a window of labelled rows becomes a value, with its standard error."""

from ratoon.metrics import slices
from ratoon.metrics.agreement import F1, Accuracy, FBeta, Precision, Recall, Specificity
from ratoon.metrics.business import Cost, Value
from ratoon.metrics.calibration import CalibrationError
from ratoon.metrics.chance import MCC, BalancedAccuracy, Kappa
from ratoon.metrics.custom import Custom
from ratoon.metrics.cutting import cut
from ratoon.metrics.deviance import Deviance
from ratoon.metrics.extremes import MaxError, MedianAE
from ratoon.metrics.intervals import interval
from ratoon.metrics.merging import Tally, by_class, measure_all, tally
from ratoon.metrics.naming import by_name, default_metrics
from ratoon.metrics.probability import Brier, LogLoss
from ratoon.metrics.protocol import Metric
from ratoon.metrics.quantiles import Coverage, IntervalWidth, Pinball
from ratoon.metrics.queries import MAP, MRR, NDCG, HitRate, PrecisionAtK, RecallAtK
from ratoon.metrics.ranking import AveragePrecision, RocAuc, TopKAccuracy
from ratoon.metrics.regression import MAE, R2, RMSE, Bias, ExplainedVariance
from ratoon.metrics.relative import MAPE, MSLE, RMSLE, SMAPE, WAPE
from ratoon.metrics.waiting import immature

__all__ = [
    "F1",
    "MAE",
    "MAP",
    "MAPE",
    "MCC",
    "MRR",
    "MSLE",
    "NDCG",
    "R2",
    "RMSE",
    "RMSLE",
    "SMAPE",
    "WAPE",
    "Accuracy",
    "AveragePrecision",
    "BalancedAccuracy",
    "Bias",
    "Brier",
    "CalibrationError",
    "Cost",
    "Coverage",
    "Custom",
    "Deviance",
    "ExplainedVariance",
    "FBeta",
    "HitRate",
    "IntervalWidth",
    "Kappa",
    "LogLoss",
    "MaxError",
    "MedianAE",
    "Metric",
    "Pinball",
    "Precision",
    "PrecisionAtK",
    "Recall",
    "RecallAtK",
    "RocAuc",
    "Specificity",
    "Tally",
    "TopKAccuracy",
    "Value",
    "by_class",
    "by_name",
    "cut",
    "default_metrics",
    "immature",
    "interval",
    "measure_all",
    "slices",
    "tally",
]
