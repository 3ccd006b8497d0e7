"""Metrics of classes and scores against scikit-learn, values and standard errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from sklearn import metrics as sk

from ratoon import metrics
from ratoon.core.measuring import Window
from ratoon.core.times import EPOCH
from ratoon.windows.judged import Floats, Judged, Scored, Target

WINDOW = Window(start=EPOCH, end=EPOCH)
EXAMPLES = settings(deadline=None, max_examples=40)
FEW = settings(deadline=None, max_examples=5)
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def tables(draw: DrawFn, least: int = 2, most: int = 4) -> Judged:
    """Rows with few distinct probabilities, so that there are ties, zeros and ones."""
    count, rows = draw(st.integers(least, most)), draw(st.integers(1, 30))
    labels = draw(st.lists(st.integers(0, count - 1), min_size=rows, max_size=rows))
    weights = st.lists(st.integers(0, 4), min_size=count, max_size=count).filter(any)
    table = np.array(draw(st.lists(weights, min_size=rows, max_size=rows)), dtype=float)
    scores = table / table.sum(axis=1, keepdims=True)
    return judged(np.array(labels, dtype=float), scores)


def judged(labels: Floats, scores: Floats) -> Judged:
    classes = tuple(range(scores.shape[1]))
    target = Target(task="binary" if len(classes) == 2 else "multiclass", classes=classes)
    said = Scored(outputs=scores.argmax(axis=1).astype(float), scores=scores)
    return Judged(target=target, labels=labels, scored=said)


def random_rows(seed: int, rows: int, classes: int, *, ties: bool = False) -> Judged:
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(rows) % classes)
    hints = np.exp(1.5 * np.eye(classes)[labels] + generator.normal(size=(rows, classes)))
    scores = hints / hints.sum(axis=1, keepdims=True)
    return judged(labels.astype(float), scores.round(1) if ties else scores)


def jackknifed(statistic: Callable[[Floats], float], rows: int) -> float:
    """√(Σ ψ²)/n with ψ = n dT/dw by central differences on the rows' weights, times √(n/(n-1))."""
    step, influence = 1e-5, np.empty(rows)
    for row in range(rows):
        up, down = np.ones(rows), np.ones(rows)
        up[row], down[row] = 1 + step, 1 - step
        influence[row] = rows * (statistic(up) - statistic(down)) / (2 * step)
    return math.sqrt((influence**2).sum()) / rows * math.sqrt(rows / (rows - 1))


def same(value: float | None, expected: float) -> None:
    assert value is not None
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-9)


AVERAGES = ["macro", "micro", "weighted"]
RATIOS = [
    (metrics.Precision(), sk.precision_score, {}),
    (metrics.Recall(), sk.recall_score, {}),
    (metrics.F1(), sk.f1_score, {}),
    (metrics.FBeta(beta=2.0), sk.fbeta_score, {"beta": 2.0}),
    (metrics.FBeta(beta=0.5), sk.fbeta_score, {"beta": 0.5}),
]


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize(("metric", "oracle", "more"), RATIOS)
@given(rows=tables())
@EXAMPLES
def test_averages_are_those_of_scikit_learn(
    metric: Any, oracle: Any, more: dict[str, float], average: str, rows: Judged
) -> None:
    """Macro, micro and weighted precision, recall and F equal scikit-learn's, 0 for 0/0."""
    value = type(metric)(average=average, **more).measure(rows, WINDOW).value
    labels, outputs = rows.labels, rows.scored.outputs
    expected = oracle(labels, outputs, average=average, zero_division=0, **more)
    same(value, expected)


