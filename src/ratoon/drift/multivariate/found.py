"""What a test of several columns together has found."""

from __future__ import annotations

from dataclasses import dataclass

from ratoon.drift.change import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one column has to do with a change of several columns together."""

    column: str
    value: float  # how much of the measurement is lost without it, or comes of it
    stderr: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """A change of several columns together, and the columns that it comes of."""

    change: Change
    columns: tuple[Part, ...] = ()  # the strongest first; none unless it is a drift

    @property
    def drifted(self) -> bool:
        """Whether it matters, and is more than chance."""
        return self.change.drifted


@dataclass(frozen=True, slots=True, kw_only=True)
class PairChange:
    """A change of what two columns have to do with each other."""

    change: Change
    columns: tuple[str, str]

    @property
    def drifted(self) -> bool:
        """Whether it matters, and is more than chance."""
        return self.change.drifted
