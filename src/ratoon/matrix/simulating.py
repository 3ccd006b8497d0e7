"""A policy on a replay matrix: the trigger that runs live, in a loop of a few lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ratoon.core import settings
from ratoon.core.deciding import Firing
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Measurement, RowRange, Window
from ratoon.matrix.matrix import Matrix
from ratoon.matrix.schedules import Deployment, Schedule
from ratoon.metrics.custom import Custom
from ratoon.metrics.protocol import Metric
from ratoon.triggers import protocol as happenings
from ratoon.triggers.protocol import Happening, Trigger, View
from ratoon.windows.judged import Floats

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_CHUNK = timedelta(days=1)  # a chunk of virtual time, so that `Every(days=5)` is every five chunks

Beside = Callable[[int, int, int], Iterable[Happening]]
"""Given a champion's time, its window and a chunk: what else is seen of the chunk's rows."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Simulated:
    """What a policy did on a matrix."""

    schedule: Schedule
    firings: Mapping[int, tuple[Firing, ...]]  # why each retraining was called for, by its chunk
    scored: int  # chunks that a replaced model scored beside its successor


@dataclass(slots=True, kw_only=True)
class _Shadow:
    """A replaced model, scored beside its successor to measure what the retraining gained."""

    model: Deployment
    lifetime: int  # rows that it was champion for
    causes: tuple[str, ...]
    gained: float = 0.0
    rows: int = 0
    chunks: int = 0


@dataclass(slots=True, kw_only=True)
class _Course:
    """How far a simulation has come."""

    state: Any
    champion: Deployment
    deployments: list[Deployment]
    shadow: _Shadow | None = None
    fresh: Measurement | None = None  # the champion on the first chunk that it was measured on
    firings: dict[int, tuple[Firing, ...]] = field(default_factory=dict[int, tuple[Firing, ...]])
    scored: int = 0


