"""Windows whose labels are still coming: what the metric may still become."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ratoon.core.measuring import Measurement, Window
from ratoon.metrics.agreement import F1, FBeta, Precision, Recall, Specificity
from ratoon.metrics.business import Value
from ratoon.metrics.chance import BalancedAccuracy
from ratoon.metrics.protocol import Metric
from ratoon.windows.judged import Floats, Judged, Scored, joined

Extremes = tuple[Floats, Floats]  # the labels by which the metric is best, and worst


def immature(metric: Metric, judged: Judged, waiting: Scored, window: Window) -> Measurement:
    """Measure a window of which some labels are still to come.

    The value and its stderr are those of the labels that are in: they speak of the window if labels
    come early or late whatever they are, which is often not so (a fraud is reported late). `low`
    and `high` need no such belief: they are the least and the greatest value over all the labels
    that may still come for the rows that wait.

    Bounds are given for classes, by metrics with row losses (each row waits for the class that
    makes its loss least, or greatest), and for two classes by precision, recall, F, specificity and
    balanced accuracy (best where all outputs are right, worst where all are wrong). Else they are
    None, as for metrics that read features or weigh classes by their labels. They are wide: with
    half the labels missing, accuracy may become anything from half of what it is now to that plus
    a half.

    Args:
        metric: what to measure by.
        judged: the rows whose labels are in.
        waiting: what the same model said of the rows whose labels are not.
        window: what all of them are the rows of.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.metrics import Accuracy
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=("good", "bad"))
    >>> said = Scored(outputs=np.array([0.0, 1.0, 0.0]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 1.0, 1.0]), scored=said)
    >>> waiting = Scored(outputs=np.array([0.0]))
    >>> m = immature(Accuracy(), judged, waiting, Window(start=EPOCH, end=EPOCH))
    >>> round(m.value, 3), m.share, m.low, m.high
    (0.667, 0.75, 0.5, 0.75)

    Source: Manski (2003), "Partial identification of probability distributions", section 1.2.
    """
    measurement = metric.measure(judged, window)
    rows = len(judged) + len(waiting)
    measurement = replace(measurement, share=len(judged) / rows if rows else None)
    found = None if len(waiting) == 0 else _extremes(metric, judged, waiting)
    if found is None:
        return measurement
    ends = [_value(metric, judged, waiting, labels, window) for labels in found]
    if ends[0] is None or ends[1] is None:
        return measurement
    return replace(measurement, low=min(ends[0], ends[1]), high=max(ends[0], ends[1]))


def _extremes(metric: Metric, judged: Judged, waiting: Scored) -> Extremes | None:
    """Return the best and the worst labels of the rows that wait; None where they are unknown."""
    target = judged.target
    if not target.classes:
        return None
    if isinstance(metric, Precision | Recall | F1 | FBeta | Specificity | BalancedAccuracy):
        weighted = getattr(metric, "average", None) == "weighted"
        known = target.task == "binary" and not weighted
        return (waiting.outputs, 1.0 - waiting.outputs) if known else None
    if isinstance(metric, Value) and metric.columns:
        return None
    columns: list[Floats] = []
    for code in range(len(target.classes)):
        labels = np.full(len(waiting), float(code))
        losses = metric.losses(Judged(target=target, labels=labels, scored=waiting))
        if losses is None:
            return None
        columns.append(losses)
    table = np.column_stack(columns)
    return table.argmin(axis=1).astype(np.float64), table.argmax(axis=1).astype(np.float64)


def _value(
    metric: Metric, judged: Judged, waiting: Scored, labels: Floats, window: Window
) -> float | None:
    """Return the metric's value if these were the labels of the rows that wait."""
    whole = Judged(
        target=judged.target,
        labels=np.concatenate([judged.labels, labels]),
        scored=joined([judged.scored, waiting]),
    )
    return metric.measure(whole, window).value
