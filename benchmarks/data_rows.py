"""Rows to measure with: the same for everyone, drawn from a seed.

Only numpy and pyarrow are needed here, so that the peers' environments can make them too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Columns: TypeAlias = dict[str, NDArray[Any]]

_KINDS: Mapping[str, str] = {
    "number": "number",
    "whole": "integer",
    "flag": "boolean",
    "text": "category",
    "moment": "time",
}
_WORDS = (5, 50, 1_000)  # distinct texts of the three columns of texts
_START = np.datetime64("2026-01-01", "us")
_MIX = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio: spreads numbers one to one


def feature_kinds() -> dict[str, str]:
    """Return the 20 columns, and the kind of each as a schema knows it."""
    names = [f"number_{k}" for k in range(12)] + [f"whole_{k}" for k in range(3)]
    names += ["flag", *(f"text_{k}" for k in range(3)), "moment"]
    return {name: _KINDS[name.partition("_")[0]] for name in names}


def wide(seed: int, first: int, rows: int) -> Columns:
    """Return rows of 20 features, with their event time and what was predicted."""
    rng = np.random.default_rng((seed, first))
    found: Columns = {}
    for k in range(12):
        found[f"feature:number_{k}"] = np.round(rng.normal(size=rows), 3)
    for k in range(3):
        found[f"feature:whole_{k}"] = rng.integers(0, 1_000, rows)
    found["feature:flag"] = rng.random(rows) < 0.3
    for k, count in enumerate(_WORDS):
        words = np.array([f"word-{n}" for n in range(count)], dtype=object)
        found[f"feature:text_{k}"] = words[rng.integers(0, count, rows)]
    found["feature:moment"] = _START + rng.integers(0, 10**12, rows).astype("m8[us]")
    return found | _answers(rng, first, rows)


def narrow(seed: int, first: int, rows: int) -> Columns:
    """Return rows of one feature, with their event time and what was predicted."""
    rng = np.random.default_rng((seed, first))
    return {"feature:x": np.round(rng.normal(size=rows), 3), **_answers(rng, first, rows)}


def numbers(seed: int, first: int, rows: int, columns: int) -> Columns:
    """Return rows of numbers that hardly compress."""
    rng = np.random.default_rng((seed, first))
    found = {f"feature_number_{k}": rng.normal(size=rows) for k in range(columns)}
    return found | {"output": np.zeros(rows)}


def _answers(rng: np.random.Generator, first: int, rows: int) -> Columns:
    times = _START + (first + np.arange(rows)).astype("m8[ms]")
    return {
        "time": times.astype("M8[us]"),
        "output": (rng.random(rows) < 0.5).astype("float64"),
    }


def foreign_ids(first: int, rows: int) -> list[str]:
    """Return ids as others make them: no order, 16 characters.

    >>> foreign_ids(0, 2)
    ['9e3779b97f4a7c15', '3c6ef372fe94f82a']
    """
    return foreign_ids_of(range(first, first + rows))


def foreign_ids_of(rows: Sequence[int] | range) -> list[str]:
    """Return the ids that others have given to these rows."""
    return [f"{(row + 1) * _MIX % 2**64:016x}" for row in rows]


def labels(seed: int, rows: int) -> list[int]:
    """Return labels of two classes."""
    return np.random.default_rng((seed, rows)).integers(0, 2, rows).tolist()


def arrow(ids: Sequence[str], columns: Columns) -> Any:
    """Return rows as an Arrow table."""
    import pyarrow as pa  # noqa: PLC0415 - some of the peers have none

    found = {name.replace(":", "_"): pa.array(column) for name, column in columns.items()}
    return pa.table({"id": pa.array(ids), **found})


def cut(columns: Columns, start: int, rows: int) -> Columns:
    """Return some of the rows."""
    return {name: column[start : start + rows] for name, column in columns.items()}
