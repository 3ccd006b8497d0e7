"""Windows over labelled rows: by time or by rows, behind each other or sliding."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from ratoon.core.errors import SettingInvalid, ValueForbidden
from ratoon.core.measuring import RowRange, Window
from ratoon.core.settings import whole
from ratoon.core.times import duration, from_micros
from ratoon.windows.judged import Groups

Moments = NDArray[np.datetime64]

_MICROSECOND = timedelta(microseconds=1)


def cut(
    times: Moments, length: int | timedelta | str, *, hop: int | timedelta | str | None = None
) -> Iterator[Window]:
    """Yield the windows of rows in order of time, each with the range of its rows.

    By rows, windows hold `length` rows and start `hop` rows after each other; what is left at the
    end and does not fill a window is in none. By time, windows start at whole multiples of `hop`
    since 1970-01-01 UTC, so that parts of a log that are cut by themselves agree; a window without
    rows is not yielded, and the first and the last may reach beyond the rows.

    Args:
        times: event times of the rows, shape (n,), never falling, datetime64.
        length: how many rows a window holds, or how long it is: ``1000``, ``"1d"``.
        hop: how far the next window starts from this one, in the same unit and at most `length`;
            by default `length`, so that each row is in one window.

    Yields:
        Windows with their `rows`: ``judged.take(slice(window.rows.start, window.rows.stop))``.

    Raises:
        SettingInvalid: where length or hop break their rules.
        ValueForbidden: where a time is missing, or earlier than the one before.

    >>> import numpy as np
    >>> times = np.datetime64("2026-01-01T00:00", "us") + np.arange(4) * np.timedelta64(9, "h")
    >>> [(w.rows.start, w.rows.stop) for w in cut(times, "1d")]
    [(0, 3), (3, 4)]
    >>> [(w.rows.start, w.rows.stop) for w in cut(times, 2, hop=1)]
    [(0, 2), (1, 3), (2, 4)]
    """
    moments = _checked(times)
    if isinstance(length, int):
        whole("length", length, least=1)
        step = length if hop is None else hop
        if not isinstance(step, int):
            raise SettingInvalid("hop", "a number of rows, as length is", hop)
        whole("hop", step, least=1)
        _check_hop(step, length, hop)
        return _by_rows(moments, length, step)
    if isinstance(hop, int):
        raise SettingInvalid("hop", "a length of time, as length is", hop)
    long = duration("length", length) // _MICROSECOND
    far = long if hop is None else duration("hop", hop) // _MICROSECOND
    if long <= 0 or far <= 0:
        raise SettingInvalid("length and hop", "longer than 0", length if long <= 0 else hop)
    _check_hop(far, long, hop)
    return _by_time(moments, long, far)


def _check_hop(step: int, length: int, hop: int | timedelta | str | None) -> None:
    if step > length:
        raise SettingInvalid("hop", "at most length, so that no row is left out", hop)


def _checked(times: Moments) -> Groups:
    """Return the times in microseconds since 1970."""
    missing = np.isnat(times)
    if missing.any():
        raise ValueForbidden("time", "not missing", None, int(missing.argmax()))
    moments = times.astype("datetime64[us]").astype(np.int64)
    falls = np.flatnonzero(moments[1:] < moments[:-1])
    if len(falls):
        row = int(falls[0]) + 1
        raise ValueForbidden("time", "no earlier than the one before", str(times[row]), row)
    return moments


def _by_rows(moments: Groups, length: int, hop: int) -> Iterator[Window]:
    for start in range(0, len(moments) - length + 1, hop):
        stop = start + length
        yield Window(
            start=from_micros(int(moments[start])),
            end=from_micros(int(moments[stop - 1]) + 1),
            rows=RowRange(start=start, stop=stop),
        )


def _by_time(moments: Groups, length: int, hop: int) -> Iterator[Window]:
    if not len(moments):
        return
    number = (int(moments[0]) - length) // hop + 1  # of the first window that holds a row
    last = int(moments[-1])
    while number * hop <= last:
        begin = number * hop
        start, stop = np.searchsorted(moments, [begin, begin + length]).tolist()
        if stop > start:
            yield Window(
                start=from_micros(begin),
                end=from_micros(begin + length),
                rows=RowRange(start=start, stop=stop),
            )
            number += 1
        else:  # the next row may be years away
            number = max(number + 1, (int(moments[start]) - length) // hop + 1)
