"""Drift over time: every window judged, and what was found put together by column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from itertools import chain

from ratoon.core import settings
from ratoon.core.measuring import Window
from ratoon.drift import Change, ColumnTest
from ratoon.drift.control import adjusted_together, strongest_first
from ratoon.drift.multivariate import Joint, JointTest
from ratoon.drift.multivariate.sampling import stacked
from ratoon.drift.multivariate.together import compared, within
from ratoon.drift.since import Onset, onset
from ratoon.monitors.references import Against, Fixed, Span
from ratoon.windows.summaries import Reference, merged
from ratoon.windows.summaries.summary import Columns

_EXPLAINED = 0.8  # of all drift of the newest window: what the columns named together have
_PAIRS = 20  # of columns whose correlation has changed, that a window names


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What was found of one window; nothing where there was nothing to compare it with."""

    window: Window
    rows: int
    changes: tuple[Change, ...]
    joint: tuple[Joint, ...] = ()  # of several columns; of correlations those that have changed


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
    def joint(self) -> tuple[Joint, ...]:
        """What was found of several columns together in the newest window, drifts first."""
        return self.steps[-1].joint if self.steps else ()

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

    Columns may be looked at together, too: by tests of a bounded number of rows, in the newest
    windows. Their p-values and those of single columns are adjusted over all of them, so that a
    window without drift has an alarm at all no more often than `test.false_alarms` says.

    Args:
        test: of a window.
        against: what each window is compared with.
        weights: importance of columns for the model, any scale; 1 for those that are not named.
        joint: tests of several columns together, of spans with rows; their `false_alarms` is that
            of `test`.
        joint_windows: so many of the newest windows are looked at together; at least 1.

    Raises:
        SettingInvalid: a setting breaks its rule.
    """

    test: ColumnTest = field(default_factory=ColumnTest)
    against: Against = field(default_factory=Fixed)
    weights: Mapping[str, float] = field(default_factory=dict[str, float], hash=False)
    joint: tuple[JointTest, ...] = ()
    joint_windows: int = 1

    def __post_init__(self) -> None:
        """Check the settings."""
        settings.whole("joint_windows", self.joint_windows, least=1)

    def run(self, first: Reference, spans: Sequence[Span], rows: Columns | None = None) -> Drifts:
        """Judge all windows, in order of time, at a cost that grows with them and their columns.

        Args:
            first: the reference.
            spans: the windows.
            rows: some rows of the reference, for tests of several columns together.
        """
        last = len(spans) - self.joint_windows
        steps = [
            self._step(first, rows if i >= last else None, spans[:i], span)
            for i, span in enumerate(spans)
        ]
        return Drifts(steps=tuple(steps), columns=tuple(self._columns(first, spans, steps)))

    def _step(
        self, first: Reference, rows: Columns | None, past: Sequence[Span], span: Span
    ) -> Step:
        chosen = self.against.choose(past, span.window)
        step = Step(window=span.window, rows=span.summary.rows, changes=())
        if chosen is None:
            reference = first
        elif chosen:
            summary = reduce(merged, (other.summary for other in chosen))
            reference = Reference(grids=first.grids, summary=summary)
        else:
            return step
        changes = self.test.compare(reference, span.summary, span.window)
        if rows is None or span.rows is None or not self.joint:
            return replace(step, changes=changes)
        tables = [other.rows for other in chosen or () if other.rows is not None]
        joint = self._joint(stacked(tables) if tables else rows, span.rows, span.window)
        return _controlled(replace(step, changes=changes, joint=joint))

    def _joint(self, reference: Columns, now: Columns, window: Window) -> tuple[Joint, ...]:
        alike = max((self.test.inflation.get(name, 1.0) for name in reference), default=1.0)
        rate = self.test.false_alarms
        tests = (within(test, false_alarms=rate, inflation=alike) for test in self.joint)
        found = (compared(test, reference, now, window) for test in tests)
        return tuple(chain.from_iterable(found))

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


def _controlled(step: Step) -> Step:
    """Return a window with p-values adjusted over single columns and all that was found jointly."""
    parts = (step.changes, [one.change for one in step.joint])
    adjusted = adjusted_together([*parts[0], *parts[1]])
    changes = sorted(adjusted[: len(parts[0])], key=strongest_first)
    found = zip(step.joint, adjusted[len(parts[0]) :], strict=True)
    joint = [
        Joint(change=change, columns=one.columns if change.drifted else ()) for one, change in found
    ]
    joint.sort(key=lambda one: strongest_first(one.change))
    pairs = [one for one in joint if one.change.aspect == "correlation"]
    kept = [one for one in joint if one.change.aspect != "correlation"]
    kept += [pair for pair in pairs if pair.drifted][:_PAIRS]
    return replace(step, changes=tuple(changes), joint=tuple(kept))
