"""What is seen becomes windows, measurements and questions to the trigger."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from ratoon.core.events import Event
from ratoon.core.measuring import RowRange
from ratoon.core.versions import Verdict
from ratoon.gates.protocol import Looked
from ratoon.policies import champions, retraining
from ratoon.policies.asking import ask
from ratoon.policies.settings import Settings
from ratoon.policies.turn import Labelled, Turn
from ratoon.rollouts import Seen as Watched
from ratoon.rollouts import WatchState
from ratoon.triggers import protocol as triggers
from ratoon.windows.judged import Floats, Judged


def time(settings: Settings, turn: Turn, at: datetime) -> Turn:
    """Look at what waits and at the schedules."""
    turn = retraining.ripen(settings, turn, at)
    return ask(settings, turn, at, triggers.TimePassed())


def heard(settings: Settings, turn: Turn, at: datetime, event: Event) -> Turn:
    """Show the trigger an event from outside."""
    return ask(settings, turn, at, triggers.Heard(event=event))


def complaint(settings: Settings, turn: Turn, at: datetime) -> Turn:
    """Count a complaint."""
    reign = turn.state.reign
    if reign is None:
        return turn
    reign = replace(reign, negative=reign.negative + 1)
    turn = turn.now(replace(turn.state, reign=reign))
    rated = triggers.Rated(negative=reign.negative, predictions=reign.predictions)
    return ask(settings, turn, at, rated)


def labels(settings: Settings, turn: Turn, seen: Labelled) -> Turn:
    """Take in labelled rows piece by piece, up to the first that calls for an action."""
    turn = time(settings, turn, seen.at)
    while turn.state.rows < seen.rows.stop and not turn.orders:
        turn = _piece(settings, turn, seen)
        if not turn.orders:
            turn = retraining.ripen(settings, turn, seen.at)
    return turn


def _piece(settings: Settings, turn: Turn, seen: Labelled) -> Turn:
    """Take in rows up to the end of the window or of a wait, or to a verdict before it."""
    start = turn.state.rows
    ends = [seen.rows.stop, turn.state.window_start + settings.window]
    waiting = turn.state.waiting
    if waiting is not None and waiting.until_row is not None and waiting.until_row > start:
        ends.append(waiting.until_row)
    piece = _weighed(settings, turn, seen, RowRange(start=start, stop=min(ends)))
    if piece.orders:
        return piece
    if piece.state.rows == piece.state.window_start + settings.window:
        return _labels_full(settings, piece, seen)
    return piece


def _weighed(settings: Settings, turn: Turn, seen: Labelled, rows: RowRange) -> Turn:
    """Show the rows to the gate of the challenger and to the watch over the champion."""
    trial, watch = turn.state.trial, turn.state.watch
    looked, watched = _look(settings, turn, seen, rows)
    used = min(
        len(rows),
        len(rows) if looked is None else looked.looked.rows,
        len(rows) if watched is None else watched.seen.rows,
    )
    if used < len(rows):
        rows = RowRange(start=rows.start, stop=rows.start + used)
        looked, watched = _look(settings, turn, seen, rows)
    state = replace(turn.state, rows=rows.stop)
    if trial is not None and looked is not None:
        state = replace(state, trial=replace(trial, evidence=looked.evidence))
    if watch is not None and watched is not None:
        saved = _saved(settings, watch.saved, seen, rows)
        state = replace(state, watch=replace(watch, state=watched.state, saved=saved))
    turn = turn.now(state)
    if watched is not None and watched.seen.breached:
        return champions.breached(settings, turn, seen.at)
    if watched is not None and watched.seen.over:
        turn = champions.settle(settings, turn, seen.at)
    return turn if looked is None else _judged(settings, turn, seen, looked.looked.verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """What the gate made of some rows."""

    evidence: Any
    looked: Looked


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    """What the watch made of some rows."""

    state: WatchState
    seen: Watched


def _look(
    settings: Settings, turn: Turn, seen: Labelled, rows: RowRange
) -> tuple[_Looked | None, _Watched | None]:
    index = slice(rows.start - seen.rows.start, rows.stop - seen.rows.start)
    champion = seen.champion.take(index)
    trial, watch = turn.state.trial, turn.state.watch
    looked = watched = None
    if trial is not None and seen.challenger is not None:
        rival = seen.challenger.take(index)
        looked = _looked(*settings.accept_if.step(trial.evidence, champion, rival))
    if watch is not None and seen.replaced is not None:
        rival = seen.replaced.take(index)
        watched = _watched(*settings.rollout.step(watch.state, champion, rival))
    return looked, watched


def _looked(evidence: Any, looked: Looked) -> _Looked:
    return _Looked(evidence=evidence, looked=looked)


def _watched(state: WatchState, seen: Watched) -> _Watched:
    return _Watched(state=state, seen=seen)


def _judged(settings: Settings, turn: Turn, seen: Labelled, verdict: Verdict) -> Turn:
    trial = turn.state.trial
    if trial is None or verdict.outcome == "inconclusive":
        return turn
    if verdict.outcome == "pass":
        target = seen.champion.target
        return champions.accept(settings, turn, seen.at, trial, verdict, target)
    return champions.refuse(settings, turn, seen.at, trial, verdict)


def _labels_full(settings: Settings, turn: Turn, seen: Labelled) -> Turn:
    """Measure the champion on the window that is full, and show it to the trigger."""
    rows = RowRange(start=turn.state.window_start, stop=turn.state.rows)
    index = slice(rows.start - seen.rows.start, rows.stop - seen.rows.start)
    judged = seen.champion.take(index)
    window = champions.window_of(seen.times[index], rows)
    share = None if seen.arrived is None else seen.arrived.maturity(window).share
    measured = tuple(replace(m, share=share) for m in champions.measure(settings, judged, window))
    closed = triggers.LabelsClosed(
        window=window,
        measurements={m.metric: m for m in measured},
        losses=_losses(settings, judged),
    )
    turn = turn.now(replace(turn.state, window_start=rows.stop)).measured(*measured)
    return ask(settings, turn, seen.at, closed)


def _losses(settings: Settings, judged: Judged) -> Floats | None:
    """Return the row losses of the first metric that has them: what retrainings are priced in."""
    found = (metric.losses(judged) for metric in settings.metrics)
    return next((losses for losses in found if losses is not None), None)


def _saved(settings: Settings, so_far: float, seen: Labelled, rows: RowRange) -> float:
    """Add what the champion lost less than the replaced version on these rows, in order."""
    if seen.replaced is None:
        return so_far
    index = slice(rows.start - seen.rows.start, rows.stop - seen.rows.start)
    before = _losses(settings, seen.replaced.take(index))
    now = _losses(settings, seen.champion.take(index))
    if before is None or now is None:
        return so_far
    return float(np.cumsum(np.concatenate([[so_far], before - now]))[-1])
