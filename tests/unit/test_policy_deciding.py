"""From causes to decisions: when to retrain, when to wait, when to hold."""

from __future__ import annotations

from typing import Any

import pytest

from ratoon.core import wire
from ratoon.core.deciding import Hold, Retrain, Wait
from ratoon.core.errors import SettingInvalid
from ratoon.core.events import DEGRADED, PROMOTED, REFUSED, REQUESTED, RUN_FAILED
from ratoon.core.measuring import RowRange
from ratoon.gates import Better, Untested
from ratoon.metrics import MAE
from ratoon.policies import Limits
from ratoon.policies.turn import Fail, Grown, Promote, Register, Reported, Train
from ratoon.triggers import Degraded, Drift, Every, On
from ratoon.windows import SinceChange
from tests.unit.policy_world import HOUR, START, World, level, policy, world

EQUAL, BETTER, WORSE = level(1.0, 1.0), level(1.0, 0.1), level(1.0, 9.0)


def from_row(*levels: tuple[int, float]) -> Any:
    """The world changes and the models do not: all err alike, from each row on by its level."""

    def errors(version: int, row: int) -> float:  # noqa: ARG001
        return next(value for start, value in reversed(levels) if row >= start)

    return errors


def test_the_first_version_is_trained_and_promoted_untested() -> None:
    """There is none to compare it with, so it is promoted, with its baseline; both are recorded."""
    made = World(policy=policy(), errors=EQUAL)
    made.see(Grown(at=START, rows=100))
    turn = made.take(made.policy.begin(made.state, START, "the loop was fitted"))
    (decision,) = turn.decisions
    assert isinstance(decision, Retrain)
    assert [(e.type, e.data["reason"]) for e in turn.events] == [(REQUESTED, "the loop was fitted")]
    assert decision.causes[0].event_id == turn.events[0].id
    assert (decision.plan.train, decision.plan.holdout) == (
        RowRange(start=0, stop=80),
        RowRange(start=80, stop=100),
    )
    assert [type(o) for o in made.orders] == [Train, Register, Promote]
    assert [e.type for e in made.events] == [REQUESTED, PROMOTED]
    assert (made.champion, made.state.versions, made.state.watch) == (1, 1, None)
    standing = made.standings[1]
    assert (standing.trained_rows, standing.baseline[0].value) == (80, 1.0)
    assert standing.baseline[0].window.rows == RowRange(start=80, stop=100)


def test_a_first_training_with_too_few_rows_waits() -> None:
    """Without enough rows there is no run; the decision says how many are lacking."""
    made = World(policy=policy(), errors=EQUAL)
    made.see(Grown(at=START, rows=15))
    (decision,) = made.take(made.policy.begin(made.state, START, "fitted")).decisions
    assert isinstance(decision, Wait)
    assert decision.reason == "5 more labelled rows are needed to train on"
    assert (made.state.reign, made.orders) == (None, [])


def test_a_first_training_that_fails_leaves_nothing_behind() -> None:
    """The run is failed, and there is no champion, no challenger and nothing that waits."""
    made = World(policy=policy(), errors=EQUAL, fails=frozenset({1}))
    made.see(Grown(at=START, rows=100))
    made.take(made.policy.begin(made.state, START, "fitted"))
    assert [type(o) for o in made.orders] == [Train, Fail]
    assert made.events[-1].type == RUN_FAILED
    assert (made.state.reign, made.state.waiting, made.state.training) == (None, None, None)


def test_a_cause_leads_to_a_retraining() -> None:
    """An event that a trigger is about makes a decision, which names it and the rows."""
    made = world(EQUAL)
    made.label(20)
    turn = made.tell("go", price=3)
    (decision,) = turn.decisions
    assert isinstance(decision, Retrain)
    (cause,) = decision.causes
    assert (cause.event_type, cause.evidence) == ("go", {"price": 3})
    assert turn.events == ()  # it is stored already, by its sender
    assert decision.plan.holdout == RowRange(start=96, stop=120)
    assert decision.refused[0].what == "wait"
    assert made.tell("other").decisions == ()


