"""Drift of several columns together: found, named, and no alarm where there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.stats
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import rbf_kernel

from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Window
from ratoon.core.times import EPOCH
from ratoon.drift import ColumnTest
from ratoon.drift.multivariate import (
    MMD,
    ClassifierTest,
    Correlations,
    PCAError,
)
from ratoon.drift.multivariate.means import welch
from ratoon.drift.multivariate.mmd import cross, median_distance
from ratoon.drift.multivariate.pca import basis_of
from ratoon.drift.multivariate.separating import rank_p, separate
from ratoon.drift.placing import category_places
from ratoon.windows.summaries import reference_of

WINDOW = Window(start=EPOCH, end=EPOCH)
TESTS: dict[str, Callable[..., Any]] = {"classifier": ClassifierTest, "mmd": MMD, "pca": PCAError}
Table = dict[str, Any]


def table(rng: np.random.Generator, rows: int, sign: float = 1.0) -> Table:
    """Return columns of all kinds; `y` and `z` go with `x`, or against it, and look the same."""
    x = rng.normal(size=rows)
    noise = rng.normal(size=(2, rows)) / 3
    return {
        "x": x,
        "y": sign * x + noise[0],
        "z": np.where(rng.random(rows) < 0.1, np.nan, x + noise[1]),
        "heavy": rng.standard_t(2, rows) * np.exp(rng.normal(size=rows)),
        "colour": rng.choice(list("rgb"), rows).astype(object),
        "id": np.array([f"i{i}" for i in rng.integers(0, 3000, rows)], dtype=object),
    }


@pytest.mark.parametrize("name", TESTS)
def test_stationary_windows(name: str) -> None:
    """Whatever the effect, p-values below 5 % come in 5 % of the windows without drift at most."""
    rng = np.random.default_rng(1)
    runs = 30
    p_values = [
        TESTS[name]().compare(table(rng, 300), table(rng, 150), WINDOW).change.p_value
        for _ in range(runs)
    ]
    assert sum(p <= 0.05 for p in p_values) <= scipy.stats.binom(runs, 0.05).ppf(1 - 1e-4)


@pytest.mark.parametrize("name", TESTS)
def test_correlation_flip_is_seen(name: str) -> None:
    """A column that goes against another one instead of with it: seen here, by no single column."""
    rng = np.random.default_rng(3)
    before, now = table(rng, 2000), table(rng, 1000, sign=-1.0)
    reference = reference_of({name: before[name] for name in before if name != "id"})
    alone = ColumnTest().compare(reference, reference.summarise(now), WINDOW)
    assert not any(change.drifted for change in alone)
    found = TESTS[name]().compare(before, now, WINDOW)
    assert found.drifted
    if name != "mmd":
        assert "y" in {part.column for part in found.columns[:2]}
        assert {part.column for part in found.columns} <= {"x", "y", "z"}
        assert found.columns[0].stderr < found.columns[0].value


@pytest.mark.parametrize("name", ["classifier", "mmd"])
def test_a_shift_is_named(name: str) -> None:
    """A column that moves, one that goes missing, and one with other categories are found."""
    rng = np.random.default_rng(5)
    before, now = table(rng, 1500), table(rng, 1500)
    now["heavy"] = now["heavy"] + 3
    now["colour"] = rng.choice(list("rgbn"), 1500, p=[0.1, 0.1, 0.4, 0.4]).astype(object)
    now["z"] = np.where(rng.random(1500) < 0.5, np.nan, now["z"])
    found = TESTS[name]().compare(before, now, WINDOW)
    assert found.drifted
    if name == "classifier":
        assert {part.column for part in found.columns} == {"heavy", "colour", "z"}


@pytest.mark.parametrize("name", TESTS)
def test_one_extreme_value_blinds_nothing(name: str) -> None:
    """A few huge numbers, of either side, hide no drift and make none."""
    rng = np.random.default_rng(6)
    before, same, now = table(rng, 1000), table(rng, 1000), table(rng, 1000, sign=-1.0)
    for one in (before, same, now):
        one["x"][0], one["y"][1], one["heavy"][2] = 1e12, np.inf, -1e300
    assert TESTS[name]().compare(before, now, WINDOW).drifted
    assert not TESTS[name]().compare(before, same, WINDOW).drifted


@pytest.mark.parametrize("name", TESTS)
def test_same_answer_each_time(name: str) -> None:
    """The same seed gives the same answer, also from Arrow columns, chunked or not."""
    rng = np.random.default_rng(7)
    before, now = table(rng, 300), table(rng, 200, sign=-1.0)

    def arrow(columns: Table) -> Table:
        made = {name: pa.array(column, from_pandas=True) for name, column in columns.items()}
        colour = made["colour"]
        made["colour"] = pa.chunked_array([colour[:70], colour[70:]])
        made["id"] = made["id"].dictionary_encode()
        return made

    test = TESTS[name](rows=150)
    found = test.compare(before, now, WINDOW)
    assert found == test.compare(before, now, WINDOW)
    assert found == test.compare(arrow(before), arrow(now), WINDOW)
    assert found != TESTS[name](rows=150, seed=1).compare(before, now, WINDOW)


@pytest.mark.parametrize("name", TESTS)
def test_odd_tables(name: str) -> None:
    """Constant and empty columns are no obstacle; of too few rows nothing is said."""
    rng = np.random.default_rng(8)

    def odd(rows: int) -> Table:
        return {
            "constant": np.ones(rows),
            "gone": np.full(rows, np.nan),
            "no text": np.array([None] * rows, dtype=object),
            "late": np.full(rows, np.datetime64("2026-01-01")),
            "truth": rng.random(rows) < 0.5,
        }

    found = TESTS[name]().compare(odd(100), odd(100), WINDOW)
    assert not found.drifted
    assert TESTS[name]().compare(odd(100), odd(39), WINDOW) is None
    assert TESTS[name]().compare({}, {}, WINDOW) is None
    with pytest.raises(KeyError):
        TESTS[name]().compare(odd(50), {"constant": np.ones(50)}, WINDOW)


@pytest.mark.parametrize("name", TESTS)
@pytest.mark.parametrize(
    "wrong",
    [{"effect": 0}, {"false_alarms": 1}, {"rows": 10}, {"inflation": 0}, {"seed": -1}],
    ids=str,
)
def test_settings(name: str, wrong: dict[str, Any]) -> None:
    """Settings that make no sense are refused when they are made."""
    with pytest.raises(SettingInvalid):
        TESTS[name](**wrong)


def test_settings_of_their_own() -> None:
    """So are those that only one test has."""
    for make in (
        lambda: ClassifierTest(effect=0.5),
        lambda: ClassifierTest(folds=1),
        lambda: PCAError(explained=1.0),
        lambda: Correlations(effect=0),
        lambda: Correlations(false_alarms=0),
    ):
        with pytest.raises(SettingInvalid):
            make()


def test_clumps_count_less() -> None:
    """Rows that come in clumps of alike ones are worth fewer, and so prove less."""
    rng = np.random.default_rng(9)
    before, now = table(rng, 400), table(rng, 400)
    now["x"] = now["x"] + 0.3
    for make in TESTS.values():
        p_values = [
            make(inflation=inflation).compare(before, now, WINDOW).change.p_value
            for inflation in (1.0, 9.0)
        ]
        assert p_values[0] <= p_values[1]


def test_p_value_of_ranks() -> None:
    """The p-value of an area is that of Mann and Whitney's test, ties and all."""
    rng = np.random.default_rng(10)
    for scores in (rng.normal(size=90), rng.integers(0, 4, 90).astype(float)):
        marks = rng.random(90) < 0.4
        area = roc_auc_score(marks, scores)
        peer = scipy.stats.mannwhitneyu(
            scores[marks],
            scores[~marks],
            alternative="greater",
            method="asymptotic",
            use_continuity=False,
        )
        assert rank_p(area, scores, marks) == pytest.approx(peer.pvalue, rel=1e-9)
    assert rank_p(0.5, np.zeros(10), np.arange(10) < 5) == 1.0


