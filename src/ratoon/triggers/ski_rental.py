"""Ski rental: rent until the rent has reached the price, then buy."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from statistics import fmean

from ratoon.core.settings import positive, whole
from ratoon.triggers.combine import Combines
from ratoon.triggers.draws import uniform
from ratoon.triggers.protocol import QUIET, Fired, Promoted, View
from ratoon.triggers.regret import Regret, acted_on, grown, renewed, spent
from ratoon.triggers.seen import window_loss


@dataclass(frozen=True, slots=True, kw_only=True)
class SkiRentalState:
    """The rent that was paid, and how many times it was time to buy."""

    rent: Regret = field(default_factory=Regret)
    bought: int = 0


@dataclass(frozen=True, slots=True)
class SkiRental(Combines):
    """Fires when the rent that was paid for the old model has reached the price of a new one.

    The rent of a window of n labelled rows with mean loss l is max(0, l - f) n, where f is the
    mean of the losses that the last champions had in their first window. To keep the model until
    the rent has reached the price never costs more than twice what the best moment in hindsight
    does, where the rent would have ended with the purchase. With a `seed` the share of the price at
    which it buys is drawn anew for each purchase, with density e^x / (e - 1) on [0, 1]; that costs
    e / (e - 1) = 1.58 times as much on average. Without a seed it does what `AvoidableErrors` does.

    Args:
        retrain_cost: the price, in the unit of the summed row losses of the loop's first metric
            that has them.
        seed: of the draws; None buys at the whole price.
        memory: how many former champions the loss of a fresh model rests on.

    Source: Karlin, Manasse, Rudolph & Sleator, "Competitive snoopy caching", Algorithmica 3, 1988
    (deterministic); Karlin, Manasse, McGeoch & Owicki, "Competitive randomized algorithms for
    nonuniform problems", Algorithmica 11, 1994 (randomized).

    >>> print(SkiRental(retrain_cost=200) | SkiRental(200, seed=7))
    SkiRental(200) | SkiRental(200, seed=7)
    """

    retrain_cost: float
    seed: int | None = field(default=None, kw_only=True)
    memory: int = field(default=5, kw_only=True)

    def __post_init__(self) -> None:
        """Check the settings."""
        positive("retrain_cost", self.retrain_cost)
        if self.seed is not None:
            whole("seed", self.seed, least=0)
        whole("memory", self.memory, least=1)

    def init(self) -> SkiRentalState:
        """Return the state before any rent was paid."""
        return SkiRentalState()

    def fires(self, state: SkiRentalState, view: View, /) -> tuple[SkiRentalState, Fired]:
        """Add up the rent."""
        if isinstance(view.happened, Promoted):
            return replace(state, rent=renewed(state.rent)), QUIET
        seen = window_loss(view.happened)
        if seen is None:
            return state, QUIET
        rent, price = grown(state.rent, seen, self.memory, fmean), self._price(state.bought)
        # a drawn price may be next to nothing; where no rent was paid there is nothing to buy for
        if rent.avoidable < price or not rent.avoidable:
            return replace(state, rent=rent), QUIET
        said = acted_on(self, view, rent, price, self.retrain_cost)
        return SkiRentalState(rent=spent(rent), bought=state.bought + 1), said

    def _price(self, bought: int) -> float:
        """Return the rent at which it buys: F^-1(u) = ln(1 + u (e - 1)) of the price."""
        if self.seed is None:
            return self.retrain_cost
        return self.retrain_cost * math.log1p(uniform(self.seed, bought) * (math.e - 1))

    def __str__(self) -> str:
        """Write it as a person would."""
        seed = "" if self.seed is None else f", seed={self.seed}"
        return f"SkiRental({self.retrain_cost:g}{seed})"
