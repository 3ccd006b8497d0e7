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
from ratoon.metrics import RMSE, by_name
from ratoon.metrics.protocol import Metric
from ratoon.windows.judged import Floats, Judged, Scored, Target

_USUAL = ("brier", "mae", "accuracy")  # judged by default, the first that was measured
_OF_SCORES = ("log_loss", "roc_auc")  # whoever measures these has probabilities
_CLIP = 5.0  # differences of unbounded losses are cut at so many times the champion's mean loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What has been seen of the difference so far."""

    metric: str  # the metric whose row losses are compared
    bound: float  # the largest difference of row losses; larger ones are cut
    better: Bet = Bet()  # that the challenger is good enough
    worse: Bet = Bet()  # that it is not
    effect: Bounds = Bounds()  # the mean difference, scaled to [-1, 1]


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
        _check(self.metric, self.alpha, self.patience, ("by", self.by))

    def init(self, baseline: Mapping[str, Measurement], target: Target, /) -> Evidence:
        """Return the state before any row."""
        return no_evidence(self.metric, baseline, target, self.by)

    def load(self, value: Any, /) -> Evidence:
        """Read the state from JSON."""
        return wire.from_json(Evidence, value)

    def step(
        self, state: Evidence, champion: Judged, challenger: Judged, /
    ) -> tuple[Evidence, Looked]:
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
        _check(self.metric, self.alpha, self.patience, ("margin", self.margin))

    def init(self, baseline: Mapping[str, Measurement], target: Target, /) -> Evidence:
        """Return the state before any row."""
        return no_evidence(self.metric, baseline, target, self.margin)

    def load(self, value: Any, /) -> Evidence:
        """Read the state from JSON."""
        return wire.from_json(Evidence, value)

    def step(
        self, state: Evidence, champion: Judged, challenger: Judged, /
    ) -> tuple[Evidence, Looked]:
        """Bet on the difference row by row."""
        return _look(self, state, (champion, challenger), self.margin)

    def __str__(self) -> str:
        """Write it as a person would."""
        return _written("NotWorse", self.metric, f"margin={self.margin:g}")


def no_evidence(
    metric: str | Metric | None,
    baseline: Mapping[str, Measurement],
    target: Target,
    margin: float = 0.0,
) -> Evidence:
    """Return the state before any row, for the given metric or the task's usual one.

    Raises `SettingInvalid` where no usual metric fits, where `margin` is no less than the largest
    row loss, and where losses have no bound and the champion's were not measured.
    """
    found = resolved(metric, baseline, target)
    bound = found.bound(target)
    if bound is None:
        return Evidence(metric=found.name, bound=max(_scale(found, baseline), 2 * margin))
    _check_margin(("margin", margin), found, bound)
    return Evidence(metric=found.name, bound=bound)


def resolved(
    metric: str | Metric | None, baseline: Mapping[str, Measurement], target: Target
) -> Metric:
    """Return the metric itself: the given one, or the task's usual mean of row losses."""
    if metric is None:
        measured = (name for name in _USUAL if name in baseline)
        metric = next(measured, None) or _usual(baseline, target)
    return by_name(metric) if isinstance(metric, str) else metric


def check_metric(metric: str | Metric | None) -> None:
    """Refuse a metric that is no mean of row losses."""
    found = _named(metric)
    if found is None:
        return
    if isinstance(found, RMSE) or found.losses(_no_rows(found)) is None:
        rule = "a mean of row losses, such as accuracy, brier, log_loss or mae"
        raise SettingInvalid("the gate's metric", rule, found.name)


def differences(metric: Metric, bound: float, champion: Judged, challenger: Judged) -> Floats:
    """Return the champion's row losses minus the challenger's, scaled and cut into [-1, 1]."""
    with np.errstate(over="ignore", invalid="ignore"):
        gains = _losses(metric, champion) - _losses(metric, challenger)
        return np.clip(np.nan_to_num(gains) / bound, -1.0, 1.0)


def _usual(baseline: Mapping[str, Measurement], target: Target) -> str:
    if target.task == "regression":
        return "mae"
    return "brier" if any(name in baseline for name in _OF_SCORES) else "accuracy"


def _scale(metric: Metric, baseline: Mapping[str, Measurement]) -> float:
    """Return where differences of losses without a bound are cut."""
    measured = baseline.get(metric.name)
    if measured is None and metric.name == "mae":
        measured = baseline.get("rmse")
    if measured is None:
        rule = "among the loop's metrics, as its row losses have no bound"
        raise SettingInvalid("the gate's metric", rule, metric.name)
    return _CLIP * abs(measured.value or 0.0) or 1.0


def _check(
    metric: str | Metric | None, alpha: float, patience: int, margin: tuple[str, float]
) -> None:
    share("alpha", alpha)
    whole("patience", patience, least=1)
    check_metric(metric)
    found = _named(metric)
    if found is not None:
        bounds = [found.bound(_target(task)) for task in found.tasks]
        _check_margin(margin, found, max(math.inf if b is None else b for b in bounds))


def _check_margin(margin: tuple[str, float], metric: Metric, bound: float) -> None:
    """Refuse a margin that no difference can exceed."""
    if margin[1] >= bound:
        rule = f"below {bound:g}, the largest loss of a row by {metric.name}"
        raise SettingInvalid(margin[0], rule, margin[1])


def _named(metric: str | Metric | None) -> Metric | None:
    return by_name(metric) if isinstance(metric, str) else metric


def _target(task: str) -> Target:
    return Target(task=task, classes=() if task == "regression" else (0, 1))


def _no_rows(metric: Metric) -> Judged:
    empty = np.zeros(0)
    return Judged(target=_target(min(metric.tasks)), labels=empty, scored=Scored(outputs=empty))


def _losses(metric: Metric, judged: Judged) -> Floats:
    losses = metric.losses(judged)
    if losses is None:
        raise SettingInvalid("the gate's metric", "a mean of row losses", metric.name)
    return losses


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
        effect=widen(state.effect, d, -scaled),
    )
    outcome: Outcome = "inconclusive"
    if passed == rows:
        outcome = "pass"
    elif failed == rows or after.better.n >= gate.patience:
        outcome = "fail"
    verdict = _verdict(gate, after, outcome, centre=-scaled, worse=failed == rows)
    return after, Looked(verdict=verdict, rows=rows)


def _verdict(
    gate: Better | NotWorse, state: Evidence, outcome: Outcome, *, centre: float, worse: bool
) -> Verdict:
    low, high = (state.bound * edge for edge in interval(state.effect, centre, gate.alpha))
    n = state.better.n
    effect = state.bound * state.effect.total / n if n else None
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
    seen = f"{metric} on {n} rows"
    if effect is not None:
        seen += f", champion minus challenger {effect:+.4g} [{low:+.4g}, {high:+.4g}]"
    match outcome:
        case "pass":
            return f"better: {seen}"
        case "inconclusive":
            return f"not enough evidence: {seen}; about {needed} more labels"
        case "fail":
            return f"{'not good enough' if worse else 'still undecided'}: {seen}"


def _written(name: str, metric: str | Metric | None, setting: str | None) -> str:
    shown = metric if isinstance(metric, str | None) else metric.name
    return f"{name}({', '.join(part for part in (shown, setting) if part)})"
