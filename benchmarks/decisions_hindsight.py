"""What a policy is judged by: schedules that know the future, and forecasts without a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.decisions_running import Bed, loss_and_fits
from benchmarks.decisions_streams import Array, Stream
from ratoon.matrix import best_fixed, oracle, periodic, price

_LEAST = 1e-6  # probability, for the logarithm


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hindsight:
    """By delay and cost: sums of the chunks' mean losses, fits, and both as one price."""

    oracle: Array  # price of the split oracle
    oracle_loss: Array
    oracle_fits: Array
    fixed: Array  # price of the best fixed schedule
    fixed_loss: Array
    fixed_fits: Array
    period: Array  # of that, in chunks; 0 is never
    window: Array  # of that, its place
    never: Array  # price of the first model of all rows, which is its loss


def unit_of(means: Array) -> float:
    """Return the loss that a cost of 1 stands for: a usual chunk's mean loss.

    It is halfway between that of a model that is never retrained and that of one that is retrained
    before every chunk, both on all rows and without delay.
    """
    count = means.shape[2]
    always = periodic(count, 1, means.shape[1] - 1)
    never = periodic(count, None, means.shape[1] - 1)
    return (price(means, always, 0.0) + price(means, never, 0.0)) / (2 * count)


def hindsight(
    bed: Bed, unit: float, delays: tuple[int, ...], costs: tuple[float, ...]
) -> Hindsight:
    """Return the split oracle and the best fixed schedule of each delay and cost.

    The split oracle chooses its schedule on a random half of the rows of each chunk and is priced
    on the other half, both ways; the figures are means of the two.
    """
    left, right = bed.matrix.halves(seed=0)
    shape = (len(delays), len(costs))
    names = ("oracle", "oracle_loss", "oracle_fits", "fixed", "fixed_loss", "fixed_fits")
    found = {name: np.zeros(shape) for name in (*names, "period", "window", "never")}
    found["never"][:] = bed.means[0, -1].sum()
    for j, delay in enumerate(delays):
        for k, cost in enumerate(costs):
            fit = cost * unit
            best = best_fixed(bed.means, fit, delay=delay)
            loss, fits = loss_and_fits(bed, best.schedule)
            found["fixed"][j, k], found["fixed_loss"][j, k] = best.price, loss
            found["fixed_fits"][j, k] = fits
            found["period"][j, k], found["window"][j, k] = best.period or 0, best.window
            chosen = [(oracle(a, fit, delay=delay), b) for a, b in ((left, right), (right, left))]
            fits = float(np.mean([schedule.fits for schedule, _ in chosen]))
            loss = float(np.mean([price(half, schedule, 0.0) for schedule, half in chosen]))
            found["oracle_loss"][j, k], found["oracle_fits"][j, k] = loss, fits
            found["oracle"][j, k] = loss + fit * fits
    return Hindsight(**found)


def plain(stream: Stream) -> Mapping[str, float]:
    """Return the mean loss of forecasts without a model, on the rows behind the first ones.

    `no change` repeats the label of the row before; `constant` says the commonest class, or the
    median, of the first rows. Where the loss is logarithmic they say a probability: how often a
    class follows itself or another in the first rows, and how often it is there.
    """
    first, y = stream.chunks.first, stream.y
    before, now, known = y[first - 1 : -1], y[first:], y[:first]
    if stream.loss == "absolute":
        losses = np.abs(now - before), np.abs(now - np.median(known))
        return _named(losses, stream.unit)
    values, counts = np.unique(known, return_counts=True)
    if stream.loss == "error":
        return _named((now != before, now != values[np.argmax(counts)]), 1.0)
    shares = {value: count / len(known) for value, count in zip(values, counts, strict=True)}
    classes = np.unique(y)
    follows = {
        (a, b): (np.sum((known[:-1] == a) & (known[1:] == b)) + 1)
        / (np.sum(known[:-1] == a) + len(classes))
        for a in classes
        for b in classes
    }
    pairs = zip(before, now, strict=True)
    likely = np.array([follows[pair] for pair in pairs]), [shares.get(v, 0.0) for v in now]
    return _named([-np.log(np.clip(p, _LEAST, 1.0)) for p in likely], 1.0)


def _named(losses: tuple[Array, Array] | list[Array], unit: float) -> Mapping[str, float]:
    no_change, constant = (float(np.mean(part)) / unit for part in losses)
    return {"no change": no_change, "constant": constant}
