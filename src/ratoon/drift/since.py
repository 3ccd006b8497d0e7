"""Since when: the window from which on a column is another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ratoon.drift.binning import BINS, coarser
from ratoon.drift.change import Aspect
from ratoon.windows.judged import Floats
from ratoon.windows.summaries import CategoryGrid, ColumnSummary, Reference

_DROP = 1.92  # of the log likelihood: half of the 95 % quantile of chi-squared with one degree


@dataclass(frozen=True, slots=True, kw_only=True)
class Onset:
    """The first window after a change, and the windows that it may be as well."""

    window: int  # index of the first window after the change
    earliest: int  # of those whose likelihood is not much less
    latest: int
    gain: float  # log likelihood of the change, over that of no change


def onset(
    reference: Reference,
    name: str,
    windows: Sequence[ColumnSummary],
    aspect: Aspect = "distribution",
    bins: int = BINS,
    *,
    by: int | None = None,
) -> Onset:
    """Return since which of the windows a column differs from the reference, in one respect.

    For each window that the change may begin with, the rows of the reference and of the windows
    before it are one sample, and those from it on another; the one under which the counts are
    likeliest is returned. Windows whose log likelihood is less by up to 1.92 are as good
    (a profile likelihood interval of about 95 %).

    Args:
        reference: with its bins and its own counts.
        name: of the column.
        windows: the summaries of the column, in order of time; at least one.
        aspect: the respect: values, the share that is missing, or that the reference does not have.
        bins: of numbers, put together to so many.
        by: the window by which it had changed; by default the last.

    >>> import numpy as np
    >>> from ratoon.windows.summaries import reference_of
    >>> rng = np.random.default_rng(0)
    >>> reference = reference_of({"x": rng.normal(size=2000)})
    >>> days = [rng.normal(size=300) + (0.5 if day >= 6 else 0.0) for day in range(10)]
    >>> columns = [reference.summarise({"x": day}).columns["x"] for day in days]
    >>> onset(reference, "x", columns).window
    6

    Source: Chen & Gupta (2012), Parametric Statistical Change Point Analysis, section 4.2.1, with
    the reference as a first window that is known to lie before the change.
    """
    counts = _counts(reference, name, windows, aspect, bins)
    later = counts[::-1].cumsum(axis=0)[::-1][1:]  # from each window on
    last = len(windows) if by is None else by + 1
    gains = np.array([_gain(counts.sum(axis=0) - after, after) for after in later[:last]])
    best = int(np.argmax(gains))
    near = np.flatnonzero(gains >= gains[best] - _DROP)
    return Onset(window=best, earliest=int(near[0]), latest=int(near[-1]), gain=float(gains[best]))


def _counts(
    reference: Reference,
    name: str,
    windows: Sequence[ColumnSummary],
    aspect: Aspect,
    bins: int,
) -> Floats:
    """Return the rows in each bin of the reference, and of each window, shape (1 + windows, k)."""
    grid, before = reference.grids[name], reference.summary.columns[name]
    both = (before, *windows)
    if aspect == "missing":
        return np.array([[c.missing, c.rows - c.missing] for c in both], dtype=float)
    if aspect in ("range", "new categories"):
        of_texts = isinstance(grid, CategoryGrid)
        unseen = [int(c.counts[-2]) if of_texts else c.outside for c in both]
        rest = [c.rows - c.missing - n for c, n in zip(both, unseen, strict=True)]
        return np.array([unseen, rest], dtype=float).T
    whole = before.counts[:-1].astype(float)
    present = [column.counts[:-1].astype(float) for column in both]
    if not whole.any():
        return np.array(present)
    return np.array([coarser(grid, whole, now, bins)[1] for now in present])


def _gain(before: Floats, after: Floats) -> float:
    """Return how much likelier the counts are as two samples than as one, in logarithms."""
    return _likelihood(before) + _likelihood(after) - _likelihood(before + after)


def _likelihood(counts: Floats) -> float:
    present = counts[counts > 0]
    return float((present * np.log(present / present.sum())).sum()) if len(present) else 0.0
