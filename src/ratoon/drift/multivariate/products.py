"""Sums of products of columns, two by two: what correlations follow from, and they add up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ratoon.core.errors import SettingInvalid
from ratoon.windows.judged import Floats
from ratoon.windows.summaries import NumberGrid, Reference
from ratoon.windows.summaries.summary import Columns, numbers

Kind: TypeAlias = Literal["spearman", "pearson"]

MOST_COLUMNS = 200
"""Columns of numbers whose correlations are looked at: 19,900 pairs."""

_POWERS = ((0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (1, 1), (2, 1), (3, 1), (2, 2))
_BLOCK = 32_768  # rows that are worked on at once


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Products:
    """Sums over the rows in which two columns both have a value: x^a y^b for a + b up to 4.

    x and y are ranks among the reference's values, or values in the reference's deviations.
    """

    names: tuple[str, ...]
    kind: Kind
    sums: Floats  # (9, d, d)

    def merged(self, other: Products) -> Products:
        """Return the sums of both, which must be of one reference and one kind."""
        return Products(names=self.names, kind=self.kind, sums=self.sums + other.sums)

    def of(self, a: int, b: int) -> Floats:
        """Return the sums of x^a y^b, shape (d, d); x is the column of the row."""
        if a < b:
            return self.sums[_POWERS.index((b, a))].T
        return self.sums[_POWERS.index((a, b))]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Correlated:
    """The correlation of each pair of columns, each of shape (d, d)."""

    rows: Floats  # in which both have a value
    values: Floats  # NaN where a column does not vary
    stderrs: Floats


def products_of(reference: Reference, columns: Columns, kind: Kind = "spearman") -> Products:
    """Return the sums of products of the columns of numbers, in one pass.

    Args:
        reference: with the bins by which values have ranks.
        columns: of a window, or of the reference itself, each of shape (n,).
        kind: ``"spearman"``: of ranks, which one extreme value does not move. A value's rank is
            that of the middle of its bin among the reference's values, on both sides, so that sums
            of parts add up. ``"pearson"``: of values, cut at the reference's least and greatest.

    Raises:
        KeyError: A column of the reference is missing.
        SettingInvalid: There are more than 200 columns of numbers.

    >>> from ratoon.windows.summaries import reference_of
    >>> table = {"x": np.arange(100.0), "y": np.arange(100.0)[::-1]}
    >>> sums = products_of(reference_of(table), table)
    >>> correlations(sums).values.round(6).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    grids = {name: g for name, g in reference.grids.items() if isinstance(g, NumberGrid)}
    if len(grids) > MOST_COLUMNS:
        raise SettingInvalid("columns", f"at most {MOST_COLUMNS} of numbers", len(grids))
    scores = [_scores(reference, name, grid, columns[name], kind) for name, grid in grids.items()]
    sums = np.zeros((len(_POWERS), len(grids), len(grids)))
    for start in range(0, len(scores[0]) if scores else 0, _BLOCK):
        sums += _sums(np.column_stack([column[start : start + _BLOCK] for column in scores]))
    return Products(names=tuple(grids), kind=kind, sums=sums)


def correlations(products: Products) -> Correlated:
    """Return the correlations, and standard errors that hold whatever the distribution.

    The influence of a row on r is x y - r (x^2 + y^2) / 2, with x and y standardised; its variance
    follows from moments up to the fourth. For a normal distribution that is (1 - r^2)^2 / n.

    Source: Kendall & Stuart (1977), The Advanced Theory of Statistics 1, section 10.6.
    """
    rows = products.of(0, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        m = {power: products.of(*power) / rows for power in (*_POWERS, *_SWAPPED)}
        x, y = np.sqrt(_second(m, first=True)), np.sqrt(_second(m, first=False))
        r = (m[1, 1] - m[1, 0] * m[0, 1]) / (x * y)
        squares = _mixed(m) / (x * y) ** 2
        cubes = _third(m) / (x**3 * y)
        swapped = cubes.T
        fourths = _fourth(m) / x**4
        variance = squares - r * (cubes + swapped)
        variance += r * r / 4 * (fourths + fourths.T + 2 * squares)
        flat = _FLAT * (1 + np.abs(m[1, 0])), _FLAT * (1 + np.abs(m[0, 1]))
        varies = (x > flat[0]) & (y > flat[1])
        stderrs = np.sqrt(np.maximum(variance, 0.0) / rows)
    return Correlated(
        rows=rows,
        values=np.where(varies, np.clip(r, -1.0, 1.0), math.nan),
        stderrs=np.where(varies, stderrs, math.nan),
    )


_SWAPPED = ((0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (1, 3))
_FLAT = 1e-6  # deviations of the reference: below is the rounding of sums, and no variation

_Moments: TypeAlias = dict[tuple[int, int], Floats]


def _second(m: _Moments, *, first: bool) -> Floats:
    square, mean = (m[2, 0], m[1, 0]) if first else (m[0, 2], m[0, 1])
    return np.maximum(square - mean**2, 0.0)


def _mixed(m: _Moments) -> Floats:
    """Return E (x - a)^2 (y - b)^2, a and b being the means."""
    a, b = m[1, 0], m[0, 1]
    raw = m[2, 2] - 2 * b * m[2, 1] - 2 * a * m[1, 2]
    return raw + b * b * m[2, 0] + a * a * m[0, 2] + 4 * a * b * m[1, 1] - 3 * (a * b) ** 2


def _third(m: _Moments) -> Floats:
    """Return E (x - a)^3 (y - b)."""
    a, b = m[1, 0], m[0, 1]
    raw = m[3, 1] - 3 * a * m[2, 1] + 3 * a * a * m[1, 1]
    return raw - b * m[3, 0] + 3 * a * b * m[2, 0] - 3 * a**3 * b


def _fourth(m: _Moments) -> Floats:
    """Return E (x - a)^4."""
    a = m[1, 0]
    return m[4, 0] - 4 * a * m[3, 0] + 6 * a * a * m[2, 0] - 3 * a**4


def _sums(scores: Floats) -> Floats:
    """Return the sums of products of one block, shape (9, d, d)."""
    there = ~np.isnan(scores)
    powers = [there.astype(float), np.where(there, scores, 0.0)]
    for _ in range(3):
        powers.append(powers[-1] * powers[1])
    return np.array([powers[a].T @ powers[b] for a, b in _POWERS])


def _scores(
    reference: Reference, name: str, grid: NumberGrid, column: object, kind: Kind
) -> NDArray[np.float64]:
    """Return the rank or the standardised value of each row, NaN where it is missing."""
    values, before = numbers(column), reference.summary.columns[name]
    if kind == "pearson":
        moments = before.moments
        if moments is None or not moments.deviation > 0:
            return np.where(np.isnan(values), math.nan, 0.0)
        return (np.clip(values, grid.least, grid.greatest) - moments.mean) / moments.deviation
    counts = before.counts[:-1].astype(float)
    middles = (counts.cumsum() - counts / 2) / max(counts.sum(), 1.0)
    return np.append((middles - 0.5) * math.sqrt(12), math.nan)[grid.places(values)]