@pytest.mark.parametrize("average", ["binary", *AVERAGES])
@pytest.mark.parametrize(("metric", "oracle", "more"), RATIOS)
@given(seed=SEEDS, count=st.integers(8, 30))
@FEW
def test_stderr_of_averages_is_the_infinitesimal_jackknife(
    metric: Any, oracle: Any, more: dict[str, float], average: str, seed: int, count: int
) -> None:
    """It equals the derivatives of scikit-learn's weighted score, also by the classes' weights."""
    rows = random_rows(seed, count, 2 if average == "binary" else 3)
    labels, outputs = rows.labels, rows.scored.outputs
    measured = type(metric)(average=average, **more).measure(rows, WINDOW)
    if measured.value is None:
        assert not (outputs == 1).any()
        return
    expected = jackknifed(
        lambda w: oracle(
            labels, outputs, average=average, sample_weight=w, zero_division=0, **more
        ),
        count,
    )
    assert measured.stderr == pytest.approx(expected, rel=1e-5, abs=1e-8)


@given(rows=tables(most=2), positive=st.sampled_from([0, 1]))
@EXAMPLES
def test_specificity_is_the_recall_of_the_other_class(rows: Judged, positive: int) -> None:
    """Of two classes the specificity of one is the recall of the other, with its stderr."""
    one = metrics.Specificity(positive=positive).measure(rows, WINDOW)
    other = metrics.Recall(positive=1 - positive).measure(rows, WINDOW)
    assert (one.value is None) == (other.value is None)
    assert one.support == other.support
    if one.value is not None:
        same(one.value, other.value)
        assert one.stderr == pytest.approx(other.stderr, abs=1e-12)


@pytest.mark.parametrize("average", AVERAGES)
@given(seed=SEEDS, count=st.integers(8, 30))
@FEW
def test_specificity_of_several_classes(average: str, seed: int, count: int) -> None:
    """Averages and their stderr are those of the counts of each class against the rest."""
    rows = random_rows(seed, count, 3)
    labels, outputs = rows.labels, rows.scored.outputs

    def oracle(weights: Floats) -> float:
        counts = sk.multilabel_confusion_matrix(labels, outputs, sample_weight=weights)
        spared, others = counts[:, 0, 0], counts[:, 0].sum(axis=1)
        if average == "micro":
            return spared.sum() / others.sum()
        shares = counts[:, 1].sum(axis=1) if average == "weighted" else np.ones(len(counts))
        return float(np.average(spared / others, weights=shares))

    measured = metrics.Specificity(average=average).measure(rows, WINDOW)
    same(measured.value, oracle(np.ones(count)))
    assert measured.stderr == pytest.approx(jackknifed(oracle, count), rel=1e-5, abs=1e-8)


@given(rows=tables())
@EXAMPLES
def test_balanced_accuracy_is_that_of_scikit_learn(rows: Judged) -> None:
    """It is the mean recall of the classes that have labels."""
    labels, outputs = rows.labels.astype(int), rows.scored.outputs.astype(int)
    present = np.unique(labels)
    recalls = sk.recall_score(labels, outputs, labels=present, average=None, zero_division=0)
    same(metrics.BalancedAccuracy().measure(rows, WINDOW).value, np.mean(recalls))
    if len(present) > 1 and set(outputs) <= set(labels):  # else scikit-learn warns
        expected = sk.balanced_accuracy_score(labels, outputs)
        same(metrics.BalancedAccuracy().measure(rows, WINDOW).value, expected)


@given(rows=tables())
@EXAMPLES
def test_mcc_and_kappa_are_those_of_scikit_learn(rows: Judged) -> None:
    """Both equal scikit-learn's, and are None where it divides 0 by 0."""
    labels, outputs = rows.labels.astype(int), rows.scored.outputs.astype(int)
    mcc = metrics.MCC().measure(rows, WINDOW).value
    kappa = metrics.Kappa().measure(rows, WINDOW).value
    assert (mcc is None) == (len(set(labels)) == 1 or len(set(outputs)) == 1)
    assert (kappa is None) == (set(labels) == set(outputs) and len(set(labels)) == 1)
    if mcc is not None:
        same(mcc, sk.matthews_corrcoef(labels, outputs))
    if kappa is not None:
        same(kappa, sk.cohen_kappa_score(labels, outputs))


