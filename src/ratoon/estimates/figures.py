"""The metrics of classes as functions of the labels' masses: values and gradients."""

from __future__ import annotations

import numpy as np

from ratoon.estimates.chances import Chances, Figure, Tables, of_rows, of_table
from ratoon.windows.judged import Floats

_BINARY = 2
_CLIP = 1e-6  # that of `ratoon.metrics.LogLoss`


def of_outputs(metric: str, found: Tables) -> Figure:
    """Return accuracy, or precision, recall, specificity or F1.

    Of two classes that of the second, of several the mean over all classes. As in
    `ratoon.metrics` a ratio of two classes is None where nothing stands below the line; among
    several classes it then counts as 0.
    """
    if metric == "accuracy":
        return _accuracy(found)
    width = len(found.mass)
    if width == _BINARY:
        value, gradient = _ratio(metric, found, 1)
        if value is None:
            return Figure(metric=metric, value=None)
        return of_table(metric, value, gradient, found)
    parts = [_ratio(metric, found, code) for code in range(width)]
    mean = sum(value or 0.0 for value, _ in parts) / width
    return of_table(metric, mean, np.mean([g for _, g in parts], axis=0), found)


def cost(found: Tables, costs: Floats) -> Figure:
    """Return the mean over the rows of `costs`, shape (k, k), by label and output."""
    total = found.mass.sum()
    mean = float((found.mass * costs).sum() / total)
    return of_table("cost", mean, (costs - mean) / total, found)


def confusion(found: Tables, classes: tuple[str, ...]) -> list[Figure]:
    """Return for each label and output the share of the rows that are so."""
    total = found.mass.sum()
    figures: list[Figure] = []
    for label, output in np.ndindex(found.mass.shape):
        cell = np.zeros_like(found.mass)
        cell[label, output] = 1.0
        share = float(found.mass[label, output] / total)
        subject = f"label={classes[label]}, output={classes[output]}"
        figures.append(of_table("confusion", share, (cell - share) / total, found, subject))
    return figures


def of_losses(metric: str, chances: Chances) -> Figure:
    """Return the Brier score or the log loss, as in `ratoon.metrics`."""
    losses = brier_losses(chances.scores) if metric == "brier" else log_losses(chances.scores)
    masses = chances.masses()
    total = masses.sum()
    value = float(np.einsum("ij,ij->", masses, losses) / total)
    return of_rows(metric, value, (losses - value) / total, chances)


def brier_losses(scores: Floats) -> Floats:
    """Return the squared distance that each label would make, shape (n, k)."""
    if scores.shape[1] == _BINARY:
        return np.column_stack([scores[:, 1] ** 2, (1.0 - scores[:, 1]) ** 2])
    return np.einsum("ij,ij->i", scores, scores)[:, None] - 2.0 * scores + 1.0


def log_losses(scores: Floats) -> Floats:
    """Return the log loss that each label would make, shape (n, k)."""
    return -np.log(np.maximum(scores, _CLIP))


def roc_auc(chances: Chances) -> Figure:
    """Return the area under the ROC curve: of the second of two classes, or the mean of several.

    AUC = sum over pairs of m(i, positive) m(j, negative) (1[s_i > s_j] + 1[s_i = s_j] / 2), over
    the product of both totals. With b(i) the share of the negatives below row i and a(i) that of
    the positives above it, dAUC/dm(i, positive) = (b(i) - AUC) / positives and
    dAUC/dm(i, negative) = (a(i) - AUC) / negatives. None where one of the classes has no mass.
    """
    masses = chances.masses()
    if masses.shape[1] == _BINARY:
        found = area(chances.scores[:, 1], masses[:, 1], masses[:, 0])
        if found is None:
            return Figure(metric="roc_auc", value=None)
        value, up, down = found
        return of_rows("roc_auc", value, np.column_stack([down, up]), chances)
    whole, width, value = masses.sum(axis=1), masses.shape[1], 0.0
    gradient = np.zeros_like(masses)
    for code in range(width):
        found = area(chances.scores[:, code], masses[:, code], whole - masses[:, code])
        if found is None:
            return Figure(metric="roc_auc", value=None)
        one, up, down = found
        value += one / width
        gradient += down[:, None] / width
        gradient[:, code] += (up - down) / width
    return of_rows("roc_auc", value, gradient, chances)


def area(scores: Floats, positive: Floats, negative: Floats) -> tuple[float, Floats, Floats] | None:
    """Return the AUC and its gradient by each row's positive and negative mass; None if undefined.

    >>> import numpy as np
    >>> labels = np.array([0.0, 1.0, 1.0])
    >>> area(np.array([1.0, 1.0, 2.0]), labels, 1 - labels)[0]
    0.75
    """
    order = np.argsort(scores)
    rising = scores[order]
    ups, downs = positive[order], negative[order]
    tied = bool((rising[1:] == rising[:-1]).any())
    begins = np.flatnonzero(np.diff(rising, prepend=np.nan)) if tied else order  # NaN: no tie
    if tied:
        ups, downs = np.add.reduceat(ups, begins), np.add.reduceat(downs, begins)
    up_total, down_total = float(ups.sum()), float(downs.sum())
    if up_total <= 0 or down_total <= 0:
        return None
    below = (np.cumsum(downs) - downs / 2) / down_total
    above = 1.0 - (np.cumsum(ups) - ups / 2) / up_total
    value = float(ups @ below / up_total)
    if tied:
        repeats = np.diff(begins, append=len(order))
        below, above = np.repeat(below, repeats), np.repeat(above, repeats)
    by_up, by_down = np.empty_like(positive), np.empty_like(positive)
    by_up[order] = (below - value) / up_total
    by_down[order] = (above - value) / down_total
    return value, by_up, by_down


def _accuracy(found: Tables) -> Figure:
    total = found.mass.sum()
    value = float(np.trace(found.mass) / total)
    return of_table("accuracy", value, (np.eye(len(found.mass)) - value) / total, found)


def _ratio(metric: str, found: Tables, code: int) -> tuple[float | None, Floats]:
    """Return the ratio of one class and its gradient: top and bottom are sums over cells."""
    width = len(found.mass)
    said, true = np.zeros((width, width)), np.zeros((width, width))
    said[:, code] = 1.0
    true[code, :] = 1.0
    tops_and_bottoms = {
        "precision": (said * true, said),
        "recall": (said * true, true),
        "specificity": ((1.0 - said) * (1.0 - true), 1.0 - true),
        "f1": (2.0 * said * true, said + true),
    }
    top, bottom = tops_and_bottoms[metric]
    below = float((found.mass * bottom).sum())
    if below <= 0:
        return None, np.zeros((width, width))
    value = float((found.mass * top).sum()) / below
    return value, (top - value * bottom) / below
