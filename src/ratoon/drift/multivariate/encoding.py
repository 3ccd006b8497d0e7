"""Columns of any kind as a matrix of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ratoon.drift.placing import category_places
from ratoon.windows.judged import Floats
from ratoon.windows.summaries.summary import Columns, is_text, numbers
from ratoon.windows.summaries.texts import category_counts

LEVELS = 20
"""Categories of a column that have a column of the matrix each, the commonest first."""

_FAR = 5.0  # standard deviations: what lies farther counts as that far
_MOST = 1e100  # what is larger counts as that
_SPREAD = 1.349  # quartiles of a normal distribution are so many standard deviations apart


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberCode:
    """A column of numbers: standardised by median and quartiles, cut, the median where missing."""

    name: str
    centre: float
    spread: float
    gaps: bool  # whether a second column tells which rows lack a value

    def columns(self, column: Any) -> list[Floats]:
        """Return the columns of the matrix."""
        values = numbers(column)
        gone = np.isnan(values)
        with np.errstate(over="ignore"):
            scaled = (np.clip(values, -_MOST, _MOST) - self.centre) / self.spread
        cut = np.where(gone, 0.0, np.clip(scaled, -_FAR, _FAR))
        return [cut, gone.astype(float)] if self.gaps else [cut]


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryCode:
    """A column of categories: one column of 0 and 1 for each that is common, others, missing."""

    name: str
    categories: tuple[str, ...]

    def columns(self, column: Any) -> list[Floats]:
        """Return the columns of the matrix."""
        places = category_places(self.categories, column)
        return [(places == place).astype(float) for place in range(len(self.categories) + 2)]


Code: TypeAlias = NumberCode | CategoryCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How each column becomes one or more columns of a matrix."""

    codes: tuple[Code, ...]

    def matrix(self, columns: Columns) -> tuple[Floats, tuple[str, ...]]:
        """Return the rows as a matrix, shape (n, p), and the column that each of p comes of."""
        found = [
            (code.name, part) for code in self.codes for part in code.columns(columns[code.name])
        ]
        return np.column_stack([part for _, part in found]), tuple(name for name, _ in found)


def encoding_of(*tables: Columns) -> Encoding:
    """Return the encoding that suits tables of the same columns, all rows counting alike.

    >>> encoding = encoding_of({"x": np.array([1.0, 2.0, 3.0]), "c": np.array(["a"] * 3, object)})
    >>> encoding.matrix({"x": np.array([2.0, 1e9]), "c": np.array(["a", None], object)})[0]
    array([[0., 1., 0., 0.],
           [5., 0., 0., 1.]])
    """
    names = list(tables[0])
    return Encoding(codes=tuple(_code(name, [table[name] for table in tables]) for name in names))


def pooled_categories(columns: Sequence[Any], most: int) -> tuple[str, ...]:
    """Return the commonest categories of several columns together, at most `most`."""
    counts: dict[str, int] = {}
    for column in columns:
        names, rows = category_counts(column)
        for name, count in zip(names, rows.tolist(), strict=False):
            counts[name] = counts.get(name, 0) + count
    return tuple(sorted(counts, key=lambda name: (-counts[name], name))[:most])


def _code(name: str, columns: Sequence[Any]) -> Code:
    if is_text(columns[0]):
        return CategoryCode(name=name, categories=pooled_categories(columns, LEVELS))
    values = np.concatenate([numbers(column) for column in columns])
    present = np.clip(values[~np.isnan(values)], -_MOST, _MOST)
    gaps = len(present) < len(values)
    if not len(present):
        return NumberCode(name=name, centre=0.0, spread=1.0, gaps=gaps)
    low, middle, high = np.quantile(present, [0.25, 0.5, 0.75])
    spread = (high / 2 - low / 2) * (2 / _SPREAD) or _spread_of_tails(present)
    return NumberCode(name=name, centre=float(middle), spread=float(spread), gaps=gaps)


def _spread_of_tails(values: Floats) -> float:
    """Return a spread of numbers of which more than half are the same; 1 where all are."""
    low, high = np.quantile(values, [0.01, 0.99])
    return float(np.clip(values, low, high).std()) or float(np.ptp(values)) or 1.0
