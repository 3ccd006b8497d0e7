"""Windows and measurements; what follows a promotion: watch, settle, roll back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ratoon.core.deciding import Hold, Rollback
from ratoon.core.events import (
    DATA_DRIFT,
    FEEDBACK,
    GUARD_BREACHED,
    PREDICTION_DRIFT,
    PROMOTED,
    ROLLBACK_REQUESTED,
    ROLLED_BACK,
    SETTLED,
)
from ratoon.core.measuring import RowRange
from ratoon.gates import Untested
from ratoon.policies import Limits
from ratoon.policies.state import OpenWindow
from ratoon.policies.turn import Judge, Promote, Register, Restore, Settle, Train
from ratoon.rollouts import Direct
from ratoon.triggers import DataDrift, Feedback, NewLabels, On, WorthIt
from ratoon.windows.summaries.sparse import SparseColumn
from tests.unit.policy_world import HOUR, START, World, level, world

BETTER, WORSE = level(1.0, 0.1), level(1.0, 9.0)


def promoted(errors: Any = BETTER, **settings: Any) -> World:
    """A world whose second version has just become champion."""
    made = world(errors, accept_if=Untested(), **settings)
    made.tell("go")
    assert made.champion == 2
    return made


def test_the_champion_is_measured_on_every_full_window() -> None:
    """Windows of 20 rows stand behind each other, each with its rows and event times."""
    made = world(lambda _, row: float(row))
    made.label(50, batches=[3, 17, 1, 28])
    assert [m.window.rows for m in made.measurements] == [
        RowRange(start=100, stop=120),
        RowRange(start=120, stop=140),
    ]
    assert [m.value for m in made.measurements] == [109.5, 129.5]
    window = made.measurements[0].window
    minute = HOUR / 60
    assert (window.start, window.end) == (
        START + 100 * minute,
        START + 119 * minute + minute / 60_000_000,
    )
    assert made.state.window_start == 140


def test_a_promotion_begins_a_new_window() -> None:
    """A measurement speaks of one champion: the open window ends with a promotion."""
    made = world(BETTER, accept_if=Untested())
    made.label(30)
    made.tell("go")
    made.label(40)
    assert [(m.window.rows.start, m.value) for m in made.measurements if m.window.rows] == [
        (100, 1.0),
        (130, pytest.approx(0.1)),
        (150, pytest.approx(0.1)),
    ]


def test_a_challenger_that_passes_becomes_champion() -> None:
    """Registered when trained, judged on held-out rows, then on new ones, promoted on evidence."""
    made = world(BETTER)
    made.tell("go")
    assert [type(o) for o in made.orders] == [Train, Register]
    assert made.state.trial is not None
    made.label(60)
    assert [type(o) for o in made.orders[2:4]] == [Judge, Promote]
    judge = made.orders[2]
    assert isinstance(judge, Judge)
    assert (judge.verdict.outcome, judge.run_id) == ("pass", made.orders[3].run_id)
    assert 20 < judge.verdict.n < 80  # the held-out rows, then some of the new ones
    event = made.events[0]
    assert (event.type, event.subject) == (PROMOTED, "version 2")
    assert event.data["replaces"] == 1
    assert made.state.watch is not None
    assert made.state.watch.replaced == made.standings[1].bare()


def test_a_good_promotion_is_watched_and_settled() -> None:
    """After 100 rows its gain is measured and told, and the watch ends."""
    made = promoted()
    made.label(99)
    assert SETTLED not in [e.type for e in made.events]
    made.label(1)
    settled = made.events[-1]
    assert (settled.type, settled.subject) == (SETTLED, "version 2")
    assert settled.data == {"gain": pytest.approx(0.9), "rows": 100, "replaced": 1}
    order = made.orders[-1]
    assert isinstance(order, Settle)
    assert (order.gain, order.rows) == (pytest.approx(0.9), 100)
    assert (made.state.watch, made.champion) == (None, 2)


def test_a_bad_promotion_is_undone_without_training() -> None:
    """Labels that speak against the champion bring the replaced version back."""
    made = promoted(WORSE, limits=Limits(retry=30))
    trainings = made.trainings
    made.label(60)
    breach, back = made.events[1], made.events[2]
    assert (breach.type, back.type) == (GUARD_BREACHED, ROLLED_BACK)
    decision = next(d for d in made.decisions if isinstance(d, Rollback))
    assert (decision.to, decision.leaves) == (1, 2)
    assert decision.causes[0].event_id == breach.id
    assert decision.reason.startswith("version 1 was better than 2 by 5 mae on the same ")
    order = made.orders[-1]
    assert isinstance(order, Restore)
    assert (order.version, order.leaves) == (1, 2)
    assert order.run_id == made.orders[1].run_id
    assert (back.subject, back.data["decision"]) == ("version 2", decision.id)
    assert (made.champion, made.state.watch, made.trainings) == (1, None, trainings)
    assert (made.state.failures, made.state.versions) == (1, 2)


def test_after_a_rollback_the_next_try_waits() -> None:
    """A promotion that was undone counts as a retraining that brought nothing."""
    made = promoted(WORSE, limits=Limits(retry=1000))
    made.label(60)
    assert made.champion == 1
    made.tell("go")
    assert made.decisions[-1].reason.startswith("the last retraining brought nothing")
    assert made.state.versions == 2


def test_a_rollback_ends_the_test_of_a_challenger() -> None:
    """A challenger was compared with the champion that is gone; its run is ended and told."""
    made = world(level(1.0, 0.1, 0.1), rollout=Direct("mae", watch=1000))
    made.tell("go")
    made.label(60)
    assert made.champion == 2
    made.tell("go")
    assert made.state.trial is not None
    run = made.state.trial.run_id
    made.tell(ROLLBACK_REQUESTED, to=1)
    judges = [o for o in made.orders if isinstance(o, Judge)]
    assert (judges[-1].run_id, judges[-1].verdict.outcome) == (run, "fail")
    assert made.state.trial is None


def test_a_person_rolls_back_to_any_kept_version() -> None:
    """In one step, without a training; who asked and why is the reason."""
    made = world(level(1.0, 1.0, 1.0), accept_if=Untested())
    for _ in range(2):
        made.tell("go")
    assert made.champion == 3
    turn = made.tell(ROLLBACK_REQUESTED, to=1, by="ana", reason="wrong prices")
    (decision,) = turn.decisions
    assert isinstance(decision, Rollback)
    assert (decision.to, decision.leaves) == (1, 3)
    assert decision.reason == "ana asked for it: wrong prices"
    assert decision.causes[0].event_id == "e3"
    assert (made.champion, made.trainings) == (1, 3)
    made.tell(ROLLBACK_REQUESTED, to=2)
    assert made.champion == 2


@pytest.mark.parametrize("to", [None, 1], ids=["unknown", "itself"])
def test_a_rollback_to_nowhere_is_held(to: int | None) -> None:
    """Without another version there is nothing to do, and that is said."""
    made = world(BETTER)
    (decision,) = made.tell(ROLLBACK_REQUESTED, to=to).decisions
    assert isinstance(decision, Hold)
    assert decision.reason == "there is no other version to go back to"
    assert (made.champion, made.orders) == (1, [])


def test_a_watch_of_no_rows_is_none() -> None:
    """With `watch=0` nobody watches: a bad promotion stays until somebody else finds out."""
    made = promoted(WORSE, rollout=Direct("mae", watch=0))
    made.label(300)
    assert (made.champion, made.state.watch) == (2, None)
    assert [e.type for e in made.events] == [PROMOTED]


def test_the_next_promotion_ends_the_watch_over_the_last() -> None:
    """What was seen so far is told as the gain, and the new champion is watched in its turn."""
    made = promoted(level(1.0, 0.5, 0.1))
    made.label(30)
    made.tell("go")
    settled = next(e for e in made.events if e.type == SETTLED)
    assert (settled.subject, settled.data["rows"]) == ("version 2", 30)
    assert settled.data["gain"] == pytest.approx(0.5)
    assert made.champion == 3
    assert made.state.watch is not None
    assert made.state.watch.replaced.version == 2
    assert made.state.watch.lifetime == 30


def test_what_a_retraining_gained_reaches_the_trigger_that_called_for_it() -> None:
    """`WorthIt` doubles its threshold after its challenger was refused, and not after another's."""
    made = world(lambda v, row: 9.0 if v > 1 else 1.0 + 4.0 * (row >= 140), WorthIt(50) | On("go"))
    made.label(80)
    (factor, _), _ = made.state.triggers
    assert factor.factor == 2
    assert made.decisions[0].causes[0].trigger == "WorthIt(50)"
    other = world(WORSE, WorthIt(50) | On("go"))
    other.tell("go")
    (factor, _), _ = other.state.triggers
    assert factor.factor == 1


