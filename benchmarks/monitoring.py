"""Drift of a large table beside its peers, a hundred million rows, and alarms without drift.

    python -m benchmarks.monitoring [--quick] [--json FILE] [--part NAME] [--folder FOLDER]

A million rows against a million: twelve columns of numbers with missing values, eight of
categories with up to a thousand levels. Ratoon compares with a kept summary, each peer with what
it keeps; all in processes of their own, CPU time of all threads. Evidently, NannyML, whylogs and
river run in environments of their own, which `make bench-setup` makes, and are left out where
there are none. Metrics window by window are measured by `monitoring_metrics`, estimates without
labels by `monitoring_estimates`, streaming detectors by `detectors`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.data_measuring import once, python_of
from benchmarks.monitoring_tables import LEVELS, NUMBERS, table, write

PEERS = ("evidently", "nannyml", "nannyml_tests", "whylogs", "river")
FILES = 100  # of the many rows; ten differ
DISTINCT = 10
WINDOWS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured."""

    table: int  # rows of each side
    file: int  # rows of a Parquet file
    windows: int  # of the stream without drift


FULL = Size(table=1_000_000, file=1_000_000, windows=1000)
QUICK = Size(table=100_000, file=20_000, windows=100)


def drift(size: Size, folder: Path) -> dict[str, Any]:
    """Measure the drift of the table by everyone, and the exact distances."""
    write(folder, size.table)
    given = {"folder": str(folder)}
    found: dict[str, Any] = {
        "ratoon": once("monitoring_steps:ratoon", given),
        "bound": once("monitoring_steps:bound", given),
        "scipy": once("monitoring_peers:scipy", given),
    }
    for peer in PEERS:
        python = python_of(peer.partition("_")[0])
        if python is None:
            found[peer] = None
            continue
        try:
            found[peer] = once(f"monitoring_peers:{peer}", given, python)
        except RuntimeError as error:
            print(f"{peer} failed: {str(error)[-600:]}")
            found[peer] = None
    return found


def sorting(size: Size, folder: Path) -> dict[str, Any]:
    """Measure exact Kolmogorov-Smirnov distances beside sorting alone, and scipy."""
    write(folder, size.table)
    return once("monitoring_steps:sorting", {"folder": str(folder)})


