"""What a policy is shown, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from ratoon.core.deciding import Decision, Retrain
from ratoon.core.events import Event
from ratoon.core.measuring import Measurement, RowRange
from ratoon.core.versions import Verdict
from ratoon.policies.state import PolicyState, References, Standing
from ratoon.windows.arrived import Arrived
from ratoon.windows.judged import Judged
from ratoon.windows.rows import Array
from ratoon.windows.summaries import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """Labelled rows came that were never predicted: history to train on."""

    at: datetime
    rows: int  # labelled rows there are now
    first: int = 0  # ordinal of the first of them; what came before was never fitted


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """Columns of a batch, and what windows of them are compared with."""

    columns: Mapping[str, Array]  # by name, each of shape (n,), n at least 1
    times: Array  # event times, datetime64[us], shape (n,)
    reference: Reference
    rows: Array | None = None  # which rows of the batch these are, ascending; None for all


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predicted:
    """Predictions were made; a side is None where there is nothing to compare it with."""

    at: datetime
    rows: int
    inputs: Compared | None = None  # the features
    outputs: Compared | None = None  # of the rows that the champion answered, its answers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labelled:
    """Labels came for predictions, and every model that matters has scored their rows.

    All arrays run over the labelled rows `rows`, which begin with the open window's first row.
    """

    at: datetime
    rows: RowRange
    times: Array  # event times, datetime64[us]
    champion: Judged
    challenger: Judged | None = None
    replaced: Judged | None = None
    arrived: Arrived | None = None  # which labels were in; None where no window ends here


@dataclass(frozen=True, slots=True, kw_only=True)
class Complained:
    """A user rated a prediction down, or corrected it."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event came from outside; for a rollback with what is known of the version to go to."""

    at: datetime
    event: Event
    to: Standing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """Time passed."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reported:
    """A run's training ended: with a challenger and rows to judge it on, or with an error."""

    at: datetime
    run_id: str
    trained_rows: int = 0
    error: str | None = None
    challenger: Judged | None = None  # on the held-out rows; None for an error
    champion: Judged | None = None  # on the last of them, those new to it; None for the first
    held_out: RowRange | None = None
    times: Array | None = None  # of the held-out rows
    references: References | None = None


Seen = Grown | Predicted | Labelled | Complained | Told | Ticked | Reported


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """Carry out a decision to retrain."""

    run_id: str
    decision: Retrain


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Register a run's model as a version."""

    run_id: str
    standing: Standing
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Promote:
    """Make a version champion."""

    run_id: str
    version: int
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """Make an earlier version champion again."""

    version: int
    leaves: int
    run_id: str | None  # the run whose promotion is undone


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Record what the gate says of a run's challenger."""

    run_id: str
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """Record that a run's promotion was watched to the end, and what it gained."""

    run_id: str
    gain: float  # mean primary row loss of the replaced model minus the champion's
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """Record that a run ended without a model."""

    run_id: str
    error: str


Order = Train | Register | Promote | Restore | Judge | Settle | Fail


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What follows from what was seen: the new state, what to record, what to do."""

    state: PolicyState
    measurements: tuple[Measurement, ...] = ()
    events: tuple[Event, ...] = ()
    decisions: tuple[Decision, ...] = ()
    orders: tuple[Order, ...] = ()

    def now(self, state: PolicyState) -> Turn:
        """Return the turn with another state."""
        return replace(self, state=state)

    def record(self, *events: Event) -> Turn:
        """Return the turn with more events."""
        return replace(self, events=(*self.events, *events))

    def measured(self, *measurements: Measurement) -> Turn:
        """Return the turn with more measurements."""
        return replace(self, measurements=(*self.measurements, *measurements))

    def order(self, *orders: Order) -> Turn:
        """Return the turn with more orders."""
        return replace(self, orders=(*self.orders, *orders))

    def decide(self, decision: Decision) -> Turn:
        """Return the turn with one more decision."""
        state = replace(self.state, decisions=self.state.decisions + 1)
        return replace(self, state=state, decisions=(*self.decisions, decision))

    def followed_by(self, later: Turn) -> Turn:
        """Return both turns as one; `later` began with the state of this one."""
        return Turn(
            state=later.state,
            measurements=(*self.measurements, *later.measurements),
            events=(*self.events, *later.events),
            decisions=(*self.decisions, *later.decisions),
            orders=(*self.orders, *later.orders),
        )
