"""Confidence intervals: inside of the metric's range, and as often right as they say."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.stats import binomtest

from ratoon import metrics
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Measurement, Window
from ratoon.core.times import EPOCH
from ratoon.windows.judged import Judged, Scored, Target

WINDOW = Window(start=EPOCH, end=EPOCH)
REPEATS = 400


def classified(generator: np.random.Generator, rows: int, share: float, apart: float) -> Judged:
    """Two classes whose scores are normal, `apart` deviations from each other."""
    labels = (generator.random(rows) < share).astype(float)
    hints = generator.normal(size=rows) + apart * labels
    p = 1 / (1 + np.exp(-(hints - apart / 2 + math.log(share / (1 - share)))))
    said = Scored(outputs=(hints > apart / 2).astype(float), scores=np.column_stack([1 - p, p]))
    return Judged(target=Target(task="binary", classes=(0, 1)), labels=labels, scored=said)


def predicted(generator: np.random.Generator, rows: int) -> Judged:
    labels = generator.gamma(2.0, size=rows)
    outputs = labels * np.exp(generator.normal(0.0, 0.4, size=rows))
    said = Scored(outputs=outputs)
    return Judged(target=Target(task="regression"), labels=labels, scored=said)


def covers(metric: Any, make: Callable[[np.random.Generator], Judged], truth: float) -> int:
    generator, found = np.random.default_rng(31), 0
    for _ in range(REPEATS):
        ends = metrics.interval(metric.measure(make(generator), WINDOW), metric)
        found += ends is not None and ends[0] <= truth <= ends[1]
    return found


def check_coverage(found: int) -> None:
    """Refuse a count that a coverage of 93 to 99 % would give once in 10,000 runs at most."""
    assert stats.binom.ppf(1e-4, REPEATS, 0.93) <= found <= stats.binom.ppf(1 - 1e-4, REPEATS, 0.99)


OF_CLASSES = (
    *(metrics.Accuracy(), metrics.Precision(), metrics.Recall(), metrics.F1(), metrics.MCC()),
    *(metrics.Kappa(), metrics.BalancedAccuracy(), metrics.F1(average="macro"), metrics.Brier()),
    *(metrics.LogLoss(), metrics.RocAuc()),
)


@pytest.mark.parametrize(("rows", "share", "apart"), [(100, 0.5, 1.5), (200, 0.1, 3.0)])
@pytest.mark.parametrize("metric", OF_CLASSES, ids=repr)
def test_interval_covers_the_truth_of_classes(
    metric: Any, rows: int, share: float, apart: float
) -> None:
    """95 % intervals hold the truth, that of 500,000 rows, 93 to 99 times in 100."""
    many = classified(np.random.default_rng(30), 500_000, share, apart)
    truth = metric.measure(many, WINDOW).value
    check_coverage(covers(metric, lambda g: classified(g, rows, share, apart), truth))


@pytest.mark.parametrize(
    "metric",
    [metrics.MAE(), metrics.MAPE(), metrics.WAPE(), metrics.Bias(), metrics.MedianAE()],
    ids=repr,
)
def test_interval_covers_the_truth_of_numbers(metric: Any) -> None:
    """The same of 100 rows with skewed errors."""
    truth = metric.measure(predicted(np.random.default_rng(30), 2_000_000), WINDOW).value
    check_coverage(covers(metric, lambda g: predicted(g, 100), truth))


@given(
    value=st.floats(0, 1),
    stderr=st.one_of(st.none(), st.floats(0, 0.5)),
    rows=st.integers(1, 10**6),
    support=st.one_of(st.none(), st.integers(1, 10**6)),
    confidence=st.floats(0.5, 0.999),
    name=st.sampled_from(["accuracy", "mcc", "brier", "mae", "r2", "bias", "own"]),
)
@settings(deadline=None, max_examples=200)
def test_interval_holds_the_value_inside_of_the_range(
    value: float,
    stderr: float | None,
    rows: int,
    support: int | None,
    confidence: float,
    name: str,
) -> None:
    """The ends lie about the value and inside of the metric's range; more confidence is wider."""
    m = Measurement(metric=name, window=WINDOW, value=value, n=rows, stderr=stderr, support=support)
    ends = metrics.interval(m, confidence=confidence)
    if ends is None:
        assert name in {"mae", "r2", "bias", "own"}
        return
    low, high = (-math.inf, math.inf) if name == "own" else metrics.by_name(name).value_range
    assert low <= ends[0] <= value <= ends[1] <= high
    wider = metrics.interval(m, confidence=(1 + confidence) / 2)
    assert wider[0] <= ends[0] + 1e-12
    assert ends[1] <= wider[1] + 1e-12


