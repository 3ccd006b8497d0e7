"""Drift of inputs and answers in a loop: what it compares with, and what it says of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

import ratoon as rt
from ratoon.core import wire
from ratoon.core.events import DATA_DRIFT, PREDICTION_DRIFT
from ratoon.engine.referring import answers_of
from ratoon.policies import Policy, PolicyState, Standing
from ratoon.policies.state import OpenWindow
from ratoon.stores import MemoryStore, MemoryVault
from ratoon.stores.protocol import Kept, Record
from ratoon.testing import VirtualClock
from ratoon.windows.judged import Scored, Target

START = datetime(2026, 1, 1, tzinfo=UTC)
BOTH = rt.triggers.DataDrift() | rt.triggers.DataDrift(of="outputs")


def rows(rng: np.random.Generator, n: int, move: float = 0.0) -> dict[str, Any]:
    """Three columns, one of which may have moved."""
    amount = rng.normal(move, size=n)
    country = np.array(list("abcd"), dtype=object)[rng.integers(0, 4, n)]
    return {"amount": amount, "age": rng.normal(40, 9, n), "country": country}


def train(data: rt.DatasetSnapshot) -> Any:
    """Fit on the amount alone."""
    kind = LinearRegression if data.target.task == "regression" else LogisticRegression
    return _OnAmount(kind().fit(np.asarray(data.X["amount"]).reshape(-1, 1), data.y))


class _OnAmount:
    """A model of one column."""

    def __init__(self, model: Any) -> None:
        self._model = model
        if hasattr(model, "classes_"):
            self.classes_ = model.classes_
            self.predict_proba = lambda X: model.predict_proba(self._of(X))

    def _of(self, frame: Any) -> Any:
        return np.asarray(frame["amount"]).reshape(-1, 1)

    def predict(self, frame: Any) -> Any:
        return self._model.predict(self._of(frame))


class Life:
    """A loop in memory, that may be opened again."""

    def __init__(self, *, classes: bool = True, **changes: Any) -> None:
        self.store, self.vault, self.clock = MemoryStore(), MemoryVault(), VirtualClock(START)
        self.changes: dict[str, Any] = {"retrain_when": BOTH, "autonomy": "observe"} | changes
        rng = np.random.default_rng(0)
        before = rows(rng, 3000)
        late = before["amount"] + rng.normal(scale=0.5, size=3000)
        labels = np.where(late > 0, "yes", "no").tolist() if classes else late.tolist()
        self.before = before
        self.loop = self.opened()
        self.loop.fit(frame(before), labels)

    def opened(self) -> rt.Loop:
        """Return the loop as a new process would open it."""
        return rt.Loop(
            "parcels",
            trainer=train,
            input_window=400,
            store=self.store,
            vault=self.vault,
            clock=self.clock,
            **self.changes,
        )

    def days(
        self, rng: np.random.Generator, *moves: float, loop: rt.Loop | None = None
    ) -> list[Any]:
        """Let 400 predictions a day be made."""
        made = []
        for move in moves:
            self.clock.advance(timedelta(days=1))
            made.append(rows(rng, 400, move))
            (loop or self.loop).predict(frame(made[-1]))
        return made


def frame(columns: dict[str, Any]) -> Any:
    """Return columns as pandas has them."""
    import pandas as pd  # noqa: PLC0415 - only here

    return pd.DataFrame(columns)


@pytest.mark.parametrize("classes", [True, False], ids=["classes", "numbers"])
def test_features_and_answers_that_drift_are_two_causes(classes: bool) -> None:  # noqa: FBT001
    """A feature that moves is told with its change point, and so is what the model makes of it."""
    life = Life(classes=classes)
    life.days(np.random.default_rng(1), 0.0, 0.0, 0.0, 1.0, 1.0)
    events = {event.type: event for event in life.loop.events()}
    changed = (START + timedelta(days=4)).isoformat()
    asked, answered = events[DATA_DRIFT], events[PREDICTION_DRIFT]
    assert (asked.subject, asked.data["since"]) == ("amount", changed)
    assert (answered.subject, answered.data["since"]) == (
        "score of yes" if classes else "output",
        changed,
    )
    assert str(asked.data["reason"]).startswith("amount is not as in training: jensen shannon 0.")
    subjects = {m.subject for m in life.loop.measurements()} - {None}
    scored = {"score of yes"} if classes else set[str]()
    assert subjects == {"amount", "age", "country", "output"} | scored


def test_a_loop_and_a_monitor_say_the_same() -> None:
    """Of the same windows, the same columns drift, in the same respects, since the same window."""
    life = Life(retrain_when=rt.triggers.DataDrift())
    rng = np.random.default_rng(2)
    days = life.days(rng, 0.0, 0.0, 0.2, 0.8, 0.8)
    (event,) = [e for e in life.loop.events() if e.type == DATA_DRIFT]
    (version,) = life.loop.versions()
    assert version.snapshot is not None
    (trained,) = [m for m in life.loop.runs() if m.version == 1]
    used = wire.from_json(rt.core.RowRange, _trained_rows(trained))
    log = {n: np.concatenate([day[n] for day in days]) for n in days[0]}
    kept = {n: column[used.start : used.stop] for n, column in life.before.items()}
    found = rt.monitor(frame(log), frame(kept), window=400)
    told: Any = event.data["evidence"]
    assert {(c["column"], c["respect"]) for c in told["columns"]} == {
        (d.newest.column, d.newest.aspect) for d in found.now if d.windows > 1
    }
    (one,) = [c for c in told["columns"] if c["respect"] == "distribution"]
    (same,) = [d for d in found.now if d.newest.aspect == "distribution"]
    assert one["measurement"]["value"] == pytest.approx(same.newest.measurement.value, abs=0.01)
    assert same.since is not None
    since = [n for n, day in enumerate(days) if _day(n) == event.data["since"]]
    assert found.since(same) == found.windows[since[0]].name


def _day(n: int) -> str:
    return (START + timedelta(days=n + 1)).isoformat()


def _trained_rows(run: Any) -> Any:
    (step,) = [s for s in run.steps if s.name == "train"]
    return step.wrote["rows"]


def test_answers_of_others_and_without_scores_are_left_out() -> None:
    """What another version answered, or what came without scores, says nothing of the champion."""
    gate, rollout = rt.gates.NotWorse("accuracy", margin=0.1), rt.rollouts.Direct("accuracy")
    life = Life(metrics=[rt.metrics.Accuracy()], accept_if=gate, rollout=rollout)
    asked = frame(rows(np.random.default_rng(3), 500))
    life.loop.record(asked, ["yes"] * 500)
    assert "output" not in {m.subject for m in life.loop.measurements()}
    life.loop.record(asked, ["yes"] * 500, scores=np.tile([0.1, 0.9], (500, 1)))
    assert {m.subject for m in life.loop.measurements()} >= {"output", "score of yes"}


def test_answers_are_named_by_class_and_quantile() -> None:
    """Scores are columns by their class or quantile; of more than twenty classes there are none."""
    scores = np.full((2, 3), 1 / 3)
    three = Target(task="multiclass", classes=("a", "b", 7))
    said = Scored(outputs=np.zeros(2), scores=scores)
    assert list(answers_of(three, said)) == ["output", "score of a", "score of b", "score of 7"]
    levels = Target(task="regression", levels=(0.1, 0.5, 0.9))
    names = ["output", "quantile 0.1", "quantile 0.5", "quantile 0.9"]
    assert list(answers_of(levels, said)) == names
    many = Target(task="multiclass", classes=tuple(range(21)))
    wide = Scored(outputs=np.zeros(2), scores=np.full((2, 21), 1 / 21))
    assert list(answers_of(many, wide)) == ["output"]
    assert list(answers_of(three, Scored(outputs=np.zeros(2)))) == ["output"]


def older(kept: Kept) -> Kept:
    """Return a version as it was stored before references were kept with it."""
    body = json.loads(kept.standing)
    del body["references"]
    body["reference"] = {"kind": "InputReference", "features": []}
    return replace(kept, standing=json.dumps(body))


def test_a_version_that_was_stored_without_references_gets_those_of_its_rows() -> None:
    """The features that it was trained on are counted anew; its answers are not compared."""
    life = Life(retrain_when=rt.triggers.DataDrift())
    kept = life.store.version(1)
    assert kept is not None
    life.store.commit(Record(saved=life.store.saved(), versions=(older(kept),)))
    again = Life.opened(life)
    life.days(np.random.default_rng(4), 0.0, 1.0, 1.0, loop=again)
    fresh = Life(retrain_when=rt.triggers.DataDrift())
    fresh.days(np.random.default_rng(4), 0.0, 1.0, 1.0)
    mine, theirs = list(again.measurements()), list(fresh.loop.measurements())
    answered = {"output", "score of yes"}
    assert mine == [m for m in theirs if m.subject not in answered]
    assert [e.data for e in again.events() if e.type == DATA_DRIFT] == [
        e.data for e in fresh.loop.events() if e.type == DATA_DRIFT
    ]


def test_a_version_without_rows_is_compared_with_nothing() -> None:
    """An adopted model that was stored without references has none until the next promotion."""
    life = Life()
    kept = life.store.version(1)
    assert kept is not None
    bare = replace(older(kept), version=replace(kept.version, snapshot=None))
    life.store.commit(Record(saved=life.store.saved(), versions=(bare,)))
    again = life.opened()
    life.days(np.random.default_rng(5), 0.0, 1.0, loop=again)
    assert list(again.measurements()) == []


def test_a_state_of_the_old_form_is_read() -> None:
    """Its open window of inputs, on bins that are gone, starts anew; the rest stays."""
    life = Life()
    definition: Any = life.loop
    text = life.store.saved().state
    assert text is not None
    body = json.loads(text)
    del body["asked"], body["answered"]
    body["inputs"] = {"kind": "InputWindow", "counts": [[1, 2, 3]], "rows": 6}
    body["reign"]["standing"]["reference"] = {"kind": "InputReference", "features": []}
    policy: Policy = definition._open()._conductor.policy
    state: PolicyState = policy.load(json.dumps(body))
    assert (state.asked, state.answered) == (OpenWindow(), OpenWindow())
    assert state.reign is not None
    assert replace(state.reign) == policy.load(text).reign
    assert isinstance(wire.loads(Standing, older(_kept(life)).standing), Standing)


def _kept(life: Life) -> Kept:
    found = life.store.version(1)
    assert found is not None
    return found
