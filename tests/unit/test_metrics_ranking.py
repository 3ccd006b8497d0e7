from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import ArrayLike
from sklearn import metrics as sk

from ratoon.core.measuring import Window
from ratoon.core.times import EPOCH
from ratoon.metrics import RocAuc
from ratoon.windows.judged import Floats, Judged, Scored, Target

WINDOW = Window(start=EPOCH, end=EPOCH)


def binary(labels: ArrayLike, scores: ArrayLike | None) -> Judged:
    second = np.asarray(scores, dtype=float)
    table = np.column_stack([1 - second, second])
    target = Target(task="binary", classes=("no", "yes"))
    said = Scored(outputs=np.zeros(len(second)), scores=table)
    return Judged(target=target, labels=np.asarray(labels, dtype=float), scored=said)


def several(labels: ArrayLike, scores: ArrayLike | None, classes: int) -> Judged:
    target = Target(task="multiclass", classes=tuple(range(classes)))
    said = Scored(outputs=np.zeros(len(scores)), scores=np.asarray(scores, dtype=float))
    return Judged(target=target, labels=np.asarray(labels, dtype=float), scored=said)


def naive_delong(labels: Floats, scores: Floats) -> tuple[float, float]:
    """AUC and its variance pair by pair, as in DeLong et al. (1988), equations 3 to 6."""
    ones = [s for s, y in zip(scores, labels, strict=True) if y == 1]
    zeros = [s for s, y in zip(scores, labels, strict=True) if y == 0]
    psi = [[1.0 if x > y else 0.5 if x == y else 0.0 for y in zeros] for x in ones]
    v10 = [sum(row) / len(zeros) for row in psi]
    v01 = [sum(row[j] for row in psi) / len(ones) for j in range(len(zeros))]
    area = sum(v10) / len(ones)
    s10 = sum((v - area) ** 2 for v in v10) / (len(ones) - 1)
    s01 = sum((v - area) ** 2 for v in v01) / (len(zeros) - 1)
    return area, s10 / len(ones) + s01 / len(zeros)


@pytest.mark.parametrize("levels", [2, 5, 1_000_000])
@pytest.mark.parametrize("rows", [5, 40, 150])
def test_value_and_stderr_are_those_of_delong(rows: int, levels: int) -> None:
    """With few, some or no ties, both equal the pairwise formulas of the paper."""
    generator = np.random.default_rng(rows + levels)
    labels = generator.permutation(np.arange(rows) % 3 == 0).astype(int)
    scores = generator.integers(levels, size=rows) / levels
    measurement = RocAuc().measure(binary(labels, scores), WINDOW)
    area, variance = naive_delong(labels, scores)
    assert measurement.value == pytest.approx(area, rel=1e-12)
    assert measurement.stderr == pytest.approx(math.sqrt(variance), rel=1e-10)


def test_value_and_variance_are_those_of_proc() -> None:
    """R's pROC gives 0.00146991470882363 on its data set aSAH, WFNS grade against outcome.

    The counts are those of `table(aSAH$wfns, aSAH$outcome)`; the variance is the one that pROC
    1.19 tests itself against in tests/testthat/test-var.R, its AUC is 0.8237.
    """
    poor, good = [2, 12, 1, 8, 18], [37, 20, 3, 8, 4]
    grades = np.concatenate([np.repeat(np.arange(5), poor), np.repeat(np.arange(5), good)])
    labels = np.repeat([1, 0], [sum(poor), sum(good)])
    measurement = RocAuc().measure(binary(labels, grades / 4), WINDOW)
    assert measurement.value == pytest.approx(0.8237, abs=5e-5)
    assert measurement.stderr**2 == pytest.approx(0.00146991470882363, rel=1e-12)


def test_constant_scores_are_worth_a_half() -> None:
    """All rows tied: the AUC is exactly one half, as sure as can be."""
    measurement = RocAuc().measure(binary([0, 1, 1, 0, 1], [0.3] * 5), WINDOW)
    assert (measurement.value, measurement.stderr) == (0.5, 0.0)


@pytest.mark.parametrize(("scores", "area"), [([0.1, 0.2, 0.8], 1.0), ([0.9, 0.8, 0.1], 0.0)])
def test_perfect_and_reversed_orders(scores: ArrayLike | None, area: float) -> None:
    """Every positive above every negative is 1; below, 0."""
    assert RocAuc().measure(binary([0, 0, 1], scores), WINDOW).value == area


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1], [1]])
def test_one_class_is_undefined(labels: ArrayLike) -> None:
    """With one class present there is nothing to rank: None, with all rows counted."""
    measurement = RocAuc().measure(binary(labels, [0.5] * len(labels)), WINDOW)
    assert (measurement.value, measurement.stderr, measurement.n) == (None, None, len(labels))


def test_single_positive_has_a_value_without_standard_error() -> None:
    """DeLong's variance needs two rows of each class; the value needs one."""
    measurement = RocAuc().measure(binary([0, 0, 1, 0], [0.1, 0.6, 0.5, 0.2]), WINDOW)
    assert measurement.value == pytest.approx(2 / 3)
    assert measurement.stderr is None


def test_several_classes_are_the_mean_of_one_against_the_rest() -> None:
    """With all classes present it is scikit-learn's one-vs-rest macro average."""
    generator = np.random.default_rng(3)
    labels, scores = generator.integers(4, size=200), generator.dirichlet(np.ones(4), size=200)
    oracle = sk.roc_auc_score(labels, scores, multi_class="ovr", average="macro")
    measured = RocAuc().measure(several(labels, scores, 4), WINDOW).value
    assert measured == pytest.approx(oracle, rel=1e-12)


def test_class_without_labels_is_left_out() -> None:
    """The mean is over the classes that occur, where scikit-learn would refuse."""
    generator = np.random.default_rng(4)
    labels, scores = generator.integers(2, size=60) * 2, generator.dirichlet(np.ones(4), size=60)
    oracle = np.mean([sk.roc_auc_score(labels == c, scores[:, c]) for c in (0, 2)])
    measured = RocAuc().measure(several(labels, scores, 4), WINDOW).value
    assert measured == pytest.approx(oracle, rel=1e-12)


def test_stderr_of_two_classes_against_the_rest_is_that_of_one() -> None:
    """The two one-vs-rest areas of two classes are the same number, not two independent ones."""
    generator = np.random.default_rng(5)
    labels, second = generator.integers(2, size=80), generator.integers(64, size=80) / 64
    one = RocAuc().measure(binary(labels, second), WINDOW)
    two = RocAuc().measure(several(labels, np.column_stack([1 - second, second]), 2), WINDOW)
    assert two.value == pytest.approx(one.value, rel=1e-12)
    assert two.stderr == pytest.approx(one.stderr, rel=1e-10)


def test_ranks_have_no_row_losses() -> None:
    """ROC-AUC is a mean over pairs: no row losses, no bound."""
    rows = binary([0, 1], [0.2, 0.8])
    assert RocAuc().losses(rows) is None
    assert RocAuc().bound(rows.target) is None
