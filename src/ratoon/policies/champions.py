"""What becomes of challengers and champions: gate, promotion, watch, rollback."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from ratoon.core.deciding import Firing, Hold, Rollback, Wait
from ratoon.core.events import (
    GUARD_BREACHED,
    PROMOTED,
    REFUSED,
    ROLLBACK_REQUESTED,
    ROLLED_BACK,
    RUN_FAILED,
    SETTLED,
)
from ratoon.core.measuring import Measurement, RowRange, Window
from ratoon.core.times import from_micros
from ratoon.core.versions import Verdict
from ratoon.policies import retraining
from ratoon.policies.asking import ask
from ratoon.policies.facts import event_of, fact
from ratoon.policies.settings import Settings
from ratoon.policies.state import OpenWindow, Reign, Standing, Training, Trial, Waiting, Watch
from ratoon.policies.turn import (
    Fail,
    Judge,
    Promote,
    Register,
    Reported,
    Restore,
    Settle,
    Told,
    Turn,
)
from ratoon.triggers import protocol as triggers
from ratoon.windows.judged import Judged, Target
from ratoon.windows.rows import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class _Passed:
    """A run whose challenger may be promoted, and why there was a run."""

    run_id: str
    verdict: Verdict
    causes: tuple[Firing, ...]


def named(causes: tuple[Firing, ...]) -> tuple[str, ...]:
    """Return the triggers that called for a retraining, sorted."""
    return tuple(sorted({cause.trigger for cause in causes}))


def reported(settings: Settings, turn: Turn, seen: Reported) -> Turn:
    """Take in how a training ended."""
    training = turn.state.training
    if training is None or training.run_id != seen.run_id:
        return turn
    turn = turn.now(replace(turn.state, training=None))
    if seen.challenger is None or seen.held_out is None or seen.times is None:
        error = seen.error or "it reported no challenger"
        event = fact(settings.loop, RUN_FAILED, seen.at, seen.run_id, {"error": error})
        turn = turn.record(event).order(Fail(run_id=seen.run_id, error=error))
        return _nothing_gained(settings, turn, seen.at, training.causes, error)
    window = window_of(seen.times, seen.held_out)
    standing = Standing(
        version=turn.state.versions + 1,
        trained_rows=seen.trained_rows,
        baseline=measure(settings, seen.challenger, window),
        references=seen.references,
    )
    if turn.state.reign is None or seen.champion is None:
        verdict = _unopposed(standing)
        turn = _register(turn, seen.run_id, standing, verdict)
        passed = _Passed(run_id=seen.run_id, verdict=verdict, causes=training.causes)
        return _promote(settings, turn, seen.at, standing, passed, seen.challenger.target)
    return _put_on_trial(settings, turn, seen, (training, standing))


def _put_on_trial(
    settings: Settings, turn: Turn, seen: Reported, run: tuple[Training, Standing]
) -> Turn:
    """Show the gate the held-out rows first."""
    training, standing = run
    reign, champion, challenger = turn.state.reign, seen.champion, seen.challenger
    assert reign is not None
    assert champion is not None
    assert challenger is not None
    baseline = {m.metric: m for m in reign.standing.baseline}
    evidence = settings.accept_if.init(baseline, challenger.target)
    both = challenger.take(slice(len(challenger) - len(champion), len(challenger)))
    evidence, looked = settings.accept_if.step(evidence, champion, both)
    trial = Trial(
        run_id=seen.run_id,
        version=standing.version,
        causes=training.causes,
        standing=standing.bare(),
        evidence=evidence,
    )
    if looked.verdict.outcome == "fail":
        return refuse(settings, turn, seen.at, trial, looked.verdict)
    turn = _register(turn, seen.run_id, standing, looked.verdict)
    if looked.verdict.outcome == "pass":
        passed = _Passed(run_id=seen.run_id, verdict=looked.verdict, causes=training.causes)
        return _promote(settings, turn, seen.at, standing, passed, challenger.target)
    turn = turn.now(replace(turn.state, trial=trial))
    waits = Wait(
        id=retraining.decision_id(settings, turn),
        loop=settings.loop,
        at=seen.at,
        causes=training.causes,
        reason=looked.verdict.reason,
        until_row=turn.state.rows + (looked.verdict.needed or 1),
    )
    return turn.decide(waits)


def refuse(settings: Settings, turn: Turn, at: datetime, trial: Trial, verdict: Verdict) -> Turn:
    """End a trial without a promotion; a later try follows."""
    data = {"run": trial.run_id, "reason": verdict.reason, "gate": verdict.gate, "n": verdict.n}
    turn = turn.now(replace(turn.state, trial=None))
    turn = turn.record(fact(settings.loop, REFUSED, at, trial.run_id, dict(data)))
    turn = turn.order(Judge(run_id=trial.run_id, verdict=verdict))
    return _nothing_gained(settings, turn, at, trial.causes, verdict.reason)


def accept(
    settings: Settings, turn: Turn, at: datetime, trial: Trial, verdict: Verdict, target: Target
) -> Turn:
    """End a trial with a promotion."""
    turn = turn.order(Judge(run_id=trial.run_id, verdict=verdict))
    passed = _Passed(run_id=trial.run_id, verdict=verdict, causes=trial.causes)
    return _promote(settings, turn, at, trial.standing, passed, target)


def settle(settings: Settings, turn: Turn, at: datetime) -> Turn:
    """End the watch well: say what the promotion gained."""
    watch, reign = turn.state.watch, turn.state.reign
    if watch is None or reign is None:
        return turn
    turn = turn.now(replace(turn.state, watch=None))
    if not watch.state.rows:
        return turn
    rows = watch.state.rows
    gain = watch.saved / rows
    data = {"gain": gain, "rows": rows, "replaced": watch.replaced.version}
    subject = f"version {reign.standing.version}"
    turn = turn.record(fact(settings.loop, SETTLED, at, subject, dict(data)))
    if watch.run_id is not None:
        turn = turn.order(Settle(run_id=watch.run_id, gain=gain, rows=rows))
    return ask(
        settings,
        turn,
        at,
        triggers.Settled(gain=gain, lifetime=watch.lifetime, causes=watch.causes),
    )


def breached(settings: Settings, turn: Turn, at: datetime) -> Turn:
    """Undo a promotion that labels speak against."""
    watch, reign = turn.state.watch, turn.state.reign
    if watch is None or reign is None:
        return turn
    leaves = reign.standing.version
    why = (
        f"version {watch.replaced.version} was better than {leaves} by "
        f"{-watch.state.gain:.4g} {watch.state.metric} on the same {watch.state.rows} rows"
    )
    cause = Firing(
        trigger=str(settings.rollout),
        event_type=GUARD_BREACHED,
        reason=why,
        at=at,
        since=reign.since,
        subject=f"version {leaves}",
        evidence={"gain": watch.state.gain, "rows": watch.state.rows, "metric": watch.state.metric},
    )
    event = event_of(settings.loop, cause)
    cause = replace(cause, event_id=event.id)
    return _roll_back(settings, turn.record(event), at, watch.replaced, cause)


def requested_rollback(settings: Settings, turn: Turn, seen: Told) -> Turn:
    """Do as a person asks, unless there is nothing to do."""
    reign = turn.state.reign
    by = str(seen.event.data.get("by") or "a person")
    why = str(seen.event.data.get("reason") or "")
    cause = Firing(
        trigger="a person",
        event_type=ROLLBACK_REQUESTED,
        reason=f"{by} asked for it" + (f": {why}" if why else ""),
        at=seen.at,
        event_id=seen.event.id,
    )
    if reign is None or seen.to is None or seen.to.version == reign.standing.version:
        reason = "there is no other version to go back to"
        held = Hold(
            id=retraining.decision_id(settings, turn),
            loop=settings.loop,
            at=seen.at,
            causes=(cause,),
            reason=reason,
        )
        return turn.decide(held)
    return _roll_back(settings, turn, seen.at, seen.to, cause)


def _roll_back(settings: Settings, turn: Turn, at: datetime, to: Standing, cause: Firing) -> Turn:
    reign, trial, watch = turn.state.reign, turn.state.trial, turn.state.watch
    assert reign is not None
    leaves = reign.standing.version
    decision = Rollback(
        id=retraining.decision_id(settings, turn),
        loop=settings.loop,
        at=at,
        causes=(cause,),
        reason=cause.reason,
        to=to.version,
        leaves=leaves,
    )
    data = {"to": to.version, "leaves": leaves, "decision": decision.id, "reason": cause.reason}
    turn = turn.decide(decision)
    turn = turn.record(fact(settings.loop, ROLLED_BACK, at, f"version {leaves}", dict(data)))
    run_id = None if watch is None else watch.run_id
    turn = turn.order(Restore(version=to.version, leaves=leaves, run_id=run_id))
    if trial is not None:
        verdict = _overtaken(trial)
        turn = turn.order(Judge(run_id=trial.run_id, verdict=verdict))
    failures = turn.state.failures + 1
    state = replace(
        turn.state,
        trial=None,
        watch=None,
        waiting=None,
        failures=failures,
        retry_row=turn.state.rows + settings.limits.pause(failures),
    )
    return _enthrone(settings, turn.now(state), at, to)


def _register(turn: Turn, run_id: str, standing: Standing, verdict: Verdict) -> Turn:
    state = replace(turn.state, versions=standing.version)
    return turn.now(state).order(Register(run_id=run_id, standing=standing, verdict=verdict))


def _promote(
    settings: Settings,
    turn: Turn,
    at: datetime,
    standing: Standing,
    passed: _Passed,
    target: Target,
) -> Turn:
    run_id, verdict = passed.run_id, passed.verdict
    turn = settle(settings, turn, at)
    before, watch = turn.state.reign, None
    if before is not None and settings.rollout.watch:
        baseline = {m.metric: m for m in before.standing.baseline}
        lifetime = turn.state.rows - before.since_row
        started = settings.rollout.init(baseline, target)
        watch = Watch(
            run_id=run_id,
            causes=named(passed.causes),
            replaced=before.standing,
            lifetime=lifetime,
            state=started,
        )
    data = {
        "version": standing.version,
        "run": run_id,
        "replaces": None if before is None else before.standing.version,
        "reason": verdict.reason,
    }
    subject = f"version {standing.version}"
    turn = turn.record(fact(settings.loop, PROMOTED, at, subject, dict(data)))
    turn = turn.order(Promote(run_id=run_id, version=standing.version, verdict=verdict))
    state = replace(
        turn.state, trial=None, watch=watch, waiting=None, failures=0, retry_row=turn.state.rows
    )
    return _enthrone(settings, turn.now(state), at, standing)


def _enthrone(settings: Settings, turn: Turn, at: datetime, standing: Standing) -> Turn:
    """Start anew with another champion."""
    rows = turn.state.rows
    reign = Reign(standing=standing.bare(), since=at, since_row=rows)
    state = replace(
        turn.state,
        reign=reign,
        window_start=rows,
        asked=OpenWindow(),
        answered=OpenWindow(),
    )
    return ask(settings, turn.now(state), at, triggers.Promoted())


def _nothing_gained(
    settings: Settings, turn: Turn, at: datetime, causes: tuple[Firing, ...], why: str
) -> Turn:
    """Remember that a retraining brought nothing, and try again with more labels."""
    failures = turn.state.failures + 1
    retry_row = turn.state.rows + settings.limits.pause(failures)
    turn = turn.now(replace(turn.state, failures=failures, retry_row=retry_row))
    turn = ask(settings, turn, at, triggers.Refused(causes=named(causes)))
    if turn.state.reign is None:
        return turn
    waited = turn.state.waiting
    if waited is not None and waited.asked:
        turn, merged = (
            turn.now(replace(turn.state, waiting=None)),
            retraining.merge(causes, waited.causes),
        )
        return retraining.attempt(settings, turn, at, merged, asked=True)
    reason = f"{why}; a later try with {retry_row - turn.state.rows} more labels"
    waiting = Waiting(causes=causes, until_row=retry_row, reason=reason)
    return retraining.wait(settings, turn, at, waiting)


def measure(settings: Settings, judged: Judged, window: Window) -> tuple[Measurement, ...]:
    """Measure every metric of the loop."""
    return tuple(metric.measure(judged, window) for metric in settings.metrics)


def window_of(times: Array, rows: RowRange) -> Window:
    """Return the window that rows with these event times span."""
    stamps = times.astype("datetime64[us]").astype(np.int64)
    start, end = int(stamps.min()), int(stamps.max()) + 1
    return Window(start=from_micros(start), end=from_micros(end), rows=rows)


def _unopposed(standing: Standing) -> Verdict:
    n = max((m.n for m in standing.baseline), default=0)
    reason = "the first version: there is none to compare it with"
    metric = standing.baseline[0].metric if standing.baseline else ""
    return Verdict(gate="none", outcome="pass", reason=reason, metric=metric, n=n)


def _overtaken(trial: Trial) -> Verdict:
    metric = trial.standing.baseline[0].metric if trial.standing.baseline else ""
    reason = "the champion that it was compared with was rolled back"
    return Verdict(gate="none", outcome="fail", reason=reason, metric=metric, n=0)
