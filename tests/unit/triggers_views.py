"""What the tests show to triggers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from ratoon.core import wire
from ratoon.core.events import Event
from ratoon.core.measuring import Measurement, RowRange, Window
from ratoon.drift import Change
from ratoon.drift.control import adjusted_together, strongest_first
from ratoon.metrics import MAE, Accuracy
from ratoon.metrics.protocol import Metric
from ratoon.triggers import Fired, Trigger, View
from ratoon.triggers.protocol import (
    Happening,
    Heard,
    LabelsClosed,
    PredictionsClosed,
    Side,
    TimePassed,
)
from ratoon.windows.summaries import reference_of

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
METRICS: Mapping[str, Metric] = {"mae": MAE(), "accuracy": Accuracy()}


def window(i: int, rows: int = 100) -> Window:
    """The i-th window of an hour, and its rows."""
    numbered = RowRange(start=i * rows, stop=(i + 1) * rows)
    return Window(start=START + i * HOUR, end=START + (i + 1) * HOUR, rows=numbered)


def measured(
    metric: str, value: float | None, i: int = 0, stderr: float | None = None
) -> Measurement:
    return Measurement(metric=metric, window=window(i), value=value, n=100, stderr=stderr)


def closed(
    i: int,
    values: Mapping[str, float | None] | None = None,
    stderr: float | None = None,
    losses: Iterable[float] | None = None,
) -> LabelsClosed:
    """The i-th window of labelled rows, with these metrics and row losses."""
    found = {m: measured(m, v, i, stderr) for m, v in (values or {}).items()}
    rows = None if losses is None else np.array(list(losses), dtype=float)
    return LabelsClosed(window=window(i), measurements=found, losses=rows)


def moved(
    i: int, shifts: Mapping[str, tuple[float, float]], of: Side = "inputs"
) -> PredictionsClosed:
    """The i-th window of predictions, with the distance and p-value of each feature."""
    found = [
        Change(
            aspect="distribution",
            measurement=Measurement(
                metric="jensen_shannon", window=window(i), value=d, n=100, subject=feature
            ),
            before=None,
            effect=d,
            least=0.1,
            p_value=p,
            adjusted=1.0,
            rate=0.001,
        )
        for feature, (d, p) in shifts.items()
    ]
    columns = dict.fromkeys(shifts, np.arange(8.0))
    reference = reference_of(columns)
    return PredictionsClosed(
        of=of,
        window=window(i),
        reference=reference,
        summary=reference.summarise(columns),
        changes=tuple(sorted(adjusted_together(found), key=strongest_first)),
    )


def heard(kind: str, subject: str | None = None, **data: Any) -> Heard:
    """An event from outside."""
    made = Event(id="e1", source="/shop", type=kind, time=START, subject=subject, data=data)
    return Heard(event=made)


def view(happened: Happening, at: datetime | None = None, **facts: Any) -> View:
    """What a trigger sees; `facts` overrides how things stand."""
    stands: dict[str, Any] = {
        "champion_since": START,
        "trained_rows": 1000,
        "labelled": 1000,
        "baseline": {"mae": measured("mae", 1.0), "accuracy": measured("accuracy", 0.9)},
        "metrics": METRICS,
    }
    return View(at=at or START + 9 * HOUR, happened=happened, **(stands | facts))


def restarted(trigger: Trigger[Any], state: Any) -> Any:
    """The state as it is after it was stored and read again."""
    return trigger.load(json.loads(wire.dumps(state)))


def answers(trigger: Trigger[Any], seen: Iterable[View]) -> list[Fired]:
    """What a trigger says to each view in turn."""
    state, said = trigger.init(), []
    for one in seen:
        state, fired = trigger.fires(state, one)
        said.append(fired)
    return said


def fired(trigger: Trigger[Any], happened: Iterable[Happening], **facts: Any) -> list[int]:
    """At which of these, an hour apart, a trigger fires as a whole."""
    views = [view(h, START + (i + 1) * HOUR, **facts) for i, h in enumerate(happened)]
    return [i for i, answer in enumerate(answers(trigger, views)) if answer.causes]


def ticks(hours: Iterable[float]) -> list[View]:
    """Views at which nothing happened but time, so many hours after the start."""
    return [view(TimePassed(), START + h * HOUR) for h in hours]
