"""What a slice is: rows of which a few conditions hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ratoon.core.errors import SettingInvalid
from ratoon.windows.rows import Array, Rows, missing

Mask = NDArray[np.bool_]
Wanted: TypeAlias = str | bool | float | tuple[float | None, float | None] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What holds of one column: a value, a range of numbers or times, or that it is missing.

    >>> str(Condition(column="amount", low=10.0, high=50.0))
    'amount in [10, 50)'
    >>> str(Condition(column="country", value="DE"))
    'country = DE'
    """

    column: str
    value: str | None = None  # the value as a text; of a number as well
    low: float | None = None  # numbers from here on; times in microseconds since 1970
    high: float | None = None  # numbers below
    missing: bool = False  # rows without a value
    is_time: bool = False  # low and high are times

    def mask(self, rows: Rows) -> Mask:
        """Tell of which rows it holds, shape (n,)."""
        column = rows.columns[self.column]
        gone = missing(column)
        if self.missing:
            return gone
        if self.value is not None:
            return ~gone & _equal(column, self.value)
        numbers = as_numbers(column)
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        return ~gone & (numbers >= low) & (numbers < high if self.high is not None else True)

    def upto(self, other: Condition) -> Condition:
        """Return the range from this one's start to the other one's end."""
        return replace(self, high=other.high)

    def __str__(self) -> str:
        """Write it as a person would."""
        if self.missing:
            return f"{self.column} missing"
        if self.value is not None:
            return f"{self.column} = {self.value}"
        if self.low is None:
            return f"{self.column} < {self._end(self.high)}"
        if self.high is None:
            return f"{self.column} >= {self._end(self.low)}"
        return f"{self.column} in [{self._end(self.low)}, {self._end(self.high)})"

    def _end(self, end: float | None) -> str:
        if end is None:
            return "∞"
        return str(np.datetime64(int(end), "us")) if self.is_time else f"{end:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The rows of which all conditions hold.

    >>> germans = Condition(column="country", value="DE")
    >>> str(Slice(conditions=(germans, Condition(column="amount", low=50.0))))
    'country = DE & amount >= 50'
    """

    conditions: tuple[Condition, ...]

    @classmethod
    def of(cls, **columns: Wanted) -> Slice:
        """Return the rows of which all of this holds.

        Args:
            columns: of each the value, or from which number on and below which (None: no end), or
                None where the value is missing.

        Raises:
            SettingInvalid: no column is named.

        >>> str(Slice.of(country="DE", amount=(50, None), age=None))
        'country = DE & amount >= 50 & age missing'
        """
        if not columns:
            raise SettingInvalid("slice", "of one column at least", columns)
        return cls(conditions=tuple(_condition(name, value) for name, value in columns.items()))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it is about."""
        return tuple(dict.fromkeys(condition.column for condition in self.conditions))

    def mask(self, rows: Rows) -> Mask:
        """Tell which rows are in the slice, shape (n,)."""
        inside = np.ones(len(rows), dtype=bool)
        for condition in self.conditions:
            inside &= condition.mask(rows)
        return inside

    def __str__(self) -> str:
        """Write it as a person would."""
        return " & ".join(str(condition) for condition in self.conditions)


def _condition(name: str, value: Wanted) -> Condition:
    if value is None:
        return Condition(column=name, missing=True)
    if isinstance(value, tuple):
        return Condition(column=name, low=value[0], high=value[1])
    return Condition(column=name, value=f"{value:g}" if isinstance(value, float) else str(value))


def _equal(column: Array, value: str) -> Mask:
    if column.dtype.kind not in "fiu":
        return column.astype(str) == value
    try:
        return column == float(value)
    except ValueError:
        return np.zeros(len(column), dtype=bool)


def as_numbers(column: Array) -> NDArray[np.float64]:
    """Return a column of numbers or times as numbers; times in microseconds since 1970."""
    if column.dtype.kind == "M":
        moments = column.astype("datetime64[us]").astype(np.int64).astype(np.float64)
        return np.where(np.isnat(column), np.nan, moments)
    return column.astype(np.float64)
