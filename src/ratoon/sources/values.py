"""Columns of Python's own values, as JSON lines and SQL have them, and the kinds they are of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import pyarrow as pa

from ratoon.core.errors import RowsRefused
from ratoon.core.schema import Kind
from ratoon.sources.places import Place, short
from ratoon.sources.texts import TYPES, Arrow, from_text, text_kind

_KINDS: tuple[tuple[type | tuple[type, ...], Kind], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    ((str, UUID), "category"),
    (date, "time"),  # a datetime is a date too
)


def natural(place: Place, values: Sequence[Any]) -> tuple[Kind | None, Arrow]:
    """Return values of one kind as a column, and that kind; None where all of them are missing.

    Whole numbers beside others become numbers; texts that are all moments become moments.

    Raises:
        RowsRefused: where they are of several kinds, or of one that no column has; it names the
            first such row.

    >>> natural(Place(source="a.jsonl", column="x"), [1, None, 2.5])[0]
    'number'
    """
    types: set[type] = {type(value) for value in values if value is not None}
    kinds = {_kind_of(each) for each in types}
    if not kinds:
        return None, pa.nulls(len(values))
    if kinds == {"integer", "number"}:
        kinds: set[Kind | None] = {"number"}
    kind = next(iter(kinds))
    if kind is None or len(kinds) > 1:
        raise _several(place, values)
    if kind != "category":
        return kind, _column(place, values, kind)
    texts = _column(place, [None if value is None else str(value) for value in values], kind)
    if text_kind(texts) == "time":
        return "time", from_text(texts, "time")
    return kind, texts


def of_kind(place: Place, values: Sequence[Any], kind: Kind) -> Arrow:
    """Return values as the kind that a person has said they are of.

    Only what loses nothing of them: a whole number may become a text, 0 and 1 truths, 2.0 whole,
    a text what it says; a decimal becomes the nearest number.

    Raises:
        RowsRefused: where a value cannot; it names the first such row.

    >>> of_kind(Place(source="a.jsonl", column="zip"), [1234, None], "category").to_pylist()
    ['1234', None]
    """
    found: list[Any] = []
    for at, value in enumerate(values):
        try:
            found.append(None if value is None else _said(value, kind))
        except (ArithmeticError, TypeError, ValueError) as error:
            raise place.no_value(at, value, kind) from error
    return _column(place, found, kind)


def kind_of(value: object) -> Kind | None:
    """Return the kind that a value is of, or None where no column holds such values.

    >>> kind_of(True), kind_of(1), kind_of([1])
    ('boolean', 'integer', None)
    """
    return _kind_of(cast("type[Any]", type(value)))


def _kind_of(kind: type[Any]) -> Kind | None:
    return next((name for types, name in _KINDS if issubclass(kind, types)), None)


def _column(place: Place, values: Sequence[Any], kind: Kind) -> Arrow:
    """Return values of one kind as a column; a date is its midnight."""
    given = [_midnight(value) for value in values] if kind == "time" else values
    found = _array(given, kind)
    if found is not None:
        return found
    at = next(at for at, value in enumerate(given) if _array([value], kind) is None)
    hint = f"{place.types('category')} keeps all of its digits" if kind == "integer" else ""
    raise place.no_value(at, values[at], kind, hint)


def _array(values: Sequence[Any], kind: Kind) -> Arrow | None:
    try:
        return cast("Arrow", pa.array(values, TYPES[kind]))
    except (ArithmeticError, TypeError, ValueError):  # too large a number, half a surrogate
        return None


def _midnight(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value


def _several(place: Place, values: Sequence[Any]) -> RowsRefused:
    """Return the refusal of the first value of no kind, or of another kind than the first."""
    given = [(at, value) for at, value in enumerate(values) if value is not None]
    there = [(at, value, kind_of(value)) for at, value in given]
    for at, value, kind in there:
        if isinstance(value, Decimal):
            hint = f"{place.types('number')} takes the nearest 64-bit number"
            return place.refusal(at, f"{short(value)} is a decimal", hint)
        if kind is None:
            what = f"{short(value)} is no number, text, truth or moment"
            return place.refusal(at, what, "leave the column out, or make columns of it")
    first = there[0]
    at, value, _ = next(each for each in there if each[2] != first[2])
    what = f"{short(value)} is of another kind than {short(first[1])} before it"
    return place.refusal(at, what, as_texts(place, first[1], value))


def as_texts(place: Place, *values: object) -> str:
    """Return the hint that values may be taken as texts, where that loses nothing of them."""
    texts = all(kind_of(value) in ("category", "integer") for value in values)
    return f"{place.types('category')} takes whole numbers as texts" if texts else ""


def _said(value: Any, kind: Kind) -> Any:
    """Return one value as `kind`, or raise."""
    if isinstance(value, str) and kind != "category":
        found = from_text(pa.array([value]), kind)
        if found is None:
            raise ValueError(value)
        return found[0].as_py()
    return _SAID[kind](value)


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | UUID):
        raise TypeError(value)
    return str(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError(value)
    return float(value)


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError(value)
    if value != int(value):
        raise ValueError(value)
    return int(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, int) or value not in (0, 1):
        raise TypeError(value)
    return bool(value)


def _moment(value: Any) -> date:
    if not isinstance(value, date):
        raise TypeError(value)
    return value


_SAID: Mapping[Kind, Callable[[Any], Any]] = {
    "number": _number,
    "integer": _integer,
    "boolean": _truth,
    "category": _text,
    "time": _moment,
}
