"""Columns that drift, or are on their way to, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ratoon.core.wire import Json, to_json
from ratoon.drift import Change
from ratoon.drift.change import Aspect
from ratoon.drift.since import onset
from ratoon.triggers.protocol import PredictionsClosed
from ratoon.windows.summaries import Reference
from ratoon.windows.summaries.sparse import SparseColumn, sparse

KEPT = 8
"""Windows in which the change point of a column is looked for."""

_NEAR = 0.5  # of the least effect that matters, from which a column is on its way
_UNUSUAL = 0.05  # p-value by itself, up to which it is


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspectWindow:
    """One column in one window."""

    start: datetime
    counts: SparseColumn


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A column that drifts in one respect, or is on its way to."""

    column: str
    aspect: Aspect
    windows: tuple[SuspectWindow, ...]  # in a row, up to the newest; the last eight
    lasting: int  # windows in a row in which it has drifted, up to the newest
    told: bool = False  # whether it has been a cause: it is none again before a calm window

    def tell(self) -> Suspect:
        """Return it as one that has been a cause; what is known of its windows is forgotten."""
        return replace(self, told=True, windows=())

    def since(self, reference: Reference) -> datetime:
        """Return the start of the window from which on the column is likeliest to be another."""
        grid = reference.grids[self.column]
        columns = [window.counts.dense(grid) for window in self.windows]
        by = max(0, len(columns) - self.lasting)
        return self.windows[onset(reference, self.column, columns, self.aspect, by=by).window].start


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A drift that has lasted long enough to be a cause."""

    change: Change  # in the newest window
    since: datetime

    def evidence(self) -> dict[str, Json]:
        """Return what was measured, as plain values."""
        return {
            "column": self.change.column,
            "respect": self.change.aspect,
            "measurement": to_json(self.change.measurement),
            "before": self.change.before,
            "effect": self.change.effect,
            "matters_from": self.change.least,
            "p_value": self.change.p_value,
            "adjusted": self.change.adjusted,
            "since": self.since.isoformat(),
        }


def followed(
    before: Sequence[Suspect], changes: Sequence[Change], closed: PredictionsClosed
) -> tuple[Suspect, ...]:
    """Return who is suspected after one more window, drifts first and the strongest first.

    Suspected is who has drifted, or is half-way: half of the effect that matters, and a p-value of
    at most 0.05. Who is neither is forgotten.
    """
    known = {(one.column, one.aspect): one for one in before}
    return tuple(
        _followed(known.get((change.column, change.aspect)), change, closed)
        for change in changes
        if change.drifted or _on_its_way(change)
    )


def drifts_of(
    suspects: Sequence[Suspect], changes: Sequence[Change], reference: Reference
) -> tuple[Drift, ...]:
    """Return what drifts of these suspects, the strongest first, and since when."""
    wanted = {(one.column, one.aspect): one for one in suspects}
    return tuple(
        Drift(change=change, since=wanted[change.column, change.aspect].since(reference))
        for change in changes
        if (change.column, change.aspect) in wanted
    )


def told(change: Change) -> str:
    """Say how a column has changed.

    >>> from ratoon.core.measuring import Measurement, Window
    >>> from ratoon.core.times import EPOCH
    >>> window = Window(start=EPOCH, end=EPOCH)
    >>> rate = Measurement(metric="missing_rate", window=window, value=0.3, n=500, subject="x")
    >>> told(
    ...     Change(
    ...         aspect="missing",
    ...         measurement=rate,
    ...         before=0.15,
    ...         effect=0.15,
    ...         least=0.05,
    ...         p_value=1e-9,
    ...         adjusted=1e-8,
    ...         rate=0.001,
    ...     )
    ... )
    'missing in 30 % of the rows, 15 % before'
    """
    value, metric = change.measurement.value or 0.0, change.measurement.metric
    match change.aspect:
        case "missing":
            return f"missing in {_share(value)} of the rows, {_share(change.before or 0.0)} before"
        case "new categories":
            return f"new categories in {_share(value)} of the rows"
        case "range":
            return f"beyond the range in {_share(value)} of the rows"
        case _:
            return f"{metric.replace('_', ' ')} {value:.2g}, which matters from {change.least:g}"


def _share(value: float) -> str:
    return f"{100 * value:.3g} %"


def _on_its_way(change: Change) -> bool:
    return change.effect >= _NEAR * change.least and change.p_value <= _UNUSUAL


def _followed(known: Suspect | None, change: Change, closed: PredictionsClosed) -> Suspect:
    if known is not None and known.told and change.drifted:
        return known
    newest = SuspectWindow(
        start=closed.window.start, counts=sparse(closed.summary.columns[change.column])
    )
    before = () if known is None else known.windows
    lasting = 0 if known is None else known.lasting
    return Suspect(
        column=change.column,
        aspect=change.aspect,
        windows=(*before, newest)[-KEPT:],
        lasting=lasting + 1 if change.drifted else 0,
    )
