from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from ratoon.core import wire
from ratoon.core.measuring import Window
from ratoon.core.times import EPOCH
from ratoon.metrics.shift import (
    InputReference,
    Shift,
    add,
    discoveries,
    shifts,
    summarise,
    tally,
)
from ratoon.windows.intake import read_rows

WINDOW = Window(start=EPOCH, end=EPOCH + timedelta(hours=1))


def shift_of(before: Sequence[Any], now: Sequence[Any]) -> Shift:
    """How far one column has moved."""
    reference = summarise(read_rows({"x": before}))
    schema = read_rows({"x": [*before, *now]}).schema
    return shifts(reference, tally(reference, read_rows({"x": now}, schema)), WINDOW)[0]


def counted(before: Sequence[int], now: Sequence[int]) -> tuple[list[str], list[str]]:
    """Columns of texts with so many of each category, the commonest first."""
    names = [f"c{i}" for i in range(len(before))]
    made = [[n for n, k in zip(names, c, strict=True) for _ in range(k)] for c in (before, now)]
    return made[0], made[1]


TABLES = [
    ((50, 30, 20), (20, 30, 50)),
    ((500, 300, 200), (51, 29, 20)),
    ((40, 40, 20), (0, 0, 7)),
    ((90, 10), (10, 90)),
    ((1000, 5), (5, 1000)),
]


@pytest.mark.parametrize(("before", "now"), TABLES)
def test_distance_and_p_value_are_scipys(before: tuple[int, ...], now: tuple[int, ...]) -> None:
    """The Jensen-Shannon distance in base 2 and the chi-squared test of the same counts."""
    shift = shift_of(*counted(before, now))
    assert shift.distance.value == pytest.approx(jensenshannon(before, now, base=2))
    expected = stats.chi2_contingency([before, now], correction=False).pvalue
    assert shift.p_value == pytest.approx(expected, rel=1e-9, abs=1e-300)
    measured = shift.distance
    assert (measured.n, measured.subject, measured.window) == (sum(now), "x", WINDOW)


def test_counts_are_those_of_the_quantile_bins() -> None:
    """A numeric column's distance is scipy's on counts of ten bins at the reference's deciles."""
    rng = np.random.default_rng(1)
    before, now = rng.normal(size=1000), rng.normal(0.4, 1.3, size=300)
    edges = np.sort(before)[99:900:100]  # the 100th, 200th, … of 1,000
    bins = [np.bincount(np.searchsorted(edges, part), minlength=10) for part in (before, now)]
    assert bins[0].tolist() == [100] * 10
    reference = summarise(read_rows({"x": before}))
    counts = tally(reference, read_rows({"x": now}))
    assert reference.features[0].counts == (*bins[0].tolist(), 0)
    assert counts[0] == (*bins[1].tolist(), 0)
    found = shifts(reference, counts, WINDOW)[0]
    assert found.distance.value == pytest.approx(jensenshannon(*bins, base=2))
    assert found.p_value == pytest.approx(stats.chi2_contingency(bins, correction=False).pvalue)


def test_equal_counts_have_no_distance_and_disjoint_ones_all() -> None:
    """Distance 0 and p 1 where nothing moved; distance 1 where nothing is where it was."""
    same = shift_of(*counted((50, 30), (100, 60)))
    assert (same.distance.value, same.p_value) == (pytest.approx(0.0, abs=1e-7), pytest.approx(1.0))
    apart = shift_of(["a"] * 50, ["b"] * 50)
    assert apart.distance.value == pytest.approx(1.0)
    assert apart.p_value < 1e-20
    alone = shift_of([7.0] * 50, [7.0] * 20)
    assert (alone.distance.value, alone.p_value) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ([0.0] * 50, [-1.0] * 20),
        ([0.0] * 50, [1.0] * 20),
        ([0] * 90 + [1] * 10, [-3] * 20),
        ([1, 2, 3] * 20, [0] * 20),
        ([1, 2, 3] * 20, [4] * 20),
        ([True] * 50, [False] * 20),
    ],
    ids=str,
)
def test_values_never_seen_before_are_seen(before: list[Any], now: list[Any]) -> None:
    """A column of few values that takes others, above or below them, has moved all the way."""
    shift = shift_of(before, now)
    assert shift.distance.value == pytest.approx(1.0)
    assert shift.p_value < 1e-9


