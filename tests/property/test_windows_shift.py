"""Laws of the counts that tell how far inputs have moved."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from scipy import stats
from scipy.spatial.distance import jensenshannon

from ratoon.core.measuring import Window
from ratoon.core.times import EPOCH
from ratoon.metrics.shift import Counts, add, shifts, summarise, tally
from ratoon.windows.intake import read_rows
from ratoon.windows.rows import Rows, concat

Both: TypeAlias = tuple[Rows, Rows]
WINDOW = Window(start=EPOCH, end=EPOCH)
EXAMPLES = settings(max_examples=50)
FEW = st.sampled_from([0.0, 1.0, 2.0, 2.5])
COLUMNS: list[st.SearchStrategy[Any]] = [
    st.one_of(FEW, st.floats(allow_nan=False, allow_infinity=False)),
    st.one_of(st.just(math.nan), FEW),
    st.sampled_from(["a", "b", "c", "d", None]),
    st.booleans(),
    st.integers(-3, 3),
    st.datetimes(timezones=st.just(UTC), max_value=datetime(2100, 1, 1)),  # noqa: DTZ001
]


@st.composite
def references_and_windows(draw: DrawFn) -> Both:
    """Training rows and a window of rows with the same schema."""
    before, now = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    picked = draw(st.lists(st.sampled_from(range(len(COLUMNS))), min_size=1, max_size=3))
    data = {
        f"c{i}": draw(st.lists(COLUMNS[kind], min_size=before + now, max_size=before + now))
        for i, kind in enumerate(picked)
    }
    rows = read_rows(data)
    return rows.take(slice(0, before)), rows.take(slice(before, None))


@given(both=references_and_windows(), cuts=st.lists(st.integers(0, 40), max_size=5))
@EXAMPLES
def test_tallies_of_parts_add_up(both: Both, cuts: list[int]) -> None:
    """Rows that are counted in parts of any size give the counts of all at once."""
    before, now = both
    reference = summarise(before)
    edges = sorted({0, len(now), *(min(cut, len(now)) for cut in cuts)})
    counts: tuple[Counts, ...] = ()
    for start, stop in pairwise(edges):
        counts = add(counts, tally(reference, now.take(slice(start, stop))))
    assert counts == tally(reference, now)
    assert {sum(feature) for feature in counts} == {len(now)}


@given(both=references_and_windows())
@EXAMPLES
def test_every_row_is_counted_once_in_the_reference(both: Both) -> None:
    """A reference's own counts are its tally; a window equal to it has not moved."""
    before, _ = both
    reference = summarise(before)
    counts = tally(reference, before)
    assert counts == tuple(feature.counts for feature in reference.features)
    assert {sum(feature) for feature in counts} == {len(before)}
    for shift in shifts(reference, counts, WINDOW):
        assert shift.distance.value == pytest.approx(0.0, abs=1e-7)
        assert shift.p_value == pytest.approx(1.0)


@given(both=references_and_windows())
@EXAMPLES
def test_shifts_are_scipys_on_any_counts(both: Both) -> None:
    """On whatever bins there are, distance and p-value are those of scipy."""
    before, now = both
    reference = summarise(before)
    counts = tally(reference, now)
    for feature, count, shift in zip(
        reference.features, counts, shifts(reference, counts, WINDOW), strict=True
    ):
        table = np.array([feature.counts, count])
        table = table[:, table.sum(axis=0) > 0]
        expected = jensenshannon(*table, base=2)
        assert shift.distance.value == pytest.approx(expected, abs=1e-7)
        alone = table.shape[1] == 1
        p_value = 1.0 if alone else stats.chi2_contingency(table, correction=False).pvalue
        assert shift.p_value == pytest.approx(p_value, abs=1e-12)


@given(both=references_and_windows())
@EXAMPLES
def test_the_order_of_rows_is_irrelevant(both: Both) -> None:
    """Rows in another order give the same reference and the same counts."""
    before, now = both
    turned = before.take(np.arange(len(before))[::-1])
    assert summarise(turned) == summarise(before)
    mixed = concat([now.take(slice(1, None)), now.take(slice(0, 1))])
    assert tally(summarise(before), mixed) == tally(summarise(before), now)
