"""Gates by the paired difference of row losses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ratoon.core import wire
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Measurement
from ratoon.core.settings import not_negative, positive, share, whole
from ratoon.core.versions import Outcome, Verdict
from ratoon.gates.betting import Bet, Bounds, interval, labels_needed, play, widen
from ratoon.gates.protocol import Looked
from ratoon.metrics import by_name
from ratoon.metrics.protocol import Metric
from ratoon.windows.judged import Floats, Judged, Target

_USUAL = ("brier", "mae", "accuracy")  # judged by default, the first that was measured
_MEANS = ("accuracy", "brier", "log_loss", "mae")
_CLIP = 5.0  # an unbounded row loss is cut at so many times the champion's mean loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What has been seen of the difference so far."""

    metric: str  # the metric whose row losses are compared
    bound: float  # the largest row loss; larger ones are cut
    better: Bet = Bet()  # that the challenger is good enough
    worse: Bet = Bet()  # that it is not
    effect: Bounds = Bounds()  # the mean difference, scaled to [0, 1]


@dataclass(frozen=True, slots=True)
class Better:
    """Passes a challenger whose mean row loss is lower than the champion's by more than `by`.

    Both score the same labelled rows, which neither was trained on. With d the champion's loss
    minus the challenger's, two betting e-processes run: one against "E[d] is at most `by`", one
    against "E[d] is at least `by`". The first to reach 1 / alpha decides; the error rate holds
    however often one looks. After `patience` rows without either the champion stays.

    Args:
        metric: a metric that is a mean of row losses; by default the Brier score for classes
            with probabilities, the error rate for classes without, the absolute error for numbers.
        by: least improvement, in the metric's unit.
        alpha: chance of passing a challenger that is not better by that much.
        patience: paired labelled rows after which the champion stays.
    """

    metric: str | Metric | None = None
    by: float = field(default=0.0, kw_only=True)
    alpha: float = field(default=0.05, kw_only=True)
    patience: int = field(default=2000, kw_only=True)

    def __post_init__(self) -> None:
        """Check the settings."""
        not_negative("by", self.by)
        _check(self.metric, self.alpha, self.patience)

    def init(self, baseline: Mapping[str, Measurement], target: Target, /) -> Evidence:
        """Return the state before any row."""
        return no_evidence(self.metric, baseline, target)

    def load(self, value: Any, /) -> Evidence:
        """Read the state from JSON."""
        return wire.from_json(Evidence, value)

    def step(self, state: Evidence, champion: Judged, challenger: Judged, /) -> tuple[Evidence, Looked]:
        """Bet on the difference row by row."""
        return _look(self, state, (champion, challenger), -self.by)

    def __str__(self) -> str:
        """Write it as a person would."""
        return _written("Better", self.metric, f"by={self.by:g}" if self.by else None)


@dataclass(frozen=True, slots=True)
class NotWorse:
    """Passes a challenger whose mean row loss is above the champion's by less than `margin`.

    The non-inferiority form of `Better`, for a refresh that need not be an improvement.

    Args:
        metric: as for `Better`.
        margin: the loss that one is willing to take, in the metric's unit; above 0.
        alpha: chance of passing a challenger that is worse by more than the margin.
        patience: paired labelled rows after which the champion stays.
    """

    metric: str | Metric | None = None
    margin: float = field(kw_only=True)
    alpha: float = field(default=0.05, kw_only=True)
    patience: int = field(default=2000, kw_only=True)

    def __post_init__(self) -> None:
        """Check the settings."""
        positive("margin", self.margin)
        _check(self.metric, self.alpha, self.patience)

    def init(self, baseline: Mapping[str, Measurement], target: Target, /) -> Evidence:
        """Return the state before any row."""
        return no_evidence(self.metric, baseline, target)

    def load(self, value: Any, /) -> Evidence:
        """Read the state from JSON."""
        return wire.from_json(Evidence, value)

    def step(self, state: Evidence, champion: Judged, challenger: Judged, /) -> tuple[Evidence, Looked]:
        """Bet on the difference row by row."""
        return _look(self, state, (champion, challenger), self.margin)

    def __str__(self) -> str:
        """Write it as a person would."""
        return _written("NotWorse", self.metric, f"margin={self.margin:g}")


def no_evidence(
    metric: str | Metric | None, baseline: Mapping[str, Measurement], target: Target
) -> Evidence:
    """Return the state before any row, for the given metric or the task's usual one."""
    found = resolved(metric, baseline)
    bound = found.bound(target)
    if bound is None:
        measured = baseline.get(found.name)
        mean = measured.value if measured is not None else None
        bound = _CLIP * mean if mean else 1.0
    return Evidence(metric=found.name, bound=bound)


