"""Slices: measured alone and crossed, and found where a model is worse, seldom where it is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ratoon import metrics
from ratoon.core.errors import MetricNeedsColumn, SettingInvalid
from ratoon.core.measuring import Window
from ratoon.core.schema import Column, Kind, Schema
from ratoon.core.times import EPOCH
from ratoon.metrics.slices import Condition, Effort, Slice, by_slice, find_slices
from ratoon.metrics.slices.binning import binned
from ratoon.metrics.slices.welch import adjusted, compared
from ratoon.windows.judged import Judged, Scored, Target
from ratoon.windows.rows import Rows

WINDOW = Window(start=EPOCH, end=EPOCH)
Columns = Mapping[str, Any]
KINDS: dict[str, Kind] = {"f": "number", "i": "integer", "M": "time", "b": "boolean"}


def table(generator: np.random.Generator, rows: int) -> dict[str, Any]:
    """Two columns of each kind, with missing values."""
    names = np.array(["A", "B", "C", "D", "E"])
    found: dict[str, Any] = {}
    for i in (1, 2):
        numbers = generator.normal(size=rows)
        numbers[generator.random(rows) < 0.05] = np.nan
        found[f"number{i}"] = numbers
        found[f"count{i}"] = generator.poisson(3, size=rows)
        names_of = generator.choice(names, rows, p=[0.4, 0.25, 0.2, 0.1, 0.05]).astype(object)
        names_of[generator.random(rows) < 0.05] = None
        found[f"name{i}"] = names_of
    found["flag"] = generator.random(rows) < 0.3
    days = generator.integers(0, 700, size=rows).astype("timedelta64[D]")
    found["day"] = (np.datetime64("2024-01-01") + days).astype("datetime64[us]")
    return found


def judged(columns: Columns, wrong: Any) -> Judged:
    schema = Schema(
        columns=tuple(
            Column(name=name, kind=KINDS.get(column.dtype.kind, "category"), nullable=True)
            for name, column in columns.items()
        )
    )
    return Judged(
        target=Target(task="binary", classes=("right", "wrong")),
        labels=np.asarray(wrong, dtype=float),
        scored=Scored(outputs=np.zeros(len(wrong))),
        features=Rows(schema=schema, columns=columns),
    )


def planted(seed: int, rows: int, where: Callable[[Columns], Any] | None) -> Judged:
    """Rows of which 10 % are wrong, and 35 % in a planted slice."""
    generator = np.random.default_rng(seed)
    columns = table(generator, rows)
    rates = np.full(rows, 0.1)
    if where is not None:
        rates[where(columns)] = 0.35
    return judged(columns, generator.random(rows) < rates)


PLANTED: dict[str, tuple[Callable[[Columns], Any], set[str]]] = {
    "a value": (lambda c: c["name1"] == "C", {"name1"}),
    "a range": (lambda c: c["number2"] > 0.8, {"number2"}),
    "a middle range": (lambda c: np.abs(c["number1"]) < 0.35, {"number1"}),
    "missing values": (lambda c: np.isnan(c["number1"]), {"number1"}),
    "a flag": (lambda c: c["flag"], {"flag"}),
    "a time": (lambda c: c["day"] >= np.datetime64("2025-06-01"), {"day"}),
    "a count": (lambda c: c["count2"] >= 5, {"count2"}),
    "a crossing": (lambda c: (c["name1"] == "A") & (c["name2"] == "B"), {"name1", "name2"}),
    "a crossed range": (lambda c: (c["number1"] > 0.3) & c["flag"], {"number1", "flag"}),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_slice_is_found(name: str) -> None:
    """In 10 of 10 tables the first finding is of the planted columns, and covers the slice."""
    where, columns = PLANTED[name]
    for seed in range(10):
        rows = planted(seed, 8000, where)
        first = find_slices(metrics.Accuracy(), rows, WINDOW)[0]
        assert {condition.column for condition in first.slice.conditions} == columns
        truth, found = where(rows.features.columns), first.slice.mask(rows.features)
        assert (truth & found).sum() > 0.4 * (truth | found).sum()
        assert first.adjusted < 0.001
        assert first.n == found.sum()
        assert first.share == pytest.approx(found.mean())
        assert first.measurement.subject == str(first.slice)
        held = found & (np.arange(8000) % 2 == 1)
        assert first.measurement.value == pytest.approx(1 - rows.labels[held].mean())


def test_nothing_is_found_where_nothing_is() -> None:
    """Of 300 tables without any worse slice at most 5 % have a finding, whatever its effect."""
    found = sum(
        bool(find_slices(metrics.Accuracy(), planted(seed, 1000, None), WINDOW, effect=0.0))
        for seed in range(300)
    )
    assert found <= stats.binom.ppf(1 - 1e-4, 300, 0.05)


def test_unneeded_conditions_are_rare() -> None:
    """Of 40 tables with one bad value at most a few findings name another column besides."""
    spurious = 0
    for seed in range(40):
        rows = planted(seed, 4000, lambda c: c["name1"] == "B")
        found = find_slices(metrics.Accuracy(), rows, WINDOW)
        spurious += sum("name1" not in str(f.slice) or len(f.slice.conditions) > 1 for f in found)
    assert spurious <= 8


def test_a_small_effect_is_no_finding() -> None:
    """With many rows a difference that is sure but small is left out by `effect`."""
    generator = np.random.default_rng(5)
    columns = table(generator, 40_000)
    rates = np.where(columns["flag"], 0.14, 0.10)
    rows = judged(columns, generator.random(40_000) < rates)
    assert find_slices(metrics.Accuracy(), rows, WINDOW) == ()
    small = find_slices(metrics.Accuracy(), rows, WINDOW, effect=0.05)
    assert "flag = True" in [str(f.slice) for f in small]


def test_numbers_are_searched_by_their_losses() -> None:
    """A regression is searched by absolute errors, also ones far from 0 and of great size."""
    generator = np.random.default_rng(6)
    columns = table(generator, 4000)
    errors = 1e6 + generator.normal(size=4000) + 1.5 * (columns["name2"] == "C")
    base = judged(columns, np.zeros(4000))
    rows = Judged(
        target=Target(task="regression"),
        labels=errors,
        scored=base.scored,
        features=base.features,
    )
    found = find_slices(metrics.MAE(), rows, WINDOW)
    assert [str(f.slice) for f in found] == ["name2 = C"]
    assert found[0].effect == pytest.approx(1.5, abs=5 * found[0].stderr)
    only = find_slices(metrics.MAE(), rows, WINDOW, columns=["name1", "number1"])
    assert only == ()


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(0, 80), bins=st.integers(2, 9))
@settings(deadline=None, max_examples=40)
def test_conditions_tell_the_rows_of_their_code(seed: int, rows: int, bins: int) -> None:
    """A row has at most one condition of a column, and each condition's mask is its code."""
    columns = table(np.random.default_rng(seed), rows)
    features = judged(columns, np.zeros(rows)).features
    for name in columns:
        part = binned(features, name, bins, 3)
        masks = [condition.mask(features) for condition in part.conditions]
        for code, mask in enumerate(masks):
            assert np.array_equal(mask, part.codes == code)
        if part.ranges > 1:
            joined = part.conditions[0].upto(part.conditions[1])
            assert np.array_equal(joined.mask(features), part.codes < 2)


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 120))
@settings(deadline=None, max_examples=25)
def test_slices_are_measured_by_their_rows(seed: int, rows: int) -> None:
    """Each slice has the measurement of its own rows, and crossings are those that occur."""
    generator = np.random.default_rng(seed)
    columns = table(generator, rows)
    whole = judged(columns, generator.random(rows) < 0.4)
    found = by_slice([metrics.Accuracy()], whole, ["name1", ("name1", "flag")], WINDOW)
    expected = []
    for name in (*"ABCDE", None):
        mask = columns["name1"] == name
        if name is not None and mask.any():
            expected.append((f"name1 = {name}", mask))
    gone = np.array([value is None for value in columns["name1"]])
    expected += [("name1 missing", gone)] if gone.any() else []
    singles = list(expected)
    for (name, mask), flag in product(singles, (False, True)):
        crossed = mask & (columns["flag"] == flag)
        if crossed.any():
            expected.append((f"{name} & flag = {flag}", crossed))
    assert [m.subject for m in found] == [name for name, _ in expected]
    for m, (_, mask) in zip(found, expected, strict=True):
        assert m.n == mask.sum()
        assert m.value == pytest.approx(1 - whole.labels[mask].mean())


