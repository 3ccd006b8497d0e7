"""A column before and now, in a few bins that a person can look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ratoon.monitors.findings import Bars
from ratoon.windows.judged import Floats
from ratoon.windows.summaries import CategoryGrid, ColumnSummary, NumberGrid, Reference, Summary

_BINS = 12  # of equal width, between the outer hundredths of both sides
_NAMED = 10  # categories
_TEXT = 24  # characters of a name


def bars_of(reference: Reference, name: str, now: Summary) -> Bars:
    """Return the shares of the rows in a few bins, the missing ones last where there are any.

    >>> from ratoon.windows.summaries import reference_of
    >>> reference = reference_of({"x": np.array([1.0, 2.0, 2.0, np.nan])})
    >>> found = bars_of(reference, "x", reference.summarise({"x": np.array([1.0, 2.0])}))
    >>> found.names, found.before, found.now
    (('1', '2', 'missing'), (0.25, 0.5, 0.25), (0.5, 0.5, 0.0))
    """
    grid = reference.grids[name]
    columns = [summary.columns[name] for summary in (reference.summary, now)]
    sides = [column.counts.astype(float) for column in columns]
    if isinstance(grid, CategoryGrid):
        names, before, after = _categories(*_with_new(grid, columns))
    else:
        names, before, after = _numbers(grid, sides[0], sides[1])
        beyond = [column.outside for column in columns]
        if len(names) == 1 and any(beyond):
            names = [*names, "others"]
            before, after = (
                np.array([side[0] - out, out], dtype=np.float64)
                for side, out in zip((before, after), beyond, strict=True)
            )
    gone = sides[0][-1], sides[1][-1]
    if any(gone):
        names = [*names, "missing"]
        before, after = np.append(before, gone[0]), np.append(after, gone[1])
    return Bars(names=tuple(names), before=_shares(before), now=_shares(after))


def _shares(counts: Floats) -> tuple[float, ...]:
    total = counts.sum() or 1.0
    return tuple(float(round(share, 6)) for share in counts / total)


def _with_new(
    grid: CategoryGrid, columns: Sequence[ColumnSummary]
) -> tuple[tuple[str, ...], Floats, Floats]:
    """Return the categories of either side, new ones by their own names, and the counts."""
    new = [dict(column.others) if grid.whole else {} for column in columns]
    fresh = list(dict.fromkeys(name for tally in new for name in tally))
    sides: list[Floats] = []
    for column, tally in zip(columns, new, strict=True):
        counts, rows = column.counts.astype(float), [float(tally.get(name, 0)) for name in fresh]
        rest = [counts[-2] - sum(rows), counts[-1]]
        sides.append(np.concatenate([counts[:-2], rows, rest]))
    return (*grid.categories, *fresh), sides[0], sides[1]


def _categories(
    categories: Sequence[str], before: Floats, now: Floats
) -> tuple[list[str], Floats, Floats]:
    """Name the categories that are commonest on either side, and count the others together."""
    shares = [side[:-2] / (side[:-1].sum() or 1.0) for side in (before, now)]
    kept = np.argsort(-np.maximum(shares[0], shares[1]), kind="stable")[:_NAMED]
    kept = kept[np.argsort(-before[kept], kind="stable")]
    rest = [float(side[:-1].sum() - side[kept].sum()) for side in (before, now)]
    names = [_short(categories[int(i)]) for i in kept]
    if any(rest):
        return [*names, "others"], np.append(before[kept], rest[0]), np.append(now[kept], rest[1])
    return names, before[kept], now[kept]


def _short(text: str) -> str:
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 1]}…"


def _numbers(grid: NumberGrid, before: Floats, now: Floats) -> tuple[list[str], Floats, Floats]:
    """Put bins together to some of equal width, with all that lies beyond in the outer ones."""
    before, now = before[:-1], now[:-1]
    edges = np.array(grid.edges)
    if len(edges) < _BINS:
        return _named(grid, edges), before, now
    ends: list[float] = []
    for side in (before, now):
        total: Floats = np.cumsum(side)
        for share in (0.01, 0.99):
            place = int(np.count_nonzero(total < share * total[-1]))
            if total[-1]:
                ends.append(grid.edges[min(place, len(edges) - 1)])
    inner = np.linspace(min(ends), max(ends), _BINS - 1)
    into = np.searchsorted(inner, np.append(edges, np.inf))
    counts = [np.bincount(into, weights=side, minlength=_BINS) for side in (before, now)]
    sides = [side.astype(np.float64) for side in counts]
    texts = [f"{edge:.3g}" for edge in inner]
    names = [f"≤ {texts[0]}", *(f"to {text}" for text in texts[1:]), f"> {texts[-1]}"]
    return names, sides[0], sides[1]


def _named(grid: NumberGrid, edges: Floats) -> list[str]:
    """Name the bins of few values by them, where that can be told."""
    if not len(edges):
        return [f"{grid.least:g}" if grid.least == grid.greatest else "any value"]
    whole = np.floor(edges) + 0.5
    if np.allclose(edges, whole) and np.isfinite(grid.least):
        firsts = [grid.least, *np.ceil(edges)]
        lasts = [*np.floor(edges), grid.greatest]
        return [
            f"{a:g}" if a == b else f"{a:g} to {b:g}" for a, b in zip(firsts, lasts, strict=True)
        ]
    texts = [f"{edge:.3g}" for edge in edges]
    return [f"≤ {texts[0]}", *(f"to {text}" for text in texts[1:]), f"> {texts[-1]}"]
