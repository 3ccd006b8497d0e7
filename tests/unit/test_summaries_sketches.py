"""Sketches: right up to the stated error, mergeable, and the same after a restart."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratoon.core.errors import SettingInvalid
from ratoon.core.wire import dumps, from_json, loads, to_json
from ratoon.windows.summaries.profiles import Profile
from ratoon.windows.summaries.sketches import Distinct, Quantiles

SHARES = np.linspace(0.01, 0.99, 50)
SLACK = 1.5  # times the stated error; of 500 sketches the worst had 0.73 of it


def worst(sketch: Quantiles, values: np.ndarray) -> float:
    """Return the largest error of a rank."""
    ordered = np.sort(values)
    asked = [sketch.quantile(float(share)) for share in SHARES]
    below = np.searchsorted(ordered, asked, side="left") / len(values)
    upto = np.searchsorted(ordered, asked, side="right") / len(values)
    return float(np.maximum(np.maximum(below - SHARES, SHARES - upto), 0.0).max())


def split(values: np.ndarray, cuts: list[int]) -> list[np.ndarray]:
    """Cut an array at some places."""
    return [values[a:b] for a, b in pairwise([0, *sorted(cuts), len(values)])]


@given(
    seed=st.integers(0, 10_000),
    cuts=st.lists(st.integers(0, 5000), max_size=5),
    shape=st.sampled_from(["normal", "few", "heavy"]),
)
@settings(max_examples=25, deadline=None)
def test_quantiles_of_parts(seed: int, cuts: list[int], shape: str) -> None:
    """Merged sketches of parts are right up to the stated error, wherever the rows are cut."""
    rng = np.random.default_rng(seed)
    values = {
        "normal": rng.normal(size=5000),
        "few": rng.integers(0, 5, 5000).astype(float),
        "heavy": rng.standard_cauchy(5000),
    }[shape]
    sketch = Quantiles()
    for part in split(values, cuts):
        sketch = sketch.merged(Quantiles().updated(part))
    assert sketch.rows == 5000
    assert worst(sketch, values) <= SLACK * sketch.error
    assert worst(Quantiles().updated(values), values) <= SLACK * sketch.error
    assert sketch.quantile(0.0) == values.min()
    assert sketch.quantile(1.0) == values.max()


def test_stated_error_of_quantiles() -> None:
    """Of many sketches nearly all keep to the stated error, at every rank."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=20_000)
    kept = [worst(Quantiles().updated(values), values) <= Quantiles().error for _ in range(40)]
    assert sum(kept) >= 34
    assert Quantiles(items=2000).error < Quantiles().error / 8


@given(
    values=st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=150),
    cuts=st.lists(st.integers(0, 150), max_size=3),
)
@settings(max_examples=60, deadline=None)
def test_few_values_are_exact(values: list[float], cuts: list[int]) -> None:
    """Up to as many values as are kept the quantiles are those of the values themselves."""
    array = np.array(values, dtype=float)
    sketch = Quantiles()
    for part in split(array, [min(cut, len(array)) for cut in cuts]):
        sketch = sketch.updated(part)
    present = array[~np.isnan(array)]
    assert sketch.rows == len(present)
    if not len(present):
        assert sketch.quantile(0.5) is None
        assert sketch.share_up_to(0.0) is None
        return
    for share in (0.1, 0.5, 0.9):
        exact = np.quantile(np.sort(present), share, method="inverted_cdf")
        assert sketch.quantile(share) == exact
    assert sketch.share_up_to(0.0) == (present <= 0).mean()


def test_arrays_that_may_not_be_written() -> None:
    """Arrays that are read-only, of other numbers, or of every second row are taken."""
    values = np.arange(100)
    values.flags.writeable = False
    assert Quantiles().updated(values).quantile(0.5) == 49  # type: ignore[arg-type]
    assert Quantiles().updated(values[::2]).rows == 50  # type: ignore[arg-type]
    assert Distinct().updated(values).count == pytest.approx(100, rel=0.1)