def test_inputs_are_measured_on_every_full_window() -> None:
    """Windows of 25 predictions, however they come; drifted ones are a cause."""
    made = world(BETTER, DataDrift())
    for size in (10, 60, 5):
        made.predict([0.5] * size)
    distances = [m for m in made.measurements if m.metric == "jensen_shannon"]
    assert [(m.n, m.subject) for m in distances] == [(25, "x")] * 3
    drifts = [e for e in made.events if e.type == DATA_DRIFT]
    assert len(drifts) == 1
    assert made.decisions[0].causes[0].event_id == drifts[0].id
    assert made.state.asked == OpenWindow()


def test_answers_are_measured_beside_the_inputs() -> None:
    """Each side has its own windows; `DataDrift(of="outputs")` fires on the answers alone."""
    made = world(BETTER, DataDrift(of="outputs"))
    asked = np.sin(np.arange(60.0))
    made.predict(asked, answers=[7.0] * 20)
    assert (made.state.asked.rows, made.state.answered.rows) == (10, 20)
    assert [(m.n, m.subject) for m in made.measurements] == [(25, "x"), (25, "x")]
    made.predict(asked, answers=[7.0] * 30)
    assert [m.subject for m in made.measurements[2:]].count("output") == 4  # and the range of each
    (drift,) = [e for e in made.events if e.type == PREDICTION_DRIFT]
    assert (drift.subject, made.decisions[0].causes[0].event_id) == ("output", drift.id)


