"""Searching for a policy on history: what to try, and how the best fares on unseen history."""

from ratoon.engine.tuning.results import Beside, Figures, Tried, TuningReport
from ratoon.engine.tuning.space import Family, Number, OneOf, Whole
from ratoon.engine.tuning.tuning import tune
from ratoon.engine.tuning.usual import usual_space

__all__ = [
    "Beside",
    "Family",
    "Figures",
    "Number",
    "OneOf",
    "Tried",
    "TuningReport",
    "Whole",
    "tune",
    "usual_space",
]