def test_the_cooldown_is_waited_for_and_the_cause_is_not_forgotten() -> None:
    """Within the cooldown the decision is to wait until its end; then time alone retrains."""
    made = world(EQUAL, limits=Limits(cooldown="6h"))
    made.at += HOUR
    (decision,) = made.tell("go").decisions
    assert isinstance(decision, Wait)
    assert (decision.until, decision.reason) == (START + 6 * HOUR, "cooldown of 6:00:00")
    assert not made.policy.due(made.state, START + 5 * HOUR)
    assert made.policy.due(made.state, START + 6 * HOUR)
    assert made.tick(4.9).decisions == ()
    (decision,) = made.tick(0.1).decisions
    assert isinstance(decision, Retrain)
    assert [c.event_type for c in decision.causes] == ["go"]


def test_the_budget_of_a_day_is_kept() -> None:
    """The first training and two more are made; the next waits until the first is a day ago."""
    made = world(EQUAL, limits=Limits(per_day=3), accept_if=Untested())
    for _ in range(3):
        made.tell("go")
        made.at += HOUR
    assert made.kinds == ["Retrain", "Retrain", "Wait"]
    (waits,) = (d for d in made.decisions if isinstance(d, Wait))
    assert (waits.until, waits.reason) == (START + 24 * HOUR, "budget of 3 retrainings a day")
    made.tick(20)
    assert made.trainings == 3
    made.tick(1)
    assert made.trainings == 4


@pytest.mark.parametrize(
    "limits", [Limits(cooldown="9d"), Limits(per_day=1), Limits(retry=1000)], ids=["0", "1", "2"]
)
def test_a_person_is_not_held_up(limits: Limits) -> None:
    """Cooldown, budget and the pause after a failure hold triggers up, and no person."""
    made = world(EQUAL, limits=limits, fails=frozenset({2}))
    made.tell("go")
    trainings = made.trainings
    assert isinstance(made.decisions[-1], Wait)
    turn = made.tell(REQUESTED, by="ana")
    assert isinstance(turn.decisions[-1], Retrain)
    assert made.trainings == trainings + 1
    assert {c.event_type for c in turn.decisions[-1].causes} == {"go", REQUESTED}


def test_causes_join_what_waits() -> None:
    """While a cause waits, others join it: one retraining in the end, with all that led to it."""
    made = world(EQUAL, limits=Limits(cooldown="6h"), trigger=Every("2h"))
    for _ in range(3):
        made.tick(2)
    assert made.kinds[:3] == ["Wait", "Hold", "Retrain"]
    assert made.trainings == 2
    hold = made.decisions[1]
    assert isinstance(hold, Hold)
    assert hold.reason == "joined what waits already: cooldown of 6:00:00"
    retrained = next(d for d in made.decisions if isinstance(d, Retrain))
    assert [c.at for c in retrained.causes][:2] == [START + 2 * HOUR, START + 4 * HOUR]


def test_causes_during_a_training_are_held() -> None:
    """One run at a time: a trigger that fires during a training makes no other."""
    made = world(EQUAL, slow=True)
    made.tell("go")
    (decision,) = made.tell("go").decisions
    assert isinstance(decision, Hold)
    assert decision.reason.endswith("is training already")
    assert decision.refused[0].what == "retrain"
    assert (made.trainings, made.ordered.count("Train")) == (2, 1)


def test_causes_during_a_test_are_held() -> None:
    """While a challenger is under test, a cause that says nothing new makes no other."""
    made = world(EQUAL)
    made.tell("go")
    assert made.state.trial is not None
    (decision,) = made.tell("go").decisions
    assert isinstance(decision, Hold)
    assert decision.reason.endswith("is under test already")
    assert made.trainings == 2


def test_what_a_person_asks_during_a_training_is_looked_at_after_it() -> None:
    """The request waits for the run; when that brings nothing, a new one is trained at once."""
    made = world(WORSE, slow=True, limits=Limits(retry=1000))
    made.tell("go")
    (decision,) = made.tell(REQUESTED).decisions
    assert isinstance(decision, Wait)
    turn = made.finish()
    assert REFUSED in [e.type for e in turn.events]
    assert isinstance(turn.decisions[-1], Retrain)
    assert {c.event_type for c in turn.decisions[-1].causes} == {"go", REQUESTED}
    assert made.running is not None


def test_a_newer_change_overtakes_a_challenger() -> None:
    """A challenger that was trained before a change is dropped, and another one is trained."""
    made = world(from_row((0, 1.0), (160, 4.0)), Degraded("mae", by=0.5), window=10)
    made.tell(REQUESTED)
    assert made.state.trial is not None
    first = made.state.trial.run_id
    made.label(100)
    refused = [e for e in made.events if e.type == REFUSED]
    assert [(e.subject, e.data["reason"]) for e in refused] == [
        (first, "the data changed again after it was trained")
    ]
    again = [d for d in made.decisions if isinstance(d, Retrain)][-1]
    assert again.causes[-1].since_row == 160
    assert made.trainings == 3


