"""UPF: forecast what the champion and a new model will lose, and compare pessimistic values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from statistics import fmean

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ratoon.core.events import WORTH_IT
from ratoon.core.settings import positive, share, whole
from ratoon.triggers.combine import Combines
from ratoon.triggers.prefix import checked
from ratoon.triggers.protocol import QUIET, Fired, PredictionsClosed, View
from ratoon.triggers.seen import WindowLoss, fires, window_loss
from ratoon.windows.judged import Floats
from ratoon.windows.summaries import Reference, Summary
from ratoon.windows.summaries.moments import Moments as ColumnMoments

_FEATURES = 4  # trained at, age, time, shift of the inputs
_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # of the ridge, a standardised row
_LEAST = 1e-12  # variance below which a number counts as constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Sums over the windows that were seen: all that a linear regression needs of them.

    The vectors are (trained at, age, time, shift, loss).
    """

    count: int = 0
    sums: tuple[float, ...] = (0.0,) * (_FEATURES + 1)
    products: tuple[float, ...] = (0.0,) * (_FEATURES + 1) ** 2  # row by row
    bounded: bool = True  # every loss lay between 0 and 1


@dataclass(frozen=True, slots=True, kw_only=True)
class UPFState:
    """The moments of the windows, and how far the inputs have moved of late."""

    moments: Moments
    shift: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecaster:
    """A linear forecast of the loss of a model, and the variance of what is left."""

    centre: Floats
    slopes: Floats
    mean: float
    variance: float

    def loss(self, trained_at: float, now: float, shift: float) -> float:
        """Return the mean loss at a time of the model that was trained at another."""
        features = np.array([trained_at, now - trained_at, now, shift])
        return self.mean + float((features - self.centre) @ self.slopes)


@dataclass(frozen=True, slots=True)
class UPF(Combines):
    """Fires when a new model, its cost included, is forecast to lose less, at a pessimistic level.

    Every window is an observation: the loss at time j of the model that was trained at time i. A
    ridge regression of the loss on i, j - i, j and the shift of the inputs, its penalty chosen
    by generalised cross-validation, forecasts what the champion will lose over the next `horizon`
    windows, and what a model trained now would. Each forecast is the mean of a Beta distribution
    with the variance of the residuals (of a normal one, where a loss was not between 0 and 1). It
    fires when the `level` quantile of the new model's, with the cost spread over the horizon on
    top, is below that of the champion's.

    Times are counted in labelled rows. The shift is how far the means of the columns of numbers
    are from those of the champion's training data, in standard deviations, in the newest window of
    predictions, and 0 before there is one; it is the same for both forecasts. Before a second
    champion has served, age and time cannot be told apart, and the slope is shared between the
    two; `UPF.fitted` learns from models of a prefix as well.

    Args:
        retrain_cost: in the unit of the summed row losses of the loop's first metric that has
            them.
        horizon: windows that a retraining has to pay off in.
        level: of the quantiles that are compared, between 0 and 1.
        warm_up: windows that it must have seen, those of a prefix included.
        prefix: what `UPF.fitted` has learned.

    Source: Regol, Schwinn, Sprague, Coates & Markovich, "When to retrain a machine learning
    model", ICML 2025, PMLR 267, arXiv 2505.14903. There an elastic net takes the place of the
    ridge, the shift is the change of the features' means from window to window, and one window
    at the horizon is compared with the whole cost: `horizon=1` is that.

    >>> print(UPF(retrain_cost=200))
    UPF(200)
    """

    retrain_cost: float
    horizon: int = field(default=10, kw_only=True)
    level: float = field(default=0.95, kw_only=True)
    warm_up: int = field(default=5, kw_only=True)
    prefix: Moments = field(default_factory=Moments, kw_only=True)

    def __post_init__(self) -> None:
        """Check the settings."""
        positive("retrain_cost", self.retrain_cost)
        whole("horizon", self.horizon, least=1)
        share("level", self.level)
        whole("warm_up", self.warm_up, least=2)

    @classmethod
    def fitted(
        cls,
        losses: ArrayLike,
        retrain_cost: float,
        *,
        rows: int,
        start: int = 0,
        horizon: int = 10,
        level: float = 0.95,
    ) -> UPF:
        """Learn from models that were trained at each time of a prefix.

        Args:
            losses: square; `losses[trained_at, window]` is the mean row loss on a window of the
                model that was trained just before window `trained_at`; what is below the diagonal
                is not looked at.
            retrain_cost: in the unit of summed row losses.
            rows: labelled rows of a window.
            start: ordinal of the first row of the prefix among the labelled rows of the loop.
            horizon: windows that a retraining has to pay off in.
            level: of the quantiles that are compared.

        Raises:
            SettingInvalid: the losses are no such array, or a setting breaks its rule.

        >>> print(UPF.fitted([[0.1, 0.2], [0.0, 0.1]], retrain_cost=20, rows=100).prefix.count)
        3
        """
        array = checked(losses)
        whole("rows", rows, least=1)
        whole("start", start, least=0)
        known = Moments()
        for trained, window in zip(*np.triu_indices(len(array)), strict=True):
            at, now = start + int(trained) * rows, start + (int(window) + 1) * rows
            known = learned(known, _features(at, now, 0.0), float(array[trained, window]))
        return cls(retrain_cost, horizon=horizon, level=level, prefix=known)

    def init(self) -> UPFState:
        """Return what the prefix has taught."""
        return UPFState(moments=self.prefix)

    def fires(self, state: UPFState, view: View, /) -> tuple[UPFState, Fired]:
        """Learn from the newest window, and compare the forecasts."""
        if isinstance(view.happened, PredictionsClosed) and view.happened.of == "inputs":
            closed = view.happened
            return replace(state, shift=shift(closed.reference, closed.summary)), QUIET
        seen = window_loss(view.happened)
        if seen is None:
            return state, QUIET
        now = view.labelled if seen.window.rows is None else seen.window.rows.stop
        at = _features(view.trained_rows, now, state.shift)
        state = replace(state, moments=learned(state.moments, at, seen.mean))
        if state.moments.count < self.warm_up:
            return state, QUIET
        return state, self._compared(state, view, seen, now)

    def _compared(self, state: UPFState, view: View, seen: WindowLoss, now: int) -> Fired:
        forecast = forecaster(state.moments)
        # the forecast is linear in time: its mean over the horizon is that of the middle
        middle = now + seen.rows * (self.horizon + 1) / 2
        bounded = state.moments.bounded
        cost = self.retrain_cost / (seen.rows * self.horizon)
        kept = forecast.loss(view.trained_rows, middle, state.shift)
        new = forecast.loss(now, middle, state.shift)
        keep_most = quantile(kept, forecast.variance, self.level, bounded=bounded)
        new_most = quantile(new, forecast.variance, self.level, bounded=bounded) + cost
        if new_most >= keep_most:
            return QUIET
        reason = (
            f"a new model would lose {new_most:.4g} a row, its cost included, "
            f"where the champion may lose {keep_most:.4g}"
        )
        evidence = {
            "champion": kept,
            "new": new,
            "variance": forecast.variance,
            "cost": cost,
            "level": self.level,
            "windows": state.moments.count,
        }
        return fires(self, view, WORTH_IT, reason, evidence)

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"UPF({self.retrain_cost:g})"


