"""Performance of windows whose labels lack, estimated from what came before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ratoon.core.errors import RatoonError
from ratoon.core.measuring import Measurement, Window
from ratoon.estimates import CBPE, DLE, Estimate, Trust, TrustState
from ratoon.estimates.estimate import Check
from ratoon.monitors.layout import Layout
from ratoon.monitors.sampling import Sample
from ratoon.windows.judged import Judged, Scored
from ratoon.windows.rows import Rows

_LEAST = 200  # labelled rows of the reference
_CBPE = ("accuracy", "precision", "recall", "specificity", "f1", "roc_auc", "brier", "log_loss")
_DLE = ("mae", "mape", "msle", "rmse", "rmsle", "smape")
_RELATIVE = 0.1  # tolerance of estimates of numbers, as a share

Waits = tuple[Window, Sample, bool]
"""A window, a sample of its rows, and whether its labels are in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """Estimates of each window, and what is to be said of them."""

    estimates: list[tuple[Estimate, ...]]
    notes: tuple[str, ...]


def foretold(
    layout: Layout,
    sample: Sample,
    windows: Sequence[Waits],
    measured: Sequence[Sequence[Measurement]],
) -> Foretold:
    """Estimate the metrics of all windows, and take back those that labels contradict.

    Nothing is estimated where all labels are in, or nothing can be learnt from the reference.

    Args:
        layout: of the columns.
        sample: of the reference's rows.
        windows: in order.
        measured: what was measured on the labels of each.
    """
    nothing = Foretold(estimates=[()] * len(windows), notes=())
    judged, _ = layout.judged(sample.table)
    if judged is None or all(mature for _, _, mature in windows):
        return nothing
    if len(judged) < _LEAST:
        if layout.roles.scores or not judged.target.classes:
            why = f"the reference has {len(judged):,} labelled rows, and {_LEAST} are needed"
            return replace(nothing, notes=(f"Nothing is estimated without labels: {why}.",))
        return nothing
    try:
        estimate = _estimator(layout, judged)
    except RatoonError as error:
        return replace(nothing, notes=(f"Nothing is estimated: {error.fact}.",))
    if estimate is None:
        return nothing
    return _checked(layout, estimate, windows, measured, len(judged))


class _Estimate:
    """An estimator that has learnt."""

    def __init__(self, layout: Layout, judged: Judged) -> None:
        names = tuple(metric.name for metric in layout.metrics)
        self.classes = bool(judged.target.classes)
        if self.classes:
            self._cbpe = CBPE(metrics=tuple(n for n in names if n in _CBPE))
            self._state = self._cbpe.fit(judged)
        else:
            self._dle = DLE(metrics=tuple(n for n in names if n in _DLE))
            self._learnt = self._dle.fit(judged)

    def __call__(self, said: tuple[Scored, Rows], window: Window) -> tuple[Estimate, ...]:
        scored, rows = said
        if self.classes:
            return self._cbpe.estimate(self._state, scored, window, rows)
        return self._dle.estimate(self._learnt, scored, window, rows)


def _estimator(layout: Layout, judged: Judged) -> _Estimate | None:
    if judged.target.classes and judged.scored.scores is None:
        return None
    if not judged.target.classes and not layout.roles.features:
        return None
    return _Estimate(layout, judged)


def _checked(
    layout: Layout,
    estimate: _Estimate,
    windows: Sequence[Waits],
    measured: Sequence[Sequence[Measurement]],
    learnt: int,
) -> Foretold:
    """Estimate each window; compare with the labels where they are in, judge by that elsewhere."""
    trust = Trust() if estimate.classes else Trust(tolerance=_RELATIVE, relative=True)
    state, compared = TrustState(), 0
    found: list[tuple[Estimate, ...]] = []
    for (window, sample, mature), known in zip(windows, measured, strict=True):
        said = layout.said(sample.table)
        made = () if said is None else estimate(said, window)
        if mature:
            by_name = {m.metric: m for m in known}
            for one in made:
                if one.measurement.metric in by_name:
                    state = trust.step(state, one, by_name[one.measurement.metric])
            compared += bool(made)
            found.append(made)
        else:
            found.append(tuple(trust.judge(state, one) for one in made))
    return Foretold(estimates=found, notes=_notes(windows, found, compared, learnt))


def _notes(
    windows: Sequence[Waits],
    found: Sequence[tuple[Estimate, ...]],
    compared: int,
    learnt: int,
) -> tuple[str, ...]:
    """Say what the estimates rest on, and how they were checked."""
    newest = next((made for made in reversed(found) if made), ())
    if not newest:
        return ()
    told = "; ".join(newest[0].assumptions)
    notes = [f"Estimates ({newest[0].method}) rest on {learnt:,} rows, and on this: {told}."]
    taken = [e.withdrawn for e in newest if e.withdrawn is not None]
    if compared:
        said = "; ".join(taken) if taken else "they agreed"
        notes.append(f"Estimates of {compared:,} windows were compared with their labels: {said}.")
    else:
        notes.append("No estimate could be compared with labels yet.")
    doubts: dict[str, Check] = {
        check.name: check
        for (_, _, mature), made in zip(windows, found, strict=True)
        for check in (made[0].checks if made and not mature else ())
        if not check.passed
    }
    notes += [f"A doubt about the estimates: {check.told}." for check in doubts.values()]
    return tuple(notes)
