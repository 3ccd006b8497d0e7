"""The triggers that know nothing: what every policy has to beat."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ratoon.core.events import SCHEDULE
from ratoon.core.settings import share, whole
from ratoon.triggers.combine import Combines
from ratoon.triggers.draws import uniform
from ratoon.triggers.protocol import QUIET, Fired, LabelsClosed, View
from ratoon.triggers.seen import fires


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How many windows of labelled rows have been seen."""

    windows: int = 0


@dataclass(frozen=True, slots=True)
class Always(Combines):
    """Fires after each window of labelled rows: the most retrainings that a loop can make.

    Source: the baseline "always" of the literature, e.g. Gama et al., "A survey on concept drift
    adaptation", ACM Computing Surveys 46(4), 2014, section 3.2.1 ("blind" adaptation).

    >>> print(Always())
    Always()
    """

    def init(self) -> Counted:
        """Return the state before any window."""
        return Counted()

    def fires(self, state: Counted, view: View, /) -> tuple[Counted, Fired]:
        """Look whether a window is full."""
        if not isinstance(view.happened, LabelsClosed):
            return state, QUIET
        state = replace(state, windows=state.windows + 1)
        reason = f"window {state.windows} of labelled rows is full"
        return state, fires(self, view, SCHEDULE, reason, {"window": state.windows})

    def __str__(self) -> str:
        """Write it as a person would."""
        return "Always()"


@dataclass(frozen=True, slots=True)
class Random(Combines):
    """Fires after a window of labelled rows with a chance that is always the same.

    What is drawn follows from the seed and the number of the window, so that a replay draws what
    the live loop drew. A policy that retrains as often as this one and gains no more has chosen
    its moments no better than chance.

    Args:
        chance: of a retraining after a window, between 0 and 1.
        seed: of the draws.

    Source: the random schedule with as many retrainings, a baseline of Regol et al., "When to
    retrain a machine learning model", ICML 2025, arXiv 2505.14903.

    >>> print(Random(0.05, seed=7))
    Random(0.05, seed=7)
    """

    chance: float
    seed: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        """Check the settings."""
        share("chance", self.chance)
        whole("seed", self.seed, least=0)

    def init(self) -> Counted:
        """Return the state before any window."""
        return Counted()

    def fires(self, state: Counted, view: View, /) -> tuple[Counted, Fired]:
        """Draw, if a window is full."""
        if not isinstance(view.happened, LabelsClosed):
            return state, QUIET
        state = replace(state, windows=state.windows + 1)
        drawn = uniform(self.seed, state.windows)
        if drawn >= self.chance:
            return state, QUIET
        evidence = {"window": state.windows, "drawn": drawn, "chance": self.chance}
        reason = f"chance chose window {state.windows}"
        return state, fires(self, view, SCHEDULE, reason, evidence)

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"Random({self.chance:g}, seed={self.seed})"
