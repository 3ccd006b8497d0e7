from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratoon.core import wire
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Measurement
from ratoon.estimates import Estimate, Trust, TrustState
from tests.unit.estimates_world import day

TRUST = Trust(tolerance=0.02)


def estimate(number: int, value: float | None = 0.9, stderr: float | None = 0.01) -> Estimate:
    """Return the estimate of a day's accuracy on 1,000 rows."""
    said = Measurement(metric="accuracy", window=day(number), value=value, n=1000, stderr=stderr)
    return Estimate(measurement=said, method="cbpe", assumptions=("no concept drift",))


def measured(number: int, value: float | None, n: int = 1000) -> Measurement:
    """Return what the labels of a day said."""
    return Measurement(metric="accuracy", window=day(number), value=value, n=n, stderr=0.01)


def after(values: list[float], trust: Trust = TRUST, state: TrustState | None = None) -> TrustState:
    """Return the state after days whose accuracy was estimated as 0.9."""
    state = TrustState() if state is None else state
    began = int(len(state.tracks) and 500)
    pairs = [(estimate(began + i), measured(began + i, v)) for i, v in enumerate(values)]
    return trust.fold(state, pairs)


def withdrawn(state: TrustState) -> str | None:
    return TRUST.judge(state, estimate(999)).withdrawn


def naive_evidence(zs: list[float], width: float) -> float:
    """Return the greatest mean of the e-CUSUMs, by products."""
    bets = (0.25, 0.5, 1.0, 2.0, 4.0)
    greatest = 0.0
    for sign in (1, -1):
        held = [1.0] * len(bets)
        for z in zs:
            held = [
                max(1.0, e * math.exp(b * (sign * z - width) - b * b / 2))
                for e, b in zip(held, bets, strict=True)
            ]
        greatest = max(greatest, sum(held) / len(held))
    return greatest


@given(zs=st.lists(st.floats(-3, 3), min_size=1, max_size=12))
def test_evidence_is_that_of_the_products(zs: list[float]) -> None:
    """A metric is withdrawn where the mean of the e-CUSUMs first reaches 1 / alpha."""
    state, first = TrustState(), None
    for i, z in enumerate(zs):
        state = TRUST.step(state, estimate(i), measured(i, 0.9 - z * 0.01))
        if first is None and withdrawn(state) is not None:
            first = i
    reached = [i for i in range(len(zs)) if naive_evidence(zs[: i + 1], 2.0) >= 1000]
    assert first == (reached[0] if reached else None)


def test_agreement_is_trusted() -> None:
    """Ten thousand windows of nothing but chance withdraw at most a stated few times."""
    draw = np.random.default_rng(0)
    trust, state, times = Trust(tolerance=0.0), TrustState(), 0
    for i, z in enumerate(draw.normal(size=10_000)):
        before = state.of(estimate(i)).withdrawn
        state = trust.step(state, estimate(i), measured(i, 0.9 + 0.01 * z))
        times += before is None and state.of(estimate(i)).withdrawn is not None
    assert times <= 20  # 1 / (2 alpha) = 500 windows between two, on average


def test_a_bias_within_the_tolerance_is_put_up_with() -> None:
    """A small bias that lasts is no reason, however sure it is."""
    draw = np.random.default_rng(0)
    values = 0.9 + 0.015 + 0.01 * draw.normal(size=300)
    assert withdrawn(after(values.tolist())) is None


@pytest.mark.parametrize(("drop", "windows"), [(0.07, 1), (0.05, 3), (0.03, 30)])
def test_disagreement_withdraws_in_time(drop: float, windows: int) -> None:
    """After a hundred good windows a drop of 7, 5, 3 stderr is found within 1, 3, 30 windows."""
    draw = np.random.default_rng(0)
    good = (0.9 + 0.01 * draw.normal(size=100)).tolist()
    delays = []
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(size=60)
        state, delay = after(good), 0
        while withdrawn(state) is None:
            level = 0.9 - drop + 0.01 * noise[delay]
            state = TRUST.step(state, estimate(200 + delay), measured(200 + delay, level))
            delay += 1
        delays.append(delay)
    assert np.mean(delays) <= windows + 1


