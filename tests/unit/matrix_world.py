"""A history and a learner for tests of the replay matrix, and naive ways to do what it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratoon.matrix import Chunks, Deployment, Schedule

CHUNKS = Chunks(rows=47, first=9, count=7)
WINDOWS = (1, 3, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanBench:
    """Numbers that drift; a model is the mean of those that it was trained on."""

    seed: int = 0
    fails_at: tuple[int, ...] = ()  # rows before which no model can be trained

    @property
    def fingerprint(self) -> str:
        """Name the numbers."""
        return f"numbers of seed {self.seed}"

    def values(self) -> NDArray[np.float64]:
        """Return the numbers."""
        return np.random.default_rng(self.seed).normal(size=CHUNKS.rows).cumsum()

    def fit(self, start: int, stop: int) -> float:
        """Return the mean."""
        if stop in self.fails_at:
            raise ArithmeticError(f"nothing ends at {stop}")
        return float(self.values()[start:stop].mean())

    def losses(self, model: Any, start: int, stop: int) -> NDArray[np.float64]:
        """Return absolute errors."""
        return np.abs(self.values()[start:stop] - model)


def drawn_means(seed: int, count: int, windows: int, *, ties: bool = False) -> NDArray[np.float64]:
    """Return mean losses by chance; with ties they are 0, 1 or 2."""
    rng = np.random.default_rng(seed)
    shape = (count, windows, count)
    means = rng.integers(0, 3, size=shape).astype(float) if ties else rng.random(shape)
    for time in range(count):
        means[time, :, :time] = np.nan
    return means


def naive_price(means: NDArray[np.float64], schedule: Schedule, fit_cost: float) -> float:
    """Go through the chunks one by one."""
    total, known = 0.0, set[tuple[int, int]]()
    for chunk in range(means.shape[2]):
        one = [d for d in schedule.deployments if d.chunk <= chunk][-1]
        total += means[one.time, one.window, chunk]
        known.add((one.time, one.window))
    return total + fit_cost * (len(known) - 1)


def every_schedule(count: int, windows: int, delay: int) -> Iterator[Schedule]:
    """Yield every schedule that keeps, or deploys the newest model that there can be."""
    moves = [[None, *range(windows)] if chunk - delay >= 1 else [None] for chunk in range(1, count)]
    for first, *later in product(range(windows), *moves):
        found = [Deployment(chunk=0, time=0, window=first)]
        found += [
            Deployment(chunk=chunk, time=chunk - delay, window=window)
            for chunk, window in enumerate(later, start=1)
            if window is not None
        ]
        yield Schedule(deployments=tuple(found))


def naive_fixed(means: NDArray[np.float64], fit_cost: float, delay: int) -> float:
    """Return the least price of a fixed schedule, by a loop over all of them."""
    count, windows, _ = means.shape
    prices: list[float] = []
    for period, window in product([*range(1, count), None], range(windows)):
        found = [Deployment(chunk=0, time=0, window=window)]
        found += [
            Deployment(chunk=chunk, time=chunk - delay, window=window)
            for chunk in range(1, count)
            if period is not None and chunk % period == 0 and chunk - delay >= 1
        ]
        prices.append(naive_price(means, Schedule(deployments=tuple(found)), fit_cost))
    return min(prices)
