from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ratoon.core.errors import SettingInvalid
from ratoon.triggers import CaraCumulative, CaraPeriod, CaraThreshold, Fired
from ratoon.triggers.protocol import Promoted, TimePassed
from tests.unit.triggers_views import HOUR, START, answers, closed, fired, view

ROWS = 50


def losing(means: list[float]) -> list[Any]:
    return [closed(i, losses=[mean] * ROWS) for i, mean in enumerate(means)]


def prefix(seed: int, windows: int = 10) -> np.ndarray:
    """Losses that grow with a model's age, with noise; below the diagonal nothing is known."""
    chance = np.random.default_rng(seed)
    at, now = np.mgrid[:windows, :windows]
    losses = 0.1 + 0.04 * (now - at) + 0.05 * chance.random((windows, windows))
    return np.where(now < at, np.nan, losses)


def test_a_loss_above_the_threshold_fires() -> None:
    """Each window with a mean loss above the threshold is a cause; one on it is none."""
    trigger = CaraThreshold(0.25)
    assert fired(trigger, losing([0.2, 0.25, 0.26, 0.5, 0.1])) == [2, 3]
    (cause,) = answers(trigger, [view(one) for one in losing([0.1, 0.5])])[-1].causes
    assert (cause.since, cause.since_row) == (START + HOUR, 100)
    assert cause.reason == "the mean loss is 0.5, above 0.25"
    assert cause.trigger == "CaraThreshold(0.25)"


def test_losses_add_up_since_the_promotion_or_the_last_cause() -> None:
    """Of 50 rows 0.25 makes 12.5 a window: more than 30 after three, counted anew from there."""
    trigger = CaraCumulative(30)
    assert fired(trigger, losing([0.25] * 7)) == [2, 5]
    happened: list[Any] = losing([0.25] * 5)
    happened.insert(2, Promoted())
    assert fired(trigger, happened) == [5]
    assert str(trigger) == "CaraCumulative(30)"


@pytest.mark.parametrize("trigger", [CaraThreshold(0.1), CaraCumulative(1)], ids=str)
def test_windows_without_losses_are_passed_over(trigger: Any) -> None:
    """Where no metric has row losses there is nothing to compare or to add."""
    state, _ = trigger.fires(trigger.init(), view(losing([0.01])[0]))
    assert trigger.fires(state, view(closed(0))) == (state, Fired())


def test_a_period_is_counted_from_the_promotion_or_the_last_cause() -> None:
    """Every third window fires; a promotion counts anew, and time alone is no window."""
    happened: list[Any] = losing([0.1] * 7)
    assert fired(CaraPeriod(3), happened) == [2, 5]
    happened[2:2] = [Promoted(), TimePassed()]
    assert fired(CaraPeriod(3), happened) == [6]
    assert str(CaraPeriod(3)) == "CaraPeriod(3)"


def live_cost(trigger: Any, losses: np.ndarray, cost: float) -> float:
    """What a trigger costs on a prefix, run as it runs live: a new model from the next window."""
    state, trained, total = trigger.init(), 0, 0.0
    for now in range(len(losses)):
        loss = losses[trained, now]
        total += loss * ROWS
        seen = closed(now, losses=[loss] * ROWS)
        state, answer = trigger.fires(state, view(seen))
        if answer.causes and now + 1 < len(losses):
            trained, total = now + 1, total + cost
            state, _ = trigger.fires(state, view(Promoted()))
    return total


@pytest.mark.parametrize("cost", [0.5, 5.0, 20.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_is_fitted_costs_least_when_it_runs(seed: int, cost: float) -> None:
    """No threshold, limit or period of a fine grid costs less, run as it runs live."""
    losses = prefix(seed)
    grids: dict[Any, list[Any]] = {
        CaraThreshold: np.linspace(0, 0.7, 150).tolist(),
        CaraCumulative: np.linspace(0, 300, 500).tolist(),
        CaraPeriod: list(range(1, 11)),
    }
    for kind, grid in grids.items():
        chosen = kind.fitted(losses, cost, rows=ROWS)
        best = min(live_cost(kind(value), losses, cost) for value in grid)
        assert live_cost(chosen, losses, cost) <= best + 1e-9


def test_where_a_retraining_never_pays_none_is_called_for() -> None:
    """With a cost beyond all losses the fitted rule is silent on its prefix."""
    losses = prefix(3)
    total = float(np.nansum(losses[0])) * ROWS
    for kind in (CaraThreshold, CaraCumulative, CaraPeriod):
        trigger = kind.fitted(losses, 1e6, rows=ROWS)
        assert live_cost(trigger, losses, 1e6) == pytest.approx(total)


def test_a_long_prefix_is_searched_on_a_limited_grid() -> None:
    """Of the 7,260 losses of 120 windows 256 are tried; the choice is within 1 % of the best."""
    losses = prefix(4, windows=120)
    chosen = live_cost(CaraThreshold.fitted(losses, 5.0, rows=ROWS), losses, 5.0)
    grid = np.linspace(0.1, 0.5, 100)
    assert chosen <= 1.01 * min(live_cost(CaraThreshold(t), losses, 5.0) for t in grid.tolist())


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([[1.0, 2.0]], r"losses must be a square array, trained_at by window, got \(1, 2\)"),
        ([], r"losses must be a square array, .*"),
        ([[1.0, np.nan], [0.0, 1.0]], "losses must be finite on and above the diagonal, .*"),
    ],
    ids=["oblong", "empty", "nan"],
)
@pytest.mark.parametrize("kind", [CaraThreshold, CaraCumulative, CaraPeriod])
def test_a_prefix_of_another_form_is_refused(kind: Any, losses: Any, message: str) -> None:
    """The array is square and finite where a model could have served."""
    with pytest.raises(SettingInvalid, match=f"^{message}$"):
        kind.fitted(losses, 1.0, rows=ROWS)


def test_settings_are_checked_when_they_are_made() -> None:
    """A setting that breaks its rule is refused by its name."""
    makes: list[Any] = [
        lambda: CaraThreshold(-1),
        lambda: CaraCumulative(float("inf")),
        lambda: CaraPeriod(0),
        lambda: CaraPeriod.fitted([[1.0]], 0, rows=1),
        lambda: CaraPeriod.fitted([[1.0]], 1, rows=0),
    ]
    for make in makes:
        with pytest.raises(SettingInvalid, match=r"^(threshold|limit|windows|retrain_cost|rows) "):
            make()
