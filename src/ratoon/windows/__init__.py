"""Rows, labels, windows and snapshots: what is measured and trained on."""

from ratoon.windows.arrived import DelayChange, Matched, Maturity
from ratoon.windows.choices import (
    AgeWeighted,
    By,
    Chosen,
    Everything,
    Last,
    SinceChange,
    TrainableRows,
    TrainOn,
)
from ratoon.windows.judged import Judged, Scored, Target
from ratoon.windows.pins import Pin
from ratoon.windows.rows import Rows
from ratoon.windows.snapshot import DatasetSnapshot

__all__ = [
    "AgeWeighted",
    "By",
    "Chosen",
    "DatasetSnapshot",
    "DelayChange",
    "Everything",
    "Judged",
    "Last",
    "Matched",
    "Maturity",
    "Pin",
    "Rows",
    "Scored",
    "SinceChange",
    "Target",
    "TrainOn",
    "TrainableRows",
]
