from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from ratoon.core.errors import LengthMismatch, SettingInvalid, ValueForbidden
from ratoon.core.measuring import Window
from ratoon.core.times import EPOCH
from ratoon.metrics import MAE, R2, RMSE
from ratoon.windows.judged import Judged, Scalar, Scored, Target

WINDOW = Window(start=EPOCH, end=EPOCH)


def judged(
    labels: ArrayLike,
    outputs: ArrayLike,
    task: str = "regression",
    classes: tuple[Scalar, ...] = (),
) -> Judged:
    said = Scored(outputs=np.array(outputs, dtype=float))
    target = Target(task=task, classes=classes)
    return Judged(target=target, labels=np.array(labels, dtype=float), scored=said)


def test_losses_are_absolute_and_squared_errors() -> None:
    """MAE's losses are absolute errors, RMSE's are squared ones, R² has none; none has a bound."""
    rows = judged([1, 2, 3], [1, 4, 0])
    assert MAE().losses(rows).tolist() == [0, 2, 3]
    assert RMSE().losses(rows).tolist() == [0, 4, 9]
    assert R2().losses(rows) is None
    assert [metric.bound(rows.target) for metric in (MAE(), RMSE(), R2())] == [None] * 3


def test_rmse_is_the_root_of_the_mean_loss() -> None:
    """Its losses average to its square."""
    rows = judged([1.5, 2, 3, 9], [1, 4, 0, 5])
    value = RMSE().measure(rows, WINDOW).value
    assert value**2 == pytest.approx(RMSE().losses(rows).mean())


@pytest.mark.parametrize("labels", [[3.0], [0.1, 0.1, 0.1], [0.1] * 7])
def test_r2_of_equal_labels_is_undefined(labels: ArrayLike) -> None:
    """Without variance there is none to explain, whatever the rounding of the mean."""
    measurement = R2().measure(judged(labels, np.arange(len(labels))), WINDOW)
    assert (measurement.value, measurement.stderr, measurement.n) == (None, None, len(labels))


@pytest.mark.parametrize("metric", [MAE(), RMSE()])
def test_perfect_outputs_have_no_error(metric: Any) -> None:
    """No error at all measures as 0 with standard error 0."""
    measurement = metric.measure(judged([1, 2, 3], [1, 2, 3]), WINDOW)
    assert (measurement.value, measurement.stderr) == (0.0, 0.0)


def test_r2_of_perfect_and_of_mean_outputs() -> None:
    """Perfect outputs explain all, the mean of the labels explains nothing."""
    assert R2().measure(judged([1, 2, 6], [1, 2, 6]), WINDOW).value == 1.0
    assert R2().measure(judged([1, 2, 6], [3, 3, 3]), WINDOW).value == 0.0


@pytest.mark.parametrize("metric", [MAE(), RMSE(), R2()])
def test_no_rows_are_undefined(metric: Any) -> None:
    """An empty window has no value, no standard error and n 0."""
    measurement = metric.measure(judged([], []), WINDOW)
    assert (measurement.value, measurement.stderr, measurement.n) == (None, None, 0)


@pytest.mark.parametrize("metric", [MAE(), RMSE()])
def test_one_row_has_a_value_without_standard_error(metric: Any) -> None:
    """One row gives a value, but says nothing about how sure it is."""
    measurement = metric.measure(judged([1.0], [3.0]), WINDOW)
    assert (measurement.value, measurement.stderr, measurement.n) == (2.0, None, 1)


@pytest.mark.parametrize("metric", [MAE(), RMSE(), R2()])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(metric: Any, wrong: float) -> None:
    """A NaN or infinite label or output is refused with its row."""
    with pytest.raises(ValueForbidden, match=r"'labels' must be finite.* in row 1"):
        metric.measure(judged([1, wrong, 3], [1, 2, 3]), WINDOW)
    with pytest.raises(ValueForbidden, match=r"'outputs' must be finite.* in row 2"):
        metric.measure(judged([1, 2, 3], [1, 2, wrong]), WINDOW)


@pytest.mark.parametrize("metric", [MAE(), RMSE(), R2()])
def test_what_does_not_fit_a_float_is_none(metric: Any) -> None:
    """Errors beyond the largest float give None: no NaN, no infinity, no warning."""
    measurement = metric.measure(judged([1.7e308, -1.7e308, 0], [-1.7e308, 1.7e308, 1]), WINDOW)
    assert (measurement.value, measurement.stderr, measurement.n) == (None, None, 3)


def test_standard_error_that_does_not_fit_is_none() -> None:
    """The value stays where only the standard error is beyond the largest float."""
    measurement = MAE().measure(judged([1e200, 0], [0, 0]), WINDOW)
    assert (measurement.value, measurement.stderr) == (5e199, None)


@pytest.mark.parametrize("metric", [MAE(), RMSE(), R2()])
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_classes_are_refused(metric: Any, task: str) -> None:
    """A metric of numbers on classes says which metric and which task it can judge."""
    rows = judged([0, 1], [0, 1], task=task, classes=("a", "b"))
    for call in (
        lambda: metric.measure(rows, WINDOW),
        lambda: metric.losses(rows),
        lambda: metric.bound(rows.target),
    ):
        with pytest.raises(SettingInvalid, match=f"{metric.name}.*regression.*{task}"):
            call()


def test_columns_of_different_length_are_refused() -> None:
    """One output for three labels is an error, not a broadcast."""
    with pytest.raises(LengthMismatch):
        MAE().measure(judged([0, 1, 1], [1]), WINDOW)
