"""Streams and readings that the tests of detectors share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratoon.detectors import Scans


def alarms(detector: Scans[Any], values: Any) -> list[tuple[int, int | None]]:
    """Where a detector alarms, and since when."""
    _, found = detector.scan(detector.init(), values)
    return [(alarm.row, alarm.detection.change_row) for alarm in found]


def of_river(peer: Any, values: Any) -> list[int]:
    """Where a detector of river alarms."""
    found = []
    for i, value in enumerate(np.asarray(values).tolist()):
        peer.update(value)
        if peer.drift_detected:
            found.append(i)
    return found


def legacy(name: str) -> NDArray[np.float64]:
    """The streams that river tests itself on, by numpy's legacy generator."""
    generator = np.random.RandomState(12345)
    if name == "integers":
        parts = [generator.randint(2, size=1000), generator.randint(8, size=1000)]
    elif name == "errors":
        parts = [generator.binomial(1, 0.2, 1000), generator.binomial(1, 0.8, 1000)]
    else:
        parts = [generator.normal(mean, 0.1, 500) > 0 for mean in (0.0, 0.25, 0.0, 0.25)]
    return np.concatenate(parts).astype(float)


def stepwise(seed: int, size: int = 800) -> NDArray[np.float64]:
    """Errors at four rates, one after the other."""
    rates = np.repeat([0.2, 0.5, 0.1, 0.35], size)
    return (np.random.default_rng(seed).random(4 * size) < rates).astype(float)
