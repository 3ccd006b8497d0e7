"""Show a trigger what happened, store its firings as events, decide on its causes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ratoon.policies import retraining
from ratoon.policies.facts import event_of, with_event
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
    causes = tuple(with_event(settings.loop, cause) for cause in fired.causes)
    return retraining.consider(settings, turn, at, causes)
