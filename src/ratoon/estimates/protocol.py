"""What an estimator is."""

from __future__ import annotations

from typing import Protocol, TypeVar

from ratoon.core.measuring import Window
from ratoon.estimates.estimate import Estimate
from ratoon.windows.judged import Judged, Scored
from ratoon.windows.rows import Rows

S = TypeVar("S")


class Estimator(Protocol[S]):
    """A way to foretell the metrics of a window without its labels.

    An estimator is its settings, a frozen value. What it learns is a state of its own, made by
    `fit` from a reference: labelled rows that the model was not trained on. The same rows make the
    same state; some states are small and JSON, others hold models or rows and are made again.
    """

    def fit(self, judged: Judged, /) -> S:
        """Learn from the reference; estimators that read features need those of its rows."""
        ...

    def estimate(
        self, state: S, scored: Scored, window: Window, rows: Rows, /
    ) -> tuple[Estimate, ...]:
        """Estimate the metrics of a window: what the model said of its rows, and their features."""
        ...
