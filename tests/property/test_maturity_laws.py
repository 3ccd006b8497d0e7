"""Laws of label delays: what is known follows from what arrived, however it was cut and ordered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ratoon.core import wire
from ratoon.core.measuring import Window
from ratoon.windows.maturity import DelayState, LabelDelays

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
Row: TypeAlias = tuple[int, int | None, int | None]  # hours: event, since arrival, since label
Step: TypeAlias = tuple[int, list[int], list[tuple[int, int]], int]

SETTINGS = [
    LabelDelays(least=1, cohorts=2, per_octave=1),
    LabelDelays(finest="1h", least=3, memory=20),
    LabelDelays(finest="1s", per_octave=12, cohorts=40, least=2),
]


@st.composite
def rows(draw: DrawFn) -> Row:
    """A prediction, when it arrived and, perhaps, when its label was there."""
    event = draw(st.integers(0, 800))
    late = draw(st.sampled_from([0, 0, 0, 5, 90]))
    label = draw(st.none() | st.integers(0, 300))
    return event, late, label


def arrivals(found: list[Row]) -> list[Step]:
    """Return what arrived at each hour: predictions, labels with their predictions' arrival."""
    steps: dict[int, Step] = {}
    for event, late, label in found:
        came = event + (late or 0)
        steps.setdefault(came, (came, [], [], 0))[1].append(event)
        if label is not None:
            joined = came + label
            steps.setdefault(joined, (joined, [], [], 0))[2].append((event, came))
    return [steps[hour] for hour in sorted(steps)]


def moments(hours: list[int]) -> Any:
    """Return hours since the start as moments."""
    first = np.datetime64(START.replace(tzinfo=None), "us")
    return first + np.array(hours, dtype=np.int64) * np.timedelta64(1, "h")


def taken(settings: LabelDelays, state: DelayState, step: Step) -> DelayState:
    """Return the state after what arrived in one hour."""
    hour, predicted, joined, parked = step
    return settings.step(
        state,
        START + hour * HOUR,
        predicted=moments(predicted),
        joined=moments([event for event, _ in joined]),
        joined_since=moments([came for _, came in joined]),
        parked=parked,
    )


def after(settings: LabelDelays, steps: list[Step]) -> DelayState:
    """Return the state after all that arrived."""
    state = settings.init()
    for step in steps:
        state = taken(settings, state, step)
    return state


MANY = st.lists(rows(), min_size=1, max_size=60)


@given(settings=st.sampled_from(SETTINGS), found=MANY, order=st.randoms(use_true_random=False))
def test_order_and_cut_change_nothing(settings: LabelDelays, found: list[Row], order: Any) -> None:
    """Arrivals one by one, in any order, make the state that batches in their order make."""
    steps = arrivals(found)
    single: list[Step] = []
    for hour, predicted, joined, _ in steps:
        single += [(hour, [event], [], 0) for event in predicted]
        single += [(hour, [], [label], 0) for label in joined]
    order.shuffle(single)
    assert after(settings, single) == after(settings, steps)


@given(settings=st.sampled_from(SETTINGS), found=MANY, cut=st.integers(0, 60))
def test_parts_merge_to_the_whole(settings: LabelDelays, found: list[Row], cut: int) -> None:
    """States of two parts of the rows, merged either way, are the state of all rows."""
    one, other = (after(settings, arrivals(part)) for part in (found[:cut], found[cut:]))
    whole = after(settings, arrivals(found))
    assert settings.merge(one, other) == whole
    assert settings.merge(other, one) == whole
    assert settings.merge(settings.init(), whole) == whole


@given(settings=st.sampled_from(SETTINGS), found=MANY)
def test_a_restart_changes_nothing(settings: LabelDelays, found: list[Row]) -> None:
    """A state that is written as JSON and read before every step is the same."""
    state = settings.init()
    for step in arrivals(found):
        state = taken(settings, wire.loads(DelayState, wire.dumps(state)), step)
    assert state == after(settings, arrivals(found))


@given(settings=st.sampled_from(SETTINGS), found=MANY, later=st.integers(0, 5000))
def test_what_is_told_is_possible(settings: LabelDelays, found: list[Row], later: int) -> None:
    """Shares lie in [0, 1], the curve falls, quantiles rise, every row is counted once."""
    steps = arrivals(found)
    now = START + (steps[-1][0] + later) * HOUR
    told = settings.seen(after(settings, steps), now)
    assert told.matched.predictions == len(found)
    assert told.matched.joined == sum(label is not None for _, _, label in found)
    waiting = np.append(1.0, told.curve.waiting)
    assert (np.diff(waiting) <= 0).all()
    assert waiting[-1] >= 0
    assert (told.curve.stderr >= 0).all()
    if told.known:
        lengths = [told.quantile(level) for level in (0.01, 0.5, 0.9, 0.99)]
        assert all(a <= b for a, b in pairwise(lengths) if a is not None and b is not None)
        mark = told.watermark()
        assert mark is not None
        assert mark <= now
        assert told.matched.overdue is not None
    for since, length in ((0, 100), (300, 50), (0, 2000)):
        one = Window(start=START + since * HOUR, end=START + (since + length) * HOUR)
        share = told.maturity(one)
        assert share.labelled <= share.rows + 1e-9
        if share.share is not None:
            assert share.stderr is not None
            assert share.expected is not None
            assert 0.0 <= share.share <= 1.0
            assert share.stderr >= 0.0
            assert share.labelled - 1e-9 <= share.expected <= share.rows + 1e-9


@given(
    settings=st.sampled_from(SETTINGS),
    times=st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=20),
    steps=st.lists(st.integers(0, 10**14), min_size=1, max_size=5),
)
def test_cohorts_tile_the_past(settings: LabelDelays, times: list[int], steps: list[int]) -> None:
    """A time lies in its cohort; as time goes on, whole cohorts become parts of wider ones."""
    grid, moments_us = settings.grid, np.array(times, dtype=np.int64)
    newest = int(moments_us.max())
    start, width = grid.cells(moments_us, newest)
    for step in steps:
        assert ((start <= moments_us) & (moments_us < start + width)).all()
        age = newest - start
        assert (width <= np.maximum(grid.finest_us, age / grid.cohorts * 1.01)).all()
        newest += step
        wider, width_after = grid.cells(moments_us, newest)
        assert (wider <= start).all()
        assert (wider + width_after >= start + width).all()
        assert (grid.cells(start, newest)[0] == wider).all()
        start, width = wider, width_after
