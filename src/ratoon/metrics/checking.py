"""Checks of the rows that a metric is given: what is wrong is said, never counted."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ratoon.core.errors import (
    LengthMismatch,
    MetricNeedsColumn,
    SettingInvalid,
    ValueForbidden,
)
from ratoon.metrics.protocol import Metric
from ratoon.windows.judged import Floats, Judged, Target, widened

Codes: TypeAlias = NDArray[np.intp]

_BINARY = 2  # classes of a binary target
_ROUNDING = 1e-6  # how far a probability of single precision may lie outside of [0, 1]


def check_rows(metric: Metric, judged: Judged) -> None:
    """Refuse a task that `metric` cannot judge, and columns that differ in length."""
    check_task(metric, judged.target)
    rows, outputs, scores = len(judged.labels), len(judged.scored.outputs), judged.scored.scores
    if outputs != rows:
        raise LengthMismatch("labels", rows, "outputs", outputs)
    if scores is not None and len(scores) != rows:
        raise LengthMismatch("labels", rows, "scores", len(scores))


def check_task(metric: Metric, target: Target) -> None:
    """Refuse a task that `metric` cannot judge."""
    if target.task not in metric.tasks:
        setting = f"the task of metric {metric.name!r}"
        raise SettingInvalid(setting, "one of " + ", ".join(sorted(metric.tasks)), target.task)


def class_codes(metric: Metric, judged: Judged) -> tuple[Codes, Codes]:
    """Return labels and outputs as indices into the target's classes, each of shape (n,)."""
    check_rows(metric, judged)
    return labels_of(judged), _codes("outputs", judged.scored.outputs, judged.target)


def truths(column: str, values: Floats, target: Target) -> NDArray[np.bool_]:
    """Return whether each label or output is the second of two classes."""
    second = values == 1.0
    known = np.count_nonzero(second) + np.count_nonzero(values == 0.0)
    if known != len(values) or len(target.classes) != _BINARY:
        return _codes(column, values, target) == 1  # says which value is no code
    return second


def labels_of(judged: Judged) -> Codes:
    """Return the labels as indices into the target's classes, shape (n,)."""
    return _codes("labels", judged.labels, judged.target)


def numbers(metric: Metric, judged: Judged) -> tuple[Floats, Floats]:
    """Return labels and outputs of a regression, all finite."""
    check_rows(metric, judged)
    refuse(~np.isfinite(judged.labels), "labels", "finite", judged.labels)
    refuse(~np.isfinite(judged.scored.outputs), "outputs", "finite", judged.scored.outputs)
    return judged.labels, judged.scored.outputs


def class_scores(metric: Metric, judged: Judged) -> Floats:
    """Return finite scores, one column for each class; a class that the model lacks gets 0.

    Rows without scores raise `MetricNeedsColumn`, unless there are no rows.
    """
    check_rows(metric, judged)
    width, scores = len(judged.target.classes), judged.scored.scores
    if scores is None:
        if len(judged) > 0:
            raise MetricNeedsColumn(metric.name, "scores")
        return np.zeros((0, width))
    if scores.shape[1] > width:
        rule = f"at most those of the {width} classes"
        raise SettingInvalid("columns of the scores", rule, scores.shape[1])
    refuse(~np.isfinite(scores), "scores", "finite", scores)
    return widened(scores, width)


def second_scores(metric: Metric, judged: Judged) -> Floats:
    """Return the finite scores of the second of two classes, shape (n,)."""
    check_rows(metric, judged)
    scores = judged.scored.scores
    if scores is None or scores.shape[1] != _BINARY or len(judged.target.classes) != _BINARY:
        return np.ascontiguousarray(class_scores(metric, judged)[:, 1])
    column = np.ascontiguousarray(scores[:, 1])
    refuse(~np.isfinite(column), "scores", "finite", column)
    return column


def second_probabilities(metric: Metric, judged: Judged) -> Floats:
    """Return the probabilities of the second of two classes, shape (n,)."""
    scores = second_scores(metric, judged)
    if len(scores) and not (scores.min() >= 0.0 and scores.max() <= 1.0):
        outside = (scores < -_ROUNDING) | (scores > 1 + _ROUNDING)
        refuse(outside, "scores", "between 0 and 1", scores)
        return np.clip(scores, 0.0, 1.0)
    return scores


def probabilities(metric: Metric, judged: Judged) -> Floats:
    """Return the scores, one column for each class, refusing what is no probability."""
    scores = class_scores(metric, judged)
    outside = (scores < -_ROUNDING) | (scores > 1 + _ROUNDING)
    refuse(outside, "scores", "between 0 and 1", scores)
    return np.clip(scores, 0.0, 1.0)


def summed(codes: Codes, values: Floats, size: int) -> Floats:
    """Return the sum of `values` over the rows of each code, shape (size,) or more."""
    return np.bincount(codes, values, minlength=size).astype(np.float64, copy=False)


def refuse(wrong: NDArray[np.bool_], column: str, rule: str, values: NDArray[np.float64]) -> None:
    """Raise `ValueForbidden` for the first value of `column` that is `wrong`, if there is one."""
    if wrong.any():
        where = tuple(np.argwhere(wrong)[0])
        raise ValueForbidden(column, rule, float(values[where]), int(where[0]))


def _codes(column: str, values: Floats, target: Target) -> Codes:
    count = len(target.classes)
    if target.task == "binary" and count != _BINARY:
        raise SettingInvalid("classes of a binary target", "two", target.classes)
    with np.errstate(invalid="ignore"):  # of NaN, which equals no code
        codes = values.astype(np.intp)
    if len(codes) and not ((codes == values).all() and codes.min() >= 0 and codes.max() < count):
        right = (values >= 0) & (values < count) & (values == np.floor(values))
        refuse(~right, column, f"an index into the {count} classes", values)
    return codes
