from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import ArrayLike
from sklearn import metrics as sk

from ratoon.core.errors import LengthMismatch, MetricNeedsColumn, SettingInvalid, ValueForbidden
from ratoon.core.measuring import Window
from ratoon.core.times import EPOCH
from ratoon.metrics import Brier, LogLoss, Metric, RocAuc
from ratoon.windows.judged import Judged, Scalar, Scored, Target

WINDOW = Window(start=EPOCH, end=EPOCH)


def judged(
    classes: Sequence[Scalar], labels: ArrayLike, scores: ArrayLike | None, task: str | None = None
) -> Judged:
    target = Target(
        task=task or ("binary" if len(classes) == 2 else "multiclass"), classes=tuple(classes)
    )
    table = None if scores is None else np.array(scores, dtype=float)
    said = Scored(outputs=np.zeros(len(labels)), scores=table)
    return Judged(target=target, labels=np.array(labels, dtype=float), scored=said)


def test_log_loss_of_an_impossible_label_is_clipped() -> None:
    """A label that got probability 0 costs -ln(clip), which is the bound."""
    rows = judged("ab", [0, 1], [[1.0, 0.0], [1.0, 0.0]])
    metric = LogLoss(clip=1e-3)
    assert metric.losses(rows).tolist() == [0.0, pytest.approx(3 * math.log(10))]
    assert metric.bound(rows.target) == pytest.approx(3 * math.log(10))
    assert metric.losses(rows).max() <= metric.bound(rows.target)


def test_log_loss_clips_at_one_in_a_million() -> None:
    """The default clip is 1e-6: one row costs at most 13.8."""
    assert LogLoss().bound(judged("ab", [0], [[1, 0]]).target) == pytest.approx(13.8155, abs=1e-4)


def test_log_loss_at_machine_epsilon_is_that_of_scikit_learn() -> None:
    """With scikit-learn's clip the two agree even where the model was sure and wrong."""
    scores = [[1.0, 0.0], [0.3, 0.7], [0.0, 1.0]]
    rows = judged("ab", [1, 1, 1], scores)
    value = LogLoss(clip=float(np.finfo(float).eps)).measure(rows, WINDOW).value
    assert value == pytest.approx(sk.log_loss([1, 1, 1], scores, labels=[0, 1]), rel=1e-12)
    assert value > 2 * LogLoss().measure(rows, WINDOW).value


@pytest.mark.parametrize("clip", [0.0, 1.0, -1e-6, math.nan])
def test_clip_must_be_a_share(clip: float) -> None:
    """A clip outside of (0, 1) is refused when it is set."""
    with pytest.raises(SettingInvalid, match="clip"):
        LogLoss(clip=clip)


def test_brier_of_the_worst_rows_is_its_bound() -> None:
    """A sure and wrong row costs 1 of two classes and 2 of several."""
    two = judged("ab", [1], [[1.0, 0.0]])
    three = judged("abc", [1], [[1.0, 0.0, 0.0]])
    assert Brier().losses(two).tolist() == [1.0] == [Brier().bound(two.target)]
    assert Brier().losses(three).tolist() == [2.0] == [Brier().bound(three.target)]


def test_brier_halves_by_the_task_and_not_by_the_columns() -> None:
    """Two classes of a multi-class target count in full: a third does not double the score."""
    scores = [[0.6, 0.4], [0.9, 0.1]]
    halved = Brier().measure(judged("ab", [0, 1], scores), WINDOW).value
    full = Brier().measure(judged("ab", [0, 1], scores, task="multiclass"), WINDOW).value
    assert full == pytest.approx(2 * halved)
    padded = [[*row, 0.0] for row in scores]
    assert Brier().measure(judged("abc", [0, 1], padded), WINDOW).value == pytest.approx(full)


@pytest.mark.parametrize("metric", [LogLoss(), Brier(), RocAuc()])
def test_class_that_the_model_lacks_has_probability_zero(metric: Metric) -> None:
    """Scores with fewer columns than classes measure as with columns of zeros behind."""
    labels = [0, 1, 2, 0, 1]
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.4, 0.6], [0.3, 0.7]])
    narrow = metric.measure(judged("abc", labels, scores), WINDOW)
    wide = metric.measure(judged("abc", labels, np.hstack([scores, np.zeros((5, 1))])), WINDOW)
    assert narrow == wide
    assert narrow.value is not None


