"""The exact Kolmogorov-Smirnov distance is that of its definition, and scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from ratoon.drift import exact_ks

NUMBERS = st.one_of(
    st.integers(0, 5).map(float), st.floats(-10, 10), st.just(float("nan")), st.just(float("inf"))
)
COLUMNS = st.lists(NUMBERS, min_size=1, max_size=60)


def present(values: list[float]) -> np.ndarray:
    """Leave out what is missing."""
    column = np.array(values)
    return column[~np.isnan(column)]


@given(before=COLUMNS, now=COLUMNS, steps=st.sampled_from([(1,), (2, 1), (9, 3, 1), (64, 1)]))
def test_definition(before: list[float], now: list[float], steps: tuple[int, ...]) -> None:
    """It is the largest difference of the shares up to any value, however far apart it looks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ratoon.drift.exact._STEPS", steps)
        found = exact_ks(np.sort(np.array(before)), np.array(now))
    if not len(present(before)) or not len(present(now)):
        assert found is None
        return
    sides = np.sort(present(before)), np.sort(present(now))
    every = np.concatenate(sides)
    shares = [np.searchsorted(side, every, side="right") / len(side) for side in sides]
    assert found is not None
    assert found.value == pytest.approx(np.abs(shares[0] - shares[1]).max(), abs=1e-12)
    assert (found.rows, found.now) == (len(present(before)), len(present(now)))


@pytest.mark.parametrize("shift", [0.0, 0.01, 0.3, 8.0])
def test_many_rows(shift: float) -> None:
    """On many rows it is scipy's, with its p-value."""
    rng = np.random.default_rng(0)
    before, now = rng.normal(size=20_000), rng.normal(size=30_000) + shift
    found = exact_ks(np.sort(before), now)
    expected = ks_2samp(before, now, method="asymp")
    assert found is not None
    assert found.value == pytest.approx(expected.statistic, abs=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, rel=0.1, abs=1e-4)
