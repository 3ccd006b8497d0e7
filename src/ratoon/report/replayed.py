"""What the page on a replay tells: plain values, gathered by whoever asks for the page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ratoon.report.story import Line, Story


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyReplayed:
    """What one policy did on the history."""

    name: str
    told: str  # when it retrains, as it is written
    total_loss: float  # summed row losses
    retrainings: int
    fits: int
    refused: int
    failed: int
    rollbacks: int
    cost: float
    regret: float  # its cost above that of the cheapest one replayed
    losses: tuple[tuple[str, float], ...]  # metrics on all rows
    story: Story  # its measurements as served, its events, decisions, runs and versions
    behind: Line  # what it has cost so far above the cheapest one, over time


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalReplayed:
    """A policy beside the cheapest one."""

    name: str
    difference: float
    low: float | None
    high: float | None
    distinguishable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceReplayed:
    """The prices of a fit at which one policy costs least."""

    name: str
    low: float
    high: float | None  # None: however dear a fit is


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """All that the page on a replay shows.

    Args:
        history: its name.
        rows: labelled rows that were predicted.
        start: the first event time of them; None where there are none.
        end: the last.
        price: what a fit costs, in the unit of the summed row losses.
        loss_metric: the metric of the row losses; None where costs do not compare.
        training_takes: virtual time from a run's begin to its challenger.
        policies: in the order in which they were asked for.
        best: the cheapest; None where costs do not compare.
        advice: the recommendation in words.
        rivals: all others beside the best, the cheapest first.
        how: how sure that is, and how it was found out, in words.
        frontier: the policies that no other beats in loss or fits without losing in the other.
        prices: which policy costs least at which price of a fit.
    """

    history: str
    rows: int
    start: datetime | None
    end: datetime | None
    price: float
    loss_metric: str | None
    training_takes: timedelta
    policies: tuple[PolicyReplayed, ...]
    best: str | None
    advice: str
    rivals: tuple[RivalReplayed, ...]
    how: str
    frontier: tuple[str, ...]
    prices: tuple[PriceReplayed, ...]
