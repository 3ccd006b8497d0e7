"""Labels that are still coming: which windows wait for them, and what that means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ratoon.core.measuring import Measurement
from ratoon.metrics import immature
from ratoon.metrics.protocol import Metric
from ratoon.windows.judged import Judged, Scored
from ratoon.windows.summaries import Summary


def labels_in(shares: Sequence[float], late: float) -> list[bool]:
    """Tell of each window whether as many labels are in as usual.

    Usual is the median share of the windows with labels. The newest windows wait as long as they
    have less than `late` of it; behind the first one that has not, gaps are gaps.

    >>> labels_in([0.5, 0.4, 0.5, 0.3, 0.0], 0.9)
    [True, True, True, False, False]
    """
    some = [share for share in shares if share > 0]
    if not some:
        return [False] * len(shares)
    usual = float(np.median(some))
    found = [share > 0 for share in shares]
    for place in range(len(shares) - 1, -1, -1):
        if shares[place] >= late * usual:
            break
        found[place] = False
    return found


def without_label(summary: Summary, name: str, *, mature: bool) -> Summary:
    """Return a summary in which the column of labels has the rows that are labelled alone.

    Those of a window that waits are left out: labels that come early may be other ones.
    """
    column = summary.columns[name]
    counts = column.counts.copy() if mature else np.zeros_like(column.counts)
    counts[-1] = 0
    return Summary(columns={**summary.columns, name: replace(column, counts=counts)})


def bounded(
    metrics: Sequence[Metric],
    measured: Sequence[Measurement],
    judged: Judged,
    waiting: Scored,
) -> tuple[Measurement, ...]:
    """Return measurements of a window that waits, with what they may still become.

    The bounds are those of the rows in its sample.
    """
    if not len(judged) or not len(waiting):
        return tuple(measured)
    known = {metric.name: metric for metric in metrics}
    found: list[Measurement] = []
    for m in measured:
        ends = immature(known[m.metric], judged, waiting, m.window)
        found.append(replace(m, low=ends.low, high=ends.high))
    return tuple(found)
