"""From causes to a decision: retrain, wait or hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ratoon.core.deciding import Alternative, Firing, Hold, Retrain, SnapshotPlan, Wait
from ratoon.core.events import REFUSED, REQUESTED
from ratoon.core.ids import derive
from ratoon.core.measuring import RowRange
from ratoon.core.versions import Verdict
from ratoon.policies.facts import fact
from ratoon.policies.settings import Settings
from ratoon.policies.state import Change, Training, Trial, Waiting
from ratoon.policies.turn import Judge, Train, Turn


def decision_id(settings: Settings, turn: Turn) -> str:
    """Return the id of the next decision: it follows from the loop and its number."""
    return derive("decision", settings.loop, turn.state.decisions + 1)


def consider(settings: Settings, turn: Turn, at: datetime, causes: tuple[Firing, ...]) -> Turn:
    """Decide on causes that have just arisen: one cause, one decision."""
    if not causes:
        return turn
    turn, asked = _remembered(turn, causes), asked_for(causes)
    state = turn.state
    if state.training is not None:
        reason = f"{state.training.run_id} is training already"
        return _behind(settings, turn, at, causes, reason)
    if state.trial is not None:
        if not _newer(causes, state.trial.standing.trained_rows):
            reason = f"the challenger of {state.trial.run_id} is under test already"
            return _behind(settings, turn, at, causes, reason)
        turn = _overtaken(settings, turn, at, state.trial)
        state = turn.state
    if state.waiting is None:
        return attempt(settings, turn, at, causes, asked=asked)
    merged = merge(state.waiting.causes, causes)
    asked = asked or state.waiting.asked
    if asked_for(causes) or _newer(causes, state.tried_row):
        turn = turn.now(replace(state, waiting=None))
        return attempt(settings, turn, at, merged, asked=asked)
    turn = turn.now(replace(state, waiting=replace(state.waiting, causes=merged)))
    return hold(settings, turn, at, causes, f"joined what waits already: {state.waiting.reason}")


def _remembered(turn: Turn, causes: tuple[Firing, ...]) -> Turn:
    """Remember where the newest change begins, for this retraining and later ones."""
    row, since = _newest_change(causes)
    before = turn.state.change
    if row is None or (before is not None and before.row >= row):
        return turn
    return turn.now(replace(turn.state, change=Change(row=row, at=since)))


def _behind(
    settings: Settings, turn: Turn, at: datetime, causes: tuple[Firing, ...], reason: str
) -> Turn:
    """Coalesce causes into what is under way; what a person asked for is looked at after it."""
    if not asked_for(causes):
        return hold(settings, turn, at, causes, reason)
    before = () if turn.state.waiting is None else turn.state.waiting.causes
    waiting = Waiting(causes=merge(before, causes), reason=reason, asked=True)
    return wait(settings, turn, at, waiting)


def ripen(settings: Settings, turn: Turn, at: datetime) -> Turn:
    """Look again at what waits, when its time or its labels have come."""
    waiting = turn.state.waiting
    if waiting is None or turn.state.training is not None or turn.state.trial is not None:
        return turn
    early = waiting.until is not None and at < waiting.until
    few = waiting.until_row is not None and turn.state.rows < waiting.until_row
    if early or few:
        return turn
    turn = turn.now(replace(turn.state, waiting=None))
    return attempt(settings, turn, at, waiting.causes, asked=waiting.asked)


def attempt(
    settings: Settings, turn: Turn, at: datetime, causes: tuple[Firing, ...], *, asked: bool
) -> Turn:
    """Retrain, unless something speaks against it now; a person's fresh wish overrides limits."""
    state = turn.state
    if settings.autonomy == "observe" and not asked:
        reason = "autonomy is 'observe': it would retrain now"
        return hold(settings, turn, at, causes, reason)
    blocked = None if asked else settings.limits.blocked(state.retrained, at)
    if blocked is not None:
        return wait(settings, turn, at, Waiting(causes=causes, until=blocked[0], reason=blocked[1]))
    first, change = state.first_row, state.change
    since_row = None if change is None else max(0, change.row - first)
    needed = first + settings.train_on.needed(since_row)
    if state.rows < needed:
        reason = f"{needed - state.rows} more labelled rows are needed to train on"
        waiting = Waiting(causes=causes, until_row=needed, reason=reason, asked=asked)
        return wait(settings, turn, at, waiting)
    if state.rows < state.retry_row and not asked and not _newer(causes, state.tried_row):
        reason = f"the last retraining brought nothing; {state.retry_row - state.rows} more labels"
        waiting = Waiting(causes=causes, until_row=state.retry_row, reason=reason)
        return wait(settings, turn, at, waiting)
    since = None if change is None else change.at
    plan = settings.train_on.plan(state.rows - first, since_row, since)
    return retrain(settings, turn, at, causes, shifted(plan, first))


