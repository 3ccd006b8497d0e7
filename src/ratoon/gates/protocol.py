"""What a gate is given and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ratoon.core.measuring import Measurement
from ratoon.core.versions import Verdict
from ratoon.windows.judged import Judged, Target

S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a gate says after some rows: its verdict, and how many of the rows it took for that."""

    verdict: Verdict
    rows: int


class Gate(Protocol[S]):
    """What may be promoted: frozen settings and an explicit state of the evidence."""

    def init(self, baseline: Mapping[str, Measurement], target: Target, /) -> S:
        """Return the state before any row; `baseline` holds the champion's metrics."""
        ...

    def load(self, value: Any, /) -> S:
        """Read the state from the JSON that `ratoon.core.wire` made of it."""
        ...

    def step(self, state: S, champion: Judged, challenger: Judged, /) -> tuple[S, Looked]:
        """Look at rows that neither was trained on, scored by both; stop where it is decided."""
        ...
