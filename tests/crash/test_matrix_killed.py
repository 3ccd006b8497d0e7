"""A process that is killed while it computes a replay matrix loses only what it was at."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ratoon.matrix import compute
from tests.crash.matrix_worker import FREE
from tests.unit.matrix_world import CHUNKS, WINDOWS, MeanBench

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120


@pytest.mark.parametrize("processes", [1, 2])
def test_killed_matrix(processes: int, tmp_path: Path) -> None:
    """After SIGKILL the workers end too, and a second call makes what is missing, and no more."""
    whole = compute(MeanBench(), CHUNKS, WINDOWS, tmp_path / "whole")
    home = tmp_path / "killed"
    command = [sys.executable, "-m", "tests.crash.matrix_worker", str(home), str(processes)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = next(line for line in process.stdout if int(line.split()[0]) >= FREE * 3)
        process.kill()
        # The workers hold this end of the pipe as well: it is at its end when all are gone.
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == -signal.SIGKILL
    assert seen.split()[1] == str(CHUNKS.count * len(WINDOWS))
    done = {path: path.stat().st_mtime_ns for path in home.glob("*.npz")}
    assert FREE <= len(done) < CHUNKS.count
    again = compute(MeanBench(), CHUNKS, WINDOWS, home)
    assert np.array_equal(again.losses, whole.losses, equal_nan=True)
    assert done == {path: path.stat().st_mtime_ns for path in done}
    names = {f"{time:04d}.npz" for time in range(CHUNKS.count)}
    assert {path.name for path in home.iterdir()} == names | {"matrix.json", "matrix.lock"}
