"""No gate, said aloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ratoon.core.measuring import Measurement
from ratoon.core.versions import Verdict
from ratoon.gates.protocol import Looked
from ratoon.windows.judged import Judged, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class NoEvidence:
    """The state of a gate that looks at nothing."""


@dataclass(frozen=True, slots=True)
class Untested:
    """Passes every challenger without a look: what a calendar does. For comparisons only."""

    def init(self, baseline: Mapping[str, Measurement], target: Target, /) -> NoEvidence:  # noqa: ARG002 - the protocol's
        """Return the empty state."""
        return NoEvidence()

    def load(self, value: Any, /) -> NoEvidence:  # noqa: ARG002 - the protocol's
        """Return the empty state."""
        return NoEvidence()

    def step(
        self,
        state: NoEvidence,
        champion: Judged,
        challenger: Judged,  # noqa: ARG002 - the protocol's
        /,
    ) -> tuple[NoEvidence, Looked]:
        """Pass."""
        verdict = Verdict(gate="Untested()", outcome="pass", reason="untested", metric="", n=0)
        return state, Looked(verdict=verdict, rows=len(champion))

    def __str__(self) -> str:
        """Write it as a person would."""
        return "Untested()"
