from __future__ import annotations

import warnings
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from numpy.typing import ArrayLike
from sklearn import metrics as sk

from ratoon.core.measuring import Window
from ratoon.core.times import EPOCH
from ratoon.metrics import F1, MAE, R2, RMSE, Accuracy, Brier, LogLoss, Precision, Recall, RocAuc
from ratoon.windows.judged import Floats, Judged, Scored, Target

WINDOW = Window(start=EPOCH, end=EPOCH)
RATIOS = [(Precision, "precision"), (Recall, "recall"), (F1, "f1")]
Classified: TypeAlias = tuple[list[int], list[int], int]
Probable: TypeAlias = tuple[list[int], Floats, int]
Predicted: TypeAlias = tuple[Floats, Floats]
EXAMPLES = settings(deadline=None, max_examples=60)


def judged(
    task: str,
    labels: ArrayLike,
    outputs: ArrayLike,
    scores: Floats | None = None,
    classes: tuple[int, ...] = (),
) -> Judged:
    said = Scored(outputs=np.array(outputs, dtype=float), scores=scores)
    target = Target(task=task, classes=classes)
    return Judged(target=target, labels=np.array(labels, dtype=float), scored=said)


def task_of(classes: int) -> str:
    return "binary" if classes == 2 else "multiclass"


@st.composite
def classified(draw: DrawFn, least: int = 2, most: int = 5) -> Classified:
    """Rows of labels and outputs, and the number of classes."""
    count, rows = draw(st.integers(least, most)), draw(st.integers(1, 30))
    codes = st.lists(st.integers(0, count - 1), min_size=rows, max_size=rows)
    return draw(codes), draw(codes), count


@st.composite
def probable(draw: DrawFn, least: int = 2, most: int = 5) -> Probable:
    """Labels, and probabilities with many ties, zeros and ones."""
    labels, _, count = draw(classified(least, most))
    weights = st.lists(st.integers(0, 4), min_size=count, max_size=count).filter(any)
    table = np.array(draw(st.lists(weights, min_size=len(labels), max_size=len(labels))))
    return labels, table / table.sum(axis=1, keepdims=True), count


@st.composite
def predicted(draw: DrawFn) -> Predicted:
    """Labels and outputs of a regression, of moderate size."""
    rows = draw(st.integers(1, 30))
    value = st.floats(-1e6, 1e6).map(lambda number: round(number, 3))
    values = st.lists(value, min_size=rows, max_size=rows)
    return np.array(draw(values)), np.array(draw(values))


@given(data=classified())
@EXAMPLES
def test_accuracy_is_that_of_scikit_learn(data: Classified) -> None:
    """Accuracy equals scikit-learn's on any classes."""
    labels, outputs, count = data
    rows = judged(task_of(count), labels, outputs, classes=tuple(range(count)))
    oracle = sk.accuracy_score(labels, outputs)
    assert Accuracy().measure(rows, WINDOW).value == pytest.approx(oracle, abs=1e-12)


@pytest.mark.parametrize(("metric", "oracle"), RATIOS)
@given(data=classified(most=2), positive=st.sampled_from([0, 1]))
@EXAMPLES
def test_ratio_of_one_class_is_that_of_scikit_learn(
    metric: type[Precision | Recall | F1], oracle: str, data: Classified, positive: int
) -> None:
    """Precision, recall and F1 equal scikit-learn's, None where scikit-learn divides 0 by 0."""
    labels, outputs, _ = data
    rows = judged("binary", labels, outputs, classes=("no", "yes"))
    value = metric(positive=("no", "yes")[positive]).measure(rows, WINDOW).value
    score = getattr(sk, f"{oracle}_score")
    expected = score(labels, outputs, pos_label=positive, zero_division=np.nan)
    assert (value is None) == np.isnan(expected)
    assert value is None or value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("metric", "oracle"), RATIOS)
@given(data=classified())
@EXAMPLES
def test_macro_average_is_that_of_scikit_learn(
    metric: type[Precision | Recall | F1], oracle: str, data: Classified
) -> None:
    """Macro averages equal scikit-learn's with its default classes and 0 for 0/0."""
    labels, outputs, count = data
    rows = judged(task_of(count), labels, outputs, classes=tuple(range(count)))
    expected = getattr(sk, f"{oracle}_score")(labels, outputs, average="macro", zero_division=0)
    value = metric(average="macro").measure(rows, WINDOW).value
    assert value == pytest.approx(expected, abs=1e-12)


@given(data=probable())
@EXAMPLES
def test_log_loss_is_that_of_scikit_learn(data: Probable) -> None:
    """With scikit-learn's clip, log loss equals scikit-learn's, zeros and ones included."""
    labels, scores, count = data
    classes = tuple(range(count))
    rows = judged(task_of(count), labels, labels, scores, classes)
    oracle = sk.log_loss(labels, scores, labels=classes)
    value = LogLoss(clip=float(np.finfo(float).eps)).measure(rows, WINDOW).value
    assert value == pytest.approx(oracle, rel=1e-12, abs=1e-12)


