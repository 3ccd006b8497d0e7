"""A process that computes a replay matrix slowly, and says how far it is.

Run as ``python -m tests.crash.matrix_worker FOLDER PROCESSES``. It is meant to be killed: once
`FREE` training times are done, each further fit waits for ever.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ratoon.matrix import compute
from tests.unit.matrix_world import CHUNKS, WINDOWS, MeanBench

FREE = 4  # training times that are done without waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowBench:
    """The bench of the tests, with fits that wait."""

    folder: Path

    @property
    def fingerprint(self) -> str:
        """Be the same matrix as the bench of the tests."""
        return MeanBench().fingerprint

    def fit(self, start: int, stop: int) -> float:
        """Wait for ever where enough is done."""
        if len(list(self.folder.glob("*.npz"))) >= FREE:
            threading.Event().wait()
        return MeanBench().fit(start, stop)

    def losses(self, model: Any, start: int, stop: int) -> NDArray[Any]:
        """Return absolute errors."""
        return MeanBench().losses(model, start, stop)


def told(done: int, every: int) -> None:
    """Say how far it is."""
    sys.stdout.write(f"{done} {every}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    home = Path(sys.argv[1])
    compute(
        SlowBench(folder=home),
        CHUNKS,
        WINDOWS,
        home,
        processes=int(sys.argv[2]),
        progress=told,
    )
