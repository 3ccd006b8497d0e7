"""Where trainings run."""

from ratoon.executors.inline import Inline
from ratoon.executors.protocol import Executor, StepState, Trainer, TrainStep

__all__ = ["Executor", "Inline", "StepState", "TrainStep", "Trainer"]
