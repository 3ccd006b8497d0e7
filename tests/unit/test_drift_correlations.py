"""Correlations of columns: scipy's, mergeable, and their changes named."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Window
from ratoon.core.times import EPOCH
from ratoon.drift.multivariate import Correlations, products_of
from ratoon.drift.multivariate.products import correlations
from ratoon.windows.summaries import reference_of

WINDOW = Window(start=EPOCH, end=EPOCH)
Table = dict[str, Any]


def table(rng: np.random.Generator, rows: int, sign: float = 1.0) -> Table:
    """Return columns of which `y` and `z` go with `x`, or `y` against it, and look the same."""
    x = rng.normal(size=rows)
    noise = rng.normal(size=(2, rows)) / 3
    return {
        "x": x,
        "y": sign * x + noise[0],
        "z": np.where(rng.random(rows) < 0.1, np.nan, x + noise[1]),
        "heavy": rng.standard_t(2, rows) * np.exp(rng.normal(size=rows)),
        "colour": rng.choice(list("rgb"), rows).astype(object),
    }


@pytest.mark.parametrize("kind", ["spearman", "pearson"])
def test_correlations_are_scipys(kind: str) -> None:
    """Of the reference's own rows the correlations are scipy's, pair by pair without gaps."""
    rng = np.random.default_rng(17)
    one = table(rng, 900)
    reference = reference_of(one)
    found = correlations(products_of(reference, one, kind))  # type: ignore[arg-type]
    names = ["x", "y", "z", "heavy"]
    for i, left in enumerate(names):
        for j, right in enumerate(names):
            both = ~np.isnan(one[left]) & ~np.isnan(one[right])
            peer = getattr(scipy.stats, f"{kind}r")(one[left][both], one[right][both]).statistic
            assert found.values[i, j] == pytest.approx(peer, abs=0.003 if both.all() else 0.01)
            assert found.rows[i, j] == both.sum()


def test_standard_errors_of_correlations() -> None:
    """The standard error is the spread over samples, of columns that are not normal either."""
    rng = np.random.default_rng(18)

    def sample(rows: int) -> Table:
        x = rng.normal(size=rows)
        return {"x": x, "y": x * rng.normal(size=rows), "z": np.exp(x) + rng.exponential(size=rows)}

    reference = reference_of(sample(20_000))
    found = [correlations(products_of(reference, sample(300))) for _ in range(300)]
    spread = np.std([one.values for one in found], axis=0)
    said = np.mean([one.stderrs for one in found], axis=0)
    off = ~np.eye(3, dtype=bool)
    assert said[off] == pytest.approx(spread[off], rel=0.15)
    assert said[0, 1] > 1.2 / np.sqrt(300), "more than of independent columns"


@given(
    cuts=st.lists(st.integers(0, 300), max_size=4),
    seed=st.integers(0, 1000),
    kind=st.sampled_from(["spearman", "pearson"]),
)
@settings(max_examples=30, deadline=None)
def test_products_of_parts_add_up(cuts: list[int], seed: int, kind: Any) -> None:
    """The sums of parts are those of the whole, wherever it is cut."""
    one = table(np.random.default_rng(seed), 300)
    reference = reference_of(one, bins=30)
    ends = [0, *sorted(cuts), 300]
    parts = [
        products_of(reference, {name: column[start:stop] for name, column in one.items()}, kind)
        for start, stop in pairwise(ends)
    ]
    total = parts[0]
    for part in parts[1:]:
        total = total.merged(part)
    assert total.sums == pytest.approx(products_of(reference, one, kind).sums, rel=1e-9, abs=1e-9)


def test_one_extreme_value_moves_no_correlation() -> None:
    """One row far out moves neither kind of correlation by much."""
    rng = np.random.default_rng(19)
    one = table(rng, 2000)
    reference = reference_of(one)
    far = {name: column.copy() for name, column in one.items()}
    far["x"][0], far["y"][0] = 1e9, -1e9
    for kind in ("spearman", "pearson"):
        sums = [products_of(reference, t, kind) for t in (one, far)]  # type: ignore[arg-type]
        before, after = (correlations(side).values for side in sums)
        assert after == pytest.approx(before, abs=0.02, nan_ok=True)


def test_pairs_that_cannot_be_judged() -> None:
    """Pairs without enough rows in common, and columns that do not vary, are left out."""
    rng = np.random.default_rng(20)
    x = rng.normal(size=100)
    one = {
        "x": x,
        "constant": np.ones(100),
        "odd": np.where(np.arange(100) < 10, x, np.nan),
        "same": x,
        "text": np.array(["a"] * 100, dtype=object),
    }
    reference = reference_of(one)
    sums = products_of(reference, one)
    found = Correlations().compare(sums, sums, WINDOW)
    assert [pair.columns for pair in found] == [("x", "same")]
    assert not found[0].drifted
    assert found[0].change.p_value == 1.0
    with pytest.raises(SettingInvalid):
        products_of(reference_of({f"x{i}": x for i in range(201)}), {})


def test_stationary_correlations() -> None:
    """Pairs of dependent and heavy-tailed columns raise no more alarms than stated."""
    rng = np.random.default_rng(2)
    runs, alarms = 150, 0
    for _ in range(runs):
        tables = [table(rng, rows) for rows in (600, 200)]
        for one in tables:
            one["w"] = one["x"] * rng.standard_t(3, len(one["x"]))
        reference = reference_of(tables[0])
        sums = [products_of(reference, one) for one in tables]
        found = Correlations(effect=1e-9, false_alarms=0.05).compare(*sums, WINDOW)
        alarms += any(pair.drifted for pair in found)
    assert alarms <= scipy.stats.binom(runs, 0.05).ppf(1 - 1e-4)


def test_pairs_are_named() -> None:
    """Of all pairs those are named whose correlation has changed, and by how much."""
    rng = np.random.default_rng(4)
    before, now = table(rng, 2000), table(rng, 1000, sign=-1.0)
    reference = reference_of(before)
    sums = [products_of(reference, one) for one in (before, now)]
    found = Correlations().compare(*sums, WINDOW)
    assert {pair.columns for pair in found if pair.drifted} == {("x", "y"), ("y", "z")}
    change = found[0].change
    assert change.column == "x, y"
    assert change.before == pytest.approx(0.94, abs=0.02)
    assert change.measurement.value == pytest.approx(-0.94, abs=0.02)
    assert change.effect == pytest.approx(change.before - change.measurement.value)


def test_a_column_that_stands_still() -> None:
    """A window in which a column has one value has no correlation with it, however sums round."""
    rng = np.random.default_rng(5)
    step = np.repeat([92.9, 93.9], 1000)
    before = {"x": step, "y": 2 * step, "z": rng.normal(size=2000)}
    still = {"x": np.full(951, 93.9), "y": np.full(951, 187.8), "z": rng.normal(size=951)}
    reference = reference_of(before)
    for kind in ("spearman", "pearson"):
        sums = [products_of(reference, one, kind) for one in (before, still)]
        assert Correlations().compare(*sums, WINDOW) == ()
