"""A process that is killed within a write leaves a loop that goes on as if it had lived."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.crash.scenario import live

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120


@pytest.mark.parametrize(("script", "statements"), [("promoted", (20, 40))])
def test_killed(script: str, statements: tuple[int, int], tmp_path: Path) -> None:
    """Two processes are killed (SIGKILL) within a transaction; the third one finishes the work.

    All records are those of a life without a kill, and what was acknowledged is not sent again.
    """
    begin = 0
    for statement in statements:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.crash.worker",
                tmp_path,
                script,
                str(begin),
                str(statement),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        begin += len(done.stdout.split())
    assert begin > 0
    with TemporaryDirectory() as home:
        whole = live(script, Path(home))
    found = live(script, tmp_path, begin=begin)
    different = [d for d in whole.differences(found) if not d.startswith("answers")]
    assert not different
