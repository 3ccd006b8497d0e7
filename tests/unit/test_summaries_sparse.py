"""The counts of an open window, and a reference of few bins: as summaries have them, and JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratoon.core import wire
from ratoon.core.measuring import Window
from ratoon.core.times import EPOCH
from ratoon.drift import ColumnTest
from ratoon.windows.summaries import Reference, reference_of
from ratoon.windows.summaries.sparse import SparseColumn, sparse
from ratoon.windows.summaries.stored import FEW_BINS, StoredReference, few_bins, stored

WINDOW = Window(start=EPOCH, end=EPOCH)
NUMBERS = st.one_of(
    st.sampled_from([0.0, 1.0, 2.5, np.nan, np.inf, -np.inf]),
    st.floats(allow_nan=True, width=64),
)
TEXTS = st.sampled_from(["a", "b", "c", "new", None])


def mixed(rng: np.random.Generator, rows: int, move: float = 0.0) -> dict[str, Any]:
    """Columns of every kind; `x` may have moved."""
    gaps = np.where(rng.random(rows) < 0.1, np.nan, rng.lognormal(size=rows))
    start = np.datetime64("2026-01-01", "us")
    return {
        "x": rng.normal(move, size=rows),
        "gaps": gaps,
        "count": rng.poisson(3, rows),
        "flag": rng.random(rows) < 0.3,
        "when": start + rng.integers(0, 10**9, rows).astype("m8[us]"),
        "text": np.array([f"c{v}" for v in np.minimum(rng.zipf(1.5, rows), 60)], dtype=object),
    }


def opened(reference: Reference, parts: list[dict[str, Any]]) -> dict[str, SparseColumn]:
    """Count batches one behind the other."""
    found = dict.fromkeys(reference.grids, SparseColumn())
    for part in parts:
        found = {
            name: column.counted(reference.grids[name], part[name])
            for name, column in found.items()
        }
    return found


@pytest.mark.parametrize("size", [1, 7, 16, 17, 500])
def test_counts_are_those_of_the_summary(size: int) -> None:
    """However a window is cut, its bins have the rows that a summary of it has."""
    rng = np.random.default_rng(1)
    reference, now = few_bins(mixed(rng, 3000)), mixed(rng, 500, move=1.0)
    parts = [{n: c[i : i + size] for n, c in now.items()} for i in range(0, 500, size)]
    whole = reference.summarise(now)
    for name, column in opened(reference, parts).items():
        dense = column.dense(reference.grids[name])
        assert dense.counts.tolist() == whole.columns[name].counts.tolist()
        assert dense.outside == whole.columns[name].outside
        assert column == sparse(whole.columns[name])
        assert column.rows == 500
        assert column.fits(reference.grids[name])


@given(
    before=st.lists(NUMBERS, min_size=1, max_size=60),
    now=st.lists(NUMBERS, min_size=1, max_size=60),
    cut=st.integers(0, 60),
)
@settings(max_examples=60)
def test_numbers_of_parts_add_up(before: list[float], now: list[float], cut: int) -> None:
    """Any numbers, in two parts of any size, are counted as all at once, and as the summary."""
    reference = few_bins({"x": np.array(before)})
    values = np.array(now)
    parts = [part for part in (values[:cut], values[cut:]) if len(part)]
    found = opened(reference, [{"x": part} for part in parts])["x"]
    assert found == opened(reference, [{"x": values}])["x"]
    assert found == sparse(reference.summarise({"x": values}).columns["x"])


@given(before=st.lists(TEXTS, min_size=1, max_size=40), now=st.lists(TEXTS, min_size=1))
@settings(max_examples=60)
def test_texts_of_parts_add_up(before: list[Any], now: list[Any]) -> None:
    """Known, new and missing categories are counted one by one as all at once."""
    reference = few_bins({"x": np.array(before, dtype=object)})
    column = np.array(now, dtype=object)
    single = opened(reference, [{"x": column[i : i + 1]} for i in range(len(now))])["x"]
    assert single == sparse(reference.summarise({"x": column}).columns["x"])


def test_a_reference_and_a_window_are_json() -> None:
    """A reference that is written and read counts and compares as before; so does a window."""
    rng = np.random.default_rng(2)
    columns = mixed(rng, 2000)
    columns["nothing"] = np.full(2000, np.nan)
    columns["lost"] = np.full(2000, None, dtype=object)
    reference = few_bins(columns)
    text = wire.dumps(stored(reference))
    back: StoredReference = wire.loads(StoredReference, text)
    assert back == stored(reference)
    now = mixed(rng, 300, move=0.5) | {n: columns[n][:300] for n in ("nothing", "lost")}
    again, summary = back.opened(), reference.summarise(now)
    assert ColumnTest().compare(again, summary, WINDOW) == ColumnTest().compare(
        reference, summary, WINDOW
    )
    window = tuple(opened(reference, [now]).values())
    assert wire.loads(tuple[SparseColumn, ...], wire.dumps(window)) == window


def test_counts_on_other_bins_are_known_as_such() -> None:
    """A window that has rows beyond the last bin of a grid was not counted on it."""
    wide, narrow = few_bins({"x": np.arange(50.0)}), few_bins({"x": np.array([1.0, 2.0])})
    assert narrow.grids["x"] != wide.grids["x"]
    assert not SparseColumn().counted(wide.grids["x"], np.array([49.0])).fits(narrow.grids["x"])
    assert SparseColumn().fits(narrow.grids["x"])


def test_few_bins_say_what_a_thousand_say() -> None:
    """The same columns drift on forty bins as on a thousand, at distances within 0.02."""
    rng = np.random.default_rng(3)
    for move in (0.0, 0.1, 0.5, 1.0):
        before, now = mixed(rng, 4000), mixed(rng, 500, move)
        few, many = few_bins(before), reference_of(before)
        for name in ("jensen_shannon", "hellinger", "psi", "cramer_von_mises"):
            test = ColumnTest(distance=name)
            sides = [test.compare(r, r.summarise(now), WINDOW) for r in (few, many)]
            drifted = [{(c.column, c.aspect) for c in side if c.drifted} for side in sides]
            assert drifted[0] == drifted[1]
            values = [{(c.column, c.aspect): c.measurement.value for c in side} for side in sides]
            assert values[0] == pytest.approx(values[1], abs=0.02)


def test_an_ordered_distance_is_less_by_a_bin_at_most() -> None:
    """Kolmogorov and Smirnov's distance on forty bins is a fortieth too small at most."""
    rng = np.random.default_rng(4)
    test = ColumnTest(distance="kolmogorov_smirnov")
    for move in (0.0, 0.3, 1.0):
        before, now = {"x": rng.normal(size=4000)}, {"x": rng.normal(move, size=500)}
        few, many = [
            test.compare(r, r.summarise(now), WINDOW)[-1].measurement.value or 0.0
            for r in (few_bins(before), reference_of(before))
        ]
        assert many - 1.2 / FEW_BINS < few < many + 0.002
