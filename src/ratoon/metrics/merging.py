"""Metrics of windows that merge: parts of a day, partitions of a log, machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Measurement, Window
from ratoon.metrics.calibration import Reliability
from ratoon.metrics.counts import Cells, Confusion, Counted, OfCounts, cells_of
from ratoon.metrics.histogram import ScoreHistogram
from ratoon.metrics.moments import ErrorMoments
from ratoon.metrics.parts import Mean, Mergeable
from ratoon.metrics.protocol import Metric
from ratoon.windows.judged import Judged, Target

Part: TypeAlias = Confusion | ErrorMoments | Mean | Reliability | ScoreHistogram


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What labelled rows leave behind: small, JSON, and it merges by ``+``.

    Each metric is told from one part; metrics of classes share the confusion. Counts merge
    exactly, sums of floats to the last few digits; the order does not matter.
    """

    target: Target
    n: int
    parts: Mapping[str, Part]  # by the metrics' `part`

    def __add__(self, other: Tally) -> Tally:
        """Merge with what other rows left behind, by the same metrics.

        Raises:
            SettingInvalid: where the targets or the parts are not the same. One target may know
                more classes than the other, behind those that both know.
        """
        if self.parts.keys() != other.parts.keys():
            raise SettingInvalid("parts of a tally", f"{sorted(self.parts)}", sorted(other.parts))
        merged = {name: cast("Any", self.parts[name]) + other.parts[name] for name in self.parts}
        target = _wider(self.target, other.target)
        return Tally(target=target, n=self.n + other.n, parts=merged)

    def measure(self, metric: Metric, window: Window) -> Measurement:
        """Measure what the rows have left behind.

        Raises:
            SettingInvalid: where the metric was not among those of the tally.
        """
        name = _mergeable(metric).part
        if name not in self.parts:
            raise SettingInvalid("metric", f"told from one of {sorted(self.parts)}", metric.name)
        return _mergeable(metric).tell(self.parts[name], self.target, window)


def tally(metrics: Sequence[Metric], judged: Judged) -> Tally:
    """Return what rows leave behind for these metrics.

    Metrics that need all rows at once, as a median or a ranking, raise `SettingInvalid`.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.metrics import F1, Accuracy
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=("good", "bad"))
    >>> said = Scored(outputs=np.array([0.0, 1.0, 1.0, 0.0]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 1.0, 1.0, 1.0]), scored=said)
    >>> metrics = [Accuracy(), F1()]
    >>> day = tally(metrics, judged.take(slice(0, 2))) + tally(metrics, judged.take(slice(2, 4)))
    >>> day.measure(F1(), Window(start=EPOCH, end=EPOCH)).value
    0.8
    """
    parts: dict[str, Part] = {}
    for metric in metrics:
        mergeable = _mergeable(metric)
        if mergeable.part not in parts:
            parts[mergeable.part] = mergeable.count(judged)
    return Tally(target=judged.target, n=len(judged), parts=parts)


def measure_all(
    metrics: Sequence[Metric], judged: Judged, window: Window
) -> tuple[Measurement, ...]:
    """Measure rows by several metrics; those of classes count the rows once.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.metrics import F1, Accuracy
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=("good", "bad"))
    >>> said = Scored(outputs=np.array([0.0, 1.0, 1.0, 0.0]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 1.0, 1.0, 1.0]), scored=said)
    >>> measured = measure_all([Accuracy(), F1()], judged, Window(start=EPOCH, end=EPOCH))
    >>> [m.value for m in measured]
    [0.75, 0.8]
    """
    counted: Cells | None = None
    found: list[Measurement] = []
    for metric in metrics:
        if not isinstance(metric, OfCounts):
            found.append(metric.measure(judged, window))
            continue
        of_counts = cast("Counted", metric)
        if counted is None:
            counted = cells_of(of_counts.count(judged), len(judged.target.classes))
        found.append(of_counts.of_cells(counted, judged.target, window))
    return tuple(found)


def by_class(metric: Metric, judged: Judged, window: Window) -> tuple[Measurement, ...]:
    """Measure each class of the target by itself; `subject` names it.

    Args:
        metric: one that has a `positive` class, as `Recall`.
        judged: the labelled rows.
        window: what they are the rows of.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.metrics import Recall
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=("good", "bad"))
    >>> said = Scored(outputs=np.array([0.0, 1.0, 0.0, 0.0]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 1.0, 1.0, 0.0]), scored=said)
    >>> found = by_class(Recall(), judged, Window(start=EPOCH, end=EPOCH))
    >>> [(m.subject, m.value) for m in found]
    [('good', 1.0), ('bad', 0.5)]
    """
    if not hasattr(metric, "positive"):
        rule = "one that has a positive class, such as Precision, Recall or F1"
        raise SettingInvalid("metric", rule, metric.name)
    of_class = cast("Any", metric)
    classes = judged.target.classes
    each = [replace(of_class, positive=label, average="binary") for label in classes]
    found = measure_all(each, judged, window)
    return tuple(replace(m, subject=str(c)) for m, c in zip(found, classes, strict=True))


def _mergeable(metric: Metric) -> Mergeable[Any]:
    if not hasattr(metric, "tell"):
        rule = "one that can be told from counts or sums, which merge"
        raise SettingInvalid("metric of a tally", rule, metric.name)
    return cast("Mergeable[Any]", metric)


def _wider(left: Target, right: Target) -> Target:
    """Return the target that knows all classes of both."""
    few, many = sorted((left, right), key=lambda target: len(target.classes))
    same = (few.task, few.levels) == (many.task, many.levels)
    extended = {few.task, many.task} == {"binary", "multiclass"}
    if not (same or extended) or many.classes[: len(few.classes)] != few.classes:
        raise SettingInvalid("target of a tally", f"{left}, or with more classes", right)
    return many
