"""Rows in, from whatever a person has: frames of any kind (through narwhals), dicts, arrays.

A batch is read whole or refused whole; every refusal names the column, the rule and the value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
from ratoon.windows.columns import KINDS, LARGEST, read_column
from ratoon.windows.rows import DTYPES, Array, Rows, missing

_NO_SCHEMA = (
    "a frame, a dict of columns, a list of dicts, an array with two dimensions or one with fields"
)

_FILES = "ratoon.sources.read gives the rows of a file; `ratoon record` brings them to a loop"


def read_rows(data: object, schema: Schema | None = None, *, frame: Frame | None = None) -> Rows:
    """Read a batch of feature rows; infer the schema where none is given.

    Args:
        data: a pandas, polars or pyarrow frame, or what gives a stream of Arrow, such as a record
            batch or a relation of DuckDB; a dict of columns, a list of dicts, or an array of
            shape (rows, columns), whose columns are named x0, x1, …, or a structured one of
            shape (rows,), whose columns are its fields.
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
    if isinstance(data, Rows) and schema is None:
        return data
    found, came_as = _columns(data)
    lengths = {name: len(values) for name, values in found.items()}
    if not found or not max(lengths.values()):
        raise BatchEmpty("the batch")
    first, rows = next(iter(lengths.items()))
    for name, length in lengths.items():
        if length != rows:
            raise LengthMismatch(first, rows, name, length)
    if schema is None:
        made = tuple(_describe(name, values) for name, values in found.items())
        return Rows(schema=Schema(columns=made, frame=frame or came_as), columns=found)
    _check_names(schema, found)
    columns = {c.name: _conformed(c, found[c.name]) for c in schema.columns}
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
        return read_times([times] * rows, rows, now)
    _check_aware(times)
    found = _conformed(Column(name="time", kind="time"), read_column("time", times))
    if len(found) != rows:
        raise LengthMismatch("the batch", rows, "times", len(found))
    return found


def _check_aware(times: object) -> None:
    if isinstance(times, list | tuple):
        for row, moment in enumerate(cast("Sequence[object]", times)):
            if isinstance(moment, datetime) and moment.tzinfo is None:
                raise ValueForbidden("time", "aware (with a time zone)", moment, row)


def _columns(data: object) -> tuple[dict[str, Array], Frame]:
    """Return the columns as arrays, and the kind of frame they came in."""
    if isinstance(data, Rows):
        return dict(data.columns), data.schema.frame
    if isinstance(data, np.ndarray):
        return _from_array(cast("Array", data)), "numpy"
    if isinstance(data, Mapping):
        columns = cast("Mapping[object, object]", data)
        return _named(columns.items()), "numpy"
    if isinstance(data, list | tuple):
        return _from_records(cast("Sequence[Any]", data)), "numpy"
    try:
        table = nw.from_native(_drained(data), eager_only=True, pass_through=True)
        if not isinstance(table, nw.DataFrame):
            message = f"rows must be {_NO_SCHEMA}, got {type(data).__name__}"
            is_path = isinstance(data, str) or hasattr(data, "__fspath__")
            raise RowsRefused(message, hint=_FILES if is_path else "")
        series = [column.to_native() for column in table.iter_columns()]
        named = _named(zip(table.columns, series, strict=True))
    except nw.exceptions.NarwhalsError as error:
        raise RowsRefused(f"the frame cannot be read: {error}") from error
    return named, _frame_of(table.implementation)


def _drained(data: object) -> Any:
    """Return what gives its rows as a stream of Arrow, and is no frame itself, as a table."""
    found = cast("Any", data)
    is_frame = nw.dependencies.is_into_dataframe(found) or nw.dependencies.is_into_series(found)
    if is_frame or not hasattr(found, "__arrow_c_stream__"):
        return found
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    try:
        return cast("Any", pa).table(found)
    except (ArithmeticError, NotImplementedError, TypeError, ValueError) as error:
        raise RowsRefused(f"the stream of Arrow cannot be read: {error}") from error


def _named(columns: Iterable[tuple[object, object]]) -> dict[str, Array]:
    """Read columns; each has a name of its own."""
    found: dict[str, Array] = {}
    for name, values in columns:
        if str(name) in found:
            message = f"column {str(name)!r} stands more than once in the batch"
            raise RowsRefused(message)
        found[str(name)] = read_column(str(name), values)
    return found


def _frame_of(implementation: nw.Implementation) -> Frame:
    if implementation.is_pandas():
        return "pandas"
    if implementation.is_polars():
        return "polars"
    return "arrow"


def _from_array(data: Array) -> dict[str, Array]:
    if data.dtype.names is not None:
        return _from_fields(data, data.dtype.names)
    if data.ndim != 2:  # noqa: PLR2004 - rows and columns
        message = f"an array of rows must have two dimensions, got {data.ndim}"
        raise RowsRefused(message)
    return _named((f"x{i}", data[:, i]) for i in range(data.shape[1]))


def _from_fields(data: Array, names: Sequence[str]) -> dict[str, Array]:
    """Read a structured array: a field is a column."""
    if data.ndim != 1:
        message = f"a structured array of rows must have one dimension, got {data.ndim}"
        raise RowsRefused(message)
    return _named((name, data[name]) for name in names)


def _from_records(records: Sequence[Any]) -> dict[str, Array]:
    if not records:
        raise BatchEmpty("the batch")
    for row, record in enumerate(records):
        if not isinstance(record, Mapping):
            got = f"a list with {type(record).__name__} in row {row}"
            raise RowsRefused(f"rows must be {_NO_SCHEMA}, got {got}")
    names = list(cast("Mapping[Any, Any]", records[0]))
    for record in records:
        lacks, extra = set(names) - set(record), set(record) - set(names)
        if lacks or extra:
            raise ColumnsMismatch(tuple(sorted(map(str, lacks))), tuple(sorted(map(str, extra))))
    return _named((name, [record[name] for record in records]) for name in names)


def _describe(name: str, values: Array) -> Column:
    _check_finite(name, values)
    return Column(name=name, kind=KINDS[values.dtype.kind], nullable=bool(missing(values).any()))


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
    found = KINDS[values.dtype.kind]
    if found == column.kind:
        return values
    if column.kind == "number" and found == "integer":
        return values.astype("float64")
    if column.kind == "integer" and found == "number":
        wrong = (values != np.floor(values)) | (np.abs(values) >= LARGEST)
        if wrong.any():
            row = int(np.argmax(wrong))
            rule = f"a whole number below {LARGEST}"
            raise ValueForbidden(column.name, rule, float(values[row]), row)
        return values.astype("int64")
    raise ColumnKindMismatch(column.name, column.kind, found)


def _all_missing(kind: Kind, rows: int) -> Array:
    if kind == "category":
        return np.full(rows, None, dtype=object)
    return np.full(rows, np.nan if kind == "number" else np.datetime64("NaT", "us"), DTYPES[kind])


def _check_finite(name: str, values: Array) -> None:
    if values.dtype.kind == "f":
        infinite = np.isinf(values)
        if infinite.any():
            row = int(np.argmax(infinite))
            raise ValueForbidden(name, "finite", float(values[row]), row)