def test_too_few_rows_since_the_change_are_waited_for() -> None:
    """The snapshot is cut at the change point; until there are enough rows, one waits for them."""
    made = world(
        from_row((0, 1.0), (120, 5.0)),
        Degraded("mae", by=0.5),
        train_on=SinceChange(least=90),
        window=10,
    )
    made.label(130)
    waited, retrained, *_ = (d for d in made.decisions if isinstance(d, Wait | Retrain))
    assert isinstance(waited, Wait)
    assert waited.until_row == 210
    assert waited.reason == "70 more labelled rows are needed to train on"
    assert isinstance(retrained, Retrain)
    assert retrained.plan.train == RowRange(start=120, stop=192)
    assert retrained.plan.holdout == RowRange(start=192, stop=210)
    assert retrained.plan.since == retrained.causes[0].since


def test_one_who_only_observes_says_what_it_would_do() -> None:
    """With autonomy 'observe' triggers retrain nothing, but say so; a person still can."""
    made = world(EQUAL, autonomy="observe")
    (decision,) = made.tell("go").decisions
    assert isinstance(decision, Hold)
    assert decision.reason == "autonomy is 'observe': it would retrain now"
    assert made.trainings == 1
    assert isinstance(made.tell(REQUESTED).decisions[0], Retrain)


def test_a_refused_challenger_leads_to_a_later_try() -> None:
    """A refusal waits for `retry` labels, then for twice as many, and tries again by itself."""
    made = world(WORSE, limits=Limits(retry=30))
    made.tell("go")
    made.label(400)
    waits = [d for d in made.decisions if isinstance(d, Wait)]
    retrained = [d for d in made.decisions if isinstance(d, Retrain)]
    assert [w.until_row for w in waits] == [130, 190, 310, 550]
    assert [r.plan.holdout.stop for r in retrained] == [100, 130, 190, 310]
    assert {tuple(c.event_type for c in r.causes) for r in retrained} == {("go",)}
    assert [e.type for e in made.events] == [REFUSED] * 4
    assert "a later try with 30 more labels" in waits[0].reason
    assert (made.champion, made.state.versions) == (1, 1)


def test_a_persons_wish_is_tried_once_at_once() -> None:
    """After it was tried and refused, the wish waits for labels as any other cause does."""
    made = world(WORSE, limits=Limits(retry=30, cooldown="1d"))
    made.tell(REQUESTED)
    assert made.kinds == ["Retrain", "Wait"]
    made.label(29)
    assert made.trainings == 2
    made.label(1)
    assert made.trainings == 2  # the labels are there, but now the cooldown counts
    assert made.decisions[-1].reason.startswith("cooldown")
    made.tick(24)
    assert made.trainings == 3


def test_history_may_begin_later() -> None:
    """Rows that came before the loop was fitted anew are in no plan."""
    made = World(policy=policy(), errors=EQUAL)
    made.see(Grown(at=START, rows=100, first=40))
    (decision,) = made.take(made.policy.begin(made.state, START, "fitted")).decisions
    assert isinstance(decision, Retrain)
    assert decision.plan.train == RowRange(start=40, stop=88)
    assert decision.plan.holdout == RowRange(start=88, stop=100)


def test_a_change_is_remembered_for_later_retrainings() -> None:
    """A cause without a change point of its own trains on the rows since the newest known one."""
    made = world(
        from_row((0, 1.0), (120, 5.0)),
        Degraded("mae", by=0.5) | On("go"),
        window=10,
        accept_if=Untested(),
    )
    made.label(60)
    made.tell("go")
    tried = [d for d in made.decisions if isinstance(d, Retrain)]
    told = next(d for d in tried if [c.since_row for c in d.causes] == [None])
    assert tried[0].causes[0].since_row == 120
    assert tried[0].plan.train.start == 120
    assert told.plan.train.start == made.state.change.row >= 120


