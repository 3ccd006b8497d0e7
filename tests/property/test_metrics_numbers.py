"""Metrics of numbers, quantiles and rankings against scikit-learn, and their standard errors."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from scipy import stats
from sklearn import metrics as sk

from ratoon import metrics
from ratoon.core.measuring import Window
from ratoon.core.times import EPOCH
from ratoon.windows.judged import Floats, Judged, Scored, Target

WINDOW = Window(start=EPOCH, end=EPOCH)
EXAMPLES = settings(deadline=None, max_examples=60)
FEW = settings(deadline=None, max_examples=8)
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def amounts(draw: DrawFn) -> Judged:
    """Labels and outputs above 0."""
    rows = draw(st.integers(1, 30))
    value = st.floats(0.01, 1e4).map(lambda number: round(number, 2))
    values = st.lists(value, min_size=rows, max_size=rows)
    return judged(draw(values), draw(values))


@st.composite
def queries(draw: DrawFn) -> Judged:
    """Items of a few queries, with few distinct outputs so that there are ties."""
    rows = draw(st.integers(1, 25))
    labels = draw(st.lists(st.integers(0, 3), min_size=rows, max_size=rows))
    outputs = draw(st.lists(st.integers(0, 5), min_size=rows, max_size=rows))
    groups = draw(st.lists(st.integers(7, 10), min_size=rows, max_size=rows))
    return ranking(labels, outputs, groups)


def judged(labels: Any, outputs: Any, quantiles: Any = None, levels: Any = ()) -> Judged:
    said = Scored(outputs=np.array(outputs, dtype=float), scores=quantiles)
    target = Target(task="regression", levels=tuple(levels))
    return Judged(target=target, labels=np.array(labels, dtype=float), scored=said)


def ranking(labels: Any, outputs: Any, groups: Any) -> Judged:
    return Judged(
        target=Target(task="ranking"),
        labels=np.array(labels, dtype=float),
        scored=Scored(outputs=np.array(outputs, dtype=float)),
        groups=np.array(groups),
    )


def skewed(seed: int, rows: int) -> Judged:
    generator = np.random.default_rng(seed)
    labels = generator.gamma(2.0, size=rows)
    return judged(labels, labels * np.exp(generator.normal(0.1, 0.4, size=rows)))


def jackknifed(statistic: Callable[[Floats], float], rows: int) -> float:
    step, influence = 1e-5, np.empty(rows)
    for row in range(rows):
        up, down = np.ones(rows), np.ones(rows)
        up[row], down[row] = 1 + step, 1 - step
        influence[row] = rows * (statistic(up) - statistic(down)) / (2 * step)
    return math.sqrt((influence**2).sum()) / rows * math.sqrt(rows / (rows - 1))


def by_query(rows: Judged) -> list[tuple[Floats, Floats]]:
    """Labels and outputs of each query that has something relevant."""
    found = []
    for group in np.unique(rows.groups):
        inside = rows.groups == group
        if rows.labels[inside].any():
            found.append((rows.labels[inside], rows.scored.outputs[inside]))
    return found


MEANS = [
    (metrics.MAPE(), sk.mean_absolute_percentage_error),
    (metrics.MSLE(), sk.mean_squared_log_error),
    (metrics.RMSLE(), sk.root_mean_squared_log_error),
    (metrics.Deviance(), sk.mean_poisson_deviance),
    (metrics.Deviance(power=2.0), sk.mean_gamma_deviance),
    (metrics.Deviance(power=1.5), lambda y, m, **k: sk.mean_tweedie_deviance(y, m, power=1.5, **k)),
    (metrics.Deviance(power=3.0), lambda y, m, **k: sk.mean_tweedie_deviance(y, m, power=3.0, **k)),
    (metrics.ExplainedVariance(), sk.explained_variance_score),
    (metrics.Pinball(level=0.2), lambda y, m, **k: sk.mean_pinball_loss(y, m, alpha=0.2, **k)),
]
NAMES = [repr(metric) for metric, _ in MEANS]


@pytest.mark.parametrize(("metric", "oracle"), MEANS, ids=NAMES)
@given(rows=amounts())
@EXAMPLES
def test_value_is_that_of_scikit_learn(metric: Any, oracle: Any, rows: Judged) -> None:
    """The value equals scikit-learn's, but where variance is to be explained that is not there."""
    value = metric.measure(rows, WINDOW).value
    if metric.name == "explained_variance" and len(set(rows.labels.tolist())) == 1:
        assert value is None
        return
    expected = oracle(rows.labels, rows.scored.outputs)
    assert value == pytest.approx(expected, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize(("metric", "oracle"), MEANS, ids=NAMES)
@given(seed=SEEDS, count=st.integers(6, 30))
@FEW
def test_stderr_is_the_infinitesimal_jackknife(
    metric: Any, oracle: Any, seed: int, count: int
) -> None:
    """It equals the derivatives of scikit-learn's weighted score by the weights of the rows."""
    rows = skewed(seed, count)
    labels, outputs = rows.labels, rows.scored.outputs
    expected = jackknifed(lambda w: oracle(labels, outputs, sample_weight=w), count)
    assert metric.measure(rows, WINDOW).stderr == pytest.approx(expected, rel=1e-4, abs=1e-8)


@given(rows=amounts())
@EXAMPLES
def test_single_errors_are_those_of_scikit_learn(rows: Judged) -> None:
    """The median and the largest error equal scikit-learn's; the largest has no stderr."""
    labels, outputs = rows.labels, rows.scored.outputs
    median, largest = (m.measure(rows, WINDOW) for m in (metrics.MedianAE(), metrics.MaxError()))
    assert median.value == pytest.approx(sk.median_absolute_error(labels, outputs))
    assert largest.value == pytest.approx(sk.max_error(labels, outputs))
    assert largest.stderr is None
    assert (median.stderr is None) == (len(labels) < 8)


def test_stderr_of_the_median_is_that_of_its_distribution() -> None:
    """Of errors of an exponential distribution it is near 1/(2 f √n), f the density there."""
    generator = np.random.default_rng(21)
    found = [
        metrics.MedianAE().measure(judged(generator.exponential(size=400), np.zeros(400)), WINDOW)
        for _ in range(200)
    ]
    truth = 1 / (2 * 0.5 * math.sqrt(400))
    assert np.std([m.value for m in found]) == pytest.approx(truth, rel=0.15)
    assert np.mean([m.stderr for m in found]) == pytest.approx(truth, rel=0.1)


@given(rows=amounts())
@EXAMPLES
def test_shares_and_bias_follow_their_formulas(rows: Judged) -> None:
    """sMAPE, WAPE and bias equal their definitions; bias is output less label."""
    labels, outputs = rows.labels, rows.scored.outputs
    errors = np.abs(labels - outputs)
    expected = {
        metrics.SMAPE(): np.mean(2 * errors / (labels + outputs)),
        metrics.WAPE(): errors.sum() / labels.sum(),
        metrics.Bias(): np.mean(outputs - labels),
    }
    for metric, value in expected.items():
        assert metric.measure(rows, WINDOW).value == pytest.approx(value, rel=1e-9, abs=1e-9)
    assert metrics.SMAPE().losses(rows).max() <= metrics.SMAPE().bound(rows.target)


@given(seed=SEEDS)
@FEW
def test_stderr_of_shares(seed: int) -> None:
    """Of sMAPE and bias it is s/√n, of WAPE the infinitesimal jackknife of the ratio."""
    rows = skewed(seed, 25)
    errors = np.abs(rows.labels - rows.scored.outputs)
    assert metrics.SMAPE().measure(rows, WINDOW).stderr == pytest.approx(
        stats.sem(metrics.SMAPE().losses(rows))
    )
    assert metrics.Bias().measure(rows, WINDOW).stderr == pytest.approx(
        stats.sem(rows.scored.outputs - rows.labels)
    )
    expected = jackknifed(lambda w: (w @ errors) / (w @ rows.labels), 25)
    assert metrics.WAPE().measure(rows, WINDOW).stderr == pytest.approx(expected, rel=1e-5)


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
    rows = judged(*zip(*values, strict=True))
    kinds = (
        *(metrics.MAPE(), metrics.SMAPE(), metrics.WAPE(), metrics.MedianAE(), metrics.MaxError()),
        *(metrics.Bias(), metrics.ExplainedVariance(), metrics.Pinball(level=0.1)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for metric in kinds:
            measured = metric.measure(rows, WINDOW)
            assert measured.value is None or np.isfinite(measured.value)
            assert measured.stderr is None or np.isfinite(measured.stderr)
            assert measured.stderr is None or measured.value is not None


LEVELS = (0.05, 0.5, 0.95)


@given(seed=SEEDS)
@EXAMPLES
def test_quantiles_are_judged_by_level(seed: int) -> None:
    """Pinball of a level equals scikit-learn's on its column, and of none their mean."""
    generator = np.random.default_rng(seed)
    labels = generator.normal(size=20)
    said = np.sort(generator.normal(size=(20, 3)), axis=1)
    rows = judged(labels, said[:, 1], said, LEVELS)
    each = [sk.mean_pinball_loss(labels, said[:, i], alpha=a) for i, a in enumerate(LEVELS)]
    for level, expected in zip(LEVELS, each, strict=True):
        value = metrics.Pinball(level=level).measure(rows, WINDOW).value
        assert value == pytest.approx(expected)
    assert metrics.Pinball().measure(rows, WINDOW).value == pytest.approx(np.mean(each))
    inside = (labels >= said[:, 0]) & (labels <= said[:, 2])
    assert metrics.Coverage().measure(rows, WINDOW).value == pytest.approx(inside.mean())
    upper = (labels >= said[:, 1]) & (labels <= said[:, 2])
    assert metrics.Coverage(low=0.5).measure(rows, WINDOW).value == pytest.approx(upper.mean())
    width = np.mean(said[:, 2] - said[:, 0])
    assert metrics.IntervalWidth().measure(rows, WINDOW).value == pytest.approx(width)
    assert metrics.Coverage().losses(rows).mean() == pytest.approx(1 - inside.mean())


@pytest.mark.parametrize("k", [None, 1, 3])
@given(rows=queries())
@EXAMPLES
def test_ndcg_is_that_of_scikit_learn(rows: Judged, k: int | None) -> None:
    """It is the mean of scikit-learn's over the queries with something relevant, ties included."""
    measured = metrics.NDCG(k=k).measure(rows, WINDOW)
    expected = [
        sk.ndcg_score([labels], [outputs], k=k) if len(labels) > 1 else 1.0
        for labels, outputs in by_query(rows)
    ]
    assert (measured.value is None) == (not expected)
    if expected:
        assert measured.value == pytest.approx(np.mean(expected))
        assert measured.stderr == (
            pytest.approx(stats.sem(expected)) if len(expected) > 1 else None
        )
        assert measured.n == len(rows)
        assert measured.support == (len(expected) if len(expected) < len(rows) else None)


@given(rows=queries())
@EXAMPLES
def test_exponential_gains_are_those_of_scikit_learn(rows: Judged) -> None:
    """With ``exponential=True`` it is the plain NDCG of the gains 2^label - 1."""
    gains = ranking(2**rows.labels - 1, rows.scored.outputs, rows.groups)
    one = metrics.NDCG(exponential=True, k=3).measure(rows, WINDOW)
    two = metrics.NDCG(k=3).measure(gains, WINDOW)
    assert one.value == (None if two.value is None else pytest.approx(two.value))


def naive(labels: Floats, outputs: Floats, k: int) -> dict[str, float]:
    """The metrics of one query from the definitions; tied items stand with the relevant last."""
    order = sorted(range(len(labels)), key=lambda i: (-outputs[i], labels[i] > 0))
    hits = [labels[i] > 0 for i in order]
    relevant = sum(hits)
    found = {"map": 0.0, "mrr": 0.0, "hit_rate": float(any(hits[:k]))}
    for place, hit in enumerate(hits[:k], start=1):
        if hit:
            found["map"] += sum(hits[:place]) / place / min(relevant, k)
            found["mrr"] = found["mrr"] or 1 / place
    return found


@given(rows=queries(), k=st.integers(1, 6))
@EXAMPLES
def test_places_of_relevant_items(rows: Judged, k: int) -> None:
    """MAP, MRR and hit rate equal their definitions, query by query."""
    found = [naive(labels, outputs, k) for labels, outputs in by_query(rows)]
    for metric in (metrics.MAP(k=k), metrics.MRR(k=k), metrics.HitRate(k=k)):
        measured = metric.measure(rows, WINDOW)
        if not found:
            assert measured.value is None
            continue
        assert measured.value == pytest.approx(np.mean([query[metric.name] for query in found]))


@given(rows=queries())
@EXAMPLES
def test_map_is_that_of_scikit_learn_without_ties(rows: Judged) -> None:
    """Where no outputs tie, the average precision of a query is scikit-learn's."""
    outputs = np.arange(len(rows))[::-1]
    apart = ranking(rows.labels, outputs, rows.groups)
    expected = [sk.average_precision_score(y > 0, s) for y, s in by_query(apart)]
    value = metrics.MAP().measure(apart, WINDOW).value
    assert value == (pytest.approx(np.mean(expected)) if expected else None)


@given(rows=queries(), k=st.integers(1, 6))
@settings(deadline=None, max_examples=20)
def test_shares_of_the_first_items_are_means_over_ties(rows: Judged, k: int) -> None:
    """Precision and recall at k are their means over random orders of tied items."""
    generator, precision, recall = np.random.default_rng(1), [], []
    for labels, outputs in by_query(rows):
        tops = []
        for _ in range(300):
            order = np.lexsort((generator.uniform(size=len(labels)), -outputs))
            tops.append((labels[order][:k] > 0).sum())
        precision.append(np.mean(tops) / k)
        recall.append(np.mean(tops) / (labels > 0).sum())
    if not precision:
        return
    for metric, expected in (
        (metrics.PrecisionAtK(k=k), precision),
        (metrics.RecallAtK(k=k), recall),
    ):
        value = metric.measure(rows, WINDOW).value
        assert value == pytest.approx(np.mean(expected), abs=0.12)
