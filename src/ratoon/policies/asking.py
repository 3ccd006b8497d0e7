"""Show a trigger what happened, store its firings as events, decide on its causes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ratoon.core.deciding import Firing
from ratoon.core.events import Event
from ratoon.core.ids import derive
from ratoon.core.wire import Json, to_json
from ratoon.policies import retraining
from ratoon.policies.settings import Settings
from ratoon.policies.turn import Turn
from ratoon.triggers.protocol import Happening, View


def ask(settings: Settings, turn: Turn, at: datetime, happened: Happening) -> Turn:
    """Show the trigger what happened; nothing follows while there is no champion."""
    reign = turn.state.reign
    if reign is None:
        return turn
    view = View(
        at=at,
        happened=happened,
        champion_since=reign.since,
        trained_rows=reign.standing.trained_rows,
        labelled=turn.state.rows,
        baseline={m.metric: m for m in reign.standing.baseline},
        metrics={metric.name: metric for metric in settings.metrics},
    )
    state, fired = settings.retrain_when.fires(turn.state.triggers, view)
    turn = turn.now(replace(turn.state, triggers=state))
    for spark in fired.sparks:
        if spark.event_id is None:
            turn = turn.record(event_of(settings.loop, spark))
    causes = tuple(_with_event(settings.loop, cause) for cause in fired.causes)
    return retraining.consider(settings, turn, at, causes)


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


def _with_event(loop: str, firing: Firing) -> Firing:
    return firing if firing.event_id else replace(firing, event_id=_event_id(loop, firing))


def _event_id(loop: str, firing: Firing) -> str:
    parts = (firing.trigger, firing.at.isoformat(), firing.subject, firing.reason)
    return derive("event", loop, *parts)
