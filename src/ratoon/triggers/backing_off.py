"""A threshold on the avoidable loss that the realised gain moves: the rule of two triggers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ratoon.core.settings import positive, whole
from ratoon.triggers.protocol import QUIET, Fired, Promoted, Refused, Settled, Trigger, View
from ratoon.triggers.regret import Regret, acted_on, grown, renewed, spent
from ratoon.triggers.seen import window_loss

_MOST = 32.0  # the threshold never exceeds this multiple of the cost


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOffState:
    """The loss that a fresh model would have avoided, and what it takes to act."""

    regret: Regret = field(default_factory=Regret)
    factor: float = 1.0  # threshold as a multiple of the cost


class BacksOff(Trigger[BackOffState], Protocol):
    """A trigger of this rule."""

    @property
    def retrain_cost(self) -> float:
        """What a retraining costs, in summed row losses."""
        ...

    @property
    def memory(self) -> int:
        """How many former champions the loss of a fresh model rests on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Wherein the triggers differ."""

    level: Callable[[Sequence[float]], float]  # of the losses of former champions when new
    pays: float  # multiple of the cost that a gain must reach for the threshold to come down


def check(trigger: BacksOff) -> None:
    """Check the settings."""
    positive("retrain_cost", trigger.retrain_cost)
    whole("memory", trigger.memory, least=1)


def step(
    trigger: BacksOff, rule: Rule, state: BackOffState, view: View
) -> tuple[BackOffState, Fired]:
    """Add up what a fresh model would have avoided; move the threshold by what was gained."""
    match view.happened:
        case Promoted():
            return replace(state, regret=renewed(state.regret)), QUIET
        case Settled() as settled if str(trigger) in settled.causes:
            return _moved(state, _by(settled.gain * settled.lifetime, trigger, rule)), QUIET
        case Refused() as refused if str(trigger) in refused.causes:
            return _moved(replace(state, regret=spent(state.regret)), 2.0), QUIET
        case _:
            return _added(trigger, rule, state, view)


def _by(gain: float, trigger: BacksOff, rule: Rule) -> float:
    """Return what the threshold is multiplied by after a retraining that gained so much."""
    if gain < trigger.retrain_cost:
        return 2.0
    return 0.5 if gain >= rule.pays * trigger.retrain_cost else 1.0


def _added(
    trigger: BacksOff, rule: Rule, state: BackOffState, view: View
) -> tuple[BackOffState, Fired]:
    seen = window_loss(view.happened)
    if seen is None:
        return state, QUIET
    regret = grown(state.regret, seen, trigger.memory, rule.level)
    threshold = trigger.retrain_cost * state.factor
    if regret.avoidable < threshold:
        return replace(state, regret=regret), QUIET
    said = acted_on(trigger, view, regret, threshold, trigger.retrain_cost)
    return replace(state, regret=spent(regret)), said


def _moved(state: BackOffState, by: float) -> BackOffState:
    """Make the threshold larger or smaller, within its limits."""
    return replace(state, factor=min(_MOST, max(1.0, state.factor * by)))
