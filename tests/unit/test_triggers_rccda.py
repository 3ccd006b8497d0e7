from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ratoon.core.errors import SettingInvalid
from ratoon.core.events import WORTH_IT
from ratoon.triggers import Fired, Rccda
from ratoon.triggers.protocol import Promoted, TimePassed
from tests.unit.triggers_views import answers, closed, fired, view


def losing(means: list[float]) -> list[Any]:
    return [closed(i, losses=[mean] * 20) for i, mean in enumerate(means)]


def test_it_fires_where_the_rise_weighs_more_than_the_debt() -> None:
    """By hand, with budget 0.25 and weight 10: the limit is the queue and a quarter.

    window  loss   e      d       10 (e + d)  Q before  limit  fires
    0       0.125  0      0       0           0         0.25   no, Q = 0
    1       0.125  0      0       0           0         0.25   no, Q = 0
    2       0.25   0.125  0.125   2.5         0         0.25   yes, Q = 0.75
    3       0.225  0.1    -0.025  0.75        0.75      1      no, Q = 0.5
    4       0.225  0.1    0       1           0.5       0.75   yes, Q = 1.25
    5       0.125  0      -0.1    -1          1.25      1.5    no, Q = 1
    """
    trigger = Rccda(0.25, weight=10)
    means = [0.125, 0.125, 0.25, 0.225, 0.225, 0.125]
    assert fired(trigger, losing(means)) == [2, 4]
    state = trigger.init()
    queues = []
    for one in losing(means):
        state, _ = trigger.fires(state, view(one))
        queues.append(state.queue)
    assert queues == [0, 0, 0.75, 0.5, 1.25, 1.0]


def test_the_budget_holds_on_average() -> None:
    """On any losses the firings are at most budget · windows + the queue at the end."""
    chance = np.random.default_rng(2)
    for budget in (0.02, 0.1, 0.3):
        trigger, state, count = Rccda(budget), Rccda(budget).init(), 0
        for one in losing((chance.random(400) + np.linspace(0, 1, 400)).tolist()):
            state, answer = trigger.fires(state, view(one))
            count += bool(answer.causes)
        assert 0 < count <= budget * 400 + state.queue + 1e-9


def test_level_and_trend_are_weighed_each() -> None:
    """Without a trend a steady distance counts alone; without a level only the change does."""
    means = [0.1, 0.3, 0.3, 0.3]
    assert fired(Rccda(0.4, level=0, trend=1), losing(means)) == [1]
    assert fired(Rccda(0.4, level=1, trend=0, weight=3), losing(means)) == [1, 3]
    assert fired(Rccda(0.4, level=1, trend=0, weight=9), losing(means)) == [1, 2, 3]


def test_it_says_what_weighed_how_much() -> None:
    """The firing carries loss, gain, limit and queue."""
    trigger = Rccda(0.25)
    (cause,) = answers(trigger, [view(one) for one in losing([0.0, 0.5])])[-1].causes
    assert (cause.event_type, cause.trigger) == (WORTH_IT, "Rccda(0.25)")
    assert cause.reason == "the loss of 0.5 weighs 10, more than 0.25"
    assert cause.evidence == {"loss": 0.5, "gain": 10, "limit": 0.25, "queue": 0.75, "best": 0.0}
    assert str(Rccda(0.1, weight=2)) == "Rccda(0.1, weight=2)"


def test_only_windows_with_losses_count() -> None:
    """Promotions, time, and windows without row losses leave queue and losses alone."""
    trigger = Rccda(0.2)
    state, _ = trigger.fires(trigger.init(), view(losing([0.3])[0]))
    for happened in (Promoted(), TimePassed(), closed(0)):
        assert trigger.fires(state, view(happened)) == (state, Fired())


@pytest.mark.parametrize(
    "settings", [{"budget": 0}, {"budget": 0.1, "weight": 0}, {"budget": 0.1, "trend": -1}], ids=str
)
def test_settings_are_checked_when_they_are_made(settings: dict[str, float]) -> None:
    """A setting that breaks its rule is refused by its name."""
    with pytest.raises(SettingInvalid, match=r"^(budget|weight|trend) must be "):
        Rccda(**settings)
