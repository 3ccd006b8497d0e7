"""Why now, what follows from it, and what was refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from ratoon.core.measuring import RowRange
from ratoon.core.wire import Json

Autonomy = Literal["observe", "automatic"]
"""How far a loop may go alone: only say what it would do, or do it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A trigger says why now, and since when."""

    trigger: str  # the trigger's own description of itself
    event_type: str
    reason: str  # one sentence for people
    at: datetime
    since: datetime | None = None  # when the cause began, where it is known
    since_row: int | None = None  # ordinal of the first labelled row after the change
    subject: str | None = None  # the metric, feature or event type that it is about
    evidence: Mapping[str, Json] = field(default_factory=dict[str, Json])
    event_id: str | None = None  # id of the stored event, once there is one


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """Something that was not done, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChoice:
    """Rows that a run may train on, and how much each of them counts."""

    rows: RowRange
    rule: str  # in words
    folds: tuple[RowRange, ...] = ()  # rows to train on before each block that it is measured on
    half_life_rows: float | None = None  # a row behind so many newer ones counts half
    half_life_s: float | None = None  # a row so much older than the newest counts half
    function: str | None = None  # of the person, that chooses among the rows when they are read
    weights: str | None = None  # that the function gave, as `ratoon.windows.weights` packs them


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotPlan:
    """Which labelled rows a run trains on, and which it is judged on first."""

    train: RowRange
    holdout: RowRange  # later than every training row; never trained on
    rule: str  # the rule that chose them, in words
    choices: tuple[RowChoice, ...] = ()  # what to choose among, `train` first; none: all of it
    chosen_on: RowRange | None = None  # rows that tell which is better, before the holdout
    sure: float = 0.0  # standard errors by which fewer rows must be better than more
    refit: bool = False  # the winner is trained once more, up to the holdout
    since: datetime | None = None  # the change point where the data was cut
    since_row: int | None = None  # ordinal of the first labelled row after it

    @property
    def others(self) -> tuple[RowRange, ...]:
        """The rows of all choices but the first."""
        return tuple(choice.rows for choice in self.choices[1:])

    @property
    def blocks(self) -> tuple[RowRange, ...]:
        """The equal blocks of rows that the choices are measured on, in order."""
        count = len(self.choices[0].folds) if self.choices else 0
        if self.chosen_on is None or not count:
            return ()
        start, length = self.chosen_on.start, len(self.chosen_on) // count
        return tuple(
            RowRange(start=start + n * length, stop=start + (n + 1) * length) for n in range(count)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrain:
    """Train a challenger on the planned rows."""

    id: str
    loop: str
    at: datetime
    causes: tuple[Firing, ...]
    plan: SnapshotPlan
    refused: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Not yet: look again at a time, or when so many labelled rows are there."""

    id: str
    loop: str
    at: datetime
    causes: tuple[Firing, ...]
    reason: str
    until: datetime | None = None
    until_row: int | None = None  # ordinal; None where only time matters
    refused: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Do nothing about it."""

    id: str
    loop: str
    at: datetime
    causes: tuple[Firing, ...]
    reason: str
    refused: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """Make an earlier version champion again."""

    id: str
    loop: str
    at: datetime
    causes: tuple[Firing, ...]
    reason: str
    to: int  # the version that becomes champion
    leaves: int  # the version that was champion
    refused: tuple[Alternative, ...] = ()


Decision = Retrain | Wait | Hold | Rollback
