"""What a type checker tells a person who writes an extension. Checked by `make check`, never run.

Each assignment asks whether the class, that derives from nothing, is what the protocol wants.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ratoon as rt
from ratoon.core import Detection, Measurement
from ratoon.detectors import Detector
from ratoon.executors import Executor, StepState, Trainer, TrainStep
from ratoon.gates import Gate
from ratoon.metrics import Metric
from ratoon.stores import MemoryStore, Store
from ratoon.triggers import Trigger
from ratoon.windows import TrainOn


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The state of the detector below."""

    highest: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A detector of a person's own."""

    by: float = 0.1

    def init(self) -> Seen:
        """Begin."""
        return Seen()

    def step(self, state: Seen, m: Measurement, /) -> tuple[Seen, Detection]:
        """Go on."""
        high = max(state.highest, m.value or 0.0)
        return Seen(highest=high), Detection(status="stable", statistic=high, threshold=self.by)


class Elsewhere:
    """An executor of a person's own."""

    def submit(self, step: TrainStep, /) -> None:
        """Begin."""

    def poll(self, step_id: str, /) -> StepState:
        """Look."""
        assert step_id
        return StepState(status="running")


class Half:
    """An executor that nothing can be asked of."""

    def submit(self, step: TrainStep, /) -> None:
        """Begin."""


detector: Detector[Seen] = Record()
executor: Executor = Elsewhere()
half: Executor = Half()  # pyright: ignore[reportAssignmentType]
store: Store = MemoryStore()
trainer: Trainer = lambda data: data.X  # noqa: E731 - as people write it
metric: Metric = rt.metrics.Brier()
trigger: Trigger[Any] = rt.triggers.Every(days=1) | rt.triggers.Never()
gate: Gate[Any] = rt.gates.Better()
train_on: TrainOn = rt.windows.AgeWeighted(half_life="30d")
