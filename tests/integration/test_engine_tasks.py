"""Every task, every kind of model and every kind of frame runs from the fit to a promotion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

import ratoon as rt
from ratoon.core.measuring import RowRange
from ratoon.core.schema import Schema
from ratoon.core.wire import loads
from tests.integration.engine_loops import first_column, ids_of, small, store_of

ROWS, CUT = 400, 100
DRAWN = np.random.default_rng(7)
X = DRAWN.normal(size=(ROWS, 3))
BEFORE = np.arange(ROWS) < 200
SIDE = np.where(BEFORE, X[:, 0], -X[:, 0])  # the concept turns round at row 200


def regression(data: rt.DatasetSnapshot) -> Any:
    """Fit a line."""
    return Ridge().fit(data.X, data.y)


def bayes(data: rt.DatasetSnapshot) -> Any:
    """Fit a classifier that gives probabilities."""
    return GaussianNB().fit(data.X, data.y)


def machine(data: rt.DatasetSnapshot) -> Any:
    """Fit a classifier that gives none."""
    return LinearSVC().fit(data.X, data.y)


Case = tuple[Callable[..., Any], list[Any], dict[str, Any]]
CASES: dict[str, Case] = {
    "regression": (regression, (SIDE * 3 + DRAWN.normal(size=ROWS)).tolist(), {}),
    "whole numbers": (regression, np.round(SIDE * 30).astype(int).tolist(), {}),
    "few numbers": (regression, np.sign(SIDE).tolist(), {"task": "regression"}),
    "texts": (bayes, np.where(SIDE > 0, "late", "on time").tolist(), {}),
    "truths": (bayes, (SIDE > 0).tolist(), {}),
    "zero and one": (bayes, (SIDE > 0).astype(float).tolist(), {}),
    "three classes": (bayes, np.digitize(SIDE, [-0.5, 0.5]).tolist(), {}),
    "three texts": (bayes, [("a", "b", "c")[i] for i in np.digitize(SIDE, [-0.5, 0.5])], {}),
    "no probabilities": (
        machine,
        np.where(SIDE > 0, "late", "on time").tolist(),
        {"metrics": [rt.metrics.Accuracy(), rt.metrics.F1()]},
    ),
    "three without probabilities": (
        machine,
        np.digitize(SIDE, [-0.5, 0.5]).tolist(),
        {"metrics": [rt.metrics.Accuracy()]},
    ),
}


def drifting(trainer: Callable[..., Any], **settings: Any) -> rt.Loop:
    """Return a loop that retrains when it has become worse."""
    usual: dict[str, Any] = {
        "retrain_when": rt.triggers.Degraded(by=0.5, windows=1),
        "train_on": rt.windows.SinceChange(least=30),
        "window": 20,
    }
    return small(trainer, **{**usual, **settings})


def live(loop: rt.Loop, rows: Callable[[int, int], Any], labels: list[Any]) -> rt.Loop:
    """Fit, then predict and label in batches."""
    loop.fit(rows(0, CUT), labels[:CUT])
    for start in range(CUT, ROWS, 25):
        stop = start + 25
        answer = loop.predict(rows(start, stop), ids=ids_of(start, stop))
        assert len(answer.outputs) == 25
        loop.label(ids_of(start, stop), labels[start:stop])
    return loop


def arrays(start: int, stop: int) -> Any:
    """Return rows as an array."""
    return X[start:stop]


@pytest.mark.parametrize("name", CASES)
def test_tasks(name: str) -> None:
    """The loop notices that the concept turned, retrains, promotes on evidence, and is right."""
    trainer, labels, settings = CASES[name]
    loop = live(drifting(trainer, **settings), arrays, labels)
    assert loop.status().champion.number > 1  # type: ignore[union-attr]
    answer = loop.predict(X[350:])
    now = answer.outputs.tolist()
    loop.rollback(1)
    never = loop.predict(X[350:]).outputs.tolist()
    assert _error(now, labels[350:]) < _error(never, labels[350:]) / 2
    if answer.classes:
        assert {type(value) for value in now} == {type(value) for value in _as_given(labels)}


def _error(said: list[Any], true: list[Any]) -> float:
    """Return the share of wrong answers, or the mean absolute error of numbers that vary."""
    if len(set(said)) > 3:
        return float(np.mean(np.abs(np.array(said) - np.array(true))))
    return float(np.mean([one != other for one, other in zip(said, true, strict=True)]))


def _as_given(labels: list[Any]) -> list[Any]:
    """Return labels as classes are kept: whole floats are integers."""
    return [int(v) if isinstance(v, float) else v for v in labels]


@pytest.mark.parametrize("name", ["texts", "three classes"])
def test_probabilities(name: str) -> None:
    """Scores are probabilities of the classes in their order; the output is the largest."""
    trainer, labels, settings = CASES[name]
    loop = drifting(trainer, **settings)
    loop.fit(X[:CUT], labels[:CUT])
    answer = loop.predict(X[CUT : CUT + 9])
    assert answer.scores is not None
    assert answer.scores.sum(axis=1) == pytest.approx(np.ones(9))
    largest = [answer.classes[i] for i in answer.scores.argmax(axis=1)]
    assert answer.outputs.tolist() == largest


def test_no_scores_without_probabilities() -> None:
    """A model without probabilities answers without scores."""
    trainer, labels, settings = CASES["no probabilities"]
    loop = drifting(trainer, **settings)
    loop.fit(X[:CUT], labels[:CUT])
    answer = loop.predict(X[CUT : CUT + 9])
    assert answer.scores is None
    assert set(answer.outputs.tolist()) <= {"late", "on time"}


def test_a_class_that_comes_later() -> None:
    """A class that no label had at the fit is taken in, learned, and predicted then."""
    labels = [
        "new" if not before and x > 0.3 else ("late" if x < 0 else "on time")
        for before, x in zip(BEFORE.tolist(), X[:, 1].tolist(), strict=True)
    ]
    loop = live(drifting(bayes), arrays, labels)
    assert loop.predict(X[:1]).classes == ("late", "on time", "new")
    assert loop.status().champion.number > 1  # type: ignore[union-attr]
    answer = loop.predict(X[300:])
    assert answer.scores is not None
    assert answer.scores.shape == (100, 3)
    right = np.mean([a == b for a, b in zip(answer.outputs.tolist(), labels[300:], strict=True)])
    assert right > 0.8
    assert all(m.value is not None for m in loop.measurements() if m.metric == "brier")


def test_a_first_class_alone() -> None:
    """One class teaches nothing: the fit says so, and a fit with both then works."""
    loop = small(bayes)
    with pytest.raises(rt.errors.TrainingFailed, match="all 32 labels to train on are 'a': one"):
        loop.fit(X[:40], ["a"] * 40)
    assert loop.fit(X[40:140], ["a", "b"] * 50).number == 1


CITIES = np.where(X[:, 1] > 0, "Porto", "Faro").astype(object)
TIMES = np.datetime64("2026-01-01", "us") + np.arange(ROWS) * np.timedelta64(3600, "s")
COLUMNS: dict[str, Any] = {
    "x": X[:, 0],
    "n": np.arange(ROWS) % 4,
    "known": X[:, 2] > 0,
    "city": CITIES,
    "when": TIMES,
}


def as_pandas(start: int, stop: int) -> Any:
    """Return rows as a pandas frame."""
    return pd.DataFrame({name: column[start:stop] for name, column in COLUMNS.items()})


def as_polars(start: int, stop: int) -> Any:
    """Return rows as a polars frame."""
    return pl.DataFrame({name: pl.Series(c[start:stop].tolist()) for name, c in COLUMNS.items()})


def as_arrow(start: int, stop: int) -> Any:
    """Return rows as an Arrow table."""
    return pa.table({name: pa.array(c[start:stop].tolist()) for name, c in COLUMNS.items()})


def as_records(start: int, stop: int) -> Any:
    """Return rows as dicts."""
    return as_arrow(start, stop).to_pylist()


FRAMES: dict[str, tuple[Callable[[int, int], Any], type, str]] = {
    "pandas": (as_pandas, pd.DataFrame, "pandas"),
    "polars": (as_polars, pl.DataFrame, "polars"),
    "arrow": (as_arrow, pa.Table, "arrow"),
    "records": (as_records, np.ndarray, "numpy"),
}


class Line:
    """A regression on the first column, which remembers what it was given."""

    def __init__(self, data: rt.DatasetSnapshot, seen: list[type]) -> None:
        self.seen = seen
        self.inner = LinearRegression().fit(first_column(data.X), data.y)
        self.seen.append(type(data.X))

    def predict(self, rows: Any) -> Any:
        self.seen.append(type(rows))
        return self.inner.predict(first_column(rows))


@pytest.mark.parametrize("name", FRAMES)
def test_frames(name: str) -> None:
    """Models are given the kind of frame that the loop was fitted with, in training and in use."""
    rows, kind, frame = FRAMES[name]
    seen: list[type] = []
    labels = (SIDE * 3).tolist()
    loop = live(drifting(lambda data: Line(data, seen)), rows, labels)
    assert set(seen) == {kind}
    assert loop.status().champion.number > 1  # type: ignore[union-attr]
    schema = loads(Schema, store_of(loop).saved().schema or "")
    assert schema.frame == frame
    kinds = [(column.name, column.kind) for column in schema.columns]
    assert kinds == [
        ("x", "number"),
        ("n", "integer"),
        ("known", "boolean"),
        ("city", "category"),
        ("when", "time"),
    ]
    kept = store_of(loop).labelled(RowRange(start=CUT, stop=CUT + 2)).columns
    assert kept["feature:when"].tolist() == TIMES[CUT : CUT + 2].tolist()
    assert kept["feature:city"].tolist() == CITIES[CUT : CUT + 2].tolist()


@pytest.mark.parametrize("name", FRAMES)
def test_other_frames_than_the_first(name: str) -> None:
    """A loop fitted with one kind of frame takes every other kind, and answers the same."""
    loop = drifting(lambda data: Line(data, []), frame="pandas")
    loop.fit(as_records(0, CUT), (SIDE[:CUT] * 3).tolist())
    expected = loop.predict(as_pandas(CUT, CUT + 5)).outputs.tolist()
    assert loop.predict(FRAMES[name][0](CUT, CUT + 5)).outputs.tolist() == expected


def test_a_chosen_frame() -> None:
    """`frame=` says what models are given, whatever the rows came in."""
    seen: list[type] = []
    loop = drifting(lambda data: Line(data, seen), frame="polars")
    loop.fit(as_pandas(0, CUT), (SIDE[:CUT] * 3).tolist())
    loop.predict(as_arrow(CUT, CUT + 5))
    assert set(seen) == {pl.DataFrame}
