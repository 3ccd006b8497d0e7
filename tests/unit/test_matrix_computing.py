"""A replay matrix is computed, goes on where it was left, and is not mixed with another."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ratoon.core.errors import FileCorrupt, ModelUnusable, SettingInvalid, TrainerRaised
from ratoon.matrix import Chunks, Matrix, compute
from ratoon.matrix.files import held
from tests.unit.matrix_world import CHUNKS, WINDOWS, MeanBench


def same(one: Matrix, other: Matrix) -> bool:
    """Tell whether two matrices hold the same losses."""
    return one.windows == other.windows and np.array_equal(one.losses, other.losses, equal_nan=True)


def test_every_model_on_every_later_row(tmp_path: Path) -> None:
    """The losses are those of a loop over times and windows, and NaN before a model's time."""
    matrix = compute(MeanBench(), CHUNKS, WINDOWS, tmp_path)
    values = MeanBench().values()
    assert matrix.losses.dtype == np.float32
    for time in range(CHUNKS.count):
        stop = 9 + 38 * time // 7
        for place, window in enumerate(WINDOWS):
            start = 0 if window is None else max(0, stop - 38 * window // 7)
            naive = np.abs(values[stop:] - values[start:stop].mean())
            assert matrix.losses[time, place, stop - 9 :] == pytest.approx(naive, rel=1e-6)
            assert np.isnan(matrix.losses[time, place, : stop - 9]).all()
    assert (matrix.fit_s >= 0).all()
    assert (matrix.score_s >= 0).all()


def test_same_rows_are_trained_on_once(tmp_path: Path) -> None:
    """Windows that hold the same rows share a model: early ones all do."""

    class Counting(MeanBench):
        def fit(self, start: int, stop: int) -> float:
            fits.append((start, stop))
            return super().fit(start, stop)

    fits: list[tuple[int, int]] = []
    compute(Counting(), CHUNKS, (5, 50, None), tmp_path)
    assert len(fits) == len(set(fits)) < CHUNKS.count * 3


def test_goes_on_where_it_was_left(tmp_path: Path) -> None:
    """What the folder holds is not computed again, and what is missing is."""
    whole = compute(MeanBench(), CHUNKS, WINDOWS, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")}
    for time in (1, 4):
        (tmp_path / f"{time:04d}.npz").unlink()
    told: list[tuple[int, int]] = []
    again = compute(MeanBench(), CHUNKS, WINDOWS, tmp_path, progress=lambda *x: told.append(x))
    assert same(whole, again)
    assert told == [(15, 21), (18, 21), (21, 21)]
    changed = {path.name for path, at in before.items() if path.stat().st_mtime_ns != at}
    assert changed <= {"0001.npz", "0004.npz"}
    assert np.array_equal(again.fit_s[0], whole.fit_s[0])


def test_several_processes(tmp_path: Path) -> None:
    """Two processes compute the same matrix as one."""
    one = compute(MeanBench(), CHUNKS, WINDOWS, tmp_path / "one")
    two = compute(MeanBench(), CHUNKS, WINDOWS, tmp_path / "two", processes=2)
    assert same(one, two)


@pytest.mark.parametrize("processes", [1, 2])
def test_says_which_model_failed(tmp_path: Path, processes: int) -> None:
    """An error of the trainer names time, window and rows; what is done stays."""
    bench = MeanBench(fails_at=(CHUNKS.end(3),))
    told = r"the model of time 3 and window 1 \(rows 20 to 25\) .* ArithmeticError: nothing ends"
    with pytest.raises(TrainerRaised, match=told) as raised:
        compute(bench, CHUNKS, WINDOWS, tmp_path, processes=processes)
    assert "nothing ends at 25" in str(raised.value.__cause__)
    assert not (tmp_path / "0003.npz").exists()
    assert compute(replace(bench, fails_at=()), CHUNKS, WINDOWS, tmp_path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """Scores in a wrong way."""

    answer: object
    fingerprint: str = "wrong"

    def fit(self, start: int, stop: int) -> None:
        """Train nothing."""

    def losses(self, model: None, start: int, stop: int) -> Any:
        """Return the answer, or raise it."""
        del model, start, stop
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (np.zeros(3), "one finite number for each row"),
        (np.full(38, np.nan), "one finite number for each row"),
        ("no numbers", "could not be scored: ValueError"),
        (KeyError("x"), "could not be scored: KeyError: 'x'"),
    ],
)
def test_losses_that_are_none(tmp_path: Path, answer: NDArray[Any] | str, told: str) -> None:
    """Losses are one finite number a row; anything else is told with the model's name."""
    with pytest.raises(ModelUnusable, match=rf"model of time 0 and window None.*{told}"):
        compute(Scoring(answer=answer), CHUNKS, (None,), tmp_path)


@pytest.mark.parametrize(
    ("bench", "chunks", "windows", "told"),
    [
        (MeanBench(seed=1), CHUNKS, WINDOWS, "bench 'numbers of seed 0' and not '.* seed 1'"),
        (MeanBench(), Chunks(rows=47, first=8, count=7), WINDOWS, r"chunks \{.*'first': 9"),
        (MeanBench(), CHUNKS, (1, 3), r"windows \[1, 3, None\] and not \[1, 3\]"),
        (MeanBench(), CHUNKS, (None, 3, 1), r"windows \[1, 3, None\] and not \[None, 3, 1\]"),
    ],
)
def test_folder_of_another_matrix(
    tmp_path: Path, bench: MeanBench, chunks: Chunks, windows: tuple[int | None, ...], told: str
) -> None:
    """A folder that was begun with another bench, chunks or windows is refused, and stays."""
    whole = compute(MeanBench(), CHUNKS, WINDOWS, tmp_path)
    (tmp_path / "0002.npz").unlink()
    with pytest.raises(SettingInvalid, match=told):
        compute(bench, chunks, windows, tmp_path)
    assert same(compute(MeanBench(), CHUNKS, WINDOWS, tmp_path), whole)


def test_folder_without_its_owner(tmp_path: Path) -> None:
    """Files of which nobody can tell whose they are can be read, and are not gone on with."""
    whole = compute(MeanBench(), CHUNKS, WINDOWS, tmp_path)
    (tmp_path / "matrix.json").unlink()
    assert same(Matrix.read(CHUNKS, WINDOWS, tmp_path), whole)
    with pytest.raises(SettingInvalid, match=r"matrix\.json"):
        compute(MeanBench(), CHUNKS, WINDOWS, tmp_path)


def test_read_what_was_computed(tmp_path: Path) -> None:
    """A matrix is read without its bench; one with other chunks or windows is refused."""
    whole = compute(MeanBench(), CHUNKS, WINDOWS, tmp_path)
    found = Matrix.read(CHUNKS, WINDOWS, tmp_path)
    assert same(found, whole)
    assert np.array_equal(found.fit_s, whole.fit_s)
    assert np.array_equal(found.score_s, whole.score_s)
    with pytest.raises(SettingInvalid, match="windows"):
        Matrix.read(CHUNKS, (1, 3, 5), tmp_path)
    (tmp_path / "0005.npz").unlink()
    with pytest.raises(SettingInvalid, match="time 5 is missing"):
        Matrix.read(CHUNKS, WINDOWS, tmp_path)


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04 torn", b"text"])
def test_torn_file(tmp_path: Path, body: bytes) -> None:
    """A file that cannot be read is named; without it the matrix is completed."""
    whole = compute(MeanBench(), CHUNKS, WINDOWS, tmp_path)
    (tmp_path / "0002.npz").write_bytes(body)
    with pytest.raises(FileCorrupt, match=r"0002\.npz cannot be read"):
        compute(MeanBench(), CHUNKS, WINDOWS, tmp_path)
    (tmp_path / "0002.npz").unlink()
    assert same(compute(MeanBench(), CHUNKS, WINDOWS, tmp_path), whole)


def test_file_of_another_time(tmp_path: Path) -> None:
    """A file with losses of another number of rows is refused."""
    compute(MeanBench(), CHUNKS, WINDOWS, tmp_path)
    (tmp_path / "0003.npz").replace(tmp_path / "0002.npz")
    with pytest.raises(FileCorrupt, match=r"of \(3, 22\) windows and rows where \(3, 28\) are due"):
        Matrix.read(CHUNKS, WINDOWS, tmp_path)


@pytest.mark.parametrize("body", ["{", "[]", "{}", json.dumps({"schema": 1})])
def test_torn_owner(tmp_path: Path, body: str) -> None:
    """A matrix.json that cannot be read is named."""
    (tmp_path / "matrix.json").write_text(body)
    with pytest.raises(FileCorrupt, match=r"matrix\.json cannot be read"):
        compute(MeanBench(), CHUNKS, WINDOWS, tmp_path)


def test_two_at_once(tmp_path: Path) -> None:
    """Only one process computes in a folder; what a killed one left aside is removed."""
    (tmp_path / ".0001.npz.17-4").write_bytes(b"torn")
    with held(tmp_path), pytest.raises(SettingInvalid, match="no other process"):
        compute(MeanBench(), CHUNKS, WINDOWS, tmp_path)
    compute(MeanBench(), CHUNKS, WINDOWS, tmp_path)
    assert not list(tmp_path.glob(".*.npz.*"))


@pytest.mark.parametrize(
    ("windows", "processes"), [((), 1), ((3, 3), 1), ((0,), 1), ((1.5,), 1), ((1,), 0)]
)
def test_settings(tmp_path: Path, windows: tuple[Any, ...], processes: int) -> None:
    """Windows are whole numbers of chunks or None, each once; at least one process works."""
    with pytest.raises(SettingInvalid):
        compute(MeanBench(), CHUNKS, windows, tmp_path, processes=processes)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("sizes", [(1, 1, 1), (10, 0, 2), (10, 3, 8), (10, 10, 1), (10, 3, 0)])
def test_chunks_without_rows(sizes: tuple[int, int, int]) -> None:
    """Each chunk has a row, and so have the first ones."""
    rows, first, count = sizes
    with pytest.raises(SettingInvalid):
        Chunks(rows=rows, first=first, count=count)


def test_arrays_of_another_shape(tmp_path: Path) -> None:
    """A matrix has the shapes that its chunks and windows ask for."""
    whole = compute(MeanBench(), CHUNKS, WINDOWS, tmp_path)
    with pytest.raises(SettingInvalid, match="losses"):
        replace(whole, losses=whole.losses[:, :, 1:])
    with pytest.raises(SettingInvalid, match="fit_s"):
        replace(whole, fit_s=whole.fit_s[1:])


def test_halves_of_single_rows() -> None:
    """A chunk of one row has no halves."""
    seconds = np.zeros((3, 1))
    matrix = Matrix(
        chunks=Chunks(rows=4, first=1, count=3),
        windows=(None,),
        losses=np.zeros((3, 1, 3), dtype=np.float32),
        fit_s=seconds,
        score_s=seconds,
    )
    with pytest.raises(SettingInvalid, match="at least 2 rows"):
        matrix.halves()
