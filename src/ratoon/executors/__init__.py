"""Where trainings run."""

from ratoon.executors.delayed import Delayed
from ratoon.executors.inline import Inline
from ratoon.executors.protocol import Executor, StepState, Trainer, TrainStep

__all__ = ["Delayed", "Executor", "Inline", "StepState", "TrainStep", "Trainer"]
