"""Bins of a grid, put together for one purpose or another."""

from __future__ import annotations

import numpy as np

from ratoon.windows.judged import Floats
from ratoon.windows.summaries import CategoryGrid, Grid, NumberGrid

BINS = 20
"""Bins of numbers for a distance that takes them as categories."""


def coarser(grid: Grid, before: Floats, now: Floats, bins: int) -> tuple[Floats, Floats]:
    """Put neighbouring bins of numbers together, up to about equal shares of the reference.

    Categories stay as they are.

    >>> coarser(NumberGrid(edges=(1.0, 2.0, 3.0)), np.ones(4), np.arange(4.0), 2)
    (array([2., 2.]), array([1., 5.]))
    """
    if isinstance(grid, CategoryGrid) or len(before) <= bins:
        return before, now
    middle = before.cumsum() - before / 2  # rows of the reference below the middle of each bin
    group = np.minimum(middle * bins / before.sum(), bins - 1).astype(int)
    firsts = np.append(0, np.flatnonzero(group[1:] != group[:-1]) + 1)
    return np.add.reduceat(before, firsts), np.add.reduceat(now, firsts)


def positions(grid: NumberGrid) -> Floats:
    """Return where the rows of each bin stand: in its middle, and in the outer ones at the edge.

    >>> positions(NumberGrid(edges=(1.0, 2.0))).tolist()
    [1.0, 1.5, 2.0]
    """
    edges = np.array(grid.edges)
    if not len(edges):
        return np.zeros(1)
    return np.concatenate([edges[:1], edges[:-1] / 2 + edges[1:] / 2, edges[-1:]])
