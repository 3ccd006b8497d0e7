"""What was found of one column: in what respect it differs, how much, and how surely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ratoon.core.measuring import Measurement

Aspect = Literal[
    "distribution",
    "missing",
    "new categories",
    "range",
    "correlation",
    "joint distribution",
    "mean vector",
    "reconstruction",
    "separability",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One respect in which a column may differ from the reference.

    It is a drift where the effect is large enough to matter *and* more than chance, with the chance
    controlled over all columns and respects of the window. A large sample makes any difference
    certain, and a small one makes any difference large: neither alone is a reason to act.
    """

    aspect: Aspect
    measurement: Measurement  # the distance or share, its standard error; the subject is the column
    before: float | None  # the share in the reference, where it is about a share
    effect: float  # what of the value is more than chance gives
    least: float  # effect from which it matters
    p_value: float  # of this test alone
    adjusted: float  # p-value adjusted for all tests of this window
    rate: float  # adjusted p-value up to which it is more than chance

    @property
    def column(self) -> str:
        """The column that it is about."""
        return self.measurement.subject or ""

    @property
    def drifted(self) -> bool:
        """Whether it matters, and is more than chance."""
        return self.effect >= self.least and self.adjusted <= self.rate

    @property
    def strength(self) -> float:
        """The effect in units of the least that matters."""
        return self.effect / self.least
