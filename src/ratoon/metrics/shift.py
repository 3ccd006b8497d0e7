"""How far inputs have moved from the data that a model was trained on.

The reference is kept as counts on its own bins, so that a window costs one pass over its rows and
merges by addition. Missing values have a bin of their own: missingness is drift too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ratoon.core.measuring import Measurement, Window
from ratoon.windows.judged import Floats
from ratoon.windows.rows import Array, Rows, missing

_BINS = 10
_CATEGORIES = 30
_LEAST = 5  # rows of a kept category; the rarer ones stand together with those never seen
Counts = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureReference:
    """One feature of the reference: its bins and how many rows fell into each.

    A numeric feature has len(edges) + 1 bins, a category one bin for each kept category and one
    for all others; the last bin counts missing values. Categories of fewer than 5 rows are not
    kept: a sample knows neither how common they are nor which ones it has missed.
    """

    name: str
    counts: Counts
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InputReference:
    """The features of the data that a model was trained on, as counts."""

    features: tuple[FeatureReference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One feature of a window against the reference."""

    distance: Measurement  # Jensen-Shannon distance, base 2: 0 equal, 1 disjoint
    p_value: float  # of the homogeneity test: the chance of such counts without any drift


def summarise(rows: Rows) -> InputReference:
    """Return the reference summary of `rows`: ten quantile bins, or the 30 commonest categories."""
    return InputReference(
        features=tuple(_reference(name, rows.columns[name]) for name in rows.schema.names)
    )


def tally(reference: InputReference, rows: Rows) -> tuple[Counts, ...]:
    """Count `rows` on the reference's bins, feature by feature."""
    return tuple(_counts(feature, rows.columns[feature.name]) for feature in reference.features)


def add(left: tuple[Counts, ...], right: tuple[Counts, ...]) -> tuple[Counts, ...]:
    """Merge two tallies."""
    if not left:
        return right
    pairs = zip(left, right, strict=True)
    return tuple(tuple(a + b for a, b in zip(x, y, strict=True)) for x, y in pairs)


def shifts(
    reference: InputReference, counts: tuple[Counts, ...], window: Window
) -> tuple[Shift, ...]:
    """Compare a window's tally with the reference, feature by feature.

    The distance is the Jensen-Shannon distance of the two histograms (Lin 1991, eq. 4.1, square
    root, base 2). The p-value is that of the chi-squared test of homogeneity of the 2 x bins
    table: the reference is a sample too, not the truth.
    """
    return tuple(
        _shift(feature, np.array(now, dtype=float), window)
        for feature, now in zip(reference.features, counts, strict=True)
    )


def discoveries(p_values: Floats, alpha: float) -> NDArray[np.bool_]:
    """Tell which tests are significant at a false discovery rate of `alpha`.

    Benjamini & Hochberg 1995, procedure (1).

    >>> discoveries(np.array([0.001, 0.02, 0.9]), 0.05).tolist()
    [True, True, False]
    """
    order = np.argsort(p_values)
    passed = p_values[order] <= alpha * np.arange(1, len(p_values) + 1) / len(p_values)
    found = np.zeros(len(p_values), dtype=bool)
    if passed.any():
        found[order[: int(np.flatnonzero(passed)[-1]) + 1]] = True
    return found


def _reference(name: str, column: Array) -> FeatureReference:
    if column.dtype == object:
        texts, counts = np.unique(column[~missing(column)].astype(str), return_counts=True)
        common = np.argsort(-counts, kind="stable")[:_CATEGORIES]
        kept = tuple(str(text) for text in texts[common[counts[common] >= _LEAST]])
        bare = FeatureReference(name=name, counts=(), categories=kept)
    else:
        numbers = _numbers(column)
        present = numbers[~np.isnan(numbers)]
        bare = FeatureReference(name=name, counts=(), edges=_edges(present))
    return FeatureReference(
        name=name, counts=_counts(bare, column), edges=bare.edges, categories=bare.categories
    )


def _edges(present: Floats) -> tuple[float, ...]:
    """Return the upper ends of the bins; a first bin of one value alone has one below it."""
    if not len(present):
        return ()
    cuts = np.unique(np.quantile(present, np.arange(1, _BINS) / _BINS, method="inverted_cdf"))
    least = float(present.min())
    below = (math.nextafter(least, -math.inf),) if cuts[0] == least else ()
    return (*below, *(float(cut) for cut in cuts))


def _numbers(column: Array) -> Floats:
    if column.dtype.kind == "M":
        return np.where(np.isnat(column), np.nan, column.astype("int64").astype(float))
    return column.astype(float)


def _counts(feature: FeatureReference, column: Array) -> Counts:
    if column.dtype == object:
        place: Mapping[str | None, int] = {text: i for i, text in enumerate(feature.categories)}
        others = len(place)
        index = [others + 1 if v is None else place.get(v, others) for v in column.tolist()]
        return _tuple(np.bincount(index, minlength=others + 2))
    numbers = _numbers(column)
    gone = np.isnan(numbers)
    bins = np.searchsorted(np.array(feature.edges), numbers[~gone], side="left")
    inside = np.bincount(bins, minlength=len(feature.edges) + 1)
    return (*_tuple(inside), int(gone.sum()))


def _tuple(counts: NDArray[np.intp]) -> Counts:
    return tuple(int(count) for count in counts)


def _shift(feature: FeatureReference, now: Floats, window: Window) -> Shift:
    before = np.array(feature.counts, dtype=float)
    used = (before + now) > 0
    before, now = before[used], now[used]
    distance = _jensen_shannon(before / before.sum(), now / now.sum())
    measured = Measurement(
        metric="jensen_shannon",
        window=window,
        value=distance,
        n=int(now.sum()),
        subject=feature.name,
    )
    return Shift(distance=measured, p_value=_homogeneity(before, now))


def _jensen_shannon(p: Floats, q: Floats) -> float:
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(p > 0, p * np.log2(p / middle), 0.0)
        right = np.where(q > 0, q * np.log2(q / middle), 0.0)
    return float(np.sqrt(max(0.0, (left.sum() + right.sum()) / 2)))


def _homogeneity(before: Floats, now: Floats) -> float:
    from scipy.special import chdtrc  # noqa: PLC0415 - scipy is slow to import

    if len(before) < 2:  # noqa: PLR2004 - one bin cannot differ
        return 1.0
    both = before + now
    expected_before = both * before.sum() / both.sum()
    expected_now = both * now.sum() / both.sum()
    statistic = ((before - expected_before) ** 2 / expected_before).sum()
    statistic += ((now - expected_now) ** 2 / expected_now).sum()
    return float(cast("float", chdtrc(len(before) - 1, statistic)))
