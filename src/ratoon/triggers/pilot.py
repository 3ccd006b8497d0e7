"""PILOT: a scorer of loss histories, learned on a prefix, that foretells that losses will rise."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from ratoon.core.errors import SettingInvalid
from ratoon.core.events import WORTH_IT
from ratoon.core.settings import finite, positive, whole
from ratoon.triggers.combine import Combines
from ratoon.triggers.protocol import QUIET, Fired, View
from ratoon.triggers.seen import fires, window_loss
from ratoon.windows.judged import Floats

_CHANNELS = 3  # the loss, its mean of late, its root mean square of late
_POOLED = 3 * _CHANNELS  # mean, maximum and last of each
_RISES = (-0.5, 2.0)  # within which a rise is clipped, in standard deviations of the loss
_HEAVIEST = 10.0  # weight of a rise where rises are few


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotScorer:
    """A linear score of the last losses: how much the loss is about to rise.

    Made by `Pilot.fitted`.
    """

    centre: tuple[float, ...]  # mean of each channel on the prefix
    scale: tuple[float, ...]  # its standard deviation
    weights: tuple[float, ...]  # of the pooled channels
    intercept: float
    history: int  # windows that are pooled
    recent: int  # windows of "of late"

    def __post_init__(self) -> None:
        """Check the lengths."""
        sizes = (len(self.centre), len(self.scale), len(self.weights))
        if sizes != (_CHANNELS, _CHANNELS, _POOLED):
            rule = f"of {_CHANNELS}, {_CHANNELS} and {_POOLED} numbers"
            raise SettingInvalid("centre, scale and weights", rule, sizes)
        whole("history", self.history, least=1)
        whole("recent", self.recent, least=1)

    @property
    def reach(self) -> int:
        """Losses that a score rests on."""
        return self.history + self.recent - 1

    def score(self, losses: tuple[float, ...]) -> float:
        """Return the score of the newest of these mean row losses, in order of time."""
        seen = channels(np.array(losses[-self.reach :]), self.recent)
        standard = (seen - np.array(self.centre)) / np.array(self.scale)
        return self.intercept + float(pooled(standard, self.history)[-1] @ np.array(self.weights))


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotState:
    """The last losses, the mean and spread of the scores so far, and when it last fired."""

    losses: tuple[float, ...] = ()
    scored: int = 0
    mean: float = 0.0
    squares: float = 0.0  # sum of squared distances from the mean (Welford 1962)
    rested: int | None = None  # windows since it last fired


@dataclass(frozen=True, slots=True)
class Pilot(Combines):
    """Fires when a learned score says that the loss is about to rise unusually.

    The state of a window is its mean row loss, and the mean and root mean square of the last
    `recent` losses, each standardised by the prefix; of the last `history` states mean, maximum and
    last are taken. A ridge regression on them, learned by `Pilot.fitted` on the losses of a frozen
    model, scores how much the mean loss of the next windows exceeds that of the last. Live, it
    fires when a score is more than `threshold` standard deviations above the mean of all
    scores before it, after `warm_up` windows, and `cooldown` windows after it last fired.

    Args:
        scorer: what was learned.
        threshold: in standard deviations of the scores.
        warm_up: scores that it must have seen.
        cooldown: windows for which it is silent after it has fired.

    Source: Kwak, Jung & Park, "PILOT", preprint 2026. There the states hold the residual with its
    sign as well, which a trigger does not see, the scorer is a neural network with a hidden layer
    of 64 and a Huber loss, and times are hours: 24 states, 48 ahead, 50 of warm-up, 100 of
    cooldown.

    >>> frozen = [0.1, 0.1, 0.12, 0.1, 0.11, 0.1, 0.2, 0.3, 0.4, 0.4, 0.38, 0.4, 0.41, 0.4]
    >>> print(Pilot.fitted(frozen, ahead=3))
    Pilot(threshold=1)
    """

    scorer: PilotScorer
    threshold: float = field(default=1.0, kw_only=True)
    warm_up: int = field(default=10, kw_only=True)
    cooldown: int = field(default=5, kw_only=True)

    def __post_init__(self) -> None:
        """Check the settings."""
        finite("threshold", self.threshold)
        whole("warm_up", self.warm_up, least=2)
        whole("cooldown", self.cooldown, least=0)

    @classmethod
    def fitted(
        cls,
        losses: ArrayLike,
        *,
        ahead: int = 4,
        history: int = 6,
        recent: int = 5,
        penalty: float = 1.0,
    ) -> Pilot:
        """Learn the scorer from the losses of one model that was never retrained.

        The target of a window is the mean loss of the next `ahead` windows less that of the last,
        in standard deviations of the loss, clipped to [-0.5, 2]. Windows before a rise weigh as
        much together as the others, at most ten times as much each.

        Args:
            losses: mean row loss on each window of a prefix, in order of time; of an array
                `losses[trained_at, window]` the first row.
            ahead: windows that the target looks ahead.
            history: states that are pooled.
            recent: windows of the mean and root mean square of late.
            penalty: of the ridge.

        Raises:
            SettingInvalid: the losses are not finite or too few, or a setting breaks its rule.
        """
        for name, value in {"ahead": ahead, "history": history, "recent": recent}.items():
            whole(name, value, least=1)
        positive("penalty", penalty)
        series = np.asarray(losses, dtype=float)
        if series.ndim != 1 or len(series) < 3 * ahead or not np.isfinite(series).all():
            rule = f"at least {3 * ahead} finite losses in one row"
            raise SettingInvalid("losses", rule, series.shape)
        return cls(_learned(series, ahead, history, recent, penalty))

    def init(self) -> PilotState:
        """Return the state before any window."""
        return PilotState()

    def fires(self, state: PilotState, view: View, /) -> tuple[PilotState, Fired]:
        """Score the newest window."""
        seen = window_loss(view.happened)
        if seen is None:
            return state, QUIET
        losses = (*state.losses, seen.mean)[-self.scorer.reach :]
        score = self.scorer.score(losses)
        unusual = _standardised(score, state)
        rested = state.rested is None or state.rested >= self.cooldown
        fired = state.scored >= self.warm_up and rested and unusual > self.threshold
        after = _scored(state, losses, score, fired=fired)
        if not fired:
            return after, QUIET
        reason = f"the loss is about to rise: its score is {unusual:.3g} deviations above the usual"
        evidence = {"score": score, "z": unusual, "threshold": self.threshold, "loss": seen.mean}
        return after, fires(self, view, WORTH_IT, reason, evidence)

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"Pilot(threshold={self.threshold:g})"


def _standardised(score: float, state: PilotState) -> float:
    """Return how far a score is above the mean of those before, in standard deviations."""
    if state.scored < 2 or state.squares <= 0:  # noqa: PLR2004 - a spread needs two
        return 0.0
    return (score - state.mean) / math.sqrt(state.squares / (state.scored - 1))


def _scored(
    state: PilotState, losses: tuple[float, ...], score: float, *, fired: bool
) -> PilotState:
    """Take in a score (Welford 1962)."""
    scored, off = state.scored + 1, score - state.mean
    mean = state.mean + off / scored
    waited = None if state.rested is None else state.rested + 1
    return PilotState(
        losses=losses,
        scored=scored,
        mean=mean,
        squares=state.squares + off * (score - mean),
        rested=0 if fired else waited,
    )


def channels(losses: Floats, recent: int) -> Floats:
    """Return the loss, and its mean and root mean square of late, at each window.

    >>> channels(np.array([3.0, 1.0, 2.0]), recent=2).round(2).tolist()
    [[3.0, 3.0, 3.0], [1.0, 2.0, 2.24], [2.0, 1.5, 1.58]]
    """
    spans = [losses[max(0, i + 1 - recent) : i + 1] for i in range(len(losses))]
    return np.array([[s[-1], s.mean(), math.sqrt((s**2).mean())] for s in spans])


def pooled(states: Floats, history: int) -> Floats:
    """Return mean, maximum and last of the last `history` states, at each window."""
    spans = [states[max(0, i + 1 - history) : i + 1] for i in range(len(states))]
    return np.array([np.concatenate([s.mean(axis=0), s.max(axis=0), s[-1]]) for s in spans])


def _learned(losses: Floats, ahead: int, history: int, recent: int, penalty: float) -> PilotScorer:
    seen = channels(losses, recent)
    centre, scale = seen.mean(axis=0), seen.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    features = pooled((seen - centre) / scale, history)
    at = np.arange(ahead - 1, len(losses) - ahead)
    sums = np.concatenate([[0.0], np.cumsum(losses)])
    rise = (sums[at + 1 + ahead] - 2 * sums[at + 1] + sums[at + 1 - ahead]) / ahead
    target = np.clip(rise / scale[0], *_RISES)
    weights, intercept = _ridge(features[at], target, _weights(target), penalty)
    return PilotScorer(
        centre=tuple(centre.tolist()),
        scale=tuple(scale.tolist()),
        weights=tuple(weights.tolist()),
        intercept=intercept,
        history=history,
        recent=recent,
    )


def _weights(target: Floats) -> Floats:
    """Let windows before a rise weigh as much together as the others."""
    rises = int((target > 0).sum())
    heavy = min(_HEAVIEST, max(1.0, (len(target) - rises) / max(1, rises)))
    return np.where(target > 0, heavy, 1.0)


def _ridge(
    features: Floats, target: Floats, weights: Floats, penalty: float
) -> tuple[Floats, float]:
    """Return the slopes and the intercept of a weighted ridge regression."""
    share = weights / weights.sum()
    middle, mean = share @ features, float(share @ target)
    off = features - middle
    gram: Floats = (off.T * weights) @ off + penalty * np.eye(features.shape[1])
    moved: Floats = (off.T * weights) @ (target - mean)
    slopes = np.asarray(np.linalg.solve(gram, moved), dtype=np.float64)
    return slopes, mean - float(middle @ slopes)