def parquet(size: Size, folder: Path) -> dict[str, Any]:
    """Monitor a hundred files of Parquet, ten of which differ and are linked ten times."""
    rng = np.random.default_rng(0)
    log = folder / "log"
    log.mkdir()
    _to_parquet(table(rng, size.file, moved=False), folder / "reference.parquet")
    for number in range(DISTINCT):
        _to_parquet(
            table(rng, size.file, moved=number >= DISTINCT // 2), log / f"{number:03}.parquet"
        )
    for number in range(DISTINCT, FILES):
        os.link(log / f"{number % DISTINCT:03}.parquet", log / f"{number:03}.parquet")
    window = size.file * FILES // WINDOWS
    reference = str(folder / "reference.parquet")
    given = {"folder": str(log), "reference": reference, "window": window}
    return once("monitoring_steps:parquet", given)


def _to_parquet(columns: Mapping[str, Any], path: Path) -> None:
    made = {name: pa.array(columns[name], from_pandas=True) for name in NUMBERS}
    for name, levels in LEVELS.items():
        words = pa.array([f"level {i}" for i in range(levels)])
        made[name] = pa.DictionaryArray.from_arrays(columns[name], words)
    pq.write_table(pa.table(made), path)


def stationary(size: Size, folder: Path) -> dict[str, Any]:
    """Count alarms in a stream of fifty columns in which nothing changes."""
    del folder
    given = {"windows": size.windows, "columns": 50, "rows": 1000}
    return {"windows": size.windows, **once("monitoring_steps:stationary", given)}


PARTS: Mapping[str, Callable[[Size, Path], dict[str, Any]]] = {
    "drift": drift,
    "sorting": sorting,
    "parquet": parquet,
    "stationary": stationary,
}


def show(part: str, found: Mapping[str, Any]) -> None:
    """Print the figures of a part."""
    print(f"\n{part}")
    for name, value in found.items():
        if isinstance(value, Mapping):
            told = ", ".join(f"{key} {figure:,.4g}" for key, figure in value.items())
            print(f"  {name:<12} {told}")
        else:
            print(f"  {name:<28} {'not there' if value is None else f'{value:,.4g}'}")


def goals(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the goals of the parts that were measured."""
    made: list[tuple[str, float, str, float]] = []
    if "drift" in figures:
        found = figures["drift"]
        ours = found["ratoon"]["cpu_s"]
        others = [found[n]["cpu_s"] for n in ("scipy", *PEERS) if found.get(n)]
        made += [("times the bound", ours / found["bound"]["cpu_s"], "<=", 2.0)]
        made += [("times faster than the fastest peer", min(others) / ours, ">=", 7.0)]
        made += [
            (f"times faster than {peer}", found[peer]["cpu_s"] / ours, ">=", goal)
            for peer, goal in (("nannyml", 15.0), ("evidently", 200.0))
            if found.get(peer)
        ]
        made += [("extra MiB", found["ratoon"]["extra_mib"], "<=", 60.0)]
    if "sorting" in figures:
        found = figures["sorting"]
        made += [
            (
                "exact KS over sorting and looking up",
                found["ratoon_s"] / found["usual_s"],
                "<=",
                1.2,
            )
        ]
        made += [("exact KS over the bare sort", found["ratoon_s"] / found["sort_s"], "<=", 1.2)]
        made += [("exact KS off scipy", found["largest_difference"], "<=", 1e-12)]
    if "parquet" in figures:
        found = figures["parquet"]
        costs = [value for name, value in found.items() if name.startswith("ns_a_row_at")]
        made += [("peak MiB of the many rows", found["peak_mib"], "<=", 1024.0)]
        made += [("cost of a row, last over first", costs[-1] / costs[0], "<=", 1.25)]
    if "stationary" in figures:
        found = figures["stationary"]
        most = max(1.0, 5 * found["windows"] / 1000)  # expected: 1 in 1,000; more than 5: 0.06 %
        made += [("alarms at the defaults", found["at_defaults"], "<=", most)]
        made += [("alarms at any effect", found["at_any_effect"], "<=", most)]
    met = {"<=": float.__le__, ">=": float.__ge__}
    return [
        {"name": name, "figure": round(f, 6), "op": op, "goal": goal, "met": met[op](f, goal)}
        for name, f, op, goal in made
    ]


def main() -> None:
    """Measure the parts that were asked for, print them, write them down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rows and windows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--part", choices=PARTS, help="measure one part alone")
    parser.add_argument("--folder", type=Path, help="where there is room for some GB")
    asked = parser.parse_args()
    figures: dict[str, Any] = {}
    if asked.json is not None and asked.part is not None and asked.json.exists():
        figures = json.loads(asked.json.read_text())["figures"]
    for name in [asked.part] if asked.part else list(PARTS):
        with TemporaryDirectory(dir=asked.folder) as folder:
            figures[name] = PARTS[name](QUICK if asked.quick else FULL, Path(folder))
        show(name, figures[name])
    made = goals(figures)
    for goal in made:
        told = "met" if goal["met"] else "missed"
        print(f"{goal['name']}: {goal['figure']:.4g}, goal {goal['op']} {goal['goal']:g}: {told}")
    if asked.json is not None:
        asked.json.write_text(
            json.dumps({**_about(asked), "figures": figures, "goals": made}, indent=2) + "\n"
        )


def _about(asked: argparse.Namespace) -> dict[str, str]:
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return {
        "machine": machine,
        "commit": commit,
        "command": "python -m benchmarks.monitoring" + (" --quick" if asked.quick else ""),
    }


if __name__ == "__main__":
    main()
