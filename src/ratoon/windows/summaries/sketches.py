"""Sketches: quantiles and distinct values of a column without bins, in a few kilobytes, mergeable.

They serve where there is no reference yet, or no end: a stream whose rows are never seen together.
What they tell is right up to a stated error; `NumberGrid` and `CategoryGrid` count exactly.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from ratoon.core import settings
from ratoon.core.errors import SettingInvalid
from ratoon.windows.judged import Floats
from ratoon.windows.summaries.grids import NumberGrid, number_grid
from ratoon.windows.summaries.summary import is_text, numbers
from ratoon.windows.summaries.texts import category_counts

__all__ = ["Distinct", "Quantiles"]

_ITEMS = (8, 65_535)  # that the library allows
_LOG_PLACES = (4, 26)
_READ = 4096  # quantiles that bins are made of


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Quantiles of a column of numbers (KLL), each right up to a stated error of its rank.

    Up to `items` values it is exact. Beyond, it keeps some of them, drawn by the library's own
    chance, which no seed fixes: two sketches of the same rows differ within the error. So it is for
    profiles and for making bins, which are frozen then; nothing that is decided again in a replay
    may hang on it.

    Args:
        items: the larger, the smaller the error: 200 gives 1.33 % of the rows in 5 kB, 2,000 gives
            0.14 % in 45 kB; from 8 to 65,535.
        state: what the library keeps, in base64; empty before the first row.

    >>> sketch = Quantiles().updated(np.arange(100.0)).merged(Quantiles().updated(np.arange(100.0)))
    >>> sketch.rows, sketch.quantile(0.5), round(Quantiles().error, 4)
    (200, 49.0, 0.0133)

    Source: Karnin, Lang & Liberty (2016), "Optimal quantile approximation in streams", FOCS; as in
    Apache DataSketches 5.2.
    """

    items: int = 200
    state: str = ""

    def __post_init__(self) -> None:
        """Check the settings."""
        _within("items", self.items, *_ITEMS)

    @property
    def rows(self) -> int:
        """How many numbers were seen; missing ones (NaN) are left out."""
        return int(self._sketch().n)

    @property
    def error(self) -> float:
        """The error of a rank, as a share of the rows, that 99 % of all sketches keep to.

        After a merge with a sketch of fewer items it is that of the fewer.
        """
        return float(self._sketch().normalized_rank_error(as_pmf=False))

    def updated(self, values: Floats) -> Quantiles:
        """Return the sketch of these rows too, shape (n,)."""
        sketch = self._sketch()
        # A copy: the library refuses arrays that may not be written.
        sketch.update(np.array(values, dtype=np.float64))
        return replace(self, state=_text(sketch))

    def merged(self, other: Quantiles) -> Quantiles:
        """Return the sketch of both."""
        sketch = self._sketch()
        sketch.merge(other._sketch())
        return replace(self, state=_text(sketch))

    def quantile(self, share: float) -> float | None:
        """Return a number that about this share of the rows does not exceed; None without rows.

        Args:
            share: in [0, 1]; 0 and 1 give the least and the greatest, exactly.
        """
        sketch = self._sketch()
        if sketch.is_empty():
            return None
        if share <= 0:
            return float(sketch.get_min_value())
        if share >= 1:
            return float(sketch.get_max_value())
        return float(sketch.get_quantile(share, inclusive=True))

    def share_up_to(self, value: float) -> float | None:
        """Return about which share of the rows does not exceed a number; None without rows."""
        sketch = self._sketch()
        return None if sketch.is_empty() else float(sketch.get_rank(value, inclusive=True))

    def grid(self, bins: int = 100) -> NumberGrid:
        """Return bins of about equal shares of the rows; shares are wrong by twice the error.

        >>> len(Quantiles().updated(np.random.default_rng(0).normal(size=10_000)).grid(20))
        20
        """
        sketch = self._sketch()
        if sketch.is_empty():
            return NumberGrid(edges=())
        ranks = (np.arange(_READ) + 0.5) / _READ
        read = np.array(sketch.get_quantiles(ranks, inclusive=True))
        least, greatest = float(sketch.get_min_value()), float(sketch.get_max_value())
        return replace(number_grid(read, bins), least=least, greatest=greatest)

    def _sketch(self) -> Any:
        kind = _library().kll_doubles_sketch
        if not self.state:
            return kind(self.items)
        return kind.deserialize(base64.b64decode(self.state))


@dataclass(frozen=True, slots=True, kw_only=True)
class Distinct:
    """How many distinct values a column has (CPC), right up to a stated error.

    Args:
        log_places: logarithm to base 2 of the places it counts in; from 4 to 26. 11 gives a
            standard error of 1.5 % in 1.3 kB.
        state: what the library keeps, in base64; empty before the first row.

    >>> texts = np.array(["a", "b", "a", None], dtype=object)
    >>> sketch = Distinct().updated(texts).merged(Distinct().updated(texts[:1]))
    >>> round(sketch.count)
    2

    Source: Lang (2017), "Back to the future: an even more nearly optimal cardinality estimation
    algorithm" (arXiv 1708.06839); as in Apache DataSketches 5.2.
    """

    log_places: int = 11
    state: str = ""

    def __post_init__(self) -> None:
        """Check the settings."""
        _within("log_places", self.log_places, *_LOG_PLACES)

    @property
    def count(self) -> float:
        """About how many distinct values there are."""
        return float(self._sketch().get_estimate())

    @property
    def between(self) -> tuple[float, float]:
        """The numbers of distinct values that it may be as well, two standard errors either way."""
        sketch = self._sketch()
        return float(sketch.get_lower_bound(2)), float(sketch.get_upper_bound(2))

    def updated(self, column: Any) -> Distinct:
        """Return the sketch of these rows too: numbers or texts, shape (n,), missing ones left out.

        A number is the same whatever kind of column it stands in: 1, 1.0 and true are one value.
        """
        sketch = self._sketch()
        for value in _distinct(column):
            sketch.update(value)
        return replace(self, state=_text(sketch))

    def merged(self, other: Distinct) -> Distinct:
        """Return the sketch of both; of unlike sizes that of the smaller."""
        places = min(self.log_places, other.log_places)
        union = _library().cpc_union(places)
        union.update(self._sketch())
        union.update(other._sketch())
        return replace(self, log_places=places, state=_text(union.get_result()))

    def _sketch(self) -> Any:
        kind = _library().cpc_sketch
        if not self.state:
            return kind(self.log_places)
        return kind.deserialize(base64.b64decode(self.state))


def _within(name: str, value: int, least: int, most: int) -> None:
    settings.whole(name, value, least=least)
    if value > most:
        raise SettingInvalid(name, f"at most {most}", value)


def _distinct(column: Any) -> Iterable[str | float]:
    """Return each distinct value of a column once, in a fixed order."""
    if is_text(column):
        names, counts = category_counts(column)
        return [name for name, rows in zip(names, counts.tolist(), strict=False) if rows]
    values = numbers(column)
    return np.unique(values[~np.isnan(values)]).tolist()


def _text(sketch: Any) -> str:
    return base64.b64encode(sketch.serialize()).decode()


def _library() -> Any:
    import datasketches  # noqa: PLC0415 - only for those who sketch

    return cast("Any", datasketches)
