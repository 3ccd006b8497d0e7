from __future__ import annotations

from statistics import median_low

import numpy as np
import pytest

from ratoon.triggers import BackOff
from ratoon.triggers.protocol import Promoted, Settled
from tests.unit.test_triggers_worth import losing
from tests.unit.triggers_views import view

MINE = ("BackOff(10)",)


def test_the_fresh_loss_is_the_median_of_the_last_champions_first_windows() -> None:
    """The first window of each of the last `memory` champions counts; a bad one hides nothing."""
    trigger, firsts = BackOff(1e9, memory=3), [1.0, 5.0, 1.2, 0.8]
    state = trigger.init()
    for i, first in enumerate(firsts):
        fresh = median_low(firsts[max(0, i - 2) : i + 1])
        state, _ = trigger.fires(state, view(losing(i, first)))
        above = max(0.0, first - fresh) * 20
        assert state.regret.avoidable == pytest.approx(above)
        state, _ = trigger.fires(state, view(Promoted()))


def test_the_threshold_halves_after_every_gain_that_reached_the_cost() -> None:
    """Twice the cost is not asked for."""
    trigger, state = BackOff(10), BackOff(10).init()
    found = []
    for gain in (0.1, 0.1, 0.6, 0.6, 0.6):
        said = Settled(gain=gain, lifetime=20, causes=MINE)
        state, _ = trigger.fires(state, view(said))
        found.append(state.factor)
    assert np.array_equal(found, [2, 4, 2, 1, 1])
