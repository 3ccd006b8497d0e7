"""Sampling errors as NannyML defines them: the deviation of a metric's rows on the reference.

    sampling error = s / √(n f)

with s the deviation (divisor m) over those reference rows that a metric looks at (of precision
those predicted positive, of recall those that are positive, ...), f their share of the reference,
and n the rows of the window. It says how far a metric of n rows drawn like the reference lies from
its mean. `Measurement.stderr` of an estimate is another number: how far the metric on the labels
may lie from the estimate, which knows the window's scores already. Where scores tell labels apart
well that is less; it grows by the reference's own chance.

Source: NannyML, "Estimation of standard error" (docs, how it works), and its code for F1 of
several classes, which lacks the factor that F1 of two has, and for AUC of several, which is
multiplied by 1.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ratoon.estimates.chances import Codes
from ratoon.estimates.figures import log_losses
from ratoon.estimates.isotonic import Ordered
from ratoon.windows.judged import Floats

Numbers = tuple[float, ...]

_BINARY = 2
_AUC_FACTOR = 1.2  # NannyML: "underestimated sampling error by 20%"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceErrors:
    """What the sampling errors need of the reference; small, and JSON."""

    rows: int
    table: tuple[Numbers, ...]  # rows by label and output
    ranks: tuple[tuple[float, float], ...]  # of each class: deviation of the AUC's rows, share
    losses: tuple[float, float]  # deviations of the Brier score and of the log loss of a row


def reference_errors(
    scores: Floats, labels: Codes, outputs: Codes, classes: Sequence[Ordered]
) -> ReferenceErrors:
    """Sum the reference up; `classes` are its rows in the order of each score that ranks them."""
    width, rows = scores.shape[1], len(labels)
    table = np.bincount(labels * width + outputs, minlength=width * width)
    own = scores[np.arange(rows), labels]
    if width == _BINARY:
        brier = (1.0 - own) ** 2
    else:
        brier = np.einsum("ij,ij->i", scores, scores) - 2.0 * own + 1.0
    return ReferenceErrors(
        rows=rows,
        table=tuple(tuple(row) for row in table.reshape(width, width).astype(float).tolist()),
        ranks=tuple(_ranks(one.outcomes) for one in classes),
        losses=(float(brier.std()), float(log_losses(own).std())),
    )


def sampling_error(
    metric: str, reference: ReferenceErrors, rows: int, cells: Floats | None = None
) -> float | None:
    """Return the sampling error of a metric over `rows` rows; None where it is undefined.

    Args:
        metric: its name.
        reference: the reference, summed up.
        rows: rows of the window.
        cells: of a metric that is the mean of a number by label and output, that number, (k, k).
    """
    if metric in ("brier", "log_loss"):
        return reference.losses[0 if metric == "brier" else 1] / math.sqrt(rows)
    table = np.array(reference.table)
    if metric == "accuracy":
        cells = np.eye(len(table))
    if cells is not None:
        mean = (table * cells).sum() / table.sum()
        return math.sqrt((table * (cells - mean) ** 2).sum() / table.sum() / rows)
    factor, parts = 1.0, reference.ranks
    if metric == "roc_auc":
        factor = 1.0 if len(parts) == 1 else _AUC_FACTOR
    else:
        chosen = [1] if len(table) == _BINARY else range(len(table))
        parts = tuple(_of_class(metric, table, code) for code in chosen)
    if any(share <= 0 or math.isnan(deviation) for deviation, share in parts):
        return None
    return factor * math.sqrt(sum(s**2 / (rows * share) for s, share in parts)) / len(parts)


def _of_class(metric: str, table: Floats, code: int) -> tuple[float, float]:
    """Return the deviation over the rows that the metric of a class looks at, and their share."""
    hits, total = table[code, code], table.sum()
    said, true = table[:, code].sum(), table[code, :].sum()
    good, looked = {
        "precision": (hits, said),
        "recall": (hits, true),
        "specificity": (total - said - true + hits, total - true),
        "f1": (hits, said + true - hits),
    }[metric]
    if looked <= 0:
        return math.nan, 0.0
    deviation = math.sqrt(good / looked * (1.0 - good / looked))
    if metric == "f1" and len(table) == _BINARY:
        deviation *= looked / (hits + (looked - hits) / 2)
    return deviation, looked / total


def _ranks(outcomes: Floats) -> tuple[float, float]:
    """Return the deviation, over the rarer class, of the share of the other that lies below."""
    rows = len(outcomes)
    ups = int(outcomes.sum())
    if 2 * ups > rows:
        outcomes, ups = 1.0 - outcomes[::-1], rows - ups
    if not ups:
        return math.nan, 0.0
    places = np.flatnonzero(outcomes)
    below = (places - np.arange(ups)) / (rows - ups)
    return float(below.std()), ups / rows
