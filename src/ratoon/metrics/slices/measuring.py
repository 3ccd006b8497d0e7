"""Metrics by slice of columns, alone and crossed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Measurement, Window
from ratoon.core.settings import whole
from ratoon.metrics.merging import measure_all
from ratoon.metrics.protocol import Metric
from ratoon.metrics.slices.binning import Binned, Codes, binned, features_of
from ratoon.metrics.slices.slicing import Slice
from ratoon.windows.judged import Judged

_LIMIT = 1000  # slices of one crossing


def by_slice(
    metrics: Sequence[Metric],
    judged: Judged,
    columns: Sequence[str | tuple[str, ...]],
    window: Window,
    *,
    bins: int = 4,
    most: int = 20,
) -> tuple[Measurement, ...]:
    """Measure rows slice by slice; `subject` names the slice.

    Numbers and times are cut at their quantiles, others by value. Missing values are a slice.

    Args:
        metrics: what to measure by.
        judged: the labelled rows, with their features.
        columns: which columns to cut by; a tuple crosses its columns.
        window: what they are the rows of.
        bins: into how many ranges numbers are cut.
        most: so many values of a category, the commonest; rows of others are in no slice.

    Returns:
        A measurement for each slice that has rows and each metric, in the order of `columns`.

    Raises:
        MetricNeedsColumn: where the rows have no features, or not that one.
        SettingInvalid: where a crossing has more than 1,000 slices.

    >>> import numpy as np
    >>> from ratoon.core.schema import Column, Schema
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.metrics import Accuracy
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> from ratoon.windows.rows import Rows
    >>> schema = Schema(columns=(Column(name="country", kind="category"),))
    >>> countries = {"country": np.array(["DE", "DE", "FR", None], dtype=object)}
    >>> judged = Judged(
    ...     target=Target(task="binary", classes=("good", "bad")),
    ...     labels=np.array([0.0, 1.0, 1.0, 0.0]),
    ...     scored=Scored(outputs=np.array([0.0, 0.0, 1.0, 0.0])),
    ...     features=Rows(schema=schema, columns=countries),
    ... )
    >>> window = Window(start=EPOCH, end=EPOCH)
    >>> [(m.subject, m.value) for m in by_slice([Accuracy()], judged, ["country"], window)]
    [('country = DE', 0.5), ('country = FR', 1.0), ('country missing', 1.0)]
    """
    whole("bins", bins, least=2)
    whole("most", most, least=1)
    features = features_of(judged, "slices")
    found: list[Measurement] = []
    for names in columns:
        crossed = (names,) if isinstance(names, str) else names
        parts = [binned(features, name, bins, most) for name in crossed]
        for where, index in _cells(parts, len(judged)):
            measured = measure_all(metrics, judged.take(index), window)
            found += [replace(m, subject=str(where)) for m in measured]
    return tuple(found)


def _cells(parts: list[Binned], rows: int) -> list[tuple[Slice, Codes]]:
    """Return each slice of a crossing that has rows, and its rows."""
    cell, inside = np.zeros(rows, dtype=np.intp), np.ones(rows, dtype=bool)
    for part in parts:
        inside &= part.codes < len(part.conditions)
        cell = cell * (len(part.conditions) + 1) + part.codes
    kept = np.flatnonzero(inside)
    order = kept[np.argsort(cell[kept], kind="stable")]
    starts = np.flatnonzero(np.diff(cell[order], prepend=-1))
    if len(starts) > _LIMIT:
        names = " x ".join(part.conditions[0].column for part in parts)
        raise SettingInvalid(f"slices of {names}", f"at most {_LIMIT}", len(starts))
    found: list[tuple[Slice, Codes]] = []
    for index in np.split(order, starts[1:]) if len(starts) else []:
        first = index[0]
        conditions = tuple(part.conditions[part.codes[first]] for part in parts)
        found.append((Slice(conditions=conditions), index))
    return found
