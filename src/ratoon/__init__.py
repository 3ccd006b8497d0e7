"""Ratoon keeps deployed models accurate.

It watches a model's predictions and labels, notices what changed and since when, decides whether a
retraining is worth its cost, lets a challenger replace the champion only on evidence, and rolls
back by itself. Start with `Loop`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ratoon import (
        detectors,
        drift,
        estimates,
        gates,
        metrics,
        monitors,
        rollouts,
        stores,
        testing,
        triggers,
        windows,
    )
    from ratoon.core import errors
    from ratoon.engine import (
        History,
        Loop,
        Monitoring,
        Predictions,
        ReplayReport,
        monitor,
        replay,
        tune,
        tuning,
    )
    from ratoon.policies import Limits
    from ratoon.windows import DatasetSnapshot

__version__ = "0.1.0"

_DOORS = {
    "DatasetSnapshot": "ratoon.windows",
    "History": "ratoon.engine",
    "Limits": "ratoon.policies",
    "Loop": "ratoon.engine",
    "Monitoring": "ratoon.engine",
    "Predictions": "ratoon.engine",
    "ReplayReport": "ratoon.engine",
    "monitor": "ratoon.engine",
    "replay": "ratoon.engine",
    "tune": "ratoon.engine",
}
_ROOMS = {
    "detectors": "ratoon.detectors",
    "drift": "ratoon.drift",
    "estimates": "ratoon.estimates",
    "errors": "ratoon.core.errors",
    "gates": "ratoon.gates",
    "metrics": "ratoon.metrics",
    "monitors": "ratoon.monitors",
    "rollouts": "ratoon.rollouts",
    "stores": "ratoon.stores",
    "testing": "ratoon.testing",
    "triggers": "ratoon.triggers",
    "tuning": "ratoon.engine.tuning",
    "windows": "ratoon.windows",
}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for, so that `import ratoon` stays fast."""
    if name in _ROOMS:
        return importlib.import_module(_ROOMS[name])
    if name in _DOORS:
        return getattr(importlib.import_module(_DOORS[name]), name)
    raise AttributeError(f"module 'ratoon' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


__all__ = [
    "DatasetSnapshot",
    "History",
    "Limits",
    "Loop",
    "Monitoring",
    "Predictions",
    "ReplayReport",
    "__version__",
    "detectors",
    "drift",
    "errors",
    "estimates",
    "gates",
    "metrics",
    "monitor",
    "monitors",
    "replay",
    "rollouts",
    "stores",
    "testing",
    "triggers",
    "tune",
    "tuning",
    "windows",
]
