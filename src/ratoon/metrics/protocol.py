"""What a metric is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ratoon.core.measuring import Measurement, Window
from ratoon.windows.judged import Floats, Judged, Target


class Metric(Protocol):
    """A number that says how good a model was on labelled rows, and how sure that number is.

    A metric is its settings: a frozen value that can be printed, compared and hashed. It keeps no
    state, so the same rows give the same measurement live and in replay.

    A metric that reads features of the rows names them, in an attribute ``columns`` (a tuple of
    names): a loop hands those in, and no others.
    """

    @property
    def name(self) -> str:
        """The name that gates, triggers and pages use, such as ``"log_loss"``."""
        ...

    @property
    def tasks(self) -> frozenset[str]:
        """The tasks that it can judge: "binary", "multiclass", "regression", "ranking"."""
        ...

    @property
    def greater_is_better(self) -> bool:
        """Whether a greater value is a better one."""
        ...

    @property
    def value_range(self) -> tuple[float, float]:
        """The least and the greatest value that there can be; infinite where there is none."""
        ...

    def measure(self, judged: Judged, window: Window, /) -> Measurement:
        """Measure the rows of a window.

        `n` counts the rows looked at; `support` those that decide the value where they are fewer,
        as the rows of the positive class for a recall, or the queries of a ranking. The value is
        None where the metric is undefined on them or does not fit a float, never NaN. The standard
        error takes the model as given and the rows as independent; it is None where it is
        undefined, for instance on a single row. It is 0 where the rows are all alike (ten right
        answers of ten), which proves little on few rows: `interval` allows for that.

        Raises `SettingInvalid` on another task, `MetricNeedsColumn` without the scores that it
        needs, `ValueForbidden` on a label, output or score that is NaN, infinite or out of range.
        """
        ...

    def losses(self, judged: Judged, /) -> Floats | None:
        """Return the loss of each row, shape (n,), lower is better; None where rows have none.

        A lower mean of these is a better value, and is what a gate compares. The mean is the value
        itself, but accuracy is 1 less the mean, RMSE is its root, and a `Custom` metric of which
        more is better is its `largest` less the mean.
        """
        ...

    def bound(self, target: Target, /) -> float | None:
        """Return the largest loss that a row can have, the least being 0; None if unbounded."""
        ...


def columns_read(metrics: Iterable[Metric]) -> tuple[str, ...]:
    """Return the features that metrics read.

    >>> columns_read([])
    ()
    """
    read: list[tuple[str, ...]] = [getattr(metric, "columns", ()) for metric in metrics]
    return tuple(dict.fromkeys(name for names in read for name in names))
