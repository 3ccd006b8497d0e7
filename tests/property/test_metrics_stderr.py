from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from ratoon.core.measuring import Window
from ratoon.core.times import EPOCH
from ratoon.metrics import F1, MAE, R2, RMSE, Accuracy, Brier, LogLoss, Precision, Recall, RocAuc
from ratoon.windows.judged import Floats, Judged, Scored, Target

WINDOW = Window(start=EPOCH, end=EPOCH)
RATIOS = [(Precision, "precision"), (Recall, "recall"), (F1, "f1")]
SEEDS = st.integers(0, 2**32 - 1)
EXAMPLES = settings(deadline=None, max_examples=25)
RESAMPLES = 1500  # the bootstrap's own error is then 1/√3000 = 1.8%


def classified(generator: np.random.Generator, rows: int, classes: int) -> Judged:
    """Rows whose right class has the greatest score more often than not; all classes occur."""
    labels = generator.permutation(np.arange(rows) % classes)
    hints = 1.5 * np.eye(classes)[labels] + generator.normal(size=(rows, classes))
    scores = np.exp(hints) / np.exp(hints).sum(axis=1, keepdims=True)
    said = Scored(outputs=scores.argmax(axis=1).astype(float), scores=scores)
    target = Target(task="binary" if classes == 2 else "multiclass", classes=tuple(range(classes)))
    return Judged(target=target, labels=labels.astype(float), scored=said)


def predicted(generator: np.random.Generator, rows: int) -> Judged:
    """Labels and outputs of a regression with skewed errors that grow with the label."""
    labels = generator.gamma(2.0, size=rows)
    outputs = labels + labels * generator.normal(0.2, 0.5, size=rows)
    target = Target(task="regression")
    return Judged(target=target, labels=labels, scored=Scored(outputs=outputs))


def infinitesimal_jackknife(
    statistic: Callable[..., float], rows: int, step: float = 1e-5
) -> float:
    """√(Σ ψ²)/n with ψ = n dT/dw by central differences on the rows' weights, times √(n/(n-1))."""
    influence = np.empty(rows)
    for row in range(rows):
        up, down = np.ones(rows), np.ones(rows)
        up[row], down[row] = 1 + step, 1 - step
        influence[row] = rows * (statistic(up) - statistic(down)) / (2 * step)
    return math.sqrt((influence**2).sum()) / rows * math.sqrt(rows / (rows - 1))


def bootstrap(statistic: Callable[..., float], judged: Judged, seed: int) -> float:
    """The standard deviation of a statistic over resampled rows."""
    generator, rows, scored = np.random.default_rng(seed), len(judged), judged.scored
    values = []
    for _ in range(RESAMPLES):
        index = generator.integers(rows, size=rows)
        scores = None if scored.scores is None else scored.scores[index]
        values.append(statistic(judged.labels[index], scored.outputs[index], scores))
    return np.std(values, ddof=1)


@pytest.mark.parametrize("metric", [Accuracy(), LogLoss(), Brier()])
@given(seed=SEEDS, classes=st.integers(2, 4), rows=st.integers(4, 80))
@EXAMPLES
def test_stderr_of_a_mean_of_losses(metric: Any, seed: int, classes: int, rows: int) -> None:
    """A mean of row losses has the standard error of the mean, as scipy computes it."""
    judged = classified(np.random.default_rng(seed), rows, classes)
    expected = stats.sem(metric.losses(judged))
    assert metric.measure(judged, WINDOW).stderr == pytest.approx(expected, abs=1e-12)


@given(seed=SEEDS, rows=st.integers(2, 80))
@EXAMPLES
def test_stderr_of_mean_absolute_error(seed: int, rows: int) -> None:
    """MAE has the standard error of the mean, as scipy computes it."""
    judged = predicted(np.random.default_rng(seed), rows)
    expected = stats.sem(np.abs(judged.labels - judged.scored.outputs))
    assert MAE().measure(judged, WINDOW).stderr == pytest.approx(expected)


