"""Settings and columns that metrics refuse, and what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ratoon import metrics
from ratoon.core.errors import (
    LengthMismatch,
    MetricNeedsColumn,
    SettingInvalid,
    ValueForbidden,
)
from ratoon.core.measuring import Window
from ratoon.core.schema import Column, Schema
from ratoon.core.times import EPOCH
from ratoon.gates import NotWorse
from ratoon.windows.judged import Judged, Scored, Target
from ratoon.windows.rows import Rows

WINDOW = Window(start=EPOCH, end=EPOCH)
BINARY = Target(task="binary", classes=("fair", "fraud"))
NUMBER = Target(task="regression")


def judged(target: Target, labels: Any, outputs: Any, **more: Any) -> Judged:
    said = Scored(outputs=np.array(outputs, dtype=float), scores=more.pop("scores", None))
    return Judged(target=target, labels=np.array(labels, dtype=float), scored=said, **more)


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (metrics.FBeta, {"beta": 0}, "beta"),
    (metrics.FBeta, {"average": "samples"}, "average"),
    (metrics.Recall, {"average": "micro", "positive": 1}, "positive"),
    (metrics.TopKAccuracy, {"k": 0}, "k"),
    (metrics.CalibrationError, {"bins": 0}, "bins"),
    (metrics.Deviance, {"power": 0.5}, "power"),
    (metrics.Deviance, {"power": np.nan}, "power"),
    (metrics.Pinball, {"level": 1.0}, "level"),
    (metrics.Pinball, {"name": ""}, "name"),
    (metrics.Coverage, {"low": 0.9, "high": 0.1}, "low"),
    (metrics.IntervalWidth, {"high": 1.5}, "high"),
    (metrics.NDCG, {"k": 0}, "k"),
    (metrics.HitRate, {"k": None}, "k"),
    (metrics.Cost, {"matrix": ((0, 1),), "classes": ("a", "b")}, "matrix"),
    (metrics.Cost, {"matrix": ((0, np.inf), (1, 0)), "classes": ("a", "b")}, "cost"),
    (metrics.Cost, {"matrix": ((0, 1), (1, 0)), "classes": ("a", "a")}, "classes"),
    (metrics.Cost, {"matrix": ((0,),), "classes": ("a",), "name": ""}, "name"),
    (metrics.Value, {"name": "", "function": len}, "name"),
    (metrics.Value, {"name": "v", "function": 3}, "function"),
    (metrics.Value, {"name": "v", "function": len, "least": 1, "greatest": 0}, "least"),
]


@pytest.mark.parametrize(("kind", "settings", "named"), REFUSED, ids=map(str, range(len(REFUSED))))
def test_settings_are_checked_when_made(kind: Any, settings: dict[str, Any], named: str) -> None:
    """A setting that breaks its rule is named where it is made."""
    with pytest.raises(SettingInvalid, match=named):
        kind(**settings)


@pytest.mark.parametrize(
    ("metric", "labels", "outputs", "message"),
    [
        (metrics.MSLE(), [1.0, -1.0], [1.0, 1.0], "'labels' must be above -1.* row 1"),
        (metrics.RMSLE(), [1.0, 1.0], [1.0, -2.0], "'outputs' must be above -1.* row 1"),
        (metrics.Deviance(), [-1.0], [1.0], "'labels' must be at least 0"),
        (metrics.Deviance(), [1.0], [0.0], "'outputs' must be above 0"),
        (metrics.Deviance(power=2.0), [0.0], [1.0], "'labels' must be above 0"),
    ],
)
def test_numbers_out_of_range_are_refused(
    metric: Any, labels: list[float], outputs: list[float], message: str
) -> None:
    """A number that a metric has no meaning for is refused by column and row."""
    with pytest.raises(ValueForbidden, match=message):
        metric.measure(judged(NUMBER, labels, outputs), WINDOW)


def test_labels_of_zero() -> None:
    """A label of 0 that is missed makes MAPE None, one that is hit counts as no error."""
    assert metrics.MAPE().measure(judged(NUMBER, [0.0, 2.0], [0.0, 1.0]), WINDOW).value == 0.25
    assert metrics.MAPE().measure(judged(NUMBER, [0.0, 2.0], [0.1, 1.0]), WINDOW).value is None
    assert metrics.WAPE().measure(judged(NUMBER, [0.0, 0.0], [0.1, 1.0]), WINDOW).value is None
    assert metrics.SMAPE().measure(judged(NUMBER, [0.0], [0.1]), WINDOW).value == 2.0


def test_support_counts_the_rows_that_decide() -> None:
    """The support of a recall is its positives, of a precision the rows predicted so."""
    rows = judged(BINARY, [1, 1, 1, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0])
    supports = {
        type(m).__name__: m.measure(rows, WINDOW).support
        for m in (
            *(metrics.Accuracy(), metrics.Precision(), metrics.Recall(), metrics.Specificity()),
            *(metrics.BalancedAccuracy(), metrics.MCC(), metrics.Recall(average="macro")),
        )
    }
    assert supports == {
        "Accuracy": None,
        "Precision": 2,
        "Recall": 3,
        "Specificity": 4,
        "BalancedAccuracy": 3,
        "MCC": None,
    }


def test_quantiles_are_asked_for() -> None:
    """A metric of quantiles says what is missing: levels, scores, or one of the levels."""
    rows = judged(NUMBER, [1.0], [1.0])
    for metric in (metrics.Pinball(), metrics.Coverage(), metrics.IntervalWidth()):
        with pytest.raises(MetricNeedsColumn, match=metric.name):
            metric.measure(rows, WINDOW)
    levels = Target(task="regression", levels=(0.1, 0.9))
    with pytest.raises(MetricNeedsColumn, match="scores"):
        metrics.Coverage().measure(judged(levels, [1.0], [1.0]), WINDOW)
    said = np.array([[0.0, 2.0]])
    with pytest.raises(SettingInvalid, match="level of metric 'pinball'"):
        metrics.Pinball(level=0.5).measure(judged(levels, [1.0], [1.0], scores=said), WINDOW)
    with pytest.raises(SettingInvalid, match="columns of the scores"):
        metrics.Coverage().measure(judged(levels, [1.0], [1.0], scores=said[:, :1]), WINDOW)
    with pytest.raises(ValueForbidden, match="finite"):
        metrics.Coverage().measure(judged(levels, [1.0], [1.0], scores=said * np.nan), WINDOW)


def test_rankings_need_their_queries() -> None:
    """A ranking without groups, with too few, or with a negative label is refused."""
    target = Target(task="ranking")
    with pytest.raises(MetricNeedsColumn, match="groups"):
        metrics.NDCG().measure(judged(target, [1, 0], [1, 0]), WINDOW)
    with pytest.raises(LengthMismatch, match="groups"):
        metrics.MRR().measure(judged(target, [1, 0], [1, 0], groups=np.array([1])), WINDOW)
    groups = np.array([1, 1])
    with pytest.raises(ValueForbidden, match="at least 0"):
        metrics.MAP().measure(judged(target, [1, -1], [1, 0], groups=groups), WINDOW)
    huge = judged(target, [1, 600], [1, 0], groups=groups)
    with pytest.raises(ValueForbidden, match="at most 500"):
        metrics.NDCG(exponential=True).measure(huge, WINDOW)


def test_one_answer_for_all_ranks_nothing() -> None:
    """A model that says the same of all items is not taken for one that finds the right one."""
    target, groups = Target(task="ranking"), np.array([1, 1, 1, 1])
    rows = judged(target, [1, 0, 0, 0], [5, 5, 5, 5], groups=groups)
    assert metrics.MRR().measure(rows, WINDOW).value == 0.25
    assert metrics.HitRate(k=3).measure(rows, WINDOW).value == 0.0
    assert metrics.PrecisionAtK(k=1).measure(rows, WINDOW).value == 0.25


def test_costs_are_of_the_classes_by_name() -> None:
    """The matrix follows its own order of classes, and must know all of the target's."""
    costs = ((0.0, 5.0), (100.0, -1.0))
    metric = metrics.Cost(matrix=costs, classes=("fair", "fraud"))
    turned = metrics.Cost(matrix=((-1.0, 100.0), (5.0, 0.0)), classes=("fraud", "fair"))
    rows = judged(BINARY, [0, 0, 1, 1], [0, 1, 0, 1])
    assert metric.measure(rows, WINDOW).value == turned.measure(rows, WINDOW).value == 26.0
    assert metric.losses(rows).tolist() == [1.0, 6.0, 101.0, 0.0]
    assert metric.bound(BINARY) == 101.0
    other = Target(task="binary", classes=("fair", "theft"))
    with pytest.raises(SettingInvalid, match="classes of metric 'cost'"):
        metric.measure(judged(other, [0, 1], [0, 1]), WINDOW)


