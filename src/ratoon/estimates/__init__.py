"""Performance without labels: what scores and features lead one to expect, and a check of it."""

from ratoon.estimates.adapted import PAPE, PAPEState
from ratoon.estimates.cbpe import CBPE, CBPEState
from ratoon.estimates.dle import DLE, DLEState
from ratoon.estimates.estimate import Check, Estimate
from ratoon.estimates.protocol import Estimator
from ratoon.estimates.regional import RegionalCBPE, RegionalCBPEState
from ratoon.estimates.trust import Track, Trust, TrustState
from ratoon.estimates.weighted import Weighted, WeightedState

__all__ = [
    "CBPE",
    "DLE",
    "PAPE",
    "CBPEState",
    "Check",
    "DLEState",
    "Estimate",
    "Estimator",
    "PAPEState",
    "RegionalCBPE",
    "RegionalCBPEState",
    "Track",
    "Trust",
    "TrustState",
    "Weighted",
    "WeightedState",
]
