"""The trigger that weighs what a retraining would save against what it costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean

from ratoon.triggers import backing_off
from ratoon.triggers.backing_off import BackOffState, Rule
from ratoon.triggers.combine import Combines
from ratoon.triggers.protocol import Fired, View


@dataclass(frozen=True, slots=True)
class WorthIt(Combines):
    """Fires when the loss that a retraining would have avoided has reached what it costs.

    After each window of n labelled rows with mean loss l, the avoidable loss grows by
    max(0, l - f) n, where f is what a fresh model loses: the mean of the losses that the last
    champions had in their first window. It fires at c · factor. What the last retraining really
    gained, measured by scoring the replaced model beside its successor, moves the factor (between
    1 and 32): it doubles where the gain over the replaced model's lifetime stayed below the cost,
    or where the challenger was refused; it halves where the gain reached twice the cost.
    Retrainings that others called for do not move it. So it stops retraining where drift cannot be
    learned, and where a model of today is no better. The data of the cause begins with the unbroken
    row of windows above f that ends with the newest.

    It looks at losses that are measured anyway, and trains nothing to look: what it costs is the
    replaced model's scores during the watch.

    Args:
        retrain_cost: what a retraining costs, in the unit of the summed row losses of the loop's
            first metric that has them: errors, log loss, or an absolute error in money.
        memory: how many former champions the loss of a fresh model rests on.

    Source: accumulated avoidable loss as in CARA-CT (Mahadevan & Mathioudakis, KBS 293, 2024) and
    Modyn's avoidable misclassification cost; the back-off on the realised gain is Ratoon's.

    >>> print(WorthIt(retrain_cost=200))
    WorthIt(200)
    """

    retrain_cost: float
    memory: int = field(default=5, kw_only=True)

    def __post_init__(self) -> None:
        """Check the settings."""
        backing_off.check(self)

    def init(self) -> BackOffState:
        """Return the state before anything was lost."""
        return BackOffState()

    def fires(self, state: BackOffState, view: View, /) -> tuple[BackOffState, Fired]:
        """Add up what a fresh model would have avoided."""
        return backing_off.step(self, Rule(level=fmean, pays=2.0), state, view)

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"WorthIt({self.retrain_cost:g})"
