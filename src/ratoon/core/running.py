"""Runs and their steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from ratoon.core.wire import Json

STEPS = (
    "collect",
    "check",
    "prepare",
    "train",
    "evaluate",
    "gate",
    "register",
    "roll out",
    "watch",
    "settle",
)
"""The steps of a run, in order."""

RunStatus = Literal["running", "testing", "watching", "settled", "refused", "failed", "rolled back"]
"""Where a run is: training; its challenger under test; promoted and watched; or how it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a run: what it read, what it wrote, what it decided."""

    name: str
    started_at: datetime
    ended_at: datetime
    read: Mapping[str, Json] = field(default_factory=dict[str, Json])
    wrote: Mapping[str, Json] = field(default_factory=dict[str, Json])
    decided: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """An execution of one decision to retrain, idempotent by the decision's id."""

    id: str
    loop: str
    decision_id: str
    status: RunStatus
    started_at: datetime
    steps: tuple[Step, ...] = ()
    version: int | None = None  # the version that it registered
    error: str | None = None  # why it failed or was refused
