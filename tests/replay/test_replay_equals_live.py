"""What is replayed is what ran: decision by decision, on real streams and on made-up ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

import ratoon as rt
from ratoon.core.deciding import Hold, Retrain, Rollback, Wait
from ratoon.demo.models import Boosting
from ratoon.demo.running import open_stream
from ratoon.engine import History, Loop, VirtualClock
from ratoon.engine.replay import drive, replay
from ratoon.stores import MemoryStore, MemoryVault

_START = datetime(2026, 1, 1, tzinfo=UTC)


def _shortened(history: History, rows: int) -> History:
    """Return the first part of a history."""
    kept, seen = [], 0
    for arrival in history.arrivals:
        seen += len(arrival.ids) if arrival.kind == "predict" else 0
        if seen > rows:
            break
        kept.append(arrival)
    return History(
        name=history.name,
        rows=history.rows,
        labels=history.labels,
        times=history.times,
        at=history.at,
        arrivals=tuple(kept),
    )


@pytest.mark.parametrize("stream", ["hotel_rates", "flights_2013"])
def test_a_live_loop_on_a_real_stream_is_replayed_decision_by_decision(
    stream: str, tmp_path: Path
) -> None:
    """A loop on SQLite and its replay in memory decide, record and measure the same."""
    history = _shortened(open_stream(stream).history, 2500)
    clock = VirtualClock(history.at)
    live = Loop(
        stream,
        trainer=Boosting(seed=0),
        retrain_when=rt.triggers.WorthIt(200.0)
        | rt.triggers.Degraded(by=0.1)
        | rt.triggers.DataDrift()
        | rt.triggers.Every(days=20)
        | rt.triggers.On("pricing.*"),
        limits=rt.Limits(cooldown="2d", retry=200),
        rollout=rt.rollouts.Direct(watch=600),
        home=tmp_path,
        clock=clock,
    )
    with live:
        for number, arrival in enumerate(drive(live, history, clock)):
            if number == 40:
                live.emit("pricing.changed", {"by": 0.1})
            if number == 60 and arrival.ids:
                live.feedback(arrival.ids[:3], ratings=[-1, 1, -1])
            if number == 80:
                live.retrain("a new season", by="an analyst")
        told = live.history()
        decisions, events = list(live.decisions()), list(live.events())
        measurements = list(live.measurements())
        verdicts = [version.verdict for version in live.versions()]
    again = replay(live, told)[stream]
    assert list(again.decisions) == decisions
    assert list(again.events) == events
    assert list(again.measurements) == measurements
    assert [version.verdict for version in again.versions] == verdicts
    assert sum(isinstance(decision, Retrain) for decision in decisions) >= 3


def _batch(rng: np.random.Generator, n: int, *, flipped: bool) -> tuple[Any, list[str]]:
    X = rng.normal(size=(n, 2))
    yes = (X[:, 0] + 0.3 * rng.normal(size=n) > 0) != flipped
    return X, np.where(yes, "yes", "no").tolist()


def _made(**changes: Any) -> Loop:
    settings: dict[str, Any] = {
        "trainer": lambda data: LogisticRegression().fit(data.X, data.y),
        "retrain_when": rt.triggers.Degraded(by=0.2, windows=1)
        | rt.triggers.Every(days=3)
        | rt.triggers.On("price")
        | rt.triggers.Feedback(rate=0.01, least=2),
        "limits": rt.Limits(retry=40, per_day=3),
        "window": 40,
        "input_window": 50,
        "store": MemoryStore(),
        "vault": MemoryVault(),
    }
    return Loop("made", **{**settings, **changes})


@dataclass(slots=True)
class _Life:
    """What happens to a loop, at random."""

    loop: Loop
    rng: np.random.Generator
    waiting: list[tuple[str, str]] = field(default_factory=list)  # ids and labels to come
    coming: int = 0
    complained: set[str] = field(default_factory=set)

    def happen(self, number: int, what: str, amount: int) -> None:
        """Let one thing happen."""
        match what:
            case "predict":
                self._predict(amount, flipped=number > 15)
            case "label" if self.waiting:
                self.rng.shuffle(self.waiting)
                taken, self.waiting = self.waiting[:amount], self.waiting[amount:]
                self.loop.label([row_id for row_id, _ in taken], [value for _, value in taken])
            case "early label":
                ids = [f"row-{self.coming + 500 + number * 9 + i}" for i in range(amount)]
                self.loop.label(ids, ["yes"] * amount)
            case "feedback":
                known = {row_id for row_id, _ in self.waiting[:amount]} - self.complained
                self.complained |= known
                if known:
                    self.loop.feedback(sorted(known), ratings=[-1] * len(known))
            case "emit":
                self.loop.emit("price", {"step": number})
            case "retrain":
                self.loop.retrain()
            case "rollback" if len(self.loop.versions()) > 1:
                self.loop.rollback(self.loop.versions()[0].number)
            case "tick":
                self.loop.tick()
            case _:
                pass

    def _predict(self, amount: int, *, flipped: bool) -> None:
        X, y = _batch(self.rng, amount, flipped=flipped)
        ids = [f"row-{self.coming + i}" for i in range(amount)]
        self.coming += amount
        self.loop.predict(X, ids=ids)
        self.waiting += list(zip(ids, y, strict=True))


_STEP = st.one_of(
    st.tuples(st.just("predict"), st.integers(1, 60)),
    st.tuples(st.just("label"), st.integers(1, 80)),
    st.tuples(st.just("early label"), st.integers(1, 5)),
    st.tuples(st.just("feedback"), st.integers(1, 4)),
    st.tuples(st.just("emit"), st.just(1)),
    st.tuples(st.just("retrain"), st.just(1)),
    st.tuples(st.just("rollback"), st.just(1)),
    st.tuples(st.just("tick"), st.just(1)),
    st.tuples(st.just("time"), st.integers(1, 60)),
)


@settings(max_examples=40)
@given(steps=st.lists(_STEP, min_size=10, max_size=40), seed=st.integers(0, 3))
def test_whatever_arrives_in_whatever_order_is_replayed_the_same(
    steps: list[tuple[str, int]], seed: int
) -> None:
    """Rows, late and early labels, feedback, events, people and time: the same decisions."""
    clock = VirtualClock(_START)
    loop = _made(clock=clock)
    life = _Life(loop=loop, rng=np.random.default_rng(seed))
    loop.fit(*_batch(life.rng, 260, flipped=False))
    for number, (what, amount) in enumerate(steps):
        clock.advance(timedelta(hours=amount) if what == "time" else timedelta(minutes=7))
        life.happen(number, what, amount)
    told = loop.history()
    again = replay(loop, told)["made"]
    assert list(again.decisions) == list(loop.decisions())
    assert list(again.events) == list(loop.events())
    assert again.champion == loop.records.champion()


def test_several_policies_are_compared_on_what_one_loop_lived_through() -> None:
    """A policy that never retrains loses more than one that does, on the same arrivals."""
    rng, clock = np.random.default_rng(1), VirtualClock(_START)
    loop = _made(clock=clock)
    loop.fit(*_batch(rng, 260, flipped=False))
    for number in range(30):
        clock.advance(timedelta(hours=2))
        X, y = _batch(rng, 40, flipped=number > 10)
        p = loop.predict(X)
        loop.label(p.ids, y)
    loop.retrain("please")
    never = loop.settings(retrain_when=rt.triggers.Never())
    report = replay({"as it is": loop, "never": never}, loop.history(), retrain_cost=1.0)
    assert report["never"].retrainings == 0
    assert report["as it is"].retrainings >= 1
    assert report["as it is"].loss["log_loss"] < report["never"].loss["log_loss"]
    assert report["as it is"].cost < report["never"].cost
    assert "never" in str(report)


def test_decisions_are_of_the_four_kinds() -> None:
    """Whatever happens, a decision is to retrain, to wait, to hold or to roll back."""
    rng, clock = np.random.default_rng(2), VirtualClock(_START)
    loop = _made(clock=clock)
    loop.fit(*_batch(rng, 260, flipped=False))
    for number in range(20):
        clock.advance(timedelta(hours=3))
        X, y = _batch(rng, 40, flipped=number % 4 > 1)
        loop.label(loop.predict(X).ids, y)
    assert {type(decision) for decision in loop.decisions()} <= {Retrain, Wait, Hold, Rollback}
