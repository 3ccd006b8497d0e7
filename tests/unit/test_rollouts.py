from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from ratoon.core import wire
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Measurement, Window
from ratoon.core.times import EPOCH
from ratoon.gates.betting import Bet, play
from ratoon.metrics import MAE, Custom
from ratoon.rollouts import Direct, Seen, WatchState
from ratoon.windows.judged import Judged, Scored, Target

NUMBER = Target(task="regression")
PAIR = Target(task="binary", classes=("fair", "fraud"))
BASELINE = {
    "mae": Measurement(metric="mae", window=Window(start=EPOCH, end=EPOCH), value=2.0, n=100)
}


def judged(errors: ArrayLike) -> Judged:
    outputs = np.array(errors, dtype=float)
    return Judged(target=NUMBER, labels=np.zeros(len(outputs)), scored=Scored(outputs=outputs))


def watched(settings: Direct, champion: ArrayLike, replaced: ArrayLike) -> tuple[WatchState, Seen]:
    state = settings.init(BASELINE, NUMBER)
    return settings.step(state, judged(champion), judged(replaced))


def test_a_worse_champion_breaches_the_guard_at_once() -> None:
    """The breach comes at the row where the bet against the champion reaches 1 / alpha."""
    state, seen = watched(Direct("mae", alpha=0.01), [6.0] * 200, [1.0] * 200)
    _, rows = play(Bet(), np.full(200, 0.5), 1.0, 0.01)
    assert (seen.breached, seen.over) == (True, False)
    assert seen.rows == rows == state.rows < 60
    assert state.gain == pytest.approx(-5.0)


def test_a_better_champion_is_watched_to_the_end() -> None:
    """The watch over a good champion ends after exactly `watch` rows, with the gain in units."""
    settings = Direct("mae", watch=150)
    state, seen = watched(settings, [1.0] * 149, [4.0] * 149)
    assert (seen, state.rows) == (Seen(rows=149, breached=False, over=False), 149)
    state, seen = settings.step(state, judged([1.0] * 20), judged([4.0] * 20))
    assert (seen, state.rows) == (Seen(rows=1, breached=False, over=True), 150)
    assert state.gain == pytest.approx(3.0)


def test_a_breach_on_the_last_row_is_a_breach() -> None:
    """A champion that is refuted by the very last row that is watched is rolled back."""
    _, first = watched(Direct("mae", alpha=0.01), [6.0] * 200, [1.0] * 200)
    _, seen = watched(Direct("mae", alpha=0.01, watch=first.rows), [6.0] * 200, [1.0] * 200)
    assert (seen.breached, seen.rows) == (True, first.rows)
    _, seen = watched(Direct("mae", alpha=0.01, watch=first.rows - 1), [6.0] * 200, [1.0] * 200)
    assert (seen.breached, seen.over, seen.rows) == (False, True, first.rows - 1)


def test_the_gain_has_the_sign_and_the_unit_of_the_metric() -> None:
    """Positive where the new champion errs less, on average over the rows, in the label's unit."""
    rng = np.random.default_rng(1)
    champion, replaced = rng.uniform(0, 3, 300), rng.uniform(0, 4, 300)
    state, seen = watched(Direct("mae", watch=300), champion, replaced)
    assert seen.over
    assert state.gain == pytest.approx((replaced - champion).mean())
    assert watched(Direct("mae"), [], [])[0].gain == 0.0


def test_equal_models_are_left_alone() -> None:
    """Where both err alike there is no evidence, however long the watch."""
    state, seen = watched(Direct("mae", watch=1000), [3.0] * 1000, [3.0] * 1000)
    assert (seen.breached, seen.over, state.gain, state.against.log_capital) == (False, True, 0, 0)


@pytest.mark.parametrize("cuts", [(1,), (7, 8, 9), (59,), tuple(range(1, 60))])
def test_splitting_the_rows_changes_nothing(cuts: tuple[int, ...]) -> None:
    """Rows that come in batches of any size give the same state, bit by bit, and the same end."""
    rng = np.random.default_rng(2)
    champion, replaced = rng.normal(0, 3, 60), rng.normal(0, 1.5, 60)
    settings = Direct("mae", watch=55, alpha=0.2)
    whole, end = watched(settings, champion, replaced)
    state, taken = settings.init(BASELINE, NUMBER), 0
    for start, stop in zip((0, *cuts), (*cuts, 60), strict=True):
        state, seen = settings.step(
            state, judged(champion[start:stop]), judged(replaced[start:stop])
        )
        state = loaded(state)
        taken += seen.rows
        if seen.breached or seen.over:
            break
    assert (state, taken) == (whole, end.rows)
    assert (seen.breached, seen.over) == (end.breached, end.over)


def loaded(state: WatchState) -> WatchState:
    """The state as it is after a restart."""
    back: WatchState = wire.from_json(WatchState, json.loads(wire.dumps(state)))
    return back


def test_the_metric_is_the_usual_one_a_name_or_a_metric() -> None:
    """Without a metric the usual one watches; a metric and its name watch alike."""
    assert Direct().init(BASELINE, NUMBER).metric == "mae"
    assert Direct().init({}, PAIR).metric == "accuracy"
    assert watched(Direct(MAE()), [3.0] * 9, [1.0] * 9) == watched(
        Direct("mae"), [3.0] * 9, [1.0] * 9
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"watch": -1}, "watch must be a whole number .* of at least 0, got -1"),
        ({"watch": 10.5}, "watch must be a whole number .*, got 10.5"),
        ({"alpha": 1.0}, "alpha must be strictly between 0 and 1, got 1.0"),
        ({"metric": "rmse"}, "the gate's metric must be a mean of row losses.*, got 'rmse'"),
        ({"metric": "f1"}, "the gate's metric must be a mean of row losses.*, got 'f1'"),
        (
            {"metric": Custom(name="own", function=max, greater_is_better=True)},
            "the gate's metric must be a mean of row losses.*, got 'own'",
        ),
    ],
    ids=[str(i) for i in range(6)],
)
def test_settings_are_checked_when_they_are_made(settings: dict[str, Any], message: str) -> None:
    """A setting that breaks its rule is refused by its name, the rule and the value."""
    with pytest.raises(SettingInvalid, match=f"^{message}$"):
        Direct(**settings)
