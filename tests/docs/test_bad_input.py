"""The page on bad input says what really comes back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.svm import SVC

import ratoon as rt
from ratoon.stores import MemoryStore, MemoryVault
from tests.docs.pages import read, tables

WHAT_HAPPENS = {row[0]: row[1] for table in tables(read("docs/bad-input.md")) for row in table}
FIRST_ROWS = 300


def fit(data: rt.DatasetSnapshot) -> Any:
    """Fit a model that takes any features."""
    return DummyClassifier().fit(np.zeros((len(data), 1)), data.y)


def raising(data: rt.DatasetSnapshot) -> Any:
    """Fail."""
    raise RuntimeError(f"no model of {len(data)} rows")


def rows(count: int = 1, **changed: Any) -> dict[str, Any]:
    """Return a batch that fits, but for the columns that are `changed`."""
    gaps = [None if row % 2 else 1.0 for row in range(count)]
    base = {"size": [1.5] * count, "rooms": [3] * count, "town": ["Porto"] * count, "age": gaps}
    return {**base, **changed}


def labels(count: int) -> list[str]:
    """Return labels of two classes."""
    return ["cheap" if row % 2 else "dear" for row in range(count)]


def new_loop(trainer: Callable[[rt.DatasetSnapshot], Any] = fit, **settings: Any) -> rt.Loop:
    """Return a loop in memory."""
    return rt.Loop("bad", trainer=trainer, store=MemoryStore(), vault=MemoryVault(), **settings)


def first_fit(loop: rt.Loop, count: int = FIRST_ROWS) -> rt.Loop:
    """Fit a loop."""
    loop.fit(rows(count), labels(count))
    return loop


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A fitted loop with three predictions, of which one is labelled and one rated; a folder."""

    loop: rt.Loop
    home: Path

    def predict(self, **changed: Any) -> None:
        """Send a batch of one row."""
        self.loop.predict(rows(**changed))

    def count(self) -> tuple[object, ...]:
        """Return what is stored."""
        return self.loop.status().counts, len(self.loop.events())


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    """Return a loop to be sent bad input."""
    loop = first_fit(new_loop())
    loop.predict(rows(3), ids=["a", "b", "c"])
    loop.label(["a"], ["dear"])
    loop.feedback(["c"], ratings=[1])
    loop.emit("pricing.changed", id="1", source="shop")
    yield Given(loop=loop, home=tmp_path)
    loop.close()


def without_town(given: Given) -> None:
    """Send rows that lack a column."""
    found = rows()
    del found["town"]
    given.loop.predict(found)


def numbers_loop() -> rt.Loop:
    """Return a loop on a regression."""
    loop = new_loop(lambda _: Constant(), task="regression")
    loop.fit(rows(FIRST_ROWS), list(range(FIRST_ROWS)))
    loop.predict(rows(1), ids=["a"])
    return loop


class Constant:
    """A model that answers 1."""

    def predict(self, given: Any) -> Any:
        """Answer."""
        return np.ones(len(given))


def twice(given: Given) -> None:
    """Open a loop that is open."""
    settings: dict[str, Any] = {"store": None, "vault": None, "home": given.home}
    with given.loop.settings(**settings) as one, given.loop.settings(**settings) as other:
        one.status()
        other.status()


