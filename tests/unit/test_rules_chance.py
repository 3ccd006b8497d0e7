"""The bounds behind the data checks, against scipy and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ratoon.windows.rules.chance import design_effect, log_above, log_excess


@pytest.mark.parametrize(
    ("found", "rows", "before", "reference"),
    [(60, 100, 5, 100), (30, 200, 250, 5000), (5, 200, 0, 5000), (199, 200, 4000, 5000)],
)
def test_excess_bounds_fishers_exact_test(
    found: int, rows: int, before: int, reference: int
) -> None:
    """The bound is never below the one-sided p-value of Fisher's test, and not far above it."""
    table = [[found, rows - found], [before, reference - before]]
    exact = float(stats.fisher_exact(table, alternative="greater").pvalue)
    bound = float(log_excess(found, rows, before, reference))
    assert bound >= np.log(exact)
    assert bound <= 0.6 * np.log(exact)


def test_no_excess_is_no_evidence() -> None:
    """A batch with no more than its share has a bound of 1, also where either has no rows."""
    assert log_excess(5, 100, 50, 1000) == 0
    assert log_excess(0, 100, 50, 1000) == 0
    assert log_excess(0, 0, 50, 1000) == 0
    assert log_excess(3, 10, 0, 0) == 0


def test_above_bounds_the_binomial() -> None:
    """Against a limit that a person set, the bound is never below the binomial's tail."""
    for found in range(101):
        exact = stats.binom.logsf(found - 1, 100, 0.1)
        assert log_above(found, 100, 0.1) >= exact - 1e-12
    assert log_above(1, 100, 0.0) == -np.inf


def test_excess_holds_its_level_without_a_margin() -> None:
    """Of 50,000 pairs of samples of one kind, no more than alpha have a bound below alpha."""
    chance = np.random.default_rng(0)
    for rate in (0.001, 0.05, 0.5):
        before = chance.binomial(2000, rate, 50_000)
        found = chance.binomial(200, rate, 50_000)
        log_p = log_excess(found, 200, before, 2000)
        for alpha in (0.05, 0.001):
            assert (log_p <= np.log(alpha)).mean() <= alpha


def test_design_effect_is_that_of_clusters() -> None:
    """Rows that come in clusters of m equal ones count as one each: the effect is about m."""
    chance = np.random.default_rng(1)
    for size in (1, 5, 20):
        found = [
            design_effect(np.repeat(chance.random(4000 // size) < 0.3, size)) for _ in range(100)
        ]
        assert np.mean(found) == pytest.approx(size, rel=0.2)


def test_design_effect_of_too_little_is_one() -> None:
    """No rows, one piece, and hits that are all or none have no runs to speak of."""
    assert design_effect(np.zeros(0, dtype=bool)) == 1
    assert design_effect(np.repeat([True, False], 20)) == 1
    assert design_effect(np.ones(1000, dtype=bool)) == 1
