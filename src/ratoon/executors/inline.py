"""Training in the calling process, at once."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field

from ratoon.core.errors import TrainerRaised, TrainerReturnedNothing
from ratoon.executors.protocol import StepState, TrainStep


@dataclass(slots=True)
class Inline:
    """Trains within the call that decided on it: simple, and the same in replay."""

    _ended: dict[str, StepState] = field(default_factory=dict[str, StepState])

    def submit(self, step: TrainStep, /) -> None:
        """Train now."""
        if step.id in self._ended:
            return
        self._ended[step.id] = _train(step)

    def poll(self, step_id: str, /) -> StepState:
        """Tell how it ended, and forget it."""
        return self._ended.pop(step_id)


def _train(step: TrainStep) -> StepState:
    try:
        model = step.trainer(step.snapshot)
    except Exception as error:  # noqa: BLE001 - a trainer is a user's code: its errors end its run
        raised = TrainerRaised(f"the trainer raised {type(error).__name__}: {error}")
        return StepState(status="failed", error=raised.fact, log=traceback.format_exc())
    if model is None:
        nothing = TrainerReturnedNothing("the trainer returned None instead of a fitted model")
        return StepState(status="failed", error=nothing.fact)
    return StepState(status="done", model=model)
