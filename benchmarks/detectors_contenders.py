"""The detectors that `benchmarks.detectors` compares, each with one threshold left open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from river import drift

from ratoon import detectors

Floats: TypeAlias = NDArray[np.float64]
Found: TypeAlias = list[tuple[int, int | None]]  # where it alarmed, and since when


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A detector with one threshold left open."""

    name: str
    of: str  # "ratoon" or "river"
    kind: str  # "errors" or "numbers": what it reads
    make: Callable[[float], Any]
    mild: float  # a threshold that alarms often
    strict: float  # one that alarms seldom


def alarms(detector: Any, values: Floats) -> Found:
    """Return where a detector alarms, ours or river's."""
    if isinstance(detector, detectors.Scans):
        _, found = detector.scan(detector.init(), values)
        return [(alarm.row, alarm.detection.change_row) for alarm in found]
    found = []
    for i, value in enumerate(values.tolist()):
        detector.update(value)
        if detector.drift_detected:
            found.append((i, None))
    return found


def fresh(detector: Any) -> Any:
    """Return a detector that has seen nothing; ours never has."""
    return detector if isinstance(detector, detectors.Scans) else detector.clone()


def contenders() -> list[Contender]:
    """Return all, river's behind the one of ours that it stands beside."""
    return [*_of_errors(), *_of_numbers()]


def _of_errors() -> list[Contender]:
    b, ours = drift.binary, detectors
    return [
        *_pair(
            ("DDM", "errors", 1.2, 6.0),
            lambda t: ours.DDM(drift_threshold=t, warning_threshold=t / 2),
            lambda t: b.DDM(drift_threshold=t, warning_threshold=t / 2),
        ),
        *_pair(
            ("EDDM", "errors", 0.97, 0.3),
            lambda t: ours.EDDM(alpha=(1 + t) / 2, beta=t),
            lambda t: b.EDDM(alpha=(1 + t) / 2, beta=t),
        ),
        *_pair(
            ("HDDM-A", "errors", -0.5, -9.0),
            lambda t: ours.HDDMA(drift_confidence=10**t, warning_confidence=0.5),
            lambda t: b.HDDMA(drift_confidence=10**t, warning_confidence=0.5),
        ),
        *_pair(
            ("HDDM-W", "errors", -0.5, -12.0),
            lambda t: ours.HDDMW(drift_confidence=10**t, warning_confidence=0.5),
            lambda t: b.HDDMW(drift_confidence=10**t, warning_confidence=0.5),
        ),
        *_pair(
            ("STEPD", "errors", -1.0, -9.0),
            lambda t: ours.STEPD(alpha_drift=10**t, alpha_warning=0.5),
        ),
        *_pair(
            ("e-SR, mean known", "errors", -0.5, -7.0),
            lambda t: ours.EDetector(mean=0.2, alpha=10**t),
        ),
        *_pair(
            ("ADWIN", "errors", -0.001, -8.0),
            lambda t: ours.Adwin(delta=10**t),
            lambda t: drift.ADWIN(delta=10**t),
        ),
    ]


def _of_numbers() -> list[Contender]:
    ours = detectors
    return [
        *_pair(
            ("Page-Hinkley", "numbers", 2.0, 80.0),
            lambda t: ours.PageHinkley(delta=0.2, threshold=t),
            lambda t: drift.PageHinkley(delta=0.2, threshold=t, mode="up"),
        ),
        *_pair(
            ("KSWIN", "numbers", -1.0, -9.0),
            lambda t: ours.KSWIN(alpha=10**t, window_size=200, stat_size=50),
            lambda t: drift.KSWIN(alpha=10**t, window_size=200, stat_size=50, seed=1),
        ),
        *_pair(
            ("ADWIN", "numbers", -0.001, -12.0),
            lambda t: ours.Adwin(delta=10**t),
            lambda t: drift.ADWIN(delta=10**t),
        ),
        *_pair(("CUSUM", "numbers", 2.0, 20.0), lambda t: ours.Cusum(threshold=t)),
    ]


def _pair(told: tuple[str, str, float, float], *makes: Callable[[float], Any]) -> list[Contender]:
    """Return ours, and river's where there is one."""
    name, kind, mild, strict = told
    return [
        Contender(name=name, of=of, kind=kind, make=make, mild=mild, strict=strict)
        for of, make in zip(("ratoon", "river"), makes, strict=False)
    ]
