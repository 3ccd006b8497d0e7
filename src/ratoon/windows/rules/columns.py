"""One column as the checks see it: what is missing, numbers in order, texts as codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratoon.core.schema import Kind
from ratoon.windows.judged import Floats
from ratoon.windows.rows import Array, missing
from ratoon.windows.rules.data import Groups, Mask, Places
from ratoon.windows.rules.values import LEVELS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """A column of n values: numbers, or texts as codes."""

    name: str
    kind: Kind
    gone: Mask  # (n,): missing
    infinite: Mask  # (n,)
    numbers: Floats | None = None  # (n,): NaN where missing or infinite
    codes: NDArray[np.int32] | None = None  # (n,): places in `texts`; -1 where missing
    texts: tuple[str, ...] = ()
    exact: NDArray[np.int64] | None = None  # (n,): whole numbers, which floats may not hold


def view(name: str, kind: Kind, values: Array) -> View:
    """Look at a column; moments become microseconds since 1970."""
    if values.dtype == object:
        codes, texts = encoded(values)
        none = np.zeros(len(values), dtype=bool)
        return View(
            name=name, kind=kind, gone=codes < 0, infinite=none, codes=codes, texts=tuple(texts)
        )
    gone = missing(values)
    plain = values.astype("M8[us]").astype(np.int64) if values.dtype.kind == "M" else values
    exact = plain.astype(np.int64, copy=False) if plain.dtype.kind in "iu" else None
    numbers = plain.astype(np.float64, copy=False)
    if gone.any():
        numbers = np.where(gone, np.nan, numbers)
    infinite = np.isinf(numbers)
    if infinite.any():
        numbers = np.where(infinite, np.nan, numbers)
    return View(name=name, kind=kind, gone=gone, infinite=infinite, numbers=numbers, exact=exact)


def encoded(values: Array) -> tuple[NDArray[np.int32], list[str]]:
    """Return texts as codes, -1 for a missing one, and the texts in the order of the codes.

    >>> codes, texts = encoded(np.array(["b", None, "a", "b"], dtype=object))
    >>> codes.tolist(), texts
    ([0, -1, 1, 0], ['b', 'a'])
    """
    import pyarrow as pa  # noqa: PLC0415 - only where there are texts: a dict takes twice as long

    made: Any = pa.array(values, type=pa.string(), from_pandas=False)
    found = made.dictionary_encode()
    codes = found.indices.fill_null(-1).to_numpy()
    return codes.astype(np.int32, copy=False), [str(text) for text in found.dictionary.to_pylist()]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sorted:
    """The sampled numbers of every group, and of all rows, each in order."""

    values: Floats  # (G + 1, S): NaN behind the last one
    present: Places  # (G + 1,)

    def quantiles(self) -> Floats:
        """Return the quantiles at LEVELS, (G + 1, 5); NaN where there is no value."""
        return at_levels(self.values, self.present)


def in_order(groups: Groups, numbers: Floats) -> Sorted:
    """Sort the sampled numbers of every group."""
    values = np.sort(groups.sampled(numbers), axis=1)
    return Sorted(values=values, present=(~np.isnan(values)).sum(axis=1))


def at_levels(values: Floats, present: Places) -> Floats:
    """Return the quantiles of sorted rows, by the inverse of the distribution function."""
    place = np.ceil(np.multiply.outer(present, LEVELS)).astype(np.intp) - 1
    found = np.take_along_axis(values, np.clip(place, 0, values.shape[1] - 1), axis=1)
    return np.where(present[:, None] > 0, found, np.nan)
