"""Metrics by name and by task."""

from __future__ import annotations

from ratoon.core.settings import one_of
from ratoon.metrics.agreement import F1, Accuracy, FBeta, Precision, Recall, Specificity
from ratoon.metrics.calibration import CalibrationError
from ratoon.metrics.chance import MCC, BalancedAccuracy, Kappa
from ratoon.metrics.deviance import Deviance
from ratoon.metrics.extremes import MaxError, MedianAE
from ratoon.metrics.probability import Brier, LogLoss
from ratoon.metrics.protocol import Metric
from ratoon.metrics.quantiles import Coverage, IntervalWidth, Pinball
from ratoon.metrics.queries import MAP, MRR, NDCG, HitRate, PrecisionAtK, RecallAtK
from ratoon.metrics.ranking import AveragePrecision, RocAuc, TopKAccuracy
from ratoon.metrics.regression import MAE, R2, RMSE, Bias, ExplainedVariance
from ratoon.metrics.relative import MAPE, MSLE, RMSLE, SMAPE, WAPE


def by_name(name: str) -> Metric:
    """Return the metric of that name, with default settings; another name is a `SettingInvalid`.

    >>> by_name("log_loss")
    LogLoss(clip=1e-06)
    """
    metrics = (*_of_classes(), *_of_numbers(), *_of_rankings())
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
        "ranking": (NDCG(), MAP(), MRR()),
        "regression": (MAE(), RMSE(), R2()),
    }
    one_of("task", task, defaults)
    return defaults[task]


def _of_classes() -> tuple[Metric, ...]:
    return (
        Accuracy(),
        AveragePrecision(),
        BalancedAccuracy(),
        Brier(),
        CalibrationError(),
        F1(),
        FBeta(),
        Kappa(),
        LogLoss(),
        MCC(),
        Precision(),
        Recall(),
        RocAuc(),
        Specificity(),
        TopKAccuracy(),
    )


def _of_numbers() -> tuple[Metric, ...]:
    return (
        Bias(),
        Coverage(),
        Deviance(power=1.0),
        Deviance(power=1.5),
        Deviance(power=2.0),
        ExplainedVariance(),
        IntervalWidth(),
        MAE(),
        MAPE(),
        MaxError(),
        MedianAE(),
        MSLE(),
        Pinball(),
        R2(),
        RMSE(),
        RMSLE(),
        SMAPE(),
        WAPE(),
    )


def _of_rankings() -> tuple[Metric, ...]:
    return (HitRate(), MAP(), MRR(), NDCG(), PrecisionAtK(), RecallAtK())
