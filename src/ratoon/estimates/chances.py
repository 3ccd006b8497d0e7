"""Rows whose labels are known by chance only, and how a metric follows each label's chance.

Row i is of class c with mass m(i, c) = w(i) p(i, c): p is how likely its label is c, w how much
the row counts. Labels that are known are the case of p being 0 or 1. Every metric of classes is a
function T of these masses that a common factor leaves alone, so its gradient g(i, c) = dT/dm(i, c)
tells all that is needed of it:

    noise  = sum over i of w(i)^2 Var of g(i, c) over c ~ p(i)   variance that comes of the labels
    spread = sum over i and c of w(i)^2 p(i, c) g(i, c)^2        variance that comes of the rows

Both are the delta method. A gradient that depends on the row through its output alone is a table,
G[c, output]; then both cost O(n k + k^3) for k classes, once, for all metrics together.

Source: van der Vaart (1998), "Asymptotic Statistics", theorem 3.1; Kivimäki, Białek, Kuberski &
Nurminen (2025), "Performance Estimation in Binary Classification Using Calibrated Confidence",
section 3, for the labels as independent Bernoulli variables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ratoon.windows.judged import Floats

Codes: TypeAlias = NDArray[np.intp]

_BINARY = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chances:
    """n rows: what a model said of them, and the mass of each label."""

    outputs: Codes  # (n,): indices into the classes
    scores: Floats  # (n, k): what the model said, not calibrated
    likely: Floats  # (n, k): how likely each label is, rows sum to 1
    weights: Floats | None = None  # (n,): how much a row counts; None: all 1

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.outputs)

    def masses(self) -> Floats:
        """Return the mass of each label of each row, shape (n, k)."""
        return self.likely if self.weights is None else self.likely * self.weights[:, None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """What all metrics of outputs need of the rows, for k classes."""

    mass: Floats  # (k, k): mass by label and output
    pairs: Floats  # (k, k, k): by output, sum of w^2 p(c) p(d)
    squares: Floats  # (k, k): by label and output, sum of w^2 p


def tables(chances: Chances) -> Tables:
    """Sum the rows up by their outputs."""
    if chances.weights is None and chances.likely.shape[1] == _BINARY:
        return _of_two(chances.outputs, chances.likely[:, 1])
    width, masses = chances.likely.shape[1], chances.masses()
    squared = masses if chances.weights is None else masses * chances.weights[:, None]
    mass, squares = np.zeros((width, width)), np.zeros((width, width))
    pairs = np.zeros((width, width, width))
    for output in range(width):
        here = chances.outputs == output
        these = masses[here]
        mass[:, output] = these.sum(axis=0)
        squares[:, output] = squared[here].sum(axis=0)
        pairs[output] = these.T @ these
    return Tables(mass=mass, pairs=pairs, squares=squares)


def _of_two(outputs: Codes, positive: Floats) -> Tables:
    """Return the tables of two classes and rows that all count as 1, from three sums."""
    parts = [positive[outputs == output] for output in range(_BINARY)]
    rows = np.array([float(len(part)) for part in parts])
    ups = np.array([part.sum() for part in parts])
    squares = np.array([part @ part for part in parts])
    mass = np.stack([rows - ups, ups])
    mixed = ups - squares
    pairs = np.stack([rows - ups - mixed, mixed, mixed, squares], axis=-1)
    return Tables(mass=mass, pairs=pairs.reshape(_BINARY, _BINARY, _BINARY), squares=mass)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A metric's value and its variances; what the window is sampled from is not known here."""

    metric: str
    subject: str | None = None
    value: float | None
    noise: float = 0.0  # variance that comes of the labels, in the metric's unit squared
    spread: float = 0.0  # variance that comes of the rows
    each: float = 0.0  # variance of the influence of one row; over n it is that of n rows


def of_table(
    metric: str, value: float, gradient: Floats, found: Tables, subject: str | None = None
) -> Figure:
    """Return the figure of a metric whose gradient is the table G[label, output]."""
    whole = float((found.squares * gradient**2).sum())
    shared = sum(float(g @ pair @ g) for g, pair in zip(gradient.T, found.pairs, strict=True))
    return Figure(
        metric=metric,
        subject=subject,
        value=value,
        noise=max(0.0, whole - shared),
        spread=whole,
        each=float(found.mass.sum() * (found.mass * gradient**2).sum()),
    )


def of_rows(metric: str, value: float, gradient: Floats, chances: Chances) -> Figure:
    """Return the figure of a metric whose gradient is g(i, c), shape (n, k)."""
    weights = chances.weights
    moved = chances.likely * gradient
    means = np.einsum("ij->i", moved)
    seconds = np.einsum("ij,ij->i", moved, gradient)
    once = seconds if weights is None else seconds * weights
    twice = once if weights is None else once * weights
    shared = means if weights is None else means * weights
    total = float(len(chances)) if weights is None else float(weights.sum())
    whole = float(twice.sum())
    return Figure(
        metric=metric,
        value=value,
        noise=max(0.0, whole - float(shared @ shared)),
        spread=whole,
        each=total * float(once.sum()),
    )
