"""Where a training runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from ratoon.windows.snapshot import DatasetSnapshot

Trainer: TypeAlias = Callable[[DatasetSnapshot], Any]
"""A function that makes a fitted model of a snapshot."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainStep:
    """A training to be done, once for its id."""

    id: str
    trainer: Trainer
    snapshot: DatasetSnapshot


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepState:
    """How far a training is."""

    status: Literal["running", "done", "failed"]
    model: Any = None
    error: str | None = None  # one line
    log: str | None = None  # the traceback


class Executor(Protocol):
    """Runs trainings: here, in another process, on another machine."""

    def submit(self, step: TrainStep, /) -> None:
        """Begin a training; one that was begun under the same id is not begun again."""
        ...

    def poll(self, step_id: str, /) -> StepState:
        """Tell how far it is; it may be forgotten once it has been told that it ended."""
        ...
