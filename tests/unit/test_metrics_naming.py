from __future__ import annotations

import numpy as np
import pytest

from ratoon import metrics
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Window
from ratoon.core.times import EPOCH
from ratoon.windows.judged import Judged, Scored, Target

NAMES = {
    "accuracy": metrics.Accuracy(),
    "average_precision": metrics.AveragePrecision(),
    "balanced_accuracy": metrics.BalancedAccuracy(),
    "bias": metrics.Bias(),
    "brier": metrics.Brier(),
    "calibration_error": metrics.CalibrationError(),
    "coverage": metrics.Coverage(),
    "explained_variance": metrics.ExplainedVariance(),
    "f1": metrics.F1(),
    "f_beta": metrics.FBeta(),
    "gamma_deviance": metrics.Deviance(power=2.0),
    "hit_rate": metrics.HitRate(),
    "interval_width": metrics.IntervalWidth(),
    "kappa": metrics.Kappa(),
    "log_loss": metrics.LogLoss(),
    "mae": metrics.MAE(),
    "map": metrics.MAP(),
    "mape": metrics.MAPE(),
    "max_error": metrics.MaxError(),
    "mcc": metrics.MCC(),
    "median_ae": metrics.MedianAE(),
    "mrr": metrics.MRR(),
    "msle": metrics.MSLE(),
    "ndcg": metrics.NDCG(),
    "pinball": metrics.Pinball(),
    "poisson_deviance": metrics.Deviance(),
    "precision": metrics.Precision(),
    "precision_at_k": metrics.PrecisionAtK(),
    "r2": metrics.R2(),
    "recall": metrics.Recall(),
    "recall_at_k": metrics.RecallAtK(),
    "rmse": metrics.RMSE(),
    "rmsle": metrics.RMSLE(),
    "roc_auc": metrics.RocAuc(),
    "smape": metrics.SMAPE(),
    "specificity": metrics.Specificity(),
    "top_k_accuracy": metrics.TopKAccuracy(),
    "tweedie_deviance": metrics.Deviance(power=1.5),
    "wape": metrics.WAPE(),
}
OF_RANKINGS = {"hit_rate", "map", "mrr", "ndcg", "precision_at_k", "recall_at_k"}
GREATER_IS_BETTER = OF_RANKINGS | {
    *("accuracy", "average_precision", "balanced_accuracy", "coverage", "explained_variance"),
    *("f1", "f_beta", "kappa", "mcc", "precision", "r2", "recall", "roc_auc", "specificity"),
    "top_k_accuracy",
}
OF_NUMBERS = {
    *("bias", "coverage", "explained_variance", "interval_width", "mae", "mape", "max_error"),
    *("median_ae", "msle", "pinball", "r2", "rmse", "rmsle", "smape", "wape"),
    *("gamma_deviance", "poisson_deviance", "tweedie_deviance"),
}


def rows_of(task: str) -> Judged:
    labels = np.array([0.0, 1.0, 1.0, 0.0])
    classes = {"binary": ("a", "b"), "multiclass": ("a", "b", "c")}.get(task, ())
    scores = np.full((4, len(classes)), 1 / len(classes)) if classes else None
    said = Scored(outputs=labels[::-1], scores=scores)
    target = Target(task=task, classes=classes)
    return Judged(target=target, labels=labels, scored=said, groups=np.array([1, 1, 2, 2]))


@pytest.mark.parametrize("name", NAMES)
def test_metric_is_found_by_its_name(name: str) -> None:
    """A name leads to the metric with default settings, which bears that name."""
    assert metrics.by_name(name) == NAMES[name]
    assert metrics.by_name(name).name == name


def test_unknown_name_is_refused() -> None:
    """Another name is refused with the names that there are."""
    with pytest.raises(SettingInvalid, match=r"metric must be one of accuracy, .*got 'auc'"):
        metrics.by_name("auc")


@pytest.mark.parametrize("name", NAMES)
def test_direction_and_tasks(name: str) -> None:
    """Each metric says which way is better, and which tasks it can judge."""
    metric = metrics.by_name(name)
    assert metric.greater_is_better == (name in GREATER_IS_BETTER)
    expected = {"binary", "multiclass"}
    if name in OF_NUMBERS | OF_RANKINGS:
        expected = {"regression"} if name in OF_NUMBERS else {"ranking"}
    assert metric.tasks == ({"multiclass"} if name == "top_k_accuracy" else expected)


def test_every_metric_has_a_name() -> None:
    """Every public metric can be had by name, but those that need a function or a matrix."""
    kinds = {type(metric).__name__ for metric in NAMES.values()}
    public = {
        name
        for name in metrics.__all__
        if hasattr(getattr(metrics, name), "measure") and name not in {"Metric", "Tally"}
    }
    assert public == kinds | {"Cost", "Custom", "Value"}


@pytest.mark.parametrize("name", NAMES)
def test_no_rows_have_no_value(name: str) -> None:
    """Of an empty window every metric is None, and its row losses, where it has some, are none."""
    metric = metrics.by_name(name)
    task = min(metric.tasks)
    empty = Judged(
        target=Target(task=task, classes=rows_of(task).target.classes),
        labels=np.zeros(0),
        scored=Scored(outputs=np.zeros(0)),
    )
    measured = metric.measure(empty, Window(start=EPOCH, end=EPOCH))
    assert (measured.value, measured.stderr, measured.n) == (None, None, 0)
    losses = metric.losses(empty)
    assert losses is None or len(losses) == 0


@pytest.mark.parametrize("name", NAMES)
def test_other_tasks_are_refused(name: str) -> None:
    """A metric says which tasks it can judge when it is given another."""
    metric = metrics.by_name(name)
    other = rows_of("ranking" if name not in OF_RANKINGS else "regression")
    for call in (
        lambda: metric.measure(other, Window(start=EPOCH, end=EPOCH)),
        lambda: metric.losses(other),
        lambda: metric.bound(other.target),
    ):
        with pytest.raises(SettingInvalid, match=f"task of metric '{name}'"):
            call()


@pytest.mark.parametrize("task", ["binary", "multiclass", "ranking", "regression"])
def test_defaults_can_judge_their_task(task: str) -> None:
    """The defaults of a task measure rows of it, each under its own name."""
    defaults = metrics.default_metrics(task)
    measured = [m.measure(rows_of(task), Window(start=EPOCH, end=EPOCH)) for m in defaults]
    assert all(measurement.value is not None for measurement in measured)
    assert len({measurement.metric for measurement in measured}) == len(defaults)


def test_first_default_has_row_losses() -> None:
    """The first default of every task is a mean of row losses, so that a gate can compare it."""
    for task in ("binary", "multiclass", "regression"):
        first = metrics.default_metrics(task)[0]
        losses = first.losses(rows_of(task))
        measurement = first.measure(rows_of(task), Window(start=EPOCH, end=EPOCH))
        assert losses.mean() == pytest.approx(measurement.value)


def test_unknown_task_is_refused() -> None:
    """Another task is refused with the tasks that there are."""
    with pytest.raises(
        SettingInvalid, match="task must be one of binary, multiclass, ranking, regr"
    ):
        metrics.default_metrics("clustering")
