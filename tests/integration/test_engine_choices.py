"""Which rows a run trains on: by age, by a person's function, by the losses of candidates."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import ratoon as rt
from ratoon.core.deciding import Retrain, SnapshotPlan
from ratoon.core.measuring import RowRange
from ratoon.core.running import Run, Step
from ratoon.core.schema import Column, Schema
from ratoon.engine import VirtualClock
from ratoon.engine.models import Models
from ratoon.engine.replay import drive, replay
from ratoon.engine.training import Ports, Training
from ratoon.executors import Inline
from ratoon.metrics import default_metrics
from ratoon.policies.state import Training as Trains
from ratoon.stores import MemoryStore, MemoryVault
from ratoon.stores.protocol import Draft, Record
from ratoon.windows import AgeWeighted, By, Chosen, Everything, Last, SinceChange, TrainableRows
from ratoon.windows.judged import Target

START = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = 600
TARGET = Target(task="binary", classes=("no", "yes"))
SCHEMA = Schema(
    columns=(
        Column(name="x", kind="number", nullable=False),
        Column(name="city", kind="category", nullable=False),
    ),
    frame="pandas",
)


class Trainer:
    """Fits on the column x, remembers what it was given, and fails where it is told to."""

    def __init__(self, fails: Any = None) -> None:
        self.given: list[rt.DatasetSnapshot] = []
        self.fails = fails

    def __call__(self, snapshot: rt.DatasetSnapshot) -> Any:
        self.given.append(snapshot)
        if self.fails is not None and self.fails(snapshot):
            raise ValueError("not on such rows")
        return _Fitted(snapshot)


class _Fitted:
    def __init__(self, snapshot: rt.DatasetSnapshot) -> None:
        self.inner = LogisticRegression()
        self.inner.fit(self._column(snapshot.X), snapshot.y, sample_weight=snapshot.weights)
        self.classes_ = self.inner.classes_

    def _column(self, rows: Any) -> Any:
        return rows[["x"]].to_numpy()

    def predict(self, rows: Any) -> Any:
        return self.inner.predict(self._column(rows))

    def predict_proba(self, rows: Any) -> Any:
        return self.inner.predict_proba(self._column(rows))


def trained(
    rule: Any,
    *,
    flip: int | None = None,
    since_row: int | None = None,
    trainer: Any = None,
    loses_functions: bool = False,
) -> tuple[Run, Trainer, MemoryStore]:
    """Carry out a run on rows whose labels are turned around from `flip` on."""
    rng, store, vault = np.random.default_rng(0), MemoryStore(), MemoryVault()
    x = rng.normal(size=ROWS)
    yes = (x + 0.4 * rng.normal(size=ROWS) > 0) != (np.arange(ROWS) >= (flip or ROWS))
    step = np.timedelta64(1, "h")
    store.append(
        Draft(
            kind="history",
            at=START,
            ids=tuple(f"r{n}" for n in range(ROWS)),
            values=tuple(np.where(yes, "yes", "no").tolist()),
            columns={
                "feature:x": x,
                "feature:city": np.array([("Porto", "Faro")[n % 2] for n in range(ROWS)], object),
                "time": np.datetime64("2026-01-01", "us") + np.arange(ROWS) * step,
            },
        )
    )
    run = Run(id="run-1", loop="small", decision_id="d1", status="running", started_at=START)
    store.commit(Record(saved=store.saved(), runs=(run,)))
    plan: SnapshotPlan = rule.plan(ROWS, since_row, START if since_row else None)
    trainer = trainer or Trainer()
    ports = Ports(
        store=store, vault=vault, executor=Inline(), clock=VirtualClock(START), trainer=trainer
    )
    models = Models(store, vault, "small")
    train_on = Everything() if loses_functions else rule
    training = Training(ports, models, SCHEMA, default_metrics("binary"), train_on)
    ended = training.go_on(Trains(run_id=run.id, causes=(), plan=plan), TARGET)
    assert ended is not None
    assert store.run(run.id) == ended
    return ended, trainer, store


def step_of(run: Run, name: str) -> Step:
    """Return the last step of a name."""
    return next(step for step in reversed(run.steps) if step.name == name)


BOTH = (Everything(), SinceChange())


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (Everything(), 1),
        (Chosen(), 2),
        (Chosen(refit=True), 3),
        (Chosen(folds=2), 4),
        (Chosen(folds=2, refit=True), 5),
        (Chosen(candidates=(*BOTH, Last(rows=90), AgeWeighted(half_life=50))), 4),
        (Chosen(candidates=(Last(rows=900), Everything())), 1),
    ],
    ids=repr,
)
def test_fits_are_counted(rule: Any, fits: int) -> None:
    """A run records how many models it trained: each costs what a retraining costs."""
    run, trainer, store = trained(rule, flip=300, since_row=300)
    assert run.error is None
    assert step_of(run, "train").wrote["fits"] == fits == len(trainer.given)
    digest = step_of(run, "train").wrote["snapshot"]
    assert digest in {snapshot.digest for snapshot in trainer.given}
    assert store.pin(str(digest)) is not None


def test_the_better_candidate_is_kept() -> None:
    """After labels were turned around the new rows win, and the losses of all are told."""
    run, trainer, _ = trained(Chosen(), flip=300, since_row=300)
    step = step_of(run, "train")
    assert step.wrote["rows"] == {"kind": "RowRange", "start": 300, "stop": 540}
    assert step.wrote["choice"] == 1
    losses: Any = step.wrote["losses"]
    assert losses[1] < losses[0]
    assert step.decided == (
        "chose the rows since the change point, rows 300 to 540; mean loss on rows 540 to 570: "
        f"all labelled rows: {losses[0]:.4g}, the rows since the change point: {losses[1]:.4g}"
        "; fewer rows must be better by 2 standard errors"
    )
    assert [len(snapshot) for snapshot in trainer.given] == [540, 240]


def test_more_rows_are_kept_where_nothing_changed() -> None:
    """A false alarm costs a fit, and no rows."""
    run, _, _ = trained(Chosen(), since_row=300)
    assert step_of(run, "train").wrote["choice"] == 0
    assert step_of(run, "train").wrote["rows"] == {"kind": "RowRange", "start": 0, "stop": 540}


def test_a_winner_that_is_refitted_knows_the_rows_it_was_chosen_on() -> None:
    """Its snapshot reaches up to the rows that judge it; the others end before their blocks."""
    run, trainer, store = trained(Chosen(folds=2, refit=True), flip=300, since_row=300)
    ends = [snapshot.plan.train for snapshot in trainer.given]
    assert [(rows.start, rows.stop) for rows in ends] == [
        (0, 510),
        (0, 540),
        (300, 510),
        (300, 540),
        (300, 570),
    ]
    (pin,) = store.pins()
    assert pin.rows == (RowRange(start=300, stop=570),)
    assert pin.digest == step_of(run, "train").wrote["snapshot"]


def test_a_candidate_that_fails_is_left_out() -> None:
    """Where a trainer cannot use few rows the other candidate is kept, and the record says so."""
    picky = Trainer(fails=lambda snapshot: len(snapshot) < 300)
    run, _, _ = trained(Chosen(), flip=300, since_row=300, trainer=picky)
    step = step_of(run, "train")
    assert (run.error, step.wrote["choice"], step.wrote["fits"]) == (None, 0, 2)
    assert step.wrote["losses"] == [pytest.approx(0.7, abs=0.1), None]
    told = "change point: left out, the trainer raised ValueError: not on such rows"
    assert told in str(step.decided)


def test_a_candidate_of_one_class_is_left_out() -> None:
    """Rows that nothing can be learned from are no reason to train nothing."""
    one = By(lambda rows: rows.labels == "yes", name="positives")
    run, trainer, _ = trained(Chosen(candidates=(Everything(), one)))
    assert (run.error, len(trainer.given)) == (None, 1)
    assert step_of(run, "train").wrote["choice"] == 0
    assert "left out, all " in str(step_of(run, "train").decided)


@pytest.mark.parametrize("rule", [Everything(), Chosen(), Chosen(folds=2, refit=True)], ids=repr)
def test_a_run_fails_where_every_candidate_does(rule: Any) -> None:
    """The first reason ends it."""
    trainer = Trainer(fails=lambda _: True)
    run, _, _ = trained(rule, since_row=300, trainer=trainer)
    assert (run.status, run.error) == ("failed", "the trainer raised ValueError: not on such rows")
    assert "not on such rows" in str(step_of(run, "train").wrote["log"])


def test_a_refit_that_fails_ends_the_run() -> None:
    """The model that was chosen is not the one that would be registered."""
    trainer = Trainer(fails=lambda snapshot: snapshot.plan.train.stop == 570)
    run, _, _ = trained(Chosen(refit=True), since_row=300, trainer=trainer)
    assert (run.status, len(trainer.given)) == ("failed", 3)


def test_weights_reach_the_trainer() -> None:
    """By age, in rows or in time: the newest row weighs 1, and the digest knows the weights."""
    _, plain, _ = trained(Everything())
    _, by_rows, _ = trained(AgeWeighted(half_life=100))
    run, by_time, _ = trained(AgeWeighted(half_life="100h"))
    (all_alike,), (weighted,), (timed,) = plain.given, by_rows.given, by_time.given
    assert all_alike.weights is None
    assert weighted.weights is not None
    assert timed.weights is not None
    np.testing.assert_allclose(weighted.weights, 0.5 ** (np.arange(479, -1, -1) / 100))
    np.testing.assert_allclose(timed.weights, weighted.weights)
    assert len({all_alike.digest, weighted.digest}) == 2
    found: Any = step_of(run, "collect").wrote["effective_rows"]
    assert found == pytest.approx(269, abs=1)


def faro(rows: TrainableRows) -> Any:
    """Choose the rows of one city since the change point."""
    assert (rows.since, rows.since_row) == (START, 200)
    return (rows.columns["city"] == "Faro") & (rows.ordinals >= 200)


def test_a_function_chooses_the_rows() -> None:
    """It sees what may be trained on, and what it chose is pinned row by row."""
    run, trainer, store = trained(By(faro), since_row=200)
    (snapshot,) = trainer.given
    assert set(snapshot.X["city"]) == {"Faro"}
    (pin,) = store.pins()
    assert pin.count == len(snapshot) == 140
    assert [rows.start for rows in pin.rows[:3]] == [201, 203, 205]
    assert pin.rows[-1].stop == 480
    assert pin.plan.choices[0].function == "faro"
    assert step_of(run, "train").decided == "trained on the rows that faro chooses"


def test_a_function_may_weigh_the_rows() -> None:
    """Rows of weight 0 are left out, and the weights are packed into what is pinned."""

    def newer(rows: TrainableRows) -> Any:
        assert rows.since_row is None
        return np.maximum(0.0, (rows.ordinals - 299) / 200)

    _, trainer, store = trained(By(newer))
    (snapshot,) = trainer.given
    assert snapshot.weights is not None
    np.testing.assert_allclose(snapshot.weights, np.arange(1, 181) / 200)
    (pin,) = store.pins()
    assert pin.rows == (RowRange(start=300, stop=480),)
    assert pin.plan == snapshot.plan
    assert pin.plan.choices[0].weights is not None


def test_a_function_as_one_of_the_candidates() -> None:
    """It is asked before every block, and never sees the rows of one, or of those that judge."""
    seen: list[int] = []

    def recent(rows: TrainableRows) -> Any:
        seen.append(int(rows.ordinals.max()))
        return rows.ordinals >= 300

    rule = Chosen(candidates=(Everything(), By(recent)), folds=2, refit=True)
    run, _, _ = trained(rule, flip=300)
    assert seen == [419, 479, 539]
    assert step_of(run, "train").wrote["choice"] == 1


def touches(rows: TrainableRows) -> Any:
    """Try to change a row."""
    rows.columns["x"][0] = 9.0


def adds(rows: TrainableRows) -> Any:
    """Try to add a column."""
    rows.columns["y"] = rows.labels  # type: ignore[index]


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (touches, "touches raised ValueError: assignment destination is read-only"),
        (adds, "adds raised TypeError: 'mappingproxy' object does not support item assignment"),
        (lambda rows: rows.labels, "<lambda>.* returned values such as "),
        (lambda _: [True], "returned 1 truths for 480 rows"),
        (lambda rows: rows.labels == "maybe", "chose none of the 480 rows"),
        (lambda rows: rows.labels == "yes", "labels to train on are 'yes': one class"),
    ],
    ids=[str(n) for n in range(6)],
)
def test_a_function_that_does_not_do(function: Any, told: str) -> None:
    """A function that raises, or returns something else, ends the run and says why."""
    run, trainer, _ = trained(By(function))
    assert (run.status, trainer.given) == ("failed", [])
    assert re.search(told, str(run.error))


def test_a_function_that_is_gone() -> None:
    """A plan whose function the loop does not have any more ends the run, by its name."""
    run, _, _ = trained(By(faro), since_row=200, loses_functions=True)
    assert run.status == "failed"
    assert "were to be chosen by faro, which the loop's train_on does not have" in str(run.error)


RULES = [
    Chosen(candidates=(*BOTH, Last(rows=60)), folds=2, refit=True, least=40),
    Chosen(candidates=(*BOTH, AgeWeighted(half_life=40)), least=40),
    AgeWeighted(half_life="30h", least=40),
]


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_what_is_replayed_is_what_ran(rule: Any) -> None:
    """A loop that chooses among candidates decides the same in a replay of its journal."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(700, 2))
    labels = (x[:, 0] + 0.3 * rng.normal(size=700) > 0) != (np.arange(700) >= 350)
    city = np.where(x[:, 1] > 0, "Porto", "Faro")
    table = pd.DataFrame({"x": x[:, 0], "city": city, "late": labels})
    history = rt.History.of_table(table, target="late", label_delay="1d", first=0.3, batches=60)
    clock = VirtualClock(history.at)
    loop = rt.Loop(
        "small",
        trainer=Trainer(),
        retrain_when=rt.triggers.Degraded(by=0.2) | rt.triggers.NewLabels(120),
        train_on=rule,
        limits=rt.Limits(retry=40),
        window=20,
        clock=clock,
        store=MemoryStore(),
        vault=MemoryVault(),
    )
    for _ in drive(loop, history, clock):
        pass
    again = replay(loop, loop.history())["small"]
    assert list(again.decisions) == list(loop.decisions())
    assert [run.status for run in again.runs] == [run.status for run in loop.runs()]
    assert again.fits == sum(int(str(step_of(r, "train").wrote["fits"])) for r in loop.runs()[1:])
    retrained = [d for d in again.decisions if isinstance(d, Retrain)]
    assert len(retrained) > 2
    if isinstance(rule, Chosen):
        assert any(len(d.plan.choices) == 3 for d in retrained)
    assert timedelta(0) < again.decisions[-1].at - history.at
