"""A search that is killed loses only the trial that it was at."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.crash.tuning_worker import search

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120
TRIALS = 6


def test_killed_search(tmp_path: Path) -> None:
    """After SIGKILL the search goes on with that trial, and ends as if nothing had happened."""
    command = [sys.executable, "-m", "tests.crash.tuning_worker", str(tmp_path), str(TRIALS)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("policy 4"))
        process.kill()
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == -signal.SIGKILL
    moves: list[str] = []
    found = search(tmp_path, TRIALS, moves.append)
    assert moves[0] == f"policy 4 of {TRIALS}"  # the untuned ones and three trials are known
    whole = search(None, TRIALS, moves.append)
    assert [(t.policy, dict(t.settings), t.figures) for t in found.tried] == [
        (t.policy, dict(t.settings), t.figures) for t in whole.tried
    ]
    assert found.line == whole.line
    assert found.held_out == whole.held_out
