"""How long labels take, learnt by a loop while it runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ratoon as rt
from ratoon.core import wire
from ratoon.engine import VirtualClock
from ratoon.engine.delays import DelayReader, Learnt
from ratoon.windows.maturity import LabelDelays
from tests.integration.engine_loops import (
    HISTORY,
    fitted,
    labels_of,
    numbers_of,
    rows_of,
    small,
    store_of,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def lived(loop: rt.Loop, clock: VirtualClock, hours: int = 24 * 10) -> list[float]:
    """Let labels come 1 to 48 hours after three in four predictions; return their delays."""
    rng = np.random.default_rng(3)
    waiting: list[tuple[datetime, str, str]] = []
    delays: list[float] = []
    for hour in range(hours):
        clock.advance(HOUR)
        rows = rows_of(1000 + 4 * hour, 1004 + 4 * hour)
        answer = loop.predict(rows)
        said = labels_of(1000 + 4 * hour, 1004 + 4 * hour)
        for name, label in zip(answer.ids[:3], said, strict=False):
            late = float(rng.uniform(1, 48))
            waiting.append((clock.now() + late * HOUR, name, label))
        due = [one for one in waiting if one[0] <= clock.now()]
        waiting = [one for one in waiting if one[0] > clock.now()]
        delays += [1.0] * len(due)
        if due:
            loop.label([one[1] for one in due], [one[2] for one in due], source="till")
    return delays


def test_delays_of_a_loop(tmp_path: Path) -> None:
    """Quantiles, the final label rate, parked labels and sources are told as they are."""
    clock = VirtualClock(START)
    loop = fitted(home=tmp_path, clock=clock)
    came = len(lived(loop, clock))
    loop.label(["nobody"], ["yes"])
    loop.label(loop.predict(rows_of(0, 2)).ids, ["no", "no"], source="model")
    found = loop.data.delays()
    assert found.p50 is not None
    assert found.p90 is not None
    assert 20 * HOUR < found.p50 < 30 * HOUR
    assert 38 * HOUR < found.p90 < 49 * HOUR
    assert found.label_rate is not None
    assert found.label_rate == pytest.approx(0.75, abs=0.04)
    assert found.matched.parked == 1
    assert found.matched.joined == came
    counted = {one.source: one.labels for one in found.sources}
    assert counted == {"till": came, "history": HISTORY, "model": 2, None: 1}
    newest = found.windows[-1].maturity
    assert newest.share is not None
    assert newest.share < 0.95
    assert not newest.mature
    assert found.windows[-1].window == loop.measurements()[-1].window
    loop.close()


def test_measurements_tell_the_share_that_was_in() -> None:
    """A measurement says which share of its window's labels was in; later ones are in by now."""
    clock = VirtualClock(START)
    loop = fitted(clock=clock)
    lived(loop, clock)
    shares = [m.share for m in loop.measurements() if m.window.rows is not None]
    assert shares[0] is None  # nobody knows yet how long labels take
    assert shares[-1] is not None
    assert 0.2 < shares[-1] < 0.95
    now = {seen.window: seen.maturity.share for seen in loop.data.delays().windows}
    for m in loop.measurements()[-10:]:
        assert m.window not in now or (m.share or 0) <= (now[m.window] or 0) + 1e-9


def test_what_is_known_outlives_the_process(tmp_path: Path) -> None:
    """A loop that is opened again reads none of the entries that were counted and stored."""
    clock = VirtualClock(START)
    loop = fitted(home=tmp_path, clock=clock)
    lived(loop, clock)
    before = loop.data.delays()
    loop.close()
    store = store_of(loop)
    text = store.delays()
    assert text is not None
    behind = store.last_seq() - wire.loads(Learnt, text).seq
    assert 0 <= behind <= 512
    again = loop.data.delays()
    assert (again.p50, again.p99, again.matched) == (before.p50, before.p99, before.matched)
    assert again.sources == before.sources
    loop.close()


def test_a_journal_is_counted_as_one_would_by_hand() -> None:
    """The reader counts what `LabelDelays` counts when it is told entry by entry."""
    clock = VirtualClock(START)
    loop = fitted(clock=clock)
    lived(loop, clock, hours=60)
    delays, store = LabelDelays(), store_of(loop)
    state = delays.init()
    for entry in store.entries(0):
        if entry.draft.kind == "predictions":
            times = entry.draft.columns["time"]
            state = delays.step(state, entry.draft.at, predicted=times)
        if entry.draft.kind == "labels":
            times = store.labelled(entry.joined).columns["time"]
            state = delays.step(state, entry.draft.at, joined=times)
    found = loop.data.delays().matched
    wanted = delays.seen(state, clock.now()).matched
    assert found == wanted


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 40), max_size=6))
def test_where_a_process_ends_changes_nothing(ends: list[int]) -> None:
    """However often a reader is stored and read again, it counts the same."""
    clock = VirtualClock(START)
    loop = fitted(clock=clock)
    lived(loop, clock, hours=20)
    loop.label(["z1", "z2"], ["yes", "no"])
    clock.advance(HOUR)
    loop.predict(rows_of(0, 2), ids=["z1", "z3"])
    store = store_of(loop)
    whole = DelayReader(store)
    whole.catch_up(store.last_seq())
    parts = _Remembering(store)
    for end in (*sorted(ends), store.last_seq()):
        reader = DelayReader(parts)  # type: ignore[arg-type]
        reader.catch_up(min(end, store.last_seq()))
        reader.arrived(clock.now())
        parts.text = wire.dumps(reader._learnt)
    assert parts.text == wire.dumps(_counted(whole, clock))


class _Remembering:
    """A store in which somebody else keeps what is known of delays."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.text = inner, None

    def delays(self) -> str | None:
        return self.text

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def _counted(reader: DelayReader, clock: VirtualClock) -> Learnt:
    reader.arrived(clock.now())
    return reader._learnt


def test_replay_knows_the_same_shares(tmp_path: Path) -> None:
    """A replay of a loop measures the same, with the same shares, and labels of models aside."""
    clock = VirtualClock(START)
    loop = fitted(home=tmp_path, clock=clock)
    lived(loop, clock)
    answer = loop.predict(rows_of(0, 30))
    loop.label(answer.ids, labels_of(0, 30), source="model")
    outcome = rt.replay(loop, loop.history())["small"]
    assert list(outcome.measurements) == list(loop.measurements())
    assert any(m.share is not None for m in outcome.measurements)
    loop.close()


def test_names_that_differ_in_case_alone(tmp_path: Path) -> None:
    """Features `a` and `A` reach the tables under two names, and come back under their own."""
    loop = small(home=tmp_path)
    both = numbers_of(0, 80)
    rows = {"x": both["x"], "X": both["z"]}
    loop.fit(rows, labels_of(0, 80))
    loop.label(loop.predict(rows, ids=[f"p{n}" for n in range(80)]).ids, labels_of(0, 80))
    loop.close()
    found = store_of(loop).predictions(["p7"])["p7"]
    assert found["feature:x"][0] == both["x"][7]
    assert found["feature:X"][0] == both["z"][7]
    pin = loop.data.snapshots()[0]
    np.testing.assert_array_equal(loop.data.snapshot(pin.digest).X[:, 1], both["z"][: pin.count])
    loop.predict(rows, ids=[f"q{n}" for n in range(80)])
    loop.close()
    assert store_of(loop).predictions(["q9"])["q9"]["feature:X"][0] == both["z"][9]
    loop.close()
