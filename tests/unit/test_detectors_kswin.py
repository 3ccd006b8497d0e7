"""KSWIN."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from river import drift as river
from scipy import stats

from ratoon.detectors import KSWIN
from ratoon.detectors.kswin import critical, tail
from tests.unit.detectors_streams import alarms, legacy, of_river


def best_split(window: np.ndarray) -> int:
    """Where scipy's statistic, times the root of both sizes, is largest."""
    n = len(window)
    heights = [
        stats.ks_2samp(window[:k], window[k:], method="asymp").statistic * np.sqrt(k * (n - k))
        for k in range(1, n)
    ]
    return int(np.argmax(np.round(heights, 9))) + 1


def naive(detector: KSWIN, values: Sequence[float]) -> Iterator[tuple[int, int]]:
    """The definition, with scipy's exact test of every window."""
    first = 0
    for last in range(len(values)):
        first = max(first, last + 1 - detector.window_size)
        window = np.asarray(values[first : last + 1])
        if len(window) < detector.window_size:
            continue
        older, newer = window[: -detector.stat_size], window[-detector.stat_size :]
        if stats.ks_2samp(older, newer, method="exact").pvalue <= detector.alpha:
            first += best_split(window)
            yield last, first


@pytest.mark.parametrize("detector", [KSWIN(window_size=40, stat_size=12, alpha=0.001)])
@pytest.mark.parametrize("ties", [False, True])
def test_it_is_its_definition(detector: KSWIN, ties: bool) -> None:  # noqa: FBT001
    """Alarms and change points equal those of naive code, with equal values and without."""
    generator = np.random.default_rng(1)
    values = generator.normal(size=400) * np.repeat([1.0, 4.0], 200)
    values[300:] += 5.0
    values = np.round(values) if ties else values
    expected = list(naive(detector, values.tolist()))
    assert expected
    assert alarms(detector, values) == expected


def test_tail_counts_all_orders() -> None:
    """For 3 and 4 values it is the share of all 35 orders of that distance or more."""
    distances = []
    for places in itertools.combinations(range(7), 3):
        steps = np.where(np.isin(np.arange(7), places), 4, -3)
        distances.append(int(np.abs(np.cumsum(steps)).max()))
    for distance in range(14):
        assert tail(3, 4, distance) == pytest.approx(np.mean(np.array(distances) >= distance))


@pytest.mark.parametrize(("m", "n"), [(12, 28), (30, 70), (50, 150)])
def test_tail_is_that_of_scipy(m: int, n: int) -> None:
    """Down to 1e-9 it equals the exact p-value of scipy's two-sample test."""
    generator = np.random.default_rng(2)
    for shift in np.linspace(0.0, 1.5, 12):
        found = stats.ks_2samp(
            generator.normal(size=m), generator.normal(shift, size=n), method="exact"
        )
        if found.pvalue > 1e-9:
            distance = round(found.statistic * m * n)
            assert tail(m, n, distance) == pytest.approx(found.pvalue, rel=1e-6)


@pytest.mark.parametrize("alpha", [0.05, 0.001, 1e-6])
def test_critical_is_the_least_distance(alpha: float) -> None:
    """One less is more likely than alpha."""
    least = critical(20, 50, alpha)
    assert tail(20, 50, least) <= alpha < tail(20, 50, least - 1)


def test_a_window_too_small_never_alarms() -> None:
    """Where no distance is as unlikely as alpha, nothing is a drift."""
    detector = KSWIN(alpha=0.01, window_size=4, stat_size=2)
    assert alarms(detector, np.repeat([0.0, 9.0], 50)) == []


def test_alarm_is_near_the_index_that_river_tests() -> None:
    """River draws a part of the window by chance and alarms at 1042; so does the whole, here."""
    peer = river.KSWIN(alpha=0.0001, window_size=200, stat_size=100, seed=42)
    assert of_river(peer, legacy("integers")) == [1042]
    same = KSWIN(alpha=0.0001, window_size=200, stat_size=100)
    assert alarms(same, legacy("integers")) == [(1042, 1000)]


def test_noise_alarms_seldom_by_default() -> None:
    """10,000 values of noise, normal or lognormal, never alarm; river's defaults do 10 times."""
    generator = np.random.default_rng(0)
    normal, skewed = generator.normal(size=10_000), generator.lognormal(size=10_000)
    assert alarms(KSWIN(), normal) == []
    assert alarms(KSWIN(), skewed) == []
    assert len(of_river(river.KSWIN(seed=1), normal)) > 10


def test_a_change_of_spread_is_found() -> None:
    """Three times the deviation, at the same mean, is seen within the window and dated to 20."""
    generator = np.random.default_rng(3)
    values = generator.normal(size=1200) * np.repeat([1.0, 3.0], 600)
    (seen, since), *_ = alarms(KSWIN(), values)
    assert 600 < seen < 700
    assert abs((since or 0) - 600) <= 20
