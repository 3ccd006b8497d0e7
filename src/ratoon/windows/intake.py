"""Rows in, from whatever a person has: frames of any kind (through narwhals), dicts, arrays.

A batch is read whole or refused whole; every refusal names the column, the rule and the value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import narwhals as nw
import numpy as np

from ratoon.core.errors import (
    BatchEmpty,
    ColumnKindMismatch,
    ColumnsMismatch,
    LengthMismatch,
    RowsRefused,
    ValueForbidden,
)
from ratoon.core.schema import Column, Frame, Kind, Schema
from ratoon.windows.rows import DTYPES, Array, Rows, missing

_KINDS: Mapping[str, Kind] = {
    "f": "number",
    "i": "integer",
    "u": "integer",
    "b": "boolean",
    "M": "time",
    "U": "category",
    "T": "category",
}
_NO_SCHEMA = "a frame, a dict of columns, a list of dicts or an array with two dimensions"


def read_rows(data: object, schema: Schema | None = None, *, frame: Frame | None = None) -> Rows:
    """Read a batch of feature rows; infer the schema where none is given.

    Args:
        data: a pandas, polars or pyarrow frame, a dict of columns, a list of dicts, or an array
            of shape (rows, columns), whose columns are named x0, x1, ….
        schema: what the rows must look like; their columns may come in any order.
        frame: the kind of frame that models are to be given; by default the kind of `data`.

    Raises:
        RowsRefused: where the batch is empty, lacks columns or has others, or holds values that
            the schema forbids. An infinite number is always forbidden; a missing one where the
            schema says so.

    >>> rows = read_rows({"age": [31, 40], "city": ["Porto", None]})
    >>> [(c.name, c.kind, c.nullable) for c in rows.schema.columns]
    [('age', 'integer', False), ('city', 'category', True)]
    """
    found, came_as = _columns(data)
    lengths = {name: len(values) for name, values in found.items()}
    if not found or not max(lengths.values()):
        raise BatchEmpty("the batch")
    first, rows = next(iter(lengths.items()))
    for name, length in lengths.items():
        if length != rows:
            raise LengthMismatch(first, rows, name, length)
    if schema is None:
        columns = {name: _inferred(name, values) for name, values in found.items()}
        made = tuple(_describe(name, values) for name, values in columns.items())
        return Rows(schema=Schema(columns=made, frame=frame or came_as), columns=columns)
    _check_names(schema, found)
    columns = {c.name: _conformed(c, _inferred(c.name, found[c.name])) for c in schema.columns}
    return Rows(schema=schema, columns=columns)


def read_times(times: object, rows: int, now: datetime) -> Array:
    """Read event times, one a row, as datetime64[us] in UTC; None means now.

    Raises:
        RowsRefused: where there are too few or too many, or one is missing or naive. The times of
            a numpy array or a frame's column have no zone; they are taken as UTC.
    """
    if times is None:
        return np.full(rows, np.datetime64(now.astimezone(UTC).replace(tzinfo=None), "us"))
    if isinstance(times, datetime):
        times = [times] * rows
    if isinstance(times, list | tuple):
        for row, moment in enumerate(cast("Sequence[object]", times)):
            if isinstance(moment, datetime) and moment.tzinfo is None:
                raise ValueForbidden("time", "aware (with a time zone)", moment, row)
    found = _conformed(Column(name="time", kind="time"), _inferred("time", _series(times)))
    if len(found) != rows:
        raise LengthMismatch("the batch", rows, "times", len(found))
    return found


def _series(values: object) -> Array:
    """Return one column of any library."""
    if isinstance(values, np.ndarray | list | tuple):
        return _array(cast("Sequence[Any]", values))
    return _from_series(nw.from_native(cast("Any", values), series_only=True))


def _columns(data: object) -> tuple[dict[str, Array], Frame]:
    """Return the columns as arrays, and the kind of frame they came in."""
    if isinstance(data, np.ndarray):
        return _from_array(cast("Array", data)), "numpy"
    if isinstance(data, Mapping):
        columns = cast("Mapping[str, Sequence[Any]]", data)
        return {str(name): _array(values) for name, values in columns.items()}, "numpy"
    if isinstance(data, list | tuple):
        return _from_records(cast("Sequence[Any]", data)), "numpy"
    table = nw.from_native(cast("Any", data), eager_only=True, pass_through=True)
    if not isinstance(table, nw.DataFrame):
        message = f"rows must be {_NO_SCHEMA}, got {type(data).__name__}"
        raise RowsRefused(message)
    came_as = _frame_of(table.implementation)
    return {name: _from_series(table[name]) for name in table.columns}, came_as


def _frame_of(implementation: nw.Implementation) -> Frame:
    if implementation.is_pandas():
        return "pandas"
    if implementation.is_polars():
        return "polars"
    return "arrow"


def _from_series(series: nw.Series[Any]) -> Array:
    if series.dtype in (nw.Categorical, nw.Enum, nw.String, nw.Object):
        return _array(series.to_list())
    if series.dtype in (nw.Datetime, nw.Date):
        return _array(series.to_list())
    if series.null_count() and series.dtype.is_integer():
        return series.cast(nw.Float64).to_numpy()
    return series.to_numpy()


def _from_array(data: Array) -> dict[str, Array]:
    if data.ndim != 2:  # noqa: PLR2004 - rows and columns
        message = f"an array of rows must have two dimensions, got {data.ndim}"
        raise RowsRefused(message)
    return {f"x{i}": _array(data[:, i]) for i in range(data.shape[1])}


def _from_records(records: Sequence[Any]) -> dict[str, Array]:
    if not records:
        raise BatchEmpty("the batch")
    if not all(isinstance(record, Mapping) for record in records):
        message = f"rows must be {_NO_SCHEMA}, got a list of {type(records[0]).__name__}"
        raise RowsRefused(message)
    names = list(cast("Mapping[str, Any]", records[0]))
    for record in records:
        if set(record) != set(names):
            raise ColumnsMismatch(
                tuple(sorted(set(names) - set(record))), tuple(sorted(set(record) - set(names)))
            )
    return {name: _array([record[name] for record in records]) for name in names}


def _array(values: Sequence[Any] | Array) -> Array:
    """Return one column; a list of mixed or missing values stays a column of objects."""
    if isinstance(values, np.ndarray) and values.dtype != object:
        return values
    listed: list[Any] = [_plain(value) for value in values]
    if any(value is None or isinstance(value, str) for value in listed):
        return _objects(listed)
    array = np.asarray(listed)
    return array if array.dtype.kind in "fiubM" else _objects(listed)


def _plain(value: Any) -> Any:
    """Turn a missing value of any library into None, a moment into UTC microseconds."""
    if value is None or value is getattr(value, "_NA", ...) or type(value).__name__ == "NAType":
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, datetime):
        if value != value:  # noqa: PLR0124 - NaT is a datetime that differs from itself
            return None
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return np.datetime64(aware.astimezone(UTC).replace(tzinfo=None), "us")
    return value


def _objects(values: Sequence[Any]) -> Array:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _inferred(name: str, values: Array) -> Array:
    """Bring a column into one of the kinds."""
    if values.dtype != object:
        kind = _KINDS.get(values.dtype.kind)
        if kind is None:
            raise ColumnKindMismatch(name, "numbers, texts, truths or times", str(values.dtype))
        return _objects(values.tolist()) if kind == "category" else values.astype(DTYPES[kind])
    present = [value for value in values if value is not None and value == value]  # noqa: PLR0124
    kinds = {_kind_of(value) for value in present}
    if kinds <= {"integer", "number"} and kinds:
        return np.array([math.nan if v is None else float(v) for v in values])
    if kinds == {"time"}:
        return np.array([np.datetime64("NaT") if v is None else v for v in values], DTYPES["time"])
    if kinds == {"boolean"} and len(present) == len(values):
        return values.astype(bool)
    if kinds <= {"category"}:
        return _objects([value if isinstance(value, str) else None for value in values])
    raise ColumnKindMismatch(name, "values of one kind", " and ".join(sorted(map(str, kinds))))


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
            return type(value).__name__


def _describe(name: str, values: Array) -> Column:
    _check_finite(name, values)
    kind: Kind = "category" if values.dtype == object else _KINDS[values.dtype.kind]
    return Column(name=name, kind=kind, nullable=bool(missing(values).any()))


def _check_names(schema: Schema, found: Mapping[str, Array]) -> None:
    lacks = tuple(name for name in schema.names if name not in found)
    extra = tuple(name for name in found if name not in schema.names)
    if lacks or extra:
        raise ColumnsMismatch(lacks, extra)


def _conformed(column: Column, values: Array) -> Array:
    """Bring `values` to the column's kind, or refuse them."""
    _check_finite(column.name, values)
    gone = missing(values)
    if gone.any() and not column.nullable:
        row = int(np.argmax(gone))
        raise ValueForbidden(column.name, "present, as in the training data", None, row)
    if gone.all() and column.kind in ("number", "category", "time"):
        return _all_missing(column.kind, len(values))
    found: Kind = "category" if values.dtype == object else _KINDS[values.dtype.kind]
    if found == column.kind:
        return values
    if column.kind == "number" and found == "integer":
        return values.astype("float64")
    if column.kind == "integer" and found == "number":
        uneven = values != np.floor(values)
        if uneven.any():
            row = int(np.argmax(uneven))
            raise ValueForbidden(column.name, "a whole number", float(values[row]), row)
        return values.astype("int64")
    raise ColumnKindMismatch(column.name, column.kind, found)


def _all_missing(kind: Kind, rows: int) -> Array:
    if kind == "category":
        return np.full(rows, None, dtype=object)
    return np.full(rows, np.nan if kind == "number" else np.datetime64("NaT"), DTYPES[kind])


def _check_finite(name: str, values: Array) -> None:
    if values.dtype.kind == "f":
        infinite = np.isinf(values)
        if infinite.any():
            row = int(np.argmax(infinite))
            raise ValueForbidden(name, "finite", float(values[row]), row)
