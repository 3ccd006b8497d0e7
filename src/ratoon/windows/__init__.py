"""Rows, labels, windows and snapshots: what is measured and trained on."""

from ratoon.windows.choices import Chosen, Everything, Last, SinceChange, TrainOn
from ratoon.windows.judged import Judged, Scored, Target
from ratoon.windows.rows import Rows
from ratoon.windows.snapshot import DatasetSnapshot

__all__ = [
    "Chosen",
    "DatasetSnapshot",
    "Everything",
    "Judged",
    "Last",
    "Rows",
    "Scored",
    "SinceChange",
    "Target",
    "TrainOn",
]