def test_slices_have_readable_names() -> None:
    """Values, ranges, times and missing values are written as a person would."""
    conditions = {
        Condition(column="a", value="x"): "a = x",
        Condition(column="a", missing=True): "a missing",
        Condition(column="a", high=2.5): "a < 2.5",
        Condition(column="a", low=2.5): "a >= 2.5",
        Condition(column="a", low=1.0, high=1e9): "a in [1, 1e+09)",
        Condition(column="a", low=0.0, is_time=True): "a >= 1970-01-01T00:00:00.000000",
    }
    for condition, text in conditions.items():
        assert str(condition) == text
    both = Slice(conditions=tuple(conditions)[:2])
    assert str(both) == "a = x & a missing"


def test_what_cannot_be_searched_is_refused() -> None:
    """No features, an unknown column, a metric without row losses and bad settings are named."""
    rows = planted(1, 50, None)
    bare = Judged(target=rows.target, labels=rows.labels, scored=rows.scored)
    accuracy = metrics.Accuracy()
    with pytest.raises(MetricNeedsColumn, match="features"):
        find_slices(accuracy, bare, WINDOW)
    with pytest.raises(MetricNeedsColumn, match="features"):
        by_slice([accuracy], bare, ["name1"], WINDOW)
    with pytest.raises(MetricNeedsColumn, match="'salary'"):
        find_slices(accuracy, rows, WINDOW, columns=["salary"])
    with pytest.raises(SettingInvalid, match="row losses"):
        find_slices(metrics.F1(), rows, WINDOW)
    for settings_of in ({"alpha": 0.0}, {"effect": -1.0}):
        with pytest.raises(SettingInvalid, match=next(iter(settings_of))):
            find_slices(accuracy, rows, WINDOW, **settings_of)
    for effort in ({"depth": 0}, {"bins": 1}, {"least": 1}):
        with pytest.raises(SettingInvalid, match=next(iter(effort))):
            Effort(**effort)
    with pytest.raises(SettingInvalid, match="bins"):
        by_slice([accuracy], rows, ["name1"], WINDOW, bins=1)


