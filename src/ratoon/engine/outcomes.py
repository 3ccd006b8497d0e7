"""What came of a loop that has run on a history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ratoon.core import wire
from ratoon.core.deciding import Decision, Retrain
from ratoon.core.events import Event
from ratoon.core.measuring import Measurement, RowRange
from ratoon.core.running import Run
from ratoon.core.versions import ModelVersion
from ratoon.engine import steps
from ratoon.engine.evidence import recorded
from ratoon.engine.loop import Loop
from ratoon.engine.records import Records
from ratoon.metrics import default_metrics
from ratoon.metrics.protocol import Metric
from ratoon.policies.champions import window_of
from ratoon.stores.protocol import Store
from ratoon.windows.judged import Floats, Judged, Scored, Target
from ratoon.windows.labels import encode, extended
from ratoon.windows.rows import Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What one policy did on the history, and what came of it."""

    name: str
    loss: Mapping[str, float]  # each metric on all rows, as they were answered when they came
    total_loss: float  # summed row losses of the first metric that has them
    retrainings: int  # decisions to retrain after the first model
    fits: int  # models trained after the first
    refused: int
    failed: int
    rollbacks: int
    cost: float  # total loss + retrain_cost for each fit
    versions: tuple[ModelVersion, ...]
    runs: tuple[Run, ...]
    decisions: tuple[Decision, ...]
    events: tuple[Event, ...]
    measurements: tuple[Measurement, ...]
    served: tuple[Measurement, ...]  # the first metric window by window, as answered
    champion: int | None
    metric: str  # the first metric's name
    greater_is_better: bool  # whether a greater value of it is a better one
    loss_metric: str | None  # the metric of the row losses; None where none has them
    losses: Floats  # of each row, in the order in which labels came, shape (rows,)
    times: Array  # event times of these rows
    paid: Mapping[int, int]  # fits after the first, by the row at which they were decided on
    told: str = ""  # when it retrains, as it is written

    def record(self) -> Mapping[str, object]:
        """Return the figures as JSON values."""
        return {
            "loss": dict(self.loss),
            "total_loss": self.total_loss,
            "retrainings": self.retrainings,
            "fits": self.fits,
            "refused": self.refused,
            "failed": self.failed,
            "rollbacks": self.rollbacks,
            "cost": self.cost,
        }


def outcome(name: str, loop: Loop, store: Store, retrain_cost: float) -> Outcome:
    """Return what came of a loop that has run."""
    records = Records(store, loop.name)
    runs, decisions = tuple(records.runs()), tuple(records.decisions())
    judged, times = served(store)
    metrics = tuple(loop.metrics) if loop.metrics else default_metrics(judged.target.task)
    measured: list[Measurement] = []
    if len(judged):
        window = window_of(times, RowRange(start=0, stop=len(judged)))
        measured = [metric.measure(judged, window) for metric in metrics]
    paid = _paid(runs, decisions, next(store.entries(0)).joined.stop)
    loss_metric, losses = _losses(metrics, judged)
    return Outcome(
        name=name,
        loss={m.metric: m.value for m in measured if m.value is not None},
        total_loss=float(losses.sum()),
        retrainings=sum(isinstance(d, Retrain) for d in decisions) - 1,
        fits=sum(paid.values()),
        refused=sum(run.status == "refused" for run in runs),
        failed=sum(run.status == "failed" for run in runs),
        rollbacks=sum(run.status == "rolled back" for run in runs),
        cost=float(losses.sum()) + retrain_cost * sum(paid.values()),
        versions=tuple(records.versions()),
        runs=runs,
        decisions=decisions,
        events=tuple(records.events()),
        measurements=tuple(records.measurements()),
        served=tuple(_series(metrics[0], judged, times, loop.window)),
        champion=records.champion(),
        metric=metrics[0].name,
        greater_is_better=metrics[0].greater_is_better,
        loss_metric=loss_metric,
        losses=losses,
        times=times,
        paid=paid,
        told=str(loop.retrain_when),
    )


def served(store: Store) -> tuple[Judged, Array]:
    """Return all labelled rows that were predicted, as they were answered, and their times."""
    first = next(store.entries(0)).joined.stop
    rows = RowRange(start=first, stop=store.counts().labelled)
    found = store.labelled(rows)
    target = wire.loads(Target, store.saved().target or "")
    target = extended(target, found.values)
    if not rows:
        nothing = np.zeros(0)
        times = np.zeros(0, dtype="datetime64[us]")
        return Judged(target=target, labels=nothing, scored=Scored(outputs=nothing)), times
    scored = recorded(found.columns, target)
    assert scored is not None  # every row behind the first was predicted
    labels = encode(target, found.values)
    return Judged(target=target, labels=labels, scored=scored), found.columns["time"]


def _paid(runs: tuple[Run, ...], decisions: tuple[Decision, ...], first: int) -> Mapping[int, int]:
    """Return the fits after the first run, by the labelled row at which they were decided on."""
    rows = {d.id: d.plan.holdout.stop - first for d in decisions if isinstance(d, Retrain)}
    found: dict[int, int] = {}
    for run in runs[1:]:
        row = max(0, rows.get(run.decision_id, 0))
        fits = int(steps.wrote(run, "train", "fits") or 0)
        if fits:
            found[row] = found.get(row, 0) + fits
    return found


def _losses(metrics: tuple[Metric, ...], judged: Judged) -> tuple[str | None, Floats]:
    """Return the row losses of the first metric that has them, and its name."""
    if not len(judged):
        return None, np.zeros(0)
    found = ((metric.name, metric.losses(judged)) for metric in metrics)
    return next(((name, x) for name, x in found if x is not None), (None, np.zeros(0)))


def _series(metric: Metric, judged: Judged, times: Array, window: int) -> list[Measurement]:
    found: list[Measurement] = []
    for start in range(0, len(judged) - window + 1, window):
        rows = RowRange(start=start, stop=start + window)
        index = slice(rows.start, rows.stop)
        found.append(metric.measure(judged.take(index), window_of(times[index], rows)))
    return found