def test_folds_are_asked_once() -> None:
    """Each row is asked of once, by a classifier that has not seen it."""
    rng = np.random.default_rng(11)
    X, marks = np.arange(50.0)[:, None], np.arange(50) % 3 == 0

    def learn(rows: np.ndarray, _: np.ndarray) -> Any:
        def scores(asked: np.ndarray) -> np.ndarray:
            assert not np.isin(asked, rows).any()
            return asked[:, 0]

        return scores

    found = separate(X, marks, learn, 3, rng)
    rows = np.concatenate([fold.rows for fold in found.folds])
    assert sorted(rows.tolist()) == list(range(50))
    areas = [roc_auc_score(marks[fold.rows], X[fold.rows, 0]) for fold in found.folds]
    assert found.area == pytest.approx(np.mean(areas))


def test_mean_of_areas_has_its_standard_error() -> None:
    """The standard error is the spread over samples, for classifiers as they were learnt."""
    rng = np.random.default_rng(12)

    def learn(_: np.ndarray, __: np.ndarray) -> Any:
        return lambda asked: asked[:, 0]

    marks = np.repeat([False, True], [200, 100])
    found = [
        separate(rng.normal(size=(300, 1)) + marks[:, None] * 0.5, marks, learn, 3, rng)
        for _ in range(300)
    ]
    spread = np.std([one.area for one in found])
    assert np.mean([one.stderr for one in found]) == pytest.approx(spread, rel=0.12)


