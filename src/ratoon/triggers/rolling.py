"""Thresholds that follow the metric: worse than its rolling mean, or than a quantile of late."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ratoon.core.events import DEGRADED
from ratoon.core.settings import positive, share, whole
from ratoon.triggers.combine import Combines
from ratoon.triggers.protocol import QUIET, Fired, LabelsClosed, View
from ratoon.triggers.seen import Since, fires


@dataclass(frozen=True, slots=True, kw_only=True)
class LateValues:
    """The metric's values of the last windows, the newest last."""

    values: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Now:
    """The newest value of a metric, which way is worse, and whether it is to be judged."""

    metric: str
    value: float
    worse: float  # 1 where larger is worse, else -1
    since: Since
    enough: bool  # values have been seen


def _newest(view: View, metric_name: str | None, seen: int, warm_up: int) -> _Now | None:
    if not isinstance(view.happened, LabelsClosed):
        return None
    metric = view.primary(metric_name)
    value = view.happened.measurements[metric.name].value
    if value is None:
        return None
    window = view.happened.window
    row = None if window.rows is None else window.rows.start
    return _Now(
        metric=metric.name,
        value=value,
        worse=-1.0 if metric.greater_is_better else 1.0,
        since=Since(at=window.start, row=row),
        enough=seen >= warm_up,
    )


@dataclass(frozen=True, slots=True)
class RollingThreshold(Combines):
    """Fires when a metric is worse than its rolling mean by so much.

    With m the mean of the values of the last `windows` windows, this one left out, and x the
    newest, turned so that larger is worse, it fires when x - m >= deviation |m|, or when
    x - m >= deviation where that is `absolute`. The values are kept over promotions.

    Args:
        deviation: share of the mean (0.1: 10 % worse), or a distance in the metric's unit.
        absolute: whether the deviation is in the metric's unit.
        metric: its name; by default the loop's first.
        windows: values that the mean rests on.
        warm_up: values that it must have seen.

    Source: Modyn (eth-easl/modyn), `DynamicRollingAverageThresholdPolicy`. Modyn fires at the
    very first value; here nothing fires before `warm_up` values.

    >>> print(RollingThreshold(0.1) | RollingThreshold(0.02, absolute=True, metric="log_loss"))
    RollingThreshold(0.1) | RollingThreshold(0.02, absolute, log_loss)
    """

    deviation: float
    absolute: bool = field(default=False, kw_only=True)
    metric: str | None = field(default=None, kw_only=True)
    windows: int = field(default=15, kw_only=True)
    warm_up: int = field(default=5, kw_only=True)

    def __post_init__(self) -> None:
        """Check the settings."""
        positive("deviation", self.deviation)
        whole("windows", self.windows, least=1)
        whole("warm_up", self.warm_up, least=1)

    def init(self) -> LateValues:
        """Return the state before any window."""
        return LateValues()

    def fires(self, state: LateValues, view: View, /) -> tuple[LateValues, Fired]:
        """Compare the newest window with the mean of those before it."""
        now = _newest(view, self.metric, len(state.values), min(self.warm_up, self.windows))
        if now is None:
            return state, QUIET
        after = LateValues(values=(*state.values, now.value)[-self.windows :])
        if not now.enough:
            return after, QUIET
        mean = float(np.mean(state.values))
        limit = self.deviation * (1.0 if self.absolute else abs(mean))
        off = now.worse * (now.value - mean)
        if off <= 0 or off < limit:
            return after, QUIET
        reason = f"{now.metric} is {now.value:.4g}, its rolling mean {mean:.4g}"
        evidence = {"metric": now.metric, "value": now.value, "mean": mean, "limit": limit}
        return after, fires(self, view, DEGRADED, reason, evidence, now.since)

    def __str__(self) -> str:
        """Write it as a person would."""
        told = [f"{self.deviation:g}", "absolute" if self.absolute else None, self.metric]
        return f"RollingThreshold({', '.join(filter(None, told))})"


@dataclass(frozen=True, slots=True)
class QuantileThreshold(Combines):
    """Fires when a metric is more extreme than a quantile of its last values.

    Among the values of the last `windows` windows, this one left out, the worst share `quantile`
    begins at a limit, interpolated linearly; it fires when the newest value is worse than that.
    The values are kept over promotions.

    Args:
        quantile: the share of the values that count as extreme, between 0 and 1 (0.05: the worst
            twentieth).
        metric: its name; by default the loop's first.
        windows: values that the quantile rests on.
        warm_up: values that it must have seen.

    Source: Modyn (eth-easl/modyn), `DynamicQuantileThresholdPolicy`, called AutoDrift in its
    plots. Modyn fires at the very first value; here nothing fires before `warm_up` values.

    >>> print(QuantileThreshold(0.05))
    QuantileThreshold(0.05)
    """

    quantile: float
    metric: str | None = field(default=None, kw_only=True)
    windows: int = field(default=15, kw_only=True)
    warm_up: int = field(default=5, kw_only=True)

    def __post_init__(self) -> None:
        """Check the settings."""
        share("quantile", self.quantile)
        whole("windows", self.windows, least=1)
        whole("warm_up", self.warm_up, least=1)

    def init(self) -> LateValues:
        """Return the state before any window."""
        return LateValues()

    def fires(self, state: LateValues, view: View, /) -> tuple[LateValues, Fired]:
        """Compare the newest window with the quantile of those before it."""
        now = _newest(view, self.metric, len(state.values), min(self.warm_up, self.windows))
        if now is None:
            return state, QUIET
        after = LateValues(values=(*state.values, now.value)[-self.windows :])
        if not now.enough:
            return after, QUIET
        level = 1 - self.quantile if now.worse > 0 else self.quantile
        limit = float(np.quantile(state.values, level))
        if now.worse * (now.value - limit) <= 0:
            return after, QUIET
        reason = f"{now.metric} is {now.value:.4g}, beyond {limit:.4g} of late"
        evidence = {"metric": now.metric, "value": now.value, "limit": limit, "level": level}
        return after, fires(self, view, DEGRADED, reason, evidence, now.since)

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"QuantileThreshold({', '.join(filter(None, [f'{self.quantile:g}', self.metric]))})"
