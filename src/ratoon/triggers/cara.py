"""The cost-aware retraining algorithms of Mahadevan & Mathioudakis: CARA-T, CARA-CT, CARA-P."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from ratoon.core.events import DEGRADED, SCHEDULE, WORTH_IT
from ratoon.core.settings import not_negative, positive, whole
from ratoon.triggers.baselines import Counted
from ratoon.triggers.combine import Combines
from ratoon.triggers.prefix import cheapest, checked, schedule_cost, thinned
from ratoon.triggers.protocol import QUIET, Fired, LabelsClosed, Promoted, View
from ratoon.triggers.seen import Since, fires, window_loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Staleness:
    """What the champion has lost since it was promoted, in summed row losses."""

    loss: float = 0.0
    windows: int = 0


@dataclass(frozen=True, slots=True)
class CaraThreshold(Combines):
    """CARA-T: fires when the champion's mean row loss on a window is above a threshold.

    `CaraThreshold.fitted` chooses the threshold on a prefix. Queries are taken to be the window's
    own rows, so that the staleness of a model is its loss on them.

    Args:
        threshold: mean row loss of the loop's first metric that has row losses.

    Source: Mahadevan & Mathioudakis, "Cost-aware retraining for machine learning", KBS 293, 2024,
    arXiv 2310.04216: the variant CARA-T, without its similarity of queries and rows.

    >>> losses = [[0.1, 0.2, 0.5, 0.6], [0, 0.1, 0.4, 0.5], [0, 0, 0.3, 0.4], [0, 0, 0, 0.1]]
    >>> print(CaraThreshold.fitted(losses, retrain_cost=20, rows=100))
    CaraThreshold(0.4)
    """

    threshold: float

    def __post_init__(self) -> None:
        """Check the setting."""
        not_negative("threshold", self.threshold)

    @classmethod
    def fitted(cls, losses: ArrayLike, retrain_cost: float, *, rows: int) -> CaraThreshold:
        """Choose the threshold that costs least on a prefix.

        Tried are 0 and the losses of the prefix (256 of them where there are more); of thresholds
        that cost the same the highest is taken. The cost is the loss of all windows and
        `retrain_cost` for each retraining; a new model serves from the next window on.

        Args:
            losses: square; `losses[trained_at, window]` is the mean row loss on a window of the
                model that was trained just before window `trained_at`; what is below the diagonal
                is not looked at.
            retrain_cost: in the unit of summed row losses.
            rows: labelled rows of a window.

        Raises:
            SettingInvalid: the losses are no such array, or a setting breaks its rule.
        """
        array, cost = _prefix(losses, retrain_cost, rows)
        values = [0.0, *thinned(array[np.triu_indices(len(array))])]

        def cost_of(threshold: float) -> float:
            return schedule_cost(array, cost, lambda loss, _sum, _age: loss > threshold)

        return cls(cheapest(values, cost_of))

    def init(self) -> Counted:
        """Return the state before any window."""
        return Counted()

    def fires(self, state: Counted, view: View, /) -> tuple[Counted, Fired]:
        """Compare the newest window's loss with the threshold."""
        seen = window_loss(view.happened)
        if seen is None:
            return state, QUIET
        state = replace(state, windows=state.windows + 1)
        if seen.mean <= self.threshold:
            return state, QUIET
        reason = f"the mean loss is {seen.mean:.4g}, above {self.threshold:.4g}"
        evidence = {"loss": seen.mean, "threshold": self.threshold, "window": state.windows}
        began = Since(at=seen.window.start, row=seen.start_row)
        return state, fires(self, view, DEGRADED, reason, evidence, began)

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"CaraThreshold({self.threshold:g})"


