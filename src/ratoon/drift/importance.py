"""How much each column matters for the model: weights for drift."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ratoon.core.errors import LengthMismatch
from ratoon.drift.binning import BINS, coarser
from ratoon.drift.multivariate.sampling import drawn, rows_of, taken
from ratoon.drift.placing import category_places
from ratoon.windows.judged import Floats
from ratoon.windows.summaries import CategoryGrid, Grid, Reference
from ratoon.windows.summaries.summary import Columns, numbers

__all__ = ["Split", "explained", "permuted", "split_by", "weights_of"]

Predict: TypeAlias = Callable[[Columns], Floats]
"""From columns, each of shape (n,), to the model's outputs, shape (n,)."""

Loss: TypeAlias = Callable[[Floats, Floats], Floats]
"""From labels and outputs, each of shape (n,), to what each row costs."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """Outputs by the bin of a column: rows, mean and squared deviations in each, missing ones last.

    Splits of parts of the rows merge.
    """

    grid: Grid
    before: Floats  # the reference's rows in each bin, by which bins are put together
    counts: Floats
    means: Floats
    squares: Floats

    def merged(self, other: Split) -> Split:
        """Return the split of both, which must be by one column of one reference.

        Source: Chan, Golub & LeVeque (1983), The American Statistician 37, equation 2.1.
        """
        counts = self.counts + other.counts
        part = np.divide(other.counts, counts, out=np.zeros(len(counts)), where=counts > 0)
        apart = other.means - self.means
        return Split(
            grid=self.grid,
            before=self.before,
            counts=counts,
            means=self.means + apart * part,
            squares=self.squares + other.squares + apart**2 * self.counts * part,
        )


def split_by(reference: Reference, columns: Columns, outputs: Floats) -> Mapping[str, Split]:
    """Return, for each column of the reference, what the model gave in each of its bins.

    Args:
        reference: with the bins.
        columns: each of shape (n,).
        outputs: of the model, or the labels, shape (n,); rows without one (NaN) are left out.

    Raises:
        KeyError: A column of the reference is missing.
        LengthMismatch: There is not one output a row.

    >>> from ratoon.windows.summaries import reference_of
    >>> table = {"x": np.arange(100.0) % 2, "z": np.arange(100.0) // 2 % 2}
    >>> weights_of(split_by(reference_of(table), table, table["x"] * 3.0))
    {'x': 1.0, 'z': 0.0}
    """
    if rows_of(columns) != len(outputs):
        raise LengthMismatch("columns", rows_of(columns), "outputs", len(outputs))
    return {name: _split(reference, name, columns[name], outputs) for name in reference.grids}


def explained(split: Split, bins: int = BINS) -> float:
    """Return the share of the outputs' variance that a column explains by itself, in [0, 1].

    It is the squared correlation ratio, eta^2 = variance of the bins' means / variance, less what
    that many bins explain by chance: epsilon^2 = 1 - (1 - eta^2) (n - 1) / (n - k). A column that
    matters only together with another one explains nothing by itself: see `permuted`.

    Args:
        split: of outputs.
        bins: of numbers, put together to so many.

    Source: Fisher (1925), Statistical Methods for Research Workers, section 45; Kelley (1935),
    Proceedings of the National Academy of Sciences 21, 554-559.
    """
    rows = float(split.counts.sum())
    if rows < 2:  # noqa: PLR2004 - one row does not vary
        return 0.0
    off = split.means - float(split.counts @ split.means) / rows
    counts = _coarse(split, split.counts, bins)
    sums = _coarse(split, split.counts * off, bins)
    total = float(split.squares.sum() + split.counts @ off**2)
    used = counts > 0
    between = float((sums[used] ** 2 / counts[used]).sum())
    groups = int(used.sum())
    if not total > 0 or rows <= groups:
        return 0.0
    return min(1.0, max(0.0, 1 - (1 - between / total) * (rows - 1) / (rows - groups)))


def weights_of(splits: Mapping[str, Split], bins: int = BINS) -> Mapping[str, float]:
    """Return what each column explains, as weights for `ratoon.monitors.DriftMonitor`."""
    return {name: explained(split, bins) for name, split in splits.items()}


def permuted(
    predict: Predict,
    columns: Columns,
    labels: Floats | None = None,
    *,
    loss: Loss | None = None,
    rows: int = 2000,
    seed: int = 0,
) -> Mapping[str, float]:
    """Return how much the model needs each column: what shuffling it does.

    With labels it is how much larger the mean loss becomes. Without, it is the mean squared change
    of the output, over twice its variance: the total share of a column, with whatever it does
    together with others (1 where the output depends on nothing else).

    Args:
        predict: the model: columns in, outputs of shape (n,) out.
        columns: arrays or of Arrow, each of shape (m,), as `predict` takes them.
        labels: shape (m,); None to look at the outputs alone.
        loss: of each row; None for the squared error.
        rows: that are looked at, drawn at random; at least 1. The model is called once a column.
        seed: of the draws.

    >>> table = {"x": np.arange(100.0), "y": np.arange(100.0) % 7}
    >>> weights = permuted(lambda t: 2 * t["x"], table)
    >>> weights["y"], 0.7 < weights["x"] < 1.3
    (0.0, True)

    Source: Breiman (2001), Machine Learning 45, section 10; Fisher, Rudin & Dominici (2019), JMLR
    20; Jansen (1999), Computer Physics Communications 117, equation 8, without labels.
    """
    rng = np.random.default_rng(seed)
    index = drawn(rows_of(columns), rows, rng)
    table = taken(columns, columns, index)
    outputs = np.asarray(predict(table), dtype=np.float64)
    if labels is None:
        scale, truth, cost = 2 * float(outputs.var()) or 1.0, outputs, _squared
    else:
        scale, truth, cost = 1.0, labels[index], loss or _squared
    usual = float(cost(truth, outputs).mean())
    found: dict[str, float] = {}
    for name in table:
        shuffled = table | taken(table, [name], rng.permutation(len(index)))
        changed = np.asarray(predict(shuffled), dtype=np.float64)
        found[name] = (float(cost(truth, changed).mean()) - usual) / scale
    return found


def _squared(labels: Floats, outputs: Floats) -> Floats:
    return (labels - outputs) ** 2


def _split(reference: Reference, name: str, column: Any, outputs: Floats) -> Split:
    grid, there = reference.grids[name], ~np.isnan(outputs)
    if isinstance(grid, CategoryGrid):
        places = category_places(grid.categories, column)
    else:
        places = grid.places(numbers(column))
    places, values = places[there], outputs[there].astype(np.float64)
    size = len(grid) + 1
    counts = np.bincount(places, minlength=size).astype(float)
    sums = np.bincount(places, weights=values, minlength=size)
    means = np.divide(sums, counts, out=np.zeros(size), where=counts > 0)
    off = values - means[places]
    squares = np.bincount(places, weights=off * off, minlength=size).astype(float)
    before = reference.summary.columns[name].counts.astype(float)
    return Split(grid=grid, before=before, counts=counts, means=means, squares=squares)


def _coarse(split: Split, values: Floats, bins: int) -> Floats:
    """Add neighbouring bins together; the missing rows stay by themselves."""
    before, inner = split.before[:-1], values[:-1]
    if before.any():
        inner = coarser(split.grid, before, inner, bins)[1]
    return np.append(inner, values[-1])
