"""Fits and answers that are done once."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

import ratoon as rt
from ratoon.engine.tuning.reusing import Reusing
from tests.unit.tuning_world import Sign, history, loop, train


class Counting:
    """A trainer that counts its fits, and models that count their answers."""

    def __init__(self, drift: float = 0.0) -> None:
        self.fits = 0
        self.asked = 0
        self.drift = drift

    def __call__(self, _: rt.DatasetSnapshot) -> Any:
        self.fits += 1
        return Counted(self, 0.9 - self.drift * self.fits)


class Counted(Sign):
    def __init__(self, counts: Counting, share: float) -> None:
        super().__init__(share)
        self.counts = counts

    def predict_proba(self, rows: Any) -> Any:
        self.counts.asked += 1
        return super().predict_proba(np.asarray(rows, dtype=object)[:, :1].astype(float))


@pytest.fixture
def snapshot() -> rt.DatasetSnapshot:
    """What the first model of a history is trained on."""
    seen: list[rt.DatasetSnapshot] = []

    def keep(data: rt.DatasetSnapshot) -> Sign:
        seen.append(data)
        return train(data)

    rt.replay(loop(trainer=keep, retrain_when=rt.triggers.Never()), history(500))
    return seen[0]


def test_one_fit_for_a_snapshot(snapshot: rt.DatasetSnapshot) -> None:
    """The same snapshot gives the same model; the first fit is done twice to see if it may."""
    counts = Counting()
    reusing = Reusing(counts)
    assert reusing.deterministic is None
    first, second = reusing(snapshot), reusing(snapshot)
    assert first is second
    assert reusing.deterministic is True
    assert (counts.fits, reusing.fitted, reusing.reused) == (2, 1, 1)


def test_a_trainer_of_chance(snapshot: rt.DatasetSnapshot) -> None:
    """Where two fits answer otherwise, each call of the trainer is done."""
    counts = Counting(drift=0.01)
    reusing = Reusing(counts)
    assert reusing(snapshot) is not reusing(snapshot)
    assert reusing.deterministic is False
    assert (counts.fits, reusing.reused) == (3, 0)


def test_a_trainer_that_fails(snapshot: rt.DatasetSnapshot) -> None:
    """A trainer that raises or returns nothing is asked again the next time."""
    assert Reusing(lambda _: None)(snapshot) is None

    def failing(_: rt.DatasetSnapshot) -> Any:
        raise ValueError("no data")

    with pytest.raises(ValueError, match="no data"):
        Reusing(failing)(snapshot)


FRAMES: dict[str, Any] = {
    "numpy": np.array([[1.0, 2.0], [-3.0, np.nan]]),
    "objects": np.array([[1.0, "a"], [-3.0, None]], dtype=object),
    "pandas": pd.DataFrame({"a": [1.0, -3.0], "b": ["x", None]}),
    "polars": pl.DataFrame({"a": [1.0, -3.0], "b": ["x", None]}),
    "arrow": pa.table({"a": [1.0, -3.0], "b": ["x", None]}),
}


@pytest.mark.parametrize("kind", sorted(FRAMES))
def test_answers_are_remembered(kind: str, snapshot: rt.DatasetSnapshot) -> None:
    """The same rows are answered once, other rows and another model anew, and as by the model."""
    counts = Counting()
    model = Reusing(counts)(snapshot)
    rows, asked = FRAMES[kind], counts.asked
    again = model.predict_proba(rows)
    assert np.array_equal(model.predict_proba(copy.deepcopy(rows)), again)
    assert counts.asked == asked + 1
    assert np.array_equal(again, Counted(counts, 0.9).predict_proba(rows))
    assert len(model.predict_proba(rows[:1])) == 1
    assert counts.asked == asked + 3
    other = Reusing(counts)(snapshot)
    other.predict_proba(rows)
    assert counts.asked > asked + 3
    with pytest.raises(ValueError, match="read-only"):
        again[0] = 0.5
    assert model.classes_ == (0, 1)
    assert not hasattr(model, "coef_")


def test_models_are_kept_in_a_folder(snapshot: rt.DatasetSnapshot, tmp_path: Path) -> None:
    """A later search reads what an earlier one has fitted, and fits anew what is damaged."""
    fits: list[int] = []

    def logistic(data: rt.DatasetSnapshot) -> Any:
        fits.append(len(data))
        return LogisticRegression().fit(data.X, data.y)

    first = Reusing(logistic, tmp_path)(snapshot)
    later = Reusing(logistic, tmp_path)
    found = later(snapshot)
    assert len(fits) == 2
    assert (later.fitted, later.reused, later.deterministic) == (0, 1, True)
    rows = np.array([[0.3, 0.1], [-2.0, 1.0]])
    assert np.array_equal(first.predict_proba(rows), found.predict_proba(rows))
    for path in (tmp_path / "models").glob("*/*"):
        path.write_bytes(b"damaged")
    assert Reusing(logistic, tmp_path)(snapshot) is not None
    assert len(fits) == 4
    for path in (tmp_path / "fits").iterdir():
        path.write_text("{")
    Reusing(logistic, tmp_path)(snapshot)
    assert len(fits) == 6


def test_other_code_is_another_model(snapshot: rt.DatasetSnapshot, tmp_path: Path) -> None:
    """What one trainer has fitted is not taken for the model of another."""

    def one(_: rt.DatasetSnapshot) -> Sign:
        return Sign(0.9)

    def other(_: rt.DatasetSnapshot) -> Sign:
        return Sign(0.1)

    row = np.array([[1.0]])
    assert Reusing(one, tmp_path)(snapshot).predict(row)[0] == 1
    assert Reusing(other, tmp_path)(snapshot).predict(row)[0] == 0


def test_replay_with_reused_fits_is_the_same() -> None:
    """Costs, decisions and versions are those of a replay that does everything itself."""
    told = history()
    plain = rt.replay(loop(), told, retrain_cost=3).rows[0]
    reusing = Reusing(train)
    for _ in range(2):
        found = rt.replay(loop(trainer=reusing), told, retrain_cost=3).rows[0]
        assert found.cost == plain.cost
        assert found.decisions == plain.decisions
        assert found.fits == plain.fits > 0
    assert reusing.fitted == plain.fits + 1
