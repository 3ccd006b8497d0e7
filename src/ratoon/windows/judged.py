"""Labelled rows beside what a model said of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ratoon.windows.rows import Rows

Floats: TypeAlias = NDArray[np.float64]
Groups: TypeAlias = NDArray[np.intp]
Index: TypeAlias = slice | NDArray[np.intp]
Scalar: TypeAlias = bool | int | float | str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """What is predicted: a number, one of several classes, or the order of items in a query.

    A regression whose model gives quantiles beside its output says which: `levels`.
    """

    task: str  # "binary", "multiclass", "regression" or "ranking"
    classes: tuple[Scalar, ...] = ()  # in order; of two, the second is the positive one
    levels: tuple[float, ...] = ()  # of the quantiles in the scores, rising, between 0 and 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """What one model said of n rows."""

    outputs: Floats  # (n,): the value, or the class as an index into the target's classes
    scores: Floats | None = None  # (n, k): probability of each class; of a regression, quantiles

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.outputs)

    def take(self, index: Index) -> Scored:
        """Return the rows at `index`, in its order."""
        scores = None if self.scores is None else self.scores[index]
        return Scored(outputs=self.outputs[index], scores=scores)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """n labelled rows beside what one model said of them."""

    target: Target
    labels: Floats  # (n,): the value, the class as an index, or how relevant an item is
    scored: Scored
    groups: Groups | None = None  # (n,): rows of one number are the items of one query
    features: Rows | None = None  # of the same rows, for slices and for metrics that read them

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.labels)

    def take(self, index: Index) -> Judged:
        """Return the rows at `index`, in its order."""
        return Judged(
            target=self.target,
            labels=self.labels[index],
            scored=self.scored.take(index),
            groups=None if self.groups is None else self.groups[index],
            features=None if self.features is None else self.features.take(index),
        )


def joined(parts: list[Scored]) -> Scored:
    """Put scored batches behind each other; scores are kept where every part has them.

    A part that knows fewer classes than another gives the others probability 0.
    """
    outputs = np.concatenate([part.outputs for part in parts])
    tables = [part.scores for part in parts]
    if any(table is None for table in tables):
        return Scored(outputs=outputs)
    known = [table for table in tables if table is not None]
    width = max(table.shape[1] for table in known)
    return Scored(outputs=outputs, scores=np.concatenate([widened(t, width) for t in known]))


def widened(scores: Floats, width: int) -> Floats:
    """Return `scores` with columns of zeros behind, up to `width` classes; wider ones stay."""
    if scores.shape[1] >= width:
        return scores
    wide = np.zeros((len(scores), width))
    wide[:, : scores.shape[1]] = scores
    return wide
