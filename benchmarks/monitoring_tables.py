"""The table of the monitoring benchmarks: twelve columns of numbers with gaps, eight of categories.

Written as plain numpy files, which every peer's environment reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

NUMBERS = tuple(f"n{i}" for i in range(12))
LEVELS = {"c0": 2, "c1": 5, "c2": 10, "c3": 20, "c4": 50, "c5": 100, "c6": 300, "c7": 1000}
_GAPS = (0.0, 0.01, 0.02, 0.05, 0.0, 0.1, 0.0, 0.15, 0.0, 0.03, 0.2, 0.15)


def table(rng: np.random.Generator, rows: int, *, moved: bool) -> dict[str, Any]:
    """Return columns: numbers as floats, categories as codes; `moved` changes four of them."""
    found: dict[str, Any] = {}
    for i, name in enumerate(NUMBERS):
        column = rng.normal(size=rows)
        if i % 4 == 1:
            column = np.exp(column)
        if moved and i in (2, 7):
            column = column + 0.3
        gap = 0.3 if moved and i == 11 else _GAPS[i]
        column[rng.random(rows) < gap] = np.nan
        found[name] = column
    for name, levels in LEVELS.items():
        shares = 1 / np.arange(1, levels + 1) ** (1.1 if moved and name == "c6" else 1.0)
        edges = np.cumsum(shares / shares.sum())
        found[name] = np.minimum(np.searchsorted(edges, rng.random(rows)), levels - 1).astype("i2")
    return found


def write(folder: Path, rows: int) -> None:
    """Write a reference and a current table, a file a column."""
    rng = np.random.default_rng(0)
    for side in ("reference", "current"):
        for name, column in table(rng, rows, moved=side == "current").items():
            np.save(folder / f"{side}_{name}.npy", column)


def read(folder: str | Path, side: str) -> dict[str, Any]:
    """Return a table with categories as texts, in arrays of objects."""
    found = {name: np.load(Path(folder) / f"{side}_{name}.npy") for name in (*NUMBERS, *LEVELS)}
    for name, levels in LEVELS.items():
        words = np.array([f"level {i}" for i in range(levels)], dtype=object)
        found[name] = words[found[name]]
    return found
