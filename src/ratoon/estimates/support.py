"""Whether a window lies inside of what the reference has seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratoon.estimates.estimate import Check, at_most
from ratoon.windows.judged import Floats
from ratoon.windows.rows import Array, Rows, missing

OUTSIDE = 0.05  # share of the rows from which the reference says little of a window
_CATEGORIES = 250  # of a column that are told apart; histograms of boosted trees hold 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the reference had of one column."""

    name: str
    low: float | None = None  # of numbers; None: it had none
    high: float | None = None
    categories: tuple[str, ...] = ()  # the commonest first; of a column of categories
    category: bool = False
    rare: bool = False  # whether it had more categories than are told apart
    gaps: bool = False  # whether values were missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What the reference had of each column: ranges, categories, gaps. Small, and JSON."""

    columns: tuple[Seen, ...]

    @property
    def categorical(self) -> tuple[bool, ...]:
        """Which columns hold categories."""
        return tuple(seen.category for seen in self.columns)

    def matrix(self, rows: Rows) -> Floats:
        """Return the rows as numbers, shape (n, d).

        Numbers, booleans and moments (in microseconds) as they are, categories by their rank, the
        commonest first; one that the reference did not tell apart gets a rank of its own, and
        what is missing is NaN.
        """
        return np.column_stack([_numbers(seen, rows.columns[seen.name]) for seen in self.columns])

    def outside(self, rows: Rows) -> NDArray[np.bool_]:
        """Tell which rows hold a value that the reference did not have: beyond its range, unseen.

        A value that is missing counts where the reference had none missing.
        """
        found = np.zeros(len(rows), dtype=bool)
        for seen in self.columns:
            found |= _outside(seen, rows.columns[seen.name])
        return found

    def check(self, rows: Rows) -> Check:
        """Check how many rows lie outside of the reference."""
        share = float(self.outside(rows).mean())
        told = f"{share:.1%} of the rows hold values that the reference did not have"
        return at_most("rows_outside", share, OUTSIDE, told)


def support_of(rows: Rows) -> Support:
    """Return what `rows` had of each column."""
    return Support(columns=tuple(_seen(name, rows.columns[name]) for name in rows.schema.names))


def _seen(name: str, column: Array) -> Seen:
    gone = missing(column)
    present = column[~gone]
    if column.dtype == object:
        texts, counts = np.unique(present.astype(str), return_counts=True)
        common = texts[np.argsort(-counts, kind="stable")]
        return Seen(
            name=name,
            category=True,
            categories=tuple(str(text) for text in common[:_CATEGORIES]),
            rare=len(common) > _CATEGORIES,
            gaps=bool(gone.any()),
        )
    numbers = _floats(present)
    if not len(numbers):
        return Seen(name=name, gaps=True)
    return Seen(
        name=name, low=float(numbers.min()), high=float(numbers.max()), gaps=bool(gone.any())
    )


def _numbers(seen: Seen, column: Array) -> Floats:
    gone = missing(column)
    numbers = np.full(len(column), np.nan)
    if seen.category:
        ranks = {text: rank for rank, text in enumerate(seen.categories)}
        other = len(ranks)
        numbers[~gone] = [ranks.get(str(value), other) for value in column[~gone].tolist()]
    else:
        numbers[~gone] = _floats(column[~gone])
    return numbers


def _outside(seen: Seen, column: Array) -> NDArray[np.bool_]:
    gone = missing(column)
    found = np.zeros(len(column), dtype=bool)
    if seen.category and not seen.rare:
        found[~gone] = _numbers(seen, column)[~gone] == len(seen.categories)
    elif seen.low is not None and seen.high is not None:
        numbers = _floats(column[~gone])
        found[~gone] = (numbers < seen.low) | (numbers > seen.high)
    if not seen.gaps:
        found |= gone
    return found


def _floats(column: Array) -> Floats:
    return (
        column.astype("int64").astype(float) if column.dtype.kind == "M" else column.astype(float)
    )
