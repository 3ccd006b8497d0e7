from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from ratoon.core.errors import ColumnKindMismatch, LengthMismatch, RowsRefused, ValueForbidden
from ratoon.windows.intake import read_times

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENTS = [NOON, NOON + timedelta(microseconds=1)]
STAMPED = np.array(["2026-03-01T12:00:00", "2026-03-01T12:00:00.000001"], dtype="M8[us]")


@pytest.mark.parametrize(
    "times",
    [
        MOMENTS,
        tuple(m.astimezone(timezone(timedelta(hours=-5))) for m in MOMENTS),
        pd.Series(MOMENTS),
        pd.to_datetime(MOMENTS).tz_convert("Europe/Lisbon"),
        pl.Series(MOMENTS),
        pa.array(MOMENTS),
        STAMPED,
        STAMPED.astype("M8[ns]"),
    ],
    ids=[str(i) for i in range(8)],
)
def test_event_times_of_any_library_are_utc_microseconds(times: Any) -> None:
    """Times of any library and zone become the same UTC microseconds."""
    read = read_times(times, 2, NOON)
    assert read.dtype == np.dtype("M8[us]")
    np.testing.assert_array_equal(read, STAMPED)


def test_one_event_time_or_none_stands_for_all_rows() -> None:
    """No time means now for every row; a single moment is the time of every row."""
    now = NOON.astimezone(timezone(timedelta(hours=5)))
    assert read_times(None, 3, now).tolist() == [NOON.replace(tzinfo=None)] * 3
    assert read_times(MOMENTS[1], 2, now).tolist() == [STAMPED[1].item()] * 2


BAD_TIMES: list[tuple[Any, type[RowsRefused], str]] = [
    ([NOON], LengthMismatch, "the batch has 2 rows but times has 1"),
    ([], LengthMismatch, "times has 0"),
    ([NOON, NOON.replace(tzinfo=None)], ValueForbidden, "'time' must be aware .* in row 1"),
    (NOON.replace(tzinfo=None), ValueForbidden, "'time' must be aware .* in row 0"),
    ([NOON, None], ValueForbidden, "'time' must be present.* in row 1"),
    (np.array(["2026", "NaT"], dtype="M8[s]"), ValueForbidden, "'time' must be present.* in row 1"),
    (["2026-01-01"] * 2, ColumnKindMismatch, "'time' must hold time values, got category"),
    ([1, 2], ColumnKindMismatch, "'time' must hold time values, got integer"),
    (5, ColumnKindMismatch, "'time' must hold a list"),
    ("2026", ColumnKindMismatch, "'time' must hold a list"),
    ([datetime.max.replace(tzinfo=UTC)] * 2, ValueForbidden, "'time' must be between the years"),
]


@pytest.mark.parametrize(
    ("times", "error", "message"), BAD_TIMES, ids=[str(i) for i in range(len(BAD_TIMES))]
)
def test_event_times_are_refused_by_name(
    times: Sequence[object], error: type[RowsRefused], message: str
) -> None:
    """Too few or too many times, a naive, missing or impossible one are refused, naming why."""
    with pytest.raises(error, match=message):
        read_times(times, 2, NOON)
