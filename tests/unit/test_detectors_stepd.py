"""STEPD."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from scipy import stats

from ratoon.detectors import STEPD
from tests.unit.detectors_streams import alarms, legacy, stepwise

PAPER = STEPD(window_size=30, alpha_drift=0.003, alpha_warning=0.05)
SHORT = STEPD(window_size=7, alpha_drift=0.01, alpha_warning=0.1)


def naive(detector: STEPD, values: Sequence[float]) -> Iterator[int]:
    """Equation 1 as the paper has it, on correct predictions, at every one."""
    first, w = 0, detector.window_size
    for last in range(len(values)):
        right = 1.0 - np.asarray(values[first : last + 1])
        if len(right) < 2 * w:
            continue
        ro, no, rr = right[:-w].sum(), len(right) - w, right[-w:].sum()
        p, inverse = right.mean(), 1 / no + 1 / w
        if not 0.0 < p < 1.0 or ro / no <= rr / w:
            continue
        t = (abs(ro / no - rr / w) - 0.5 * inverse) / np.sqrt(p * (1 - p) * inverse)
        if stats.norm.sf(t) < detector.alpha_drift:
            yield last
            first = last + 1


@pytest.mark.parametrize("detector", [STEPD(), PAPER, SHORT])
def test_it_is_its_definition(detector: STEPD) -> None:
    """Alarms equal those of naive code, also of losses in [0, 1]."""
    values = stepwise(seed=1)
    losses = np.random.default_rng(2).beta(1 + 2 * values, 3)
    for stream in (values, losses):
        assert [i for i, _ in alarms(detector, stream)] == list(naive(detector, stream.tolist()))
    assert alarms(detector, values)


def test_statistic_is_that_of_a_chi_squared_test() -> None:
    """Its square is Yates' statistic of the table of errors, older against newer."""
    values = stepwise(seed=3, size=40)[:70]
    detector = STEPD(window_size=20)
    state, _ = detector.scan(detector.init(), values)
    older, newer = values[:-20], values[-20:]
    table = [[older.sum(), len(older) - older.sum()], [newer.sum(), 20 - newer.sum()]]
    assert state.statistic > 0
    assert state.statistic**2 == pytest.approx(stats.chi2_contingency(table).statistic)


def test_errors_alarm_after_the_change() -> None:
    """Errors at 0.2 and then 0.8 alarm once the window has enough of them, dated to 5."""
    ((seen, since), *rest) = alarms(STEPD(), legacy("errors"))
    assert rest == []
    assert 1000 <= seen < 1050
    assert abs((since or 0) - 1000) <= 5


def test_constant_rates_alarm_seldom_by_default() -> None:
    """100,000 errors at rates of 0.05, 0.2 and 0.5 alarm at most 3 times, by the paper's often."""
    generator = np.random.default_rng(4)
    for rate in (0.05, 0.2, 0.5):
        errors = generator.random(100_000) < rate
        assert len(alarms(STEPD(), errors)) <= 3
        assert len(alarms(PAPER, errors)) > 15
