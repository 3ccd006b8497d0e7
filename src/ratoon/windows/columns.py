"""One column in, from whatever a person has, as one of the kinds that a schema knows.

A column is read whole or refused whole; no value of any library can raise anything but a
`RowsRefused` that names the column.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime
from typing import Any, cast

import narwhals as nw
import numpy as np

from ratoon.core.errors import ColumnKindMismatch, RowsRefused, ValueForbidden
from ratoon.core.schema import Kind
from ratoon.windows.rows import DTYPES, Array

KINDS: Mapping[str, Kind] = {
    "f": "number",
    "i": "integer",
    "u": "integer",
    "b": "boolean",
    "M": "time",
    "O": "category",
}
"""The kind of a column that was read, by the kind of its dtype."""

LARGEST = 2**63 - 1
"""The largest whole number that a column holds, and of the other sign."""

_EARLIEST, _LATEST = np.datetime64("0001-01-01", "us"), np.datetime64("9999-12-31", "us")
_OWN = (np.ndarray, list, tuple, range)  # what is no series of a library
_NO_COLUMN = (str, bytes, bytearray, Mapping, AbstractSet)
_WIDE = (nw.Int128, nw.UInt128)  # numpy has no such numbers


def read_column(name: str, values: object) -> Array:
    """Read a column of numbers, texts, truths or moments; a missing one is NaN, None or NaT.

    Whole numbers with missing ones among them become numbers; moments become UTC microseconds,
    naive ones being taken as UTC.

    Raises:
        RowsRefused: where the values are of several kinds or of none of these, or out of range.

    >>> read_column("age", [31, None]).tolist()
    [31.0, nan]
    """
    try:
        found = _array(values)
        return _from_values(name, listed(name, values)) if found is None else _checked(name, found)
    except RowsRefused:
        raise
    except (ArithmeticError, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        raise RowsRefused(f"column {name!r} cannot be read: {what}") from error


def listed(name: str, values: object) -> list[Any]:
    """Return the values of a list, an array or a series of any library as plain ones.

    What is missing becomes None, but a NaN stays; a moment becomes a datetime64 in microseconds.
    """
    given: Any = values
    if isinstance(given, np.ndarray):
        given = given.tolist() if given.ndim else None
    elif not isinstance(given, _OWN) and nw.dependencies.is_into_series(given):
        given = nw.from_native(given, series_only=True).to_list()
    frame = not isinstance(given, _OWN) and nw.dependencies.is_into_dataframe(given)
    if frame or isinstance(given, _NO_COLUMN) or not isinstance(given, Iterable):
        raise ColumnKindMismatch(name, "a list, an array or a series of", type(values).__name__)
    return [_plain(value) for value in cast("Iterable[Any]", given)]


def _array(values: object) -> Array | None:
    """Return what can be read without a look at every value."""
    own = isinstance(values, _OWN)  # to ask whether it is a series takes longer than to read it
    if not own and nw.dependencies.is_into_series(cast("Any", values)):
        return _from_series(nw.from_native(cast("Any", values), series_only=True))
    if isinstance(values, np.ma.MaskedArray) or not isinstance(values, np.ndarray):
        return None
    array = cast("Array", values)
    # A moment of numpy can be too long ago for Python, so it must not become a list.
    return array if array.ndim == 1 and array.dtype.kind in "fiubM" else None


def _from_series(series: nw.Series[Any]) -> Array | None:
    gaps = bool(series.null_count())
    if series.dtype.is_float() or (series.dtype == nw.Boolean and not gaps):
        return series.to_numpy()
    if series.dtype.is_integer() and not any(series.dtype == wide for wide in _WIDE):
        return (series.cast(nw.Float64) if gaps else series).to_numpy()
    return None


def _checked(name: str, values: Array) -> Array:
    """Bring an array of numbers, truths or moments to its kind's dtype."""
    kind = KINDS[values.dtype.kind]
    if values.dtype.kind == "u" and (values > LARGEST).any():
        row = int(np.argmax(values > LARGEST))
        raise ValueForbidden(name, f"at most {LARGEST}", int(values[row]), row)
    with np.errstate(over="ignore"):
        found = values.astype(DTYPES[kind])
    if kind == "time":
        far = (
            (found < _EARLIEST)
            | (found >= _LATEST)
            | (found.astype("M8[Y]") != values.astype("M8[Y]"))
        )
        far &= ~np.isnat(values)
        if far.any():
            row = int(np.argmax(far))
            raise ValueForbidden(name, "between the years 1 and 9999", str(values[row]), row)
    return found


def _from_values(name: str, values: list[Any]) -> Array:
    """Tell the kind from plain values, and make a column of it."""
    gone = [value is None or value != value for value in values]  # noqa: PLR0124 - a NaN
    kinds = {_kind_of(value) for value, lacks in zip(values, gone, strict=True) if not lacks}
    if kinds == {"integer"} and not any(gone):
        return _integers(name, values)
    if kinds and kinds <= {"integer", "number"}:
        return np.array([math.nan if v is None else float(v) for v in values])
    if kinds == {"time"}:
        moments = [
            np.datetime64("NaT", "us") if lacks else v
            for v, lacks in zip(values, gone, strict=True)
        ]
        return _checked(name, np.array(moments, DTYPES["time"]))
    if kinds == {"boolean"}:
        if any(gone):
            raise ValueForbidden(name, "present, as truths are", None, gone.index(True))
        return np.array(values, dtype=bool)
    if kinds == {"category"}:
        return _texts([None if lacks else v for v, lacks in zip(values, gone, strict=True)])
    if kinds:
        expected = "one kind of" if len(kinds) > 1 else "number, text, truth or time"
        raise ColumnKindMismatch(name, expected, " and ".join(sorted(kinds)))
    known = any(isinstance(value, float) for value in values)
    return np.array(values, dtype=float) if known else _texts(values)


def _integers(name: str, values: list[int]) -> Array:
    for row, value in enumerate(values):
        if not -LARGEST - 1 <= value <= LARGEST:
            raise ValueForbidden(name, f"between -{LARGEST} and {LARGEST}", value, row)
    return np.array(values, dtype=DTYPES["integer"])


def _texts(values: list[str | None]) -> Array:
    "".join(value for value in values if value is not None).encode()  # half a surrogate raises
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _plain(value: Any) -> Any:
    """Turn a value of any library into Python's own: a missing one into None."""
    if hasattr(value, "as_py"):  # a scalar of Arrow
        value = value.as_py()
    if isinstance(value, np.datetime64):
        moment = cast("np.datetime64", value)
        return None if np.isnat(moment) else moment.astype("M8[us]")
    if isinstance(value, np.generic):
        value = cast("Any", value).item()
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return np.datetime64(aware.astimezone(UTC).replace(tzinfo=None), "us")
    if isinstance(value, date):
        return np.datetime64(value, "us")
    return value


def _kind_of(value: object) -> Kind | str:
    match value:
        case str():
            return "category"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case np.datetime64():
            return "time"
        case _:
            return f"{type(value).__name__} objects"
