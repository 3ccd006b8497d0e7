"""How much windows differ from each other although nothing has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ratoon.drift.binning import BINS, coarser
from ratoon.drift.significance import chi_squared
from ratoon.windows.judged import Floats
from ratoon.windows.summaries import ColumnSummary, Grid, Reference, Summary

Inflation = Mapping[str, float]
"""By column, how many times the chi-squared of windows without drift is its degrees of freedom."""


def inflation_of(reference: Reference, parts: Sequence[Summary], bins: int = BINS) -> Inflation:
    """Return how much windows of the reference differ from each other more than by chance.

    Rows that follow each other are often alike, so that windows differ although nothing has
    changed. By column it is the mean over the parts of chi-squared over its degrees of freedom,
    each part against the rest, and at least 1. Rows that are independent have 1.

    Args:
        reference: the whole.
        parts: its windows, as long as those that will be compared with it.
        bins: as of the test.

    Source: Rao & Scott (1984), Annals of Statistics 12, section 3, first-order correction.
    """
    found: dict[str, float] = {}
    for name, grid in reference.grids.items():
        whole = reference.summary.columns[name].counts[:-1].astype(float)
        ratios = [
            statistic / freedom
            for part in parts
            for statistic, freedom in [_against_rest(grid, whole, part.columns[name], bins)]
            if freedom
        ]
        found[name] = max(1.0, sum(ratios) / len(ratios)) if ratios else 1.0
    return found


def _against_rest(grid: Grid, whole: Floats, part: ColumnSummary, bins: int) -> tuple[float, int]:
    now = part.counts[:-1].astype(float)
    return chi_squared(*coarser(grid, whole - now, now, bins))
