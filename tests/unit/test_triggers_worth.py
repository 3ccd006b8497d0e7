from __future__ import annotations

from statistics import fmean

import numpy as np
import pytest

from ratoon.core import wire
from ratoon.core.errors import SettingInvalid
from ratoon.core.events import WORTH_IT
from ratoon.triggers import Fired, WorthIt
from ratoon.triggers.protocol import Happening, Promoted, Refused, Settled, TimePassed
from tests.unit.triggers_views import HOUR, START, answers, closed, fired, view

MINE = ("WorthIt(10)",)


def losing(i: int, mean: float, rows: int = 20) -> Happening:
    """A window of so many rows with this mean loss."""
    spread = np.linspace(-0.1, 0.1, rows)
    return closed(i, losses=(mean + spread).tolist())


def lost(trigger: WorthIt, means: list[float]) -> list[int]:
    return fired(trigger, [losing(i, mean) for i, mean in enumerate(means)])


def test_the_loss_above_a_fresh_models_adds_up_to_the_cost() -> None:
    """With f the loss of the first window, Σ max(0, l - f) n reaches the cost, and starts anew."""
    means = [1.0, 1.1, 0.5, 1.3, 1.1, 1.2, 1.0, 1.4, 1.1]
    avoidable, expected = 0.0, []
    for i, mean in enumerate(means):
        avoidable += max(0.0, mean - means[0]) * 20
        if avoidable >= 9.5:
            expected.append(i)
            avoidable = 0.0
    assert len(expected) == 2
    assert lost(WorthIt(9.5), means) == expected
    assert lost(WorthIt(9.5), [1.0, 0.9, 1.0, 0.2] * 20) == []


def test_it_says_what_was_lost_since_when() -> None:
    """The firing carries the avoidable loss, and where it began to stay above a fresh model's."""
    means = [1.0, 1.2, 0.9, 1.3, 1.4]
    said = answers(WorthIt(14), [view(losing(i, m)) for i, m in enumerate(means)])
    (cause,) = said[-1].causes
    assert said[-1].sparks == said[-1].causes
    assert (cause.event_type, cause.since, cause.since_row) == (WORTH_IT, START + 3 * HOUR, 300)
    assert cause.evidence["avoidable"] == pytest.approx(4 + 6 + 8)
    assert (cause.evidence["threshold"], cause.evidence["retrain_cost"]) == (14, 14)
    assert cause.evidence["windows"] == 5
    assert cause.reason == "18 of loss would have been avoided, at a cost of 14"
    assert cause.trigger == str(WorthIt(14)) == "WorthIt(14)"
    wire.dumps(cause)


def test_the_fresh_loss_is_the_mean_of_the_last_champions_first_windows() -> None:
    """The first window of each of the last `memory` champions counts, and no older one."""
    trigger, firsts = WorthIt(1e9, memory=3), [1.0, 5.0, 1.2, 0.8]
    state = trigger.init()
    for i, first in enumerate(firsts):
        fresh = fmean(firsts[max(0, i - 2) : i + 1])
        state, _ = trigger.fires(state, view(losing(i, first)))
        above = max(0.0, first - fresh) * 20
        assert state.regret.avoidable == pytest.approx(above)
        state, _ = trigger.fires(state, view(losing(i, 2.0)))
        assert state.regret.avoidable == pytest.approx(above + max(0.0, 2.0 - fresh) * 20)
        state, _ = trigger.fires(state, view(Promoted()))
        assert (state.regret.avoidable, state.regret.windows) == (0.0, 0)
        assert state.regret.since is None


def factor_after(*happened: Happening) -> float:
    trigger, state = WorthIt(10), WorthIt(10).init()
    for one in happened:
        state, answer = trigger.fires(state, view(one))
        assert not answer.causes
    return state.factor


PAID = Settled(gain=1.0, lifetime=20, causes=MINE)
BARELY = Settled(gain=0.5, lifetime=39, causes=MINE)
UNPAID = Settled(gain=0.5, lifetime=19, causes=MINE)


def test_the_threshold_backs_off_where_retraining_does_not_pay() -> None:
    """It doubles below the cost or when refused, halves at twice the cost; from 1 to 32."""
    assert factor_after(PAID) == 1
    assert factor_after(UNPAID) == 2
    assert factor_after(UNPAID, UNPAID, PAID) == 2
    assert factor_after(UNPAID, UNPAID, BARELY) == 4
    assert factor_after(Refused(causes=MINE)) == 2
    assert factor_after(*[UNPAID] * 9) == 32
    assert factor_after(*[Refused(causes=MINE)] * 9) == 32
    assert factor_after(Settled(gain=-1.0, lifetime=100, causes=MINE)) == 2
    assert factor_after(*[UNPAID] * 9, *[PAID] * 9) == 1


def test_retrainings_that_others_called_for_move_nothing() -> None:
    """A refusal or a gain of a retraining that it did not cause leaves its threshold alone."""
    assert factor_after(Refused(causes=("Every(12:00:00)",))) == 1
    assert factor_after(Settled(gain=0.0, lifetime=9, causes=())) == 1
    assert factor_after(Refused(causes=("Every(12:00:00)", *MINE))) == 2


def test_a_doubled_threshold_takes_twice_the_loss() -> None:
    """After a refusal it fires at twice the cost, counted from the refusal."""
    happened = [losing(0, 1.0), losing(1, 1.4), Refused(causes=MINE)]
    happened += [losing(i, 1.25) for i in range(3, 12)]
    assert fired(WorthIt(10), happened) == [6, 10]


def test_windows_without_losses_are_passed_over() -> None:
    """Where no metric has row losses, or nothing happened but time, nothing is added."""
    trigger = WorthIt(10)
    state, _ = trigger.fires(trigger.init(), view(losing(0, 1.0)))
    for happened in (closed(0), closed(0, losses=[]), TimePassed()):
        assert trigger.fires(state, view(happened)) == (state, Fired())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"retrain_cost": 0}, "retrain_cost must be a finite number above 0, got 0"),
        ({"retrain_cost": 1, "memory": 0}, "memory must be .* of at least 1, got 0"),
    ],
    ids=["0", "1"],
)
def test_settings_are_checked_when_they_are_made(settings: dict[str, int], message: str) -> None:
    """A setting that breaks its rule is refused by its name, the rule and the value."""
    with pytest.raises(SettingInvalid, match=f"^{message}$"):
        WorthIt(**settings)
