"""What is kept of a log merges: however its rows are cut, the same is kept."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ratoon as rt
from ratoon.monitors.collecting import LADDER, MOST_SHOWN, Collected, Cut, collect
from ratoon.monitors.gathering import Gathering
from ratoon.monitors.labelling import labels_in
from ratoon.monitors.layout import Layout, as_texts, metrics_for, target_of
from ratoon.monitors.roles import Roles, roles_of
from ratoon.monitors.sampling import Sample, merged_samples

ROLES = Roles(features=("x", "c"), output="p", label="y", time="at")
KINDS = {"x": "number", "c": "text", "p": "text", "y": "text", "at": "time"}
HOUR_US = 3_600_000_000


def rows(rng: np.random.Generator, size: int, hours: int) -> pa.Table:
    """Return rows with gaps, labels among them, at random times."""
    at = rng.integers(0, hours * HOUR_US, size).astype("M8[us]")
    return pa.table(
        {
            "x": pa.array(rng.normal(size=size), mask=rng.random(size) < 0.1),
            "c": pa.array(rng.choice(list("abc"), size), mask=rng.random(size) < 0.1),
            "p": pa.array(rng.choice(["no", "yes"], size)),
            "y": pa.array(rng.choice(["no", "yes"], size), mask=rng.random(size) < 0.3),
            "at": pa.array(at, pa.timestamp("us", "UTC")),
        }
    )


def layout_of(table: pa.Table) -> Layout:
    """Return the layout of such rows."""
    target = target_of(ROLES, table, None)
    assert target is not None
    metrics = metrics_for(target, scores=False)
    return Layout(roles=ROLES, kinds=KINDS, target=target, metrics=metrics, coded=("p", "y"))


@given(
    seed=st.integers(0, 99), cuts=st.lists(st.integers(0, 300), max_size=6), chosen=st.booleans()
)
@settings(deadline=None, max_examples=25)
def test_splitting_changes_nothing(seed: int, cuts: list[int], chosen: bool) -> None:  # noqa: FBT001
    """Counts, samples, tallies and times of all windows are the same for any cut into batches."""
    rng = np.random.default_rng(seed)
    table = rows(rng, 300, 48)
    layout = layout_of(table)
    gathering = Gathering(layout, bins=20, most_bytes=1 << 20, sampled=100)
    gathering.add(layout.shaped(table))
    reference = gathering.done().reference
    every = 6 * HOUR_US if chosen else LADDER[0]
    start = Collected(cut=Cut(every=every, by_time=True, chosen=chosen), parts={}, sampled=40)
    edges = [0, *sorted(cuts), 300]
    pieces = [table.slice(a, b - a) for a, b in pairwise(edges)]

    def taken(into: Collected, piece: pa.Table) -> Collected:
        return collect(into, layout, reference, layout.shaped(piece), 1_000_000)

    whole, parts = taken(start, table), reduce(taken, pieces, start)
    assert whole.cut == parts.cut
    assert len(whole.parts) <= MOST_SHOWN
    assert whole.parts.keys() == parts.parts.keys()
    for number, part in whole.parts.items():
        other = parts.parts[number]
        assert (part.rows, part.labelled) == (other.rows, other.labelled)
        assert (part.first_us, part.last_us) == (other.first_us, other.last_us)
        assert part.sample.keys.tolist() == other.sample.keys.tolist()
        assert part.sample.table.equals(other.sample.table)
        for name, column in part.summary.columns.items():
            assert column.counts.tolist() == other.summary.columns[name].counts.tolist()
        assert (part.tally is None) == (other.tally is None)
        if part.tally is None or other.tally is None:
            continue
        for metric in layout.metrics:
            window = whole.cut.window(number, part)
            ours, theirs = (t.measure(metric, window) for t in (part.tally, other.tally))
            assert ours == theirs


@given(parts=st.lists(st.integers(0, 40), min_size=1, max_size=6), most=st.integers(1, 30))
@settings(deadline=None)
def test_samples_merge(parts: list[int], most: int) -> None:
    """A sample is bounded, and that of parts in any order is that of the whole."""
    total = sum(parts)
    table, numbers = pa.table({"i": np.arange(total)}), np.arange(total, dtype=np.int64)
    whole = Sample(most=most).updated(table, numbers)
    ends = np.cumsum([0, *parts]).tolist()
    pieces = [
        Sample(most=most).updated(table.slice(a, b - a), numbers[a:b]) for a, b in pairwise(ends)
    ]
    merged = merged_samples(pieces[::-1], most)
    assert len(whole) == min(total, most)
    assert merged.keys.tolist() == whole.keys.tolist()
    if total:
        assert merged.table.column("i").to_pylist() == whole.table.column("i").to_pylist()


def test_samples_are_fair() -> None:
    """Each row is as likely: the mean of sampled numbers is that of all, within chance."""
    size, most = 200_000, 5000
    numbers = np.arange(size, dtype=np.int64)
    sample = Sample(most=most).updated(pa.table({"i": numbers}), numbers)
    found = sample.table.column("i").to_numpy()
    assert abs(found.mean() - size / 2) < 4 * size / np.sqrt(12 * most)


def test_roles_that_are_told_come_first() -> None:
    """A column that was told is what it was told to be, and guessed for nothing else."""
    kinds = {"label": "text", "y": "text", "x": "number", "when": "time", "extra": "other"}
    found, notes = roles_of(kinds, Roles(label="y"))
    assert (found.label, found.time, found.features) == ("y", "when", ("label", "x"))
    assert any("extra" in note for note in notes)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([], []),
        ([0.0, 0.0], [False, False]),
        ([1.0, 1.0], [True, True]),
        ([0.9, 0.2, 0.9, 0.1], [True, True, True, False]),
    ],
)
def test_labels_in(shares: list[float], expected: list[bool]) -> None:
    """The newest windows wait until they have as many labels as usual; an old gap is a gap."""
    assert labels_in(shares, 0.9) == expected


def test_classes_are_the_same_in_any_form() -> None:
    """Whole numbers, floats and texts of one class are one class, and stand in order of value."""
    table = pa.table({"y": pa.array([10, 2, None]), "p": pa.array([2.0, 10.0, 2.0])})
    target = target_of(Roles(output="p", label="y"), table, None)
    assert target is not None
    assert (target.task, target.classes) == ("binary", ("2", "10"))
    assert as_texts(table.column("p")).to_pylist() == ["2", "10", "2"]


def test_large_references_are_counted_whole() -> None:
    """Bins are made of the first rows of a large reference, counts and ranges of all of them."""
    rng = np.random.default_rng(0)
    parts = [rows(rng, 500, 48) for _ in range(6)]
    layout = layout_of(parts[0])
    found = []
    for most_bytes in (1, 1 << 20):
        gathering = Gathering(layout, bins=20, most_bytes=most_bytes, sampled=100)
        for part in parts:
            gathering.add(layout.shaped(part))
        found.append(gathering.done())
    few, whole = found
    assert (few.binned, whole.binned, few.rows, whole.rows) == (500, 3000, 3000, 3000)
    assert few.span_us == whole.span_us
    values = pa.concat_tables(parts).column("x").drop_null().to_numpy()
    for base in found:
        grid, column = (s["x"] for s in (base.reference.grids, base.reference.summary.columns))
        assert (grid.least, grid.greatest) == (values.min(), values.max())
        assert (column.rows, column.rows - column.missing) == (3000, len(values))
    texts = [base.reference.summary.columns["c"].counts.tolist() for base in found]
    assert texts[0] == texts[1]


def test_stationary_log_has_no_drift() -> None:
    """In a hundred windows of twenty columns from one distribution nothing is found."""
    rng = np.random.default_rng(16)

    def drawn(size: int) -> dict[str, Any]:
        return {f"x{i}": rng.normal(size=size) for i in range(20)}

    seen = rt.monitor(drawn(50_000), drawn(20_000), window=500)
    assert len(seen.windows) == 100
    assert not seen.drifts.columns
