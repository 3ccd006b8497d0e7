"""The trigger on accumulated avoidable errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from ratoon.core.settings import finite, positive, whole
from ratoon.triggers.combine import Combines
from ratoon.triggers.protocol import QUIET, Fired, Promoted, View
from ratoon.triggers.regret import Regret, acted_on, grown, renewed, spent
from ratoon.triggers.seen import window_loss


@dataclass(frozen=True, slots=True)
class AvoidableErrors(Combines):
    """Fires when the loss above that of a fresh model has added up to what a retraining costs.

    After each window of n labelled rows with mean loss l, the regret grows by max(0, l - f) n; at
    `retrain_cost` it fires, and the regret begins anew at 0. f is what a fresh model loses:
    `expected`, or the mean of the losses that the last champions had in their first window. A
    promotion begins anew as well.

    Args:
        retrain_cost: what a retraining costs, in the unit of the summed row losses of the loop's
            first metric that has them: errors, log loss, or an absolute error in money.
        expected: the mean row loss of a fresh model, where that is known.
        memory: how many former champions the loss of a fresh model rests on.

    Source: Modyn (eth-easl/modyn), `StaticNumberAvoidableMisclassificationDecisionPolicy` and
    `AvoidableMisclassificationCostTrigger` (whose regret is never reset in its main branch), and
    CARA-CT (Mahadevan & Mathioudakis, "Cost-aware retraining for machine learning", KBS 293, 2024,
    arXiv 2310.04216), with the loss above a fresh model's in place of the whole loss; that is
    `CaraCumulative`.

    >>> print(AvoidableErrors(retrain_cost=200))
    AvoidableErrors(200)
    """

    retrain_cost: float
    expected: float | None = field(default=None, kw_only=True)
    memory: int = field(default=5, kw_only=True)

    def __post_init__(self) -> None:
        """Check the settings."""
        positive("retrain_cost", self.retrain_cost)
        if self.expected is not None:
            finite("expected", self.expected)
        whole("memory", self.memory, least=1)

    def init(self) -> Regret:
        """Return the state before anything was lost."""
        return Regret()

    def fires(self, state: Regret, view: View, /) -> tuple[Regret, Fired]:
        """Add up what a fresh model would have avoided."""
        if isinstance(view.happened, Promoted):
            return renewed(state), QUIET
        seen = window_loss(view.happened)
        if seen is None:
            return state, QUIET
        state = grown(state, seen, self.memory, self._level)
        if state.avoidable < self.retrain_cost:
            return state, QUIET
        return spent(state), acted_on(self, view, state, self.retrain_cost, self.retrain_cost)

    def _level(self, fresh: Sequence[float]) -> float:
        return fmean(fresh) if self.expected is None else self.expected

    def __str__(self) -> str:
        """Write it as a person would."""
        expected = "" if self.expected is None else f", expected={self.expected:g}"
        return f"AvoidableErrors({self.retrain_cost:g}{expected})"
