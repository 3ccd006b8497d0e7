"""Versions of a model and the verdicts about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from ratoon.core.measuring import Measurement
from ratoon.core.wire import Json

CHAMPION = "champion"
CHALLENGER = "challenger"
Alias = Literal["champion", "challenger"]
Outcome = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a gate says of a challenger, with its numbers."""

    gate: str  # the gate's own description of itself
    outcome: Outcome
    reason: str  # one sentence for people
    metric: str
    n: int  # paired labelled rows looked at
    effect: float | None = None  # mean loss of the champion minus the challenger's, metric's unit
    low: float | None = None  # bounds of the effect, each holding at all times at 1 - alpha
    high: float | None = None
    evidence: float | None = None  # e-value for "good enough"; 1/alpha passes
    needed: int | None = None  # labels still needed, where inconclusive


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A model's bytes: where they are follows from their digest."""

    sha256: str
    size: int  # bytes
    format: str  # "skops", "pickle" or "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A registered model and all that it came from."""

    loop: str
    number: int
    created_at: datetime
    artifact: Artifact
    snapshot: str | None  # digest of the training data; None for an adopted model
    run_id: str | None  # None for the first version
    parent: int | None  # the champion at that time
    baseline: tuple[Measurement, ...]  # its metrics on rows that it was not trained on
    verdict: Verdict | None = None
    environment: Mapping[str, Json] = field(default_factory=dict[str, Json])
    code: str | None = None  # digest of the trainer's source
