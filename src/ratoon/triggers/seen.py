"""What the triggers on losses see of a window, and how they say that they fire."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ratoon.core.deciding import Firing
from ratoon.core.measuring import Window
from ratoon.core.wire import Json
from ratoon.triggers.protocol import Fired, Happening, LabelsClosed, Trigger, View


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLoss:
    """The champion's mean row loss on a window of labelled rows."""

    window: Window
    mean: float
    rows: int

    @property
    def start_row(self) -> int | None:
        """The ordinal of the window's first row, where it is known."""
        return None if self.window.rows is None else self.window.rows.start


def window_loss(happened: Happening) -> WindowLoss | None:
    """Return the loss of the window that was closed; None where nothing of the kind happened."""
    if not isinstance(happened, LabelsClosed) or happened.losses is None:
        return None
    rows = len(happened.losses)
    mean = float(happened.losses.mean()) if rows else math.nan
    if not math.isfinite(mean):
        return None
    return WindowLoss(window=happened.window, mean=mean, rows=rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """Where a cause began: the moment, and the ordinal of the row."""

    at: datetime | None = None
    row: int | None = None


def fires(
    trigger: Trigger[Any],
    view: View,
    event_type: str,
    reason: str,
    evidence: Mapping[str, Json],
    since: Since | None = None,
) -> Fired:
    """Return the answer of a single trigger that fires: one spark, which is the cause."""
    began = since or Since()
    firing = Firing(
        trigger=str(trigger),
        event_type=event_type,
        reason=reason,
        at=view.at,
        since=began.at,
        since_row=began.row,
        evidence=evidence,
    )
    return Fired(sparks=(firing,), causes=(firing,))
