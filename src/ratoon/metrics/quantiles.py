"""Metrics of predicted quantiles: pinball loss, and the coverage and width of intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ratoon.core.errors import MetricNeedsColumn, SettingInvalid
from ratoon.core.settings import share
from ratoon.metrics.checking import check_task, numbers, refuse
from ratoon.metrics.means import OfMean
from ratoon.metrics.protocol import Metric
from ratoon.windows.judged import Floats, Judged, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinball(OfMean):
    """The mean pinball loss of predicted quantiles, least where each is the true quantile.

    At level a, with error e = label - quantile: loss = a e where e >= 0, else (a - 1) e. Without a
    `level` it is the mean over the levels of the target, which approximates half the CRPS where
    they are many; with one, that of its quantile. A target without levels has one quantile, the
    output, and `level` says which. stderr = s/√n.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.core.measuring import Window
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> said = Scored(outputs=np.array([5.0, 5.0]))  # is exceeded once in ten, it says
    >>> target = Target(task="regression")
    >>> judged = Judged(target=target, labels=np.array([3.0, 9.0]), scored=said)
    >>> round(Pinball(level=0.9).measure(judged, Window(start=EPOCH, end=EPOCH)).value, 3)
    1.9

    Source: Koenker & Bassett (1978), "Regression quantiles", Econometrica 46, 33-50.
    """

    name: str = "pinball"
    tasks = frozenset({"regression"})

    level: float | None = None  # of the quantile that is meant; None: all of the target

    def __post_init__(self) -> None:
        """Check the settings."""
        _check_name(self.name)
        if self.level is not None:
            share("level", self.level)

    def losses(self, judged: Judged, /) -> Floats:
        """Return the loss of each row, the mean over its quantiles."""
        labels, _ = numbers(self, judged)
        levels, said = self._meant(judged)
        with np.errstate(over="ignore", invalid="ignore"):
            errors = labels[:, None] - said
            return np.maximum(levels * errors, (levels - 1.0) * errors).mean(axis=1)

    def _meant(self, judged: Judged) -> tuple[Floats, Floats]:
        """Return levels of shape (k,) and quantiles of shape (n, k)."""
        levels = judged.target.levels
        if levels and self.level is None:
            return np.array(levels), quantiles(self, judged)
        if levels and self.level is not None:
            at = place(levels, self.level, "level", self.name)
            return np.array([self.level]), quantiles(self, judged)[:, [at]]
        if self.level is None:
            if len(judged) > 0:
                raise MetricNeedsColumn(self.name, "a level, or quantiles at the target's levels")
            return np.zeros(1), np.zeros((0, 1))
        return np.array([self.level]), judged.scored.outputs[:, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfInterval(OfMean):
    """What coverage and width share: an interval between two of the target's quantiles."""

    tasks = frozenset({"regression"})

    name: str
    low: float | None = None  # level of the lower end; None: the target's least
    high: float | None = None  # level of the upper end; None: the target's greatest

    def __post_init__(self) -> None:
        """Check the settings."""
        _check_name(self.name)
        for name, level in (("low", self.low), ("high", self.high)):
            if level is not None:
                share(name, level)
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise SettingInvalid("low", f"below high, {self.high}", self.low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage(_OfInterval):
    """The share of labels that lie in the predicted interval, ends included.

    Compare it with what was promised, high - low: quantiles at 0.05 and 0.95 should cover 90 %.
    Less is a broken promise, and counts as worse; more is no gain but a needless width, which
    `IntervalWidth` shows. The loss of a row is 1 where its label lies outside; stderr = s/√n.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.core.measuring import Window
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> ends = np.array([[1.0, 3.0], [1.0, 3.0]])
    >>> said = Scored(outputs=ends.mean(axis=1), scores=ends)
    >>> target = Target(task="regression", levels=(0.05, 0.95))
    >>> judged = Judged(target=target, labels=np.array([2.0, 9.0]), scored=said)
    >>> Coverage().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.5
    """

    name: str = "coverage"
    greater_is_better = True
    value_range = (0.0, 1.0)

    def values(self, judged: Judged, /) -> Floats:
        """Return 1 for a row whose label lies inside, else 0."""
        return 1.0 - self.losses(judged)

    def losses(self, judged: Judged, /) -> Floats:
        """Return 1 for a row whose label lies outside, else 0."""
        labels, low, high = _ends(self, judged)
        return ((labels < low) | (labels > high)).astype(np.float64)

    def bound(self, target: Target, /) -> float:
        """Return 1."""
        check_task(self, target)
        return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalWidth(_OfInterval):
    """The mean width of the predicted interval, in the unit of the label; no label is needed.

    width = mean(upper end - lower end), 0 where the ends have crossed; stderr = s/√n. Of two
    models with the same `Coverage` the one of less width says more.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.core.measuring import Window
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> ends = np.array([[1.0, 3.0], [1.0, 2.0]])
    >>> said = Scored(outputs=ends.mean(axis=1), scores=ends)
    >>> target = Target(task="regression", levels=(0.05, 0.95))
    >>> judged = Judged(target=target, labels=np.array([2.0, 9.0]), scored=said)
    >>> IntervalWidth().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    1.5
    """

    name: str = "interval_width"

    def losses(self, judged: Judged, /) -> Floats:
        """Return the width of each row's interval."""
        _, low, high = _ends(self, judged)
        with np.errstate(over="ignore"):
            return np.maximum(high - low, 0.0)


def _ends(metric: Coverage | IntervalWidth, judged: Judged) -> tuple[Floats, Floats, Floats]:
    """Return labels, lower and upper ends, each of shape (n,)."""
    labels, _ = numbers(metric, judged)
    levels = judged.target.levels
    if len(levels) <= 1:
        if len(judged) > 0:
            raise MetricNeedsColumn(metric.name, "quantiles at two of the target's levels")
        return labels, labels, labels
    low = 0 if metric.low is None else place(levels, metric.low, "low", metric.name)
    high = -1 if metric.high is None else place(levels, metric.high, "high", metric.name)
    said = quantiles(metric, judged)
    return labels, said[:, low], said[:, high]


def quantiles(metric: Metric, judged: Judged) -> Floats:
    """Return the predicted quantiles, one column for each level of the target, all finite."""
    said, width = judged.scored.scores, len(judged.target.levels)
    if said is None:
        if len(judged) > 0:
            raise MetricNeedsColumn(metric.name, "scores")
        return np.zeros((0, width))
    if said.shape[1] != width:
        rule = f"those of the {width} levels of the target"
        raise SettingInvalid("columns of the scores", rule, said.shape[1])
    refuse(~np.isfinite(said), "scores", "finite", said)
    return said


def place(levels: tuple[float, ...], level: float, setting: str, metric: str) -> int:
    """Return which of the target's levels is meant."""
    if level not in levels:
        name = f"{setting} of metric {metric!r}"
        raise SettingInvalid(name, f"one of the target's levels {levels}", level)
    return levels.index(level)


def _check_name(name: str) -> None:
    if not name:
        raise SettingInvalid("name", "a text that is not empty", name)
