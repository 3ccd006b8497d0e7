"""Schedules that know the future: what a policy without that knowledge is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratoon.core import settings
from ratoon.matrix.schedules import Deployment, Schedule, chunks_of, price
from ratoon.windows.judged import Floats

_TIE = 1e-12  # less than that is rounding, and no reason to train


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """A fixed schedule: the same window after every so many chunks."""

    period: int | None  # in chunks; None never retrains
    window: int  # its place in the windows of the matrix
    schedule: Schedule
    price: float  # with the cost of a fit that it is the best for


def periodic(count: int, period: int | None, window: int, *, delay: int = 0) -> Schedule:
    """Return the schedule that deploys a new model before every `period`-th chunk.

    Args:
        count: chunks of the history, at least 1.
        period: chunks from a deployment to the next, at least 1; None never retrains.
        window: its place in the windows of the matrix.
        delay: chunks whose labels are still out: a model that is deployed before chunk t knows the
            labels of the chunks before t - delay. While there are none, it stays with the first.

    >>> [(one.chunk, one.time) for one in periodic(10, 4, window=0, delay=1).deployments]
    [(0, 0), (4, 3), (8, 7)]
    """
    settings.whole("count", count, least=1)
    settings.whole("delay", delay, least=0)
    later: range | list[int] = []
    if period is not None:
        settings.whole("period", period, least=1)
        later = range(period, count, period)
    pairs = [(0, 0), *((chunk, chunk - delay) for chunk in later if chunk > delay)]
    return Schedule(deployments=tuple(Deployment(chunk=c, time=t, window=window) for c, t in pairs))


def best_fixed(means: Floats, fit_cost: float, *, delay: int = 0) -> Fixed:
    """Return the fixed period and window that cost least in hindsight; it may be never.

    All periods and windows are tried: with cumulative sums over the chunks, the loss of a model
    from one deployment to the next is one subtraction.

    Args:
        means: of each model on each chunk, (times, windows, chunks), as `Matrix.means` gives them.
        fit_cost: what a fit costs, at least 0, in the unit of the mean loss of one chunk.
        delay: chunks whose labels are still out, as in `periodic`.

    >>> means = np.array([[[4.0, 4.0, 4.0]], [[np.nan, 3.0, 3.0]], [[np.nan, np.nan, 1.0]]])
    >>> best = best_fixed(means, fit_cost=0.5)
    >>> best.period, best.price
    (1, 9.0)
    """
    count = chunks_of(means)
    settings.not_negative("fit_cost", fit_cost)
    settings.whole("delay", delay, least=0)
    starts, times, owners = _deployments(count, delay)
    ends = np.append(starts[1:], 0)
    ends[np.append(owners[1:] != owners[:-1], True)] = count
    sums = np.zeros((*means.shape[:2], count + 1))
    np.cumsum(np.nan_to_num(means), axis=2, out=sums[:, :, 1:])
    begins = np.flatnonzero(starts == 0)
    losses = np.add.reduceat(sums[times, :, ends] - sums[times, :, starts], begins)
    fits = np.bincount(owners) - 1
    row, window = np.unravel_index(np.argmin(losses + fit_cost * fits[:, None]), losses.shape)
    period = int(row) or None
    schedule = periodic(count, period, int(window), delay=delay)
    return Fixed(
        period=period,
        window=int(window),
        schedule=schedule,
        price=price(means, schedule, fit_cost),
    )


def _deployments(
    count: int, delay: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return chunk, time and period of all deployments of all periods; period 0 is never."""
    parts = [np.zeros(1, dtype=np.intp)]
    for period in range(1, count):
        later = np.arange(period, count, period)
        parts.append(np.concatenate(([0], later[later > delay])))
    starts = np.concatenate(parts)
    owners = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return starts, np.maximum(starts - delay, 0), owners


def oracle(means: Floats, fit_cost: float, *, delay: int = 0) -> Schedule:
    """Return the schedule that costs least, by dynamic programming over (time, window).

    Before each chunk t the model that serves stays, or one is trained on all labels that are in,
    of any window, and serves. With L the mean losses, d the delay and V_t(m) the least that chunks
    from t on cost when m served before::

        keep_t(m) = L_t(m) + V_{t+1}(m)
        V_t(m)    = min(keep_t(m), fit_cost + min over w of keep_t((t - d, w)))

    The first model may be of any window. A model that is held back, or deployed again later, is
    no move of the oracle; a policy that does so may cost less.

    Args:
        means: of each model on each chunk, (times, windows, chunks), as `Matrix.means` gives them.
        fit_cost: what a fit costs, at least 0, in the unit of the mean loss of one chunk.
        delay: chunks whose labels are still out, as in `periodic`.

    >>> means = np.array([[[4.0, 4.0, 4.0]], [[np.nan, 3.0, 3.0]], [[np.nan, np.nan, 1.0]]])
    >>> [one.time for one in oracle(means, fit_cost=1.5).deployments]
    [0, 2]

    Source: the oracle of Mahadevan & Mathioudakis, Cost-aware retraining for machine learning,
    Knowledge-Based Systems 293 (2024), arXiv:2310.04216; here with windows and delayed labels.
    """
    count = chunks_of(means)
    settings.not_negative("fit_cost", fit_cost)
    settings.whole("delay", delay, least=0)
    keep = np.where(np.isnan(means), np.inf, means).transpose(2, 0, 1).copy()
    moves: list[tuple[int, float]] = [(0, np.inf)] * count  # best new window, and its cost
    ahead = np.zeros(means.shape[:2])
    for chunk in range(count - 1, -1, -1):
        keep[chunk] += ahead
        newest = chunk - delay
        if newest >= 1:
            window = int(np.argmin(keep[chunk, newest]))
            moves[chunk] = (window, fit_cost + float(keep[chunk, newest, window]))
        ahead = np.minimum(keep[chunk], moves[chunk][1])
    return _followed(keep, moves, delay)


def _followed(keep: Floats, moves: list[tuple[int, float]], delay: int) -> Schedule:
    """Go through the chunks, and train where that costs less than to keep."""
    model = (0, int(np.argmin(keep[0, 0])))
    found = [Deployment(chunk=0, time=0, window=model[1])]
    for chunk, (window, cost) in enumerate(moves):
        if cost < keep[chunk][model] - _TIE:
            model = (chunk - delay, window)
            found.append(Deployment(chunk=chunk, time=model[0], window=window))
    return Schedule(deployments=tuple(found))


def split_oracle(halves: tuple[Floats, Floats], fit_cost: float, *, delay: int = 0) -> float:
    """Return what the oracle costs without its luck: chosen on some rows, priced on others.

    An oracle that chooses among hundreds of models on the rows that it is then judged by also
    profits from their noise, which nobody could foresee. So the schedule is chosen on a random half
    of the rows of each chunk and priced on the other half, both ways; their mean is returned.

    Args:
        halves: means on the two halves, as `Matrix.halves` gives them.
        fit_cost: what a fit costs, at least 0, in the unit of the mean loss of one chunk.
        delay: chunks whose labels are still out, as in `periodic`.

    >>> means = np.array([[[4.0, 4.0]], [[np.nan, 1.0]]])
    >>> split_oracle((means, means), fit_cost=1)
    6.0
    """
    left, right = halves
    there = price(right, oracle(left, fit_cost, delay=delay), fit_cost)
    back = price(left, oracle(right, fit_cost, delay=delay), fit_cost)
    return (there + back) / 2
