"""What holds of every replay matrix and of every schedule on it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratoon.matrix import (
    Chunks,
    Deployment,
    Matrix,
    Schedule,
    best_fixed,
    compute,
    oracle,
    periodic,
    price,
    split_oracle,
)
from tests.unit.matrix_world import CHUNKS, WINDOWS, MeanBench, drawn_means, naive_price

COSTS = st.floats(0, 5)
SIZES = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 15), st.integers(1, 4))


@st.composite
def schedules(draw: st.DrawFn, count: int, windows: int, delay: int) -> Schedule:
    """Draw a schedule in which every later model is the newest that there can be."""
    later = sorted(draw(st.sets(st.integers(delay + 1, count)))) if count > delay else []
    pairs = [(0, 0), *((chunk, chunk - delay) for chunk in later if chunk < count)]
    return Schedule(
        deployments=tuple(
            Deployment(chunk=c, time=t, window=draw(st.integers(0, windows - 1))) for c, t in pairs
        )
    )


@given(data=st.data(), sizes=SIZES, fit_cost=COSTS, delay=st.integers(0, 16))
def test_oracle_is_a_bound(
    data: st.DataObject, sizes: tuple[int, int, int], fit_cost: float, delay: int
) -> None:
    """No schedule costs less than the oracle, the best fixed one neither; prices are the naive."""
    seed, count, windows = sizes
    means = drawn_means(seed, count, windows)
    least = price(means, oracle(means, fit_cost, delay=delay), fit_cost)
    drawn = data.draw(schedules(count, windows, delay))
    found = price(means, drawn, fit_cost)
    assert found == pytest.approx(naive_price(means, drawn, fit_cost))
    assert least <= found + 1e-9
    best = best_fixed(means, fit_cost, delay=delay)
    assert least <= best.price + 1e-9
    period, window = data.draw(st.integers(1, 20)), data.draw(st.integers(0, windows - 1))
    one = periodic(count, period, window, delay=delay)
    assert best.price <= price(means, one, fit_cost) + 1e-9


@given(sizes=SIZES, costs=st.lists(COSTS, min_size=2, max_size=5), delay=st.integers(0, 5))
def test_dearer_fits_cost_more(sizes: tuple[int, int, int], costs: list[float], delay: int) -> None:
    """With dearer fits the least price does not fall, and never exceeds that without any fit."""
    means = drawn_means(*sizes)
    prices = [price(means, oracle(means, c, delay=delay), c) for c in sorted(costs)]
    assert all(low <= high + 1e-9 for low, high in pairwise(prices))
    assert prices[-1] <= np.nansum(means[0], axis=1).min() + 1e-9


@given(sizes=SIZES, fit_cost=COSTS, delay=st.integers(0, 5), by=st.floats(0.1, 10))
def test_unit_does_not_matter(
    sizes: tuple[int, int, int], fit_cost: float, delay: int, by: float
) -> None:
    """Losses and cost in another unit give prices in that unit."""
    means = drawn_means(*sizes)
    one = price(means, oracle(means, fit_cost, delay=delay), fit_cost)
    other = price(means * by, oracle(means * by, fit_cost * by, delay=delay), fit_cost * by)
    assert other == pytest.approx(one * by)


@st.composite
def matrices(draw: st.DrawFn) -> Matrix:
    """Draw a matrix of losses by chance."""
    seed, count, windows = draw(SIZES)
    chunks = Chunks(rows=draw(st.integers(2 * count + 1, 6 * count + 1)), first=1, count=count)
    rng = np.random.default_rng(seed)
    losses = rng.random((count, windows, chunks.rows - 1), dtype=np.float32)
    for time in range(count):
        losses[time, :, : chunks.end(time) - 1] = np.nan
    seconds = np.zeros((count, windows))
    lengths = tuple(range(1, windows + 1))
    return Matrix(chunks=chunks, windows=lengths, losses=losses, fit_s=seconds, score_s=seconds)


@given(matrix=matrices(), seed=st.integers(0, 1000))
def test_halves_make_the_whole(matrix: Matrix, seed: int) -> None:
    """The halves of each chunk, weighed by their rows, have its mean; a seed makes them again."""
    rows = np.array([np.diff(matrix.chunks.span(t))[0] for t in range(matrix.chunks.count)])
    left, right = matrix.halves(seed)
    whole = (left * (rows // 2) + right * (rows - rows // 2)) / rows
    means = matrix.means()
    assert np.allclose(whole, means, equal_nan=True)
    assert np.array_equal(matrix.halves(seed)[0], left, equal_nan=True)
    for time in range(matrix.chunks.count):
        for chunk in range(matrix.chunks.count):
            if chunk < time:
                assert np.isnan(means[time, :, chunk]).all()
            else:
                row = matrix.rows_of(time, 0, chunk)
                assert len(row) == rows[chunk]
                assert means[time, 0, chunk] == pytest.approx(row.mean(dtype=float))


@given(matrix=matrices(), fit_cost=COSTS, delay=st.integers(0, 5))
def test_split_oracle_is_a_price(matrix: Matrix, fit_cost: float, delay: int) -> None:
    """The split oracle costs at least what the oracles of both halves do on their own rows."""
    halves = matrix.halves()
    own = [price(h, oracle(h, fit_cost, delay=delay), fit_cost) for h in halves]
    assert split_oracle(halves, fit_cost, delay=delay) >= sum(own) / 2 - 1e-9


@settings(max_examples=20)  # each flushes files to the disk
@given(missing=st.sets(st.integers(0, CHUNKS.count - 1)))
def test_leaving_off_changes_nothing(missing: set[int]) -> None:
    """Whichever files are there already, the matrix is the same."""
    with TemporaryDirectory() as home:
        whole = compute(MeanBench(), CHUNKS, WINDOWS, Path(home))
        for time in missing:
            (Path(home) / f"{time:04d}.npz").unlink()
        again = compute(MeanBench(), CHUNKS, WINDOWS, Path(home))
    assert np.array_equal(whole.losses, again.losses, equal_nan=True)


@given(
    rows=st.integers(2, 2000), first=st.floats(0.01, 0.99), share=st.floats(0, 1), data=st.data()
)
def test_chunks_cover_the_rows(rows: int, first: float, share: float, data: st.DataObject) -> None:
    """Chunks follow each other without a gap, differ by one row at most, and end with the rows."""
    begin = max(1, int(rows * first))
    count = max(1, int((rows - begin) * share))
    chunks = Chunks(rows=rows, first=begin, count=count)
    spans = [chunks.span(t) for t in range(count)]
    assert spans[0][0] == begin
    assert spans[-1][1] == rows
    assert all(one[1] == other[0] for one, other in pairwise(spans))
    lengths = {stop - start for start, stop in spans}
    assert max(lengths) - min(lengths) <= 1
    assert min(lengths) >= 1
    time = data.draw(st.integers(0, count - 1))
    start, stop = chunks.trained_on(time, data.draw(st.none() | st.integers(1, 2 * count)))
    assert 0 <= start < stop == chunks.end(time)