def test_a_failed_training_leads_to_a_later_try() -> None:
    """A training that fails leaves the champion alone, and is tried again with more labels."""
    made = world(BETTER, fails=frozenset({2}), limits=Limits(retry=30))
    made.tell("go")
    event = made.events[-1]
    assert (event.type, event.data) == (RUN_FAILED, {"error": "no memory left"})
    failed = next(o for o in made.orders if isinstance(o, Fail))
    assert (failed.error, event.subject) == ("no memory left", failed.run_id)
    assert isinstance(made.decisions[-1], Wait)
    assert made.decisions[-1].until_row == 130
    made.label(29)
    assert made.trainings == 2
    made.label(1)
    assert made.trainings == 3
    made.label(100)
    assert (made.champion, made.state.failures) == (2, 0)


def test_a_promotion_ends_the_doubling() -> None:
    """After a challenger that passed, the next failure waits as long as the first one did."""
    made = world(level(1.0, 0.1, 9.0), fails=frozenset({2, 3}), limits=Limits(retry=30))
    made.tell("go")
    made.label(300)
    assert made.champion == 2
    made.tell("go")
    waits = [d for d in made.decisions if isinstance(d, Wait) and d.until_row is not None]
    assert waits[1].until_row == 130 + 60
    assert waits[-1].until_row == made.state.rows + 30


def test_reports_of_other_runs_are_ignored() -> None:
    """A report of a run that is unknown, or over, changes nothing."""
    made = world(EQUAL, slow=True, accept_if=Untested())
    stray = Reported(at=START, run_id="run-unknown", error="late")
    for _ in range(2):
        before = made.state
        turn = made.see(stray)
        assert (turn.state, turn.decisions, turn.orders, turn.events) == (before, (), (), ())
        made.tell("go")
        assert made.running is not None
        stray = Reported(at=START, run_id=made.running.run_id, error="too late")
        made.finish()


def test_ids_follow_from_the_history_alone() -> None:
    """Two policies that saw the same make the same decisions, runs and events, ids and all."""
    one, other = (world(BETTER, Drift() | Every("3h")) for _ in range(2))
    for made in (one, other):
        for _ in range(5):
            made.tick(1)
            made.label(50)
            made.tell(REQUESTED)
    assert wire.dumps(one.account()) == wire.dumps(other.account())
    assert len({d.id for d in one.decisions}) == len(one.decisions) > 5
    assert len({e.id for e in one.events}) == len(one.events)
    renamed = World(policy=policy(loop="other"), errors=BETTER).started()
    renamed.tell("go")
    assert not {d.id for d in renamed.decisions} & {d.id for d in one.decisions}


def test_one_cause_has_one_decision() -> None:
    """Each window that degrades is told once, and leads to exactly one new decision."""
    made = world(from_row((0, 1.0), (120, 5.0)), Degraded("mae", by=0.5), slow=True)
    made.label(400)
    told = [e for e in made.events if e.type == DEGRADED]
    assert len(told) == 1
    about = [d for d in made.decisions if d.causes[0].event_id == told[0].id]
    assert [type(d) for d in about] == [Retrain]
    assert told[0].data["since_row"] == 120


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"autonomy": "maybe"}, "autonomy must be one of automatic, observe, got 'maybe'"),
        ({"window": 1}, "window must be .* of at least 2, got 1"),
        ({"input_window": 1.5}, "input_window must be .*, got 1.5"),
        (
            {"retrain_when": Degraded("f1", by=0.1), "metrics": (MAE(),)},
            r"the metric of a trigger must be one of the loop's metrics, \['mae'\], got 'f1'",
        ),
    ],
    ids=[str(i) for i in range(4)],
)
def test_settings_are_checked_when_they_are_made(settings: dict[str, Any], message: str) -> None:
    """A setting that breaks its rule is refused by its name, the rule and the value."""
    with pytest.raises(SettingInvalid, match=f"^{message}$"):
        policy(**settings)


def test_a_state_is_adopted_under_other_settings() -> None:
    """With other settings the champion and what waits stay; triggers and a trial begin anew."""
    made = world(EQUAL, Every("2h"), limits=Limits(cooldown="1h"))
    made.tick(3)
    assert made.state.trial is not None
    other = policy(Drift(), accept_if=Better("mae", by=0.1))
    state = other.adopt(wire.dumps(made.state))
    assert state.triggers == other.retrain_when.init()
    assert state.trial is None
    assert (state.reign, state.rows, state.decisions) == (
        made.state.reign,
        made.state.rows,
        made.state.decisions,
    )
