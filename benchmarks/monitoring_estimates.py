"""Performance without labels: how fast beside NannyML, and how near to what the labels said.

    python -m benchmarks.monitoring_estimates [--quick] [--json FILE]
        [--part speed|nearness] [--nannyml PYTHON] [--streams FOLDER]

Speed is CPU time. NannyML runs in an environment of its own (NannyML 0.13.1, pandas below 3 and
statsmodels, on Python below 3.13), by default `.bench/nannyml`, and is left out where there is
none. Nearness is measured on every stream in FOLDER, by default those of the demo: a folder each,
with `data.parquet` (rows in order, the label last, as `target`) and `meta.json` (`task`,
`index_columns`). `--part` measures one part alone and leaves the other in FILE as it was.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data_measuring import python_of
from benchmarks.monitoring_estimates_speed import METRICS, speed
from benchmarks.monitoring_estimates_streams import Score, load, scores_of

BUNDLED = Path("src/ratoon/demo/streams")
FASTER, APART = 40.0, 1e-6  # ROC-AUC: NannyML rounds to five places on the way


def nearness(folder: Path, rows: int) -> Iterator[dict[str, Any]]:
    """Yield a figure for each stream, metric and method."""
    for path in sorted(each.parent for each in folder.glob("*/meta.json")):
        stream = load(path, rows)
        for metric, methods in scores_of(stream).items():
            for method, score in methods.items():
                if score.errors:
                    yield {
                        "stream": stream.name,
                        "metric": metric,
                        "method": method,
                        **_summed(score),
                    }


def _summed(score: Score) -> dict[str, Any]:
    trusted = float(np.mean(score.trusted)) if score.trusted else None
    return {
        "windows": len(score.errors),
        "mean_error": round(float(np.mean(score.errors)), 4),
        "inside_95": round(float(np.mean(score.inside)), 2),
        "inside_nannyml_band": round(float(np.mean(score.inside_nannyml)), 2),
        "trusted_share": round(len(score.trusted) / len(score.errors), 2),
        "trusted_error": None if trusted is None else round(trusted, 4),
        "cpu_s_a_window": round(score.cpu_s, 3),
    }


def show_speed(found: dict[str, Any]) -> None:
    """Print CPU seconds and ratio."""
    print(f"\nCBPE of {found['rows']:,} rows, {found['windows']} windows: CPU seconds")
    for side in ("ratoon", "nannyml"):
        if side in found:
            fit, estimate = found[side]["fit_s"], found[side]["estimate_s"]
            print(f"  {side:8} fit {fit:.3f}, estimate {estimate:.3f}")
    for name in METRICS if "ratio" in found else ():
        value, error = found[f"{name}_apart"], found[f"{name}_sampling_error_apart"]
        print(f"  {name:10} apart by {value:.0e}, its sampling error by {error:.0e}")


def show_nearness(found: list[dict[str, Any]]) -> None:
    """Print the mean absolute error of estimates, by metric, stream and method."""
    print("\n|estimated - measured|, mean over the windows; in brackets the share in the 95% band")
    print("MAE: as a share of that of the reference")
    for metric in sorted({one["metric"] for one in found}):
        rows = [one for one in found if one["metric"] == metric]
        methods = list(dict.fromkeys(one["method"] for one in rows))
        print(f"\n{metric:22} " + " ".join(f"{method:>15}" for method in methods))
        for stream in dict.fromkeys(one["stream"] for one in rows):
            cells = {one["method"]: one for one in rows if one["stream"] == stream}
            told = [f"{c['mean_error']:.3f} ({c['inside_95']:.2f})" for c in cells.values()]
            print(f"{stream:22} " + " ".join(f"{cell:>15}" for cell in told))


def goals_of(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the goals and whether they were met."""
    if "ratio" not in found:
        return []
    apart = max(found[f"{name}_apart"] for name in METRICS)
    return [
        _goal("CBPE, times faster than NannyML", found["ratio"], ">=", FASTER),
        _goal("CBPE, farthest from NannyML's values", apart, "<=", APART),
    ]


def _goal(name: str, figure: float, op: str, goal: float) -> dict[str, Any]:
    met = figure >= goal if op == ">=" else figure <= goal
    return {"name": name, "figure": figure, "op": op, "goal": goal, "met": met}


def main() -> None:
    """Print the tables; write the figures where they are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--part", choices=("speed", "nearness"), help="measure this part alone")
    parser.add_argument("--nannyml", metavar="PYTHON", help="the interpreter that has NannyML")
    parser.add_argument("--streams", type=Path, default=BUNDLED, metavar="FOLDER")
    asked = parser.parse_args()
    figures = _figures_in(asked.json)
    if asked.part != "nearness":
        rows, runs = (100_000, 1) if asked.quick else (1_000_000, 3)
        figures["speed"] = speed(asked.nannyml or python_of("nannyml"), rows, runs)
        show_speed(figures["speed"])
    if asked.part != "speed":
        rows = 4_000 if asked.quick else 20_000
        figures["nearness"] = list(nearness(asked.streams, rows))
        show_nearness(figures["nearness"])
    goals = goals_of(figures.get("speed", {}))
    for goal in goals:
        told = "met" if goal["met"] else "missed"
        print(f"{goal['name']}: {goal['figure']:g} {goal['op']} {goal['goal']:g}, {told}")
    if asked.json is not None:
        _write(asked.json, figures, goals, quick=asked.quick)


def _figures_in(file: Path | None) -> dict[str, Any]:
    """Return the figures that stand in the file already."""
    if file is None or not file.exists():
        return {}
    return json.loads(file.read_text())["figures"]


def _write(
    file: Path, figures: dict[str, Any], goals: list[dict[str, Any]], *, quick: bool
) -> None:
    call = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(call, capture_output=True, text=True, check=False).stdout.strip()
    body = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "commit": commit,
        "command": "python -m benchmarks.monitoring_estimates" + (" --quick" if quick else ""),
        "figures": figures,
        "goals": goals,
    }
    file.write_text(json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    main()
