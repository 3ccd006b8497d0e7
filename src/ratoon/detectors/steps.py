"""What the steps of all detectors share: the value they read, and what they answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ratoon.core import settings
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Detection, Measurement, Window

Direction = Literal["up", "down"]
DIRECTIONS = ("up", "down")
"""Which way is worse: "up" for a loss, "down" for a score such as accuracy."""

LARGEST = 1e100  # its square, and sums of its squares, are still finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Onset:
    """Where a window begins: the place that a change point names."""

    start: datetime | None = None  # None where only rows are known: in a scan of an array
    row: int | None = None  # ordinal of its first labelled row, where rows are known


def check_confidences(**named: float) -> None:
    """Refuse the chances of a false drift and of a false warning that are none, or out of order.

    Args:
        named: that of a drift, then that of a warning, which is greater; each in (0, 1).

    Raises:
        SettingInvalid: which one.
    """
    for name, chance in named.items():
        settings.share(name, chance)
    (drift_name, drift_chance), (name, chance) = named.items()
    if chance <= drift_chance:
        raise SettingInvalid(name, f"above {drift_name} ({drift_chance})", chance)


def onset_of(window: Window) -> Onset:
    """Return where `window` begins."""
    return Onset(start=window.start, row=None if window.rows is None else window.rows.start)


def value_of(m: Measurement) -> float | None:
    """Return the value to judge, or None where there is none (None or not a number).

    An infinite value counts as 1e100, so that it alarms and the state stays finite.
    """
    if m.value is None or math.isnan(m.value):
        return None
    return min(max(m.value, -LARGEST), LARGEST)


def error_of(m: Measurement) -> float | None:
    """Return the value as a loss in [0, 1], or None where there is none.

    What lies outside counts as the nearer end.
    """
    value = value_of(m)
    return None if value is None else min(max(value, 0.0), 1.0)


def stderr_of(m: Measurement) -> float | None:
    """Return the standard error of the value, or None where there is no finite one."""
    if m.stderr is None or not math.isfinite(m.stderr):
        return None
    return min(m.stderr, LARGEST)


def sign_of(direction: Direction) -> float:
    """Return 1 where up is worse and -1 where down is worse."""
    return 1.0 if direction == "up" else -1.0


def answer(statistic: float, threshold: float, *, warned: bool) -> Detection:
    """Answer that nothing has changed yet; with a warning where it looks so."""
    status = "warning" if warned else "stable"
    return Detection(status=status, statistic=statistic, threshold=threshold)


def stable(statistic: float, threshold: float) -> Detection:
    """Answer that nothing has changed."""
    return Detection(status="stable", statistic=statistic, threshold=threshold)


def drift(statistic: float, threshold: float, onset: Onset) -> Detection:
    """Answer that something has changed, and since when."""
    return Detection(
        status="drift",
        statistic=statistic,
        threshold=threshold,
        change_point=onset.start,
        change_row=onset.row,
    )
