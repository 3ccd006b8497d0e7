"""A training that comes to nothing: the run has failed, the champion stays, a later try follows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

import ratoon as rt
from ratoon.core.deciding import Retrain, Wait
from ratoon.core.errors import ModelUnusable, RatoonError, SettingInvalid, TrainingFailed
from ratoon.core.events import REFUSED, RUN_FAILED
from ratoon.core.measuring import Measurement, Window
from ratoon.stores import FileVault, MemoryStore, MemoryVault
from ratoon.windows.judged import Judged
from tests.integration.engine_loops import (
    OneColumn,
    ids_of,
    labels_of,
    numbers_of,
    on_record,
    small,
    store_of,
    train,
)

Data = rt.DatasetSnapshot


class Fails:
    """A model that was fitted, and fails at some rows."""

    def __init__(self, data: Data, fails: Callable[[Any, Any], Any]) -> None:
        self.inner = GaussianNB().fit(data.X, data.y)
        self.classes_ = self.inner.classes_
        self.fails = fails

    def predict(self, rows: Any) -> Any:
        return self.inner.predict(rows)

    def predict_proba(self, rows: Any) -> Any:
        return self.fails(rows, self.inner.predict_proba(rows))


class NoProbabilities:
    """A model without `predict_proba`."""

    def __init__(self, data: Data) -> None:
        self.inner = LinearSVC().fit(data.X, data.y)
        self.classes_ = self.inner.classes_

    def predict(self, rows: Any) -> Any:
        return self.inner.predict(rows)


def _nan(_: Any, said: Any) -> Any:
    return np.where(np.arange(len(said))[:, None] == len(said) - 1, np.nan, said)


def _raises(data: Data) -> Any:
    raise ZeroDivisionError(f"no luck with {len(data)} rows")


BAD: dict[str, tuple[Callable[[Data], Any], str]] = {
    "raises": (_raises, "the trainer raised ZeroDivisionError: no luck with 48 rows"),
    "returns nothing": (lambda _: None, "the trainer returned None instead of a fitted model"),
    "no model": (lambda _: "model.pkl", "a str has no predict method: it is no model"),
    "unfitted": (lambda _: LogisticRegression(), "an? LogisticRegression has no classes_"),
    "for numbers": (
        lambda data: LinearRegression().fit(data.X, np.arange(len(data))),
        "the task is binary but a LinearRegression has no classes_",
    ),
    "NaN": (lambda data: Fails(data, _nan), "the model gave a probability that is NaN"),
    "no probability": (
        lambda data: Fails(data, lambda _, said: said * 3 - 1),
        r"the model gave a probability that is not between 0 and 1: (-1|2)",
    ),
    "one output too few": (
        lambda data: Fails(data, lambda _, said: said[:, :1]),
        r"predict_proba gave shape \(5, 1\) for 5 rows",
    ),
    "one row too few": (
        lambda data: Fails(data, lambda _, said: said[1:]),
        r"predict_proba gave shape \(4, 2\) for 5 rows",
    ),
    "several outputs": (
        lambda data: MultiOutputClassifier(GaussianNB()).fit(data.X, np.c_[data.y, data.y]),
        "the model's classes are not those of one label",
    ),
    "other classes": (
        lambda data: GaussianNB().fit(data.X, np.arange(len(data)) % 2),
        r"the model's classes \[0, 1\] are none of the labels \['no', 'yes'\]",
    ),
    "other columns": (
        lambda data: GaussianNB().fit(np.c_[data.X, data.X], data.y),
        "the model cannot predict: ValueError: X has 2 features",
    ),
    "no probabilities": (
        NoProbabilities,
        "the model cannot be judged: metric 'log_loss' needs scores, which the rows do not have",
    ),
}


class Switch:
    """A trainer that turns bad when it is told to."""

    bad: Callable[[Data], Any] | None = None

    def __call__(self, data: Data) -> Any:
        return train(data) if self.bad is None else self.bad(data)


@pytest.fixture
def switch() -> Switch:
    """Return a trainer that is good at first."""
    return Switch()


@pytest.fixture(params=["memory", "sqlite"])
def loop(request: pytest.FixtureRequest, switch: Switch, tmp_path: Path) -> Iterator[rt.Loop]:
    """Return a loop with a champion and twenty labels since."""
    found = small(switch, **({"home": tmp_path} if request.param == "sqlite" else {}))
    found.fit(numbers_of(0, 40), labels_of(0, 40))
    found.predict(numbers_of(40, 100), ids=ids_of(40, 100))
    found.label(ids_of(40, 60), labels_of(40, 60))
    yield found
    found.close()


@pytest.mark.parametrize("name", BAD)
def test_no_first_model(name: str) -> None:
    """A fit whose training fails says why; the run is on record, and another fit may follow."""
    trainer, told = BAD[name]
    store = MemoryStore()
    loop = small(trainer, store=store, vault=MemoryVault())
    with pytest.raises(TrainingFailed, match=told):
        loop.fit(numbers_of(0, 60), labels_of(0, 60))
    (run,) = loop.runs()
    assert run.status == "failed"
    assert run.error is not None
    assert [event.type for event in loop.events()][-1] == RUN_FAILED
    assert loop.versions() == []
    again = small(store=store, vault=MemoryVault())
    assert again.fit(numbers_of(0, 60), labels_of(0, 60)).number == 1
    assert again.status().counts.labelled == 60


@pytest.mark.parametrize("name", BAD)
def test_no_challenger(loop: rt.Loop, switch: Switch, name: str) -> None:
    """A retraining that fails leaves the champion, and is tried again with more labels."""
    switch.bad, told = BAD[name]
    before = loop.predict(numbers_of(90, 95)).outputs.tolist()
    loop.emit("now")
    run = loop.runs()[-1]
    assert run.status == "failed"
    assert run.version is None
    assert re.search(told, str(run.error))
    waits = loop.decisions()[-1]
    assert isinstance(waits, Wait)
    assert waits.until_row == 70
    assert [cause.trigger for cause in waits.causes] == ["On(now)"]
    assert loop.predict(numbers_of(90, 95)).outputs.tolist() == before
    assert (loop.status().champion.number, loop.status().challenger) == (1, None)  # type: ignore[union-attr]
    switch.bad = None
    loop.label(ids_of(60, 70), labels_of(60, 70))
    assert [run.status for run in loop.runs()] == ["settled", "failed", "testing"]


def test_a_pause_that_grows(loop: rt.Loop, switch: Switch) -> None:
    """Each failure in a row doubles the labels to wait for: no retraining is tried for ever."""
    switch.bad = _raises
    loop.emit("now")
    for start in range(60, 100, 10):
        loop.label(ids_of(start, start + 10), labels_of(start, start + 10))
    waits = [d.until_row for d in loop.decisions() if isinstance(d, Wait)]
    assert waits == [70, 90, 130]
    assert sum(isinstance(d, Retrain) for d in loop.decisions()) == 4


class Touchy:
    """A challenger that cannot score rows whose first number is small."""

    def __init__(self, data: Data, least: float) -> None:
        self.inner = OneColumn().fit(data.X, data.y)
        self.classes_ = self.inner.classes_
        self.least = least

    def predict(self, rows: Any) -> Any:
        return self.inner.predict(rows)

    def predict_proba(self, rows: Any) -> Any:
        if (rows[:, 0] < self.least).any():
            raise ValueError("never seen such a row")
        return self.inner.predict_proba(rows)


def raised(rows: dict[str, Any], by: float) -> dict[str, Any]:
    """Return rows with a larger first number."""
    return {**rows, "x": rows["x"] + by}


def touched(train_on: Any = None, gate: Any = None) -> tuple[rt.Loop, Switch]:
    """Return a loop whose challenger knows large numbers only; smaller ones are predicted too."""
    switch = Switch()
    loop = small(
        switch,
        train_on=train_on or rt.windows.Last(rows=40, least=20),
        accept_if=gate or rt.gates.Better(),
    )
    loop.fit(numbers_of(0, 40), labels_of(0, 40))
    loop.predict(raised(numbers_of(40, 90), 100.0), ids=ids_of(40, 90))
    loop.predict(numbers_of(90, 120), ids=ids_of(90, 120))
    loop.label(ids_of(40, 80), labels_of(40, 80))
    switch.bad = lambda data: Touchy(data, 50.0)
    return loop, switch


def test_a_challenger_that_fails_later() -> None:
    """A challenger that cannot score rows that come while it is tested is refused."""
    loop, switch = touched()
    loop.emit("now")
    assert loop.runs()[-1].status == "testing"
    switch.bad = None
    loop.label(ids_of(80, 100), labels_of(80, 100))
    run = loop.runs()[1]
    assert (run.status, run.error) == ("refused", "it cannot score rows that have come since")
    assert [event.type for event in loop.events()][-1] == REFUSED
    assert loop.status().counts.labelled == 100
    assert loop.predict(numbers_of(120, 122)).version == 1


def test_a_champion_that_fails_later() -> None:
    """A new champion that cannot score rows that the old one answered does not stop the loop.

    Its labels are taken, the rows count as they were answered, and it is rolled back by one call.
    """
    loop, _ = touched(gate=rt.gates.Untested())
    loop.emit("now")
    assert loop.status().champion.number == 2  # type: ignore[union-attr]
    loop.label(ids_of(90, 120), labels_of(90, 120))
    assert loop.status().counts.labelled == 110
    assert [m.metric for m in loop.measurements()][-4:] == [
        "log_loss",
        "brier",
        "accuracy",
        "roc_auc",
    ]
    with pytest.raises(ModelUnusable, match="never seen such a row"):
        loop.predict(numbers_of(120, 122))
    assert loop.rollback() == 1
    assert loop.predict(numbers_of(120, 122)).version == 1


class Broken:
    """A person's own metric that raises from some day on."""

    name = "own"
    tasks = frozenset({"binary", "multiclass"})
    greater_is_better = False
    works = True

    def measure(self, judged: Judged, window: Window, /) -> Measurement:
        if not self.works:
            raise KeyError("tariff")
        return Measurement(metric="own", window=window, value=0.5, n=len(judged))

    def losses(self, judged: Judged, /) -> Any:
        return np.zeros(len(judged))

    def bound(self, _target: Any, /) -> float:
        return 1.0


