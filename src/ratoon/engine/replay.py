"""Replay: the same loop, on history, in virtual time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ratoon.core import wire
from ratoon.core.deciding import Decision, Retrain
from ratoon.core.events import REQUESTED, ROLLBACK_REQUESTED, Event
from ratoon.core.measuring import Measurement, RowRange
from ratoon.core.running import Run
from ratoon.core.versions import ModelVersion
from ratoon.engine import steps
from ratoon.engine.clocks import VirtualClock
from ratoon.engine.evidence import recorded
from ratoon.engine.history import Arrival, History
from ratoon.engine.loop import Loop
from ratoon.engine.records import Records
from ratoon.executors import Inline
from ratoon.metrics import default_metrics
from ratoon.metrics.protocol import Metric
from ratoon.policies.champions import window_of
from ratoon.stores import MemoryStore, MemoryVault
from ratoon.stores.protocol import Store
from ratoon.windows.judged import Judged, Scored, Target
from ratoon.windows.labels import encode, extended
from ratoon.windows.rows import Array

Progress = Callable[[str, int, int], None]
"""Told of the policy's name, the arrivals that are done, and how many there are."""


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReplayReport:
    """What each policy would have done."""

    history: str
    retrain_cost: float
    rows: tuple[Outcome, ...]

    def __getitem__(self, name: str) -> Outcome:
        """Return the outcome of one policy."""
        return next(row for row in self.rows if row.name == name)

    def __str__(self) -> str:
        """Return a table."""
        metrics = list(self.rows[0].loss)
        head = ["policy", *metrics, "retrained", "refused", "rolled back", "cost"]
        body = [
            [
                row.name,
                *(f"{row.loss[m]:.4g}" for m in metrics),
                str(row.retrainings),
                str(row.refused),
                str(row.rollbacks),
                f"{row.cost:.5g}",
            ]
            for row in self.rows
        ]
        widths = [max(len(line[i]) for line in (head, *body)) for i in range(len(head))]
        lines = ["  ".join(_padded(line, widths)) for line in (head, *body)]
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _without_people(history: History) -> History:
    asked = (REQUESTED, ROLLBACK_REQUESTED)
    kept = (a for a in history.arrivals if a.event is None or a.event.type not in asked)
    return dataclasses.replace(history, arrivals=tuple(kept))


class Moving(Protocol):
    """A clock that is told what time it is."""

    def set(self, moment: Any, /) -> None:
        """Move on to a moment."""
        ...


def replay(
    loops: Loop | Mapping[str, Loop],
    history: History | Loop,
    *,
    retrain_cost: float = 0.0,
    progress: Progress | None = None,
) -> ReplayReport:
    """Tell what loops would have done on a history, by running them on it.

    The deciding code is the one that runs live; only store, clock and executor are others. Labels
    come when they came. A training takes no virtual time. Where several policies are compared on
    what a loop has lived through, the retrainings and rollbacks that people asked for are left out.

    Args:
        loops: a loop, or several by name; they are not opened and not changed.
        history: a labelled table (`History.of_table`, `History.read`), or a loop that has run.
        retrain_cost: what a fit costs, in the unit of the summed row losses.
        progress: told how far it is.
    """
    told = history if isinstance(history, History) else history.history()
    named = loops if isinstance(loops, Mapping) else {loops.name: loops}
    told = told if len(named) == 1 else _without_people(told)
    rows: list[Outcome] = []
    for name, loop in named.items():
        store, clock = MemoryStore(), VirtualClock(told.at)
        with loop.settings(
            store=store, vault=MemoryVault(), clock=clock, executor=Inline()
        ) as virtual:
            for done, _ in enumerate(drive(virtual, told, clock), start=1):
                if progress is not None:
                    progress(name, done, len(told.arrivals))
        rows.append(outcome(name, virtual, store, retrain_cost))
    return ReplayReport(history=told.name, retrain_cost=retrain_cost, rows=tuple(rows))


def drive(loop: Loop, history: History, clock: Moving) -> Any:
    """Let a history happen to a loop; yield each arrival when it has been taken in."""
    if not loop.versions():
        loop.fit(history.rows, history.labels, times=history.times)
    for arrival in history.arrivals:
        clock.set(arrival.at)
        _happen(loop, arrival)
        yield arrival


def _happen(loop: Loop, arrival: Arrival) -> None:
    match arrival.kind:
        case "predict":
            loop.predict(arrival.rows, ids=arrival.ids, times=arrival.times)
        case "label":
            loop.label(arrival.ids, arrival.values, source=arrival.source)
        case "feedback":
            said = [wire.loads(dict[str, Any], str(value)) for value in arrival.values]
            ratings = [one["rating"] for one in said]
            corrections = [one["correction"] for one in said]
            loop.feedback(
                arrival.ids,
                ratings=None if None in ratings else ratings,
                corrections=None if None in corrections else corrections,
            )
        case "event":
            event = arrival.event
            assert event is not None  # an arrival of its kind has one
            loop.emit(
                event.type, event.data, subject=event.subject, id=event.id, source=event.source
            )
        case "tick":
            loop.tick()


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
    fits = sum(steps.wrote(run, "train", "fits") or 0 for run in runs[1:])
    losses = np.zeros(0)
    if len(judged):
        losses = next((x for x in (m.losses(judged) for m in metrics) if x is not None), losses)
    return Outcome(
        name=name,
        loss={m.metric: m.value for m in measured if m.value is not None},
        total_loss=float(losses.sum()),
        retrainings=sum(isinstance(d, Retrain) for d in decisions) - 1,
        fits=fits,
        refused=sum(run.status == "refused" for run in runs),
        failed=sum(run.status == "failed" for run in runs),
        rollbacks=sum(run.status == "rolled back" for run in runs),
        cost=float(losses.sum()) + retrain_cost * fits,
        versions=tuple(records.versions()),
        runs=runs,
        decisions=decisions,
        events=tuple(records.events()),
        measurements=tuple(records.measurements()),
        served=tuple(_series(metrics[0], judged, times, loop.window)),
        champion=records.champion(),
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
        return Judged(target=target, labels=nothing, scored=Scored(outputs=nothing)), nothing
    scored = recorded(found.columns, target)
    assert scored is not None  # every row behind the first was predicted
    labels = encode(target, found.values)
    return Judged(target=target, labels=labels, scored=scored), found.columns["time"]


def _series(metric: Metric, judged: Judged, times: Array, window: int) -> list[Measurement]:
    found: list[Measurement] = []
    for start in range(0, len(judged) - window + 1, window):
        rows = RowRange(start=start, stop=start + window)
        index = slice(rows.start, rows.stop)
        found.append(metric.measure(judged.take(index), window_of(times[index], rows)))
    return found


def _padded(line: list[str], widths: list[int]) -> list[str]:
    first, *rest = zip(line, widths, strict=True)
    return [first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)]
