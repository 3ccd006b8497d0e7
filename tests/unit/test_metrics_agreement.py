from __future__ import annotations

from collections.abc import Sequence
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike
from sklearn import metrics as sk

from ratoon.core.errors import LengthMismatch, SettingInvalid, ValueForbidden
from ratoon.core.measuring import Window
from ratoon.core.times import EPOCH
from ratoon.metrics import F1, Accuracy, Precision, Recall
from ratoon.windows.judged import Judged, Scalar, Scored, Target

WINDOW = Window(start=EPOCH, end=EPOCH)


def judged(
    classes: Sequence[Scalar], labels: ArrayLike, outputs: ArrayLike, task: str | None = None
) -> Judged:
    target = Target(
        task=task or ("binary" if len(classes) == 2 else "multiclass"), classes=tuple(classes)
    )
    said = Scored(outputs=np.array(outputs, dtype=float))
    return Judged(target=target, labels=np.array(labels, dtype=float), scored=said)


def test_measurement_names_the_metric_the_window_and_the_rows() -> None:
    """A measurement carries the metric's name, its window and the number of rows."""
    measurement = Accuracy().measure(judged("ab", [0, 1, 1], [0, 1, 0]), WINDOW)
    assert (measurement.metric, measurement.window, measurement.n) == ("accuracy", WINDOW, 3)
    assert measurement.subject is None


def test_accuracy_losses_are_errors() -> None:
    """The loss of a row is 1 where the class is wrong, and its bound is 1."""
    rows = judged("abc", [0, 1, 2, 2], [0, 2, 2, 1])
    assert Accuracy().losses(rows).tolist() == [0.0, 1.0, 0.0, 1.0]
    assert Accuracy().bound(rows.target) == 1.0


def test_precision_without_predicted_positives_is_undefined() -> None:
    """Nothing predicted positive: precision is None, while recall and F1 are a real 0."""
    rows = judged("ab", [0, 1, 1], [0, 0, 0])
    precision = Precision().measure(rows, WINDOW)
    assert (precision.value, precision.stderr, precision.n) == (None, None, 3)
    assert Recall().measure(rows, WINDOW).value == 0.0
    assert F1().measure(rows, WINDOW).value == 0.0


def test_recall_without_positive_labels_is_undefined() -> None:
    """No positive label: recall is None, while precision and F1 are a real 0."""
    rows = judged("ab", [0, 0, 0], [0, 1, 0])
    assert Recall().measure(rows, WINDOW).value is None
    assert Precision().measure(rows, WINDOW).value == 0.0
    assert F1().measure(rows, WINDOW).value == 0.0


def test_f1_of_a_class_that_does_not_occur_is_undefined() -> None:
    """F1 is None only where the positive class is neither predicted nor labelled."""
    assert F1().measure(judged("ab", [0, 0], [0, 0]), WINDOW).value is None


@pytest.mark.parametrize(("metric", "oracle"), [(Precision, "precision"), (Recall, "recall")])
def test_positive_is_the_second_class_unless_named(metric: Any, oracle: str) -> None:
    """The positive class is the second one; `positive` names another by its own value."""
    labels, outputs = [0, 0, 0, 1, 1, 0], [0, 1, 0, 1, 0, 0]
    rows = judged(("no", "yes"), labels, outputs)
    score = getattr(sk, f"{oracle}_score")
    assert metric().measure(rows, WINDOW).value == pytest.approx(score(labels, outputs))
    other = metric(positive="no").measure(rows, WINDOW).value
    assert other == pytest.approx(score(labels, outputs, pos_label=0))
    assert other != metric().measure(rows, WINDOW).value


def test_one_class_of_several_can_be_meant() -> None:
    """`positive` on several classes measures this class against the rest."""
    labels, outputs = [0, 1, 2, 2, 1, 2], [0, 2, 2, 1, 1, 2]
    value = F1(positive="c").measure(judged("abc", labels, outputs), WINDOW).value
    assert value == pytest.approx(sk.f1_score(labels, outputs, labels=[2], average="macro"))


def test_macro_leaves_out_classes_that_do_not_occur() -> None:
    """A class without label and prediction does not count in the mean, as in scikit-learn."""
    value = Recall().measure(judged("abcd", [0, 1, 1, 1], [0, 1, 1, 0]), WINDOW).value
    assert value == pytest.approx((1 + 2 / 3) / 2)


def test_macro_counts_a_class_that_stands_on_one_side_as_zero() -> None:
    """A class that is labelled but never predicted has precision 0 in the mean."""
    rows = judged("abc", [0, 1, 2], [0, 1, 1])
    assert Precision().measure(rows, WINDOW).value == pytest.approx((1 + 1 / 2 + 0) / 3)