@pytest.mark.parametrize(
    ("metric", "oracle"),
    [
        (metrics.MCC(), sk.matthews_corrcoef),
        (metrics.Kappa(), sk.cohen_kappa_score),
        (metrics.BalancedAccuracy(), sk.balanced_accuracy_score),
    ],
)
@given(seed=SEEDS, count=st.integers(12, 30), classes=st.integers(2, 4))
@FEW
def test_stderr_beyond_chance_is_the_infinitesimal_jackknife(
    metric: Any, oracle: Any, seed: int, count: int, classes: int
) -> None:
    """It equals the derivatives of scikit-learn's weighted score."""
    rows = random_rows(seed, count, classes)
    labels, outputs = rows.labels.astype(int), rows.scored.outputs.astype(int)
    measured = metric.measure(rows, WINDOW)
    if measured.value is None:
        return
    expected = jackknifed(lambda w: oracle(labels, outputs, sample_weight=w), count)
    assert measured.stderr == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_stderr_of_kappa_is_that_of_fleiss() -> None:
    """A table of two raters has the large-sample variance of Fleiss, Cohen & Everitt (1969)."""
    table = np.array([[44, 5, 1], [7, 20, 3], [9, 5, 6]])
    n = table.sum()
    labels, outputs = (np.repeat(side.ravel(), table.ravel()) for side in np.indices((3, 3)))
    target = Target(task="multiclass", classes=("a", "b", "c"))
    said = Scored(outputs=outputs.astype(float))
    rows = Judged(target=target, labels=labels.astype(float), scored=said)
    measured = metrics.Kappa().measure(rows, WINDOW)
    p = table / n
    row, column = p.sum(axis=1), p.sum(axis=0)
    right, chance = p.trace(), row @ column
    kappa = (right - chance) / (1 - chance)
    total = sum(p[i, i] * (1 - (row[i] + column[i]) * (1 - kappa)) ** 2 for i in range(3)) + (
        1 - kappa
    ) ** 2 * sum(p[i, j] * (column[i] + row[j]) ** 2 for i in range(3) for j in range(3) if i != j)
    variance = (total - (kappa - chance * (1 - kappa)) ** 2) / (1 - chance) ** 2 / (n - 1)
    assert measured.value == pytest.approx(kappa)
    assert measured.stderr == pytest.approx(math.sqrt(variance))


@given(rows=tables(most=2))
@EXAMPLES
def test_average_precision_is_that_of_scikit_learn(rows: Judged) -> None:
    """It equals scikit-learn's with ties, and is None without positives."""
    value = metrics.AveragePrecision().measure(rows, WINDOW).value
    assert (value is None) == (not rows.labels.any())
    if value is not None:
        same(value, sk.average_precision_score(rows.labels, rows.scored.scores[:, 1]))


@given(rows=tables(least=3))
@EXAMPLES
def test_average_precision_of_several_classes(rows: Judged) -> None:
    """It is the mean over the classes that occur, each against the rest."""
    present = np.unique(rows.labels).astype(int)
    oracle = [
        sk.average_precision_score(rows.labels == c, rows.scored.scores[:, c]) for c in present
    ]
    same(metrics.AveragePrecision().measure(rows, WINDOW).value, np.mean(oracle))


@pytest.mark.parametrize("ties", [False, True])
@given(seed=SEEDS, count=st.integers(8, 30))
@FEW
def test_stderr_of_average_precision_is_the_infinitesimal_jackknife(
    seed: int, count: int, *, ties: bool
) -> None:
    """It equals the derivatives of scikit-learn's weighted score, ties included."""
    rows = random_rows(seed, count, 2, ties=ties)
    labels, scores = rows.labels, rows.scored.scores[:, 1]
    measured = metrics.AveragePrecision().measure(rows, WINDOW)
    expected = jackknifed(
        lambda w: sk.average_precision_score(labels, scores, sample_weight=w), count
    )
    assert measured.stderr == pytest.approx(expected, rel=1e-5, abs=1e-8)


