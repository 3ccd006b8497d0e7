"""Regions of the features: the leaves of a small tree, as plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ratoon.estimates.chances import Codes
from ratoon.estimates.isotonic import Calibrator, Ordered, fit_isotonic, ordered
from ratoon.windows.judged import Floats

_FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Regions:
    """A binary tree over the columns of a matrix; node 0 is the root, a leaf has no column."""

    columns: tuple[int, ...]  # of each node: the column that it asks; -1 in a leaf
    thresholds: tuple[float, ...]  # to the left where the value, in single precision, is no greater
    lefts: tuple[int, ...]  # the node to the left; -1 in a leaf
    rights: tuple[int, ...]
    gaps_left: tuple[bool, ...]  # whether a missing value goes to the left

    def leaves(self) -> tuple[int, ...]:
        """Return the nodes that are leaves."""
        return tuple(node for node, left in enumerate(self.lefts) if left < 0)

    def apply(self, matrix: Floats) -> Codes:
        """Return the leaf of each row, shape (n,)."""
        numbers = matrix.astype(np.float32)
        found = np.zeros(len(numbers), dtype=np.intp)
        self._descend(numbers, np.arange(len(numbers)), 0, found)
        return found

    def _descend(self, numbers: Any, rows: Codes, node: int, found: Codes) -> None:
        if self.lefts[node] < 0:
            found[rows] = node
            return
        values = numbers[rows, self.columns[node]]
        left = np.where(np.isnan(values), self.gaps_left[node], values <= self.thresholds[node])
        self._descend(numbers, rows[left], self.lefts[node], found)
        self._descend(numbers, rows[~left], self.rights[node], found)


def grow(matrix: Floats, residuals: Floats, *, leaves: int, least: int) -> Regions:
    """Grow the tree whose leaves explain most of the `residuals`, shape (n, k).

    Args:
        matrix: features, shape (n, d), NaN where they are missing.
        residuals: what calibration has left over, a column a class.
        leaves: how many leaves at most.
        least: rows of a leaf at least.

    Source: Breiman et al. (1984), "Classification and Regression Trees", by scikit-learn.
    """
    from sklearn.tree import DecisionTreeRegressor  # noqa: PLC0415 - slow to import

    model: Any = DecisionTreeRegressor(
        max_leaf_nodes=leaves, min_samples_leaf=least, random_state=0
    )
    if leaves < 2 or 2 * least > len(matrix):  # noqa: PLR2004 - one leaf is no tree
        return Regions(
            columns=(-1,), thresholds=(0.0,), lefts=(-1,), rights=(-1,), gaps_left=(True,)
        )
    tree: Any = model.fit(matrix, residuals).tree_
    return Regions(
        columns=tuple(max(-1, int(column)) for column in tree.feature),
        thresholds=tuple(float(threshold) for threshold in tree.threshold),
        lefts=tuple(int(node) for node in tree.children_left),
        rights=tuple(int(node) for node in tree.children_right),
        gaps_left=tuple(bool(gap) for gap in tree.missing_go_to_left),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionCalibration:
    """A calibrator of each class in each region, on top of the calibrators of the whole."""

    regions: Regions
    calibrators: tuple[tuple[int, tuple[Calibrator, ...]], ...]  # by leaf; one or one a class

    def shares(self, matrix: Floats, whole: Floats) -> Floats:
        """Return the calibrated columns, not normalised; `whole` holds those of the whole."""
        leaf, found = self.regions.apply(matrix), np.empty_like(whole)
        for node, each in self.calibrators:
            here = leaf == node
            for code, calibrator in enumerate(each):
                found[here, code] = calibrator.calibrate(whole[here, code])
        return found


def fit_regions(
    matrix: Floats, whole: Floats, outcomes: Floats, *, leaves: int, least: int
) -> RegionCalibration:
    """Find regions in which `whole` is out, and calibrate it in each of them.

    Args:
        matrix: features, shape (n, d).
        whole: calibrated scores, one column for the positive class of two or one a class, (n, c).
        outcomes: 1 where the label is that class, else 0, (n, c).
        leaves: how many regions at most.
        least: rows of a region at least.
    """
    regions = grow(matrix, outcomes - whole, leaves=leaves, least=least)
    leaf = regions.apply(matrix)
    found: list[tuple[int, tuple[Calibrator, ...]]] = []
    for node in regions.leaves():
        here = leaf == node
        each = tuple(
            fit_isotonic(ordered(whole[here, code], outcomes[here, code] > 0))
            for code in range(whole.shape[1])
        )
        found.append((node, each))
    return RegionCalibration(regions=regions, calibrators=tuple(found))


def best_leaves(
    matrix: Floats, whole: Floats, outcomes: Floats, *, choices: Sequence[int], least: int
) -> int:
    """Return how many regions foretell rows best that they were not fitted on; 1 is none.

    Five blocks of rows behind each other are left out in turn. A number of regions is taken only
    if its squared error is below that of none by a standard error of the difference.
    """
    fold = np.arange(len(matrix)) * _FOLDS // len(matrix)
    base = ((outcomes - whole) ** 2).sum(axis=1)
    best, least_error = 1, 0.0
    for leaves in choices:
        errors = np.empty(len(matrix))
        for block in range(_FOLDS):
            out = fold == block
            fitted = fit_regions(
                matrix[~out], whole[~out], outcomes[~out], leaves=leaves, least=least
            )
            errors[out] = ((outcomes[out] - fitted.shares(matrix[out], whole[out])) ** 2).sum(
                axis=1
            )
        gain = errors - base
        surely = float(gain.mean() + gain.std() / np.sqrt(len(gain)))
        if surely < 0 and gain.mean() < least_error:
            best, least_error = leaves, float(gain.mean())
    return best


def columns_of(classes: Sequence[Ordered], rows: int) -> Floats:
    """Return the outcomes of each class in the order of the reference, shape (n, c)."""
    found = np.empty((rows, len(classes)))
    for code, one in enumerate(classes):
        found[one.order, code] = one.outcomes
    return found