Case: TypeAlias = Callable[[Given], Any]
ROWS: Mapping[str, Case] = {
    "no rows": lambda g: g.loop.predict({"size": [], "rooms": [], "town": [], "age": []}),
    "a missing column": without_town,
    "another column": lambda g: g.predict(colour=["red"]),
    "texts where numbers are expected": lambda g: g.predict(size=["1.5"]),
    "numbers where texts are expected": lambda g: g.predict(town=[4]),
    "whole numbers where numbers are expected": lambda g: g.predict(size=[2]),
    "an infinite number": lambda g: g.predict(size=[np.inf]),
    "a missing value where the first fit had none": lambda g: g.predict(size=[np.nan]),
    "a missing value where the first fit had some": lambda g: g.predict(age=[None]),
    "a text that was never seen before": lambda g: g.predict(town=["Faro"]),
    "columns of different lengths": lambda g: g.predict(size=[1.0, 2.0]),
    "a path instead of rows": lambda g: g.loop.predict("rows.parquet"),
    "an answer without the scores that a metric needs": lambda g: g.loop.record(rows(), ["dear"]),
    "an array with one dimension": lambda g: g.loop.predict(np.zeros(4)),
    "a time without a zone": lambda g: g.loop.predict(rows(), times=[datetime(2026, 1, 1)]),  # noqa: DTZ001 - meant
}
IDS: Mapping[str, Case] = {
    "the same id twice in a batch": lambda g: g.loop.predict(rows(2), ids=["d", "d"]),
    "more rows than ids": lambda g: g.loop.predict(rows(2), ids=["d"]),
    "a known id with the same row": lambda g: g.loop.predict(rows(3), ids=["a", "b", "c"]),
    "a known id with another row": lambda g: g.loop.predict(rows(size=[9.0]), ids=["a"]),
}
LABELS: Mapping[str, Case] = {
    "a label that is missing": lambda g: g.loop.label(["b"], [None]),
    "a label that is NaN or infinite": lambda g: g.loop.label(["b"], [np.nan]),
    "a text where the task is regression": lambda _: numbers_loop().label(["a"], ["dear"]),
    "a label for an id that is unknown": lambda g: g.loop.label(["z"], ["dear"]),
    "the same label again": lambda g: g.loop.label(["a"], ["dear"]),
    "another label for the same id": lambda g: g.loop.label(["a"], ["cheap"]),
    "a label of another kind than the classes": lambda g: g.loop.label(["b"], [1]),
    "a class that no label had before": lambda g: g.loop.label(["b"], ["gratis"]),
    "a third class where the task was said to be binary": lambda _: first_fit(
        new_loop(task="binary")
    ).label(["z"], ["gratis"]),
    "no labels": lambda g: g.loop.label([], []),
    "more labels than ids": lambda g: g.loop.label(["b"], ["dear", "cheap"]),
}
OTHERS: Mapping[str, Case] = {
    "feedback on an id that is unknown": lambda g: g.loop.feedback(["z"], ratings=[-1]),
    "feedback without ratings and corrections": lambda g: g.loop.feedback(["a"]),
    "something else said of the same prediction": lambda g: g.loop.feedback(["c"], ratings=[-1]),
    "a rating that is no number": lambda g: g.loop.feedback(["a"], ratings=[np.nan]),
    "an event whose source and id are known": lambda g: g.loop.emit(
        "pricing.changed", id="1", source="shop"
    ),
    "an event without a type": lambda g: g.loop.emit(""),
    "an event of a type that Ratoon itself reports": lambda g: g.loop.emit("ratoon.run.failed"),
    "an event whose data are no JSON": lambda g: g.loop.emit("sale", {"a": {1, 2}}),
}
TRAINERS: Mapping[str, Case] = {
    "a trainer that raises": lambda _: first_fit(new_loop(raising)),
    "a trainer that returns nothing": lambda _: first_fit(new_loop(lambda _: None)),
    "a trainer that returns an unfitted model": lambda _: first_fit(
        new_loop(lambda _: DummyClassifier())
    ),
    "a trainer that returns no model": lambda _: first_fit(new_loop(lambda _: "a model")),
    "a model without the scores that a metric needs": lambda _: first_fit(
        new_loop(
            lambda data: SVC().fit(np.zeros((len(data), 1)), data.y),
            metrics=[rt.metrics.LogLoss()],
        )
    ),
    "too few rows to train on": lambda _: first_fit(new_loop(), 20),
    "a model that cannot score, in `adopt`": lambda _: new_loop().adopt(
        DummyClassifier(), rows(FIRST_ROWS), labels(FIRST_ROWS)
    ),
}
SETTINGS: Mapping[str, Case] = {
    "a trainer that is no function": lambda _: rt.Loop("bad", trainer=None),  # type: ignore[arg-type]
    "a trigger without its limit": lambda _: rt.triggers.Degraded("accuracy"),
    "a metric that does not exist": lambda _: rt.gates.Better("sharpness"),
    "a metric by its name alone": lambda _: new_loop(metrics=["log_loss"]),
    "a gate on a metric that is no mean of row losses": lambda _: rt.gates.Better("f1"),
    "a trigger on a metric that the loop does not measure": lambda _: first_fit(
        new_loop(retrain_when=rt.triggers.Degraded("mae", by=0.1))
    ),
    "a length of time that cannot be read": lambda _: rt.Limits(cooldown="soon"),
    "a cron expression that is none": lambda _: rt.triggers.Cron("daily at three"),
}
ORDER: Mapping[str, Case] = {
    "a prediction before the first fit": lambda _: new_loop().predict(rows()),
    "a label before the first fit": lambda _: new_loop().label(["a"], ["dear"]),
    "a second fit": lambda g: first_fit(g.loop),
    "a version that is not kept": lambda g: g.loop.rollback(9),
    "a second loop on the same folder": twice,
}
CASES: Mapping[str, Case] = {
    **ROWS,
    **IDS,
    **LABELS,
    **OTHERS,
    **TRAINERS,
    **SETTINGS,
    **ORDER,
}


def test_every_line_is_tried() -> None:
    """Each line of the page has its case here, and each case its line."""
    assert sorted(WHAT_HAPPENS) == sorted(CASES)


@pytest.mark.parametrize("what", CASES)
def test_what_happens(what: str, given: Given) -> None:
    """What the page says happens; where it is an error, nothing is stored."""
    error = re.match(r"`(\w+)`", WHAT_HAPPENS[what])
    if error is None:
        CASES[what](given)
        return
    before = given.count()
    with pytest.raises(rt.errors.RatoonError) as caught:
        CASES[what](given)
    assert type(caught.value).__name__ == error[1], str(caught.value)
    assert given.count() == before


def test_accepted_once(given: Given) -> None:
    """What is sent again is counted as repeated, and a parked label as parked."""
    assert given.loop.label(["a"], ["dear"]).repeated == 1
    assert given.loop.emit("pricing.changed", id="1", source="shop").repeated == 1
    assert given.loop.label(["z"], ["dear"]).parked == 1
    assert given.loop.status().counts.parked == 1
    given.loop.predict(rows(), ids=["z"])
    assert given.loop.status().counts.parked == 0


def test_failed_run_leaves_champion(given: Given) -> None:
    """A training that fails later leaves a failed run with its error, and the champion."""
    store, vault = given.loop.store, given.loop.vault
    given.loop.close()
    worse = given.loop.settings(trainer=raising, store=store, vault=vault)
    worse.retrain("to see it fail")
    assert worse.runs()[-1].status == "failed"
    assert "no model of" in (worse.runs()[-1].error or "")
    assert worse.status().champion == given.loop.status().champion