def worth(labels: Any, outputs: Any, *_: Any) -> Any:
    return (labels == outputs) * 3.0


def wasted(labels: Any, outputs: Any, *_: Any) -> Any:
    return (labels != outputs) * 1.0 - 1.0


def test_gates_take_business_value() -> None:
    """A gate can compare models by a cost matrix or by a function of the row."""
    cost = metrics.Cost(matrix=((0, 5), (100, 0)), classes=("fair", "fraud"))
    assert NotWorse(cost, margin=1.0).init({}, BINARY).bound == 100.0
    value = metrics.Value(name="v", function=worth, least=0, greatest=3, columns=("x",))
    assert NotWorse(value, margin=0.5).init({}, BINARY).bound == 3.0


def paid(labels: Any, outputs: Any, _scores: Any, features: Any) -> Any:
    return np.where(labels == outputs, features["amount"], -1.0)


def test_value_reads_features() -> None:
    """A function of the row reads the columns that it asks for, read-only, and is checked."""
    schema = Schema(columns=(Column(name="amount", kind="number"),))
    features = Rows(schema=schema, columns={"amount": np.array([2.0, 3.0, 5.0])})
    rows = judged(BINARY, [0, 1, 1], [0, 1, 0], features=features)
    metric = metrics.Value(name="paid", function=paid, columns=("amount",), greatest=10.0)
    assert metric.measure(rows, WINDOW).value == pytest.approx(4 / 3)
    assert metric.losses(rows).tolist() == [8.0, 7.0, 11.0]
    assert metric.losses(rows.take(slice(1, 3))).tolist() == [7.0, 11.0]
    assert metric.bound(BINARY) is None
    with pytest.raises(MetricNeedsColumn, match="amount"):
        metric.measure(judged(BINARY, [0], [0]), WINDOW)
    low = metrics.Value(name="paid", function=paid, columns=("amount",), greatest=2.5)
    with pytest.raises(ValueForbidden, match=r"to 2.5"):
        low.measure(rows, WINDOW)

    def writes(labels: Any, _outputs: Any, _scores: Any, features: Any) -> Any:
        features["amount"][0] = 0
        return labels

    with pytest.raises(ValueError, match="read-only"):
        metrics.Value(name="w", function=writes, columns=("amount",)).measure(rows, WINDOW)
    with pytest.raises(SettingInvalid, match="one number for each row"):
        metrics.Value(name="w", function=lambda *_: 1.0).measure(rows, WINDOW)


def test_cost_less_better_value_has_losses_from_its_least() -> None:
    """Where less is better, the loss of a row is its value less the least one."""
    metric = metrics.Value(
        name="waste",
        function=wasted,
        greater_is_better=False,
        least=-1.0,
        greatest=0.0,
    )
    rows = judged(BINARY, [0, 1], [0, 0])
    assert metric.losses(rows).tolist() == [0.0, 1.0]
    assert metric.bound(BINARY) == 1.0
