"""The back-off on the realised gain as it was first tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median_low

from ratoon.triggers import backing_off
from ratoon.triggers.backing_off import BackOffState, Rule
from ratoon.triggers.combine import Combines
from ratoon.triggers.protocol import Fired, View


@dataclass(frozen=True, slots=True)
class BackOff(Combines):
    """Fires when the avoidable loss has reached the cost, and backs off where that did not pay.

    The rule of `WorthIt`, with two differences: a fresh model's loss is the (lower) median of the
    losses that the last champions had in their first window, and the threshold halves after every
    gain that reached the cost.

    Args:
        retrain_cost: what a retraining costs, in the unit of the summed row losses of the loop's
            first metric that has them: errors, log loss, or an absolute error in money.
        memory: how many former champions the loss of a fresh model rests on.

    Source: as of `WorthIt`.

    >>> print(BackOff(retrain_cost=200))
    BackOff(200)
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
        return backing_off.step(self, Rule(level=median_low, pays=1.0), state, view)

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"BackOff({self.retrain_cost:g})"
