"""Summaries count what is there, on frozen bins, and merge."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ratoon.windows.summaries import CategoryGrid, NumberGrid, merged, reference_of
from ratoon.windows.summaries.grids import number_grid
from ratoon.windows.summaries.moments import merged_moments, moments_of
from ratoon.windows.summaries.texts import count_categories

SHAPES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "log-normal": lambda rng, n: rng.lognormal(0, 1, n),
    "heavy": lambda rng, n: rng.standard_t(2, n),
    "counts": lambda rng, n: rng.poisson(100, n).astype(float),
    "many zeros": lambda rng, n: np.where(rng.random(n) < 0.6, 0.0, rng.lognormal(0, 2, n)),
    "far from zero": lambda rng, n: 1e15 + rng.integers(0, 5, n),
    "tiny": lambda rng, n: rng.normal(size=n) * 1e-300,
    "two heaps": lambda rng, n: np.concatenate([rng.normal(size=n), 1e6 + rng.normal(size=n)]),
    "constant": lambda _, n: np.ones(n),
}
ANY = st.floats(allow_nan=True, allow_infinity=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_bins_of_numbers(shape: str) -> None:
    """Bins have about equal shares where values allow it, and count as a search by edges does."""
    values = SHAPES[shape](np.random.default_rng(0), 50_000)
    grid = number_grid(values)
    found = grid.count(values)
    naive = np.bincount(np.searchsorted(grid.edges, values), minlength=len(grid))
    assert np.abs(found.counts[:-1] - naive).sum() <= 2, "an edge is rounded, a cell is not"
    assert found.counts.sum() == len(values)
    _, times = np.unique(values, return_counts=True)
    assert found.counts.max() <= times.max() + 4 * len(values) / 1000


@pytest.mark.parametrize("shape", ["normal", "log-normal", "heavy", "counts"])
def test_common_shapes_are_counted_by_cells(shape: str) -> None:
    """What columns mostly look like needs no search for each value."""
    assert number_grid(SHAPES[shape](np.random.default_rng(1), 50_000)).cells is not None


@given(
    reference=hnp.arrays(np.float64, st.integers(0, 100), elements=ANY),
    window=hnp.arrays(np.float64, st.integers(0, 100), elements=ANY),
    bins=st.integers(2, 50),
    cut=st.integers(0, 100),
)
@settings(max_examples=150)
def test_any_numbers(reference: np.ndarray, window: np.ndarray, bins: int, cut: int) -> None:
    """Whatever the numbers: each row is counted once, and parts add up to the whole."""
    reference_ = reference_of({"x": reference}, bins=bins)
    whole = reference_.summarise({"x": window})
    parts = [reference_.summarise({"x": part}) for part in (window[:cut], window[cut:])]
    both = merged(*parts).columns["x"]
    found = whole.columns["x"]
    assert found.rows == len(window)
    assert found.missing == int(np.isnan(window).sum())
    assert both.counts.tolist() == found.counts.tolist()
    assert both.outside == found.outside
    own = reference_.summary.columns["x"]
    assert own.outside == int(np.isinf(reference).sum() if np.isfinite(reference).any() else 0)


@given(
    values=hnp.arrays(np.float64, st.integers(0, 200), elements=st.floats(-1e6, 1e6)),
    cut=st.integers(0, 200),
)
def test_moments_merge(values: np.ndarray, cut: int) -> None:
    """Moments of parts, merged, are numpy's moments of the whole."""
    both = merged_moments(moments_of(values[:cut]), moments_of(values[cut:]))
    assert both.n == len(values)
    if len(values) > 1:
        assert both.mean == pytest.approx(values.mean(), abs=1e-6, rel=1e-9)
        assert both.deviation == pytest.approx(values.std(ddof=1), abs=1e-5, rel=1e-6)
        assert (both.least, both.greatest) == (values.min(), values.max())


def test_moments_of_huge_numbers() -> None:
    """Numbers whose sum is infinite do not make the moments so."""
    found = moments_of(np.array([1e308, 1e308, np.inf, -np.inf, 3.0]))
    assert found.n == 3
    assert np.isfinite([found.mean, found.squares]).all()


@pytest.mark.parametrize("form", ["objects", "arrow", "chunks", "dictionary", "large"])
def test_categories_in_any_form(form: str) -> None:
    """Texts are counted alike, whatever array holds them."""
    texts = np.array(["b", None, "a", "b", "new", "new"], dtype=object)
    arrow = pa.array(texts, pa.string())
    columns = {
        "objects": texts,
        "arrow": arrow,
        "chunks": pa.chunked_array([arrow[:2], arrow[2:]]),
        "dictionary": arrow.dictionary_encode(),
        "large": arrow.cast(pa.large_string()),
    }
    found = count_categories(CategoryGrid(categories=("a", "b"), whole=True), columns[form])
    assert found.counts.tolist() == [1, 2, 2, 1]
    assert found.others == (("new", 2),)


def test_reference_does_not_depend_on_order() -> None:
    """The same rows in another order give the same bins."""
    rng = np.random.default_rng(2)
    table = {"x": rng.normal(size=2000), "c": rng.choice(list("abcdef"), 2000).astype(object)}
    order = rng.permutation(2000)
    left, right = reference_of(table), reference_of({k: v[order] for k, v in table.items()})
    assert left.grids == right.grids


def test_times_and_truths_are_numbers() -> None:
    """Moments and truths are counted as numbers, and a missing moment as missing."""
    times = np.array(["2026-01-01", "2026-01-02", "NaT"], dtype="M8[us]")
    found = reference_of({"t": times, "b": np.array([True, False, True])}).summary
    assert found.columns["t"].counts.tolist() == [1, 1, 1]
    assert found.columns["b"].counts.tolist() == [1, 2, 0]


def test_few_distinct_values_have_a_bin_each() -> None:
    """Where values are few, bins are exact, so a distance on them is that of the values."""
    grid = number_grid(np.array([0.0, 1.0, 1.0, 7.0, 7.5]))
    assert isinstance(grid, NumberGrid)
    assert grid.count(np.array([0.0, 1.0, 7.0, 7.5])).counts.tolist() == [1, 1, 1, 1, 0]
