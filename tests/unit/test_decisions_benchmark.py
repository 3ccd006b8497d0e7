"""The parts of the benchmark of decisions read any stream, and learn from it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.decisions_learners import LEARNERS, Bench
from benchmarks.decisions_matrices import WINDOWS, home_of, matrices, under
from benchmarks.decisions_streams import Stream, found, load

ROWS = 400


def written(folder: Path, target: list[Any], **meta: Any) -> Path:
    """Write a stream with columns of every kind."""
    rng = np.random.default_rng(0)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    level = rng.normal(size=len(target))
    table = pa.table(
        {
            "row": range(len(target)),
            "level": pa.array([None if v > 2 else v for v in level.tolist()], pa.float64()),
            "never": pa.nulls(len(target), pa.float64()),
            "count": pa.array(rng.integers(0, 9, len(target)), pa.int16()),
            "open": pa.array(rng.random(len(target)) < 0.5),
            "shop": [None if i % 50 == 7 else f"shop {i % 3}" for i in range(len(target))],
            "kind": pa.array([f"k{i % 2}" for i in range(len(target))]).dictionary_encode(),
            "at": [start + timedelta(hours=i) for i in range(len(target))],
            "target": target,
        }
    )
    folder.mkdir(parents=True)
    pq.write_table(table, folder / "data.parquet")
    (folder / "meta.json").write_text(json.dumps({"index_columns": ["row"], **meta}))
    return folder


def classes(folder: Path, rare: int = 2) -> Path:
    """Write a stream of two classes; every `rare`-th row is of the second."""
    target = ["no" if i % rare else "yes" for i in range(ROWS)]
    return written(folder, target, task="binary")


def numbers(folder: Path) -> Path:
    """Write a stream of numbers."""
    rng = np.random.default_rng(1)
    return written(folder, rng.normal(size=ROWS).cumsum().tolist(), task="regression")


def test_columns_of_every_kind(tmp_path: Path) -> None:
    """Numbers stay, texts become codes, missing values are NaN, columns of time are left out."""
    (stream,) = load(numbers(tmp_path / "s"))
    assert stream.x.shape == (ROWS, 7)
    assert stream.x.dtype == np.float32
    assert stream.categorical == (4, 5)
    assert stream.x[:8, 4].tolist() == pytest.approx([0, 1, 2, 0, 1, 2, 0, np.nan], nan_ok=True)
    assert np.isnan(stream.x[:, 1]).all()
    assert (stream.chunks.first, stream.chunks.count) == (40, 50)
    assert np.abs(stream.y - np.median(stream.y)).mean() == pytest.approx(stream.unit)


def test_rows_without_a_target(tmp_path: Path) -> None:
    """They are left out, of numbers and of classes."""
    target = [None if i == 7 else float("nan") if i == 9 else float(i) for i in range(ROWS)]
    (stream,) = load(written(tmp_path / "n", target, task="regression"))
    assert len(stream.y) == ROWS - 2
    assert np.isfinite(stream.y).all()
    classed = [None if i == 7 else "ab"[i % 2] for i in range(ROWS)]
    (stream,) = load(written(tmp_path / "c", classed, task="binary"))
    assert stream.x.shape == (ROWS - 1, 7)
    assert set(stream.y) == {0.0, 1.0}


def test_thinned(tmp_path: Path) -> None:
    """At most so many rows are taken, every k-th."""
    folder = numbers(tmp_path / "s")
    (whole,), (thin,) = load(folder), load(folder, 150)
    assert np.array_equal(thin.y, whole.y[::3])
    assert len(thin.y) == 134


def test_rare_class_is_judged_twice(tmp_path: Path) -> None:
    """Where one class has three quarters of the rows, logarithmic loss makes a second stream."""
    assert [s.loss for s in load(classes(tmp_path / "even"))] == ["error"]
    assert [s.name for s in load(classes(tmp_path / "rare", 4))] == ["rare", "rare:log_loss"]


def test_streams_are_found(tmp_path: Path) -> None:
    """Streams are found in a folder, below it at any depth, and once."""
    one, two = numbers(tmp_path / "b" / "one"), numbers(tmp_path / "a" / "deep" / "two")
    (tmp_path / "empty").mkdir()
    assert found([tmp_path, one]) == [one, two]


@pytest.mark.parametrize("learner", LEARNERS)
def test_losses_of_learners(learner: str, tmp_path: Path) -> None:
    """Each learner gives one finite loss a row, of each task; errors are 0 or 1."""
    for stream in [*load(numbers(tmp_path / "n")), *load(classes(tmp_path / "c", 4))]:
        bench = Bench(stream=stream, learner=learner)
        losses = bench.losses(bench.fit(0, 100), 100, ROWS)
        assert losses.shape == (ROWS - 100,)
        assert np.isfinite(losses).all()
        assert (losses >= 0).all()
        if stream.loss == "error":
            assert set(losses) <= {0.0, 1.0}


@pytest.mark.parametrize("learner", LEARNERS)
def test_classes_that_were_never_seen(learner: str, tmp_path: Path) -> None:
    """A class that training rows lack is an error, and costs the most that the logarithm may."""
    target = ["a" if i < 60 else "bc"[i % 2] for i in range(ROWS)]
    stream = load(written(tmp_path / "s", target, task="multiclass"))[0]
    bench = Bench(stream=stream, learner=learner)
    assert bench.losses(bench.fit(0, 60), 50, 70).tolist() == [0.0] * 10 + [1.0] * 10
    log_loss = Bench(stream=replace(stream, loss="log_loss"), learner=learner)
    most = -np.log(1e-6)
    assert log_loss.losses(log_loss.fit(0, 60), 50, 70) == pytest.approx([0.0] * 10 + [most] * 10)
    assert log_loss.losses(log_loss.fit(60, ROWS), 0, 60) == pytest.approx(np.full(60, most))


def test_seeds(tmp_path: Path) -> None:
    """Another seed is another model of LightGBM, and the same one of a regression."""
    (stream,) = load(numbers(tmp_path / "s"))
    for learner, differs in (("lightgbm", True), ("linear", False)):
        one, other = (Bench(stream=stream, learner=learner, seed=seed) for seed in (0, 1))
        losses = [bench.losses(bench.fit(0, 300), 300, ROWS) for bench in (one, other)]
        assert (not np.array_equal(losses[0], losses[1])) is differs
        assert (one.fingerprint != other.fingerprint) is differs
        assert (under(tmp_path, learner, 0) != under(tmp_path, learner, 1)) is differs


def test_fingerprint(tmp_path: Path) -> None:
    """Whatever changes the models changes the fingerprint."""
    (stream,) = load(numbers(tmp_path / "s"))

    def told(changed: Stream) -> str:
        return Bench(stream=changed, learner="linear").fingerprint

    x, y = stream.x.copy(), stream.y.copy()
    x[3, 0] += 1
    y[5] += 1
    others = [replace(stream, x=x), replace(stream, y=y), replace(stream, categorical=(4,))]
    assert len({told(stream), *map(told, others)}) == 4
    assert told(stream) == told(load(tmp_path / "s")[0])


def test_matrices_are_computed_once(tmp_path: Path) -> None:
    """Every stream comes with its matrix, and the second time from its files."""
    classes(tmp_path / "streams" / "c", 4)
    home = tmp_path / "linear"
    first = list(matrices([tmp_path / "streams"], "linear", 0, home))
    assert [stream.name for stream, _ in first] == ["c", "c:log_loss"]
    assert sorted(path.name for path in home.iterdir()) == ["c", "c_log_loss"]
    again = list(matrices([tmp_path / "streams"], "linear", 1, home))
    for (stream, one), (_, other) in zip(first, again, strict=True):
        assert one.chunks == stream.chunks
        assert one.windows == WINDOWS
        assert np.array_equal(one.losses, other.losses, equal_nan=True)
        assert np.array_equal(one.fit_s, other.fit_s)


def test_streams_of_the_same_name(tmp_path: Path) -> None:
    """They have matrices of their own."""
    numbers(tmp_path / "a" / "s")
    classes(tmp_path / "b" / "s")
    folder = tmp_path / "m"
    made = list(matrices([tmp_path / "a", tmp_path / "b"], "linear", 0, folder))
    assert [stream.task for stream, _ in made] == ["regression", "binary"]
    assert len(list(folder.iterdir())) == 2
    homes = {home_of(folder, Bench(stream=stream, learner="linear")) for stream, _ in made}
    assert homes == set(folder.iterdir())


def test_matrices_in_two_processes(tmp_path: Path) -> None:
    """A stream and its learner can be sent to processes, which find the same losses."""
    folder = numbers(tmp_path / "s")
    ((stream, matrix),) = matrices([folder], "lightgbm", 3, tmp_path / "m", 200, processes=2)
    bench = Bench(stream=stream, learner="lightgbm", seed=3)
    for time, window in ((0, 0), (25, 1), (49, 2)):
        model = bench.fit(*stream.chunks.trained_on(time, WINDOWS[window]))
        start, stop = stream.chunks.span(49)
        losses = bench.losses(model, start, stop).astype(np.float32)
        assert np.array_equal(matrix.rows_of(time, window, 49), losses)
