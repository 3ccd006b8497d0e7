from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from ratoon.core.errors import RowsRefused
from ratoon.core.schema import Column, Schema
from ratoon.windows.intake import read_rows

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ids(cases: list[Any]) -> list[str]:
    return [str(i) for i in range(len(cases))]


HOSTILE_COLUMNS: list[Any] = [
    [1j, 2],
    np.array([1j]),
    [[1], [2]],
    [[1], [1, 2]],
    [(1, 2)],
    np.zeros((2, 2)),
    np.array(5),
    [{"a": 1}],
    [b"a"],
    np.array([b"a"]),
    bytearray(b"ab"),
    [2**63],
    [-(2**63) - 1],
    [10**400],
    [10**400, None],
    [10**400, 0.5],
    np.array([2**63], dtype=np.uint64),
    pd.Series([2**63], dtype="UInt64"),
    pl.Series([2**100], dtype=pl.Int128),
    [True, 2],
    [0.5, True],
    ["a", 1],
    ["a", NOON],
    [NOON, 1.5],
    [Decimal("1.5")],
    pa.array([Decimal("1.5")]),
    [time(12)],
    pl.Series([time(12)]),
    [timedelta(1)],
    np.array([1], dtype="m8[s]"),
    [datetime.max.replace(tzinfo=timezone(-timedelta(hours=12)))],
    [datetime.max.replace(tzinfo=UTC)],
    np.array([10**7], dtype="M8[Y]"),
    np.array([-5000], dtype="M8[Y]"),
    ["\ud800"],
    [print],
    [object()],
    pl.Series([[1], [1, 2]]),
    pl.Series([{"a": 1}]),
    pl.Series([object()], dtype=pl.Object),
    pa.array([[1], [2, 3]]),
    pd.Series([np.zeros(2), np.zeros(3)]),
    pd.period_range("2026", periods=2, freq="D"),
    pd.DataFrame({"y": [1]}),
    [np.longdouble("1e4000")],
    5,
    "text",
    None,
    {1, 2},
    {"a": 1},
]


@pytest.mark.parametrize("values", HOSTILE_COLUMNS, ids=ids(HOSTILE_COLUMNS))
def test_a_hostile_column_is_refused_by_name(values: Any) -> None:
    """A column of any other type or range is a `RowsRefused` that names it, never a stray error."""
    for schema in (None, Schema(columns=(Column(name="odd", kind="integer"),))):
        with pytest.raises(RowsRefused, match="'odd'"):
            read_rows({"odd": values}, schema)


HOSTILE_BATCHES: list[Any] = [
    None,
    5,
    "text",
    object(),
    {"a"},
    (i for i in range(3)),
    [None],
    [{"a": 1}, 5],
    [{"a": 1}, {"b": 1}],
    [{1: 2, "a": 3}, {"a": 3}],
    {1: [1], "1": [2]},
    np.zeros(3),
    np.array(5),
    np.zeros((2, 2, 2)),
    pd.Series([1, 2]),
    pd.DataFrame([[1, 2]], columns=["a", "a"]),
    pd.DataFrame([[1, 2]], columns=[1, "1"]),
    pa.table([[1], [2]], names=["a", "a"]),
    pl.LazyFrame({"a": [1]}),
]


@pytest.mark.parametrize("data", HOSTILE_BATCHES, ids=ids(HOSTILE_BATCHES))
def test_a_hostile_batch_is_refused(data: Any) -> None:
    """What is no table, or one with a name twice or ragged rows, is refused as rows."""
    with pytest.raises(RowsRefused):
        read_rows(data)