def test_a_metric_that_raises() -> None:
    """A challenger that a metric of one's own cannot judge is no challenger; the run says why."""
    metric = Broken()
    loop = small(metrics=[metric, rt.metrics.Brier()])
    loop.fit(numbers_of(0, 40), labels_of(0, 40))
    metric.works = False
    loop.emit("now")
    run = loop.runs()[-1]
    assert (run.status, run.error) == ("failed", "the model cannot be judged: KeyError('tariff')")
    assert loop.predict(numbers_of(40, 42)).version == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"accept_if": rt.gates.Better("log_loss")},
        {"rollout": rt.rollouts.Direct("log_loss")},
        {"metrics": [rt.metrics.Accuracy(), rt.metrics.Brier()]},
    ],
    ids=["gate", "rollout", "second metric"],
)
def test_a_gate_that_cannot_judge(settings: dict[str, Any]) -> None:
    """A model without probabilities fails at the fit where anything will need them later."""
    loop = small(NoProbabilities, **{"metrics": [rt.metrics.Accuracy()], **settings})
    with pytest.raises(TrainingFailed, match=r"metric '(log_loss|brier)' needs scores"):
        loop.fit(numbers_of(0, 40), labels_of(0, 40))
    assert loop.runs()[-1].status == "failed"


def test_an_adopted_model_that_cannot_be_judged() -> None:
    """A model to adopt is judged before anything is stored."""
    loop = small()
    data = _data()
    for model, kind, told in (
        (LogisticRegression(), ModelUnusable, "has no classes_"),
        (NoProbabilities(data), RatoonError, "metric 'log_loss' needs scores"),
        (Fails(data, _nan), ModelUnusable, "NaN"),
    ):
        with pytest.raises(kind, match=told):
            loop.adopt(model, numbers_of(0, 40), labels_of(0, 40))
    with pytest.raises(SettingInvalid, match="the task of metric 'mae'"):
        small(metrics=[rt.metrics.MAE()]).adopt(train(data), numbers_of(0, 40), labels_of(0, 40))
    assert store_of(loop).counts().entries == 0
    assert loop.adopt(train(data), numbers_of(0, 40), labels_of(0, 40)).number == 1


