"""Monitors: what has changed over time, since when, how surely, and what it is about."""

from ratoon.monitors.drifts import ColumnDrift, DriftMonitor, Drifts, Step
from ratoon.monitors.findings import (
    Bars,
    Findings,
    MetricFound,
    ReferenceFound,
    SliceFound,
    WindowFound,
)
from ratoon.monitors.references import Against, Fixed, Season, Sliding, Span

__all__ = [
    "Against",
    "Bars",
    "ColumnDrift",
    "DriftMonitor",
    "Drifts",
    "Findings",
    "Fixed",
    "MetricFound",
    "ReferenceFound",
    "Season",
    "SliceFound",
    "Sliding",
    "Span",
    "Step",
    "WindowFound",
]
