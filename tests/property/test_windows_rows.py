from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ratoon.core.errors import RowsRefused
from ratoon.core.schema import Frame
from ratoon.windows.frames import to_frame
from ratoon.windows.intake import read_rows, read_times
from ratoon.windows.labels import read_labels
from ratoon.windows.rows import Rows, concat
from ratoon.windows.snapshot import digest

Columns: TypeAlias = dict[str, list[Any]]
EXAMPLES = settings(max_examples=40)
MOMENTS = st.datetimes(
    min_value=datetime(1700, 1, 1),  # noqa: DTZ001 - Hypothesis sets the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
VALUES: list[st.SearchStrategy[Any]] = [
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**53), 2**53),
    st.booleans(),
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=4),
    MOMENTS,
]
SHAPES: dict[str, Callable[[Columns], Any]] = {
    "pandas": pd.DataFrame,
    "polars": lambda columns: pl.DataFrame(columns, strict=False),
    "arrow": lambda columns: pa.table(dict(columns)),
    "records": lambda columns: [
        dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
    ],
}
HOSTILE = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.complex_numbers(),
        st.text(),
        st.binary(max_size=4),
        st.datetimes(),
        st.dates(),
        st.times(),
        st.timedeltas(),
        st.decimals(),
        st.fractions(),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=6,
)


@st.composite
def tables(draw: DrawFn, *, least: int = 1) -> Columns:
    """Columns of one length, each of one kind, some with missing values."""
    rows = draw(st.integers(least, 6))
    columns: Columns = {}
    for i in range(draw(st.integers(1, 4))):
        values = draw(st.sampled_from(VALUES))
        present = st.lists(values, min_size=rows, max_size=rows)
        column = draw(present)
        if values is not VALUES[2] and draw(st.booleans()):
            column[draw(st.integers(0, rows - 1))] = None
        columns[f"c{i}"] = column
    return columns


def equal(left: Rows, right: Rows) -> bool:
    return left.schema.columns == right.schema.columns and all(
        np.array_equal(left.columns[n], right.columns[n], equal_nan=left.columns[n].dtype != object)
        for n in left.schema.names
    )


@pytest.mark.parametrize("shape", SHAPES)
@given(columns=tables())
@EXAMPLES
def test_every_library_gives_the_same_rows(shape: str, columns: Columns) -> None:
    """Whatever the data came in, schema and cells are those of the plain lists."""
    if shape == "pandas":  # a column of nothing but None has no kind there or here
        columns = {n: c for n, c in columns.items() if any(v is not None for v in c)} or {"c": [1]}
    rows = read_rows(columns)
    assert equal(read_rows(SHAPES[shape](columns)), rows)


@pytest.mark.parametrize("frame", ["pandas", "polars", "arrow"])
@given(columns=tables())
@EXAMPLES
def test_rows_survive_the_frame_that_a_model_is_given(frame: Frame, columns: Columns) -> None:
    """Rows that become a frame and are read again by their schema have the same digest."""
    rows = read_rows(columns, frame=frame)
    back = read_rows(to_frame(rows), rows.schema)
    assert digest(back, (0,)) == digest(rows, (0,))


@given(columns=tables(least=2), cut=st.integers(1, 5))
@EXAMPLES
def test_rows_that_were_split_are_the_same_rows(columns: Columns, cut: int) -> None:
    """Rows that are cut anywhere and joined are equal, cell by cell, to those never cut."""
    rows = read_rows(columns)
    cut = min(cut, len(rows) - 1)
    joined = concat([rows.take(slice(0, cut)), rows.take(slice(cut, None))])
    assert digest(joined, ()) == digest(rows, ())
    assert (len(rows.take(slice(0, cut))), len(joined)) == (cut, len(rows))


@given(columns=tables(), data=st.data())
@EXAMPLES
def test_any_changed_cell_has_another_digest(columns: Columns, data: st.DataObject) -> None:
    """A cell that is replaced by another value of its kind changes the digest."""
    name = data.draw(st.sampled_from(sorted(columns)))
    row = data.draw(st.integers(0, len(columns[name]) - 1))
    old = columns[name][row]
    rows = read_rows(columns)
    kind = [v for v in columns[name] if v is not None]
    pool = next((s for s in VALUES if kind and _of(s, kind[0])), VALUES[3])
    new = data.draw(pool.filter(lambda value: value != old))
    changed = columns | {name: [*columns[name][:row], new, *columns[name][row + 1 :]]}
    assert digest(read_rows(changed), ()) != digest(rows, ())


def _of(strategy: st.SearchStrategy[Any], value: Any) -> bool:
    kinds = [float, int, bool, str, datetime]
    return type(value) is kinds[VALUES.index(strategy)]


@given(values=st.one_of(HOSTILE, st.lists(HOSTILE, min_size=1, max_size=4)))
@settings(max_examples=200)
def test_nothing_but_a_refusal_is_ever_raised(values: Any) -> None:
    """Any Python value as a column, as times, as labels or as a batch is read or refused."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    readers: list[Callable[[], object]] = [
        lambda: read_rows({"x": values}),
        lambda: read_rows(values),
        lambda: read_rows([{"x": values}]),
        lambda: read_times(values, 2, now),
        lambda: read_labels(values),
        lambda: read_labels(values, "regression"),
        lambda: read_labels(values, "binary"),
    ]
    for read in readers:
        try:
            read()
        except RowsRefused as refusal:
            assert str(refusal)  # noqa: PT017 - either end is good; it must say something
