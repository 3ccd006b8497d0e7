"""Slices: metrics by slice, and the slices where a model is significantly worse."""

from ratoon.metrics.slices.finding import SliceFinding, find_slices
from ratoon.metrics.slices.measuring import by_slice
from ratoon.metrics.slices.searching import Effort
from ratoon.metrics.slices.sliced import Sliced
from ratoon.metrics.slices.slicing import Condition, Slice

__all__ = [
    "Condition",
    "Effort",
    "Slice",
    "SliceFinding",
    "Sliced",
    "by_slice",
    "find_slices",
]