@given(seed=SEEDS, classes=st.integers(3, 5), k=st.integers(1, 4))
@EXAMPLES
def test_top_k_accuracy_is_that_of_scikit_learn(seed: int, classes: int, k: int) -> None:
    """Without ties it equals scikit-learn's; its losses lie between 0 and 1."""
    rows = random_rows(seed, 25, classes)
    metric = metrics.TopKAccuracy(k=min(k, classes - 1))
    expected = sk.top_k_accuracy_score(
        rows.labels, rows.scored.scores, k=metric.k, labels=range(classes)
    )
    same(metric.measure(rows, WINDOW).value, expected)
    assert metric.losses(rows).mean() == pytest.approx(1 - expected)


@given(rows=tables(least=3), k=st.integers(1, 4))
@EXAMPLES
def test_top_k_accuracy_shares_ties(rows: Judged, k: int) -> None:
    """With ties it is the mean over the orders of tied classes: over random tie breaks."""
    generator = np.random.default_rng(0)
    scores = rows.scored.scores
    found = []
    for _ in range(200):
        broken = scores + generator.uniform(0, 1e-6, scores.shape)
        own = broken[np.arange(len(scores)), rows.labels.astype(int)][:, None]
        found.append(np.mean((broken > own).sum(axis=1) < k))
    value = metrics.TopKAccuracy(k=k).measure(rows, WINDOW).value
    assert value == pytest.approx(np.mean(found), abs=0.15)


@given(rows=tables(), bins=st.integers(1, 12))
@EXAMPLES
def test_calibration_error_is_that_of_the_papers(rows: Judged, bins: int) -> None:
    """It equals the definition, bin by bin, of Naeini et al. and, of several classes, Guo et al."""
    scores = rows.scored.scores
    if scores.shape[1] == 2:
        said, true = scores[:, 1], rows.labels
    else:
        said, true = scores.max(axis=1), rows.labels == scores.argmax(axis=1)
    expected = 0.0
    for b in range(bins):
        inside = (said * bins >= b) & ((said * bins < b + 1) | (b == bins - 1))
        if inside.any():
            expected += inside.mean() * abs(said[inside].mean() - true[inside].mean())
    same(metrics.CalibrationError(bins=bins).measure(rows, WINDOW).value, expected)


@given(seed=SEEDS)
@FEW
def test_stderr_of_calibration_error_is_the_infinitesimal_jackknife(seed: int) -> None:
    """It equals the derivatives of the weighted definition, where no bin is at 0."""
    rows, bins = random_rows(seed, 25, 2), 4
    said, true = rows.scored.scores[:, 1], rows.labels
    places = np.minimum((said * bins).astype(int), bins - 1)

    def oracle(weights: Floats) -> float:
        excess = np.bincount(places, weights * (said - true), minlength=bins)
        return np.abs(excess).sum() / weights.sum()

    measured = metrics.CalibrationError(bins=bins).measure(rows, WINDOW)
    assert measured.stderr == pytest.approx(jackknifed(oracle, 25), rel=1e-4, abs=1e-8)


@given(rows=tables())
@EXAMPLES
def test_cost_is_the_mean_of_the_matrix(rows: Judged) -> None:
    """Cost is the mean entry; its losses are the entries less the least, up to the bound."""
    classes = rows.target.classes
    matrix = np.arange(len(classes) ** 2).reshape(len(classes), -1) * 1.5 - 2
    order = classes[::-1]
    turned = matrix[np.ix_(order, order)]
    metric = metrics.Cost(matrix=tuple(map(tuple, turned.tolist())), classes=order)
    entries = matrix[rows.labels.astype(int), rows.scored.outputs.astype(int)]
    measured = metric.measure(rows, WINDOW)
    same(measured.value, entries.mean())
    if len(entries) > 1:
        sem = entries.std(ddof=1) / math.sqrt(len(entries))
        assert measured.stderr == pytest.approx(sem, abs=1e-9)
    assert metric.losses(rows) == pytest.approx(entries + 2)
    assert metric.bound(rows.target) == pytest.approx(matrix.max() + 2)
    assert metric.losses(rows).min() >= 0
