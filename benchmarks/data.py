"""The data under a loop, side by side with SQLite, Delta, Lance, DuckDB and polars.

    python -m benchmarks.data [--quick] [--json FILE] [--part NAME ...] [--folder FOLDER]

Every step runs in a fresh process, several times; the figures are medians. Peers that Ratoon is
not made of stand in environments of their own: `make bench-setup`. The full form needs 30 GB of
disk, and an hour.

recording   rows of 20 columns in batches, durable when a call returns (Ratoon, SQLite), or in the
            memory of the system alone (Delta, Lance, which flush nothing)
joining     late labels of rows from all over a history, added in batches of 10,000, and read
reading     a pinned snapshot beside `polars.read_parquet` of the same files
streaming   a table of 5 GiB in less than 1 GiB
growing     each step behind histories of growing length
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from benchmarks.data_goals import goals_of
from benchmarks.data_measuring import medians, once, python_of

Part: TypeAlias = dict[str, dict[str, float]]
"""What was measured of whom, and its figures."""

Measured: TypeAlias = Iterator[tuple[str, dict[str, float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured."""

    runs: int
    batches: Mapping[int, int]  # how many batches of each size a durable contender records
    joined: tuple[int, int]  # predictions, labels
    snapshot: int  # rows
    table_gib: float
    histories: tuple[int, ...]  # rows, rising
    long: int  # rows of the longest history that DuckDB aggregates


QUICK = Scale(
    runs=1,
    batches={1: 200, 100: 30, 10_000: 5},
    joined=(500_000, 50_000),
    snapshot=300_000,
    table_gib=0.25,
    histories=(300_000, 3_000_000),
    long=1_500_000,
)
FULL = Scale(
    runs=3,
    batches={1: 1_000, 100: 200, 10_000: 30},
    joined=(10_000_000, 1_000_000),
    snapshot=10_000_000,
    table_gib=5.0,
    histories=(1_000_000, 10_000_000, 100_000_000),
    long=50_000_000,
)
MADE_SHARE = 0.8  # of the rows of a history have ids that were made by Ratoon
LABELLED_EVERY = 10
LIMIT_MIB = 512
UNLIMITED_MIB = 16_384
_FEW = 100  # batches at most of those whose appends take long


def recording(folder: Path, scale: Scale) -> Measured:
    """Record rows in batches."""
    for batch, batches in scale.batches.items():
        given = {"folder": str(folder), "batch": batch, "batches": batches}
        few = given | {"batches": min(batches, _FEW)}
        made = medians("data_recording:ratoon", given, scale.runs)
        yield f"batches of {batch}: Ratoon, ids made", made
        others = medians("data_recording:ratoon", given | {"foreign": True}, scale.runs)
        yield f"batches of {batch}: Ratoon, ids of others", others
        yield f"batches of {batch}: SQLite", medians("data_recording:sqlite", given, scale.runs)
        delta = medians("data_recording:delta", few, scale.runs)
        yield f"batches of {batch}: Delta, not flushed", delta
        lance = _of_peer("lance", "data_recording:lance", few, scale.runs)
        yield f"batches of {batch}: Lance, not flushed", lance
    given = {"folder": str(folder), "batch": 1, "batches": scale.batches[1] * 2, "threads": 8}
    ours = medians("data_recording:ratoon", given | {"foreign": True}, scale.runs)
    yield "single rows, 8 threads: Ratoon", ours
    sqlite = medians("data_recording:sqlite", given, scale.runs)
    yield "single rows, 8 threads: SQLite", sqlite


def joining(folder: Path, scale: Scale) -> Measured:
    """Join late labels to predictions."""
    rows, labels = scale.joined
    for name, share in (("ids made", 1.0), ("ids of others", 0.0)):
        home = {"home": str(folder / name)}
        once("data_histories:build", home | {"rows": rows, "made_share": share})
        given = home | {"rows": rows, "labels": labels, "foreign": not share}
        added = medians("data_joining:ratoon_label", given, scale.runs)
        read = medians("data_joining:ratoon_read", home | {"labels": labels}, scale.runs)
        yield (
            f"Ratoon, {name}",
            {
                "add_wall_s": added["wall_s"],
                "add_cpu_s": added["cpu_s"],
                "read_wall_s": read["wall_s"],
                "read_cpu_s": read["cpu_s"],
                "peak_mib": max(added["peak_mib"], read["peak_mib"]),
            },
        )
    given = {"folder": str(folder), "rows": rows, "labels": labels}
    once("data_joining:prepare_peers", given | {"runs": scale.runs})
    for name, step in (
        ("DuckDB, two Parquet files", "duckdb_join"),
        ("SQLite, two tables", "sqlite_join"),
        ("Delta, MERGE", "delta_merge"),
    ):
        yield name, medians(f"data_joining:{step}", given, scale.runs)


def reading(folder: Path, scale: Scale) -> Measured:
    """Read a pinned snapshot, and the files that it lies in."""
    home: dict[str, Any] = {"home": str(folder / "home")}
    yield "recorded", medians("data_reading:record", home | {"rows": scale.snapshot}, 1)
    yield "digest alone", medians("data_reading:pin", home | {"rows": scale.snapshot}, 1)
    anew = medians("data_reading:unpin_anew", home, scale.runs)
    yield "Ratoon, pinned snapshot, compared with its digest", anew
    yield "Ratoon, pinned snapshot", medians("data_reading:unpin", home, scale.runs)
    files = once("data_reading:files", home)
    for name, everything in (("20 features", False), ("all columns", True)):
        asked = {"all_columns": everything}
        ours = medians("data_reading:table", home | asked, scale.runs)
        yield f"Ratoon, table, {name}", ours
        theirs = _of_peer("polars", "data_reading:polars", files | asked, scale.runs)
        yield f"polars, {name}", theirs


