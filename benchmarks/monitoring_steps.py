"""What is measured of Ratoon, and the bounds beside it; each in a process of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from statistics import median
from time import process_time
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.data_measuring import forget_peak, memory_mib, peak_mib
from benchmarks.monitoring_tables import LEVELS, NUMBERS, read
from ratoon.core.measuring import Window
from ratoon.drift import ColumnTest, exact_ks
from ratoon.engine import monitor
from ratoon.windows.summaries import reference_of

_WINDOW = Window(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 2, tzinfo=UTC))
_TURNS = 5


def _columns(folder: str, side: str) -> dict[str, Any]:
    """Return a table as a reader of Parquet gives it: floats, and texts of Arrow."""
    found = read(folder, side)
    return {
        name: column if column.dtype.kind == "f" else pa.array(column)
        for name, column in found.items()
    }


def _turns(call: Any, turns: int = _TURNS) -> dict[str, float]:
    """Return the median CPU time of a call, after one that is not counted, and their memory."""
    forget_peak()
    before = memory_mib().get("resident_mib", 0.0)
    call()
    found: list[float] = []
    for _ in range(turns):
        began = process_time()
        call()
        found.append(process_time() - began)
    return {"cpu_s": median(found), "extra_mib": peak_mib() - before}


def ratoon(folder: str) -> dict[str, float]:
    """Drift of the current rows against a kept summary of the reference."""
    began = process_time()
    reference = reference_of(_columns(folder, "reference"))
    took = process_time() - began
    current, test = _columns(folder, "current"), ColumnTest()
    few = {name: column[:100] for name, column in current.items()}
    test.compare(reference, reference.summarise(few), _WINDOW)  # imports what it needs
    figures = _turns(lambda: test.compare(reference, reference.summarise(current), _WINDOW))
    found = test.compare(reference, reference.summarise(current), _WINDOW)
    drifted = sorted({change.column for change in found if change.drifted})
    expected = ["n11", "n2", "n7"]
    assert set(expected) <= set(drifted), drifted
    return {**figures, "reference_s": took, "drifted": float(len(drifted))}


def bound(folder: str) -> dict[str, float]:
    """Fixed histograms of the numbers, and counts of the categories by polars: nothing else."""
    import polars as pl  # noqa: PLC0415 - for this step alone

    current = read(folder, "current")
    frame = pl.DataFrame({name: current[name] for name in LEVELS})
    ends = {n: (float(np.nanmin(current[n])), float(np.nanmax(current[n]))) for n in NUMBERS}

    def counted() -> None:
        for name in NUMBERS:
            low, high = ends[name]
            column = current[name]
            column = column[~np.isnan(column)]
            np.bincount(((column - low) * (999.0 / (high - low))).astype(np.int64), minlength=1000)
        for name in LEVELS:
            frame[name].value_counts()

    return _turns(counted)


def sorting(folder: str) -> dict[str, float]:
    """Exact Kolmogorov-Smirnov distances: sorting alone, the usual way behind it, and ours."""
    from scipy.stats import ks_2samp  # noqa: PLC0415 - for this step alone

    sides = [read(folder, side) for side in ("reference", "current")]
    before = {name: np.sort(sides[0][name]) for name in NUMBERS}
    now = {name: sides[1][name] for name in NUMBERS}

    def usual() -> None:
        for name in NUMBERS:
            _usual(before[name], now[name])

    figures = {
        "sort_s": _turns(lambda: [np.sort(now[name]) for name in NUMBERS])["cpu_s"],
        "usual_s": _turns(usual)["cpu_s"],
        "ratoon_s": _turns(lambda: [exact_ks(before[n], now[n]) for n in NUMBERS])["cpu_s"],
    }
    apart = 0.0
    began = process_time()
    for name in NUMBERS:
        theirs = ks_2samp(*(s[name][~np.isnan(s[name])] for s in sides), method="asymp").statistic
        ours = exact_ks(before[name], now[name])
        assert ours is not None
        apart = max(apart, abs(float(theirs) - ours.value))
    return {**figures, "scipy_s": process_time() - began, "largest_difference": apart}


def _usual(before: Any, now: Any) -> float:
    """Sort, and look every row up in the reference."""
    before, now = (side[: np.searchsorted(side, np.nan)] for side in (before, np.sort(now)))
    right = np.searchsorted(before, now, side="right") / len(before)
    left = np.searchsorted(before, now) / len(before)
    above = (np.arange(1, len(now) + 1) / len(now) - right).max()
    return float(max(above, (left - np.arange(len(now)) / len(now)).max()))


def parquet(folder: str, reference: str, window: int) -> dict[str, float]:
    """Monitor a folder of Parquet files; say what it costs, and the cost of a row on the way."""
    forget_peak()
    seen: list[tuple[int, float]] = [(0, process_time())]
    found = monitor(
        f"{folder}/*.parquet",
        reference,
        window=window,
        progress=lambda rows: seen.append((rows, process_time())),
    )
    total, last = seen[-1]
    figures = {
        "rows": float(total),
        "cpu_s": last - seen[0][1],
        "peak_mib": peak_mib(),
        "windows": float(len(found.windows)),
    }
    for history in (total // 100, total // 10, total):
        near = [one for one in seen if history * 0.75 <= one[0] <= history * 1.25]
        if len(near) > 1:
            spent = near[-1][1] - near[0][1]
            figures[f"ns_a_row_at_{history}"] = 1e9 * spent / (near[-1][0] - near[0][0])
    return figures


def stationary(windows: int, columns: int, rows: int) -> dict[str, float]:
    """Count the windows with an alarm, in a stream in which nothing changes."""
    rng = np.random.default_rng(0)

    def drawn(size: int) -> dict[str, Any]:
        numbers = {f"n{i}": rng.normal(size=size) for i in range(columns // 2)}
        texts = np.array([f"t{i}" for i in range(20)], dtype=object)
        rest = range(columns - columns // 2)
        return numbers | {f"c{i}": pa.array(texts[rng.integers(0, 20, size)]) for i in rest}

    reference = reference_of(drawn(50_000))
    tests = {
        "at_defaults": ColumnTest(),
        "at_any_effect": ColumnTest(effect=1e-9, missing=1e-9, fresh=1e-9),
    }
    alarms = dict.fromkeys(tests, 0)
    for _ in range(windows):
        summary = reference.summarise(drawn(rows))
        for name, test in tests.items():
            found = test.compare(reference, summary, _WINDOW)
            alarms[name] += any(change.drifted for change in found)
    return {name: float(count) for name, count in alarms.items()}
