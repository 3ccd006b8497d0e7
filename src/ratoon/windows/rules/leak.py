"""How well one feature tells the label: too well, and the label has leaked into it.

An association is 0 where a feature says nothing and 1 where it says all:

- numbers and two classes: |2 AUC - 1|, which is Somers' D;
- numbers and a number to predict: Spearman's rank correlation, without its sign;
- texts, or more classes: the square root of the mutual information over the label's entropy, of
  at most 32 values or equal parts of each.

Whether a value is missing may tell the label too: it counts as a feature of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ratoon.windows.judged import Floats
from ratoon.windows.rules.columns import View
from ratoon.windows.rules.data import Mask
from ratoon.windows.rules.found import Breach, Case, Judgement, Told, told
from ratoon.windows.rules.values import ColumnRule

_PARTS = 32
_ROWS_A_PART = 20
_LABEL_PARTS = 10
_RARER = 20  # labels that are not the commonest, and changes of the label, that a group has
_STRONG = 0.7  # half of the variance: from there on a better one is no surprise
_RISE = 0.05


def leaks(case: Case, column: ColumnRule, seen: View) -> list[Breach]:
    """Find a feature that tells the label almost exactly, and did not in the reference.

    A feature that was strong before, as wind is for a turbine, may be better in a calm month.
    """
    data = case.data
    if data.labels is None or data.target is None:
        return []
    sample = case.groups.sample
    labels = np.where(sample >= 0, data.labels[sample], np.nan)
    task = data.target.task
    enough = telling(labels, task)
    if not enough.any():
        return []
    found = association(_sampled(seen, sample), labels, task, texts=seen.codes is not None)
    tolerances, before = case.rules.tolerances, column.association
    was_weak = before is not None and before < _STRONG
    exact = found >= tolerances.leak_fail
    risen = before is None or found - before >= _RISE
    at = Judgement(
        fails=exact & was_weak,
        warns=(exact & risen) | ((found >= tolerances.leak_warn) & (was_weak or before is None)),
        significant=enough,
        size=found,
    )

    def tell(group: int) -> Told:
        usual = "unknown" if before is None else f"{before:.2f}"
        return Told(
            message=f"{column.name!r} alone tells the label almost exactly, as if it had leaked,",
            expected=f"an association of {usual}",
            found=f"{found[group]:.3f}",
        )

    return told(case, case.groups, "leak", column.name, at=at, tell=tell)


def telling(labels: Floats, task: str) -> Mask:
    """Tell which rows of labels, (R, S), are varied enough for an association to mean something.

    Twenty labels must be other than the commonest, and the label must change twenty times: where
    it comes in a few long runs, whatever grows with time tells it.
    """
    there = ~np.isnan(labels)
    if task == "regression":
        with np.errstate(invalid="ignore"):
            middle = _medians(labels)
            labels = np.where(there, labels > middle[:, None], np.nan)
    changes = (labels[:, 1:] != labels[:, :-1]) & there[:, 1:] & there[:, :-1]
    codes = np.where(there, labels, -1).astype(np.intp)
    most = np.zeros(len(labels), dtype=np.intp)
    for code in range(int(codes.max(initial=-1)) + 1):
        most = np.maximum(most, (codes == code).sum(axis=1))
    return (there.sum(axis=1) - most >= _RARER) & (changes.sum(axis=1) >= _RARER)


def association(values: Floats, labels: Floats, task: str, *, texts: bool) -> Floats:
    """Return the association of values and labels, row by row.

    Args:
        values: (R, S), NaN for missing; of texts their codes.
        labels: (R, S), NaN for none.
        task: binary, multiclass or regression.
        texts: whether the values are codes without an order.

    >>> x = np.arange(8.0)[None, :]
    >>> association(x, (x > 3).astype(float), "binary", texts=False).tolist()
    [1.0]
    """
    gone = np.isnan(values) & ~np.isnan(labels)
    if texts or task == "multiclass":
        there = ~np.isnan(labels)
        parts = _common(values) if texts else _parts(values, _count(values))
        classes = _parts(labels, _LABEL_PARTS) if task == "regression" else labels
        return np.sqrt(_explained(np.where(there, parts, np.nan), classes))
    found = _ranked(values, labels, task)
    if gone.any():
        flags = np.where(np.isnan(labels), np.nan, gone)
        found = np.maximum(found, _ranked(flags, labels, task))
    return found


def midranks(values: Floats) -> Floats:
    """Return the ranks of each row from 0, equal values sharing theirs; NaN for NaN.

    >>> midranks(np.array([[3.0, 1.0, 3.0, np.nan]])).tolist()
    [[1.5, 0.0, 1.5, nan]]
    """
    order = np.argsort(values, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    places = np.arange(int(values.shape[1]))
    new = np.ones(values.shape, dtype=bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(new, places, 0), axis=1)
    ends = np.ones(values.shape, dtype=bool)
    ends[:, :-1] = new[:, 1:]
    upside = np.where(ends, places, values.shape[1])[:, ::-1]
    last = np.minimum.accumulate(upside, axis=1)[:, ::-1]
    found = np.empty(values.shape)
    np.put_along_axis(found, order, (first + last) / 2, axis=1)
    return np.where(np.isnan(values), np.nan, found)


def _ranked(values: Floats, labels: Floats, task: str) -> Floats:
    """Return Somers' D or Spearman's correlation, without its sign."""
    both = ~np.isnan(values) & ~np.isnan(labels)
    x = midranks(np.where(both, values, np.nan))
    if task == "binary":
        return _somers(x, np.where(both, labels, np.nan))
    return _correlation(x, midranks(np.where(both, labels, np.nan)), both)


def _somers(ranks: Floats, labels: Floats) -> Floats:
    ones, zeros = labels == 1, labels == 0
    n1, n0 = ones.sum(axis=1).astype(float), zeros.sum(axis=1).astype(float)
    above = np.where(ones, ranks, 0.0).sum(axis=1) - n1 * (n1 - 1) / 2
    auc = np.divide(above, n1 * n0, out=np.full(len(n1), 0.5), where=n1 * n0 > 0)
    return np.abs(2 * auc - 1)


def _correlation(x: Floats, y: Floats, both: Mask) -> Floats:
    n = np.maximum(both.sum(axis=1, keepdims=True), 1)
    x, y = np.nan_to_num(x), np.nan_to_num(y)
    x = np.where(both, x - x.sum(axis=1, keepdims=True) / n, 0.0)
    y = np.where(both, y - y.sum(axis=1, keepdims=True) / n, 0.0)
    scale = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    return np.abs(np.divide((x * y).sum(axis=1), scale, out=np.zeros(len(x)), where=scale > 0))


def _count(values: Floats) -> NDArray[np.intp]:
    """Return into how many parts each row is cut: few where there are few values."""
    there = (~np.isnan(values)).sum(axis=1)
    return np.clip(there // _ROWS_A_PART, 2, _PARTS)


def _parts(values: Floats, count: NDArray[np.intp] | int) -> Floats:
    """Cut each row into equal parts by rank; the missing ones are a part of their own."""
    there = np.maximum((~np.isnan(values)).sum(axis=1, keepdims=True), 1)
    counts = np.broadcast_to(count, len(values))[:, None]
    found = np.floor(midranks(values) * counts / there)
    return np.where(np.isnan(values), float(_PARTS), found)


def _common(codes: Floats) -> Floats:
    """Number the commonest texts; the others, and the missing ones, have a number together."""
    there = codes[~np.isnan(codes)].astype(np.intp)
    counts = np.bincount(there, minlength=1)
    place = np.full(len(counts), float(_PARTS))
    place[np.argsort(-counts, kind="stable")[:_PARTS]] = np.arange(min(_PARTS, len(counts)))
    whole = np.where(np.isnan(codes), 0, codes).astype(np.intp)
    return np.where(np.isnan(codes), float(_PARTS), place[whole])


def _explained(parts: Floats, labels: Floats) -> Floats:
    """Return the mutual information over the entropy of the labels, row by row.

    Each entropy of counts is too low by about (cells - 1) / 2n nats (Miller, Note on the bias of
    information estimates, 1955); that is put right.
    """
    both = ~np.isnan(parts) & ~np.isnan(labels)
    rows = len(parts)
    classes = int(np.max(labels, where=both, initial=0)) + 1
    cell = (np.arange(rows)[:, None] * (_PARTS + 1) + np.where(both, parts, 0)) * classes
    cell = (cell + np.where(both, labels, 0)).astype(np.intp)
    joint = np.bincount(cell[both], minlength=rows * (_PARTS + 1) * classes)
    table = joint.reshape(rows, _PARTS + 1, classes).astype(float)
    n = np.maximum(table.sum(axis=(1, 2)), 1)
    by_part, by_class = table.sum(axis=2), table.sum(axis=1)
    entropy = _entropy(by_class, n)
    shared = _entropy(by_part, n) + entropy - _entropy(table.reshape(rows, -1), n)
    cells = (table > 0).sum(axis=(1, 2)) - (by_part > 0).sum(axis=1) - (by_class > 0).sum(axis=1)
    bias = (cells + 1) / (2 * n)
    left = np.clip(shared - bias, 0.0, None)
    return np.divide(left, entropy, out=np.zeros(rows), where=entropy > 0).clip(0, 1)


def _entropy(counts: Floats, n: Floats) -> Floats:
    share = counts / n[:, None]
    return -np.where(share > 0, share * np.log(np.where(share > 0, share, 1)), 0).sum(axis=1)


def _medians(labels: Floats) -> Floats:
    ordered = np.sort(labels, axis=1)
    there = (~np.isnan(ordered)).sum(axis=1)
    return ordered[np.arange(len(labels)), np.maximum(there - 1, 0) // 2]


def _sampled(seen: View, sample: NDArray[np.intp]) -> Floats:
    """Return the sampled values, NaN for a missing one; of texts their codes."""
    if seen.codes is not None:
        codes = seen.codes[sample].astype(np.float64)
        return np.where((sample >= 0) & (codes >= 0), codes, np.nan)
    assert seen.numbers is not None
    return np.where(sample >= 0, seen.numbers[sample], np.nan)