def test_welch_is_scipy() -> None:
    """Welch's test is scipy's."""
    rng = np.random.default_rng(13)
    x, y = rng.normal(size=30), rng.normal(0.4, 2, 20)
    peer = scipy.stats.ttest_ind(y, x, equal_var=False)
    assert welch(x, y).either_p() == pytest.approx(peer.pvalue)
    above = scipy.stats.ttest_ind(y, x, equal_var=False, alternative="greater").pvalue
    assert welch(x, y).above_p() == pytest.approx(above)
    assert welch(np.zeros(3), np.zeros(3)).either_p() == 1.0
    assert welch(np.zeros(3), np.ones(3)).either_p() == 0.0


def test_discrepancy_is_that_of_the_definition() -> None:
    """The squared discrepancy of halves is that of scikit-learn's kernel, summed naively."""
    rng = np.random.default_rng(14)
    x, y = rng.normal(size=(60, 3)), rng.normal(0.3, 1, (41, 3))
    width = median_distance(x, y)
    both = np.concatenate([x, y])
    assert width == pytest.approx(np.median(scipy.spatial.distance.pdist(both)))
    (x1, x2), (y1, y2) = (x[:30], x[30:]), (y[:20], y[20:])

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return rbf_kernel(a, b, gamma=0.5 / width**2)

    naive = kernel(x1, x2).mean() - kernel(x1, y2).mean()
    naive += kernel(y1, y2).mean() - kernel(y1, x2).mean()
    found = cross(x, y, width)
    assert found.squared == pytest.approx(naive)
    h = [kernel(side, x2).mean(axis=1) - kernel(side, y2).mean(axis=1) for side in (x1, y1)]
    peer = scipy.stats.ttest_ind(*h, equal_var=False, alternative="greater")
    assert found.p_value == pytest.approx(peer.pvalue)
    products = (x1.mean(axis=0) - y1.mean(axis=0)) @ (x2.mean(axis=0) - y2.mean(axis=0))
    assert cross(x, y, None).squared == pytest.approx(products)


def test_discrepancy_is_unbiased_with_its_standard_error() -> None:
    """Over samples the squared discrepancy is the true one on average, its spread as it says."""
    rng = np.random.default_rng(15)
    shift, width = 0.7, 1.0
    root = np.sqrt(width**2 / (width**2 + 2))
    true = 2 * root * (1 - np.exp(-(shift**2) / (2 * (width**2 + 2))))
    found = [
        cross(rng.normal(size=(200, 1)), rng.normal(shift, 1, (150, 1)), width) for _ in range(300)
    ]
    squared = np.array([one.squared for one in found])
    assert squared.mean() == pytest.approx(true, abs=4 * squared.std() / np.sqrt(300))
    assert np.mean([one.stderr for one in found]) == pytest.approx(squared.std(), rel=0.15)


def test_components_are_those_of_scikit_learn() -> None:
    """Components explain the asked share, and give rows back, as scikit-learn's."""
    rng = np.random.default_rng(16)
    rows = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6))
    peer = PCA(0.65, svd_solver="full").fit(rows)
    basis = basis_of(rows, 0.65)
    assert basis.directions.shape[1] == peer.n_components_
    given_back = peer.inverse_transform(peer.transform(rows))
    assert basis.residuals(rows) == pytest.approx(rows - given_back, abs=1e-9)


@pytest.mark.parametrize("bins", [5, 1000])
def test_places_are_those_of_the_counts(bins: int) -> None:
    """The bin of each value is the one that it is counted in."""
    rng = np.random.default_rng(21)
    for values in (rng.normal(size=5000), np.append(rng.integers(0, 4, 500), [np.nan, 1e300])):
        grid = reference_of({"x": values}, bins=bins).grids["x"]
        other = np.concatenate([values + 0.5, [np.nan, np.inf, -np.inf]])
        counts = np.bincount(grid.places(other), minlength=len(grid) + 1)
        assert counts.tolist() == grid.count(other).counts.tolist()


def test_places_of_categories() -> None:
    """Categories are placed as the bins of their grid, whatever holds them."""
    texts = pa.array(["b", None, "a", "z", "a"])
    for column in (
        texts,
        pa.chunked_array([texts[:2], texts[2:]]),
        texts.dictionary_encode(),
        pa.chunked_array([texts[:2].dictionary_encode(), texts[2:].dictionary_encode()]),
        np.array(["b", None, "a", "z", "a"], dtype=object),
    ):
        assert category_places(["a", "b"], column).tolist() == [1, 3, 0, 2, 0]
