from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from ratoon.core.errors import (
    BatchEmpty,
    ColumnKindMismatch,
    ColumnsMismatch,
    LengthMismatch,
    RowsRefused,
    ValueForbidden,
)
from ratoon.core.schema import Column, Kind, Schema
from ratoon.windows.intake import read_rows
from ratoon.windows.rows import DTYPES, Rows

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
COLUMNS: dict[str, list[Any]] = {
    "count": [3, -1, 2**62],
    "gap": [1, None, 3],  # whole numbers with a missing one
    "rate": [0.5, None, -2.25],
    "city": ["Porto", None, ""],
    "paid": [True, False, True],
    "at": [NOON, None, NOON - timedelta(days=20_000)],
}
KINDS: dict[str, tuple[Kind, bool]] = {
    "count": ("integer", False),
    "gap": ("number", True),
    "rate": ("number", True),
    "city": ("category", True),
    "paid": ("boolean", False),
    "at": ("time", True),
}
STAMPS = [NOON.replace(tzinfo=None), None, (NOON - timedelta(days=20_000)).replace(tzinfo=None)]
EXPECTED: dict[str, list[Any]] = COLUMNS | {"at": STAMPS}


def pandas_of(columns: Mapping[str, list[Any]]) -> pd.DataFrame:
    return pd.DataFrame(columns)


def pandas_nullable(columns: Mapping[str, list[Any]]) -> pd.DataFrame:
    return pd.DataFrame(columns).convert_dtypes()


def pandas_arrow(columns: Mapping[str, list[Any]]) -> pd.DataFrame:
    return pd.DataFrame(columns).convert_dtypes(dtype_backend="pyarrow")


def pandas_objects(columns: Mapping[str, list[Any]]) -> pd.DataFrame:
    return pd.DataFrame(columns, dtype=object)


def pandas_categories(columns: Mapping[str, list[Any]]) -> pd.DataFrame:
    return pd.DataFrame(columns).astype({name: "category" for name in columns if name != "at"})


def polars_categories(columns: Mapping[str, list[Any]]) -> pl.DataFrame:
    frame = pl.DataFrame(columns, strict=False)
    return frame.with_columns(pl.col(pl.String).cast(pl.Categorical))


def arrow_of(columns: Mapping[str, list[Any]]) -> pa.Table:
    return pa.table(dict(columns))


def arrow_encoded(columns: Mapping[str, list[Any]]) -> pa.Table:
    parts = {name: pa.array(values) for name, values in columns.items()}
    texts = {n: p.dictionary_encode() for n, p in parts.items() if pa.types.is_string(p.type)}
    halves = [pa.table(parts | texts).slice(0, 1), pa.table(parts | texts).slice(1)]
    return pa.concat_tables(halves)


