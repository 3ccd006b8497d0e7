"""The Kolmogorov-Smirnov distance of rows, not of bins, where somebody asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ratoon.drift.significance import kolmogorov
from ratoon.windows.judged import Floats

_STEPS = (2048, 128, 8, 1)  # rows between those that are looked at, finer where it matters

Index: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactKS:
    """A Kolmogorov-Smirnov distance, and its p-value for many rows."""

    value: float  # largest difference of the distribution functions, in [0, 1]
    p_value: float  # two-sided
    rows: int  # of the reference that have a value
    now: int  # of the window


def exact_ks(sorted_reference: Floats, current: Floats) -> ExactKS | None:
    """Return the exact Kolmogorov-Smirnov distance of rows from a reference; None without values.

    It costs little more than sorting `current`. Of the rows in order every 2048th is looked at; as
    distribution functions never fall, that bounds their difference in between, and only where the
    bound is above the largest difference so far more rows are looked at: every 128th, 8th, all.

    Args:
        sorted_reference: values in ascending order, shape (m,); missing ones (NaN) last or left
            out, as `numpy.sort` leaves them. Sort it once, and keep it.
        current: of the window, in any order, shape (n,); missing ones are left out.

    >>> found = exact_ks(np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, np.nan, 5.0]))
    >>> found.value, found.now
    (0.5, 2)

    Source: Smirnov (1948), Annals of Mathematical Statistics 19, 279-281.
    """
    before, now = _present(sorted_reference), _present(np.sort(current))
    if not len(before) or not len(now):
        return None
    found = _distance(before, now)
    p_value = kolmogorov(found, len(before), len(now))
    return ExactKS(value=found, p_value=p_value, rows=len(before), now=len(now))


def _present(ordered: Floats) -> Floats:
    """Leave out the missing values, which stand last."""
    return ordered[: int(np.searchsorted(ordered, np.nan))]


def _distance(before: Floats, now: Floats) -> float:
    m, n, best = len(before), len(now), 0.0
    starts, stops = np.array([0]), np.array([n - 1])  # of the stretches that are still looked at
    for step in _STEPS:
        places = _within(starts, stops, step)
        left, right = _ranks(before, now[places])
        best = max(best, _largest(places, left, right, m, n))
        starts, stops = places[:, :-1], places[:, 1:]
        # Between two places F is at least as right at the first, at most as left at the second.
        above, below = stops / n - right[:, :-1] / m, left[:, 1:] / m - (starts + 1) / n
        near = (np.maximum(above, below) > best) & (stops - starts > 1)
        starts, stops = starts[near], stops[near]
        if not len(starts):
            break
    return best


def _within(starts: Index, stops: Index, step: int) -> Index:
    """Return a row for each stretch: its start, every place `step` further, its end."""
    longest = int((stops - starts).max())
    return (starts[:, None] + np.arange(0, longest + step, step)).clip(max=stops[:, None])


def _ranks(before: Floats, values: Floats) -> tuple[Index, Index]:
    """Return how many rows of the reference are below each value, and how many up to it."""
    return np.searchsorted(before, values), np.searchsorted(before, values, side="right")


def _largest(places: Index, left: Index, right: Index, m: int, n: int) -> float:
    """Return the largest difference just before and at some of the rows in order."""
    above, below = (places + 1) / n - right / m, left / m - places / n
    return float(max(above.max(), below.max(), 0.0))