def resolved(metric: str | Metric | None, baseline: Mapping[str, Measurement]) -> Metric:
    """Return the metric itself: the given one, or the task's usual mean of row losses."""
    if metric is None:
        metric = next((name for name in _USUAL if name in baseline), None)
    if metric is None:
        rule = "named, as none of " + ", ".join(_USUAL) + " was measured on the champion"
        raise SettingInvalid("the gate's metric", rule, None)
    return by_name(metric) if isinstance(metric, str) else metric


def differences(
    metric: Metric, bound: float, champion: Judged, challenger: Judged
) -> Floats:
    """Return the champion's row losses minus the challenger's, scaled into [-1, 1]."""
    return (_cut(metric, champion, bound) - _cut(metric, challenger, bound)) / bound


def _check(metric: str | Metric | None, alpha: float, patience: int) -> None:
    share("alpha", alpha)
    whole("patience", patience, least=1)
    if isinstance(metric, str) and metric not in _MEANS:
        rule = "a mean of row losses: " + ", ".join(_MEANS)
        raise SettingInvalid("the gate's metric", rule, metric)


def _cut(metric: Metric, judged: Judged, bound: float) -> Floats:
    losses = metric.losses(judged)
    if losses is None:
        raise SettingInvalid("the gate's metric", "a mean of row losses", metric.name)
    return np.minimum(losses, bound)


def _look(
    gate: Better | NotWorse, state: Evidence, pair: tuple[Judged, Judged], margin: float
) -> tuple[Evidence, Looked]:
    """Play both e-processes up to the first that is decided, or to the gate's patience."""
    metric = by_name(state.metric) if isinstance(gate.metric, str | None) else gate.metric
    scaled = margin / state.bound
    left = gate.patience - state.better.n
    d = differences(metric, state.bound, *pair)[:left]
    passed = play(state.better, d + scaled, 1 - scaled, gate.alpha)[1]
    failed = play(state.worse, -d - scaled, 1 + scaled, gate.alpha)[1]
    rows = min(passed or len(d), failed or len(d))
    d = d[:rows]
    after = Evidence(
        metric=state.metric,
        bound=state.bound,
        better=play(state.better, d + scaled, 1 - scaled, gate.alpha)[0],
        worse=play(state.worse, -d - scaled, 1 + scaled, gate.alpha)[0],
        effect=widen(state.effect, (d + 1) / 2, gate.alpha),
    )
    outcome: Outcome = "inconclusive"
    if passed == rows:
        outcome = "pass"
    elif failed == rows or after.better.n >= gate.patience:
        outcome = "fail"
    verdict = _verdict(gate, after, outcome, worse=failed == rows)
    return after, Looked(verdict=verdict, rows=rows)


def _verdict(gate: Better | NotWorse, state: Evidence, outcome: Outcome, *, worse: bool) -> Verdict:
    low, high = (state.bound * (2 * edge - 1) for edge in interval(state.effect, gate.alpha))
    n = state.better.n
    effect = state.bound * (2 * state.effect.total / n - 1) if n else None
    needed = None
    if outcome == "inconclusive":
        needed = min(labels_needed(state.better, gate.alpha) or gate.patience, gate.patience - n)
    return Verdict(
        gate=str(gate),
        outcome=outcome,
        reason=_reason(state.metric, outcome, (effect, low, high, n, needed), worse=worse),
        metric=state.metric,
        n=n,
        effect=effect,
        low=low,
        high=high,
        evidence=math.exp(min(state.better.log_capital, 700.0)),
        needed=needed,
    )


def _reason(
    metric: str,
    outcome: Outcome,
    numbers: tuple[float | None, float, float, int, int | None],
    *,
    worse: bool,
) -> str:
    effect, low, high, n, needed = numbers
    seen = f"on {n} rows" if effect is None else f"by {effect:+.4g} [{low:+.4g}, {high:+.4g}] on {n} rows"
    match outcome:
        case "pass":
            return f"{metric} loss lower {seen}"
        case "inconclusive":
            return f"not enough evidence: {metric} loss lower {seen}; about {needed} more labels"
        case "fail":
            why = "not good enough" if worse else "still undecided"
            return f"{metric} {why}: loss lower {seen}"


def _written(name: str, metric: str | Metric | None, setting: str | None) -> str:
    shown = metric if isinstance(metric, str | None) else metric.name
    return f"{name}({', '.join(part for part in (shown, setting) if part)})"
