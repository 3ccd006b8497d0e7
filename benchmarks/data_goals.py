"""What the figures of the data layer are held to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_READ_RATIO = 1.3  # times what polars takes for the same files
_MEMORY_MIB = 1_024
_LIMIT_MIB = 512
_LIMIT_RATIO = 1.1  # "as fast as without a limit", but for noise
_MERGE_RATIO = 0.25  # "a quarter of the cost of a MERGE"
_GROWTH = 1.5  # "does not grow", but for noise
_SHORT_MS = 0.05  # steps below this are no cost

_Part = Mapping[str, Mapping[str, float]]


def goals_of(figures: Mapping[str, _Part]) -> list[dict[str, Any]]:
    """Return each goal with its figure, of the parts that were measured."""
    steps = {
        "recording": _recording,
        "joining": _joining,
        "reading": _reading,
        "streaming": _streaming,
        "growing": _growing,
    }
    return [goal for name, step in steps.items() if name in figures for goal in step(figures[name])]


def _goal(name: str, figure: float, op: str, goal: float) -> dict[str, Any]:
    met = figure <= goal if op == "<=" else figure >= goal
    return {"name": name, "figure": round(figure, 3), "op": op, "goal": goal, "met": met}


def _recording(part: _Part) -> Iterator[dict[str, Any]]:
    """Rows a second over those of SQLite, the other one whose rows are on the disk."""
    for name, ours in part.items():
        what, _, who = name.partition(": ")
        if who.startswith("Ratoon"):
            ratio = ours["rows_per_s"] / part[f"{what}: SQLite"]["rows_per_s"]
            yield _goal(f"{name}: rows a second, over SQLite", ratio, ">=", 1)


def _joining(part: _Part) -> Iterator[dict[str, Any]]:
    """Late labels with ids made by Ratoon, over a MERGE."""
    if not part.get("Delta, MERGE"):
        return
    ours, merge = part["Ratoon, ids made"], part["Delta, MERGE"]
    for kind in ("wall_s", "cpu_s"):
        ratio = ours[f"add_{kind}"] / merge[f"add_{kind}"]
        yield _goal(f"late labels added: {kind}, over a MERGE", ratio, "<=", _MERGE_RATIO)


def _reading(part: _Part) -> Iterator[dict[str, Any]]:
    """The pinned snapshot over polars, which reads the same columns of the same files."""
    theirs = part["polars, 20 features"]
    if not theirs:
        return
    for name in ("Ratoon, pinned snapshot", "Ratoon, table, 20 features"):
        for kind in ("wall_s", "cpu_s"):
            ratio = part[name][kind] / theirs[kind]
            yield _goal(f"{name}: {kind}, over polars", ratio, "<=", _READ_RATIO)


def _streaming(part: _Part) -> Iterator[dict[str, Any]]:
    for name, figures in part.items():
        if "peak_mib" in figures:
            yield _goal(f"{name}: peak MiB", figures["peak_mib"], "<=", _MEMORY_MIB)


def _growing(part: _Part) -> Iterator[dict[str, Any]]:
    """The CPU time of each step behind the longest history over that behind the shortest."""
    histories = [figures for name, figures in part.items() if name.endswith(" rows")]
    histories = [figures for figures in histories if "open cpu_ms" in figures]
    first, last = histories[0], histories[-1]
    for name in first:
        if name.endswith(" cpu_ms"):
            ratio = last[name] / max(first[name], _SHORT_MS)
            told = f"{name.removesuffix(' cpu_ms')}: longest history over the shortest"
            yield _goal(told, ratio, "<=", _GROWTH)
    yield _goal("behind the longest history: peak MiB", last["peak_mib"], "<=", _MEMORY_MIB)
    limited, free = (
        next(figures for name, figures in part.items() if name.startswith(f"DuckDB, {limit}"))
        for limit in (f"{_LIMIT_MIB} MiB", "no limit")
    )
    yield _goal("DuckDB within its limit: peak MiB", limited["peak_mib"], "<=", _MEMORY_MIB)
    ratio = limited["cpu_s"] / free["cpu_s"]
    yield _goal("DuckDB within its limit: CPU time, over no limit", ratio, "<=", _LIMIT_RATIO)