def test_macro_can_be_asked_of_two_classes() -> None:
    """`average="macro"` weighs both classes of a binary target alike."""
    labels, outputs = [0, 0, 0, 1, 1], [0, 0, 1, 1, 0]
    value = F1(average="macro").measure(judged("ab", labels, outputs), WINDOW).value
    assert value == pytest.approx(sk.f1_score(labels, outputs, average="macro"))


@pytest.mark.parametrize("metric", [Accuracy(), Precision(), Recall(), F1()])
def test_no_rows_are_undefined(metric: Any) -> None:
    """An empty window has no value, no standard error and n 0."""
    for classes in ("ab", "abc"):
        measurement = metric.measure(judged(classes, [], []), WINDOW)
        assert (measurement.value, measurement.stderr, measurement.n) == (None, None, 0)


@pytest.mark.parametrize("metric", [Accuracy(), Precision(), Recall(), F1()])
def test_one_row_has_a_value_without_standard_error(metric: Any) -> None:
    """One row gives a value, but says nothing about how sure it is."""
    measurement = metric.measure(judged("ab", [1], [1]), WINDOW)
    assert (measurement.value, measurement.stderr, measurement.n) == (1.0, None, 1)


@pytest.mark.parametrize("metric", [Precision(), Recall(), F1()])
def test_ratios_have_no_row_losses(metric: Any) -> None:
    """Precision, recall and F1 have neither row losses nor a bound."""
    rows = judged("ab", [0, 1], [0, 1])
    assert metric.losses(rows) is None
    assert metric.bound(rows.target) is None


@pytest.mark.parametrize("metric", [Accuracy(), Precision(), Recall(), F1()])
def test_regression_is_refused(metric: Any) -> None:
    """A metric of classes on a regression says which metric and which tasks it can judge."""
    rows = judged((), [0.5, 1.5], [0.5, 1.0], task="regression")
    for call in (lambda: metric.measure(rows, WINDOW), lambda: metric.losses(rows)):
        with pytest.raises(SettingInvalid, match=f"{metric.name}.*binary, multiclass.*regression"):
            call()
    with pytest.raises(SettingInvalid, match=metric.name):
        metric.bound(rows.target)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1.0, 2.0, 0.5])
@pytest.mark.parametrize("metric", [Accuracy(), Precision(), Recall(), F1()])
def test_codes_of_no_class_are_refused(metric: Any, wrong: float) -> None:
    """A label or output that is no index into the classes is refused by column and row."""
    with pytest.raises(ValueForbidden, match=r"'labels' must be an index.* in row 1"):
        metric.measure(judged("ab", [0, wrong], [0, 1]), WINDOW)
    with pytest.raises(ValueForbidden, match=r"'outputs' must be an index.* in row 0"):
        metric.measure(judged("ab", [0, 1], [wrong, 1]), WINDOW)


def test_columns_of_different_length_are_refused() -> None:
    """One output for three labels is an error, not a broadcast."""
    with pytest.raises(LengthMismatch):
        Accuracy().measure(judged("ab", [0, 1, 1], [1]), WINDOW)


def test_binary_needs_two_classes() -> None:
    """A binary target with another number of classes is refused."""
    with pytest.raises(SettingInvalid, match="two"):
        F1().measure(judged("a", [0], [0], task="binary"), WINDOW)


def test_settings_are_checked_when_made() -> None:
    """A wrong setting is refused at once, naming itself."""
    with pytest.raises(SettingInvalid, match="average must be one of binary, macro"):
        F1(average="samples")
    with pytest.raises(SettingInvalid, match="positive"):
        F1(average="macro", positive="a")
    with pytest.raises(SettingInvalid, match="name"):
        F1(name="")


def test_positive_must_be_a_class() -> None:
    """A positive class that the target lacks is refused with the classes that there are."""
    with pytest.raises(SettingInvalid, match=r"positive of metric 'f1'.*'a', 'b'.*'z'"):
        F1(positive="z").measure(judged(("a", "b"), [0, 1], [0, 1]), WINDOW)
    with pytest.raises(SettingInvalid, match="positive"):
        F1(average="binary").measure(judged(("a", "b", "c"), [0, 1], [0, 1]), WINDOW)


def test_metrics_are_values() -> None:
    """A metric compares and hashes by its settings, and cannot be changed."""
    assert F1(positive="a") == F1(positive="a") != F1(positive="b")
    assert hash(F1(positive="a")) == hash(F1(positive="a"))
    assert F1() != Precision()
    metric = F1(name="f1_of_spam", positive="spam")
    assert metric.name == "f1_of_spam"
    with pytest.raises(FrozenInstanceError):
        metric.positive = "ham"