@given(right=st.integers(0, 50), wrong=st.integers(0, 50))
@EXAMPLES
def test_stderr_of_accuracy_has_a_closed_form(right: int, wrong: int) -> None:
    """Of n rows with share p right it is √(p (1 - p) / (n - 1)); of one row there is none."""
    rows = right + wrong
    labels = np.repeat([0.0, 1.0], [right, wrong])
    target = Target(task="binary", classes=("a", "b"))
    judged = Judged(target=target, labels=labels, scored=Scored(outputs=np.zeros(rows)))
    stderr = Accuracy().measure(judged, WINDOW).stderr
    if rows < 2:
        assert stderr is None
    else:
        assert stderr == pytest.approx(math.sqrt(right * wrong / rows**2 / (rows - 1)))


@pytest.mark.parametrize(("metric", "oracle"), RATIOS)
@given(seed=SEEDS, rows=st.integers(8, 24))
@settings(deadline=None, max_examples=8)
def test_stderr_of_ratios_is_the_infinitesimal_jackknife(
    metric: Any, oracle: str, seed: int, rows: int
) -> None:
    """It equals the derivatives of scikit-learn's weighted score, one class or macro of three."""
    generator, score = np.random.default_rng(seed), getattr(sk, f"{oracle}_score")
    for classes, average in ((2, "binary"), (2, "macro"), (3, "macro")):
        judged = classified(generator, rows, classes)
        labels, outputs = judged.labels, judged.scored.outputs

        def weighted(
            weights: Floats,
            labels: Floats = labels,
            outputs: Floats = outputs,
            average: str = average,
        ) -> float:
            return score(labels, outputs, sample_weight=weights, average=average, zero_division=0)

        measured = metric(average=average).measure(judged, WINDOW)
        if measured.value is None:
            assert not (outputs == 1).any()
            continue
        expected = infinitesimal_jackknife(weighted, rows)
        assert measured.stderr == pytest.approx(expected, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("average", ["binary", "macro"])
def test_stderr_of_precision_has_a_closed_form(average: str) -> None:
    """With one class predicted throughout, precision is a plain share of all rows."""
    labels = np.repeat([0.0, 1.0], [30, 70])
    target = Target(task="binary", classes=("a", "b"))
    judged = Judged(target=target, labels=labels, scored=Scored(outputs=np.ones(100)))
    weight = 1.0 if average == "binary" else 0.5
    measured = Precision(average=average).measure(judged, WINDOW)
    assert measured.value == pytest.approx(weight * 0.7)
    assert measured.stderr == pytest.approx(weight * math.sqrt(0.7 * 0.3 / 99))


@pytest.mark.parametrize(
    ("metric", "oracle"), [(RMSE(), sk.root_mean_squared_error), (R2(), sk.r2_score)]
)
@given(seed=SEEDS, rows=st.integers(5, 40))
@EXAMPLES
def test_stderr_of_rmse_and_r2_is_the_infinitesimal_jackknife(
    metric: Any, oracle: str, seed: int, rows: int
) -> None:
    """It equals the derivatives of scikit-learn's weighted score by the weights of the rows."""
    judged = predicted(np.random.default_rng(seed), rows)
    labels, outputs = judged.labels, judged.scored.outputs
    expected = infinitesimal_jackknife(
        lambda weights: oracle(labels, outputs, sample_weight=weights), rows
    )
    assert metric.measure(judged, WINDOW).stderr == pytest.approx(expected, rel=1e-5)


@given(seed=SEEDS, classes=st.integers(3, 4))
@EXAMPLES
def test_stderr_of_macro_area_joins_its_classes(seed: int, classes: int) -> None:
    """Row by row it is the mean over classes of DeLong's components, computed pair by pair."""
    generator = np.random.default_rng(seed)
    judged = classified(generator, 40, classes)
    total = np.zeros(40)
    for code in range(classes):
        ones, scores = judged.labels == code, judged.scored.scores[:, code]
        pairs = np.sign(scores[ones][:, None] - scores[~ones][None, :]) / 2 + 0.5
        for group, parts in ((ones, pairs.mean(axis=1)), (~ones, pairs.mean(axis=0))):
            spread = math.sqrt(len(parts) / (len(parts) - 1)) / len(parts) / classes
            total[group] += (parts - pairs.mean()) * spread
    expected = math.sqrt((total**2).sum())
    assert RocAuc().measure(judged, WINDOW).stderr == pytest.approx(expected, rel=1e-9)


def ratios(labels: Floats, outputs: Floats, classes: int) -> dict[str, Floats]:
    """Precision, recall and F1 of each class, from a table of counts."""
    codes = (labels * classes + outputs).astype(int)
    table = np.bincount(codes, minlength=classes**2).reshape(classes, classes)
    hits, predicted_so, labelled_so = np.diag(table), table.sum(axis=0), table.sum(axis=1)
    return {
        "precision": hits / predicted_so,
        "recall": hits / labelled_so,
        "f1": 2 * hits / (predicted_so + labelled_so),
    }


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(("metric", "name"), RATIOS)
def test_stderr_of_ratios_is_that_of_the_bootstrap(metric: Any, name: str, classes: int) -> None:
    """Of 600 rows the delta method agrees with 1500 resamples within 8%."""
    judged = classified(np.random.default_rng(11), 600, classes)

    def statistic(labels: Floats, outputs: Floats, _scores: object) -> float:
        scores = ratios(labels, outputs, classes)[name]
        return scores[1] if classes == 2 else scores.mean()

    measured = metric().measure(judged, WINDOW)
    assert measured.value == pytest.approx(statistic(judged.labels, judged.scored.outputs, None))
    assert measured.stderr == pytest.approx(bootstrap(statistic, judged, seed=12), rel=0.08)


@pytest.mark.parametrize("metric", [RMSE(), R2()])
def test_stderr_of_rmse_and_r2_is_that_of_the_bootstrap(metric: Any) -> None:
    """Of 2000 rows with skewed errors the delta method agrees with 1500 resamples within 10%."""
    judged = predicted(np.random.default_rng(13), 2000)

    def statistic(labels: Floats, outputs: Floats, _scores: object) -> float:
        error = np.mean((labels - outputs) ** 2)
        return math.sqrt(error) if metric == RMSE() else 1 - error / labels.var()

    measured = metric.measure(judged, WINDOW)
    assert measured.stderr == pytest.approx(bootstrap(statistic, judged, seed=14), rel=0.1)


@pytest.mark.parametrize("classes", [2, 3])
def test_stderr_of_area_is_that_of_the_bootstrap(classes: int) -> None:
    """Of 300 rows DeLong's standard error, also of a macro mean, agrees with 1500 resamples."""
    judged = classified(np.random.default_rng(15), 300, classes)

    def statistic(labels: Floats, _outputs: object, scores: Floats) -> float:
        chosen = [1] if classes == 2 else range(classes)
        ranks = stats.rankdata(scores, axis=0)
        counts = [(labels == c).sum() for c in range(classes)]
        areas = [
            (ranks[labels == c, c].sum() - counts[c] * (counts[c] + 1) / 2)
            / (counts[c] * (len(labels) - counts[c]))
            for c in chosen
        ]
        return np.mean(areas)

    measured = RocAuc().measure(judged, WINDOW)
    value = statistic(judged.labels, None, judged.scored.scores)
    assert measured.value == pytest.approx(value)
    assert measured.stderr == pytest.approx(bootstrap(statistic, judged, seed=16), rel=0.08)


@pytest.mark.parametrize(
    "metric", [Accuracy(), Precision(), Recall(), F1(), LogLoss(), Brier(), RocAuc()]
)
def test_interval_covers_the_truth(metric: Any) -> None:
    """Of 400 windows, 90 to 98% have the truth within 1.96 standard errors of their value."""
    truth = metric.measure(classified(np.random.default_rng(17), 200_000, 3), WINDOW).value
    generator, covered = np.random.default_rng(18), 0
    for _ in range(400):
        measured = metric.measure(classified(generator, 300, 3), WINDOW)
        covered += abs(measured.value - truth) <= 1.96 * measured.stderr
    assert 0.90 <= covered / 400 <= 0.98