def records_of(columns: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def series_of(columns: Mapping[str, list[Any]]) -> dict[str, Any]:
    """A dict of columns, each of another library."""
    makers: list[Callable[[list[Any]], Any]] = [pl.Series, pa.array, pd.Series, tuple, list]
    return {
        name: makers[i % len(makers)](values) for i, (name, values) in enumerate(columns.items())
    }


def numpy_scalars(columns: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    return {
        "count": list(np.array(columns["count"])),
        "gap": [np.int32(1), np.nan, np.float32(3)],
        "rate": [np.float64(0.5), np.nan, -2.25],
        "city": [np.str_("Porto"), np.nan, ""],
        "paid": [np.True_, np.False_, np.True_],
        "at": [None if v is None else np.datetime64(v, "ns") for v in STAMPS],
    }


SHAPES: dict[str, Callable[[Mapping[str, list[Any]]], Any]] = {
    "dict of lists": dict,
    "list of dicts": records_of,
    "dict of series": series_of,
    "dict of numpy scalars": numpy_scalars,
    "pandas": pandas_of,
    "pandas nullable": pandas_nullable,
    "pandas on arrow": pandas_arrow,
    "pandas objects": pandas_objects,
    "pandas categories": pandas_categories,
    "polars": pl.DataFrame,
    "polars categories": polars_categories,
    "arrow": arrow_of,
    "arrow dictionaries in chunks": arrow_encoded,
}
CAME_AS = {"pandas": "pandas", "polars": "polars", "arrow": "arrow"}


def ids(cases: Sequence[Any]) -> list[str]:
    return [str(i) for i in range(len(cases))]


def listed(rows: Rows) -> dict[str, list[Any]]:
    """The columns as lists, NaN as None."""
    return {
        name: [None if v is None or v != v else v for v in column.tolist()]  # noqa: PLR0124
        for name, column in rows.columns.items()
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_equal_data_of_any_library_gives_equal_rows(shape: str) -> None:
    """Kinds, missing values and every cell are the same, whatever the data came in."""
    rows = read_rows(SHAPES[shape](COLUMNS))
    assert {c.name: (c.kind, c.nullable) for c in rows.schema.columns} == KINDS
    assert {n: str(c.dtype) for n, c in rows.columns.items()} == {
        name: DTYPES[kind] for name, (kind, _) in KINDS.items()
    }
    assert listed(rows) == EXPECTED
    assert rows.schema.frame == CAME_AS.get(shape.split(maxsplit=1)[0], "numpy")
    assert (len(rows), rows.schema.names) == (3, tuple(COLUMNS))


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_are_read_again_by_their_own_schema(shape: str) -> None:
    """Data conforms to the schema that was inferred from it, its columns in any order."""
    schema = read_rows(COLUMNS).schema
    backwards = {name: COLUMNS[name] for name in reversed(COLUMNS)}
    rows = read_rows(SHAPES[shape](backwards), schema)
    assert (rows.schema, list(rows.columns)) == (schema, list(COLUMNS))
    assert listed(rows) == EXPECTED


def test_an_array_has_columns_by_number() -> None:
    """A numpy array with two dimensions has columns x0, x1, …, of its own dtype's kind."""
    rows = read_rows(np.array([[1.5, np.nan], [2.0, 3.0]], dtype=np.float32))
    assert [(c.name, c.kind, c.nullable) for c in rows.schema.columns] == [
        ("x0", "number", False),
        ("x1", "number", True),
    ]
    assert listed(rows) == {"x0": [1.5, 2.0], "x1": [None, 3.0]}
    mixed = read_rows(np.array([[1, "a"], [2, None]], dtype=object))
    assert [(c.kind, c.nullable) for c in mixed.schema.columns] == [
        ("integer", False),
        ("category", True),
    ]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.array([1, 255], dtype=np.uint8), "integer"),
        (np.array([1, 2], dtype=">i4"), "integer"),
        (np.array([1, 2], dtype=np.float16), "number"),
        (np.array(["1900", "9998"], dtype="M8[Y]"), "time"),
        (np.ma.array([1.0, 2.0], mask=[False, True]), "number"),
        (pl.Series([date(2026, 1, 1), None]), "time"),
        ([date(2026, 1, 1), NOON], "time"),
        ([1, 2.5], "number"),
        (range(2), "integer"),
        ([None, None], "category"),
        ([math.nan, None], "number"),
        (pd.Series(pd.to_datetime(["2026-01-01", None]).tz_localize("Europe/Lisbon")), "time"),
    ],
    ids=repr,
)
def test_a_column_has_a_kind(values: Any, kind: Kind) -> None:
    """Every usual type of number, text, truth or time is of one of the five kinds."""
    rows = read_rows({"x": values})
    assert rows.schema.columns[0].kind == kind
    assert str(rows.columns["x"].dtype) == DTYPES[kind]


def test_moments_of_any_zone_are_utc() -> None:
    """Aware moments keep their instant, naive ones count as UTC, days begin at midnight."""
    lisbon = timezone(timedelta(hours=1))
    moments = [datetime(2026, 7, 1, 1, tzinfo=lisbon), datetime(2026, 7, 1), date(2026, 7, 1)]  # noqa: DTZ001
    assert set(read_rows({"x": moments}).columns["x"].tolist()) == {datetime(2026, 7, 1)}  # noqa: DTZ001


SCHEMA = Schema(
    columns=(
        Column(name="n", kind="number"),
        Column(name="i", kind="integer"),
        Column(name="b", kind="boolean"),
        Column(name="c", kind="category"),
        Column(name="t", kind="time"),
        Column(name="gaps", kind="number", nullable=True),
        Column(name="texts", kind="category", nullable=True),
        Column(name="moments", kind="time", nullable=True),
    )
)
GOOD: dict[str, list[Any]] = {
    "n": [0.5, 1],
    "i": [1, 2],
    "b": [True, False],
    "c": ["a", "b"],
    "t": [NOON, NOON],
    "gaps": [None, 1.0],
    "texts": [None, "x"],
    "moments": [NOON, None],
}


def test_whole_floats_are_integers_and_integers_are_numbers() -> None:
    """An integer column takes 2.0, a number column takes 2; both keep their dtype."""
    rows = read_rows(GOOD | {"i": [1.0, 2.0], "n": [1, 2], "gaps": [1, 2]}, SCHEMA)
    assert (rows.columns["i"].tolist(), rows.columns["i"].dtype) == ([1, 2], np.dtype("int64"))
    assert rows.columns["n"].dtype == rows.columns["gaps"].dtype == np.dtype("float64")