def test_label_of_a_class_never_seen_in_training() -> None:
    """Its row costs the whole clip in log loss, and 1 + Σp² in Brier."""
    rows = judged("abc", [2], [[0.5, 0.5]])
    assert LogLoss().losses(rows)[0] == pytest.approx(-math.log(1e-6))
    assert Brier().losses(rows)[0] == pytest.approx(1.5)


@pytest.mark.parametrize("metric", [LogLoss(), Brier(), RocAuc()])
def test_rows_without_scores_are_refused(metric: Metric) -> None:
    """A metric of probabilities says that it needs scores."""
    with pytest.raises(MetricNeedsColumn, match=f"{metric.name!r} needs scores"):
        metric.measure(judged("ab", [0, 1], None), WINDOW)


@pytest.mark.parametrize("metric", [LogLoss(), Brier(), RocAuc()])
@pytest.mark.parametrize("scores", [None, np.zeros((0, 2))])
def test_no_rows_are_undefined(metric: Metric, scores: ArrayLike | None) -> None:
    """An empty window has no value and n 0, with or without scores."""
    measurement = metric.measure(judged("ab", [], scores), WINDOW)
    assert (measurement.value, measurement.stderr, measurement.n) == (None, None, 0)


@pytest.mark.parametrize("metric", [LogLoss(), Brier()])
def test_one_row_has_a_value_without_standard_error(metric: Metric) -> None:
    """One row gives a value, but says nothing about how sure it is."""
    measurement = metric.measure(judged("ab", [1], [[0.5, 0.5]]), WINDOW)
    assert measurement.value == pytest.approx(metric.losses(judged("ab", [1], [[0.5, 0.5]]))[0])
    assert (measurement.stderr, measurement.n) == (None, 1)


@pytest.mark.parametrize("metric", [LogLoss(), Brier(), RocAuc()])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(metric: Metric, wrong: float) -> None:
    """A NaN or infinite score is refused with its row, never averaged."""
    with pytest.raises(ValueForbidden, match=r"'scores' must be finite.* in row 1"):
        metric.measure(judged("ab", [0, 1], [[0.5, 0.5], [0.5, wrong]]), WINDOW)


@pytest.mark.parametrize("metric", [LogLoss(), Brier()])
@pytest.mark.parametrize("wrong", [-0.01, 1.01])
def test_scores_that_are_no_probabilities_are_refused(metric: Metric, wrong: float) -> None:
    """A score outside of [0, 1] is refused; rounding of single precision is not."""
    with pytest.raises(ValueForbidden, match="between 0 and 1"):
        metric.measure(judged("ab", [0], [[1 - wrong, wrong]]), WINDOW)
    nearly = judged("ab", [1], [[-1e-8, 1 + 1e-8]])
    assert metric.measure(nearly, WINDOW).value == 0.0


def test_more_columns_than_classes_are_refused() -> None:
    """Scores with more columns than the target has classes are an error."""
    with pytest.raises(SettingInvalid, match="columns of the scores"):
        LogLoss().measure(judged("ab", [0], [[0.2, 0.3, 0.5]]), WINDOW)


def test_scores_of_another_length_are_refused() -> None:
    """Scores of fewer rows than labels are an error."""
    with pytest.raises(LengthMismatch, match="scores"):
        Brier().measure(judged("ab", [0, 1], [[0.5, 0.5]]), WINDOW)


@pytest.mark.parametrize("metric", [LogLoss(), Brier(), RocAuc()])
def test_regression_is_refused(metric: Metric) -> None:
    """A metric of probabilities on a regression says which tasks it can judge."""
    rows = judged((), [0.5], None, task="regression")
    for call in (lambda: metric.measure(rows, WINDOW), lambda: metric.bound(rows.target)):
        with pytest.raises(SettingInvalid, match=f"{metric.name}.*binary, multiclass.*regression"):
            call()


def test_scores_are_not_changed() -> None:
    """Measuring leaves the rows as they were."""
    rows = judged("ab", [1], [[1 + 1e-8, -1e-8]])
    for metric in (LogLoss(), Brier()):
        metric.measure(rows, WINDOW)
        assert rows.scored.scores.tolist() == [[1 + 1e-8, -1e-8]]
