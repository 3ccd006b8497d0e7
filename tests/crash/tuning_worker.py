"""A search that tells what it is at, to be killed.

Call: `python -m tests.crash.tuning_worker FOLDER TRIALS`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ratoon.engine.tuning import TuningReport, tune
from tests.unit.tuning_world import COST, history, loop, space


def search(folder: Path | None, trials: int, tell: Callable[[str], object]) -> TuningReport:
    """Search, and tell what is done whenever it goes on."""
    return tune(
        loop(),
        history(),
        retrain_cost=COST,
        space=space(),
        trials=trials,
        folder=folder,
        progress=lambda what, _, __: tell(what),
    )


if __name__ == "__main__":
    search(Path(sys.argv[1]), int(sys.argv[2]), partial(print, flush=True))