def test_a_window_that_is_larger_than_windows_are_now_is_closed_by_the_next_row() -> None:
    """A loop that is opened again with a smaller `input_window` goes on with that."""
    made = world(BETTER)
    made.predict([0.5] * 20)
    made.policy = replace(made.policy, input_window=8)
    made.predict([0.5] * 10)
    assert [m.n for m in made.measurements if m.metric == "jensen_shannon"] == [21, 8]
    assert made.state.asked.rows == 1


def test_a_window_that_was_counted_on_other_bins_starts_anew() -> None:
    """Counts that cannot be of the reference's bins are dropped, and nothing is made of them."""
    made = world(BETTER)
    odd = OpenWindow(columns=(SparseColumn(places=(999,), counts=(3,)),), rows=3)
    for other in (odd, OpenWindow(columns=(SparseColumn(),) * 2, rows=3)):
        made.state = replace(made.state, asked=other)
        made.predict([0.5] * 4)
        assert made.state.asked.rows == 4


def test_a_new_champion_begins_a_new_window_of_inputs() -> None:
    """Predictions that were counted on the bins of the old champion's data count no more."""
    made = world(BETTER, accept_if=Untested())
    made.predict([0.5] * 20)
    assert made.state.asked.rows == 20
    made.tell("go")
    assert (made.champion, made.state.asked) == (2, OpenWindow())
    made.predict([0.5] * 24)
    assert made.measurements == []
    made.predict([0.5])
    assert [m.n for m in made.measurements] == [25]


def test_complaints_are_counted_against_the_champions_predictions() -> None:
    """Enough complaints are a cause, once; a new champion begins with none."""
    made = world(BETTER, Feedback(0.1), accept_if=Untested())
    made.predict([0.0] * 40)
    made.complain(9)
    assert made.events == []
    made.complain(1)
    assert [e.type for e in made.events] == [FEEDBACK, PROMOTED]
    assert made.champion == 2
    assert made.state.reign is not None
    assert (made.state.reign.negative, made.state.reign.predictions) == (0, 0)


def test_each_event_has_an_id_of_its_own() -> None:
    """Many rows labelled at one moment make many events; no two of them have the same id."""
    made = world(level(1.0), NewLabels(60), accept_if=Untested())
    made.label(160)
    assert len(made.events) > 10
    assert len({e.id for e in made.events}) == len(made.events)