def test_missing_values_are_drift_too() -> None:
    """A share of missing values that rises from 15 to 30 % is seen, in numbers and in texts."""
    rng = np.random.default_rng(2)

    def gone(share: float, rows: int) -> np.ndarray:
        return rng.random(rows) < share

    numbers = [
        np.where(gone(p, n), np.nan, rng.normal(size=n)) for p, n in ((0.15, 2000), (0.3, 500))
    ]
    texts = [
        [None if lost else "abc"[rng.integers(3)] for lost in gone(p, n)]
        for p, n in ((0.15, 2000), (0.3, 500))
    ]
    for before, now in (numbers, texts):
        found = shift_of(list(before), list(now))
        assert found.p_value < 1e-6
        assert found.distance.value == pytest.approx(0.13, abs=0.04)
        still = shift_of(list(before), list(before[:500]))
        assert still.p_value > 0.001


def test_one_extreme_value_blinds_nobody() -> None:
    """A reference or a window with one value of 1e300 still shows a shift of the others."""
    rng = np.random.default_rng(3)
    before, now = rng.normal(size=1000), rng.normal(1.0, 1.0, size=300)
    plain = shift_of(list(before), list(now))
    for wild in (1e300, -1e300, 1.7e308, -1.7e308):
        reference_hit = shift_of([*before, wild], list(now))
        window_hit = shift_of(list(before), [*now, wild])
        assert plain.distance.value is not None
        assert reference_hit.distance.value == pytest.approx(plain.distance.value, abs=0.02)
        assert window_hit.distance.value == pytest.approx(plain.distance.value, abs=0.02)
        assert max(reference_hit.p_value, window_hit.p_value) < 1e-20


def test_rare_categories_stand_together() -> None:
    """Of many categories the 30 commonest of at least 5 rows are kept, the others as one."""
    before = [f"c{i:02}" for i in range(40) for _ in range(45 - i)]
    reference = summarise(read_rows({"x": before}))
    feature = reference.features[0]
    assert feature.categories == tuple(f"c{i:02}" for i in range(30))
    assert feature.counts == (*(45 - i for i in range(30)), sum(range(6, 16)), 0)
    few = summarise(read_rows({"x": ["a"] * 5 + ["b"] * 4 + ["c"]})).features[0]
    assert (few.categories, few.counts) == (("a",), (5, 5, 0))
    assert tally(reference, read_rows({"x": ["c00", "c39", "new", None]}))[0][-2:] == (2, 1)


def test_moments_move_as_numbers_do() -> None:
    """A column of moments has deciles too; a window that is all later has moved."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    before = [start + timedelta(hours=i) for i in range(100)]
    after = [start + timedelta(hours=i) for i in range(100, 150)]
    assert shift_of(before, [*before[::2], None]).distance.value == pytest.approx(0.1, abs=0.05)
    assert shift_of(before, after).p_value < 1e-15


def test_features_stand_in_the_order_of_the_schema() -> None:
    """Each feature of the reference has its shift, in order, and its tally starts from nothing."""
    rows = read_rows({"b": [1.0, 2.0] * 10, "a": ["x", "y"] * 10})
    reference = summarise(rows)
    counts = tally(reference, rows)
    assert add((), counts) == counts
    assert [s.distance.subject for s in shifts(reference, counts, WINDOW)] == ["b", "a"]


def test_a_reference_is_json() -> None:
    """A reference that is written and read counts new rows as before."""
    rng = np.random.default_rng(4)
    rows = read_rows({"x": rng.normal(size=50), "t": list("abcde") * 10})
    reference = summarise(rows)
    back = wire.from_json(InputReference, json.loads(wire.dumps(reference)))
    assert back == reference
    assert tally(back, rows) == tally(reference, rows)


def test_discoveries_are_those_of_benjamini_and_hochberg() -> None:
    """The same tests are significant as by scipy's adjusted p-values, ties and extremes too."""
    rng = np.random.default_rng(5)
    for _ in range(200):
        p = rng.uniform(size=rng.integers(1, 30)) ** rng.integers(1, 6)
        p[rng.random(len(p)) < 0.2] = rng.choice([0.0, 0.01, 1.0])
        for alpha in (0.01, 0.05, 0.3):
            expected = stats.false_discovery_control(p, method="bh") <= alpha * (1 + 1e-12)
            np.testing.assert_array_equal(discoveries(p, alpha), expected)
