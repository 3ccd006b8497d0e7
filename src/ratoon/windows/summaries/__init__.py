"""Summaries of windows: small, mergeable, on bins that were frozen with the reference."""

from ratoon.windows.summaries.column import ColumnSummary
from ratoon.windows.summaries.grids import CategoryGrid, Grid, NumberGrid
from ratoon.windows.summaries.moments import Moments
from ratoon.windows.summaries.summary import Reference, Summary, merged, reference_of

__all__ = [
    "CategoryGrid",
    "ColumnSummary",
    "Grid",
    "Moments",
    "NumberGrid",
    "Reference",
    "Summary",
    "merged",
    "reference_of",
]
