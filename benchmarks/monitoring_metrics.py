"""Five metrics of 100 windows of 10,000 rows, beside scikit-learn called window by window.

    python -m benchmarks.monitoring_metrics [--quick] [--json FILE]

CPU time of this process; all read the same arrays, in one run, in turns. "exact" are the values of
the rows, with their standard errors; "tally" keeps of each window what merges, and tells the
metrics from that: ROC-AUC from 2 x 1,000 bins, with a bound on its error.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import reduce
from operator import add
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from sklearn import metrics as peer

from ratoon.core import wire
from ratoon.core.measuring import Measurement, Window
from ratoon.metrics import F1, Accuracy, Precision, Recall, RocAuc, Tally, measure_all, tally
from ratoon.windows.judged import Judged, Scored, Target

WINDOWS, ROWS = 100, 10_000
GOAL = 25.0  # times the CPU time of scikit-learn called per window
_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = Window(start=_MOMENT, end=_MOMENT)
METRICS = (Accuracy(), Precision(), Recall(), F1(), RocAuc())
TARGET = Target(task="binary", classes=(0, 1))


def windows(rng: np.random.Generator, count: int) -> list[Judged]:
    """Return windows of a model that is right three times in four."""
    found: list[Judged] = []
    for _ in range(count):
        truth = rng.integers(0, 2, ROWS)
        p = np.clip(0.5 + 0.25 * (truth - 0.5) + 0.2 * rng.normal(size=ROWS), 0.01, 0.99)
        said = Scored(outputs=(p > 0.5).astype(float), scores=np.column_stack([1 - p, p]))
        found.append(Judged(target=TARGET, labels=truth.astype(float), scored=said))
    return found


def exact(rows: Sequence[Judged]) -> list[tuple[Measurement, ...]]:
    """Measure each window by its rows."""
    return [measure_all(METRICS, judged, WINDOW) for judged in rows]


def counted(rows: Sequence[Judged]) -> list[Tally]:
    """Keep what each window leaves behind."""
    return [tally(METRICS, judged) for judged in rows]


def told(tallies: Sequence[Tally]) -> list[list[Measurement]]:
    """Measure what windows have left behind."""
    return [[left.measure(metric, WINDOW) for metric in METRICS] for left in tallies]


def called(plain: Sequence[tuple[Any, Any, Any]]) -> list[list[float]]:
    """Call scikit-learn for each window, on its own kinds of arrays."""
    return [
        [
            peer.accuracy_score(truth, out),
            peer.precision_score(truth, out),
            peer.recall_score(truth, out),
            peer.f1_score(truth, out),
            peer.roc_auc_score(truth, p),
        ]
        for truth, out, p in plain
    ]


def cost_s(calls: dict[str, Callable[[], Any]], turns: int) -> dict[str, float]:
    """Return the median CPU time of each call, made in turns."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(turns):
        for name, call in calls.items():
            started = process_time()
            call()
            found[name].append(process_time() - started)
    return {name: statistics.median(times) for name, times in found.items()}


def figures(count: int, turns: int) -> dict[str, float]:
    """Return times, ratios, differences and sizes."""
    rows = windows(np.random.default_rng(0), count)
    plain = [
        (j.labels.astype(int), j.scored.outputs.astype(int), j.scored.scores[:, 1].copy())
        for j in rows
    ]
    tallies = counted(rows)
    only = (RocAuc(),)
    calls: dict[str, Callable[[], Any]] = {
        "sklearn": lambda: called(plain),
        "exact": lambda: exact(rows),
        "tally": lambda: told(counted(rows)),
        "tally_roc_auc": lambda: [tally(only, j).measure(only[0], WINDOW) for j in rows],
        "merge_and_tell": lambda: told([reduce(add, tallies)]),
    }
    calls["sklearn"]()  # its first call imports what it needs
    times = cost_s(calls, turns)
    theirs = np.array(called(plain))
    ours = np.array([[m.value for m in window] for window in exact(rows)])
    areas = [window[-1] for window in told(tallies)]
    off = [abs(m.value - area) for m, area in zip(areas, theirs[:, -1], strict=True)]
    bound = [m.high - m.value for m in areas]
    assert all(error <= most for error, most in zip(off, bound, strict=True))
    return {
        **{f"{name}_s": round(seconds, 4) for name, seconds in times.items()},
        "exact_times_sklearn": round(times["sklearn"] / times["exact"], 1),
        "tally_times_sklearn": round(times["sklearn"] / times["tally"], 1),
        "exact_largest_difference": float(np.abs(ours - theirs).max()),
        "tally_roc_auc_largest_difference": max(off),
        "tally_roc_auc_largest_bound": max(bound),
        "tally_bytes": float(len(wire.dumps(tallies[0]))),
    }


def main() -> None:
    """Print the table; write the figures where they are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer windows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    asked = parser.parse_args()
    found = figures(20 if asked.quick else WINDOWS, 3 if asked.quick else 7)
    for name, figure in found.items():
        print(f"{name:<34} {figure:>12.4g}")
    goals = [
        {"name": name, "figure": found[name], "op": op, "goal": goal, "met": met}
        for name, op, goal, met in (
            ("exact_times_sklearn", ">=", GOAL, found["exact_times_sklearn"] >= GOAL),
            ("tally_times_sklearn", ">=", GOAL, found["tally_times_sklearn"] >= GOAL),
            (
                "exact_largest_difference",
                "<=",
                1e-12,
                found["exact_largest_difference"] <= 1e-12,
            ),
        )
    ]
    for goal in goals:
        met = "met" if goal["met"] else "missed"
        print(f"{goal['name']} {goal['figure']:.4g}, goal {goal['op']} {goal['goal']:g}: {met}")
    if asked.json is not None:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        ).stdout.strip()
        machine = f"{platform.machine()}, Python {platform.python_version()}"
        command = "python -m benchmarks.monitoring_metrics" + (" --quick" if asked.quick else "")
        body = {"machine": machine, "commit": commit, "command": command}
        body |= {"figures": found, "goals": goals}
        asked.json.write_text(json.dumps(body, indent=2) + "\n")


if __name__ == "__main__":
    main()
