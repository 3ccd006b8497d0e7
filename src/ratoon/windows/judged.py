"""Labelled rows beside what a model said of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Scalar: TypeAlias = bool | int | float | str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """What is predicted: a number, or one of several classes."""

    task: str  # "binary", "multiclass" or "regression"
    classes: tuple[Scalar, ...] = ()  # in order; of two, the second is the positive one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """What one model said of n rows."""

    outputs: Floats  # (n,): the value, or the class as an index into the target's classes
    scores: Floats | None = None  # (n, k): probability of each class, rows sum to 1

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.outputs)

    def take(self, index: slice) -> Scored:
        """Return the rows at `index`."""
        scores = None if self.scores is None else self.scores[index]
        return Scored(outputs=self.outputs[index], scores=scores)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """n labelled rows beside what one model said of them."""

    target: Target
    labels: Floats  # (n,): the value, or the class as an index into the target's classes
    scored: Scored

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.labels)

    def take(self, index: slice) -> Judged:
        """Return the rows at `index`."""
        return Judged(target=self.target, labels=self.labels[index], scored=self.scored.take(index))


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
    """Return `scores` with columns of zeros behind, up to `width` classes."""
    if scores.shape[1] == width:
        return scores
    wide = np.zeros((len(scores), width))
    wide[:, : scores.shape[1]] = scores
    return wide
