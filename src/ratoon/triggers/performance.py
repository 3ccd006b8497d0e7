"""Triggers on the champion's metrics: concept drift and degradation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from ratoon.core import wire
from ratoon.core.deciding import Firing
from ratoon.core.errors import SettingInvalid
from ratoon.core.events import CONCEPT_DRIFT, DEGRADED
from ratoon.core.measuring import Detection, Measurement
from ratoon.core.settings import finite, not_negative, positive, whole
from ratoon.detectors import Cusum
from ratoon.detectors.protocol import Detector
from ratoon.triggers.combine import Combines
from ratoon.triggers.protocol import QUIET, Fired, LabelsClosed, Promoted, View

_REMEMBERED = 5  # champions whose validation is remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftState:
    """What the detector knows."""

    detector: Any


@dataclass(frozen=True, slots=True)
class Drift(Combines):
    """Concept drift: a detector finds that a metric of the champion has become worse.

    The detector sees one measurement a window, turned so that larger is worse. Its change point
    is where the firing's data begins.
    """

    metric: str | None = None  # None: the loop's first metric
    detector: Detector[Any] = field(default_factory=Cusum, kw_only=True)

    def init(self) -> DriftState:
        """Return the detector's first state."""
        return DriftState(detector=self.detector.init())

    def load(self, value: Any, /) -> DriftState:
        """Read the detector's state from JSON."""
        kind = cast("Any", type(cast("object", self.detector.init())))
        return DriftState(detector=wire.from_json(kind, value["detector"]))

    def fires(self, state: DriftState, view: View, /) -> tuple[DriftState, Fired]:
        """Give the newest window to the detector."""
        if isinstance(view.happened, Promoted):
            return self.init(), QUIET
        if not isinstance(view.happened, LabelsClosed):
            return state, QUIET
        metric = view.primary(self.metric)
        measured = view.happened.measurements[metric.name]
        after, found = self.detector.step(
            state.detector, _worse_up(metric.greater_is_better, measured)
        )
        if found.status != "drift":
            return DriftState(detector=after), QUIET
        return DriftState(detector=after), _one(self._firing(view, measured, found))

    def _firing(self, view: View, measured: Measurement, found: Detection) -> Firing:
        since = "" if found.change_point is None else f" since {found.change_point:%Y-%m-%d %H:%M}"
        return Firing(
            trigger=str(self),
            event_type=CONCEPT_DRIFT,
            reason=f"{measured.metric} drifted to {_number(measured.value)}{since}",
            at=view.at,
            since=found.change_point,
            since_row=found.change_row,
            subject=measured.metric,
            evidence={
                "measurement": wire.to_json(measured),
                "detection": wire.to_json(found),
                "detector": repr(self.detector),
            },
        )

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"Drift({self.metric or ''})"


@dataclass(frozen=True, slots=True, kw_only=True)
class DegradedState:
    """How many windows in a row were beyond the limit, since when, and whether it may fire."""

    beyond: int = 0
    since: datetime | None = None
    since_row: int | None = None
    armed: bool = True
    validations: tuple[Measurement, ...] = ()  # of the last champions, the newest last


