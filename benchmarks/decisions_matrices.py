"""Replay matrices for the benchmark of decisions: what is missing is computed, the rest is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from benchmarks.decisions_learners import SEEDED, Bench
from benchmarks.decisions_streams import Stream, found, load
from ratoon.matrix import Matrix, compute

WINDOWS = (5, 15, None)  # chunks


def under(root: Path, learner: str, seed: int = 0, thinned: int | None = None) -> Path:
    """Return a folder for the matrices of a learner, one for each seed that changes its models."""
    parts = [learner, *([f"seed{seed}"] if learner in SEEDED else []), str(thinned or "all")]
    return root / "-".join(parts)


def home_of(folder: Path, bench: Bench) -> Path:
    """Return where the matrix of a stream lies in a folder of matrices.

    That is by the stream's name, or where another stream of that name lies, by its rows as well.
    """
    home = folder / bench.stream.name.replace(":", "_")
    owner = home / "matrix.json"
    if owner.exists() and json.loads(owner.read_text("utf-8")).get("bench") != bench.fingerprint:
        digest = hashlib.sha256(bench.fingerprint.encode()).hexdigest()
        return home.with_name(f"{home.name}-{digest[:8]}")
    return home


def matrices(
    dirs: Sequence[Path],
    learner: str,
    seed: int,
    folder: Path,
    thinned: int | None = None,
    *,
    processes: int = 1,
) -> Iterator[tuple[Stream, Matrix]]:
    """Yield every stream in or below some folders with its matrix; compute what is missing.

    How far that is, and the time left, is shown on stderr. The time left is that of the stream
    at work: what a fit takes on the next one is not known before.

    Args:
        dirs: with a folder for each stream, at any depth.
        learner: one of `benchmarks.decisions_learners.LEARNERS`.
        seed: of the learner's draws.
        folder: with a folder for each stream, of this learner, seed and `thinned` alone; see
            `under` and `home_of`. A colon in a stream's name becomes an underscore there.
        thinned: the most rows of a stream; None for all.
        processes: how many work at once.
    """
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("models"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    silent = not console.is_terminal
    places = found(dirs)
    for number, place in enumerate(places, start=1):
        for stream in load(place, thinned):
            bench = Bench(stream=stream, learner=learner, seed=seed)
            home = home_of(folder, bench)
            # The bar ends before the matrix is handed out: whoever has it may print.
            with Progress(*columns, console=console, transient=True, disable=silent) as bars:
                text = f"{number}/{len(places)} {stream.name}"
                moved = partial(_moved, bars, bars.add_task(text, total=None))
                matrix = compute(
                    bench, stream.chunks, WINDOWS, home, processes=processes, progress=moved
                )
            yield stream, matrix


def _moved(bars: Progress, task: TaskID, done: int, every: int) -> None:
    """Move the bar; models that were there before say nothing of the time left."""
    if bars.tasks[0].total is None:
        bars.reset(task, total=every, completed=done)
    bars.update(task, completed=done)