class _Data:
    X = np.column_stack(list(numbers_of(0, 40).values()))
    y = np.array(labels_of(0, 40))


def _data() -> Any:
    return _Data()


def test_a_training_that_ends_its_process(tmp_path: Path) -> None:
    """A training that takes its process along is tried three times, not at every start for ever."""

    class Killed(BaseException):
        pass

    def kills(_: Data) -> Any:
        raise Killed

    switch = Switch()
    store, vault = MemoryStore(), FileVault(tmp_path)
    loop = small(switch, store=store, vault=vault)
    loop.fit(numbers_of(0, 40), labels_of(0, 40))
    switch.bad = kills
    with pytest.raises(Killed):
        loop.emit("now")
    for _ in range(2):
        with pytest.raises(Killed):
            small(switch, store=store, vault=vault).tick()
    again = small(switch, store=store, vault=vault)
    assert again.predict(numbers_of(40, 42)).version == 1
    run = again.runs()[-1]
    assert (run.status, run.error) == (
        "failed",
        "the process ended in each of 3 attempts to train",
    )
    assert isinstance(again.decisions()[-1], Wait)


def test_steps_are_recorded_once(loop: rt.Loop) -> None:
    """A run records each of its steps, and a reopened loop has the same record."""
    loop.emit("now")
    names = [step.name for step in loop.runs()[-1].steps]
    assert names == ["collect", "check", "prepare", "train", "evaluate", "gate", "register"]
    before = on_record(loop)
    assert before["runs"] == list(store_of(loop).runs())


@pytest.mark.parametrize("answered", [5, 20, 100])
def test_held_out_rows_may_be_of_the_history_in_part(answered: int) -> None:
    """Rows that nobody has predicted are scored beside those that were, probabilities and all."""
    loop = small()
    loop.fit(numbers_of(0, 80), labels_of(0, 80))
    loop.predict(numbers_of(80, 80 + answered), ids=ids_of(80, 80 + answered))
    loop.label(ids_of(80, 80 + answered), labels_of(80, 80 + answered))
    loop.retrain("a person wants it")
    run = loop.runs()[-1]
    assert (run.status, run.error) in {("testing", None), ("settled", None)}
