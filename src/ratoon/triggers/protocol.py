"""What a trigger sees, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from ratoon.core.deciding import Firing
from ratoon.core.events import Event
from ratoon.core.measuring import Measurement, Window
from ratoon.drift import Change
from ratoon.metrics.protocol import Metric
from ratoon.windows.judged import Floats
from ratoon.windows.summaries import Reference, Summary

S = TypeVar("S")
Side: TypeAlias = Literal["inputs", "outputs"]
"""Of predictions: the features, or what was answered to them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelsClosed:
    """A window of labelled rows is full: the champion's metrics on it."""

    window: Window
    measurements: Mapping[str, Measurement]  # by the metric's name
    losses: Floats | None  # row losses of the first metric that has them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictionsClosed:
    """A window of predictions is full: what was asked, or what the champion answered."""

    of: Side
    window: Window
    reference: Reference  # the champion's training rows, or what it answered to held-out ones
    summary: Summary  # of the window's rows, on the bins of the reference
    changes: tuple[Change, ...]  # of all its columns, as `ratoon.drift.ColumnTest()` finds them


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An event came from outside."""

    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """A user's feedback came."""

    negative: int  # predictions of this champion that were rated down or corrected
    predictions: int  # predictions of this champion


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePassed:
    """Nothing happened but that time passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """A version became champion, by a promotion or a rollback: what was watched starts anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The watch over a promotion ended: what the retraining gained was measured."""

    gain: float  # mean primary row loss of the replaced model minus the champion's, same rows
    lifetime: int  # labelled rows for which the replaced model was champion
    causes: tuple[str, ...]  # the triggers that called for the retraining


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A retraining was paid for and brought nothing: it failed or its challenger was refused."""

    causes: tuple[str, ...]  # the triggers that called for it


Happening = (
    LabelsClosed | PredictionsClosed | Heard | Rated | TimePassed | Promoted | Settled | Refused
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """All that a trigger may know: what happened just now, and how things stand."""

    at: datetime
    happened: Happening
    champion_since: datetime
    trained_rows: int  # ordinal after the last row of the champion's snapshot
    labelled: int  # labelled rows so far
    baseline: Mapping[str, Measurement]  # the champion's metrics on its validation rows
    metrics: Mapping[str, Metric]  # the loop's metrics, the first is the primary one

    def primary(self, name: str | None) -> Metric:
        """Return the metric of that name, or the first."""
        return next(iter(self.metrics.values())) if name is None else self.metrics[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """What a trigger answers: the firings of its parts, and whether it fires as a whole."""

    sparks: tuple[Firing, ...] = ()  # firings of single conditions at this moment
    causes: tuple[Firing, ...] = ()  # why the whole fires; empty where it does not


QUIET = Fired()


class Trigger(Protocol[S]):
    """When to retrain: frozen settings and an explicit state."""

    def init(self) -> S:
        """Return the state before anything happened."""
        ...

    def load(self, value: Any, /) -> S:
        """Read the state from the JSON that `ratoon.core.wire` made of it."""
        ...

    def fires(self, state: S, view: View, /) -> tuple[S, Fired]:
        """Take in what happened; answer whether it calls for a retraining now, and why."""
        ...

    def metric_names(self) -> frozenset[str]:
        """Return the names of the metrics that it asks for."""
        ...
