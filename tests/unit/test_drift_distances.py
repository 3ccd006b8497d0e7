"""Distances and p-values against scipy, the peers' documented figures, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from scipy.spatial.distance import jensenshannon

from ratoon.drift import DISTANCES
from ratoon.drift.distances import (
    cramer_von_mises,
    cramers_v,
    hellinger,
    jensen_shannon,
    kolmogorov_smirnov,
    kuiper,
    l_infinity,
    psi,
    total_variation,
    wasserstein,
)
from ratoon.drift.multivariate.separating import rank_p
from ratoon.drift.significance import (
    beyond_all,
    cramer_von_mises_p,
    homogeneity,
    kolmogorov,
    kuiper_p,
    two_shares,
)
from ratoon.metrics.ranking import area_and_influence

P, Q = np.array([0.1, 0.2, 0.3, 0.25, 0.15]), np.array([0.2, 0.2, 0.2, 0.2, 0.2])


def on_all_values(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return counts of two samples on a bin for each value."""
    values = np.unique(np.concatenate([x, y]))
    counts = [np.bincount(np.searchsorted(values, s), minlength=len(values)) for s in (x, y)]
    return counts[0].astype(float), counts[1].astype(float), values


def on_equal_bins(x: np.ndarray, y: np.ndarray, bins: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Return counts on bins of equal width over both samples, as frouros takes them."""
    edges = np.histogram_bin_edges(np.concatenate([x, y]), bins)
    return tuple(np.histogram(s, edges)[0].astype(float) for s in (x, y))  # type: ignore[return-value]


def texts(left: str, right: str) -> tuple[np.ndarray, np.ndarray]:
    """Return counts of letters."""
    letters = sorted({*left, *right})
    return tuple(np.array([s.count(c) for c in letters], float) for s in (left, right))  # type: ignore[return-value]


@pytest.mark.parametrize("seed", range(5))
def test_of_samples(seed: int) -> None:
    """With a bin for each value, distances and p-values are scipy's."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=300), rng.normal(size=200) + rng.random() * 0.4
    before, now, values = on_all_values(x, y)
    ks, cvm = kolmogorov_smirnov(before, now).value, cramer_von_mises(before, now).value
    assert ks == pytest.approx(scipy.stats.ks_2samp(x, y).statistic, abs=1e-14)
    peer = scipy.stats.cramervonmises_2samp(x, y, method="asymptotic")
    assert cramer_von_mises_p(cvm, 300, 200) == pytest.approx(peer.pvalue, rel=1e-3, abs=1e-9)
    earth = scipy.stats.wasserstein_distance(x, y)
    assert wasserstein(before, now, values).value == pytest.approx(earth, rel=1e-12)
    exact = scipy.stats.ks_2samp(x, y, method="exact").pvalue
    assert kolmogorov(ks, 300, 200) == pytest.approx(exact, rel=0.35)
    assert kolmogorov(ks, 300, 200) >= exact * 0.99, "never too small"
    above = np.max(before.cumsum() / 300 - now.cumsum() / 200)
    below = np.max(now.cumsum() / 200 - before.cumsum() / 300)
    assert kuiper(before, now).value == pytest.approx(above + below)


@pytest.mark.parametrize("seed", range(5))
def test_of_categories(seed: int) -> None:
    """Distances of shares are scipy's, or a line of numpy."""
    rng = np.random.default_rng(seed)
    before, now = rng.multinomial(500, P).astype(float), rng.multinomial(300, Q).astype(float)
    p, q = before / 500, now / 300
    assert jensen_shannon(before, now).value == pytest.approx(jensenshannon(p, q, base=2))
    bhattacharyya = np.sqrt(p * q).sum()
    assert hellinger(before, now).value == pytest.approx(np.sqrt(1 - bhattacharyya))
    assert psi(before, now).value == pytest.approx(((p - q) * np.log(p / q)).sum())
    assert total_variation(before, now).value == pytest.approx(np.abs(p - q).sum() / 2)
    assert l_infinity(before, now).value == pytest.approx(np.abs(p - q).max())
    table = np.array([before, now])
    peer = scipy.stats.chi2_contingency(table, correction=False)
    assert homogeneity(before, now) == pytest.approx(peer.pvalue)
    v = scipy.stats.contingency.association(table.astype(int), method="cramer")
    assert cramers_v(before, now).value == pytest.approx(v)


@pytest.mark.parametrize("name", [*DISTANCES, "wasserstein"])
def test_standard_errors(name: str) -> None:
    """The standard error is the spread over samples; of a largest difference it is at most more."""
    rng = np.random.default_rng(7)
    found = []
    for _ in range(800):
        counts = rng.multinomial(2000, P).astype(float), rng.multinomial(1000, Q).astype(float)
        earth = name == "wasserstein"
        found.append(
            wasserstein(*counts, np.array([0.0, 1, 3, 4, 10]))
            if earth
            else DISTANCES[name](*counts)
        )
    spread = np.std([d.value for d in found])
    said = np.mean([d.stderr for d in found])
    assert 0.93 * spread <= said <= 1.25 * spread


@pytest.mark.parametrize("name", DISTANCES)
def test_equal_and_disjoint(name: str) -> None:
    """Equal shares are 0 apart, whatever the numbers of rows; nothing is NaN with empty bins."""
    counts = np.array([5.0, 0.0, 7.0, 3.0])
    assert DISTANCES[name](counts, counts * 3).value == pytest.approx(0, abs=1e-7)
    apart = DISTANCES[name](np.array([4.0, 0.0]), np.array([0.0, 9.0]))
    assert np.isfinite([apart.value, apart.stderr]).all()


def test_figures_of_frouros() -> None:
    """The figures that frouros documents for its tests of drift."""
    rng = np.random.RandomState
    a, b = rng(31).normal(1, 1, 100), rng(31).normal(5, 2, 100)
    both = rng(31)
    c, d = both.normal(1, 1, 500), both.normal(1, 1, 500)
    assert wasserstein(*on_all_values(a, b)).value == pytest.approx(3.85346006, abs=1e-8)
    assert hellinger(*on_equal_bins(a, b)).value == pytest.approx(0.74509099, abs=1e-8)
    assert hellinger(*on_equal_bins(c, d)).value == pytest.approx(0.04792538, abs=1e-8)
    assert psi(*on_equal_bins(c, d)).value == pytest.approx(0.01840072, abs=1e-8)
    assert total_variation(*on_equal_bins(a, b)).value == pytest.approx(0.78)
    overlap = hellinger(*on_equal_bins(a, b)).value ** 2
    assert -np.log(1 - overlap) == pytest.approx(0.810041883, abs=1e-6), "Bhattacharyya, unreleased"
    assert overlap == pytest.approx(0.555161, abs=1e-6), "Bhattacharyya as 0.9.0 takes it"
    assert psi(*on_equal_bins(a, b)).value < 5, "461.2 or 24.2 there, as an empty bin is cut"
    table = np.array(texts("aabaab", "bacccc"))
    assert scipy.stats.chi2_contingency(table)[0] == pytest.approx(6.13333333)
    assert homogeneity(*table) == 1.0, "too few rows for chi-squared: nothing is claimed"


def test_figures_of_nannyml() -> None:
    """The figures that NannyML documents for distances of single columns."""
    rng = np.random.RandomState(1)
    left, right = "".join(rng.choice(list("abcd"), 10_000)), "".join(rng.choice(list("abce"), 1000))
    assert jensen_shannon(*texts(left, right)).value == pytest.approx(0.50, abs=0.005)
    assert hellinger(*texts(left, right)).value == pytest.approx(0.50, abs=0.005)
    rng = np.random.RandomState(1)
    before = rng.choice(np.linspace(0, 2, 6), 10_000)
    now = rng.choice(np.linspace(0, 2, 3), 1000)
    steps = on_all_values(before, now)[:2]
    assert jensen_shannon(*steps).value == pytest.approx(0.73, abs=0.005)
    assert hellinger(*steps).value == pytest.approx(0.72, abs=0.005)
    assert l_infinity(*texts("aabbcc", "aabbccd")).value == pytest.approx(0.14, abs=0.005)
    assert l_infinity(*texts("aabbcc", "bbbbb")).value == pytest.approx(0.67, abs=0.005)
    rng = np.random.RandomState(1)
    x, y = rng.normal(0, 1, 10_000), rng.normal(1, 1, 1000)
    assert wasserstein(*on_all_values(x, y)).value == pytest.approx(1.01, abs=0.005)
    rng = np.random.RandomState(1)
    x, y = rng.normal(0, 1, 100_000), rng.normal(-4, 1, 1000)
    assert wasserstein(*on_all_values(x, y)).value == pytest.approx(3.99, abs=0.005)
    rng = np.random.RandomState(1)
    x, y = rng.normal(0, 1, 15_000), rng.normal(0, 10, 1_000_000)
    assert wasserstein(*on_all_values(x, y)).value == pytest.approx(7.18, abs=0.005)


def on_doane_bins(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return counts on bins of the reference by Doane's rule, as NannyML takes them."""
    edges = np.concatenate([[-np.inf], np.histogram_bin_edges(x, "doane"), [np.inf]])
    return tuple(np.histogram(s, edges)[0].astype(float) for s in (x, y))  # type: ignore[return-value]


def test_figures_of_nannyml_on_its_bins() -> None:
    """On NannyML's own bins its figures for normal samples come out."""
    rng = np.random.RandomState(1)
    x, y = rng.normal(0, 1, 10_000), rng.normal(0, 1, 1000)
    assert jensen_shannon(*on_doane_bins(x, y)).value == pytest.approx(0.05, abs=0.005)
    rng = np.random.RandomState(1)
    x, y = rng.normal(0, 1, 10_000), rng.normal(-2, 1, 10_000)
    assert hellinger(*on_doane_bins(x, y)).value == pytest.approx(0.63, abs=0.006)


def test_kolmogorov_smirnov_is_exact() -> None:
    """By week: NannyML says 0.004968 … 0.210516, as it cuts large references into quantiles."""
    values = np.random.RandomState(167).randn(20_160)
    values[16 * 1008 - 1008 :] += 0.6  # 1,008 rows a week, the first one being number 1
    found = [
        kolmogorov_smirnov(*on_all_values(values[:10_080], values[i : i + 5000])[:2]).value
        for i in range(0, 20_160, 5000)
    ]
    exact = [0.005067, 0.004933, 0.01186, 0.243595, 0.210615]
    assert found == pytest.approx(exact, abs=1e-6)


def test_figures_of_evidently() -> None:
    """Evidently's figures; its chi-squared takes the reference as exact, ours does not."""
    before = np.array([16.0, 18, 16, 14, 12, 12])
    now = np.array([16.0, 16, 16, 16, 16, 8])
    pair = [np.repeat(np.arange(6.0), counts.astype(int)) for counts in (before, now)]
    assert hellinger(before, now).value == pytest.approx(0.06812, abs=1e-5)
    assert homogeneity(before, now) == pytest.approx(0.8985, abs=1e-4)
    assert scipy.stats.chisquare(now, before).pvalue == pytest.approx(0.67309, abs=1e-5)
    x = scipy.stats.norm.rvs(size=100, random_state=0)
    y = scipy.stats.norm.rvs(size=100, random_state=1)
    before, now, _ = on_all_values(x, y)
    p = cramer_von_mises_p(cramer_von_mises(before, now).value, 100, 100)
    assert p == pytest.approx(0.8076839, abs=2e-3)
    assert total_variation(*on_all_values(*pair)[:2]).value == pytest.approx(6 / 88)
    assert two_shares(6, 6, 0, 6) == pytest.approx(0.0021, abs=1e-4)
    scores, marks = np.concatenate(pair), np.repeat([False, True], [88, 88])
    area = area_and_influence(scores, marks)[0]
    assert rank_p(area, scores, marks) == pytest.approx(0.481, abs=5e-4), "one-sided"
    both = scipy.stats.mannwhitneyu(*pair).pvalue
    assert both == pytest.approx(0.9629, abs=5e-4), "two-sided"
    assert two_shares(90, 150, 60, 150) == pytest.approx(0.00078, abs=3e-4)


def test_kuiper_under_no_drift() -> None:
    """Kuiper's p-value is uniform where nothing has changed."""
    rng = np.random.default_rng(3)
    p_values = []
    for _ in range(400):
        before, now, _ = on_all_values(rng.normal(size=200), rng.normal(size=150))
        p_values.append(kuiper_p(kuiper(before, now).value, 200, 150))
    assert scipy.stats.kstest(p_values, "uniform").pvalue > 0.001


def test_beyond_all_bounds() -> None:
    """The chance of rows beyond the reference is bounded, as simulation shows."""
    rng = np.random.default_rng(4)
    rows, windows = 200, 50
    beyond = []
    for _ in range(4000):
        x, y = rng.random(rows), rng.random(windows)
        beyond.append(int(((y < x.min()) | (y > x.max())).sum()))
    for k in (1, 2, 3, 4):
        share = np.mean(np.array(beyond) >= k)
        assert share <= beyond_all(k, rows, windows) + 3 * np.sqrt(share / 4000)
