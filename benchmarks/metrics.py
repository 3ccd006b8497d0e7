"""Metrics of 10,000-row windows, with standard errors, beside scikit-learn's values alone.

    python -m benchmarks.metrics [--quick] [--json FILE]

CPU time of this process, the median of several runs; both see the same arrays in the same run.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from sklearn import metrics as peer

from ratoon.core.measuring import Window
from ratoon.metrics import F1, MAE, R2, RMSE, Accuracy, Brier, LogLoss, Precision, Recall, RocAuc
from ratoon.windows.judged import Judged, Scored, Target

ROWS = 10_000
GOAL = 2.0  # times faster than the peer, though the standard error comes with it
_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = Window(start=_MOMENT, end=_MOMENT)


def binary(rng: np.random.Generator) -> tuple[Judged, list[tuple[Any, Callable[[], Any]]]]:
    """Return a binary window, and each metric beside the peer's call for it."""
    truth = rng.integers(0, 2, ROWS)
    p = np.clip(0.5 + 0.25 * (truth - 0.5) + 0.2 * rng.normal(size=ROWS), 0.01, 0.99)
    out = (p > 0.5).astype(int)
    scored = Scored(outputs=out.astype(float), scores=np.column_stack([1 - p, p]))
    target = Target(task="binary", classes=(0, 1))
    pairs: list[tuple[Any, Callable[[], Any]]] = [
        (Accuracy(), lambda: peer.accuracy_score(truth, out)),
        (Precision(), lambda: peer.precision_score(truth, out)),
        (Recall(), lambda: peer.recall_score(truth, out)),
        (F1(), lambda: peer.f1_score(truth, out)),
        (LogLoss(), lambda: peer.log_loss(truth, p)),
        (Brier(), lambda: peer.brier_score_loss(truth, p)),
        (RocAuc(), lambda: peer.roc_auc_score(truth, p)),
    ]
    return Judged(target=target, labels=truth.astype(float), scored=scored), pairs


def regression(rng: np.random.Generator) -> tuple[Judged, list[tuple[Any, Callable[[], Any]]]]:
    """Return a window of numbers, and each metric beside the peer's call for it."""
    truth = rng.normal(size=ROWS)
    out = truth + rng.normal(size=ROWS)
    pairs: list[tuple[Any, Callable[[], Any]]] = [
        (MAE(), lambda: peer.mean_absolute_error(truth, out)),
        (RMSE(), lambda: peer.root_mean_squared_error(truth, out)),
        (R2(), lambda: peer.r2_score(truth, out)),
    ]
    target = Target(task="regression")
    return Judged(target=target, labels=truth, scored=Scored(outputs=out)), pairs


def cost_ms(call: Callable[[], Any], runs: int) -> float:
    """Return the median CPU time of a call over `runs`, each of ten calls."""
    found: list[float] = []
    for _ in range(runs):
        started = process_time()
        for _ in range(10):
            call()
        found.append((process_time() - started) * 100)
    return statistics.median(found)


def measured(runs: int) -> dict[str, dict[str, float]]:
    """Return the times and the ratio of each metric."""
    rng, figures = np.random.default_rng(0), {}
    for judged, pairs in (binary(rng), regression(rng)):
        for metric, asked in pairs:
            ours = cost_ms(lambda m=metric, j=judged: m.measure(j, WINDOW), runs)
            theirs = cost_ms(asked, runs)
            value = metric.measure(judged, WINDOW).value
            difference = abs(value - float(asked()))
            figures[metric.name] = {
                "ratoon_ms": round(ours, 4),
                "sklearn_ms": round(theirs, 4),
                "ratio": round(theirs / ours, 2),
                "difference": difference,
            }
    return figures


def main() -> None:
    """Print the table; write the figures where they are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    asked = parser.parse_args()
    figures = measured(5 if asked.quick else 25)
    print(f"{'metric':<10} {'ratoon ms':>10} {'sklearn ms':>11} {'ratio':>6} {'difference':>11}")
    for name, f in figures.items():
        times = f"{f['ratoon_ms']:>10.3f} {f['sklearn_ms']:>11.3f}"
        print(f"{name:<10} {times} {f['ratio']:>6.1f} {f['difference']:>11.1e}")
    least = min(f["ratio"] for f in figures.values())
    goal = {"name": "least ratio", "figure": least, "op": ">=", "goal": GOAL, "met": least >= GOAL}
    print(f"least ratio {least:.1f}, goal {GOAL:.0f}: {'met' if goal['met'] else 'missed'}")
    if asked.json is not None:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        ).stdout.strip()
        machine = f"{platform.machine()}, Python {platform.python_version()}"
        body = {"machine": machine, "commit": commit, "figures": figures, "goals": [goal]}
        asked.json.write_text(json.dumps(body, indent=2) + "\n")


if __name__ == "__main__":
    main()
