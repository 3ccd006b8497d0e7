"""What a policy costs on the first part of the history: here, or in processes of its own."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from ratoon.core.errors import RatoonError, SettingInvalid, TrainingFailed
from ratoon.engine.definition import Definition
from ratoon.engine.history import History
from ratoon.engine.loop import Loop
from ratoon.engine.outcomes import Outcome
from ratoon.engine.replay import replay
from ratoon.engine.tuning.results import Figures, figures_of
from ratoon.engine.tuning.reusing import Reusing

Moved = Callable[[int, int], None]
"""Told how many arrivals are done, and how many there are."""

_LIVE = ("store", "vault", "clock", "executor", "notifier")  # no replay uses those of the loop
_JOINED_S = 5.0  # a worker that was told to end is waited for so long


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bench:
    """Where policies are tried: everything but the policy is the same for all of them."""

    loop: Loop  # its trainer fits each snapshot once
    history: History
    retrain_cost: float
    training_takes: timedelta

    def figures(self, changes: Mapping[str, Any], moved: Moved | None = None) -> Figures | str:
        """Return what a policy costs, or why that is not known.

        Raises:
            SettingInvalid: the loop has no metric with row losses, which costs are made of.
            TrainingFailed: there is no first model.
        """
        try:
            candidate = self.loop.settings(**changes)
        except (RatoonError, TypeError) as error:
            return f"{type(error).__name__}: {error}"
        found = self._outcome(candidate, moved)
        if found.loss_metric is None:
            rule = "such that one of them has row losses: costs are summed row losses"
            raise SettingInvalid("metrics", rule, self.loop.metrics)
        figures = figures_of(found)
        if not abs(figures.cost) < float("inf"):
            return f"its cost is {figures.cost}"
        return figures

    def _outcome(self, candidate: Loop, moved: Moved | None) -> Outcome:
        def progress(_: str, done: int, of: int) -> None:
            if moved is not None:
                moved(done, of)

        return replay(
            {"candidate": candidate},
            self.history,
            retrain_cost=self.retrain_cost,
            training_takes=self.training_takes,
            progress=progress,
        ).rows[0]


class Here:
    """Tries one policy after another in this process."""

    def __init__(self, bench: Bench) -> None:
        """Hold where policies are tried."""
        self._bench = bench
        self.at_once = 1

    def figures(
        self, changes: Sequence[Mapping[str, Any]], moved: Moved | None = None
    ) -> Iterator[Figures | str]:
        """Return what each policy costs, in their order."""
        for one in changes:
            yield self._bench.figures(one, moved)


class Workers:
    """Tries as many policies at once as there are processes."""

    def __init__(self, bench: Bench, processes: int, folder: Path | None) -> None:
        """Start the processes."""
        self.at_once = processes
        context = multiprocessing.get_context("spawn")
        payload = _dumped(_packed(bench, folder))
        self._running: list[tuple[Any, Any]] = []
        for _ in range(processes):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            ours.send_bytes(payload)
            self._running.append((process, ours))

    def figures(
        self, changes: Sequence[Mapping[str, Any]], moved: Moved | None = None
    ) -> Iterator[Figures | str]:
        """Return what each policy costs, in their order; there are at most as many as processes."""
        for one, (_, pipe) in zip(changes, self._running, strict=False):
            pipe.send_bytes(_dumped(dict(one)))
        for done, (_, (process, pipe)) in enumerate(
            zip(changes, self._running, strict=False), start=1
        ):
            try:
                found: Any = pipe.recv()
            except EOFError as error:
                process.join(_JOINED_S)
                fact = f"a process that tried policies ended with code {process.exitcode}"
                hint = "a script that starts processes needs `if __name__ == '__main__':`"
                raise RatoonError(fact, hint=hint) from error
            if moved is not None:
                moved(done, len(changes))
            if isinstance(found, BaseException):
                raise found
            yield found

    def close(self) -> None:
        """End the processes."""
        for process, pipe in self._running:
            pipe.close()
            process.join(_JOINED_S)
            if process.is_alive():
                process.terminate()
                process.join()
            process.close()
        self._running = []


@contextmanager
def trying(bench: Bench, processes: int, folder: Path | None) -> Generator[Here | Workers]:
    """Return what tries policies, and end its processes afterwards."""
    if processes == 1:
        yield Here(bench)
        return
    workers = Workers(bench, processes, folder)
    try:
        yield workers
    finally:
        workers.close()


def _packed(bench: Bench, folder: Path | None) -> dict[str, Any]:
    """Return what a process needs; the trainer goes without what it has fitted so far."""
    names = [one.name for one in fields(Definition) if one.name not in _LIVE]
    settings = {name: getattr(bench.loop, name) for name in names}
    reused = isinstance(bench.loop.trainer, Reusing)
    if isinstance(bench.loop.trainer, Reusing):
        settings["trainer"] = bench.loop.trainer.own
    return {
        "settings": settings,
        "history": bench.history,
        "retrain_cost": bench.retrain_cost,
        "training_takes": bench.training_takes,
        "folder": folder,
        "reused": reused,
    }


def _dumped(value: object) -> bytes:
    """Return a value as another process reads it, with a person's own functions."""
    import cloudpickle  # noqa: PLC0415 - slow to import

    return cast("Any", cloudpickle).dumps(value)


def _work(pipe: Any) -> None:
    """Try policies that come through a pipe, until it is closed."""
    import cloudpickle  # noqa: PLC0415 - slow to import
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    try:
        told = cloudpickle.loads(pipe.recv_bytes())
        settings = told.pop("settings")
        folder, reused = told.pop("folder"), told.pop("reused")
        if reused:
            settings["trainer"] = Reusing(settings["trainer"], folder)
        bench = Bench(loop=Loop(**settings), **told)
        # The processes share the cores already; stdout holds the answer of a command alone.
        with threadpool_limits(limits=1), redirect_stdout(sys.stderr):
            while True:
                changes = cloudpickle.loads(pipe.recv_bytes())
                pipe.send(_tried(bench, changes))
    except (EOFError, KeyboardInterrupt, BrokenPipeError):
        return


def _tried(bench: Bench, changes: Mapping[str, Any]) -> Figures | str | RatoonError:
    try:
        return bench.figures(changes)
    except RatoonError as error:
        return TrainingFailed(error.fact) if isinstance(error, TrainingFailed) else _plain(error)


def _plain(error: RatoonError) -> RatoonError:
    """Return an error that goes through a pipe: some take other arguments than they keep."""
    return RatoonError(error.fact, hint=error.hint)
