"""Computing a replay matrix: in parallel, and from where it was left."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from ratoon.core import settings
from ratoon.core.errors import ModelUnusable, SettingInvalid, TrainerRaised, TrainingFailed
from ratoon.log.disk import writing
from ratoon.matrix import files
from ratoon.matrix.chunks import Chunks
from ratoon.matrix.files import Losses, Part
from ratoon.matrix.matrix import Matrix
from ratoon.windows.judged import Floats

Progress = Callable[[int, int], None]
"""Told how many models are done, and how many there are; first of those done before."""

_GOLDEN = (5**0.5 - 1) / 2


class Workbench(Protocol):
    """A history, and a way to learn from it; with several processes it must be picklable."""

    @property
    def fingerprint(self) -> str:
        """What all models follow from: the rows, the learner, its settings and its seed."""
        ...

    def fit(self, start: int, stop: int, /) -> Any:
        """Train a model from scratch on the rows from `start` up to `stop`."""
        ...

    def losses(self, model: Any, start: int, stop: int, /) -> Floats:
        """Return the loss of a model on each of the rows from `start` up to `stop`, (rows,)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """All that a worker needs beside the training time."""

    bench: Workbench
    chunks: Chunks
    windows: tuple[int | None, ...]
    folder: Path


def compute(
    bench: Workbench,
    chunks: Chunks,
    windows: Sequence[int | None],
    folder: Path,
    *,
    processes: int = 1,
    progress: Progress | None = None,
) -> Matrix:
    """Train every model and score it on all later rows; what `folder` holds is not done again.

    A killed call loses no more than the training times that it was at. Each process uses one
    thread, so that its CPU seconds can be compared, and several do not stand in each other's way.

    Args:
        bench: of the history.
        chunks: of its rows.
        windows: lengths in chunks, at least 1 and each once; None for all rows.
        folder: of this bench, chunks and windows alone; made where it is not there.
        processes: how many work at once; 1 works in this one. They are spawned, so a script that
            asks for more calls this below ``if __name__ == "__main__"``.
        progress: told as models are done.

    Raises:
        SettingInvalid: a setting breaks its rule, or the folder holds another matrix.
        TrainingFailed: a model could not be trained or scored; says which. Those that are done
            stay.
        StoreUnwritable: the disk does not take a file.
        FileCorrupt: a file of the folder cannot be read.

    >>> from tempfile import TemporaryDirectory
    >>> class Mean:
    ...     fingerprint = "0 to 9, the mean of the window, absolute error"
    ...
    ...     def fit(self, start, stop):
    ...         return np.arange(10.0)[start:stop].mean()
    ...
    ...     def losses(self, model, start, stop):
    ...         return abs(np.arange(10.0)[start:stop] - model)
    >>> with TemporaryDirectory() as folder:
    ...     matrix = compute(Mean(), Chunks(rows=10, first=2, count=4), (1, None), Path(folder))
    >>> matrix.means()[3]  # of the models that are trained before the last chunk
    array([[nan, nan, nan,  2.],
           [nan, nan, nan,  5.]])
    """
    _check(windows)
    settings.whole("processes", processes, least=1)
    job = _Job(bench=bench, chunks=chunks, windows=tuple(windows), folder=folder)
    with writing(folder), files.held(folder):
        files.claim(folder, bench.fingerprint, chunks, windows)
        _complete(job, processes, progress or _untold)
    return Matrix.read(chunks, windows, folder)


def _complete(job: _Job, processes: int, progress: Progress) -> None:
    """Make the files that are missing."""
    times, models = job.chunks.count, job.chunks.count * len(job.windows)
    missing = [t for t in range(times) if not files.path_of(job.folder, t).exists()]
    done = times - len(missing)
    progress(done * len(job.windows), models)
    for _ in _computed(job, _mixed(missing), processes):
        done += 1
        progress(done * len(job.windows), models)


def _check(windows: Sequence[int | None]) -> None:
    for window in windows:
        if window is not None:
            settings.whole("windows", window, least=1)
    if not windows or len(set(windows)) < len(windows):
        raise SettingInvalid("windows", "at least one, and each once", tuple(windows))


def _untold(done: int, every: int) -> None:
    del done, every


def _mixed(times: Sequence[int]) -> list[int]:
    """Return early and late times in turn, so that the time left can be told from those done."""
    return sorted(times, key=lambda t: t * _GOLDEN % 1.0)


def _computed(job: _Job, times: Sequence[int], processes: int) -> Iterator[int]:
    """Yield each training time when its file is there."""
    if processes == 1 or len(times) < 2:  # noqa: PLR2004 - there is nothing to do beside
        yield from (_one(job, t) for t in times)
        return
    # A forked process may hang in a library that had threads. The job goes with every time: some
    # megabytes each, which is nothing beside the fits, and leaves no state in a worker.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with_parent)
    try:
        running: list[Future[int]] = [pool.submit(_one, job, t) for t in times]
        for future in as_completed(running):
            yield future.result()
    except BrokenProcessPool as error:
        why = "a process that computed the matrix died: perhaps there was too little memory"
        hint = "what is done stays; call again with fewer processes"
        raise TrainingFailed(why, hint=hint) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """Let a worker end when its parent is killed: nobody else would tell it."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _one(job: _Job, at: int) -> int:
    """Train the models of one time, and write what they lose on all later rows."""
    found: dict[tuple[int, int], tuple[Losses, tuple[float, float]]] = {}
    spans = [job.chunks.trained_on(at, window) for window in job.windows]
    with threadpool_limits(limits=1):
        for window, span in zip(job.windows, spans, strict=True):
            if span not in found:  # early, windows of several lengths hold the same rows
                name = f"the model of time {at} and window {window} (rows {span[0]} to {span[1]})"
                found[span] = _model(job, at, span, name)
    losses = np.stack([found[span][0] for span in spans])
    files.write(
        job.folder, at, Part(losses=losses, costs=np.array([found[span][1] for span in spans]))
    )
    return at


def _model(
    job: _Job, at: int, span: tuple[int, int], name: str
) -> tuple[Losses, tuple[float, float]]:
    """Train a model and score it; the CPU seconds are of the fit, and of scoring one chunk."""
    start, stop = job.chunks.end(at), job.chunks.rows
    began = time.process_time()
    try:
        model = job.bench.fit(*span)
    except Exception as error:
        raise TrainerRaised(f"{name} could not be trained: {_told(error)}") from error
    fitted = time.process_time()
    try:
        losses = np.asarray(job.bench.losses(model, start, stop), dtype=np.float32)
    except Exception as error:
        raise ModelUnusable(f"{name} could not be scored: {_told(error)}") from error
    scored = time.process_time()
    if losses.shape != (stop - start,) or not np.isfinite(losses).all():
        raise ModelUnusable(f"the losses of {name} are not one finite number for each row")
    return losses, (fitted - began, (scored - fitted) / (job.chunks.count - at))


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
