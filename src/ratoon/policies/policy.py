"""The policy: the pure mind of a loop, the same live and in replay."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime

from ratoon.core import wire
from ratoon.core.deciding import Firing, SnapshotPlan
from ratoon.core.events import REQUESTED, ROLLBACK_REQUESTED
from ratoon.policies import champions, predictions, watching
from ratoon.policies.facts import event_of
from ratoon.policies.retraining import attempt, retrain
from ratoon.policies.settings import Settings
from ratoon.policies.state import PolicyState
from ratoon.policies.turn import (
    Complained,
    Grown,
    Labelled,
    Predicted,
    Reported,
    Seen,
    Ticked,
    Told,
    Turn,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Settings):
    """The pure mind of a loop: its settings, a state, and one step."""

    def init(self) -> PolicyState:
        """Return the state before anything was seen."""
        return PolicyState(triggers=self.retrain_when.init())

    def load(self, text: str) -> PolicyState:
        """Read the state from the JSON text that `ratoon.core.wire.dumps` made of it."""
        state: PolicyState = wire.loads(PolicyState, text)
        trial = state.trial
        if trial is not None:
            trial = replace(trial, evidence=self.accept_if.load(trial.evidence))
        return replace(state, triggers=self.retrain_when.load(state.triggers), trial=trial)

    def adopt(self, text: str) -> PolicyState:
        """Read a state that was saved under other settings: triggers start anew, the rest stays.

        A challenger under test is dropped, since its evidence speaks to another gate.
        """
        found = json.loads(text)
        state: PolicyState = wire.from_json(PolicyState, found | {"triggers": None, "trial": None})
        return replace(state, triggers=self.retrain_when.init())

    def step(self, state: PolicyState, seen: Seen) -> Turn:
        """Take in what happened; answer what follows.

        Of `Labelled` it takes in as much as it can decide on at once: `turn.state.rows` says how
        far it came. After a turn with orders the rest is shown again, scored by the models that
        matter then.
        """
        turn = Turn(state=state)
        if isinstance(seen, Labelled):
            return watching.labels(self, turn, seen)
        turn = watching.time(self, turn, seen.at)
        match seen:
            case Grown():
                rows, first = seen.rows, seen.first
                grown = replace(turn.state, rows=rows, window_start=rows, first_row=first)
                return turn.now(grown)
            case Predicted():
                return predictions.predicted(self, turn, seen)
            case Complained():
                return watching.complaint(self, turn, seen.at)
            case Told() if seen.event.type == ROLLBACK_REQUESTED:
                return champions.requested_rollback(self, turn, seen)
            case Told():
                return watching.heard(self, turn, seen.at, seen.event)
            case Ticked():
                return turn
            case Reported():
                return champions.reported(self, turn, seen)

    def begin(
        self, state: PolicyState, at: datetime, reason: str, plan: SnapshotPlan | None = None
    ) -> Turn:
        """Decide on the first version: train it, or take in the one that `plan` only judges."""
        cause = Firing(
            trigger="a person", event_type=REQUESTED, reason=reason, at=at, subject=self.loop
        )
        event = event_of(self.loop, cause)
        turn = Turn(state=replace(state, waiting=None)).record(event)
        causes = (replace(cause, event_id=event.id),)
        if plan is None:
            return attempt(self, turn, at, causes, asked=True)
        return retrain(self, turn, at, causes, plan)

    def due(self, state: PolicyState, at: datetime) -> bool:
        """Tell whether time alone would make something happen now."""
        turn = self.step(state, Ticked(at=at))
        return bool(turn.events or turn.decisions or turn.orders)
