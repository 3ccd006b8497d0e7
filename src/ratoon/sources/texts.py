"""Columns of texts, as CSV has them, and the kinds that they are of.

What a text means is decided here, in one place, and strictly: a text is a number only if writing
the number down again loses nothing but digits behind the point. So "007" and "+49 30" stay texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import pyarrow as pa
import pyarrow.compute as _compute

from ratoon.core.schema import Kind

# The stubs of pyarrow know no kernel that takes a column of any type.
pc = cast("Any", _compute)
Arrow: TypeAlias = Any
"""An Arrow array, or a chunked one."""

TYPES: Mapping[Kind, Any] = {
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "category": pa.string(),
    "time": pa.timestamp("us", tz="UTC"),
}
"""The Arrow type of each kind of column."""

_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_ZONE = r":.*(Z|[+-]\d\d(:?\d\d)?)$"
_PATTERNS: tuple[tuple[Kind, str], ...] = (
    ("boolean", f"^({'|'.join(_TRUE + _FALSE)})$"),
    ("integer", r"^(0|-?[1-9]\d*)$"),
    ("number", r"^-?(((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][-+]?\d+)?|(?i:nan|inf|infinity))$"),
    (
        "time",
        r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d(:?\d\d)?)?)?$",
    ),
)
# Arrow reads these as numbers: 007 as 7, 0x1F as 31, +5 as 5. Something of the text is then lost.
_NO_INTEGER, _NO_NUMBER = "^(0.|-0)", r"^([+]|-?0[\dxX])"


def text_kind(column: Arrow) -> Kind | None:
    """Tell what the texts of a column are: the narrowest kind that holds every one of them.

    In this order: truths, whole numbers, numbers, moments; else texts. Whole numbers beyond 64
    bits are texts, which loses none of their digits.

    Returns:
        None where there is nothing but missing and empty values.

    >>> import pyarrow as pa
    >>> text_kind(pa.array(["1", None, "2.5"])), text_kind(pa.array(["007", "1"]))
    ('number', 'category')
    """
    filled = _filled(column)
    if filled.null_count == len(filled):
        return None
    for kind, pattern in _PATTERNS:
        if pc.all(pc.match_substring_regex(filled, pattern)).as_py():
            return kind if from_text(filled, kind) is not None else "category"
    return "category"


def from_text(column: Arrow, kind: Kind) -> Arrow | None:
    """Return texts as values of `kind`, or None where one of them is none.

    An empty text is missing in every kind but "category". A moment without a zone is in UTC.

    >>> import pyarrow as pa
    >>> from_text(pa.array(["2026-03-01 12:00", "2026-03-01T12:00:00+01:00"]), "time")[1].as_py()
    datetime.datetime(2026, 3, 1, 11, 0, tzinfo=zoneinfo.ZoneInfo(key='UTC'))
    """
    if kind == "category":
        return column
    filled = _filled(column)
    try:
        match kind:
            case "boolean":
                return _truths(filled)
            case "time":
                return _moments(filled)
            case "integer":
                return _numbers(filled, kind, _NO_INTEGER)
            case "number":
                return _numbers(filled, kind, _NO_NUMBER)
    except pa.ArrowInvalid:
        return None


def zeros_and_ones(column: Arrow) -> Arrow:
    """Return texts with false and true in the place of 0 and 1, where a person has said so.

    >>> import pyarrow as pa
    >>> zeros_and_ones(pa.array(["1", "false", "0"])).to_pylist()
    ['true', 'false', 'false']
    """
    ones = pc.if_else(pc.equal(column, "1"), "true", column)
    return pc.if_else(pc.equal(column, "0"), "false", ones)


def first_odd(column: Arrow, kind: Kind) -> int:
    """Return the first row whose text is no value of `kind`; there is one.

    >>> import pyarrow as pa
    >>> first_odd(pa.array(["1", "2", "x", "3", "y"]), "integer")
    2
    """
    low, high = 0, len(column)  # of the prefixes, the first `low` rows are sound, `high` are not
    while high - low > 1:
        middle = (low + high) // 2
        if from_text(column.slice(low, middle - low), kind) is None:
            high = middle
        else:
            low = middle
    return low


def _filled(column: Arrow) -> Arrow:
    """Return texts with missing values in the place of empty ones."""
    return pc.if_else(pc.equal(pc.binary_length(column), 0), None, column)


def _truths(column: Arrow) -> Arrow | None:
    true = pc.is_in(column, pa.array(_TRUE))
    known = pc.or_(true, pc.is_in(column, pa.array(_FALSE)))
    if not pc.all(pc.or_(known, pc.is_null(column))).as_py():
        return None
    return pc.if_else(known, true, None)


def _numbers(column: Arrow, kind: Kind, forbidden: str) -> Arrow | None:
    if pc.any(pc.match_substring_regex(column, forbidden)).as_py():
        return None
    return column.cast(TYPES[kind])


def _moments(column: Arrow) -> Arrow:
    zoned = pc.match_substring_regex(column, _ZONE)
    if pc.all(zoned).as_py():
        return column.cast(TYPES["time"])
    there = pc.if_else(zoned, column, None).cast(TYPES["time"])
    here = pc.if_else(zoned, None, column).cast(pa.timestamp("us")).cast(TYPES["time"])
    return pc.coalesce(there, here)
