"""Columns cut into conditions that exclude each other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ratoon.core.errors import MetricNeedsColumn
from ratoon.metrics.slices.slicing import Condition, as_numbers
from ratoon.windows.judged import Judged
from ratoon.windows.rows import Array, Rows, missing

Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Binned:
    """A column whose every row has at most one condition."""

    conditions: tuple[Condition, ...]
    codes: Codes  # (n,): index into the conditions; their number itself where none holds
    ranges: int  # so many conditions, the first ones, are ranges behind each other


def features_of(judged: Judged, what: str) -> Rows:
    """Return the features of labelled rows."""
    if judged.features is None:
        raise MetricNeedsColumn(what, "features")
    return judged.features


def binned(rows: Rows, name: str, bins: int, most: int, fitted: slice = slice(None)) -> Binned:
    """Cut a column: numbers and times by quantiles, others by their commonest values.

    Rows without a value have a condition of their own. The cuts come of the rows in `fitted`.
    """
    if name not in rows.columns:
        raise MetricNeedsColumn("slices", f"the feature {name!r}")
    column = rows.columns[name]
    gone = missing(column)
    numeric = column.dtype.kind in "fiuM"
    conditions, codes = (
        _ranges(column, gone, name, bins, fitted)
        if numeric
        else _values(column, gone, name, most, fitted)
    )
    ranges = len(conditions) if numeric else 0
    if gone.any():
        codes = np.where(gone, len(conditions), codes)
        conditions = (*conditions, Condition(column=name, missing=True))
    nothing = np.where(codes < 0, len(conditions), codes)
    return Binned(conditions=conditions, codes=nothing.astype(np.intp), ranges=ranges)


def _ranges(
    column: Array, gone: NDArray[np.bool_], name: str, bins: int, fitted: slice
) -> tuple[tuple[Condition, ...], Codes]:
    numbers = as_numbers(column)
    known = numbers[fitted][~gone[fitted]]
    if not len(known):
        return (), np.full(len(column), -1, dtype=np.intp)
    levels = np.arange(1, bins) / bins
    cuts = np.unique(np.quantile(known, levels, method="higher"))
    cuts = cuts[cuts > known.min()]
    edges = [None, *cuts.tolist(), None]
    is_time = column.dtype.kind == "M"
    conditions = tuple(
        Condition(column=name, low=low, high=high, is_time=is_time) for low, high in pairwise(edges)
    )
    if len(conditions) == 1:  # one value, or too few rows to cut: all of them are no slice
        return (), np.full(len(column), -1, dtype=np.intp)
    return conditions, np.searchsorted(cuts, numbers, side="right").astype(np.intp)


def _values(
    column: Array, gone: NDArray[np.bool_], name: str, most: int, fitted: slice
) -> tuple[tuple[Condition, ...], Codes]:
    texts = np.where(gone, "", column.astype(str))
    known, counts = np.unique(texts[fitted][~gone[fitted]], return_counts=True)
    common = np.sort(known[np.argsort(-counts, kind="stable")[:most]])
    conditions = tuple(Condition(column=name, value=str(text)) for text in common)
    if not conditions:
        return (), np.full(len(column), -1, dtype=np.intp)
    places = np.minimum(np.searchsorted(common, texts), len(common) - 1)
    return conditions, np.where(common[places] == texts, places, -1).astype(np.intp)
