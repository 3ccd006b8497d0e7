"""Drift over time: every window judged, and what was found put together by column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ratoon.core.measuring import Window
from ratoon.drift import Change, ColumnTest
from ratoon.drift.since import Onset, onset
from ratoon.monitors.references import Against, Fixed, Span
from ratoon.windows.summaries import Reference

_EXPLAINED = 0.8  # of all drift of the newest window: what the columns named together have


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What was found of one window; nothing where there was nothing to compare it with."""

    window: Window
    rows: int
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDrift:
    """A column that has changed in some window, in one respect."""

    newest: Change  # in the newest window that it could be judged in
    strongest: Change
    windows: int  # in which it had drifted
    since: datetime | None  # start of the first window after the change
    between: tuple[datetime, datetime] | None  # starts of the windows that it may be as well
    weight: float  # importance of the column for the model, 1 on average

    @property
    def now(self) -> bool:
        """Whether it is a drift in the newest window."""
        return self.newest.drifted

    @property
    def weighted(self) -> float:
        """The strength in the newest window times the weight of the column."""
        return self.newest.strength * self.weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifts:
    """What was found of all windows, the heaviest of the newest window first."""

    steps: tuple[Step, ...]
    columns: tuple[ColumnDrift, ...]

    @property
    def explained(self) -> tuple[str, ...]:
        """The fewest columns that have four fifths of the newest window's drift, by weight."""
        heavy: dict[str, float] = {}
        for drift in self.columns:
            if drift.now:
                name = drift.newest.column
                heavy[name] = max(heavy.get(name, 0.0), drift.weighted)
        total, names, so_far = sum(heavy.values()), list[str](), 0.0
        for name in sorted(heavy, key=lambda name: -heavy[name]):
            if so_far >= _EXPLAINED * total:
                break
            names.append(name)
            so_far += heavy[name]
        return tuple(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftMonitor:
    """Compares window after window with a reference, column by column.

    Args:
        test: of a window.
        against: what each window is compared with.
        weights: importance of columns for the model, any scale; 1 for those that are not named.
    """

    test: ColumnTest = field(default_factory=ColumnTest)
    against: Against = field(default_factory=Fixed)
    weights: Mapping[str, float] = field(default_factory=dict[str, float], hash=False)

    def run(self, first: Reference, spans: Sequence[Span]) -> Drifts:
        """Judge all windows, in order of time, at a cost that grows with them and their columns."""
        steps = [self._step(first, spans[:i], span) for i, span in enumerate(spans)]
        return Drifts(steps=tuple(steps), columns=tuple(self._columns(first, spans, steps)))

    def _step(self, first: Reference, past: Sequence[Span], span: Span) -> Step:
        reference = self.against.choose(first, past, span.window)
        changes: tuple[Change, ...] = ()
        if reference is not None:
            changes = self.test.compare(reference, span.summary, span.window)
        return Step(window=span.window, rows=span.summary.rows, changes=changes)

    def _columns(
        self, first: Reference, spans: Sequence[Span], steps: Sequence[Step]
    ) -> list[ColumnDrift]:
        by_respect: dict[tuple[str, str], list[Change]] = {}
        for step in steps:
            for change in step.changes:
                by_respect.setdefault((change.column, change.aspect), []).append(change)
        scale = self._scale(first)
        found = [
            self._column(first, spans, changes, scale)
            for changes in by_respect.values()
            if any(change.drifted for change in changes)
        ]
        return sorted(found, key=lambda drift: (not drift.now, -drift.weighted))

    def _column(
        self, first: Reference, spans: Sequence[Span], changes: Sequence[Change], scale: float
    ) -> ColumnDrift:
        newest, name = changes[-1], changes[-1].column
        when = self._onset(first, spans, changes) if newest.drifted else None
        starts = [span.window.start for span in spans]
        return ColumnDrift(
            newest=newest,
            strongest=max(changes, key=lambda change: (change.drifted, change.strength)),
            windows=sum(change.drifted for change in changes),
            since=None if when is None else starts[when.window],
            between=None if when is None else (starts[when.earliest], starts[when.latest]),
            weight=self.weights.get(name, 1.0) / scale,
        )

    def _onset(self, first: Reference, spans: Sequence[Span], changes: Sequence[Change]) -> Onset:
        """Return since when: not after the unbroken row of drifts that ends with the newest."""
        run = len(changes)
        while run > 0 and changes[run - 1].drifted:
            run -= 1
        windows = [span.window for span in spans]
        by = windows.index(changes[run].measurement.window)
        name, aspect = changes[-1].column, changes[-1].aspect
        columns = [span.summary.columns[name] for span in spans]
        return onset(first, name, columns, aspect, self.test.bins, by=by)

    def _scale(self, first: Reference) -> float:
        """Return the mean weight, so that weights are 1 on average."""
        given: Iterable[float] = [self.weights.get(name, 1.0) for name in first.grids]
        total = sum(given)
        return total / len(first.grids) if total > 0 else 1.0