def test_reason_says_bias_and_evidence() -> None:
    """The reason tells the metric, the bias, the way, the windows, the labels and z."""
    state = after([0.9, 0.9, 0.75])
    assert withdrawn(state) == (
        "estimates of accuracy by cbpe were 0.15 too high over 1 windows (1000 labels, z = 15.0)"
    )
    judged = TRUST.judge(state, estimate(3))
    assert (judged.measurement.value, judged.measurement.stderr) == (None, None)
    assert state.of(estimate(3)).since == day(2).end
    low = after([0.9, 0.99])
    assert "too low" in (withdrawn(low) or "")


def test_agreement_brings_it_back() -> None:
    """Where estimates agree again the metric is trusted again, and not before."""
    state = after([0.6, 0.6, 0.6, 0.6])
    assert withdrawn(state) is not None
    state = after([0.6] * 50, state=state)
    assert withdrawn(state) is not None
    for i in range(600, 610):
        state = TRUST.step(state, estimate(i), measured(i, 0.9))
    assert withdrawn(state) is None


def test_each_metric_and_method_by_itself() -> None:
    """One metric's disagreement leaves another, and another method, trusted."""
    state = after([0.6])
    assert withdrawn(state) is not None
    other = replace(estimate(9), method="pape")
    assert TRUST.judge(state, other) == other
    said = replace(estimate(9).measurement, metric="f1")
    assert TRUST.judge(state, replace(other, method="cbpe", measurement=said)).withdrawn is None


def test_state_is_json() -> None:
    """The state comes back from JSON as it was, and goes on as if nothing had happened."""
    values = [0.9, 0.86, 0.87, 0.85, 0.86]
    whole = after(values)
    state = TrustState()
    for i, value in enumerate(values):
        state = TRUST.step(state, estimate(i), measured(i, value))
        again = wire.loads(TrustState, wire.dumps(state))
        assert again == state
        state = again
    assert state == whole


def test_labels_count_once() -> None:
    """A window that was compared already, or an earlier one, changes nothing."""
    state = after([0.9, 0.85])
    assert TRUST.step(state, estimate(1), measured(1, 0.1)) is state
    assert TRUST.step(state, estimate(0), measured(0, 0.1)) is state


def test_missing_values_tell_nothing() -> None:
    """Neither an undefined estimate nor an undefined measurement is compared."""
    state = after([0.9])
    assert TRUST.step(state, estimate(1, value=None), measured(1, 0.5)) is state
    assert TRUST.step(state, estimate(1), measured(1, None)) is state
    assert TRUST.step(state, estimate(1, stderr=0.0), replace(measured(1, 0.9), stderr=0)) is state


def test_sure_and_wrong_is_withdrawn() -> None:
    """An estimate that knows no chance, and is wrong, is withdrawn at once."""
    wrong = replace(measured(0, 0.0), stderr=0.0)
    state = TRUST.step(TrustState(), estimate(0, value=1.0, stderr=0.0), wrong)
    assert withdrawn(state) is not None


def test_few_labels_weigh_less() -> None:
    """Where a hundredth of the labels came, a difference is a tenth as sure."""
    one = TRUST.step(TrustState(), estimate(0), measured(0, 0.8, n=10))
    assert withdrawn(one) is None
    assert one.of(estimate(0)).z == pytest.approx(1.0)


def test_a_share_of_the_estimate() -> None:
    """A relative tolerance is a share of the estimate."""
    wide = Trust(tolerance=0.5, relative=True)
    assert after([0.5], wide).of(estimate(0)).withdrawn is None
    assert after([0.3], wide).of(estimate(0)).withdrawn is not None


def test_pairs_must_match() -> None:
    """An estimate is compared with its own metric and window."""
    with pytest.raises(SettingInvalid, match="metric"):
        TRUST.step(TrustState(), estimate(0), replace(measured(0, 0.9), metric="f1"))
    with pytest.raises(SettingInvalid, match="window"):
        TRUST.step(TrustState(), estimate(0), measured(1, 0.9))
    with pytest.raises(SettingInvalid, match="tolerance"):
        Trust(tolerance=-1)
