"""A metric on one slice of the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ratoon.core.errors import MetricNeedsColumn, SettingInvalid
from ratoon.core.measuring import Measurement, Window
from ratoon.metrics.protocol import Metric
from ratoon.metrics.slices.slicing import Slice
from ratoon.windows.judged import Floats, Judged, Target
from ratoon.windows.rows import Rows


@dataclass(frozen=True, slots=True)
class Sliced:
    """A metric on the rows of one slice, so that a loop watches them by themselves.

    It is measured beside the loop's other metrics in each window, a trigger may name it, and a
    window without rows of the slice has no value. Rows outside have no loss, so that no gate
    compares models by it, and it cannot be a loop's only metric.

    Args:
        metric: on all rows.
        where: the slice; `Slice.of` makes one.

    Raises:
        SettingInvalid: the slice has no condition.
        MetricNeedsColumn: when it measures rows that lack a column of the slice.

    >>> from ratoon.core.schema import Column, Schema
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.metrics import Accuracy
    >>> from ratoon.windows.judged import Scored
    >>> from ratoon.windows.rows import Rows
    >>> schema = Schema(columns=(Column(name="country", kind="category"),))
    >>> judged = Judged(
    ...     target=Target(task="binary", classes=("good", "bad")),
    ...     labels=np.array([0.0, 1.0, 1.0]),
    ...     scored=Scored(outputs=np.array([0.0, 0.0, 1.0])),
    ...     features=Rows(
    ...         schema=schema, columns={"country": np.array(["DE", "DE", "FR"], dtype=object)}
    ...     ),
    ... )
    >>> metric = Sliced(Accuracy(), Slice.of(country="DE"))
    >>> metric.name, metric.measure(judged, Window(start=EPOCH, end=EPOCH)).value
    ('accuracy where country = DE', 0.5)
    """

    metric: Metric
    where: Slice

    def __post_init__(self) -> None:
        """Check the settings."""
        if not self.where.conditions:
            raise SettingInvalid("where", "a slice with a condition", self.where)

    @property
    def name(self) -> str:
        """The metric's name and the slice."""
        return f"{self.metric.name} where {self.where}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The features that it reads: those of the slice, and the metric's own."""
        own: tuple[str, ...] = getattr(self.metric, "columns", ())
        return tuple(dict.fromkeys((*self.where.columns, *own)))

    @property
    def tasks(self) -> frozenset[str]:
        """Those of the metric."""
        return self.metric.tasks

    @property
    def greater_is_better(self) -> bool:
        """As of the metric."""
        return self.metric.greater_is_better

    @property
    def value_range(self) -> tuple[float, float]:
        """That of the metric."""
        return self.metric.value_range

    def measure(self, judged: Judged, window: Window, /) -> Measurement:
        """Measure the rows of the slice."""
        inside = np.flatnonzero(self.where.mask(self._features(judged)))
        found = self.metric.measure(judged.take(inside), window)
        return replace(found, metric=self.name, subject=str(self.where))

    def losses(self, judged: Judged, /) -> Floats | None:
        """Return None: rows outside of the slice have no loss."""
        del judged

    def bound(self, target: Target, /) -> float | None:
        """Return None, as rows have no losses."""
        del target

    def _features(self, judged: Judged) -> Rows:
        features = judged.features
        for name in self.where.columns:
            if features is None or name not in features.columns:
                raise MetricNeedsColumn(self.name, f"the feature {name!r}")
        assert features is not None  # a slice has a column
        return features
