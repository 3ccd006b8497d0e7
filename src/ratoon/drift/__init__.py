"""Drift: how far a window is from a reference, and whether that is more than chance."""

from ratoon.drift.change import Change
from ratoon.drift.columns import EFFECTS, ColumnTest
from ratoon.drift.distances import DISTANCES
from ratoon.drift.exact import ExactKS, exact_ks
from ratoon.drift.inflation import inflation_of

__all__ = ["DISTANCES", "EFFECTS", "Change", "ColumnTest", "ExactKS", "exact_ks", "inflation_of"]