def simulate(
    trigger: Trigger[Any],
    matrix: Matrix,
    *,
    window: int = -1,
    delay: int = 0,
    watch: int = 2,
    pieces: int = 1,
    beside: Beside | None = None,
) -> Simulated:
    """Run a trigger along a history whose models are all known already.

    It sees what it would see live: after each chunk whose labels have come, the champion's row
    losses (`LabelsClosed`); `Promoted` when a model takes over; `Settled` when the replaced one has
    been scored beside it for `watch` chunks. When it fires, a model of all labelled rows (of the
    window's length) serves from the next chunk on: no gate, no cooldown, no training time. A
    champion's baseline is its loss on the first chunk that it is measured on.

    A chunk is a day of virtual time. The metric is named "loss", and lower is better.

    Args:
        trigger: the policy.
        matrix: of the history.
        window: the place of the training window among the matrix's.
        delay: chunks by which labels are late.
        watch: chunks for which the replaced model is scored, too; 0 for none.
        pieces: windows that a chunk is shown in, for detectors that want more than one value.
        beside: gives happenings of other kinds, such as `PredictionsClosed`, of a chunk.

    Raises:
        SettingInvalid: a number is out of its range.

    >>> import numpy as np
    >>> from ratoon import triggers
    >>> from ratoon.matrix import Chunks
    >>> losses = np.full((4, 1, 8), np.nan, dtype=np.float32)
    >>> for time in range(4):
    ...     losses[time, 0, 2 * time :] = 1 - time / 4
    >>> seconds = np.ones((4, 1))
    >>> matrix = Matrix(
    ...     chunks=Chunks(rows=10, first=2, count=4),
    ...     windows=(None,),
    ...     losses=losses,
    ...     fit_s=seconds,
    ...     score_s=seconds,
    ... )
    >>> done = simulate(triggers.NewLabels(4), matrix)
    >>> [(one.chunk, one.time) for one in done.schedule.deployments]
    [(0, 0), (2, 2)]
    """
    settings.whole("delay", delay, least=0)
    settings.whole("watch", watch, least=0)
    settings.whole("pieces", pieces, least=1)
    places = len(matrix.windows)
    if not -places <= window < places:
        raise SettingInvalid("window", f"a place among {places} windows", window)
    first = Deployment(chunk=0, time=0, window=window % places)
    course = _Course(state=trigger.init(), champion=first, deployments=[first])
    simulation = _Simulation(trigger=trigger, matrix=matrix, watch=watch, pieces=pieces)
    simulation.show(course, happenings.Promoted(), at=0, labelled=matrix.chunks.first)
    for chunk in range(matrix.chunks.count - 1 - delay):
        causes = simulation.closed(course, chunk, beside)
        if causes:
            simulation.retrain(course, chunk, delay, causes)
    return Simulated(
        schedule=Schedule(deployments=tuple(course.deployments)),
        firings=course.firings,
        scored=course.scored,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Simulation:
    """What stays the same along a simulation."""

    trigger: Trigger[Any]
    matrix: Matrix
    watch: int
    pieces: int

    def show(
        self, course: _Course, happened: Happening, *, at: int, labelled: int
    ) -> tuple[Firing, ...]:
        """Show the trigger what happened before chunk `at`; return its causes."""
        chunks, champion = self.matrix.chunks, course.champion
        view = View(
            at=_EPOCH + at * _CHUNK,
            happened=happened,
            champion_since=_EPOCH + champion.chunk * _CHUNK,
            trained_rows=chunks.end(champion.time),
            labelled=labelled,
            baseline={} if course.fresh is None else {course.fresh.metric: course.fresh},
            metrics={_LOSS.name: _LOSS},
        )
        course.state, fired = self.trigger.fires(course.state, view)
        return fired.causes

    def closed(self, course: _Course, chunk: int, beside: Beside | None) -> tuple[Firing, ...]:
        """Show the labels of a chunk, and what else is seen of it; return the causes."""
        champion, labelled = course.champion, self.matrix.chunks.end(chunk + 1)
        causes = self._settled(course, chunk)
        for happened in () if beside is None else beside(champion.time, champion.window, chunk):
            causes += self.show(course, happened, at=chunk + 1, labelled=labelled)
        losses = self.matrix.rows_of(champion.time, champion.window, chunk)
        start = self.matrix.chunks.span(chunk)[0]
        for piece in range(self.pieces):
            low, high = (len(losses) * n // self.pieces for n in (piece, piece + 1))
            if low < high:
                rows = RowRange(start=start + low, stop=start + high)
                closed = _labels(chunk, rows, losses[low:high].astype(float))
                causes += self.show(course, closed, at=chunk + 1, labelled=rows.stop)
        if course.fresh is None:
            rows = RowRange(start=start, stop=start + len(losses))
            course.fresh = _labels(chunk, rows, losses.astype(float)).measurements[_LOSS.name]
        causes += self.show(course, happenings.TimePassed(), at=chunk + 1, labelled=labelled)
        return causes

    def _settled(self, course: _Course, chunk: int) -> tuple[Firing, ...]:
        """Score the replaced model beside the champion; tell the gain when the watch is over."""
        shadow, champion = course.shadow, course.champion
        if shadow is None:
            return ()
        old = self.matrix.rows_of(shadow.model.time, shadow.model.window, chunk)
        new = self.matrix.rows_of(champion.time, champion.window, chunk)
        shadow.gained += float((old.astype(float) - new).sum())
        shadow.rows += len(old)
        shadow.chunks += 1
        course.scored += 1
        if shadow.chunks < self.watch:
            return ()
        course.shadow = None
        settled = happenings.Settled(
            gain=shadow.gained / shadow.rows, lifetime=shadow.lifetime, causes=shadow.causes
        )
        labelled = self.matrix.chunks.end(chunk + 1)
        return self.show(course, settled, at=chunk + 1, labelled=labelled)

    def retrain(self, course: _Course, chunk: int, delay: int, causes: tuple[Firing, ...]) -> None:
        """Let a model of the rows up to `chunk` serve from the next chunk that comes."""
        old, chunks = course.champion, self.matrix.chunks
        new = Deployment(chunk=chunk + delay + 1, time=chunk + 1, window=old.window)
        course.firings[new.chunk] = causes
        course.deployments.append(new)
        course.champion, course.fresh = new, None
        if self.watch:
            course.shadow = _Shadow(
                model=old,
                lifetime=chunks.end(new.time) - chunks.end(old.time),
                causes=tuple(cause.trigger for cause in causes),
            )
        self.show(course, happenings.Promoted(), at=new.chunk, labelled=chunks.end(chunk + 1))


def _looked_up(*_: object) -> None:
    """Measure nothing: what a matrix holds are losses already."""


_LOSS: Metric = Custom(name="loss", function=_looked_up, greater_is_better=False)


def _labels(chunk: int, rows: RowRange, losses: Floats) -> happenings.LabelsClosed:
    """Return a window of labelled rows, with the losses of the champion on it."""
    window = Window(start=_EPOCH + chunk * _CHUNK, end=_EPOCH + (chunk + 1) * _CHUNK, rows=rows)
    n = len(losses)
    spread = float(losses.std(ddof=1)) / math.sqrt(n) if n > 1 else None
    measured = Measurement(
        metric=_LOSS.name, window=window, value=float(losses.mean()), n=n, stderr=spread
    )
    return happenings.LabelsClosed(
        window=window, measurements={_LOSS.name: measured}, losses=losses
    )