def shift(reference: Reference, summary: Summary) -> float:
    """Return how far the inputs have moved: the mean over columns of numbers of |m - r| / s.

    m is the mean of the window, r and s are mean and standard deviation of the reference. Columns
    without a spread or a finite value are left out; where none is left it is 0.
    """
    known = reference.summary.columns
    moved = [
        _apart(column.moments, known[name].moments)
        for name, column in summary.columns.items()
        if name in known
    ]
    found = [value for value in moved if value is not None]
    return fmean(found) if found else 0.0


def _apart(window: ColumnMoments | None, reference: ColumnMoments | None) -> float | None:
    if window is None or reference is None or not window.n or reference.n < 2:  # noqa: PLR2004 - a spread needs two
        return None
    spread = reference.deviation
    return abs(window.mean - reference.mean) / spread if spread > 0 else None


def _features(trained_at: float, now: float, shift: float) -> tuple[float, ...]:
    return (float(trained_at), float(now - trained_at), float(now), shift)


def learned(moments: Moments, features: tuple[float, ...], loss: float) -> Moments:
    """Add a window to the moments."""
    vector = np.array([*features, loss])
    return Moments(
        count=moments.count + 1,
        sums=tuple((np.array(moments.sums) + vector).tolist()),
        products=tuple((np.array(moments.products) + np.outer(vector, vector).ravel()).tolist()),
        bounded=moments.bounded and 0 <= loss <= 1,
    )


def forecaster(moments: Moments) -> Forecaster:
    """Fit the ridge regression of the loss on the features, from their moments.

    The features are standardised; a feature that never varied has no slope. The penalty has the
    lowest n RSS / (n - df)^2 (Golub, Heath & Wahba 1979); the variance is RSS / (n - df).
    """
    n, size = moments.count, _FEATURES + 1
    means = np.array(moments.sums) / n
    cov = np.array(moments.products).reshape(size, size) / n - np.outer(means, means)
    spread = np.sqrt(np.maximum(np.diag(cov), 0.0))
    constant = spread[:-1] ** 2 <= _LEAST * (1 + means[:-1] ** 2)
    scale = np.where(constant, 1.0, spread[:-1])
    live = np.where(constant, 0.0, 1 / scale)
    values, vectors = np.linalg.eigh(cov[:-1, :-1] * np.outer(live, live))
    values = np.maximum(values, 0.0)
    along = vectors.T @ (cov[:-1, -1] * live)
    _, variance, slopes = min(
        (_ridge(values, along, cov[-1, -1], penalty, n) for penalty in _PENALTIES),
        key=lambda fit: fit[0],
    )
    return Forecaster(
        centre=means[:-1],
        slopes=(vectors @ slopes) * live,
        mean=float(means[-1]),
        variance=variance,
    )


def _ridge(
    values: Floats, along: Floats, total: float, penalty: float, n: int
) -> tuple[float, float, Floats]:
    """Return the score of cross-validation, the variance of the residuals, and the slopes."""
    slopes = along / (values + penalty)
    rss = n * max(0.0, float(total - 2 * slopes @ along + (slopes**2) @ values))
    free = max(1.0, n - 1 - float((values / (values + penalty)).sum()))
    return n * rss / free**2, rss / free, slopes


def quantile(mean: float, variance: float, level: float, *, bounded: bool) -> float:
    """Return a quantile of the Beta distribution with this mean and variance.

    The mean is kept within (0, 1) and the variance below mean (1 - mean). Where losses are not
    between 0 and 1 it is the quantile of a normal distribution.

    >>> round(quantile(0.5, 1 / 12, 0.95, bounded=True), 6)  # uniform
    0.95
    """
    if not bounded:
        return mean + float(special.ndtri(level)) * variance**0.5
    mean = min(max(mean, 1e-6), 1 - 1e-6)
    most = mean * (1 - mean)
    size = most / min(max(variance, 1e-12), 0.99 * most) - 1
    return float(special.betaincinv(mean * size, (1 - mean) * size, level))
