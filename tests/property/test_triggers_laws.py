"""Laws that every trigger keeps, alone and combined."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ratoon.core import wire
from ratoon.core.events import REQUESTED
from ratoon.detectors import Adwin, Cusum, PageHinkley
from ratoon.triggers import (
    UPF,
    Always,
    AtLeast,
    AvoidableErrors,
    BackOff,
    CaraCumulative,
    CaraPeriod,
    CaraThreshold,
    Cron,
    DataDrift,
    Degraded,
    Drift,
    Every,
    Feedback,
    Never,
    NewLabels,
    On,
    Pilot,
    QuantileThreshold,
    Random,
    Rccda,
    Requested,
    RollingThreshold,
    SkiRental,
    Trigger,
    View,
    WorthIt,
)
from ratoon.triggers.protocol import Happening, Promoted, Rated, Refused, Settled, Side, TimePassed
from tests.unit.triggers_views import START, answers, closed, heard, moved, restarted, view

PREFIX = [0.5, 0.7, 0.5, 0.9, 1.0, 0.5, 0.7, 1.3, 0.5, 0.6]
SINGLES: list[Trigger[Any]] = [
    Cron("0 */3 * * *", "Europe/Lisbon"),
    DataDrift(windows=1),
    DataDrift(("age",)),
    DataDrift(effect=0.2, of="outputs"),
    Degraded("mae", beyond=1.2),
    Degraded("accuracy", by=0.1, windows=1),
    Drift("accuracy", detector=PageHinkley(threshold=0.2, warm_up=3)),
    Drift("mae", detector=Adwin(clock=1, min_length=2, warm_up=3, delta=0.5)),
    Drift(detector=Cusum(threshold=1.0, warm_up=3)),
    Every("5h"),
    Feedback(0.05),
    Never(),
    NewLabels(150),
    NewLabels(share=0.2),
    On("pricing.*"),
    Requested(),
    WorthIt(10),
    Always(),
    AvoidableErrors(2),
    BackOff(2),
    CaraCumulative(9),
    CaraPeriod(2),
    CaraThreshold(1.2),
    Pilot.fitted(PREFIX, ahead=2, history=2, recent=2),
    QuantileThreshold(0.3, warm_up=2),
    Random(0.4, seed=1),
    Rccda(0.2),
    RollingThreshold(0.2, metric="accuracy", warm_up=2),
    SkiRental(2),
    SkiRental(2, seed=1),
    UPF(2, warm_up=2),
    UPF.fitted([[0.5, 0.9], [0.0, 0.5]], 2, rows=5),
]
LEVELS = st.sampled_from([0.5, 0.7, 0.9, 1.0, 1.3, 2.0])
EXAMPLES = settings(max_examples=80)


def trees() -> st.SearchStrategy[Trigger[Any]]:
    """Triggers joined by `|`, `&` and `AtLeast`."""

    def joined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        pair = st.tuples(inner, inner)
        return st.one_of(
            pair.map(lambda p: p[0] | p[1]),
            pair.map(lambda p: p[0] & p[1]),
            st.tuples(inner, inner, inner).map(lambda p: AtLeast(2, *p, within="4h")),
        )

    return st.recursive(st.sampled_from(SINGLES), joined, max_leaves=5)


@st.composite
def histories(draw: DrawFn) -> list[View]:
    """What happens to a loop, at moments that ascend, some of them equal."""
    views, at, labelled = [], START, 1000
    for i in range(draw(st.integers(1, 25))):
        at += timedelta(minutes=draw(st.sampled_from([0, 30, 60, 200, 2000])))
        happened = draw(happenings(i))
        labelled += 100
        views.append(view(happened, at, labelled=labelled))
    return views


def happenings(i: int) -> st.SearchStrategy[Happening]:
    windows = st.tuples(LEVELS, LEVELS).map(
        lambda v: closed(i, {"mae": v[0], "accuracy": v[1]}, stderr=0.05, losses=[v[0]] * 5)
    )
    sides: st.SearchStrategy[Side] = st.sampled_from(["inputs", "outputs"])
    shifts = st.tuples(LEVELS, st.sampled_from([1e-9, 0.9]), sides).map(
        lambda v: moved(i, {"age": (v[0] / 4, v[1]), "size": (0.01, 0.5)}, of=v[2])
    )
    return st.one_of(
        windows,
        windows,
        shifts,
        st.sampled_from(["pricing.cut", "stock.out", REQUESTED]).map(heard),
        st.integers(0, 40).map(lambda n: Rated(negative=n, predictions=100)),
        st.just(TimePassed()),
        st.just(Promoted()),
        st.just(Refused(causes=("WorthIt(10)", "BackOff(2)"))),
        st.floats(-1, 1).map(
            lambda g: Settled(gain=g, lifetime=20, causes=("WorthIt(10)", "BackOff(2)"))
        ),
    )


@given(trigger=st.sampled_from(SINGLES), views=histories())
@EXAMPLES
def test_a_restart_changes_no_answer(trigger: Trigger[Any], views: list[View]) -> None:
    """A trigger whose state was written and read before each step has the same future."""
    state = trigger.init()
    for one, expected in zip(views, answers(trigger, views), strict=True):
        loaded = restarted(trigger, state)
        assert loaded == state
        state, found = trigger.fires(loaded, one)
        assert found == expected


@given(trigger=trees(), views=histories())
@settings(max_examples=60)
def test_a_restart_changes_no_answer_of_a_combination(
    trigger: Trigger[Any], views: list[View]
) -> None:
    """The same holds for triggers joined in any way; an answer is JSON, with its evidence."""
    state = trigger.init()
    for one, expected in zip(views, answers(trigger, views), strict=True):
        loaded = restarted(trigger, state)
        assert loaded == state
        state, found = trigger.fires(loaded, one)
        assert found == expected
        wire.dumps(found)


@given(trigger=st.sampled_from(SINGLES), views=histories())
@EXAMPLES
def test_a_single_trigger_tells_all_that_it_acts_on(
    trigger: Trigger[Any], views: list[View]
) -> None:
    """A firing says who, what, why and when; a cause is a spark, and names an event of its own."""
    for one, answer in zip(views, answers(trigger, views), strict=True):
        assert answer.sparks == answer.causes
        for cause in answer.causes:
            assert cause.at == one.at
            assert cause.reason
            assert cause.evidence or cause.event_id
            assert cause.event_type
            assert cause.trigger == str(trigger)


@given(left=trees(), right=trees(), views=histories())
@settings(max_examples=60)
def test_alternatives_answer_as_their_parts_do(
    left: Trigger[Any], right: Trigger[Any], views: list[View]
) -> None:
    """`a | b` has the sparks and causes of both, in order; `AtLeast(1)` fires with it."""
    both: Any = left | right
    ones, others = answers(left, views), answers(right, views)
    for one, other, answer in zip(ones, others, answers(both, views), strict=True):
        assert answer.sparks == (*one.sparks, *other.sparks)
        assert answer.causes == (*one.causes, *other.causes)
    least = answers(AtLeast(1, left, right), views)
    assert [bool(a.causes) for a in least] == [
        bool(a.causes or b.causes) for a, b in zip(ones, others, strict=True)
    ]


@given(trigger=st.sampled_from(SINGLES), views=histories())
@EXAMPLES
def test_the_same_moment_twice_is_no_new_cause(trigger: Trigger[Any], views: list[View]) -> None:
    """Once time has been looked at, looking again at the same moment fires nothing more."""
    state = trigger.init()
    for one in views:
        state, _ = trigger.fires(state, one)
        passed = view(TimePassed(), one.at)
        state, _ = trigger.fires(state, passed)
        again, answer = trigger.fires(state, passed)
        assert (again, answer.causes) == (state, ())
