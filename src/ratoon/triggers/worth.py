"""The trigger that weighs what a retraining would save against what it costs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from ratoon.core import wire
from ratoon.core.deciding import Firing
from ratoon.core.events import WORTH_IT
from ratoon.core.measuring import Window
from ratoon.core.settings import positive, whole
from ratoon.triggers.combine import Combines
from ratoon.triggers.protocol import (
    QUIET,
    Fired,
    LabelsClosed,
    Promoted,
    Refused,
    Settled,
    View,
)

_MOST = 32.0  # the threshold never exceeds this multiple of the cost


@dataclass(frozen=True, slots=True, kw_only=True)
class WorthState:
    """The loss that a fresh model would have avoided, and what it takes to act."""

    avoidable: float = 0.0  # summed row losses above those of a fresh model
    factor: float = 1.0  # threshold as a multiple of the cost
    fresh: tuple[float, ...] = ()  # mean row loss of the last champions when they were new
    windows: int = 0  # since the champion was promoted
    since: datetime | None = None  # start of the unbroken row of windows above the fresh loss
    since_row: int | None = None


@dataclass(frozen=True, slots=True)
class WorthIt(Combines):
    """Fires when the loss that a retraining would have avoided has reached what it costs.

    After each window of n labelled rows with mean loss l, the avoidable loss grows by
    max(0, l - f) n, where f is the (lower) median of the losses that the last champions had in
    their first window: a champion that was bad from birth does not hide what is possible. It
    fires at c · factor. What the last retraining really gained, measured by scoring the replaced
    model beside its successor, moves the factor: it doubles where the gain over the replaced
    model's lifetime stayed below the cost, or where the challenger was refused; else it halves
    (between 1 and 32); retrainings that others called for do not move it. So it stops retraining
    where drift cannot be learned. The data of the cause begins with the unbroken row of windows
    above f that ends with the newest.

    Args:
        retrain_cost: what a retraining costs, in the unit of the summed row losses of the loop's
            first metric that has them: errors, log loss, or an absolute error in money.
        memory: how many former champions the loss of a fresh model rests on.

    Source: accumulated avoidable loss as in CARA-CT (Mahadevan & Mathioudakis, KBS 293, 2024) and
    Modyn's avoidable misclassification cost; the back-off on the realised gain is Ratoon's.
    """

    retrain_cost: float
    memory: int = field(default=5, kw_only=True)

    def __post_init__(self) -> None:
        """Check the settings."""
        positive("retrain_cost", self.retrain_cost)
        whole("memory", self.memory, least=1)

    def init(self) -> WorthState:
        """Return the state before anything was lost."""
        return WorthState()

    def fires(self, state: WorthState, view: View, /) -> tuple[WorthState, Fired]:
        """Add up what a fresh model would have avoided."""
        match view.happened:
            case LabelsClosed() as closed if closed.losses is not None:
                return self._closed(state, view, closed)
            case Promoted():
                return replace(state, avoidable=0.0, windows=0, since=None, since_row=None), QUIET
            case Settled() as settled if str(self) in settled.causes:
                paid_off = settled.gain * settled.lifetime >= self.retrain_cost
                factor = state.factor / 2 if paid_off else state.factor * 2
                return replace(state, factor=min(_MOST, max(1.0, factor))), QUIET
            case Refused() as refused if str(self) in refused.causes:
                factor = min(_MOST, state.factor * 2)
                return replace(state, avoidable=0.0, factor=factor), QUIET
            case _:
                return state, QUIET

    def _closed(
        self, state: WorthState, view: View, closed: LabelsClosed
    ) -> tuple[WorthState, Fired]:
        losses = closed.losses
        if losses is None or not len(losses):
            return state, QUIET
        mean = float(losses.mean())
        fresh = (*state.fresh, mean)[-self.memory :] if state.windows == 0 else state.fresh
        above = max(0.0, mean - _typical(fresh)) * len(losses)
        state = _since(state, closed.window, above=above > 0)
        state = replace(
            state, fresh=fresh, avoidable=state.avoidable + above, windows=state.windows + 1
        )
        threshold = self.retrain_cost * state.factor
        if state.avoidable < threshold:
            return state, QUIET
        firing = Firing(
            trigger=str(self),
            event_type=WORTH_IT,
            reason=(
                f"{state.avoidable:.4g} of loss would have been avoided, "
                f"at a cost of {threshold:.4g}"
            ),
            at=view.at,
            since=state.since,
            since_row=state.since_row,
            evidence={
                "avoidable": state.avoidable,
                "threshold": threshold,
                "retrain_cost": self.retrain_cost,
                "fresh": wire.to_json(state.fresh),
                "windows": state.windows,
            },
        )
        return replace(state, avoidable=0.0), Fired(sparks=(firing,), causes=(firing,))

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"WorthIt({self.retrain_cost:g})"


def _typical(fresh: tuple[float, ...]) -> float:
    """Return the lower median."""
    return sorted(fresh)[(len(fresh) - 1) // 2]


def _since(state: WorthState, window: Window, *, above: bool) -> WorthState:
    """Remember where the loss began to stay above that of a fresh model."""
    if not above:
        return replace(state, since=None, since_row=None)
    if state.since is not None:
        return state
    row = None if window.rows is None else window.rows.start
    return replace(state, since=window.start, since_row=row)