@dataclass(frozen=True, slots=True)
class Degraded(Combines):
    """Degradation: a metric stays beyond a limit for some windows.

    The limit is absolute (`beyond=0.8`) or relative to the champion's own validation
    (`by=0.1`: 10 % worse). A window counts where the metric is beyond the limit by `sure`
    standard errors, those of the window and of the baseline together. A champion that was bad
    from birth is no norm: its limit is relative to the (lower) median validation of the last five
    champions, where that is better than its own. After it has fired it is
    silent until the metric has come back half of the way to the baseline, or a version is
    promoted (hysteresis).
    """

    metric: str | None = None  # None: the loop's first metric
    by: float | None = field(default=None, kw_only=True)  # share of the baseline
    beyond: float | None = field(default=None, kw_only=True)  # in the metric's unit
    windows: int = field(default=2, kw_only=True)  # in a row
    sure: float = field(default=1.0, kw_only=True)  # standard errors

    def __post_init__(self) -> None:
        """Check that there is one limit."""
        if (self.by is None) == (self.beyond is None):
            rule = "given either by= (relative to the champion's validation) or beyond= (absolute)"
            raise SettingInvalid("the limit of Degraded", rule, (self.by, self.beyond))
        if self.by is not None:
            positive("by", self.by)
        if self.beyond is not None:
            finite("beyond", self.beyond)
        whole("windows", self.windows, least=1)
        not_negative("sure", self.sure)

    def init(self) -> DegradedState:
        """Return the armed state."""
        return DegradedState()

    def fires(self, state: DegradedState, view: View, /) -> tuple[DegradedState, Fired]:
        """Compare the newest window with the limit."""
        metric = view.primary(self.metric)
        if isinstance(view.happened, Promoted):
            return _enthroned(state, view.baseline.get(metric.name)), QUIET
        if not isinstance(view.happened, LabelsClosed):
            return state, QUIET
        measured = view.happened.measurements[metric.name]
        own = view.baseline.get(metric.name)
        baseline = _norm(own, state.validations, greater_is_better=metric.greater_is_better)
        limit = self._limit(baseline, greater_is_better=metric.greater_is_better)
        if measured.value is None or limit is None:
            return state, QUIET
        sign = 1.0 if metric.greater_is_better else -1.0
        room = sign * (measured.value - limit)  # below 0 where it is beyond the limit
        state = self._rearmed(state, room, baseline, limit)
        if room + self.sure * self._spread(measured, baseline) >= 0:
            return replace(state, beyond=0, since=None, since_row=None), QUIET
        state = _counted(state, measured)
        if state.beyond < self.windows or not state.armed:
            return state, QUIET
        fired = self._firing(view, (measured, baseline), limit, state)
        return replace(state, armed=False), _one(fired)

    def _limit(self, baseline: Measurement | None, *, greater_is_better: bool) -> float | None:
        if self.by is None:
            return self.beyond
        if baseline is None or baseline.value is None:
            return None
        share = -self.by if greater_is_better else self.by
        return baseline.value + share * abs(baseline.value)

    def _spread(self, measured: Measurement, baseline: Measurement | None) -> float:
        """Return the standard error of the window's distance from the limit.

        A relative limit is as uncertain as the baseline that it is a share of.
        """
        error = measured.stderr or 0.0
        if self.by is None or baseline is None:
            return error
        return math.hypot(error, (1 + self.by) * (baseline.stderr or 0.0))

    def _rearmed(
        self, state: DegradedState, room: float, baseline: Measurement | None, limit: float
    ) -> DegradedState:
        if state.armed:
            return state
        value = None if baseline is None else baseline.value
        half = 0.0 if value is None else abs(value - limit) / 2
        return replace(state, armed=room >= half)

    def _firing(
        self,
        view: View,
        pair: tuple[Measurement, Measurement | None],
        limit: float,
        state: DegradedState,
    ) -> Firing:
        measured, baseline = pair
        return Firing(
            trigger=str(self),
            event_type=DEGRADED,
            reason=(
                f"{measured.metric} is {_number(measured.value)}, beyond {_number(limit)} "
                f"for {self.windows} windows"
            ),
            at=view.at,
            since=state.since,
            since_row=state.since_row,
            subject=measured.metric,
            evidence={
                "measurement": wire.to_json(measured),
                "baseline": wire.to_json(baseline),
                "limit": limit,
                "windows": self.windows,
            },
        )

    def __str__(self) -> str:
        """Write it as a person would."""
        limit = f"by={self.by}" if self.beyond is None else f"beyond={self.beyond}"
        return f"Degraded({', '.join(filter(None, [self.metric, limit]))})"


def _enthroned(state: DegradedState, validation: Measurement | None) -> DegradedState:
    """Begin with another champion, and remember its validation."""
    known = () if validation is None else (validation,)
    return DegradedState(validations=(*state.validations, *known)[-_REMEMBERED:])


def _norm(
    own: Measurement | None, validations: tuple[Measurement, ...], *, greater_is_better: bool
) -> Measurement | None:
    """Return the better of the champion's own validation and the usual one of late."""
    sign = -1.0 if greater_is_better else 1.0

    def worse(m: Measurement) -> float:
        return sign * (m.value or 0.0)

    known = sorted((m for m in validations if m.value is not None), key=worse)
    usual = known[(len(known) - 1) // 2] if known else own
    if own is None or own.value is None or usual is None:
        return own
    return min(own, usual, key=worse)


def _counted(state: DegradedState, measured: Measurement) -> DegradedState:
    """Count a window beyond the limit, and remember where the first of them began."""
    window = measured.window
    first = state.beyond == 0
    row = None if window.rows is None else window.rows.start
    return replace(
        state,
        beyond=state.beyond + 1,
        since=window.start if first else state.since,
        since_row=row if first else state.since_row,
    )


def _worse_up(greater_is_better: bool, m: Measurement) -> Measurement:  # noqa: FBT001 - a fact of the metric
    return replace(m, value=-m.value) if greater_is_better and m.value is not None else m


def _one(firing: Firing) -> Fired:
    return Fired(sparks=(firing,), causes=(firing,))


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"