def shifted(plan: SnapshotPlan, first: int) -> SnapshotPlan:
    """Return a plan for rows that begin at the ordinal `first`."""

    def moved(rows: RowRange) -> RowRange:
        return RowRange(start=rows.start + first, stop=rows.stop + first)

    choices = tuple(
        replace(c, rows=moved(c.rows), folds=tuple(moved(rows) for rows in c.folds))
        for c in plan.choices
    )
    return replace(
        plan,
        train=moved(plan.train),
        holdout=moved(plan.holdout),
        choices=choices,
        chosen_on=None if plan.chosen_on is None else moved(plan.chosen_on),
        since_row=None if plan.since_row is None else plan.since_row + first,
    )


def retrain(
    settings: Settings, turn: Turn, at: datetime, causes: tuple[Firing, ...], plan: SnapshotPlan
) -> Turn:
    """Decide to retrain on the planned rows."""
    decision = Retrain(
        id=decision_id(settings, turn),
        loop=settings.loop,
        at=at,
        causes=causes,
        plan=plan,
        refused=(Alternative(what="wait", why="there are labels enough and nothing blocks"),),
    )
    run_id = derive("run", decision.id)
    state = replace(
        turn.state,
        training=Training(run_id=run_id, causes=causes, plan=plan),
        retrained=settings.limits.kept(turn.state.retrained, at),
        tried_row=plan.train.stop,
    )
    return turn.now(state).decide(decision).order(Train(run_id=run_id, decision=decision))


def hold(
    settings: Settings, turn: Turn, at: datetime, causes: tuple[Firing, ...], reason: str
) -> Turn:
    """Decide to do nothing."""
    made = Hold(
        id=decision_id(settings, turn),
        loop=settings.loop,
        at=at,
        causes=causes,
        reason=reason,
        refused=(Alternative(what="retrain", why=reason),),
    )
    return turn.decide(made)


def wait(settings: Settings, turn: Turn, at: datetime, waiting: Waiting) -> Turn:
    """Decide to look again later, and remember the causes until then."""
    made = Wait(
        id=decision_id(settings, turn),
        loop=settings.loop,
        at=at,
        causes=waiting.causes,
        reason=waiting.reason,
        until=waiting.until,
        until_row=waiting.until_row,
        refused=(Alternative(what="retrain", why=waiting.reason),),
    )
    return turn.now(replace(turn.state, waiting=waiting)).decide(made)


def merge(old: tuple[Firing, ...], new: tuple[Firing, ...]) -> tuple[Firing, ...]:
    """Join causes in order; of one trigger only the first and the newest stay."""
    every = (*old, *new)
    first = {firing.trigger: number for number, firing in reversed(list(enumerate(every)))}
    newest = {firing.trigger: number for number, firing in enumerate(every)}
    return tuple(every[number] for number in sorted({*first.values(), *newest.values()}))


def _newer(causes: tuple[Firing, ...], trained_rows: int) -> bool:
    """Tell whether a change came after data that was trained on.

    A model of such data knows nothing of the change: to go on testing it, or to wait because it
    was no good, would only lose time.
    """
    since_row = _newest_change(causes)[0]
    return since_row is not None and since_row >= trained_rows


def _overtaken(settings: Settings, turn: Turn, at: datetime, trial: Trial) -> Turn:
    """End a trial because the world has changed since its challenger was trained."""
    reason = "the data changed again after it was trained"
    verdict = Verdict(gate="none", outcome="fail", reason=reason, metric="", n=0)
    event = fact(settings.loop, REFUSED, at, trial.run_id, {"run": trial.run_id, "reason": reason})
    turn = turn.now(replace(turn.state, trial=None)).record(event)
    return turn.order(Judge(run_id=trial.run_id, verdict=verdict))


def asked_for(causes: tuple[Firing, ...]) -> bool:
    """Tell whether a person is among the causes."""
    return any(cause.event_type == REQUESTED for cause in causes)


def _newest_change(causes: tuple[Firing, ...]) -> tuple[int | None, datetime | None]:
    """Return where the data of the newest known change begins."""
    known = [(cause.since_row, cause.since) for cause in causes if cause.since_row is not None]
    if not known:
        return None, None
    return max(known, key=lambda pair: pair[0])
