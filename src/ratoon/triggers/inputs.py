"""The trigger on the distribution of the inputs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from ratoon.core.deciding import Firing
from ratoon.core.errors import SettingInvalid
from ratoon.core.events import DATA_DRIFT
from ratoon.core.settings import share, whole
from ratoon.metrics.shift import Shift, discoveries
from ratoon.triggers.combine import Combines
from ratoon.triggers.protocol import QUIET, Fired, InputsClosed, Promoted, View

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDriftState:
    """How many windows in a row have drifted, since when, and whether it may fire."""

    drifted: int = 0
    since: datetime | None = None
    armed: bool = True


@dataclass(frozen=True, slots=True)
class DataDrift(Combines):
    """Data drift: features are distributed otherwise than in the champion's training data.

    Effect and significance are two things: a feature has drifted where its Jensen-Shannon
    distance is at least `effect` *and* the test of homogeneity is significant at a false
    discovery rate of `alpha` over all features. It fires after `windows` such windows in a row,
    and again only after a window without drift or a promotion (hysteresis).
    """

    features: tuple[str, ...] | None = None  # None: all
    effect: float = field(default=0.1, kw_only=True)  # Jensen-Shannon distance, 0 … 1
    alpha: float = field(default=0.01, kw_only=True)
    windows: int = field(default=2, kw_only=True)  # in a row

    def __post_init__(self) -> None:
        """Check the settings."""
        if isinstance(self.features, str):
            raise SettingInvalid("features", "a tuple of names", self.features)
        if self.features is not None:
            object.__setattr__(self, "features", tuple(self.features))
        share("effect", self.effect)
        share("alpha", self.alpha)
        whole("windows", self.windows, least=1)

    def init(self) -> DataDriftState:
        """Return the armed state."""
        return DataDriftState()

    def fires(self, state: DataDriftState, view: View, /) -> tuple[DataDriftState, Fired]:
        """Judge the newest window of predictions."""
        if isinstance(view.happened, Promoted):
            return self.init(), QUIET
        if not isinstance(view.happened, InputsClosed):
            return state, QUIET
        drifted = self._drifted(view.happened.shifts)
        if not drifted:
            return self.init(), QUIET
        since = state.since or view.happened.window.start
        state = replace(state, drifted=state.drifted + 1, since=since)
        if state.drifted < self.windows or not state.armed:
            return state, QUIET
        firing = self._firing(view, drifted, since)
        return replace(state, armed=False), Fired(sparks=(firing,), causes=(firing,))

    def _drifted(self, shifts: tuple[Shift, ...]) -> list[Shift]:
        """Return the features that drifted, the furthest first."""
        watched = [
            s for s in shifts if self.features is None or s.distance.subject in self.features
        ]
        if not watched:
            return []
        significant = discoveries(np.array([s.p_value for s in watched]), self.alpha)
        pairs = zip(watched, significant.tolist(), strict=True)
        found = [s for s, sure in pairs if sure and _distance(s) >= self.effect]
        return sorted(found, key=_distance, reverse=True)

    def _firing(self, view: View, drifted: list[Shift], since: datetime) -> Firing:
        first = drifted[0].distance.subject
        others = f" and {len(drifted) - 1} more" if len(drifted) > 1 else ""
        return Firing(
            trigger=str(self),
            event_type=DATA_DRIFT,
            reason=f"{first}{others} moved by {_distance(drifted[0]):.2f} from the training data",
            at=view.at,
            since=since,
            subject=first,
            evidence={
                "features": [
                    {"feature": s.distance.subject, "distance": _distance(s), "p_value": s.p_value}
                    for s in drifted[:_SHOWN]
                ],
                "drifted": len(drifted),
                "effect": self.effect,
                "alpha": self.alpha,
                "rows": drifted[0].distance.n,
            },
        )

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"DataDrift({', '.join(self.features or ())})"


def _distance(shift: Shift) -> float:
    return shift.distance.value or 0.0