def test_a_crossing_of_too_many_slices_is_refused() -> None:
    """More than 1,000 slices of one crossing are no help to anyone."""
    columns = {name: np.arange(1200.0) % 40 + (name == "b") * 0 for name in ("a", "b")}
    columns["b"] = np.arange(1200.0) // 30
    rows = judged(columns, np.zeros(1200))
    with pytest.raises(SettingInvalid, match="slices of a x b"):
        by_slice([metrics.Accuracy()], rows, [("a", "b")], WINDOW, bins=40)


def test_infinite_losses_are_refused() -> None:
    """A loss without a size cannot be compared: the search says so."""
    rows = planted(1, 50, None)
    zero = Judged(
        target=Target(task="regression"),
        labels=np.zeros(50),
        scored=Scored(outputs=np.ones(50)),
        features=rows.features,
    )
    with pytest.raises(SettingInvalid, match="finite"):
        find_slices(metrics.MAPE(), zero, WINDOW)


@given(seed=st.integers(0, 2**32 - 1), inside=st.integers(2, 30), outside=st.integers(2, 30))
@settings(deadline=None, max_examples=40)
def test_welch_is_that_of_scipy(seed: int, inside: int, outside: int) -> None:
    """Effect, p-value and stderr are those of scipy's one-sided test of unequal variances."""
    generator = np.random.default_rng(seed)
    one, two = generator.normal(0.5, 2, inside), generator.normal(0, 1, outside)
    mask = np.repeat([True, False], [inside, outside])
    found = compared(np.concatenate([one, two]), mask)
    oracle = stats.ttest_ind(one, two, equal_var=False, alternative="greater")
    assert found.p_value == pytest.approx(oracle.pvalue, abs=1e-12)
    assert found.effect / found.stderr == pytest.approx(oracle.statistic)


@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_p_values_are_those_of_scipy(p_values: list[float]) -> None:
    """They equal scipy's by Benjamini & Hochberg."""
    expected = stats.false_discovery_control(p_values)
    assert adjusted(np.array(p_values)) == pytest.approx(expected)


def test_a_slice_that_is_always_wrong_is_found() -> None:
    """Where a slice is all wrong and the rest all right no variance is left, and it is found."""
    columns = table(np.random.default_rng(3), 2000)
    found = find_slices(metrics.Accuracy(), judged(columns, columns["flag"]), WINDOW)
    assert [str(f.slice) for f in found] == ["flag = True"]
    assert (found[0].effect, found[0].stderr) == (1.0, 0.0)
    assert found[0].p_value < 1e-100
    few = compared(np.array([0.0, 0.0, 1.0, 1.0]), np.array([False, False, True, True]))
    assert few.p_value == pytest.approx(1 / 6)


def test_equal_losses_prove_nothing() -> None:
    """Slices of a single row, and losses that are all alike, have a p-value of 1."""
    assert compared(np.array([1.0, 2.0, 3.0]), np.array([True, False, False])).p_value == 1.0
    assert compared(np.ones(4), np.array([True, True, False, False])).p_value == 1.0
