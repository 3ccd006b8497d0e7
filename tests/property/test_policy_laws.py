"""Laws of the policy: how labels are cut and when it is restarted decide nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import Any, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ratoon.core import wire
from ratoon.core.deciding import Retrain
from ratoon.core.events import REQUESTED, ROLLBACK_REQUESTED
from ratoon.gates import Better, Gate, NotWorse, Untested
from ratoon.policies import Limits, Policy
from ratoon.policies.turn import Train
from ratoon.rollouts import Direct
from ratoon.triggers import (
    AtLeast,
    DataDrift,
    Degraded,
    Drift,
    Every,
    Feedback,
    NewLabels,
    On,
    Trigger,
    WorthIt,
)
from ratoon.windows import Everything, Last, SinceChange
from tests.unit.policy_world import World, policy

Act: TypeAlias = tuple[str, Any]
TRIGGERS: list[Trigger[Any]] = [
    On("go") | Degraded("mae", by=0.5, windows=1),
    Degraded("mae", by=0.5) | NewLabels(60) | Feedback(0.2, least=3),
    WorthIt(30) | Every("5h"),
    Drift("mae") | On("go") | DataDrift(windows=1),
    DataDrift() | DataDrift(of="outputs", windows=1),
    AtLeast(2, On("go"), NewLabels(40), Every("2h"), within="9h"),
]
GATES: list[Gate[Any]] = [
    Better("mae", alpha=0.2, patience=60),
    NotWorse("mae", margin=0.3, alpha=0.2, patience=90),
    Untested(),
]
LIMITS = [Limits(retry=15), Limits(cooldown="3h", retry=25), Limits(per_day=2, retry=10)]
CHOICES = [SinceChange(least=15), Everything(least=30), Last(rows=60, least=20)]


@dataclass(frozen=True, kw_only=True)
class Story:
    """What a world is like, and what happens in it."""

    policy: Policy
    levels: tuple[float, ...]  # of the error of each version
    changes: tuple[tuple[int, float], ...]  # from which row all errors are so many times as large
    fails: frozenset[int]
    slow: bool
    acts: tuple[Act, ...]

    def errors(self, version: int, row: int) -> float:
        factor = next((f for start, f in reversed(self.changes) if row >= start), 1.0)
        old = version < 1 + sum(row >= start for start, _ in self.changes)
        noise = ((row * 7919 + version * 104729) % 101) / 202
        return self.levels[version % len(self.levels)] * (factor if old else 1.0) + noise

    def told(
        self,
        *,
        cuts: Callable[[int], list[int]] | None = None,
        asked: Callable[[int], list[int]] | None = None,
        restarts: bool = False,
    ) -> World:
        """Return the world after all that happened, labels and predictions cut as is said."""
        made = World(
            policy=self.policy,
            errors=self.errors,
            fails=self.fails,
            slow=self.slow,
            restarts=restarts,
        ).started()
        for kind, what in self.acts:
            match kind:
                case "label":
                    made.label(what, batches=cuts(what) if cuts else ())
                case "finish" if made.running is not None:
                    made.finish()
                case "tick":
                    made.tick(what)
                case "tell":
                    made.tell(what)
                case "back":
                    made.tell(ROLLBACK_REQUESTED, to=what)
                case "predict":
                    _predict(made, what, asked)
                case "complain":
                    made.complain(what)
        return made


def _predict(made: World, what: float, cuts: Callable[[int], list[int]] | None) -> None:
    """Ask the champion about 30 rows, all at once or as `cuts` says."""
    left = 30
    for size in (*(cuts(left) if cuts else ()), left):
        rows = min(size, left)
        left -= rows
        if rows:
            made.predict([what] * rows, [what] * rows)


ACTS: st.SearchStrategy[Act] = st.one_of(
    st.tuples(st.just("label"), st.integers(1, 60)),
    st.tuples(st.just("label"), st.integers(20, 120)),
    st.tuples(st.just("finish"), st.none()),
    st.tuples(st.just("tick"), st.sampled_from([0.0, 1.0, 3.0, 24.0])),
    st.tuples(st.just("tell"), st.sampled_from(["go", "go", REQUESTED, "other"])),
    st.tuples(st.just("back"), st.sampled_from([1, 2])),
    st.tuples(st.just("predict"), st.sampled_from([0.0, 0.9])),
    st.tuples(st.just("complain"), st.integers(1, 4)),
)


@st.composite
def stories(draw: DrawFn) -> Story:
    """Worlds that change, models good and bad, trainings that fail or take their time."""
    settled = policy(
        draw(st.sampled_from(TRIGGERS)),
        accept_if=draw(st.sampled_from(GATES)),
        rollout=Direct("mae", watch=draw(st.sampled_from([0, 25, 60])), alpha=0.1),
        limits=draw(st.sampled_from(LIMITS)),
        train_on=draw(st.sampled_from(CHOICES)),
        autonomy=draw(st.sampled_from(["automatic", "automatic", "observe"])),
    )
    rows = draw(st.lists(st.integers(100, 500), max_size=3, unique=True).map(sorted))
    factors = [draw(st.sampled_from([3.0, 8.0])) for _ in rows]
    return Story(
        policy=settled,
        levels=tuple(draw(st.lists(st.sampled_from([0.2, 1.0, 1.0, 3.0]), min_size=1, max_size=4))),
        changes=tuple(zip(rows, factors, strict=True)),
        fails=draw(st.frozensets(st.integers(2, 6), max_size=2)),
        slow=draw(st.booleans()),
        acts=tuple(draw(st.lists(ACTS, min_size=5, max_size=16))),
    )


@given(story=stories(), data=st.data())
@settings(max_examples=80)
def test_cutting_the_labels_changes_nothing(story: Story, data: st.DataObject) -> None:
    """Labels in batches of any size give the same decisions, events, measurements and state."""

    def cuts(rows: int) -> list[int]:
        return data.draw(st.lists(st.integers(1, rows), max_size=4))

    whole, cut = story.told(), story.told(cuts=cuts)
    assert wire.dumps(cut.account()) == wire.dumps(whole.account())


@given(story=stories(), data=st.data())
@settings(max_examples=40)
def test_cutting_the_predictions_changes_nothing(story: Story, data: st.DataObject) -> None:
    """Predictions in batches of any size give the same record, where no promotion falls in one."""

    def asked(rows: int) -> list[int]:
        return data.draw(st.lists(st.integers(1, rows), max_size=4))

    watching = replace(story, policy=replace(story.policy, autonomy="observe"))
    whole, cut = watching.told(), watching.told(asked=asked)
    assert wire.dumps(cut.account()) == wire.dumps(whole.account())


@given(story=stories())
@settings(max_examples=80)
def test_a_restart_before_every_step_changes_nothing(story: Story) -> None:
    """A policy whose state was written and read before each step goes on as if it was not."""
    whole, again = story.told(), story.told(restarts=True)
    assert again.state == whole.state
    assert wire.dumps(again.account()) == wire.dumps(whole.account())


@given(story=stories())
@settings(max_examples=80)
def test_row_by_row_is_as_all_at_once(story: Story) -> None:
    """Labels that come one by one are decided on as labels that come together."""
    whole, single = story.told(), story.told(cuts=lambda rows: [1] * rows)
    assert wire.dumps(single.account()) == wire.dumps(whole.account())


@given(story=stories())
@settings(max_examples=80)
def test_the_record_is_sound(story: Story) -> None:
    """Decisions have causes that are on record; each its own id; one run at a time."""
    made = story.told()
    decisions, events = made.decisions, made.events
    assert len({d.id for d in decisions}) == len(decisions)
    known = {e.id for e in events} | {f"e{i}" for i in range(1, made.told + 1)}
    for decision in decisions:
        assert decision.causes
        assert {cause.event_id for cause in decision.causes} <= known
    trains = [o.decision.id for o in made.orders if isinstance(o, Train)]
    assert trains == [d.id for d in decisions if isinstance(d, Retrain)]
    for turn in made.turns:
        assert turn.state.training is None or turn.state.trial is None
        assert turn.state.reign is not None
        assert turn.state.window_start <= turn.state.rows
        assert turn.state.rows - turn.state.window_start <= made.policy.window
    champions = {1, *made.standings}
    assert made.champion in champions


@given(story=stories())
@settings(max_examples=80)
def test_windows_stand_behind_each_other(story: Story) -> None:
    """Each measured window is full, begins where none was before, and belongs to one champion."""
    made = story.told()
    ranges = [m.window.rows for m in made.measurements if m.metric == "mae"]
    for rows in ranges:
        assert rows is not None
        assert len(rows) == made.policy.window
    for one, following in pairwise(ranges):
        assert one is not None
        assert following is not None
        assert one.stop <= following.start


@given(story=stories())
@settings(max_examples=80)
def test_limits_are_kept_but_for_people(story: Story) -> None:
    """Without a person among the causes, cooldown and budget of a day are never broken."""
    made = story.told()
    limits, day = made.policy.limits, timedelta(days=1)
    retrained = [d for d in made.decisions if isinstance(d, Retrain)]
    for i, one in enumerate(retrained):
        if any(cause.event_type == REQUESTED for cause in one.causes):
            continue
        before = [d.at for d in retrained[:i]]
        assert sum(at > one.at - day for at in before) < limits.per_day
        if before:
            assert one.at - before[-1] >= limits._cooldown
