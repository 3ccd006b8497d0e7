"""The moving-block bootstrap against another implementation and against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratoon.engine.resampling import block_length, resampled_sums

# `optimal_block_length(series)["circular"]` of arch 8.0.0, whose code is that of the paper's
# author, on the series of `autoregressive`.
ARCH = {
    (0.0, 60): 1.4330140848913657,
    (0.0, 500): 1.8738680517268174,
    (0.0, 4000): 1.0426371325116583,
    (0.3, 60): 20.0,
    (0.3, 500): 5.534173690907844,
    (0.3, 4000): 13.345659242613804,
    (0.7, 60): 4.457812800608732,
    (0.7, 500): 13.33686355865329,
    (0.7, 4000): 37.92629367522083,
    (0.9, 60): 10.276229344923507,
    (0.9, 500): 19.093813772239645,
    (0.9, 4000): 81.74099600754046,
    (-0.5, 60): 6.096171121071752,
    (-0.5, 500): 3.7423602389065747,
    (-0.5, 4000): 23.95218333184749,
}


def autoregressive(phi: float, n: int, seed: int | None = None) -> np.ndarray:
    """x[i] = phi x[i - 1] + e[i], with normal e."""
    rng = np.random.default_rng(int(n + 100 * (phi + 1)) if seed is None else seed)
    found = rng.standard_normal(n)
    for i in range(1, n):
        found[i] += phi * found[i - 1]
    return found


@pytest.mark.parametrize(("phi", "n"), list(ARCH))
def test_the_block_length_is_that_of_another_implementation(phi: float, n: int) -> None:
    """On autoregressive series it is what arch says, to rounding."""
    assert block_length(autoregressive(phi, n)) == pytest.approx(ARCH[phi, n], rel=1e-9)


def test_the_block_length_nears_the_best_one() -> None:
    """For x[i] = 0.7 x[i-1] + e the best length is (1.5 (2 phi / (1 - phi^2))^2 n)^(1/3)."""
    best = (1.5 * (1.4 / 0.51) ** 2 * 4000) ** (1 / 3)
    found = [block_length(autoregressive(0.7, 4000, seed)) for seed in range(12)]
    assert float(np.median(found)) == pytest.approx(best, rel=0.2)


@pytest.mark.parametrize("series", [np.zeros(0), np.ones(1), np.ones(3), np.full(50, 2.5)])
def test_where_nothing_varies_a_block_is_one_value(series: np.ndarray) -> None:
    """A constant series, and one too short to tell, have no dependence."""
    assert block_length(series) == 1.0


@pytest.mark.parametrize("block", [1, 7, 40])
def test_the_spread_of_the_sums_is_the_exact_one(block: int) -> None:
    """The variance of a draw is known in closed form: that of a block's sum, times the blocks."""
    series = autoregressive(0.6, 300)[:, None]
    drawn = resampled_sums(series, block, 20_000, np.random.default_rng(5))
    sums = np.convolve(series[:, 0], np.ones(block), mode="valid")
    count = math.ceil(300 / block)
    exact = math.sqrt(count * sums.var()) * 300 / (count * block)
    assert float(drawn.std()) == pytest.approx(exact, rel=0.03)
    assert float(drawn.mean()) == pytest.approx(0.0, abs=4 * exact / math.sqrt(20_000))


def test_long_enough_blocks_know_that_rows_depend_on_one_another() -> None:
    """The standard error of a sum nears sqrt(n) / (1 - phi); single values are far too sure."""
    series = autoregressive(0.8, 4000)
    truth = math.sqrt(4000) / 0.2
    block = math.ceil(block_length(series))
    rng = np.random.default_rng(0)
    assert resampled_sums(series[:, None], block, 2000, rng).std() == pytest.approx(truth, rel=0.25)
    assert resampled_sums(series[:, None], 1, 2000, rng).std() < 0.5 * truth


@given(shift=st.floats(-1e3, 1e3), block=st.integers(1, 30), seed=st.integers(0, 9))
def test_a_shift_changes_nothing(shift: float, block: int, seed: int) -> None:
    """What is the same for all rows is no uncertainty, whether blocks fill the series or not."""
    series = autoregressive(0.5, 61)[:, None]
    plain = resampled_sums(series, block, 50, np.random.default_rng(seed))
    moved = resampled_sums(series + shift, block, 50, np.random.default_rng(seed))
    assert moved == pytest.approx(plain, abs=1e-6)


def test_all_series_are_drawn_alike() -> None:
    """Two series that are the same stay the same in every draw: the bootstrap is paired."""
    series = autoregressive(0.5, 200)
    drawn = resampled_sums(np.stack([series, series], axis=1), 9, 500, np.random.default_rng(1))
    assert (drawn[:, 0] == drawn[:, 1]).all()
