"""Simulated streams for `benchmarks.detectors`: noise of a known kind, with known changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Floats: TypeAlias = NDArray[np.float64]
Level: TypeAlias = Callable[[int], Floats]  # how far the change has gone, 0 to 1, of n values

CHANGE = 1_000  # the first value after the change


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of the mean."""

    size: float  # of errors, of their rate; of numbers, in standard deviations
    shape: str  # a key of SHAPES


def _at_once(n: int) -> Floats:
    return (np.arange(n) >= CHANGE).astype(float)


def _slowly(n: int) -> Floats:
    return np.clip((np.arange(n) - CHANGE) / 500.0, 0.0, 1.0)


def _and_back(n: int) -> Floats:
    return ((np.arange(n) >= CHANGE) & (np.arange(n) < CHANGE + 300)).astype(float)


SHAPES: Mapping[str, Level] = MappingProxyType(
    {"abrupt": _at_once, "gradual": _slowly, "back": _and_back}
)


def errors(rng: np.random.Generator, rate: float, n: int, change: Change | None = None) -> Floats:
    """Return n errors, 0 or 1, of a rate that changes or not."""
    return (rng.random(n) < rate + _lift(change, n)).astype(float)


def numbers(rng: np.random.Generator, kind: str, n: int, change: Change | None = None) -> Floats:
    """Return n values of mean 0 and deviation 1: normal, heavy (tails), correlated (by 0.3)."""
    if kind == "heavy":
        noise = rng.standard_t(5, size=n) / np.sqrt(5.0 / 3.0)
    elif kind == "correlated":
        noise = lfilter([np.sqrt(1.0 - 0.3**2)], [1.0, -0.3], rng.normal(size=n))
    else:
        noise = rng.normal(size=n)
    return np.asarray(noise) + _lift(change, n)


def _lift(change: Change | None, n: int) -> Floats:
    return np.zeros(n) if change is None else change.size * SHAPES[change.shape](n)
