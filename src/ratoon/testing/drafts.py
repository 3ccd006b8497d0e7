"""Drafts for the check kits: small, and with every kind of column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import numpy as np

from ratoon.core.events import Event
from ratoon.core.wire import Json, to_json
from ratoon.stores.protocol import Columns, Draft, Store
from ratoon.windows.judged import Scalar
from ratoon.windows.rows import Array

StoreMaker: TypeAlias = Callable[[str], Store]
"""Opens the store of the loop with that name; called again, it opens the same loop again."""

START = datetime(2026, 3, 29, 0, 59, 59, 999999, tzinfo=UTC)
_TEXTS = ("", "Zürich", None, "a\x00b'\"%", "NaN")


def moment(minutes: float = 0) -> datetime:
    """Return a time so many minutes after the start."""
    return START + timedelta(minutes=minutes)


def every_kind(rows: int) -> dict[str, Array]:
    """Return columns of every kind, with missing values where the kind has them."""
    place = np.arange(rows)
    texts = np.empty(rows, dtype=object)
    texts[:] = [_TEXTS[row % len(_TEXTS)] for row in range(rows)]
    times = np.datetime64("1969-12-31T23:59:59.999999", "us") + place.astype("timedelta64[us]")
    times[place % 3 == 1] = np.datetime64("NaT", "us")
    return {
        "feature:number": np.where((place + 1) % 3 == 0, np.nan, place / 7),
        "feature:integer": place.astype("int64") - 2**62,
        "feature:boolean": place % 2 == 0,
        "feature:category": texts,
        "feature:moment": times,
    }


def predicted(rows: int, scores: int = 2, shift: float = 0.0) -> dict[str, Array]:
    """Return the columns of predictions: one feature, the time, an output and scores."""
    place = np.arange(rows, dtype="float64") + shift
    columns: dict[str, Array] = {
        "feature:x": place,
        "time": np.full(rows, np.datetime64("2026-03-29T01:00", "us")),
        "output": place % 2,
    }
    columns |= {f"score:{k}": np.full(rows, (k + 1) / 10) for k in range(scores)}
    return columns | {"version": np.ones(rows)}


def predictions(ids: Sequence[str], columns: Columns | None = None) -> Draft:
    """Return a batch of predictions."""
    found = predicted(len(ids)) if columns is None else columns
    return Draft(kind="predictions", at=moment(), ids=tuple(ids), columns=found)


def nameless(columns: Columns) -> Draft:
    """Return a batch of predictions that the store makes ids for."""
    rows = len(columns["feature:x"])
    return Draft(kind="predictions", at=moment(), nameless=rows, columns=columns)


def labels(ids: Sequence[str], values: Sequence[Scalar]) -> Draft:
    """Return a batch of labels."""
    return Draft(kind="labels", at=moment(1), ids=tuple(ids), values=tuple(values))


def history(values: Sequence[Scalar]) -> Draft:
    """Return a batch of labelled rows that were never predicted."""
    rows = predicted(len(values), scores=0)
    columns = {name: rows[name] for name in ("feature:x", "time")}
    note: dict[str, Json] = {"digest": "d"}
    return Draft(kind="history", at=moment(), values=tuple(values), columns=columns, note=note)


def feedback(ids: Sequence[str], said: Sequence[str], negative: Sequence[str] = ()) -> Draft:
    """Return a batch of feedback."""
    note: dict[str, Json] = {"negative": list(negative)}
    return Draft(kind="feedback", at=moment(2), ids=tuple(ids), values=tuple(said), note=note)


def event(event_id: str = "e1", source: str = "shop") -> Draft:
    """Return an event from outside."""
    data: dict[str, Json] = {"price": 1.5, "deep": {"list": [1, None, "ü", True]}}
    told = Event(id=event_id, source=source, type="pricing.changed", time=moment(), data=data)
    return Draft(kind="event", at=moment(3), note={"event": to_json(told)})


def tick(minutes: float = 0) -> Draft:
    """Return a look at the clock."""
    return Draft(kind="tick", at=moment(minutes))