def streaming(folder: Path, scale: Scale) -> Measured:
    """Go through a table that is larger than the memory that a step may use."""
    home: dict[str, Any] = {"home": str(folder / "table")}
    yield "table", medians("data_streaming:build", home | {"gib": scale.table_gib}, 1)
    limited = home | {"limit_mib": LIMIT_MIB}
    yield "sums, streamed", medians("data_streaming:scan", home, scale.runs)
    wide = medians("data_streaming:duckdb_wide", limited, scale.runs)
    yield f"DuckDB, {LIMIT_MIB} MiB: aggregates of 20 columns", wide
    yield "every SHA-256", medians("data_streaming:verify", home, scale.runs)
    yield "export to Parquet", medians("data_streaming:export", home, 1)


def growing(folder: Path, scale: Scale) -> Measured:
    """Take each step behind histories of growing length."""
    for rows in scale.histories:
        home = str(folder / str(rows))
        given = {"home": home, "rows": rows, "made_share": MADE_SHARE}
        built = once("data_histories:build", given | {"labelled_every": LABELLED_EVERY})
        told = medians("data_growing:steps", given, scale.runs)
        yield f"{rows:,} rows", {"history_mib": round(built["mib"]), **told}
    for name, limit in ((f"{LIMIT_MIB} MiB", LIMIT_MIB), ("no limit", UNLIMITED_MIB)):
        given = {"home": home, "rows": scale.long, "limit_mib": limit}
        asked = medians("data_streaming:duckdb_long", given, scale.runs)
        yield f"DuckDB, {name}: aggregates and histograms of {scale.long:,} rows", asked


PARTS: Mapping[str, Callable[[Path, Scale], Measured]] = {
    "recording": recording,
    "joining": joining,
    "reading": reading,
    "streaming": streaming,
    "growing": growing,
}


def _of_peer(peer: str, step: str, given: Mapping[str, Any], runs: int) -> dict[str, float]:
    """Measure a peer; no figures where its environment is not there."""
    python = python_of(peer)
    if python is None:
        print(f"{peer} is not there: make bench-setup")
        return {}
    return medians(step, given, runs, python)


def table_of(part: Part) -> list[str]:
    """Return a part as lines: a row for each contender, or for each figure where those are many."""
    several = {name: figures for name, figures in part.items() if figures}
    names = list(dict.fromkeys(key for figures in several.values() for key in figures))
    if len(names) > len(part) * 2:
        turned = {key: {n: f[key] for n, f in several.items() if key in f} for key in names}
        return table_of(turned) if len(turned) * 2 >= len(several) else []
    wide = max(len(name) for name in several)
    lines = [" " * wide + "".join(f" {name:>{max(14, len(name))}}" for name in names)]
    for name, figures in several.items():
        cells = [_cell(figures.get(key), max(14, len(key))) for key in names]
        lines.append(f"{name:<{wide}}" + "".join(cells))
    return lines


def _cell(value: float | None, wide: int) -> str:
    return (
        f" {'':>{wide}}"
        if value is None
        else f" {value:>{wide},.4g}"
        if value < 10
        else f" {value:>{wide},.0f}"
    )


def main() -> None:
    """Print the tables; write the figures where they are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument(
        "--part", action="append", choices=PARTS, help="this part alone; in FILE the others stay"
    )
    parser.add_argument("--folder", type=Path, help="where there is room; by default /tmp or such")
    asked = parser.parse_args()
    scale = QUICK if asked.quick else FULL
    figures: dict[str, Part] = _known(asked.json) if asked.part else {}
    for name in asked.part or PARTS:
        others = {other: part for other, part in figures.items() if other != name}
        with TemporaryDirectory(prefix="ratoon-bench-", dir=asked.folder) as folder:
            part: Part = {}
            for what, told in PARTS[name](Path(folder), scale):
                part[what] = told
                _write(asked, others | {name: part}, goals_of(others))
        figures = others | {name: part}
        _write(asked, figures, goals_of(figures))
        print(f"\n== {name}")
        print("\n".join(table_of(part)), flush=True)
    print()
    for goal in goals_of(figures):
        told = "met" if goal["met"] else "missed"
        print(f"{goal['name']}: {goal['figure']:.4g}, goal {goal['op']} {goal['goal']}: {told}")


def _known(path: Path | None) -> dict[str, Part]:
    return json.loads(path.read_text())["figures"] if path is not None and path.exists() else {}


def _write(asked: argparse.Namespace, figures: dict[str, Part], goals: list[Any]) -> None:
    if asked.json is None:
        return
    told = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(told, capture_output=True, text=True, check=False).stdout.strip()
    body = {
        "machine": f"{platform.machine()}, two cores, Python {platform.python_version()}",
        "commit": commit,
        "command": f"python -m benchmarks.data{' --quick' if asked.quick else ''} --json FILE",
        "figures": figures,
        "goals": goals,
    }
    asked.json.write_text(json.dumps(body, indent=2) + "\n")


if __name__ == "__main__":
    main()
