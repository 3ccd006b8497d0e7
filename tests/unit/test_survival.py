"""The product-limit curve and the test of two curves, against published figures."""

from __future__ import annotations

import numpy as np
import pytest

from ratoon.windows.judged import Floats
from ratoon.windows.survival import Curve, clustered_variance, product_limit, supremum_test

# Freireich et al. (1963), Blood 21: weeks in remission with 6-mercaptopurine; + is censored.
REMISSION = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"
# Gastrointestinal Tumor Study Group, as in Klein and Moeschberger (2003), example 7.9: days.
CHEMOTHERAPY = """1 63 105 129 182 216 250 262 301 301 342 354 356 358 380 383 383 388 394 408 460
    489 499 523 524 535 562 569 675 676 748 778 786 797 955 968 1000 1245 1271 1420 1551 1694
    2363 2754+ 2950+"""
COMBINED = """17 42 44 48 60 72 74 95 103 108 122 144 167 170 183 185 193 195 197 208 234 235 254
    307 315 401 445 464 484 528 542 547 577 580 795 855 1366 1577 2060 2412+ 2486+ 2796+ 2802+
    2934+ 2988+"""


def curve_of(patients: str, edges: Floats) -> Curve:
    """Return the curve of patients, where each edge is a day or a week."""
    times = np.array([float(one.rstrip("+")) for one in patients.split()])
    seen = np.array([not one.endswith("+") for one in patients.split()])
    return product_limit(
        edges,
        np.array([(times >= edge).sum() for edge in edges], dtype=float),
        np.array([((times == edge) & seen).sum() for edge in edges], dtype=float),
    )


def test_the_curve_is_the_published_one() -> None:
    """The remission times of Freireich et al. give the estimates and errors of the textbooks."""
    edges = np.arange(1.0, 36.0)
    found = curve_of(REMISSION, edges)
    published = {
        6: (0.857, 0.0764),
        7: (0.807, 0.0869),
        10: (0.753, 0.0963),
        13: (0.690, 0.1068),
        16: (0.627, 0.1141),
        22: (0.538, 0.1282),
        23: (0.448, 0.1346),
    }
    for week, (waiting, stderr) in published.items():
        assert found.waiting[week - 1] == pytest.approx(waiting, abs=6e-4)
        assert found.stderr[week - 1] == pytest.approx(stderr, abs=6e-5)
    assert found.waiting[-1] == found.waiting[22]


def test_the_supremum_test_is_the_published_one() -> None:
    """Two treatments whose curves cross differ by Q = 2.20, p = 0.053 by a table."""
    edges = np.unique([float(t.rstrip("+")) for t in (CHEMOTHERAPY + " " + COMBINED).split()])
    one, other = curve_of(CHEMOTHERAPY, edges), curve_of(COMBINED, edges)
    statistic, p_value = supremum_test(one, other)
    assert statistic == pytest.approx(2.20, abs=0.005)
    assert p_value == pytest.approx(0.053, abs=0.005)
    assert supremum_test(other, one) == pytest.approx((statistic, p_value))


def test_the_supremum_has_the_distribution_of_brownian_motion() -> None:
    """The p-value is the chance that a random walk of many steps goes as far."""
    rng = np.random.default_rng(0)
    walks = np.abs(rng.normal(size=(4000, 2000)).cumsum(axis=1)).max(axis=1) / np.sqrt(2000)
    edges, ones = np.array([1.0, 2.0]), np.array([50.0, 50.0])
    for labelled in (20.0, 26.0, 30.0):
        one = product_limit(edges, ones, np.array([labelled, 0.0]))
        other = product_limit(edges, ones, np.array([15.0, 0.0]))
        statistic, p_value = supremum_test(one, other)
        assert p_value == pytest.approx((walks > statistic).mean(), abs=0.02)


def test_cohorts_that_are_labelled_as_one_count_as_one() -> None:
    """The variance of the sum is that of its parts, one a cohort, as the paper writes it."""
    rng = np.random.default_rng(4)
    at_risk = rng.integers(0, 30, size=(7, 5)).astype(float)
    labelled = np.floor(at_risk * rng.random((7, 5)))
    first = np.repeat(np.arange(7) < 3, 5).reshape(7, 5)
    sums = np.zeros((7, 5))
    for cohort in range(7):
        for upto in range(5):
            for b in range(upto + 1):
                n, n1 = at_risk[:, b].sum(), at_risk[:3, b].sum()
                hazard = labelled[:, b].sum() / n
                part = labelled[cohort, b] - hazard * at_risk[cohort, b]
                sums[cohort, upto] += part * ((1 - n1 / n) if cohort < 3 else -n1 / n)
    expected = max((sums[:, upto] ** 2).sum() for upto in range(5))
    assert clustered_variance(at_risk, labelled, first) == pytest.approx(expected)
    assert clustered_variance(at_risk * 4, labelled * 4, first) == pytest.approx(16 * expected)
    one = product_limit(np.arange(5.0), at_risk[:3].sum(axis=0), labelled[:3].sum(axis=0))
    other = product_limit(np.arange(5.0), at_risk[3:].sum(axis=0), labelled[3:].sum(axis=0))
    alone, p_alone = supremum_test(one, other)
    assert supremum_test(one, other, 0.0) == (alone, p_alone)
    together, p_together = supremum_test(one, other, 1e6)
    assert together < alone
    assert p_together > p_alone
