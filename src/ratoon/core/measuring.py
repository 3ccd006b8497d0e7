"""What is measured and what is detected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

DetectionStatus = Literal["stable", "warning", "drift"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRange:
    """A half-open range of labelled rows, by their ordinal in order of arrival."""

    start: int  # ordinal of the first row
    stop: int  # ordinal after the last row

    def __len__(self) -> int:
        """Count the rows."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A half-open interval of event time, and the labelled rows in it where it was cut by rows."""

    start: datetime
    end: datetime
    rows: RowRange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A metric on a window: its value, the rows it rests on, and how sure it is.

    A window whose labels are still coming says so by its `share`. Its value is that of the labels
    that have come; `low` and `high` are the least and the greatest that it may still become.
    """

    metric: str
    window: Window
    value: float | None  # None where the metric is undefined (ROC-AUC of one class)
    n: int  # rows
    stderr: float | None = None  # standard error, in the metric's unit; None where undefined
    subject: str | None = None  # the feature, slice or class that it is about
    support: int | None = None  # rows (or queries) that decide the value, where fewer than n
    share: float | None = None  # of the window's labels, those that were in; None: not known
    low: float | None = None  # the value lies here or above, whatever is not known yet
    high: float | None = None  # the value lies here or below, whatever is not known yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What a detector says after a step: is there a change, how strong, and since when."""

    status: DetectionStatus
    statistic: float
    threshold: float
    change_point: datetime | None = None  # start of the first window after the change
    change_row: int | None = None  # ordinal of the first labelled row after the change
