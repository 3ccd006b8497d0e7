"""Time: aware, in UTC, and given from outside."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Protocol

from ratoon.core.errors import SettingInvalid

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_TERM = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")


class Clock(Protocol):
    """Where time comes from: the system's clock live, a virtual one in replay."""

    def now(self) -> datetime:
        """Return the moment, aware and in UTC."""
        ...


def utc(name: str, moment: datetime) -> datetime:
    """Return `moment` in UTC; a naive one raises `SettingInvalid` that names `name`."""
    if moment.tzinfo is None:
        rule = "aware (with a time zone)"
        raise SettingInvalid(name, rule, moment)
    return moment.astimezone(UTC)


def micros(moment: datetime) -> int:
    """Return the microseconds from 1970-01-01 UTC to `moment`."""
    return (moment - EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """Return the moment `value` microseconds after 1970-01-01 UTC."""
    return EPOCH + timedelta(microseconds=value)


def duration(name: str, value: timedelta | str) -> timedelta:
    """Read a length of time: a timedelta, or text such as ``"6h"``, ``"1d 12h"``.

    Units are s, m, h, d and w. A negative or unreadable one raises `SettingInvalid`.

    >>> duration("bake", "1d 12h")
    datetime.timedelta(days=1, seconds=43200)
    """
    length = _read_duration(value) if isinstance(value, str) else value
    if not isinstance(length, timedelta) or length < timedelta(0):
        rule = "a length of time such as '6h' or '1d 12h', or a timedelta, not negative"
        raise SettingInvalid(name, rule, value)
    return length


def _read_duration(text: str) -> timedelta | None:
    terms = _TERM.findall(text)
    if not terms or _TERM.sub("", text).strip():
        return None
    try:
        return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in terms))
    except OverflowError:
        return None