@pytest.mark.parametrize("empty", [[None, None], [math.nan, math.nan], [pd.NA, None]], ids=repr)
def test_a_column_may_be_missing_altogether(empty: list[Any]) -> None:
    """A nullable column that is missing in every row of a batch keeps its kind."""
    rows = read_rows(GOOD | dict.fromkeys(("gaps", "texts", "moments"), empty), SCHEMA)
    assert [str(rows.columns[n].dtype) for n in ("gaps", "texts", "moments")] == [
        "float64",
        "object",
        "datetime64[us]",
    ]
    assert all(v is None for n in ("gaps", "texts", "moments") for v in listed(rows)[n])


REFUSED: list[tuple[dict[str, Any], type[RowsRefused], str]] = [
    ({"n": [math.inf, 0.0]}, ValueForbidden, "'n' must be finite, got inf in row 0"),
    ({"gaps": [1.0, -math.inf]}, ValueForbidden, "'gaps' must be finite, got -inf in row 1"),
    ({"n": [0.0, math.nan]}, ValueForbidden, "'n' must be present, .*, got None in row 1"),
    ({"i": [1, None]}, ValueForbidden, "'i' must be present, .*, got None in row 1"),
    ({"c": ["a", None]}, ValueForbidden, "'c' must be present, .*, got None in row 1"),
    ({"t": [None, NOON]}, ValueForbidden, "'t' must be present, .*, got None in row 0"),
    ({"b": [True, None]}, ValueForbidden, "'b' must be present, .*, got None in row 1"),
    ({"i": [1, 2.5]}, ValueForbidden, "'i' must be a whole number .*, got 2.5 in row 1"),
    ({"i": [1.0, 1e19]}, ValueForbidden, r"'i' must be a whole number .*, got 1e\+19 in row 1"),
    ({"n": ["1", "2"]}, ColumnKindMismatch, "'n' must hold number values, got category"),
    ({"n": [True, False]}, ColumnKindMismatch, "'n' must hold number values, got boolean"),
    ({"b": [1, 0]}, ColumnKindMismatch, "'b' must hold boolean values, got integer"),
    ({"c": [1, 2]}, ColumnKindMismatch, "'c' must hold category values, got integer"),
    ({"t": [1, 2]}, ColumnKindMismatch, "'t' must hold time values, got integer"),
    ({"n": [NOON, NOON]}, ColumnKindMismatch, "'n' must hold number values, got time"),
    ({"n": [1]}, LengthMismatch, "n has 1 rows but i has 2"),
    ({"new": [1, 2]}, ColumnsMismatch, r"extra columns \['new'\]"),
]


@pytest.mark.parametrize("shape", ["dict of lists", "dict of series"])
@pytest.mark.parametrize(("changed", "error", "message"), REFUSED, ids=ids(REFUSED))
def test_what_breaks_the_schema_is_refused(
    changed: dict[str, Any], error: type[RowsRefused], message: str, shape: str
) -> None:
    """The refusal names the column, the rule and the value that breaks it, and its row."""
    with pytest.raises(error, match=message):
        read_rows(SHAPES[shape](GOOD | changed), SCHEMA)


def test_missing_and_extra_columns_are_named_together() -> None:
    """A batch that lacks columns and has others is refused with both lists."""
    lacking = {name: values for name, values in GOOD.items() if name not in ("n", "c")}
    with pytest.raises(ColumnsMismatch) as caught:
        read_rows(lacking | {"new": [1, 2]}, SCHEMA)
    assert (caught.value.missing, caught.value.extra) == (("n", "c"), ("new",))


@pytest.mark.parametrize(
    "data",
    [[], {}, {"a": []}, np.zeros((0, 2)), np.zeros((2, 0)), [{}], pd.DataFrame(), pa.table({})],
    ids=[str(i) for i in range(8)],
)
def test_an_empty_batch_is_refused(data: Any) -> None:
    """A batch without rows or without columns is refused as empty, in whatever shape."""
    with pytest.raises(BatchEmpty):
        read_rows(data)


@pytest.mark.parametrize(
    "data", [pd.DataFrame([[1, 2]]), [{0: 1, 1: 2}], {0: [1], 1: [2]}], ids=["0", "1", "2"]
)
def test_names_of_columns_are_texts(data: Any) -> None:
    """The columns of a frame whose columns are numbered are named "0", "1" and so on."""
    assert read_rows(data).schema.names == ("0", "1")


def test_rows_pass_through() -> None:
    """Rows that were read already are read again as they are, and checked where asked."""
    rows = read_rows(GOOD)
    assert read_rows(rows) is rows
    assert listed(read_rows(rows, SCHEMA)) == listed(read_rows(GOOD, SCHEMA))
    with pytest.raises(ColumnsMismatch):
        read_rows(rows, Schema(columns=(Column(name="n", kind="number"),)))
