"""A trigger on a replay matrix sees what it would see live, and its schedule is what it did."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pytest

from ratoon import triggers
from ratoon.core.deciding import Firing
from ratoon.core.errors import SettingInvalid
from ratoon.core.events import SCHEDULE
from ratoon.matrix import Chunks, Matrix, simulate
from ratoon.triggers.protocol import (
    Fired,
    Happening,
    Heard,
    LabelsClosed,
    Promoted,
    Settled,
    TimePassed,
    View,
)

ROWS = 4  # of a chunk


def world(count: int = 12, seed: int = 0) -> Matrix:
    """Return losses that are new numbers for each model and row."""
    chunks = Chunks(rows=6 + ROWS * count, first=6, count=count)
    losses = np.random.default_rng(seed).random((count, 2, ROWS * count)).astype(np.float32)
    for time in range(count):
        losses[time, :, : ROWS * time] = np.nan
    seconds = np.ones((count, 2))
    return Matrix(chunks=chunks, windows=(3, None), losses=losses, fit_s=seconds, score_s=seconds)


@dataclass
class Scripted:
    """Fires at chosen windows of labels, and remembers all that it was shown."""

    at: frozenset[int]
    seen: list[View] = field(default_factory=list)

    def init(self) -> int:
        """Return the number of windows so far."""
        return 0

    def load(self, value: int) -> int:
        """Return the state."""
        return value

    def metric_names(self) -> frozenset[str]:
        """Return none."""
        return frozenset()

    def fires(self, state: int, view: View) -> tuple[int, Fired]:
        """Fire at a window that was chosen."""
        self.seen.append(view)
        if not isinstance(view.happened, LabelsClosed):
            return state, Fired()
        if state not in self.at:
            return state + 1, Fired()
        cause = Firing(trigger="script", event_type=SCHEDULE, reason="chosen", at=view.at)
        return state + 1, Fired(sparks=(cause,), causes=(cause,))

    def of(self, kind: type[Happening]) -> list[View]:
        """Return the views of one kind."""
        return [view for view in self.seen if isinstance(view.happened, kind)]


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_a_model_knows_the_labels_that_are_in_and_serves_from_the_next_chunk(delay: int) -> None:
    """Fired on chunk k, it is trained on all chunks up to k and serves from k + delay + 1 on."""
    done = simulate(Scripted(at=frozenset({2, 5})), world(), delay=delay)
    found = [(one.chunk, one.time, one.window) for one in done.schedule.deployments]
    assert found == [(0, 0, 1), (3 + delay, 3, 1), (6 + delay, 6, 1)]
    assert sorted(done.firings) == [3 + delay, 6 + delay]
    assert done.firings[3 + delay][0].reason == "chosen"


@pytest.mark.parametrize("delay", [0, 2])
def test_labels_are_those_of_the_champion_however_late(delay: int) -> None:
    """Each window shows the losses of the newest model, also on rows that another one served."""
    matrix = world()
    script = Scripted(at=frozenset({2}))
    simulate(script, matrix, delay=delay)
    for number, view in enumerate(script.of(LabelsClosed)):
        time = 0 if number <= 2 else 3
        closed = view.happened
        assert isinstance(closed, LabelsClosed)
        assert closed.losses == pytest.approx(matrix.rows_of(time, 1, number))
        assert closed.measurements["loss"].value == pytest.approx(closed.losses.mean())
        assert closed.measurements["loss"].n == ROWS
        assert view.trained_rows == matrix.chunks.end(time)
        assert view.labelled == matrix.chunks.end(number + 1)
    assert len(script.of(LabelsClosed)) == 12 - 1 - delay


def test_the_gain_is_told_when_the_watch_is_over() -> None:
    """The replaced model is scored beside its successor, for as many chunks as are watched."""
    matrix = world()
    script = Scripted(at=frozenset({2}))
    done = simulate(script, matrix, watch=3)
    (view,) = script.of(Settled)
    settled = view.happened
    assert isinstance(settled, Settled)
    lost = [matrix.rows_of(0, 1, k) - matrix.rows_of(3, 1, k) for k in (3, 4, 5)]
    assert settled.gain == pytest.approx(np.mean(lost))
    assert settled.lifetime == 3 * ROWS
    assert settled.causes == ("script",)
    assert done.scored == 3


def test_a_watch_ends_when_its_champion_is_replaced() -> None:
    """The next retraining begins another watch; what was seen of the first is not told."""
    script = Scripted(at=frozenset({2, 3, 9}))
    done = simulate(script, world(), watch=2)
    assert [v.happened.lifetime for v in script.of(Settled)] == [ROWS]  # type: ignore[union-attr]
    assert done.scored == 1 + 2 + 1


def test_nobody_watches() -> None:
    """Without a watch nothing is scored but the champion."""
    script = Scripted(at=frozenset({2}))
    assert simulate(script, world(), watch=0).scored == 0
    assert not script.of(Settled)


def test_each_champion_is_announced_and_has_its_own_baseline() -> None:
    """The first measurement of a champion is its baseline from the next window on."""
    script = Scripted(at=frozenset({2}))
    simulate(script, world())
    assert len(script.of(Promoted)) == 2
    labels = script.of(LabelsClosed)
    first, later = labels[0].happened, labels[3].happened
    assert isinstance(first, LabelsClosed)
    assert isinstance(later, LabelsClosed)
    assert not labels[0].baseline
    assert labels[1].baseline == first.measurements
    assert not labels[3].baseline
    assert labels[4].baseline == later.measurements


def test_a_chunk_can_be_shown_in_pieces() -> None:
    """The pieces are the rows of the chunk, in order, and it is acted on once."""
    matrix = world()
    script = Scripted(at=frozenset({0, 1}))
    done = simulate(script, matrix, pieces=3)
    sizes = [len(v.happened.losses) for v in script.of(LabelsClosed)[:3]]  # type: ignore[union-attr]
    assert sizes == [1, 1, 2]
    assert [one.chunk for one in done.schedule.deployments] == [0, 1]
    assert len(done.firings[1]) == 2


def test_a_day_is_a_chunk() -> None:
    """A schedule by the calendar retrains every so many chunks."""
    done = simulate(triggers.Every(days=5), world())
    assert [one.chunk for one in done.schedule.deployments] == [0, 5, 10]


def test_what_stands_beside_is_shown_before_the_labels() -> None:
    """Happenings of other kinds are given for the champion that there is."""
    asked: list[tuple[int, int, int]] = []

    def beside(time: int, window: int, chunk: int) -> Iterable[Happening]:
        asked.append((time, window, chunk))
        return [TimePassed()]

    script = Scripted(at=frozenset({1}))
    simulate(script, world(count=5), beside=beside)
    assert asked == [(0, 1, 0), (0, 1, 1), (2, 1, 2), (2, 1, 3)]
    kinds = [type(view.happened) for view in script.seen[1:4]]
    assert kinds == [TimePassed, LabelsClosed, TimePassed]
    assert not script.of(Heard)


def test_what_is_seen_hangs_on_the_past_alone() -> None:
    """Losses behind the newest labels change nothing of what was done before them."""
    one, other = world(), world(seed=1)
    stop = 6 * ROWS
    other.losses[:, :, :stop] = one.losses[:, :, :stop]
    policy = triggers.BackOff(0.1)
    before, after = (
        [d for d in simulate(policy, m, delay=1).schedule.deployments if d.time <= 6]
        for m in (one, other)
    )
    assert len(before) > 1
    assert before == after


@pytest.mark.parametrize(
    "settings", [{"delay": -1}, {"watch": -1}, {"pieces": 0}, {"window": 2}, {"window": -3}]
)
def test_settings_are_checked(settings: dict[str, int]) -> None:
    """A number out of its range is refused."""
    with pytest.raises(SettingInvalid):
        simulate(triggers.Never(), world(), **settings)
