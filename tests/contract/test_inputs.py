"""Every kind of input goes through every call that takes rows; a new kind joins `MAKERS`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.dummy import DummyClassifier

import ratoon as rt
from ratoon.stores import MemoryStore, MemoryVault
from ratoon.stores.protocol import Store
from ratoon.windows.intake import read_rows
from tests.integration.sources_inputs import BATCH, COLUMNS, MAKERS, Maker

HISTORY = 40  # rows that the loop begins with
IDS = COLUMNS["id"]
OUTPUTS = ["yes", "no", "no", "yes", "no"]
SCHEMA = read_rows(COLUMNS).schema

every_maker = pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.name)

LISTS: dict[str, Callable[[list[Any]], Any]] = {
    "a list": list,
    "a tuple": tuple,
    "a numpy array": np.array,
    "a numpy array of objects": lambda values: np.array(values, dtype=object),
    "a pandas series": pd.Series,
    "a polars series": pl.Series,
    "an Arrow array": pa.array,
    "an Arrow array in pieces": lambda values: pa.chunked_array([values[:2], values[2:]]),
}
every_list = pytest.mark.parametrize("made", LISTS.values(), ids=LISTS)


def constant(data: rt.DatasetSnapshot) -> Any:
    """Fit a model that looks at no column."""
    return DummyClassifier(strategy="prior").fit(np.zeros((len(data), 1)), data.y)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder to write into, beside which other files may lie."""
    path = tmp_path / "incoming"
    path.mkdir()
    return path


@pytest.fixture
def loop() -> rt.Loop:
    """Return a loop whose features are the columns of the table."""
    found = rt.Loop(
        "inputs",
        trainer=constant,
        store=MemoryStore(),
        vault=MemoryVault(),
        retrain_when=rt.triggers.Never(),
        train_on=rt.windows.Everything(least=20),
        metrics=[rt.metrics.Accuracy()],
    )
    rows = {name: values * (HISTORY // len(values)) for name, values in COLUMNS.items()}
    found.fit(rows, OUTPUTS * (HISTORY // len(OUTPUTS)))
    return found


def store_of(loop: rt.Loop) -> Store:
    """Return where the loop keeps its rows."""
    found = loop.store
    assert found is not None
    return found


@every_maker
def test_recorded_rows_are_the_same(maker: Maker, folder: Path, loop: rt.Loop) -> None:
    """`record` keeps the same rows of every input, and keeps them once."""
    batches = maker.batches(folder)
    stored = 0
    for batch in batches:
        size = len(read_rows(batch, SCHEMA))
        part = slice(stored, stored + size)
        said = {"outputs": OUTPUTS[part], "ids": IDS[part]}
        assert loop.record(batch, **said).stored == size
        assert loop.record(batch, **said).repeated == size
        stored += size
    assert stored == len(IDS)
    assert len(batches) in (1, len(IDS) // BATCH + 1)
    kept = store_of(loop).predictions(IDS)
    expected = read_rows(COLUMNS)
    for name, column in expected.columns.items():
        found = np.concatenate([kept[row_id][f"feature:{name}"] for row_id in IDS])
        np.testing.assert_array_equal(found, column, err_msg=name)


@every_maker
def test_predicted_rows_are_the_same(maker: Maker, folder: Path, loop: rt.Loop) -> None:
    """`predict` takes every input, and gives each row an id."""
    answers = [loop.predict(batch) for batch in maker.batches(folder)]
    ids = [row_id for answer in answers for row_id in answer.ids]
    kept = store_of(loop).predictions(ids)
    assert [kept[row_id]["feature:zip"][0] for row_id in ids] == COLUMNS["zip"]


@every_list
def test_labels_and_feedback_come_in_any_list(
    made: Callable[[list[Any]], Any], loop: rt.Loop
) -> None:
    """Ids, labels, ratings and times may be lists, arrays or series of any library."""
    loop.record(COLUMNS, made(OUTPUTS), ids=made(IDS), times=made(COLUMNS["time"]))
    assert loop.label(made(IDS), made(OUTPUTS)).stored == 5
    assert loop.label(IDS, OUTPUTS).repeated == 5
    assert loop.feedback(made(IDS), ratings=made([1.0, -1.0, 0.5, 1.0, 1.0])).stored == 5
    counts = loop.status().counts
    assert (counts.labelled, counts.feedback) == (HISTORY + 5, 5)
