"""How much columns matter: shares of the variance, and what shuffling does."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression

from ratoon.core.errors import LengthMismatch
from ratoon.drift.importance import explained, permuted, split_by, weights_of
from ratoon.windows.summaries import reference_of


def table(rng: np.random.Generator, rows: int) -> dict[str, Any]:
    """Return columns of both kinds."""
    return {
        "x": rng.normal(size=rows),
        "noise": rng.normal(size=rows),
        "gaps": np.where(rng.random(rows) < 0.3, np.nan, 1.0),
        "colour": rng.choice(list("rgb"), rows).astype(object),
        "id": np.array([f"i{i}" for i in rng.integers(0, 500, rows)], dtype=object),
    }


def test_shares_of_the_variance() -> None:
    """A column's share is what it adds to the variance; of noise it is 0 on average."""
    rng = np.random.default_rng(0)
    one = table(rng, 6000)
    outputs = 2 * one["x"] + np.isnan(one["gaps"]) * 3 + (one["colour"] == "r") * 1.0
    parts = [4.0, 0.0, 9 * 0.21, 2 / 9, 0.0]
    found = weights_of(split_by(reference_of(one), one, outputs))
    true = np.array(parts) / sum(parts)
    assert list(found.values()) == pytest.approx(true.tolist(), abs=0.03)
    assert found["id"] < 0.02, "five hundred bins explain nothing by being many"


def test_share_is_that_of_the_definition() -> None:
    """On one bin a value, the share is the squared correlation ratio, corrected by Kelley."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 5, 300).astype(float)
    y = x % 2 + rng.normal(size=300) + 1e6
    groups = [y[x == value] for value in range(5)]
    within = sum(((group - group.mean()) ** 2).sum() for group in groups)
    eta = 1 - within / ((y - y.mean()) ** 2).sum()
    split = split_by(reference_of({"x": x}), {"x": x}, y)["x"]
    assert explained(split) == pytest.approx(1 - (1 - eta) * 299 / 295, rel=1e-6)


@given(cuts=st.lists(st.integers(0, 200), max_size=4), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_splits_of_parts_merge(cuts: list[int], seed: int) -> None:
    """Splits of parts are the split of the whole, wherever it is cut."""
    rng = np.random.default_rng(seed)
    one = table(rng, 200)
    outputs = np.where(rng.random(200) < 0.1, np.nan, rng.normal(1e3, 1, 200))
    reference = reference_of(one)
    ends = sorted({0, 200, *cuts})
    parts = [
        split_by(reference, {name: c[a:b] for name, c in one.items()}, outputs[a:b])
        for a, b in pairwise(ends)
    ]
    whole = split_by(reference, one, outputs)
    for name, split in whole.items():
        merged = parts[0][name]
        for part in parts[1:]:
            merged = merged.merged(part[name])
        assert merged.counts.tolist() == split.counts.tolist()
        assert merged.means == pytest.approx(split.means, rel=1e-9)
        assert merged.squares == pytest.approx(split.squares, rel=1e-6, abs=1e-8)
        assert explained(merged) == pytest.approx(explained(split), abs=1e-9)


def test_outputs_that_say_nothing() -> None:
    """Constant outputs, no rows, and rows without an output give 0 and no warning."""
    one = {"x": np.arange(10.0)}
    reference = reference_of(one)
    for outputs in (np.ones(10), np.full(10, np.nan)):
        assert weights_of(split_by(reference, one, outputs)) == {"x": 0.0}
    with pytest.raises(LengthMismatch):
        split_by(reference, one, np.ones(3))


def test_shuffling_is_that_of_scikit_learn() -> None:
    """The larger loss after shuffling is scikit-learn's permutation importance, up to chance."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(1500, 3))
    y = X @ np.array([2.0, 1.0, 0.0]) + rng.normal(size=1500)
    model = LinearRegression().fit(X, y)
    peer = permutation_importance(
        model, X, y, scoring="neg_mean_squared_error", n_repeats=5, random_state=0
    ).importances_mean
    columns = {f"x{i}": X[:, i] for i in range(3)}

    def predict(asked: Any) -> np.ndarray:
        return model.predict(np.column_stack([asked[f"x{i}"] for i in range(3)]))

    found = permuted(predict, columns, y)
    assert list(found.values()) == pytest.approx(peer.tolist(), rel=0.15, abs=0.01)
    assert found == permuted(predict, columns, y)
    absolute = permuted(predict, columns, y, loss=lambda a, b: np.abs(a - b), rows=500, seed=3)
    assert absolute["x0"] > absolute["x1"] > 10 * abs(absolute["x2"])


def test_shuffling_sees_columns_that_matter_together() -> None:
    """Two columns that matter only together explain nothing each, and shuffling shows them."""
    rng = np.random.default_rng(4)
    columns = {name: rng.choice([-1.0, 1.0], 4000) for name in "abc"}

    def predict(asked: Any) -> np.ndarray:
        return asked["a"] * asked["b"]

    alone = weights_of(split_by(reference_of(columns), columns, predict(columns)))
    assert max(alone.values()) < 0.01
    together = permuted(predict, columns)
    assert together["c"] == 0
    assert together["a"] == pytest.approx(1, abs=0.1)
