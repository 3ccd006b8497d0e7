from __future__ import annotations

import math
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from ratoon.core import wire
from ratoon.core.errors import SettingInvalid
from ratoon.core.events import WORTH_IT
from ratoon.triggers import AvoidableErrors, Fired, SkiRental
from ratoon.triggers.draws import uniform
from ratoon.triggers.protocol import Happening, Promoted, Refused, TimePassed
from tests.unit.triggers_views import HOUR, START, answers, closed, fired, view

LEVELS = [AvoidableErrors(30), SkiRental(30)]


def losing(i: int, mean: float, rows: int = 100) -> Happening:
    """A window of so many rows with this mean loss."""
    return closed(i, losses=[mean] * rows)


def lost(trigger: Any, means: list[float]) -> list[int]:
    return fired(trigger, [losing(i, mean) for i, mean in enumerate(means)])


@pytest.mark.parametrize("trigger", LEVELS, ids=str)
def test_the_loss_above_a_fresh_models_adds_up_to_the_cost(trigger: Any) -> None:
    """Above 0.125 are 12.5, 0, 25: it fires, and begins anew: 25, 12.5."""
    assert lost(trigger, [0.125, 0.25, 0.0, 0.375, 0.375, 0.25]) == [3, 5]


@pytest.mark.parametrize("trigger", LEVELS, ids=str)
def test_a_fresh_models_loss_is_the_mean_of_first_windows(trigger: Any) -> None:
    """After first windows of 0.1 and 0.3 the level is 0.2; the promotion began the sum anew."""
    happened: list[Any] = [losing(0, 0.1), losing(1, 0.35), Promoted(), losing(2, 0.3)]
    # above 0.2: 10 in the first window, then 15, then 5
    happened += [losing(3, 0.35), losing(4, 0.25)]
    assert fired(trigger, happened) == [5]


def test_only_the_last_champions_are_remembered() -> None:
    """With a memory of 2 the first champion's loss no longer counts."""
    happened: list[Any] = []
    for i, first in enumerate([0.9, 0.1, 0.3]):
        happened += [Promoted(), losing(i, first)]
    state = AvoidableErrors(1000, memory=2).init()
    for one in happened:
        state, _ = AvoidableErrors(1000, memory=2).fires(state, view(one))
    assert state.fresh == pytest.approx((0.1, 0.3))
    assert state.avoidable == pytest.approx((0.3 - fmean(state.fresh)) * 100)


def test_an_expected_loss_is_taken_as_it_is() -> None:
    """With expected=0.05 the first window counts already: 5, 15, 10."""
    trigger = AvoidableErrors(29, expected=0.05)
    assert lost(trigger, [0.1, 0.2, 0.15]) == [2]
    assert str(trigger) == "AvoidableErrors(29, expected=0.05)"


def test_a_refusal_changes_nothing() -> None:
    """The sum began anew when it fired, and goes on where the challenger is refused."""
    happened = [losing(0, 0.125), losing(1, 0.5), Refused(causes=("AvoidableErrors(30)",))]
    assert fired(AvoidableErrors(30), [*happened, losing(3, 0.25), losing(4, 0.375)]) == [1, 4]


@pytest.mark.parametrize("trigger", [*LEVELS, SkiRental(30, seed=1)], ids=str)
def test_windows_without_losses_are_passed_over(trigger: Any) -> None:
    """Where no metric has row losses, or nothing happened but time, nothing is added."""
    state, _ = trigger.fires(trigger.init(), view(losing(0, 0.1)))
    for happened in (closed(0), closed(0, losses=[]), closed(0, losses=[math.nan]), TimePassed()):
        assert trigger.fires(state, view(happened)) == (state, Fired())


def test_it_says_what_was_lost_since_when() -> None:
    """The firing carries the avoidable loss, and where it began to stay above a fresh model's."""
    means = [0.125, 0.375, 0.375]
    said = answers(AvoidableErrors(30), [view(losing(i, m)) for i, m in enumerate(means)])
    (cause,) = said[-1].causes
    assert (cause.event_type, cause.since, cause.since_row) == (WORTH_IT, START + HOUR, 100)
    assert cause.reason == "50 of loss would have been avoided, at a cost of 30"
    assert cause.evidence["fresh"] == [0.125]
    wire.dumps(cause)


def test_the_drawn_price_is_the_inverse_of_the_distribution() -> None:
    """The n-th purchase is made at the rent x of F(x) = (e^x - 1) / (e - 1) = draw n."""
    trigger = SkiRental(30, seed=4)
    prices = [30 * math.log(1 + uniform(4, n) * (math.e - 1)) for n in range(3)]
    rent, bought, expected = 0.0, 0, []
    for i in range(60):
        rent += 0 if i == 0 else 2
        if rent >= prices[min(bought, 2)] and bought < 3:
            expected.append(i)
            rent, bought = 0.0, bought + 1
    assert lost(trigger, [0.1] + [0.12] * 59)[:3] == expected[:3]


def test_random_prices_cost_no_more_than_the_bound_against_any_season() -> None:
    """E[cost] = e / (e - 1) times the best in hindsight, however long the rent goes on.

    Against a season of x (in prices) the skier pays the rent until the purchase, and the price.
    """
    drawn = np.log1p(np.array([uniform(9, n) for n in range(20_000)]) * (math.e - 1))
    for season in (0.1, 0.5, 1.0, 3.0):
        paid = np.where(drawn <= season, drawn + 1, season)
        error = paid.std() / math.sqrt(len(paid))
        assert abs(paid.mean() - math.e / (math.e - 1) * min(season, 1)) < 4 * error


def test_where_no_rent_was_paid_nothing_is_bought() -> None:
    """A drawn price may be next to nothing; a loss that never rose is still no cause."""
    for seed in range(20):
        assert lost(SkiRental(1e-9, seed=seed), [0.2] * 5) == []
    assert str(SkiRental(1, seed=3)) == "SkiRental(1, seed=3)"


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (AvoidableErrors, {"retrain_cost": 0}, "retrain_cost must be .* above 0, got 0"),
        (AvoidableErrors, {"retrain_cost": 1, "memory": 0}, "memory must be .* 1, got 0"),
        (AvoidableErrors, {"retrain_cost": 1, "expected": math.nan}, "expected must be .* nan"),
        (SkiRental, {"retrain_cost": -1}, "retrain_cost must be .* above 0, got -1"),
        (SkiRental, {"retrain_cost": 1, "seed": 0.5}, "seed must be .* of at least 0, got 0.5"),
    ],
    ids=["cost", "memory", "expected", "price", "seed"],
)
def test_settings_are_checked_when_they_are_made(
    kind: Any, settings: dict[str, float], message: str
) -> None:
    """A setting that breaks its rule is refused by its name, the rule and the value."""
    with pytest.raises(SettingInvalid, match=f"^{message}$"):
        kind(**settings)
