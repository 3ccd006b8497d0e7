"""Counts of labels and outputs, and what the metrics share that are told from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ratoon.core.measuring import Measurement, Window
from ratoon.metrics.checking import Codes, check_rows, check_task, class_codes, summed, truths
from ratoon.metrics.influence import inflation, told
from ratoon.metrics.parts import Mergeable
from ratoon.metrics.protocol import Metric
from ratoon.windows.judged import Floats, Judged, Target

_DENSE = 4096  # so many cells are cheaper to count in a table than by sorting


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How often each label met each output: the cells that occur, by indices into the classes."""

    labels: tuple[int, ...]
    outputs: tuple[int, ...]
    counts: tuple[int, ...]

    def __add__(self, other: Confusion) -> Confusion:
        """Merge with the counts of other rows, exactly."""
        return confusion_of(
            np.array(self.labels + other.labels, dtype=np.intp),
            np.array(self.outputs + other.outputs, dtype=np.intp),
            np.array(self.counts + other.counts, dtype=np.intp),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """A confusion as arrays of shape (cells,), and its sums by class of shape (k,)."""

    labels: Codes
    outputs: Codes
    counts: Floats
    right: Floats  # 1 where the output is the label
    predicted: Floats  # of each class, the rows predicted so
    labelled: Floats  # of each class, the rows labelled so
    hits: Floats  # of each class, the rows both predicted and labelled so
    rows: int


class Counted(Mergeable[Confusion], Protocol):
    """A metric that is told from a confusion."""

    def of_cells(self, found: Cells, target: Target, window: Window, /) -> Measurement:
        """Measure what rows have left behind."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OfCounts:
    """What metrics share that are told from a `Confusion`: all but `of_cells` and their name."""

    part = "confusion"
    tasks = frozenset({"binary", "multiclass"})
    greater_is_better = True
    value_range = (0.0, 1.0)

    def measure(self: Counted, judged: Judged, window: Window, /) -> Measurement:
        """Measure the rows."""
        return self.tell(self.count(judged), judged.target, window)

    def count(self: Counted, judged: Judged, /) -> Confusion:
        """Count how often each label met each output."""
        if judged.target.task == "binary":
            return _of_two(self, judged)
        return confusion_of(*class_codes(self, judged))

    def tell(self: Counted, part: Confusion, target: Target, window: Window, /) -> Measurement:
        """Measure what rows have left behind."""
        check_task(self, target)
        return self.of_cells(cells_of(part, len(target.classes)), target, window)

    def losses(self: Counted, judged: Judged, /) -> Floats | None:
        """Return None: a ratio of counts is no mean of row losses."""
        check_task(self, judged.target)
        return None

    def bound(self: Counted, target: Target, /) -> float | None:
        """Return None: there are no row losses."""
        check_task(self, target)
        return None


def confusion_of(labels: Codes, outputs: Codes, counts: Codes | None = None) -> Confusion:
    """Count the pairs of label and output; each pair once, or as often as `counts` says."""
    width = 1 + int(max(labels.max(initial=0), outputs.max(initial=0)))
    pairs = labels * width + outputs
    if width * width <= max(_DENSE, len(pairs)):
        totals = np.bincount(pairs, counts, minlength=width * width)
        keys = np.flatnonzero(totals)
        totals = totals[keys]
    else:
        keys, places = np.unique(pairs, return_inverse=True)
        totals = np.bincount(places, counts, minlength=len(keys))
    of_labels, of_outputs = np.divmod(keys, width)
    return Confusion(
        labels=tuple(of_labels.tolist()),
        outputs=tuple(of_outputs.tolist()),
        counts=tuple(totals.astype(np.intp).tolist()),
    )


def _of_two(metric: Metric, judged: Judged) -> Confusion:
    """Count labels and outputs of two classes, three times as fast."""
    check_rows(metric, judged)
    labels = truths("labels", judged.labels, judged.target)
    outputs = truths("outputs", judged.scored.outputs, judged.target)
    both = np.count_nonzero(labels & outputs)
    labelled, predicted = np.count_nonzero(labels), np.count_nonzero(outputs)
    neither = len(labels) - labelled - predicted + both
    found = zip(
        (0, 0, 1, 1), (0, 1, 0, 1), (neither, predicted - both, labelled - both, both), strict=True
    )
    there = [cell for cell in found if cell[2]]
    return Confusion(
        labels=tuple(cell[0] for cell in there),
        outputs=tuple(cell[1] for cell in there),
        counts=tuple(int(cell[2]) for cell in there),
    )


def cells_of(confusion: Confusion, classes: int) -> Cells:
    """Return a confusion as arrays, with the sums of each of `classes`."""
    labels = np.array(confusion.labels, dtype=np.intp)
    outputs = np.array(confusion.outputs, dtype=np.intp)
    counts = np.array(confusion.counts, dtype=np.float64)
    right = (labels == outputs).astype(np.float64)
    return Cells(
        labels=labels,
        outputs=outputs,
        counts=counts,
        right=right,
        predicted=summed(outputs, counts, classes),
        labelled=summed(labels, counts, classes),
        hits=summed(labels, counts * right, classes),
        rows=sum(confusion.counts),
    )


def told_of_cells(
    metric: str,
    window: Window,
    found: Cells,
    value: float,
    influence: Floats,
    support: float | None = None,
) -> Measurement:
    """Return the measurement whose stderr comes of the influence of each cell's rows."""
    squares = float(found.counts @ np.square(influence))
    stderr = math.sqrt(squares) / found.rows * inflation(found.rows)
    return told(metric, window, found.rows, value, stderr, support)
