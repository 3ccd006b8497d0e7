"""A policy on a replay matrix: what it decides, and what the deciding itself took."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from benchmarks.decisions_inputs import Inputs
from benchmarks.decisions_streams import Array, Stream
from ratoon.detectors import Scans
from ratoon.matrix import Deployment, Matrix, Schedule, simulate
from ratoon.triggers import Trigger

Setting: TypeAlias = Mapping[str, Any]
"""Of a policy: its parameters by name; `window` is the place of its training window."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bed:
    """A stream with the matrix of a learner: where policies are tried."""

    stream: Stream
    matrix: Matrix
    means: Array  # of the matrix, (times, windows, chunks)
    inputs: Inputs  # beside the training rows of a model

    @classmethod
    def of(cls, stream: Stream, matrix: Matrix) -> Bed:
        """Return the bed of a stream and its matrix."""
        inputs = Inputs(stream, matrix.chunks)
        return cls(stream=stream, matrix=matrix, means=matrix.means(), inputs=inputs)

    @property
    def rows(self) -> float:
        """Rows of a chunk, on average."""
        chunks = self.matrix.chunks
        return (chunks.rows - chunks.first) / chunks.count

    @property
    def fit_s(self) -> float:
        """CPU seconds of a full fit: the median of those on all rows; never quite nothing."""
        return max(float(np.median(self.matrix.fit_s[:, -1])), 1e-6)

    @property
    def score_s(self) -> float:
        """CPU seconds to score a chunk: the median of the models of all rows."""
        return float(np.median(self.matrix.score_s[:, -1]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """What a policy is made for, and has to do."""

    bed: Bed
    delay: int  # chunks
    cost: float  # of a fit, in summed row losses


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a policy decided, and what that took beside the fits that it deployed."""

    schedule: Schedule
    scored: int = 0  # chunks that a model scored which did not serve them
    challengers: int = 0  # fits of models that did not serve
    cpu_s: float = 0.0  # of the policy itself

    def extra(self, bed: Bed) -> float:
        """Return all that was computed beside the deployed fits, in units of a full fit."""
        return self.challengers + (self.scored * bed.score_s + self.cpu_s) / bed.fit_s


class _Timed:
    """A trigger whose CPU seconds are counted."""

    def __init__(self, trigger: Trigger[Any]) -> None:
        self.trigger = trigger
        self.seconds = 0.0

    def init(self) -> Any:
        return self.trigger.init()

    def fires(self, state: Any, view: Any) -> Any:
        began = time.process_time()
        found = self.trigger.fires(state, view)
        self.seconds += time.process_time() - began
        return found


def triggered(
    task: Task,
    setting: Setting,
    trigger: Trigger[Any],
    *,
    watch: int = 0,
    pieces: int = 1,
    beside: Any = None,
) -> Done:
    """Run a live trigger along the matrix; its own CPU seconds are counted.

    Args:
        task: stream, delay and cost.
        setting: with the place of the training window.
        trigger: the policy.
        watch: chunks for which it has the replaced model scored beside its successor.
        pieces: windows that a chunk is shown in.
        beside: as of `ratoon.matrix.simulate`.
    """
    timed: Any = _Timed(trigger)
    done = simulate(
        timed,
        task.bed.matrix,
        window=setting["window"],
        delay=task.delay,
        watch=watch,
        pieces=pieces,
        beside=beside,
    )
    scored = shadowed(done.schedule, task, watch)
    return Done(schedule=done.schedule, scored=scored, cpu_s=timed.seconds)


def shadowed(schedule: Schedule, task: Task, watch: int) -> int:
    """Return how many chunks were scored by a model that did not serve them.

    With labels d chunks late, a new model serves d chunks after the one that it is first judged
    by: it scores those d as well as the model that served them. The replaced model is scored for
    `watch` chunks, of which it served the first d itself. So it is the larger of the two, or less
    where the next retraining comes before.
    """
    times = [one.time for one in schedule.deployments[1:]]
    ends = [*times[1:], task.bed.matrix.chunks.count - 1 - task.delay]
    each = max(watch, task.delay)
    return sum(max(0, min(end - time, each)) for time, end in zip(times, ends, strict=False))


def scanned(task: Task, setting: Setting, detector: Scans[Any], pieces: int) -> Done:
    """Do what `triggered` does with `triggers.Drift(detector=detector)`, many times as fast.

    A detector reads the champion's losses from its first chunk on, and begins anew with the next.
    So they are read at once, up to the first alarm. Only detectors whose `scan` is their `step`,
    which read values alone and no standard errors.
    """
    bed, place = task.bed, setting["window"]
    found = [Deployment(chunk=0, time=0, window=place)]
    last, cpu_s = bed.matrix.chunks.count - 1 - task.delay, 0.0
    while found[-1].time < last:
        chunk, took = _first_alarm(bed.matrix, found[-1], detector, last, pieces)
        cpu_s += took
        if chunk is None:
            break
        found.append(Deployment(chunk=chunk + task.delay + 1, time=chunk + 1, window=place))
    schedule = Schedule(deployments=tuple(found))
    return Done(schedule=schedule, scored=shadowed(schedule, task, 0), cpu_s=cpu_s)


def _first_alarm(
    matrix: Matrix, champion: Deployment, detector: Scans[Any], last: int, pieces: int
) -> tuple[int | None, float]:
    """Return the chunk of a champion's first alarm, and the CPU seconds up to there.

    Chunks are read in growing parts; what was read behind the alarm's chunk is not charged.
    """
    state, start, length, cpu_s = detector.init(), champion.time, 2, 0.0
    while start < last:
        stop = min(last, start + length)
        values, owners = _pieces(matrix, champion, (start, stop), pieces)
        began = time.process_time()
        state, alarms = detector.scan(state, values)
        took = time.process_time() - began
        if alarms:
            chunk = int(owners[alarms[0].row])
            return chunk, cpu_s + took * float((owners <= chunk).mean())
        start, length, cpu_s = stop, 2 * length, cpu_s + took
    return None, cpu_s


def _pieces(
    matrix: Matrix, champion: Deployment, span: tuple[int, int], pieces: int
) -> tuple[Array, Array]:
    """Return the mean losses of the pieces of some chunks, and the chunk of each."""
    values: list[Array] = []
    for chunk in range(*span):
        losses = matrix.rows_of(champion.time, champion.window, chunk).astype(float)
        cuts = np.unique(np.arange(pieces + 1) * len(losses) // pieces)
        values.append(np.add.reduceat(losses, cuts[:-1]) / np.diff(cuts))
    owners = np.repeat(np.arange(*span), [len(part) for part in values])
    return np.concatenate(values), owners


def challenged(task: Task, setting: Setting, *, charged: bool) -> Done:
    """Train a challenger before each chunk, and deploy the freshest when it has won its price.

    S grows by what the champion loses on a chunk above the freshest challenger, which was trained
    before it, and never falls below 0; at `factor` times the cost of a fit a model is deployed.
    Nobody has these challengers for nothing: it says what knowing the counterfactual is worth.
    """
    bed, place = task.bed, setting["window"]
    chunks = bed.matrix.chunks
    found, gained, fitted = [Deployment(chunk=0, time=0, window=place)], 0.0, 0
    for chunk in range(chunks.count - 1 - task.delay):
        born = found[-1].time
        if chunk > born:
            fitted += 1
            start, stop = chunks.span(chunk)
            ahead = bed.means[born, place, chunk] - bed.means[chunk, place, chunk]
            gained = max(0.0, gained + float(ahead) * (stop - start))
        if gained >= setting["factor"] * task.cost:
            late = Deployment(chunk=chunk + task.delay + 1, time=chunk + 1, window=place)
            found.append(late)
            gained = 0.0
    schedule = Schedule(deployments=tuple(found))
    # what is deployed is trained on the labels of one chunk more than the newest challenger
    return Done(schedule=schedule, challengers=fitted if charged else 0)


def loss_and_fits(bed: Bed, schedule: Schedule) -> tuple[float, int]:
    """Return the sum of the chunks' mean losses under a schedule, and its fits."""
    ends = [one.chunk for one in schedule.deployments[1:]] + [bed.matrix.chunks.count]
    served = (
        bed.means[one.time, one.window, one.chunk : end].sum()
        for one, end in zip(schedule.deployments, ends, strict=True)
    )
    return float(sum(served)), schedule.fits


Run = Callable[[Task, Setting], Done]
Settings: TypeAlias = Sequence[Setting]