@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(0, 4000), max_size=5))
@settings(max_examples=25, deadline=None)
def test_distinct_of_parts(seed: int, cuts: list[int]) -> None:
    """Merged sketches of parts count distinct values up to the stated error, in any order."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 3000, 4000).astype(float)
    parts = [Distinct().updated(part) for part in split(values, cuts)]
    found, back = Distinct(), Distinct()
    for part in parts:
        found = found.merged(part)
    for part in reversed(parts):
        back = back.merged(part)
    true = len(np.unique(values))
    assert abs(found.count - true) <= 5 * 0.0153 * true
    assert found.count == back.count
    low, high = found.between
    assert low <= found.count <= high
    assert (high - low) / found.count == pytest.approx(4 * 0.0153, rel=0.5)


@pytest.mark.parametrize("places", [8, 11])
def test_stated_error_of_distinct(places: int) -> None:
    """Of two hundred counts most lie between their bounds, and none far out."""
    rng = np.random.default_rng(places)
    inside, errors = 0, []
    for _ in range(60):
        found = Distinct(log_places=places).updated(rng.random(2000))
        low, high = found.between
        inside += low <= 2000 <= high
        errors.append(found.count / 2000 - 1)
    assert inside >= 50
    assert np.std(errors) <= 1.3 * 0.6931 / np.sqrt(2**places)


def test_distinct_texts() -> None:
    """Texts count alike whatever holds them, missing ones do not, and numbers are one kind."""
    texts = np.array(["a", "b", None, "a", "c"], dtype=object)
    for column in (texts, pa.array(texts), pa.array(texts).dictionary_encode()):
        assert round(Distinct().updated(column).count) == 3
    both = Distinct().updated(np.array([True, False])).updated(np.array([0, 1, 2]))
    assert round(both.count) == 3
    assert Distinct().count == 0
    assert round(Distinct(log_places=8).updated(texts).merged(Distinct()).count) == 3


@given(seed=st.integers(0, 1000), rows=st.integers(0, 3000))
@settings(max_examples=25, deadline=None)
def test_restart_changes_nothing(seed: int, rows: int) -> None:
    """A profile read from its JSON answers as before, and counts on as if it had not stopped."""
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(rows) < 0.1, np.nan, rng.integers(0, 2000, rows))
    profile = Profile().updated(values)
    again = loads(Profile, dumps(profile))
    assert again == profile
    assert from_json(Profile, json.loads(json.dumps(to_json(profile)))) == profile
    more = rng.normal(size=100)
    on, off = profile.updated(more), again.updated(more)
    assert on.distinct == off.distinct
    assert on.moments == off.moments
    assert (on.rows, on.missing) == (off.rows, off.missing) == (rows + 100, np.isnan(values).sum())


def test_profiles_merge() -> None:
    """A profile of parts is that of the whole: rows, moments, texts, distinct values."""
    rng = np.random.default_rng(3)
    values = np.where(rng.random(4000) < 0.2, np.nan, rng.lognormal(size=4000))
    whole = Profile().updated(values)
    merged = Profile().updated(values[:1500]).merged(Profile().updated(values[1500:]))
    assert (merged.rows, merged.missing) == (whole.rows, whole.missing)
    assert merged.moments.mean == pytest.approx(np.nanmean(values))
    assert merged.moments.deviation == pytest.approx(np.nanstd(values, ddof=1))
    assert merged.distinct.count == pytest.approx(whole.distinct.count, rel=0.1)
    texts = np.array(["a", "b", None, "a"], dtype=object)
    both = Profile().updated(texts).merged(Profile().updated(texts[2:]))
    assert (both.rows, both.missing) == (6, 2)
    assert both.common == (("a", 3), ("b", 1))
    assert len(dumps(whole)) < 20_000


def test_bins_from_a_sketch() -> None:
    """Bins of a merged sketch have about equal shares, and the reference's least and greatest."""
    rng = np.random.default_rng(4)
    values = rng.lognormal(size=50_000)
    sketch = Quantiles(items=1000)
    for part in split(values, [10_000, 30_000]):
        sketch = sketch.merged(Quantiles(items=1000).updated(part))
    grid = sketch.grid(50)
    counts = grid.count(values).counts
    assert len(grid) == 50
    assert np.abs(counts[:-1] / 50_000 - 1 / 50).max() <= SLACK * 2 * sketch.error + 2 / 4096
    assert (grid.least, grid.greatest) == (values.min(), values.max())
    assert grid.count(np.array([1e9])).outside == 1
    few = Quantiles().updated(np.repeat([1.0, 2.0, 7.0], 1000)).grid()
    assert few.count(np.array([1.0, 2.0, 7.0, np.nan])).counts.tolist() == [1, 1, 1, 1]
    assert len(Quantiles().grid()) == 1


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (Quantiles, {"items": 7}),
        (Quantiles, {"items": 65_536}),
        (Distinct, {"log_places": 3}),
        (Distinct, {"log_places": 27}),
    ],
)
def test_settings(kind: type, wrong: dict[str, int]) -> None:
    """Sizes that the library does not have are refused when they are made."""
    with pytest.raises(SettingInvalid):
        kind(**wrong)
