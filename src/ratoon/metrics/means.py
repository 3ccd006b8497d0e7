"""What metrics share that are the mean of a number a row."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from ratoon.core.measuring import Measurement, Window
from ratoon.metrics.checking import check_task
from ratoon.metrics.influence import told, undefined
from ratoon.metrics.parts import Mean, Mergeable, mean_of
from ratoon.windows.judged import Floats, Judged, Target


class _Averaged(Mergeable[Mean], Protocol):
    def values(self, judged: Judged, /) -> Floats: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OfMean:
    """What metrics share that are a mean: all but their name, their tasks and `losses`."""

    greater_is_better = False
    value_range = (0.0, math.inf)

    @property
    def part(self: Mergeable[Mean]) -> str:
        """The name of the metric: each has a mean of its own."""
        return self.name

    def measure(self: _Averaged, judged: Judged, window: Window, /) -> Measurement:
        """Measure the mean."""
        return self.tell(self.count(judged), judged.target, window)

    def count(self: _Averaged, judged: Judged, /) -> Mean:
        """Return the mean of the rows, and their spread."""
        return mean_of(self.values(judged))

    def tell(self: _Averaged, part: Mean, target: Target, window: Window, /) -> Measurement:
        """Measure what rows have left behind."""
        check_task(self, target)
        return told_of_mean(self.name, window, part)

    def values(self: _Averaged, judged: Judged, /) -> Floats:
        """Return the numbers whose mean is the metric: the losses."""
        losses = self.losses(judged)
        assert losses is not None
        return losses

    def bound(self: _Averaged, target: Target, /) -> float | None:
        """Return None: a loss can be of any size."""
        check_task(self, target)
        return None


def told_of_mean(metric: str, window: Window, found: Mean) -> Measurement:
    """Return the measurement of a mean; of no rows it is undefined."""
    if found.n == 0:
        return undefined(metric, window, 0)
    return told(metric, window, found.n, found.mean, found.stderr)
