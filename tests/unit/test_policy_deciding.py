"""From causes to decisions: when to retrain, when to wait, when to hold."""

from __future__ import annotations

from typing import Any

import pytest

from ratoon.core import wire
from ratoon.core.deciding import Hold, Retrain, Wait
from ratoon.core.errors import SettingInvalid
from ratoon.core.events import PROMOTED, REFUSED, REQUESTED, RUN_FAILED
from ratoon.core.measuring import RowRange
from ratoon.gates import Better, Untested
from ratoon.metrics import MAE
from ratoon.policies import Limits
from ratoon.policies.turn import Reported
from ratoon.triggers import Degraded, Every, On
from ratoon.windows import Everything, SinceChange
from tests.unit.policy_world import HOUR, START, World, level, policy, world

EQUAL, BETTER, WORSE = level(1.0, 1.0), level(1.0, 0.1), level(1.0, 9.0)


def stepping(*levels: tuple[int, float]) -> Any:
    """Every version errs alike: from each row on by its level."""

    def errors(version: int, row: int) -> float:  # noqa: ARG001 - the world changes, not the model
        return next(value for start, value in reversed(levels) if row >= start)

    return errors


def test_the_first_version_is_trained_and_promoted_untested() -> None:
    """There is no champion to compare it with, so it is promoted; the request is on record."""
    made = World(policy=policy(), errors=EQUAL)
    assert made.policy.init().reign is None
    made.started()
    turn = made.policy.begin(made.policy.init(), START, "the loop was fitted")
    assert [e.type for e in turn.events] == [REQUESTED]
    made = World(policy=policy(train_on=Everything(least=50)), errors=EQUAL)
    made.see_rows = None  # type: ignore[attr-defined]
