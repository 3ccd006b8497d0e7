"""From what was kept of a log to what is found in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ratoon.core.errors import RatoonError
from ratoon.core.measuring import Measurement, Window
from ratoon.core.times import from_micros
from ratoon.drift.importance import split_by, weights_of
from ratoon.drift.placing import category_places
from ratoon.metrics import measure_all
from ratoon.metrics.protocol import Metric
from ratoon.metrics.slices import Slice, find_slices
from ratoon.monitors.bars import bars_of
from ratoon.monitors.collecting import Collected, Part, mergeable
from ratoon.monitors.drifts import DriftMonitor, Drifts
from ratoon.monitors.findings import (
    Bars,
    Findings,
    MetricFound,
    ReferenceFound,
    SliceFound,
    WindowFound,
)
from ratoon.monitors.foretelling import Foretold, foretold
from ratoon.monitors.gathering import Base
from ratoon.monitors.labelling import bounded, labels_in, without_label
from ratoon.monitors.layout import Layout
from ratoon.monitors.references import Span
from ratoon.monitors.sampling import Sample
from ratoon.windows.judged import Floats, Judged
from ratoon.windows.summaries import Reference
from ratoon.windows.summaries.summary import Columns, numbers
from ratoon.windows.summaries.texts import category_counts

_SURE = 3.29  # standard errors: two-sided p of 0.001
_SLICED = 20_000  # labelled rows, the newest, in which slices are looked for
_LEAST_SLICED = 400
_LEAST_ON = 30  # rows of a slice of the reference, to be told of
_ALONE = 0.05  # of the greatest weight: what explains nothing alone may matter together with others
_LATE = 0.9  # of the usual share of labels: a newest window that has less is still waiting


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """How a log is judged."""

    drift: DriftMonitor
    slices: bool
    estimates: bool
    weights: Mapping[str, float]  # importance of features; those not named are told from outputs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cut:
    """A window with what is kept of it."""

    window: Window
    name: str
    part: Part
    mature: bool


def judge(layout: Layout, base: Base, collected: Collected, how: Judgement, told: str) -> Findings:
    """Return what is found in a log; it has a window at least.

    Args:
        layout: of the columns.
        base: the reference.
        collected: what is kept of each window.
        how: it is judged.
        told: where the reference is from.
    """
    cuts = _cuts(layout, collected)
    weights = _weights(layout, base, how.weights)
    drifts = _drifts(layout, base, cuts, how.drift, weights)
    inputs = tuple(d for d in drifts.columns if d.newest.column in layout.roles.features)
    measured = [_measured(layout, cut) for cut in cuts]
    estimated = Foretold(estimates=[()] * len(cuts), notes=())
    if how.estimates and layout.target is not None:
        pairs = [(c.window, c.part.sample, c.mature) for c in cuts]
        estimated = foretold(layout, base.sample, pairs, measured)
    before = _before(layout, base)
    slices, sliced = _slices(layout, base, cuts) if how.slices else ((), ())
    return Findings(
        reference=ReferenceFound(
            rows=base.rows, told=told, window=_span(base), measurements=before
        ),
        windows=tuple(
            WindowFound(
                window=cut.window,
                name=cut.name,
                rows=cut.part.rows,
                labelled=cut.part.labelled,
                mature=cut.mature,
                measurements=measurements,
                estimates=() if cut.mature else estimates,
            )
            for cut, measurements, estimates in zip(
                cuts, measured, estimated.estimates, strict=True
            )
        ),
        drifts=drifts,
        explained=replace(drifts, columns=inputs).explained,
        roles={name: layout.roles.role(name) for name in layout.roles.watched},
        metrics=tuple(_metric(m, before, cuts, measured) for m in layout.metrics),
        slices=slices,
        bars=_bars(base, cuts, drifts),
        notes=(*_unmeasured(layout, cuts), *estimated.notes, *sliced),
        by_time=collected.cut.by_time,
        rows=collected.rows,
    )


def _cuts(layout: Layout, collected: Collected) -> list[_Cut]:
    """Return the windows in order, and whether their labels are in."""
    parts = [collected.parts[number] for number in sorted(collected.parts)]
    windows = [collected.cut.window(n, collected.parts[n]) for n in sorted(collected.parts)]
    ripe = [False] * len(parts)
    if layout.roles.label is not None:
        labels = [part.summary.columns[layout.roles.label] for part in parts]
        ripe = labels_in([1 - label.missing / label.rows for label in labels], _LATE)
    names = names_of(windows, by_time=collected.cut.by_time, every=collected.cut.every)
    return [
        _Cut(window=window, name=name, part=part, mature=mature)
        for window, name, part, mature in zip(windows, names, parts, ripe, strict=True)
    ]


def names_of(windows: Sequence[Window], *, by_time: bool, every: int) -> list[str]:
    """Return how windows are called: by their first day or minute, or by their rows."""
    if not by_time:
        return [f"rows {w.rows.start + 1:,} to {w.rows.stop:,}" if w.rows else "" for w in windows]
    days = every % (86_400 * 1_000_000) == 0
    return [f"{w.start:%Y-%m-%d}" if days else f"{w.start:%Y-%m-%d %H:%M}" for w in windows]


def _span(base: Base) -> Window | None:
    if base.span_us is None:
        return None
    return Window(start=from_micros(base.span_us[0]), end=from_micros(base.span_us[1] + 1))


def _drifts(
    layout: Layout,
    base: Base,
    cuts: Sequence[_Cut],
    monitor: DriftMonitor,
    weights: Mapping[str, float],
) -> Drifts:
    label = layout.roles.label
    reference = base.reference
    spans = [
        Span(
            window=cut.window,
            summary=cut.part.summary,
            rows=_together(layout, cut.part.sample) if monitor.joint else None,
        )
        for cut in cuts
    ]
    for name in (layout.roles.output, *layout.roles.scores):
        if name is not None and reference.summary.columns[name].missing == base.rows:
            nothing = without_label(reference.summary, name, mature=False)
            reference = Reference(grids=reference.grids, summary=nothing)
    if label is not None:  # a label that has not come is not a missing value
        reference = Reference(
            grids=reference.grids, summary=without_label(reference.summary, label, mature=True)
        )
        spans = [
            replace(span, summary=without_label(span.summary, label, mature=cut.mature))
            for span, cut in zip(spans, cuts, strict=True)
        ]
    inflation = {**base.inflation, **monitor.test.inflation}
    test = replace(monitor.test, inflation=inflation)
    rows = _together(layout, base.sample) if monitor.joint else None
    with np.errstate(invalid="ignore"):
        return replace(monitor, test=test, weights=weights).run(reference, spans, rows)


def _weights(layout: Layout, base: Base, given: Mapping[str, float]) -> Mapping[str, float]:
    """Return how much of the output's, or the label's, variance each feature explains by itself."""
    features = {name: base.reference.grids[name] for name in layout.roles.features}
    outputs = _outputs(layout, base.sample.table)
    found: dict[str, float] = {}
    if not given and outputs is not None and features:
        summary = base.reference.summary
        reference = Reference(grids=features, summary=summary)
        columns = {name: base.sample.table.column(name) for name in features}
        found = dict(weights_of(split_by(reference, columns, outputs)))
    if not any(found.values()) and not given:
        return {}
    most = max([*found.values(), *given.values()])
    found = {**{name: max(weight, _ALONE * most) for name, weight in found.items()}, **given}
    return {**{name: most for name in layout.roles.watched if name not in features}, **found}


def _outputs(layout: Layout, table: Any) -> Floats | None:
    """Return one number a row that the model gave, or what was true; None where there is none."""
    roles = layout.roles
    if len(roles.scores) == 1:
        return numbers(table.column(roles.scores[0]))
    name = roles.output if roles.output is not None else roles.label
    if name is None or table.column(name).null_count == table.num_rows:
        return None
    column = table.column(name)
    if layout.kinds[name] == "number":
        return numbers(column)
    names, counts = category_counts(column)
    commonest = names[int(np.argmax(counts[:-1]))]
    return (category_places([commonest], column) == 0).astype(np.float64)


def _measured(layout: Layout, cut: _Cut) -> tuple[Measurement, ...]:
    """Measure a window on the labels that are in, and say what may still become of it."""
    if cut.part.tally is None:
        return ()
    ready = mergeable(layout.metrics)
    found = {m.name: cut.part.tally.measure(m, cut.window) for m in ready}
    others = [metric for metric in layout.metrics if metric.name not in found]
    judged, waiting = layout.judged(cut.part.sample.table)
    if judged is not None and len(judged):
        for m in measure_all(others, judged, cut.window):
            found[m.metric] = m
    share = cut.part.labelled / cut.part.rows
    every = tuple(replace(found[m.name], share=share) for m in layout.metrics if m.name in found)
    if cut.mature or judged is None or waiting is None:
        return every
    return bounded(layout.metrics, every, judged, waiting)


def _before(layout: Layout, base: Base) -> tuple[Measurement, ...]:
    """Measure the reference."""
    if base.tally is None:
        return ()
    window = _span(base) or Window(start=from_micros(0), end=from_micros(base.rows))
    found = {m.name: base.tally.measure(m, window) for m in mergeable(layout.metrics)}
    others = [metric for metric in layout.metrics if metric.name not in found]
    judged, _ = layout.judged(base.sample.table)
    if judged is not None and len(judged):
        found |= {m.metric: m for m in measure_all(others, judged, window)}
    return tuple(found[m.name] for m in layout.metrics if m.name in found)


def _metric(
    metric: Metric,
    before: Sequence[Measurement],
    cuts: Sequence[_Cut],
    measured: Sequence[Sequence[Measurement]],
) -> MetricFound:
    """Compare the newest window whose labels are in with the reference."""
    first = next((m for m in before if m.metric == metric.name), None)
    newest, name = None, None
    for cut, measurements in zip(cuts, measured, strict=True):
        found = next((m for m in measurements if m.metric == metric.name), None)
        if cut.mature and found is not None and found.value is not None:
            newest, name = found, cut.name
    rise = 0.0
    if first is not None and newest is not None and first.value is not None:
        spread = math.hypot(first.stderr or 0.0, newest.stderr or 0.0)
        rise = ((newest.value or 0.0) - first.value) / spread if spread else 0.0
    up = rise if metric.greater_is_better else -rise
    return MetricFound(
        name=metric.name,
        greater_is_better=metric.greater_is_better,
        before=first,
        newest=newest,
        window=name,
        worse=up <= -_SURE,
        better=up >= _SURE,
    )


def _slices(
    layout: Layout, base: Base, cuts: Sequence[_Cut]
) -> tuple[tuple[SliceFound, ...], tuple[str, ...]]:
    """Look for slices where the model is worse, in the newest labelled rows."""
    metric = next((m for m in layout.metrics if _has_losses(layout, m)), None)
    if metric is None or not layout.roles.features:
        return (), ()
    tables: list[Any] = []
    rows, all_of = 0, 0
    first = cuts[-1]
    for cut in reversed(cuts):
        if cut.part.labelled and cut.part.sample.table is not None and rows < _SLICED:
            tables.insert(0, cut.part.sample.table)
            rows += len(cut.part.sample) * cut.part.labelled // cut.part.rows
            all_of, first = all_of + cut.part.labelled, cut
    if rows < _LEAST_SLICED:
        return (), ()
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    made: Any = pa
    judged, _ = layout.judged(made.concat_tables(tables))
    if judged is None or len(judged) < _LEAST_SLICED:
        return (), ()
    window = Window(start=first.window.start, end=cuts[-1].window.end)
    try:
        found = find_slices(metric, judged, window)
    except RatoonError as error:
        return (), (f"Slices were not looked for: {error.fact}.",)
    drawn = "" if len(judged) >= all_of else f", a sample of {all_of:,}"
    note = f"Slices were looked for by {metric.name} in {len(judged):,} labelled rows{drawn}."
    known, _ = layout.judged(base.sample.table)
    seen = [SliceFound(finding=one, before=_on(metric, known, one.slice, window)) for one in found]
    return tuple(seen), (note,)


def _on(metric: Metric, judged: Judged | None, where: Slice, window: Window) -> Measurement | None:
    """Measure a slice of the reference; None where it has too few rows of it."""
    if judged is None or judged.features is None:
        return None
    index = np.flatnonzero(where.mask(judged.features))
    return metric.measure(judged.take(index), window) if len(index) >= _LEAST_ON else None


def _unmeasured(layout: Layout, cuts: Sequence[_Cut]) -> tuple[str, ...]:
    """Say how many labelled rows are in no metric."""
    label = layout.roles.label
    if layout.target is None or label is None:
        return ()
    columns = [cut.part.summary.columns[label] for cut in cuts]
    labelled = sum(column.rows - column.missing for column in columns)
    left_out = labelled - sum(cut.part.labelled for cut in cuts)
    if not left_out or not any(cut.part.labelled for cut in cuts):
        return ()
    why = "they have no output or score, or a class that the first rows do not have"
    return (f"{left_out:,} of {labelled:,} labelled rows are in no metric: {why}.",)


def _bars(base: Base, cuts: Sequence[_Cut], drifts: Drifts) -> dict[str, Bars]:
    """Draw each column in the newest window where it has drifted now, else where it had most."""
    found: dict[str, Bars] = {}
    for drift in drifts.columns:
        name, change = drift.newest.column, drift.newest if drift.now else drift.strongest
        cut = next(cut for cut in cuts if cut.window == change.measurement.window)
        bars = bars_of(base.reference, name, cut.part.summary)
        found.setdefault(name, replace(bars, window=cut.name))
    return found


def _has_losses(layout: Layout, metric: Metric) -> bool:
    """Tell whether rows have a loss by the metric."""
    probe = layout.target
    if probe is None:
        return False
    return metric.name in {"log_loss", "brier", "accuracy", "mae", "rmse"}


def _together(layout: Layout, sample: Sample) -> Columns | None:
    """Return the features of a sample, where there are several."""
    names = layout.roles.features
    if len(names) < 2 or sample.table is None:  # noqa: PLR2004 - together
        return None
    return {name: _values(sample.table.column(name)) for name in names}


def _values(column: Any) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    made: Any = pa
    whole: Any = column.combine_chunks()
    return made.concat_arrays(whole.chunks) if isinstance(whole, made.ChunkedArray) else whole