@dataclass(frozen=True, slots=True)
class CaraCumulative(Combines):
    """CARA-CT: fires when the champion's losses since its promotion add up to more than a limit.

    `CaraCumulative.fitted` chooses the limit on a prefix. The whole loss counts; what counts only
    the loss above a fresh model's is `AvoidableErrors`. After it has fired the sum begins anew.

    Args:
        limit: summed row losses of the loop's first metric that has them.

    Source: Mahadevan & Mathioudakis, "Cost-aware retraining for machine learning", KBS 293, 2024,
    arXiv 2310.04216: the variant CARA-CT, without its similarity of queries and rows.

    >>> losses = [[0.1, 0.2, 0.5, 0.6], [0, 0.1, 0.4, 0.5], [0, 0, 0.3, 0.4], [0, 0, 0, 0.1]]
    >>> print(CaraCumulative.fitted(losses, retrain_cost=20, rows=100))
    CaraCumulative(70)
    """

    limit: float

    def __post_init__(self) -> None:
        """Check the setting."""
        not_negative("limit", self.limit)

    @classmethod
    def fitted(cls, losses: ArrayLike, retrain_cost: float, *, rows: int) -> CaraCumulative:
        """Choose the limit that costs least on a prefix; see `CaraThreshold.fitted`.

        Tried are 0 and the sums of losses that models of the prefix reach.

        Args:
            losses: square; `losses[trained_at, window]` is the mean row loss on a window of the
                model that was trained just before window `trained_at`; what is below the diagonal
                is not looked at.
            retrain_cost: in the unit of summed row losses.
            rows: labelled rows of a window.

        Raises:
            SettingInvalid: the losses are no such array, or a setting breaks its rule.
        """
        array, cost = _prefix(losses, retrain_cost, rows)
        sums = np.concatenate([np.cumsum(row[at:]) for at, row in enumerate(array)])

        def cost_of(limit: float) -> float:
            return schedule_cost(array, cost, lambda _loss, summed, _age: summed > limit)

        return cls(cheapest([0.0, *thinned(sums)], cost_of) * rows)

    def init(self) -> Staleness:
        """Return the state before any window."""
        return Staleness()

    def fires(self, state: Staleness, view: View, /) -> tuple[Staleness, Fired]:
        """Add the newest window's losses."""
        if isinstance(view.happened, Promoted):
            return self.init(), QUIET
        seen = window_loss(view.happened)
        if seen is None:
            return state, QUIET
        state = Staleness(loss=state.loss + seen.mean * seen.rows, windows=state.windows + 1)
        if state.loss <= self.limit:
            return state, QUIET
        reason = f"losses of {state.loss:.4g} have added up, more than {self.limit:.4g}"
        evidence = {"loss": state.loss, "limit": self.limit, "windows": state.windows}
        return self.init(), fires(self, view, WORTH_IT, reason, evidence)

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"CaraCumulative({self.limit:g})"


@dataclass(frozen=True, slots=True)
class CaraPeriod(Combines):
    """CARA-P: fires when so many windows of labelled rows have passed since the last promotion.

    `CaraPeriod.fitted` chooses the number on a prefix. It counts anew after it has fired.

    Args:
        windows: of labelled rows.

    Source: Mahadevan & Mathioudakis, "Cost-aware retraining for machine learning", KBS 293, 2024,
    arXiv 2310.04216: the variant CARA-P.

    >>> losses = [[0.1, 0.2, 0.5, 0.6], [0, 0.1, 0.4, 0.5], [0, 0, 0.3, 0.4], [0, 0, 0, 0.1]]
    >>> print(CaraPeriod.fitted(losses, retrain_cost=20, rows=100))
    CaraPeriod(3)
    """

    windows: int

    def __post_init__(self) -> None:
        """Check the setting."""
        whole("windows", self.windows, least=1)

    @classmethod
    def fitted(cls, losses: ArrayLike, retrain_cost: float, *, rows: int) -> CaraPeriod:
        """Choose the period that costs least on a prefix; see `CaraThreshold.fitted`.

        Tried are all periods up to the length of the prefix; of those that cost the same the
        longest is taken.

        Args:
            losses: square; `losses[trained_at, window]` is the mean row loss on a window of the
                model that was trained just before window `trained_at`; what is below the diagonal
                is not looked at.
            retrain_cost: in the unit of summed row losses.
            rows: labelled rows of a window.

        Raises:
            SettingInvalid: the losses are no such array, or a setting breaks its rule.
        """
        array, cost = _prefix(losses, retrain_cost, rows)

        def cost_of(period: float) -> float:
            return schedule_cost(array, cost, lambda _loss, _sum, age: age >= period)

        return cls(int(cheapest(range(1, len(array) + 1), cost_of)))

    def init(self) -> Counted:
        """Return the state before any window."""
        return Counted()

    def fires(self, state: Counted, view: View, /) -> tuple[Counted, Fired]:
        """Count the window."""
        if isinstance(view.happened, Promoted):
            return self.init(), QUIET
        if not isinstance(view.happened, LabelsClosed):
            return state, QUIET
        state = replace(state, windows=state.windows + 1)
        if state.windows < self.windows:
            return state, QUIET
        reason = f"{state.windows} windows of labelled rows have passed"
        evidence = {"windows": state.windows, "period": self.windows}
        return self.init(), fires(self, view, SCHEDULE, reason, evidence)

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"CaraPeriod({self.windows})"


def _prefix(losses: ArrayLike, retrain_cost: float, rows: int) -> tuple[np.ndarray, float]:
    """Return the losses and the cost of a retraining, both in mean row losses of a window."""
    positive("retrain_cost", retrain_cost)
    whole("rows", rows, least=1)
    return checked(losses), retrain_cost / rows
