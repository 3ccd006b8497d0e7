"""Policies beside each other: what they cost above the best that could have been done.

A cell is a stream, a learner, a seed, a delay of labels and a cost of a fit. What a policy costs in
it is J = loss + cost x (fits + all else that it computed, in units of a full fit), and its
normalised regret NR is 0 where it costs what the split oracle does, 1 where it costs what the best
fixed schedule does that hindsight finds. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.decisions_cells import Job, LeftOut, Scene, scenes
from benchmarks.decisions_learners import LEARNERS, SEEDED, Bench
from benchmarks.decisions_matrices import home_of, matrices, under
from benchmarks.decisions_page import page, pictures
from benchmarks.decisions_report import as_json, goals, outcome, printed
from benchmarks.decisions_streams import found
from ratoon.core.errors import RatoonError

COSTS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of a fit, in mean losses of a chunk
_DEMO = Path(__file__).parents[1] / "src" / "ratoon" / "demo" / "streams"
_CACHE = Path(__file__).parents[1] / ".bench" / "decisions"
_THIN = 20_000  # rows
_UNREADABLE = (RatoonError, OSError, KeyError, TypeError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be compared."""

    streams: tuple[Path, ...]
    learners: tuple[str, ...]
    seeds: tuple[int, ...]
    delays: tuple[int, ...]
    costs: tuple[float, ...]
    most: int | None  # rows of a stream
    folder: Path
    processes: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Compute what is missing, print the table, and write what is asked for."""
    options = _parser().parse_args(arguments)
    asked = _asked(options)
    if not found(asked.streams):
        print(f"There is no stream in or below {', '.join(map(str, asked.streams))}.")
        return 0
    judged = outcome(_all(asked))
    print(printed(judged))
    for goal in goals(judged):
        told = "met" if goal["met"] else "missed"
        print(f"{goal['name']}: {goal['figure']:.2f} {goal['op']} {goal['goal']:.2f}: {told}")
    command = " ".join(["python -m benchmarks.decisions", *(arguments or sys.argv[1:])])
    if options.json is not None:
        body = {"command": command, **_machine(), "asked": _told(asked), **as_json(judged)}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    if options.page is not None and judged.scenes:
        options.page.parent.mkdir(parents=True, exist_ok=True)
        options.page.write_text(page(judged, command), encoding="utf-8")
    if options.pictures is not None:
        options.pictures.mkdir(parents=True, exist_ok=True)
        for name, drawn in pictures(judged).items():
            (options.pictures / f"{name}.svg").write_text(drawn, encoding="utf-8")
    return 0


def _all(asked: Asked) -> list[Scene | LeftOut]:
    """Return every stream with every learner and seed."""
    jobs: list[Job] = []
    left_out: list[LeftOut] = []
    for learner in asked.learners:
        for seed in asked.seeds if learner in SEEDED else asked.seeds[:1]:
            for one in _jobs(asked, learner, seed):
                (jobs if isinstance(one, Job) else left_out).append(one)  # type: ignore[arg-type]

    def told(done: int, job: Job) -> None:
        what = f"{job.stream}, {job.learner}, seed {job.seed}"
        print(f"policies: {done} of {len(jobs)}: {what}", file=sys.stderr, flush=True)

    return [*scenes(jobs, asked.processes, told), *left_out]


def _jobs(asked: Asked, learner: str, seed: int) -> Iterator[Job | LeftOut]:
    """Yield a job for each stream, when its matrix is there."""
    folder = under(asked.folder, learner, seed, asked.most)
    places = found(asked.streams)
    for number, place in enumerate(places, start=1):
        same = [other for other in places if other.name == place.name]
        name = place.name if len(same) == 1 else f"{place.parent.name}/{place.name}"
        print(f"matrix {number} of {len(places)}: {name}, {learner}, seed {seed}", file=sys.stderr)
        try:
            made = matrices([place], learner, seed, folder, asked.most, processes=asked.processes)
            for stream, _ in made:
                bench = Bench(stream=stream, learner=learner, seed=seed)
                yield Job(
                    stream=name.removesuffix(place.name) + stream.name,
                    place=place,
                    most=asked.most,
                    learner=learner,
                    seed=seed,
                    home=home_of(folder, bench),
                    delays=asked.delays,
                    costs=asked.costs,
                )
        except _UNREADABLE as error:
            yield LeftOut(stream=name, why=f"{type(error).__name__}: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decisions", description=__doc__)
    add = parser.add_argument
    add(
        "--streams", type=Path, action="append", metavar="DIR", help="a stream, or a folder of them"
    )
    add("--learner", choices=sorted(LEARNERS), action="append", help="by default all")
    add("--seeds", type=_whole, metavar="N,N", help="of the learner's draws; by default 0,1,2")
    add("--delays", type=_whole, metavar="D,D", help="of labels, in chunks; by default 0,1,3")
    add("--costs", type=_numbers, metavar="C,C", help="of a fit, in mean losses of a chunk")
    add("--rows", type=int, metavar="N", help="thin streams to at most so many rows")
    add("--quick", action="store_true", help="LightGBM, one seed, delays 0 and 1, 20,000 rows")
    add("--folder", type=Path, default=_CACHE, help="where matrices are kept")
    add("--processes", type=int, default=os.cpu_count() or 1, help="that work at once")
    add("--json", type=Path, metavar="FILE", help="write the figures there")
    add(
        "--page", type=Path, metavar="FILE", help="write a page with a picture of each stream there"
    )
    add("--pictures", type=Path, metavar="DIR", help="write the pictures there, a file for each")
    return parser


def _whole(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(sorted(float(part) for part in text.split(",")))


def _asked(options: argparse.Namespace) -> Asked:
    """Fill in what was not said; without a folder of streams, those of the demo are taken."""
    quick = options.quick
    if options.streams is None:
        print(f"No --streams is given, so those of the demo are taken: {_DEMO}", file=sys.stderr)
    return Asked(
        streams=tuple(options.streams or [_DEMO]),
        learners=tuple(options.learner or (["lightgbm"] if quick else sorted(LEARNERS))),
        seeds=options.seeds or ((0,) if quick else (0, 1, 2)),
        delays=tuple(sorted(options.delays or ((0, 1) if quick else (0, 1, 3)))),
        costs=options.costs or COSTS,
        most=options.rows or (_THIN if quick else None),
        folder=options.folder,
        processes=options.processes,
    )


def _told(asked: Asked) -> dict[str, object]:
    names: Iterable[str] = ("learners", "seeds", "delays", "costs", "most")
    return {name: getattr(asked, name) for name in names}


def _machine() -> dict[str, str]:
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return {"machine": machine, "commit": commit}


if __name__ == "__main__":
    raise SystemExit(main())
