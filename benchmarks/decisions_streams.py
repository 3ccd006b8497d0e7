"""Streams for the benchmark of decisions: a folder each, with data.parquet and meta.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ratoon.matrix import Chunks

Array: TypeAlias = NDArray[Any]

_FIRST = 0.1  # of the rows train the first model
_MANY, _FEW, _SHORT = 100, 50, 5000  # chunks of a stream, of a short one, and rows of that
_MAJORITY = 0.75  # share of a class from which errors hide too much


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stream:
    """A labelled table in order of time: numbers, with categories as codes."""

    name: str
    task: str  # "binary", "multiclass" or "regression"
    x: Array  # (rows, features), float32, NaN where a value is missing
    y: Array  # (rows,): class codes or numbers
    categorical: tuple[int, ...]  # columns that hold codes
    loss: str  # "error", "log_loss" or "absolute"
    unit: float  # of a loss: that of a constant for numbers, else 1

    @property
    def chunks(self) -> Chunks:
        """The first tenth, and a hundred chunks; fifty of a short stream."""
        rows = len(self.y)
        return Chunks(rows=rows, first=int(rows * _FIRST), count=_MANY if rows >= _SHORT else _FEW)


def found(dirs: Iterable[Path]) -> list[Path]:
    """Return the folders of all streams in or below some folders, by their names."""
    folders = {
        meta.parent.resolve()
        for folder in dirs
        for meta in folder.rglob("meta.json")
        if (meta.parent / "data.parquet").exists()
    }
    return sorted(folders, key=lambda folder: (folder.name, folder))


def load(folder: Path, most: int | None = None) -> list[Stream]:
    """Read a stream, thinned to at most `most` rows; twice where errors alone would hide much.

    Rows without a target are left out. Of n rows every k-th is taken, with the least k that leaves
    no more than `most`. Classes of which one has three quarters of the rows are judged by errors,
    and by logarithmic loss as a stream of its own, whose name ends with ":log_loss".
    """
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    table = _labelled(pq.read_table(folder / "data.parquet"))
    step = 1 if most is None else -(-table.num_rows // most)
    x, categorical = _features(table, meta, step)
    target = table["target"].to_numpy()[::step]
    if meta["task"] == "regression":
        y = target.astype(float)
        losses = {"absolute": float(np.abs(y - np.median(y)).mean()) or 1.0}
    else:
        _, codes, counts = np.unique(target.astype(str), return_inverse=True, return_counts=True)
        y = codes.astype(float)
        hidden = counts.max() >= _MAJORITY * counts.sum()
        losses = {"error": 1.0, "log_loss": 1.0} if hidden else {"error": 1.0}
    return [
        Stream(
            name=folder.name if loss != "log_loss" else f"{folder.name}:log_loss",
            task=meta["task"],
            x=x,
            y=y,
            categorical=categorical,
            loss=loss,
            unit=unit,
        )
        for loss, unit in losses.items()
    ]


def _labelled(table: pa.Table) -> pa.Table:
    """Leave out the rows without a target: nothing can be learned from them, or lost."""
    absent = pc.is_null(table["target"], nan_is_null=True)
    return table.filter(pc.invert(absent)) if pc.any(absent).as_py() else table


def _features(table: pa.Table, meta: Mapping[str, Any], step: int) -> tuple[Array, tuple[int, ...]]:
    aside = {*meta.get("index_columns", ()), "target"}
    names = [name for name in table.column_names if name not in aside]
    columns = [_codes(table[name].to_numpy()[::step]) for name in names]
    x = np.column_stack([values for values, _ in columns]).astype(np.float32)
    return x, tuple(i for i, (_, are_codes) in enumerate(columns) if are_codes)


def _codes(values: Array) -> tuple[Array, bool]:
    """Return numbers as they are, and others as codes in order of their first coming."""
    if values.dtype.kind in "fiub":
        return values.astype(float), False
    if values.dtype.kind == "M":
        seconds = values.astype("M8[s]").astype(float)
        return np.where(np.isnat(values), np.nan, seconds), False
    place: dict[Any, int] = {}
    codes = [np.nan if v is None else place.setdefault(v, len(place)) for v in values.tolist()]
    return np.array(codes, dtype=float), True
