"""Events that the policy makes: of firings, and of what happened to runs and versions."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ratoon.core.deciding import Firing
from ratoon.core.events import Event
from ratoon.core.ids import derive
from ratoon.core.wire import Json, dumps, to_json


def event_of(loop: str, firing: Firing) -> Event:
    """Return a firing as the CloudEvent that is stored."""
    return Event(
        id=_event_id(loop, firing),
        source=source_of(loop),
        type=firing.event_type,
        time=firing.at,
        subject=firing.subject or loop,
        data={
            "trigger": firing.trigger,
            "reason": firing.reason,
            "since": to_json(firing.since),
            "since_row": firing.since_row,
            "evidence": to_json(firing.evidence),
        },
    )


def fact(loop: str, kind: str, at: datetime, subject: str, data: dict[str, Json]) -> Event:
    """Return the event that something happened to a version or a run."""
    event_id = derive("event", loop, kind, at.isoformat(), subject)
    return Event(
        id=event_id, source=source_of(loop), type=kind, time=at, subject=subject, data=data
    )


def source_of(loop: str) -> str:
    """Return the CloudEvents source of a loop."""
    return f"/ratoon/{loop}"


def with_event(loop: str, firing: Firing) -> Firing:
    """Return a firing that names its stored event."""
    return firing if firing.event_id else replace(firing, event_id=_event_id(loop, firing))


def _event_id(loop: str, firing: Firing) -> str:
    return derive("event", loop, dumps(replace(firing, event_id=None)))
