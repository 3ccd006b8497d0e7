"""Schedules of a replay matrix: their price, the best fixed one, the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from ratoon.core.errors import SettingInvalid
from ratoon.matrix import (
    Deployment,
    Schedule,
    best_fixed,
    oracle,
    periodic,
    price,
    served,
    split_oracle,
)
from tests.unit.matrix_world import drawn_means, every_schedule, naive_fixed, naive_price


def schedule(*deployments: tuple[int, int, int]) -> Schedule:
    """Return a schedule of (chunk, time, window)."""
    return Schedule(
        deployments=tuple(Deployment(chunk=c, time=t, window=w) for c, t, w in deployments)
    )


def test_price_of_a_model_that_comes_back() -> None:
    """A model that is deployed again costs no other fit."""
    means = drawn_means(0, 6, 2)
    found = schedule((0, 0, 1), (2, 1, 0), (4, 0, 1), (5, 1, 0))
    assert found.fits == 1
    assert price(means, found, 3.0) == pytest.approx(naive_price(means, found, 3.0))
    assert served(means, found) == pytest.approx(
        [*means[0, 1, :2], *means[1, 0, 2:4], means[0, 1, 4], means[1, 0, 5]]
    )


@pytest.mark.parametrize(
    "deployments",
    [
        (),
        ((1, 0, 0),),
        ((0, 0, 0), (0, 0, 1)),
        ((0, 0, 0), (3, 4, 0)),
        ((0, -1, 0),),
        ((0, 0, -1),),
    ],
)
def test_no_schedule(deployments: tuple[tuple[int, int, int], ...]) -> None:
    """A schedule begins at chunk 0, rises, and has no model before its time."""
    with pytest.raises(SettingInvalid):
        schedule(*deployments)


@pytest.mark.parametrize("last", [(4, 2, 0), (3, 2, 2)])
def test_schedule_of_another_matrix(last: tuple[int, int, int]) -> None:
    """A chunk or a window that the matrix does not have is refused, and not taken from its end."""
    with pytest.raises(SettingInvalid, match="within the matrix"):
        served(drawn_means(0, 4, 2), schedule((0, 0, 0), last))


@pytest.mark.parametrize("shape", [(3, 3), (3, 2, 4), (0, 2, 0)])
def test_means_of_another_shape(shape: tuple[int, ...]) -> None:
    """Means of another shape than (times, windows, times) are refused."""
    with pytest.raises(SettingInvalid, match="means must be"):
        oracle(np.zeros(shape), 1.0)


@pytest.mark.parametrize("fit_cost", [-1.0, float("nan"), float("inf")])
def test_cost_of_a_fit(fit_cost: float) -> None:
    """A fit costs a finite number of at least 0."""
    for function in (oracle, best_fixed):
        with pytest.raises(SettingInvalid, match="fit_cost"):
            function(drawn_means(0, 3, 1), fit_cost)


@pytest.mark.parametrize("delay", [0, 1, 2, 5, 9])
@pytest.mark.parametrize("fit_cost", [0.0, 0.1, 0.5, 2.0])
@pytest.mark.parametrize("ties", [False, True])
def test_oracle_beside_all_schedules(delay: int, fit_cost: float, *, ties: bool) -> None:
    """No schedule that keeps, or trains on all labels that are in, costs less than the oracle."""
    for seed in range(4):
        means = drawn_means(seed, 6, 2, ties=ties)
        least = min(naive_price(means, s, fit_cost) for s in every_schedule(6, 2, delay))
        found = oracle(means, fit_cost, delay=delay)
        assert price(means, found, fit_cost) == pytest.approx(least, abs=1e-9)
        late = found.deployments[1:]
        assert all(one.time == one.chunk - delay and one.time >= 1 for one in late)


def test_oracle_does_not_train_for_nothing() -> None:
    """Where a fit brings as much as it costs, the model stays."""
    means = np.array([[[1.0, 1.0]], [[np.nan, 0.5]]])
    assert oracle(means, 0.5).fits == 0
    assert oracle(means, 0.49).fits == 1


@pytest.mark.parametrize("delay", [0, 1, 3, 8, 20])
@pytest.mark.parametrize("fit_cost", [0.0, 0.05, 0.3, 5.0])
def test_best_fixed_beside_all(delay: int, fit_cost: float) -> None:
    """No fixed period and window costs less than the best one, and its price is its schedule's."""
    for seed in range(5):
        means = drawn_means(seed, 12, 3)
        best = best_fixed(means, fit_cost, delay=delay)
        assert best.price == pytest.approx(naive_fixed(means, fit_cost, delay))
        assert best.schedule == periodic(12, best.period, best.window, delay=delay)


def test_never_is_a_fixed_schedule() -> None:
    """Where a fit costs too much, or labels come too late, the best fixed schedule is never."""
    assert best_fixed(drawn_means(0, 8, 2), 100.0).period is None
    assert best_fixed(drawn_means(0, 8, 2), 0.0, delay=8).schedule.fits == 0
    assert best_fixed(drawn_means(0, 1, 2), 0.0).period is None


def test_first_chunks_without_labels() -> None:
    """Before the labels of a chunk are in, a fixed schedule stays with the first model."""
    found = periodic(9, 2, window=1, delay=4).deployments
    assert [(one.chunk, one.time) for one in found] == [(0, 0), (6, 2), (8, 4)]


def test_split_oracle_has_no_luck() -> None:
    """Of models that differ by noise alone the oracle profits, and the split oracle does not."""
    rng = np.random.default_rng(3)
    count = 40
    before = np.isnan(drawn_means(0, count, 3))
    halves = [np.where(before, np.nan, 1 + 0.1 * rng.normal(size=before.shape)) for _ in "ab"]
    means = (halves[0] + halves[1]) / 2
    lucky = price(means, oracle(means, 0.05), 0.05)
    never = price(means, periodic(count, None, 0), 0.05)
    split = split_oracle((halves[0], halves[1]), 0.05)
    assert lucky < never - 1 < split


def test_split_oracle_is_a_mean() -> None:
    """Each half chooses for the other; where both are equal it is the oracle."""
    left, right = (drawn_means(seed, 7, 2) for seed in (1, 2))
    there = price(right, oracle(left, 0.2, delay=1), 0.2)
    back = price(left, oracle(right, 0.2, delay=1), 0.2)
    assert split_oracle((left, right), 0.2, delay=1) == pytest.approx((there + back) / 2)
    assert split_oracle((left, left), 0.2) == pytest.approx(price(left, oracle(left, 0.2), 0.2))
