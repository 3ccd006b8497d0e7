"""What is asked of an estimator of classes: which metrics, and the window's rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratoon.core.errors import (
    BatchEmpty,
    LengthMismatch,
    MetricNeedsColumn,
    SettingInvalid,
    ValueForbidden,
)
from ratoon.core.measuring import Measurement, Window
from ratoon.core.settings import finite, one_of
from ratoon.estimates import figures
from ratoon.estimates.chances import Chances, Codes, Figure, tables
from ratoon.estimates.estimate import Check, Estimate
from ratoon.estimates.sampling import ReferenceErrors, sampling_error
from ratoon.windows.judged import Floats, Judged, Scalar, Scored, Target, widened
from ratoon.windows.rows import Rows

Matrix = tuple[tuple[float, ...], ...]

_RATIOS = ("precision", "recall", "specificity", "f1")
_USUAL = ("accuracy", *_RATIOS, "roc_auc", "brier", "log_loss")
_ROUNDING = 1e-6  # how far a probability of single precision may lie outside of [0, 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The metrics asked for, and what a row of each label and output costs."""

    metrics: tuple[str, ...]
    costs: Matrix | None

    def figures(self, chances: Chances, classes: Sequence[Scalar]) -> list[Figure]:
        """Return the figures of all metrics, in the order in which they were asked for."""
        found, all_of = tables(chances), list[Figure]()
        for metric in self.metrics:
            if metric == "roc_auc":
                all_of.append(figures.roc_auc(chances))
            elif metric in ("brier", "log_loss"):
                all_of.append(figures.of_losses(metric, chances))
            elif metric == "confusion":
                all_of.extend(figures.confusion(found, tuple(str(c) for c in classes)))
            elif metric == "cost":
                all_of.append(figures.cost(found, np.array(self.costs)))
            else:
                all_of.append(figures.of_outputs(metric, found))
        return all_of

    def sampling_errors(self, reference: ReferenceErrors, rows: int) -> list[float | None]:
        """Return NannyML's sampling error of each figure, in the same order."""
        errors: list[float | None] = []
        for metric in self.metrics:
            if metric == "confusion":
                errors += [
                    sampling_error(metric, reference, rows, cell)
                    for cell in _cells(len(reference.table))
                ]
            else:
                costs = np.array(self.costs) if metric == "cost" else None
                errors.append(sampling_error(metric, reference, rows, costs))
        return errors


def asked_of(metrics: tuple[str, ...], costs: Matrix | None) -> Asked:
    """Return what is asked for; no metrics ask for the usual ones, and for a cost if there is one.

    Raises:
        SettingInvalid: a metric is not known, or "cost" lacks its matrix.
    """
    known = {*_USUAL, "confusion", "cost"}
    for name in metrics:
        one_of("metrics", name, known)
    if costs is None and "cost" in metrics:
        raise SettingInvalid("costs", "given with metric 'cost'", costs)
    for number in (number for row in costs or () for number in row):
        finite("costs", number)
    usual = (*_USUAL, "cost") if costs is not None else _USUAL
    return Asked(metrics=metrics or usual, costs=costs)


def check_costs(costs: Matrix | None, classes: int) -> None:
    """Refuse costs that are not one number for each label and output."""
    if costs is not None and [len(row) for row in costs] != [classes] * classes:
        raise SettingInvalid("costs", f"{classes} rows (labels) of {classes} (outputs)", costs)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Said:
    """What a model said of n rows, checked: classes by their indices, and probabilities."""

    outputs: Codes
    scores: Floats


def said_by(scored: Scored, classes: int, rows: Rows | None = None) -> Said:
    """Return outputs and scores, refusing what is no class and no probability.

    `rows` are the features beside them, if there are any.

    Raises:
        BatchEmpty: there are no rows.
        MetricNeedsColumn: there are no scores.
        LengthMismatch: outputs, scores and features differ in length.
        ValueForbidden: an output is no index into the classes, or a score no probability.
    """
    check_features(scored, rows)
    if len(scored) == 0:
        raise BatchEmpty("the window")
    if scored.scores is None:
        raise MetricNeedsColumn("an estimate", "scores")
    if len(scored.scores) != len(scored):
        raise LengthMismatch("outputs", len(scored), "scores", len(scored.scores))
    if scored.scores.shape[1] > classes:
        rule = f"at most those of the {classes} classes"
        raise SettingInvalid("columns of the scores", rule, scored.scores.shape[1])
    low, high = float(scored.scores.min()), float(scored.scores.max())
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):  # also where one is NaN
        right = (scored.scores >= -_ROUNDING) & (scored.scores <= 1 + _ROUNDING)
        _refuse(~right, "scores", "between 0 and 1", scored.scores)
    scores = scored.scores if low >= 0 and high <= 1 else np.clip(scored.scores, 0.0, 1.0)
    return Said(outputs=codes("outputs", scored.outputs, classes), scores=widened(scores, classes))


def check_features(scored: Scored, rows: Rows | None) -> None:
    """Refuse features that are not those of the rows scored."""
    if rows is not None and len(rows) != len(scored):
        raise LengthMismatch("features", len(rows), "outputs", len(scored))


def codes(column: str, values: Floats, classes: int) -> Codes:
    """Return `values` as indices into the classes."""
    with np.errstate(invalid="ignore"):
        found = values.astype(np.intp)
    wrong = (found != values) | (found < 0) | (found >= classes)
    _refuse(wrong, column, f"an index into the {classes} classes", values)
    return found


def check_classes(target: Target) -> int:
    """Return the number of classes; another task raises `SettingInvalid`."""
    if target.task not in ("binary", "multiclass"):
        raise SettingInvalid("the task of the estimate", "binary or multiclass", target.task)
    return len(target.classes)


def check_labels(judged: Judged) -> None:
    """Refuse a reference without rows, or whose labels and outputs differ in length."""
    if len(judged) == 0:
        raise BatchEmpty("the reference")
    if len(judged.scored) != len(judged):
        raise LengthMismatch("labels", len(judged), "outputs", len(judged.scored))


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What all estimates of a window have in common."""

    method: str
    window: Window
    rows: int
    assumptions: tuple[str, ...]
    checks: tuple[Check, ...]

    def estimates(
        self,
        found: list[Figure],
        variance: Callable[[Figure], float],
        errors: list[float | None],
    ) -> tuple[Estimate, ...]:
        """Return an estimate for each figure; `variance` is its squared standard error."""
        return tuple(
            Estimate(
                measurement=Measurement(
                    metric=figure.metric,
                    window=self.window,
                    value=figure.value,
                    n=self.rows,
                    stderr=None if figure.value is None else float(np.sqrt(variance(figure))),
                    subject=figure.subject,
                ),
                method=self.method,
                assumptions=self.assumptions,
                checks=self.checks,
                sampling_error=error,
            )
            for figure, error in zip(found, errors, strict=True)
        )


def _cells(classes: int) -> list[Floats]:
    return list(np.eye(classes * classes).reshape(-1, classes, classes))


def _refuse(wrong: NDArray[np.bool_], column: str, rule: str, values: Floats) -> None:
    if wrong.any():
        where = tuple(np.argwhere(wrong)[0])
        raise ValueForbidden(column, rule, float(values[where]), int(where[0]))
