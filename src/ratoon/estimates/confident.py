"""What all estimates from calibrated scores share: their reference, checks and standard errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ratoon.core.measuring import Window
from ratoon.estimates.asked import (
    Asked,
    Frame,
    Matrix,
    Said,
    check_classes,
    check_costs,
    check_labels,
    codes,
    said_by,
)
from ratoon.estimates.chances import Chances, Codes
from ratoon.estimates.estimate import Check, Estimate, at_least, at_most
from ratoon.estimates.isotonic import Ordered, ordered
from ratoon.estimates.sampling import ReferenceErrors, reference_errors
from ratoon.estimates.support import OUTSIDE, Support, support_of
from ratoon.windows.judged import Floats, Judged, Scalar, Target
from ratoon.windows.rows import Rows

_BINARY = 2
LEAST_ROWS = 300  # of a reference; a curve through fewer is mostly chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What every estimate of classes keeps of its reference; small, and JSON."""

    task: str
    classes: tuple[Scalar, ...]
    errors: ReferenceErrors
    ranges: tuple[
        tuple[float, float], ...
    ]  # of the scores, of the positive class of two, or of all
    support: Support | None  # of the features; None: there were none


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """A reference's rows, checked."""

    labels: Codes
    said: Said
    reference: Reference
    classes: tuple[Ordered, ...]  # its rows by the positive score of two, or by all of several


def known_of(judged: Judged, costs: Matrix | None) -> Known:
    """Check a reference and sum it up.

    Raises:
        SettingInvalid: the task is not one of classes, or `costs` are not (k, k).
        MetricNeedsColumn: there are no scores.
        RowsRefused: there are no rows, or a label, output or score is none.
    """
    width = check_classes(judged.target)
    check_costs(costs, width)
    check_labels(judged)
    said, labels = (
        said_by(judged.scored, width, judged.features),
        codes("labels", judged.labels, width),
    )
    chosen = [1] if width == _BINARY else range(width)
    classes = tuple(ordered(said.scores[:, code], labels == code) for code in chosen)
    reference = Reference(
        task=judged.target.task,
        classes=judged.target.classes,
        errors=reference_errors(said.scores, labels, said.outputs, classes),
        ranges=tuple((float(one.scores[0]), float(one.scores[-1])) for one in classes),
        support=None if judged.features is None else support_of(judged.features),
    )
    return Known(labels=labels, said=said, reference=reference, classes=classes)


def target_of(reference: Reference) -> Target:
    """Return what the reference's model predicts."""
    return Target(task=reference.task, classes=reference.classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What an estimate rests on."""

    method: str
    reference: Reference
    effective: float  # reference rows that count for this window
    assumptions: tuple[str, ...]
    checks: tuple[Check, ...] = ()  # those of the method


def confident(
    basis: Basis, asked: Asked, said: Said, likely: Floats, window: Window, rows: Rows | None
) -> tuple[Estimate, ...]:
    """Return the estimates of a window whose labels have the probabilities `likely`, (n, k)."""
    reference, n = basis.reference, len(said.outputs)
    chances = Chances(outputs=said.outputs, scores=said.scores, likely=likely)
    frame = Frame(
        method=basis.method,
        window=window,
        rows=n,
        assumptions=basis.assumptions,
        checks=(*checks_of(basis, said, rows), *basis.checks),
    )
    more = 1.0 + n / basis.effective  # the reference had the same chance
    return frame.estimates(
        asked.figures(chances, reference.classes),
        lambda figure: figure.noise * more,
        asked.sampling_errors(reference.errors, n),
    )


def checks_of(basis: Basis, said: Said, rows: Rows | None) -> tuple[Check, ...]:
    """Check that the reference is large enough, and that the window lies inside of it."""
    reference, effective = basis.reference, basis.effective
    columns = said.scores[:, -len(reference.ranges) :].T
    beyond = [
        (c < low) | (c > high) for c, (low, high) in zip(columns, reference.ranges, strict=True)
    ]
    outside = float(np.logical_or.reduce(beyond).mean())
    told = f"{outside:.1%} of the scores lie outside of those of the reference"
    checks = (
        at_least("reference_rows", effective, LEAST_ROWS, f"it rests on {effective:.0f} rows"),
        at_most("scores_outside", outside, OUTSIDE, told),
    )
    if rows is None or reference.support is None:
        return checks
    return (*checks, reference.support.check(rows))
