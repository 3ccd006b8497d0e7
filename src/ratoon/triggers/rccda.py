"""RCCDA: retraining within a budget, by a virtual queue."""

from __future__ import annotations

from dataclasses import dataclass, field

from ratoon.core.events import WORTH_IT
from ratoon.core.settings import not_negative, positive, share
from ratoon.triggers.combine import Combines
from ratoon.triggers.protocol import QUIET, Fired, View
from ratoon.triggers.seen import WindowLoss, fires, window_loss


@dataclass(frozen=True, slots=True, kw_only=True)
class RccdaState:
    """The debt to the budget, the lowest loss so far and the last one."""

    queue: float = 0.0
    best: float | None = None
    last: float | None = None


@dataclass(frozen=True, slots=True)
class Rccda(Combines):
    """Fires when the loss has risen by more than the debt to a budget of retrainings allows.

    After each window with mean row loss l, e = l - (the lowest l so far) and d = l - (the l
    before); it fires when

        weight · (level · e + trend · d) > Q + 1/2 - budget,

    and the virtual queue becomes Q = max(0, Q + fired - budget). That is the step that makes the
    bound on Lyapunov drift plus penalty least. The share of windows at which it fires exceeds the
    budget by at most Q over the number of windows, and Q cannot grow past what the losses weigh.
    Where losses are not shares, choose `weight` in one over their unit.

    Args:
        budget: share of the windows at which it may fire on average, between 0 and 1.
        weight: V, of the loss against the budget.
        level: K_p, weight of the distance from the lowest loss.
        trend: K_d, weight of the last change.

    Source: Piaseczny, Shisher, Wang & Brinton, "RCCDA: adaptive model updates in the presence of
    concept drift under a constrained resource budget", NeurIPS 2025, arXiv 2505.24149, algorithm
    1, with the estimate of the gain that its code uses. The defaults are Ratoon's.

    >>> print(Rccda(budget=0.05))
    Rccda(0.05)
    """

    budget: float
    weight: float = field(default=10.0, kw_only=True)
    level: float = field(default=1.0, kw_only=True)
    trend: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        """Check the settings."""
        share("budget", self.budget)
        positive("weight", self.weight)
        not_negative("level", self.level)
        not_negative("trend", self.trend)

    def init(self) -> RccdaState:
        """Return the state before any window."""
        return RccdaState()

    def fires(self, state: RccdaState, view: View, /) -> tuple[RccdaState, Fired]:
        """Weigh the newest window's loss against the queue."""
        seen = window_loss(view.happened)
        if seen is None:
            return state, QUIET
        best = seen.mean if state.best is None else min(state.best, seen.mean)
        gain = self._gain(seen, state, best)
        limit = state.queue + 0.5 - self.budget
        fired = gain > limit
        queue = max(0.0, state.queue + fired - self.budget)
        after = RccdaState(queue=queue, best=best, last=seen.mean)
        if not fired:
            return after, QUIET
        reason = f"the loss of {seen.mean:.4g} weighs {gain:.4g}, more than {limit:.4g}"
        evidence = {"loss": seen.mean, "gain": gain, "limit": limit, "queue": queue, "best": best}
        return after, fires(self, view, WORTH_IT, reason, evidence)

    def _gain(self, seen: WindowLoss, state: RccdaState, best: float) -> float:
        change = 0.0 if state.last is None else seen.mean - state.last
        return self.weight * (self.level * (seen.mean - best) + self.trend * change)

    def __str__(self) -> str:
        """Write it as a person would."""
        weight = "" if self.weight == 10 else f", weight={self.weight:g}"  # noqa: PLR2004 - the default
        return f"Rccda({self.budget:g}{weight})"
