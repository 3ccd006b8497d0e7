"""Windows over labelled rows."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratoon.core.errors import SettingInvalid, ValueForbidden
from ratoon.core.times import EPOCH, micros
from ratoon.metrics import cut

START = np.datetime64("2026-01-01T05:30", "us")


def at(*hours: float) -> Any:
    return START + (np.array(hours) * 3600e6).astype("timedelta64[us]")


@given(
    hours=st.lists(st.floats(0, 300), max_size=40),
    length=st.sampled_from(["1h", "1d", "3d"]),
    parts=st.integers(1, 4),
)
def test_windows_of_time_hold_the_rows_of_their_time(
    hours: list[float], length: str, parts: int
) -> None:
    """Every window holds exactly the rows of its time; each row is in as many as hops fit."""
    times = at(*sorted(hours))
    long = {"1h": 1, "1d": 24, "3d": 72}[length]
    found = list(cut(times, length, hop=timedelta(hours=long) / parts))
    moments = times.astype(np.int64)
    seen = np.zeros(len(times), dtype=int)
    for window in found:
        start, end = micros(window.start), micros(window.end)
        assert end - start == long * 3600 * 10**6
        inside = np.flatnonzero((moments >= start) & (moments < end))
        assert inside.tolist() == list(range(window.rows.start, window.rows.stop))
        assert len(inside)
        seen[inside] += 1
    assert (seen == parts).all()
    assert all(one.start < two.start for one, two in pairwise(found))


def test_windows_of_time_start_at_multiples_of_the_hop() -> None:
    """They do not depend on the first row, so that parts of a log agree."""
    one = list(cut(at(0, 1, 30), "1d"))
    two = list(cut(at(1, 30), "1d"))
    assert [w.start for w in one] == [w.start for w in two]
    assert all((w.start - EPOCH) % timedelta(days=1) == timedelta(0) for w in one)


def test_a_gap_of_years_costs_nothing() -> None:
    """Windows without rows are left out, without counting them one by one."""
    times = np.array(["1970-01-01", "2026-01-01"], dtype="datetime64[us]")
    assert [w.rows.start for w in cut(times, timedelta(microseconds=5))] == [0, 1]


@given(rows=st.integers(0, 30), length=st.integers(1, 8), hop=st.integers(1, 8))
def test_windows_of_rows(rows: int, length: int, hop: int) -> None:
    """Windows of rows are full, `hop` rows apart, and end just after their last row."""
    if hop > length:
        return
    times = at(*range(rows))
    found = list(cut(times, length, hop=hop))
    assert [w.rows.start for w in found] == list(range(0, max(0, rows - length + 1), hop))
    for w in found:
        assert len(w.rows) == length
        assert micros(w.start) == times[w.rows.start].astype(np.int64)
        assert micros(w.end) == times[w.rows.stop - 1].astype(np.int64) + 1


REFUSED: list[tuple[Any, Any]] = [
    *((0, None), (5, 0), (5, 6), (5, "1h"), ("1d", 3), ("0s", None), ("1h", "2h"), ("soon", None)),
    ("1d", "0s"),
]


@pytest.mark.parametrize(("length", "hop"), REFUSED, ids=str)
def test_lengths_are_checked(length: Any, hop: Any) -> None:
    """A length or a hop that makes no windows, or leaves rows out, is refused."""
    with pytest.raises(SettingInvalid, match=r"length|hop"):
        cut(at(1, 2), length, hop=hop)


def test_times_are_checked() -> None:
    """A missing time, and one that falls, are refused by row."""
    with pytest.raises(ValueForbidden, match="row 1"):
        cut(np.array(["2026-01-01", "NaT"], dtype="datetime64[us]"), 1)
    with pytest.raises(ValueForbidden, match="row 2"):
        cut(at(1, 3, 2), 1)
