"""HDDM-A and HDDM-W."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from river.drift import binary as river

from ratoon.detectors import HDDMA, HDDMW
from tests.unit.detectors_streams import alarms, legacy, of_river, stepwise

PAPER_W = HDDMW(drift_confidence=0.001, warning_confidence=0.005)


def naive_a(detector: HDDMA, values: Sequence[float]) -> Iterator[tuple[int, int]]:
    """Algorithm 1, a rise alone: all means anew at every value."""
    first, inverse = 0, 1 / detector.drift_confidence
    for last in range(len(values)):
        x = np.asarray(values[first : last + 1]) / detector.span
        n = np.arange(1, len(x) + 1)
        means = np.cumsum(x) / n
        bounds = means + np.sqrt(math.log(inverse) / (2 * n))
        k = len(x) - int(np.argmin(bounds[::-1]))
        if k == len(x):
            continue
        m = 1 / k - 1 / len(x)
        if means[-1] - means[k - 1] >= math.sqrt(m / 2 * math.log(2 * inverse)):
            yield last, first + k
            first = last + 1


def weighted(x: Sequence[float], weight: float) -> tuple[float, float]:
    """The weighted mean of values by its weights written out, and the sum of their squares."""
    t = len(x)
    weights = weight * (1 - weight) ** np.arange(t - 1, -1, -1.0)
    weights[0] = (1 - weight) ** (t - 1)
    return float(weights @ np.asarray(x)), float(weights @ weights)


def naive_w(detector: HDDMW, values: Sequence[float]) -> Iterator[int]:
    """Algorithm 2, a rise alone: all weighted means anew at every value."""
    first, log = 0, math.log(1 / detector.drift_confidence)
    cut, bound = 0, math.inf
    for last in range(len(values)):
        mean, squares = weighted(values[first : last + 1], detector.weight)
        edge = mean + detector.span * math.sqrt(squares * log / 2)
        if edge < bound:
            bound, cut = edge, last + 1
            continue
        older = weighted(values[first:cut], detector.weight)
        newer = weighted(values[cut : last + 1], detector.weight)
        limit = detector.span * math.sqrt((older[1] + newer[1]) * log / 2)
        if newer[0] - older[0] > limit:
            yield last
            first, cut, bound = last + 1, last + 1, math.inf


@pytest.mark.parametrize(
    "detector", [HDDMA(), HDDMA(drift_confidence=0.05, warning_confidence=0.1)]
)
@pytest.mark.parametrize("span", [1.0, 40.0])
def test_hddm_a_is_its_definition(detector: HDDMA, span: float) -> None:
    """Alarms and change points equal those of naive code; no unit matters."""
    values = stepwise(seed=1, size=400)
    expected = list(naive_a(detector, values.tolist()))
    wide = HDDMA(
        drift_confidence=detector.drift_confidence,
        warning_confidence=detector.warning_confidence,
        span=span,
    )
    assert expected
    assert alarms(wide, span * values - 3.0) == expected


@pytest.mark.parametrize(
    "detector", [HDDMW(), PAPER_W, HDDMW(weight=0.2, drift_confidence=0.01, warning_confidence=0.1)]
)
def test_hddm_w_is_its_definition(detector: HDDMW) -> None:
    """Alarms equal those of naive code with all weights written out."""
    values = stepwise(seed=1, size=400)
    assert [i for i, _ in alarms(detector, values)] == list(naive_w(detector, values.tolist()))


@pytest.mark.parametrize("two_sided", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_alarms_of_a_are_those_of_river(seed: int, two_sided: bool) -> None:  # noqa: FBT001
    """River 0.26.1 alarms at the same values, one-sided and both ways."""
    values = stepwise(seed)
    peer = river.HDDMA(two_sided_test=two_sided)
    assert [i for i, _ in alarms(HDDMA(two_sided=two_sided), values)] == of_river(peer, values)


def test_alarms_are_at_the_indices_that_river_tests() -> None:
    """The indices of river 0.26.1, for which HDDM-W's first squared weight is no matter."""
    errors, both = legacy("errors"), legacy("signs")
    assert [i for i, _ in alarms(HDDMA(), errors)] == [1047]
    assert [i for i, _ in alarms(PAPER_W, errors)] == [1018]
    assert [i for i, _ in alarms(HDDMA(two_sided=True), both)] == [531, 1015, 1545]
    two_sided = HDDMW(drift_confidence=0.001, warning_confidence=0.005, two_sided=True)
    assert [i for i, _ in alarms(two_sided, both)] == [507, 1032, 1508]


@pytest.mark.parametrize("kind", [HDDMA, HDDMW])
def test_a_fall_is_a_rise_in_the_mirror(kind: type[HDDMA | HDDMW]) -> None:
    """With `two_sided` the mirrored stream gives the same alarms."""
    values = stepwise(seed=2)
    detector = kind(two_sided=True)
    assert alarms(detector, values)
    assert alarms(detector, 1.0 - values) == alarms(detector, values)


@pytest.mark.parametrize("detector", [HDDMA(), HDDMW(), PAPER_W])
def test_a_change_is_dated(detector: HDDMA | HDDMW) -> None:
    """A rise from 0.1 to 0.7 after 500 errors is dated to 30 of them in the median."""
    generator = np.random.default_rng(4)
    rates = np.repeat([0.1, 0.7], [500, 200])
    off = []
    for _ in range(30):
        found = [a for a in alarms(detector, generator.random(700) < rates) if a[0] >= 500]
        off.append(abs((found[0][1] or 0) - 500))
    assert np.median(off) <= 30


def test_noise_alarms_seldom_by_default() -> None:
    """100,000 errors at 0.5 alarm at most 10 times, where river's HDDM-W does so 50 times."""
    errors = (np.random.default_rng(5).random(100_000) < 0.5).astype(float)
    assert len(alarms(HDDMA(), errors)) <= 10
    assert len(alarms(HDDMW(), errors)) <= 10
    assert len(of_river(river.HDDMW(), errors)) > 50