@given(right=st.integers(0, 40), wrong=st.integers(0, 40))
@settings(deadline=None, max_examples=60)
def test_interval_of_a_share_is_wilsons(right: int, wrong: int) -> None:
    """It is scipy's Wilson interval of n - 1 rows, as the stderr is that of n - 1, or of n at ends.

    s/√n divides by n - 1: the interval is that much wider than Wilson's own.
    """
    rows = right + wrong
    if rows < 2:
        return
    labels = np.repeat([0.0, 1.0], [right, wrong])
    target = Target(task="binary", classes=("a", "b"))
    judged = Judged(target=target, labels=labels, scored=Scored(outputs=np.zeros(rows)))
    ends = metrics.interval(metrics.Accuracy().measure(judged, WINDOW))
    if right in (0, rows):
        oracle = binomtest(right, rows).proportion_ci(method="wilson")
        assert ends == pytest.approx((oracle.low, oracle.high), abs=1e-9)
        return
    z, share, n = stats.norm.ppf(0.975), right / rows, rows - 1
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    assert ends == pytest.approx((max(0.0, middle - half), min(1.0, middle + half)), abs=1e-9)


def test_support_widens_what_few_rows_decide() -> None:
    """Three frauds of three found among 1,000 rows prove less than 1,000 right answers."""
    m = Measurement(metric="recall", window=WINDOW, value=1.0, n=1000, stderr=0.0, support=3)
    low, high = metrics.interval(m)
    assert (low, high) == pytest.approx((3 / (3 + 1.96**2), 1.0), abs=1e-4)
    assert metrics.interval(replace(m, support=None))[0] > 0.99


def test_nothing_is_said_of_what_is_not_known() -> None:
    """A value that is None, a maximum, and equal errors without a bound have no interval."""
    m = Measurement(metric="mae", window=WINDOW, value=2.0, n=10, stderr=0.0)
    for other in (
        m,
        replace(m, value=None),
        replace(m, stderr=None),
        replace(m, n=1),
        replace(m, value=0.0, stderr=0.1),
        replace(m, metric="max_error", stderr=None),
    ):
        assert metrics.interval(other) is None


def test_range_is_that_of_the_metric_given() -> None:
    """A metric under a name of its own is given along; a cost that cannot vary has no width."""
    cost = metrics.Cost(matrix=((0, 5), (100, 0)), classes=("a", "b"), name="own")
    m = Measurement(metric="own", window=WINDOW, value=1.0, n=10, stderr=2.0)
    assert metrics.interval(m)[0] < 0
    assert metrics.interval(m, cost)[0] > 0
    flat = metrics.Cost(matrix=((1, 1), (1, 1)), classes=("a", "b"), name="own")
    assert metrics.interval(m, flat) == (1.0, 1.0)


def test_confidence_is_checked() -> None:
    """A confidence outside of 0 to 1 is refused."""
    m = Measurement(metric="mae", window=WINDOW, value=2.0, n=10, stderr=0.1)
    with pytest.raises(SettingInvalid, match="confidence"):
        metrics.interval(m, confidence=95)
