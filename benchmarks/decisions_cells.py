"""What every policy does on every stream: with each of its settings, delay and cost."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import multiprocessing
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import decisions_inputs, decisions_running
from benchmarks.decisions_hindsight import Hindsight, hindsight, plain, unit_of
from benchmarks.decisions_matrices import WINDOWS
from benchmarks.decisions_policies import OURS, PREFIX, Family, families
from benchmarks.decisions_running import Bed, Setting, Task, loss_and_fits
from benchmarks.decisions_streams import Array, load
from ratoon.core.errors import RatoonError
from ratoon.matrix import Matrix, simulating
from ratoon.matrix.computing import _end_with_parent
from ratoon.triggers import combine, prefix, protocol, regret, seen

_SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A stream, a learner and a seed; and the cells that are asked for."""

    stream: str  # its name; of several losses, one
    place: Path
    most: int | None  # rows
    learner: str
    seed: int
    home: Path  # of its matrix
    delays: tuple[int, ...]
    costs: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Played:
    """What a policy did: arrays of (settings, delays, costs)."""

    loss: Array  # sum of the chunks' mean losses
    fits: Array  # models that it deployed
    extra: Array  # what else it computed, in full fits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """All that was found of a job."""

    job: Job
    task: str
    loss: str
    rows: int
    chunks: int
    unit: float  # mean loss of a chunk that a cost of 1 stands for
    fit_s: float
    plain: Mapping[str, float]  # mean loss of forecasts without a model
    known: Hindsight
    played: Mapping[str, Played]  # by policy

    @property
    def name(self) -> str:
        """The name of the stream."""
        return self.job.stream


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A stream on which nothing can be judged."""

    stream: str
    why: str


def scenes(
    jobs: Sequence[Job], processes: int, told: Callable[[int, Job], None]
) -> Iterator[Scene | LeftOut]:
    """Yield what was found of each job, in their order.

    Args:
        jobs: to be done; what an earlier call has left beside their matrices is not done again.
        processes: how many work at once.
        told: how many are done, and the newest of them.
    """
    found: dict[int, Scene | LeftOut] = {}
    if processes == 1:
        for number, job in enumerate(jobs):
            found[number] = scene(job)
            told(len(found), job)
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(
            processes, mp_context=context, initializer=_end_with_parent
        ) as pool:
            running = {pool.submit(scene, job): number for number, job in enumerate(jobs)}
            for future in as_completed(running):
                found[running[future]] = future.result()
                told(len(found), jobs[running[future]])
    yield from (found[number] for number in range(len(jobs)))


def scene(job: Job) -> Scene | LeftOut:
    """Run all policies on a stream; of theirs, what a file beside the matrix holds is read."""
    try:
        return _scene(job)
    except RatoonError as error:
        return LeftOut(stream=job.stream, why=str(error))


def _scene(job: Job) -> Scene | LeftOut:
    stream = next(one for one in load(job.place, job.most) if one.name == Path(job.stream).name)
    with threadpool_limits(limits=1):
        bed = Bed.of(stream, Matrix.read(stream.chunks, WINDOWS, job.home))
        unit = unit_of(bed.means)
        if not unit > 1e-9:
            return LeftOut(
                stream=job.stream, why="no model ever loses anything, so a fit has no price"
            )
        known = hindsight(bed, unit, job.delays, job.costs)
        played = {family.name: _played(bed, unit, job, family) for family in families()}
    return Scene(
        job=job,
        task=stream.task,
        loss=stream.loss,
        rows=len(stream.y),
        chunks=stream.chunks.count,
        unit=unit,
        fit_s=bed.fit_s,
        plain=plain(stream),
        known=known,
        played=played,
    )


def _played(bed: Bed, unit: float, job: Job, family: Family) -> Played:
    """Run a policy with all settings, or read what it did before."""
    key = _key(bed, job, family)
    path = job.home / "policies" / f"{_plain_name(family.name)}.json"
    if family.name != OURS and (before := _read(path, key)) is not None:
        return before
    grid = replace(job, costs=job.costs if family.by_cost else job.costs[:1])
    family.run(_task(bed, unit, grid, 0, 0), family.settings[0])  # imports and caches are not timed
    parts = [_setting(bed, unit, grid, family, setting) for setting in family.settings]
    shape = (len(family.settings), len(job.delays), len(job.costs))
    loss, fits, extra = (
        np.broadcast_to(np.array([part[i] for part in parts]), shape) for i in range(3)
    )
    played = Played(loss=loss, fits=fits, extra=extra)
    _write(path, key, played)
    return played


def _setting(
    bed: Bed, unit: float, job: Job, family: Family, setting: Setting
) -> tuple[Array, Array, Array]:
    """Return loss, fits and extra computation of one setting, each by delay and cost.

    A policy that knows no cost, and never fires, sees the same with a longer delay, only less.
    """
    found = np.zeros((3, len(job.delays), len(job.costs)))
    for j in range(len(job.delays)):
        for k in range(len(job.costs)):
            if j and not family.by_cost and job.delays[j] > job.delays[j - 1]:
                found[:, j, k] = found[:, j - 1, k]
                if not found[1, j, k]:
                    continue
            done = family.run(_task(bed, unit, job, j, k), setting)
            found[:, j, k] = *loss_and_fits(bed, done.schedule), done.extra(bed)
    return found[0], found[1], found[2]


def _task(bed: Bed, unit: float, job: Job, delay: int, cost: int) -> Task:
    price = job.costs[cost] * unit * bed.rows
    return Task(bed=bed, delay=job.delays[delay], cost=price)


def _key(bed: Bed, job: Job, family: Family) -> str:
    """Return a digest of all that the decisions follow from."""
    modules = (decisions_running, decisions_inputs, simulating, combine, protocol, seen)
    codes = [_source(one) for one in (*modules, regret, prefix, *_flat(family.of))]
    settings = [dict(one) for one in family.settings]
    owner = (job.home / "matrix.json").read_bytes() if (job.home / "matrix.json").exists() else b""
    cells = [job.delays, tuple(map(float, job.costs)), bed.matrix.fit_s.sum()]
    told = repr((_SCHEMA, PREFIX, owner, settings, cells, _source(family.run), codes))
    return hashlib.sha256(told.encode()).hexdigest()


def _flat(things: Any) -> Iterator[Any]:
    for thing in things:
        if isinstance(thing, tuple):
            yield from _flat(thing)
        else:
            yield thing


def _source(thing: Any) -> str:
    """Return the code of a module, of the module of a class, or of a function.

    Without docstrings and comments, so that other words make nothing be done again.
    """
    whole = sys.modules[thing.__module__] if inspect.isclass(thing) else thing
    code = textwrap.dedent(inspect.getsource(whole))
    try:
        tree = ast.parse(code)
    except SyntaxError:  # of a lambda, which is a part of a line
        return "".join(code.split())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)


def _plain_name(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def _read(path: Path, key: str) -> Played | None:
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if body.get("key") != key:
        return None
    return Played(**{name: np.array(body[name]) for name in ("loss", "fits", "extra")})


def _write(path: Path, key: str, played: Played) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {name: getattr(played, name).tolist() for name in ("loss", "fits", "extra")}
    aside = path.with_suffix(".part")
    aside.write_text(json.dumps({"key": key, **arrays}), encoding="utf-8")
    aside.replace(path)
