"""What a monitor has found in a log: drifts, performance, slices, and what it had to guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from ratoon.core import wire
from ratoon.core.measuring import Measurement, Window
from ratoon.core.wire import Json
from ratoon.drift import Change
from ratoon.drift.multivariate import Joint
from ratoon.estimates import Estimate
from ratoon.metrics.slices import SliceFinding
from ratoon.monitors.drifts import ColumnDrift, Drifts


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """The values of a column before and now, as shares of the rows in a few bins."""

    names: tuple[str, ...]  # of the bins
    before: tuple[float, ...]
    now: tuple[float, ...]
    window: str = ""  # the name of the window that is "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceFound:
    """What windows were compared with."""

    rows: int
    told: str  # where it is from
    window: Window | None = None  # of its event times
    measurements: tuple[Measurement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFound:
    """What was found of one window."""

    window: Window
    name: str  # a time, or the rows
    rows: int
    labelled: int
    mature: bool  # whether as many labels are in as usual
    measurements: tuple[Measurement, ...] = ()  # on the labels that are in
    estimates: tuple[Estimate, ...] = ()  # where labels lack


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceFound:
    """A slice where the model is surely worse than elsewhere, and how it was there before."""

    finding: SliceFinding
    before: Measurement | None  # of the same slice on the reference


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricFound:
    """A metric over all windows, and whether its newest value is another one than before."""

    name: str
    greater_is_better: bool
    before: Measurement | None  # on the reference
    newest: Measurement | None  # on the newest window whose labels are in
    window: str | None  # the name of that window
    worse: bool  # surely, and so is the other way below
    better: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a monitor has found in a log."""

    reference: ReferenceFound
    windows: tuple[WindowFound, ...]  # in order
    drifts: Drifts  # of features, outputs, scores and labels, the heaviest first
    explained: tuple[str, ...]  # the fewest features that have most of the newest drift
    roles: Mapping[str, str]  # of each watched column: input, output, score or label
    metrics: tuple[MetricFound, ...] = ()
    slices: tuple[SliceFound, ...] = ()
    bars: Mapping[str, Bars] = field(default_factory=dict[str, Bars])  # of columns that drifted
    notes: tuple[str, ...] = ()  # what was guessed, sampled, left out
    by_time: bool = True
    rows: int = 0  # of the log, without the reference

    @property
    def drifted(self) -> bool:
        """Whether a column has drifted, in the newest window in which it could be judged.

        Or several together, in the newest window.
        """
        return any(drift.now for drift in self.drifts.columns) or bool(self.together)

    @property
    def joint(self) -> tuple[Joint, ...]:
        """What was found of the features of the newest window together, drifts first."""
        return self.drifts.joint

    @property
    def together(self) -> tuple[Joint, ...]:
        """The drifts of several features of the newest window together."""
        return tuple(one for one in self.joint if one.drifted)

    @property
    def now(self) -> tuple[ColumnDrift, ...]:
        """What has drifted in the newest window, the heaviest first."""
        return tuple(drift for drift in self.drifts.columns if drift.now)

    @property
    def past(self) -> tuple[ColumnDrift, ...]:
        """What had drifted in an earlier window, and is as before again."""
        return tuple(drift for drift in self.drifts.columns if not drift.now)

    def name_of(self, window: Window) -> str:
        """Return how a window is called."""
        return next((seen.name for seen in self.windows if seen.window == window), "")

    def since(self, drift: ColumnDrift) -> str | None:
        """Return the name of the window from which on a column is another one."""
        if drift.since is None:
            return None
        return next((s.name for s in self.windows if s.window.start == drift.since), None)

    def to_json(self) -> dict[str, Json]:
        """Return all of it as plain values, for `json.dumps`; what is not finite is None."""
        return {
            "reference": _plain(self.reference),
            "rows": self.rows,
            "drifted": self.drifted,
            "explained": list(self.explained),
            "drifts": [self._drift(drift) for drift in self.drifts.columns],
            "joint": [_joint(one) for one in self.joint],
            "metrics": [_plain(metric) for metric in self.metrics],
            "slices": [_slice(seen) for seen in self.slices],
            "windows": [_plain(window) for window in self.windows],
            "timeline": [
                {
                    "window": self.name_of(step.window),
                    "changes": [_change(change) for change in step.changes],
                    "joint": [_joint(one) for one in step.joint],
                }
                for step in self.drifts.steps
            ],
            "notes": list(self.notes),
        }

    def _drift(self, drift: ColumnDrift) -> dict[str, Json]:
        return {
            **_change(drift.newest),
            "role": self.roles.get(drift.newest.column, "input"),
            "now": drift.now,
            "windows": drift.windows,
            "since": None if drift.since is None else drift.since.isoformat(),
            "since_window": self.since(drift),
            "weight": drift.weight,
            "strongest": _change(drift.strongest),
        }


def _slice(seen: SliceFound) -> dict[str, Json]:
    body = cast("dict[str, Json]", _plain(seen.finding))
    return {**body, "slice": str(seen.finding.slice), "before": _plain(seen.before)}


def _joint(one: Joint) -> dict[str, Json]:
    return {**_change(one.change), "columns": [_plain(part) for part in one.columns]}


def _change(change: Change) -> dict[str, Json]:
    measured = change.measurement
    return {
        "column": change.column,
        "aspect": change.aspect,
        "distance": measured.metric,
        "value": _plain(measured.value),
        "stderr": _plain(measured.stderr),
        "before": _plain(change.before),
        "effect": _plain(change.effect),
        "least": change.least,
        "p_value": change.p_value,
        "adjusted": change.adjusted,
        "drifted": change.drifted,
    }


def _plain(value: object) -> Json:
    """Return plain values, without the names of classes."""
    return _stripped(wire.to_json(value))


def _stripped(value: Json) -> Json:
    if isinstance(value, dict):
        found = cast("dict[str, Json]", value)
        if set(found) == {"float"}:
            return None
        return {key: _stripped(item) for key, item in found.items() if key != "kind"}
    if isinstance(value, list):
        return [_stripped(item) for item in cast("list[Json]", value)]
    return value
