"""Metrics of a loop that read features: slices, and what an answer is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ratoon as rt
from ratoon.core.errors import MetricNeedsColumn, SettingInvalid
from ratoon.metrics import Accuracy, LogLoss
from ratoon.metrics.slices import Slice, Sliced
from tests.integration.engine_loops import (
    HISTORY,
    fitted,
    ids_of,
    labels_of,
    rows_of,
    small,
    store_of,
)

PORTO = Sliced(LogLoss(), Slice.of(city="Porto"))
ROWS = 100


def turned(start: int, stop: int) -> list[str]:
    """Return labels that are as before in Faro, and the other way round in Porto."""
    sides = zip(labels_of(start, stop), rows_of(start, stop)["city"], strict=True)
    other = {"yes": "no", "no": "yes"}
    return [other[label] if city == "Porto" else label for label, city in sides]


def watched(loop: rt.Loop, *, batch: int = ROWS) -> list[Any]:
    """Predict rows, label them batch by batch, and return what was measured."""
    start, stop = HISTORY, HISTORY + ROWS
    loop.predict(rows_of(start, stop), ids=ids_of(start, stop))
    labels = turned(start, stop)
    for first in range(0, ROWS, batch):
        some = slice(first, min(first + batch, ROWS))
        loop.label(ids_of(start, stop)[some], labels[some])
    return list(store_of(loop).measurements())


def test_a_slice_is_measured_by_itself() -> None:
    """A window has the metric on all rows, and on those of each slice, as by hand."""
    faro = Sliced(Accuracy(), Slice.of(city="Faro", gap=(None, 2.0)))
    found = watched(fitted(metrics=[LogLoss(), PORTO, faro, Sliced(Accuracy(), Slice.of(n=3))]))
    by_name = {m.metric: [] for m in found}
    for m in found:
        by_name[m.metric].append(m)
    assert set(by_name) == {
        "log_loss",
        "log_loss where city = Porto",
        "accuracy where city = Faro & gap < 2",
        "accuracy where n = 3",
    }
    whole = [m.value for m in by_name["log_loss"]]
    porto = [m.value for m in by_name["log_loss where city = Porto"]]
    assert len(whole) == len(porto) == ROWS // 20
    assert all(one > other for one, other in zip(porto, whole, strict=True))
    assert {m.n for m in by_name["log_loss where city = Porto"]} == {10}
    assert {m.n for m in by_name["accuracy where n = 3"]} == {4}
    assert all(m.value > 0.8 for m in by_name["accuracy where city = Faro & gap < 2"])


def test_splitting_a_batch_changes_nothing() -> None:
    """Labels that come one by one give the same measurements as all at once."""

    def plain(found: list[Any]) -> list[Any]:
        return [(m.metric, m.value, m.n, m.stderr, m.window.rows) for m in found]

    loops = [fitted(metrics=[LogLoss(), PORTO]) for _ in range(2)]
    assert plain(watched(loops[0])) == plain(watched(loops[1], batch=1))


def test_a_slice_causes_a_retraining() -> None:
    """A trigger may name the metric of a slice; a version has a baseline of it."""
    trigger = rt.triggers.Degraded(PORTO.name, by=0.5)
    loop = fitted(metrics=[LogLoss(), PORTO], retrain_when=trigger)
    first = next(iter(store_of(loop).versions()))
    assert PORTO.name in {m.metric for m in first.version.baseline}
    watched(loop)
    assert [kept.version.number for kept in store_of(loop).versions()][:2] == [1, 2]


def test_after_a_restart(tmp_path: Path) -> None:
    """A loop that is opened again reads the features of its open window from the tables."""
    settings: dict[str, Any] = {"metrics": [LogLoss(), PORTO], "home": tmp_path}
    start, stop = HISTORY, HISTORY + 40
    with fitted(**settings) as loop:
        loop.predict(rows_of(start, stop), ids=ids_of(start, stop))
        loop.label(ids_of(start, start + 15), turned(start, start + 15))
    with small(**settings) as loop:
        loop.label(ids_of(start + 15, stop), turned(start + 15, stop))
        found = [m for m in store_of(loop).measurements() if m.metric == PORTO.name]
        assert [m.n for m in found] == [10, 10]


def test_what_a_slice_needs() -> None:
    """A column that the rows do not have is refused before anything is stored."""
    loop = small(metrics=[LogLoss(), Sliced(LogLoss(), Slice.of(country="DE"))])
    with pytest.raises(SettingInvalid, match="a slice with a condition"):
        Sliced(LogLoss(), Slice(conditions=()))
    with pytest.raises(MetricNeedsColumn, match="the feature 'country'"):
        loop.fit(rows_of(0, HISTORY), labels_of(0, HISTORY))


def test_worth_by_features() -> None:
    """A metric of one's own gets the features that it names, and no others."""
    seen: list[set[str]] = []

    def earned(labels: Any, outputs: Any, scores: Any, features: Any) -> Any:
        del scores
        seen.append(set(features))
        return np.where(labels == outputs, features["n"], 0.0)

    value = rt.metrics.Value(name="earned", function=earned, columns=("n",), least=0, greatest=4)
    found = watched(fitted(metrics=[value]))
    assert [m.metric for m in found] == ["earned"] * (ROWS // 20)
    assert all(0 < m.value < 2 for m in found)
    assert {"n"} == set().union(*seen)
