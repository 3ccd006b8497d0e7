"""What a policy remembers: small, frozen, and JSON."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ratoon.core.deciding import Firing, SnapshotPlan
from ratoon.core.measuring import Measurement
from ratoon.rollouts import WatchState
from ratoon.windows.summaries.sparse import SparseColumn
from ratoon.windows.summaries.stored import StoredReference


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What the predictions of a version are compared with while it is champion."""

    inputs: StoredReference  # its training features
    outputs: StoredReference | None = None  # what it answered to the rows held out from it


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of a version as champion: what it is compared with.

    The references are stored with the version, once. A policy's state leaves them out, since it is
    stored with every turn; they are shown to the policy with the predictions.
    """

    version: int
    trained_rows: int  # ordinal after the last row of its snapshot
    baseline: tuple[Measurement, ...]  # its metrics on rows that it was not trained on
    references: References | None = None

    def bare(self) -> Standing:
        """Return it as a policy remembers it: without references."""
        return replace(self, references=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reign:
    """The champion's time so far."""

    standing: Standing
    since: datetime
    since_row: int  # ordinal of the first labelled row after its promotion
    predictions: int = 0
    negative: int = 0  # predictions rated down or corrected


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWindow:
    """The open window of predictions, on one side."""

    columns: tuple[SparseColumn, ...] = ()  # in the order of the reference
    rows: int = 0
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Causes that wait for a time or for labels."""

    causes: tuple[Firing, ...]
    reason: str
    until: datetime | None = None
    until_row: int | None = None
    asked: bool = False  # whether a person's wish is among them that was not tried yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Where the newest known change of the world begins."""

    row: int  # ordinal of the first labelled row after it
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A run that trains."""

    run_id: str
    causes: tuple[Firing, ...]
    plan: SnapshotPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A challenger whose gate is not decided yet."""

    run_id: str
    version: int
    causes: tuple[Firing, ...]
    standing: Standing  # what it would be compared with as champion
    evidence: Any  # the gate's state


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A promotion that labels may still undo."""

    run_id: str | None
    causes: tuple[str, ...]  # the triggers that called for the retraining
    replaced: Standing
    lifetime: int  # labelled rows for which the replaced version was champion
    state: WatchState
    saved: float = 0.0  # summed primary row losses of the replaced version minus the champion's


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyState:
    """All that a policy remembers between two things that it sees."""

    triggers: Any  # the trigger's state
    rows: int = 0  # labelled rows taken in
    first_row: int = 0  # ordinal of the first row of the history that the loop begins with
    window_start: int = 0  # ordinal of the first row of the open window
    asked: OpenWindow = OpenWindow()  # of what was asked: the features
    answered: OpenWindow = OpenWindow()  # of what the champion answered
    reign: Reign | None = None
    waiting: Waiting | None = None
    training: Training | None = None
    trial: Trial | None = None
    change: Change | None = None
    watch: Watch | None = None
    retrained: tuple[datetime, ...] = ()  # the latest decisions to retrain
    failures: int = 0  # retrainings in a row that brought nothing
    retry_row: int = 0  # ordinal before which only a person or a newer change brings a retraining
    tried_row: int = 0  # ordinal after the last row that was trained on
    versions: int = 0  # numbers given so far
    decisions: int = 0  # decisions made so far
