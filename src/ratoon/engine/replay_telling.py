"""What a replay found, as plain values for its page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from ratoon.core.measuring import Measurement
from ratoon.core.times import from_micros
from ratoon.engine.outcomes import Outcome
from ratoon.engine.recommending import Recommendation
from ratoon.report import Line, PolicyReplayed, PriceReplayed, Replayed, RivalReplayed, Story
from ratoon.windows.judged import Floats
from ratoon.windows.rows import Array

if TYPE_CHECKING:
    from ratoon.engine.comparison import ReplayReport

_POINTS = 300  # of the line of costs


def replayed(report: ReplayReport) -> Replayed:
    """Return what the page on a replay shows."""
    first, found = report.rows[0], report.recommendation
    best = None if found is None else report[found.best]
    times = np.maximum.accumulate(first.times) if len(first.times) else first.times
    return Replayed(
        history=report.history,
        rows=len(first.losses),
        start=_moment(first.times.min()) if len(first.times) else None,
        end=_moment(first.times.max()) if len(first.times) else None,
        price=report.retrain_cost,
        loss_metric=first.loss_metric if report.comparable else None,
        training_takes=report.training_takes,
        policies=tuple(
            _policy(row, report.regret[row.name], _behind(row, best, times, report.retrain_cost))
            for row in report.rows
        ),
        best=None if found is None else found.best,
        advice=report.advice(),
        rivals=() if found is None else _rivals(found),
        how="" if found is None else _how(found),
        frontier=report.frontier,
        prices=tuple(
            PriceReplayed(name=one.name, low=one.low, high=one.high) for one in report.cheapest
        ),
    )


def _policy(row: Outcome, regret: float, behind: Line) -> PolicyReplayed:
    story = Story(
        title=row.name,
        about=row.told,
        loop=row.name,
        metric=row.metric,
        greater_is_better=row.greater_is_better,
        measurements=_served(row.served),
        events=row.events,
        decisions=row.decisions,
        runs=row.runs,
        versions=row.versions,
        champion=row.champion,
    )
    return PolicyReplayed(
        name=row.name,
        told=row.told,
        total_loss=row.total_loss,
        retrainings=row.retrainings,
        fits=row.fits,
        refused=row.refused,
        failed=row.failed,
        rollbacks=row.rollbacks,
        cost=row.cost,
        regret=regret,
        losses=tuple(row.loss.items()),
        story=story,
        behind=behind,
    )


def _served(served: Sequence[Measurement]) -> tuple[Measurement, ...]:
    return tuple(m for m in served if m.value is not None)


def _behind(row: Outcome, best: Outcome | None, times: Array, price: float) -> Line:
    """Return what a policy has cost so far above the cheapest one, at some rows."""
    if best is None or not len(row.losses):
        return Line(name=row.name, times=(), values=())
    gone = _so_far(row, price) - _so_far(best, price)
    places = np.unique(np.linspace(0, len(gone) - 1, _POINTS).astype(np.int64))
    return Line(
        name=row.name,
        times=tuple(_moment(times[place]) for place in places),
        values=tuple(float(gone[place]) for place in places),
    )


def _so_far(row: Outcome, price: float) -> Floats:
    spent = row.losses.copy()
    for place, fits in row.paid.items():
        spent[min(max(place, 0), len(spent) - 1)] += fits * price
    return np.cumsum(spent)


def _rivals(found: Recommendation) -> tuple[RivalReplayed, ...]:
    return tuple(
        RivalReplayed(
            name=one.name,
            difference=one.difference,
            low=one.low,
            high=one.high,
            distinguishable=one.distinguishable,
        )
        for one in found.rivals
    )


def _how(found: Recommendation) -> str:
    if not found.rivals or found.unknown is not None:
        return ""
    return (
        f"Paired moving-block bootstrap: {found.stretches:,} stretches of {found.rows:,} labelled "
        f"rows, drawn {found.draws:,} times in blocks of {found.block:,}, the same for all "
        f"policies (seed {found.seed}). The block length follows from the autocorrelation of the "
        "differences (Politis and White 2004). What each policy did is taken as it was; chance in "
        "the training is not in the intervals."
    )


def _moment(value: Any) -> datetime:
    return from_micros(int(value.astype("datetime64[us]").astype(np.int64)))