@given(data=probable())
@EXAMPLES
def test_brier_is_that_of_scikit_learn(data: Probable) -> None:
    """The Brier score equals scikit-learn's, halved for two classes and in full for several."""
    labels, scores, count = data
    classes = tuple(range(count))
    rows = judged(task_of(count), labels, labels, scores, classes)
    oracle = sk.brier_score_loss(labels, scores, labels=classes)
    assert Brier().measure(rows, WINDOW).value == pytest.approx(oracle, rel=1e-12, abs=1e-12)


@given(data=probable())
@EXAMPLES
def test_losses_lie_between_zero_and_the_bound(data: Probable) -> None:
    """No row loses less than 0 or more than the bound, so that a bounded test may rest on it."""
    labels, scores, count = data
    rows = judged(task_of(count), labels, scores.argmax(axis=1), scores, tuple(range(count)))
    for metric in (Accuracy(), LogLoss(), Brier()):
        losses = metric.losses(rows)
        assert losses.min() >= 0
        assert losses.max() <= metric.bound(rows.target)


@given(data=probable(most=2))
@EXAMPLES
def test_area_is_that_of_scikit_learn(data: Probable) -> None:
    """ROC-AUC of two classes equals scikit-learn's with ties, and is None with one class."""
    labels, scores, _ = data
    value = RocAuc().measure(judged("binary", labels, labels, scores, (0, 1)), WINDOW).value
    if len(set(labels)) < 2:
        assert value is None
    else:
        oracle = sk.roc_auc_score(labels, scores[:, 1])
        assert value == pytest.approx(oracle, rel=1e-12, abs=1e-12)


@given(data=probable(least=3, most=4))
@EXAMPLES
def test_area_of_several_classes_is_the_mean_over_those_present(data: Probable) -> None:
    """Each class that occurs is ranked against the rest by scikit-learn, and averaged."""
    labels, scores, count = data
    rows = judged("multiclass", labels, labels, scores, tuple(range(count)))
    value = RocAuc().measure(rows, WINDOW).value
    present = sorted(set(labels))
    assert (value is None) == (len(present) < 2)
    assume(value is not None)
    areas = [sk.roc_auc_score(np.equal(labels, c), scores[:, c]) for c in present]
    assert value == pytest.approx(np.mean(areas), rel=1e-12, abs=1e-12)


@given(data=predicted())
@EXAMPLES
def test_errors_are_those_of_scikit_learn(data: Predicted) -> None:
    """MAE and RMSE equal scikit-learn's."""
    rows = judged("regression", *data)
    assert MAE().measure(rows, WINDOW).value == pytest.approx(sk.mean_absolute_error(*data))
    assert RMSE().measure(rows, WINDOW).value == pytest.approx(sk.root_mean_squared_error(*data))


@given(data=predicted())
@EXAMPLES
def test_r2_is_that_of_scikit_learn(data: Predicted) -> None:
    """R² equals scikit-learn's, and is None exactly where all labels are equal."""
    labels, outputs = data
    value = R2().measure(judged("regression", labels, outputs), WINDOW).value
    assert (value is None) == (len(set(labels.tolist())) == 1)
    assume(value is not None)
    assert value == pytest.approx(sk.r2_score(labels, outputs), rel=1e-9, abs=1e-9)


@given(
    values=st.lists(
        st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1e300, 1e300)),
        min_size=1,
        max_size=12,
    )
)
@EXAMPLES
def test_no_number_becomes_nan(values: list[tuple[float, float]]) -> None:
    """Whatever finite numbers come, a value or standard error is finite or None, silently."""
    labels, outputs = zip(*values, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for metric in (MAE(), RMSE(), R2()):
            measurement = metric.measure(judged("regression", labels, outputs), WINDOW)
            assert measurement.value is None or np.isfinite(measurement.value)
            assert measurement.stderr is None or np.isfinite(measurement.stderr)
            assert measurement.stderr is None or measurement.value is not None


@given(data=probable(), seed=st.integers(0, 2**32 - 1))
@EXAMPLES
def test_order_of_rows_is_irrelevant(data: Probable, seed: int) -> None:
    """Late labels may come in any order: value and standard error stay the same."""
    labels, scores, count = data
    outputs, order = scores.argmax(axis=1), np.random.default_rng(seed).permutation(len(labels))
    classes, task = tuple(range(count)), task_of(count)
    first = judged(task, labels, outputs, scores, classes)
    other = judged(task, np.take(labels, order), outputs[order], scores[order], classes)
    for metric in (Accuracy(), Precision(), Recall(), F1(), LogLoss(), Brier(), RocAuc()):
        one, two = metric.measure(first, WINDOW), metric.measure(other, WINDOW)
        assert two.value == (None if one.value is None else pytest.approx(one.value, abs=1e-9))
        assert two.stderr == (None if one.stderr is None else pytest.approx(one.stderr, abs=1e-9))
