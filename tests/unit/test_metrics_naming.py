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
    "brier": metrics.Brier(),
    "f1": metrics.F1(),
    "log_loss": metrics.LogLoss(),
    "mae": metrics.MAE(),
    "precision": metrics.Precision(),
    "r2": metrics.R2(),
    "recall": metrics.Recall(),
    "rmse": metrics.RMSE(),
    "roc_auc": metrics.RocAuc(),
}
ERRORS = {"brier", "log_loss", "mae", "rmse"}
NUMBERS = {"mae", "r2", "rmse"}


def rows_of(task: str) -> Judged:
    labels = np.array([0.0, 1.0, 1.0, 0.0])
    classes = {"binary": ("a", "b"), "multiclass": ("a", "b", "c"), "regression": ()}[task]
    scores = np.full((4, len(classes)), 1 / len(classes)) if classes else None
    said = Scored(outputs=labels[::-1], scores=scores)
    return Judged(target=Target(task=task, classes=classes), labels=labels, scored=said)


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
    assert metric.greater_is_better == (name not in ERRORS)
    expected = {"regression"} if name in NUMBERS else {"binary", "multiclass"}
    assert metric.tasks == expected


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
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
    with pytest.raises(SettingInvalid, match="task must be one of binary, multiclass, regression"):
        metrics.default_metrics("ranking")
