from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ratoon.core.schema import Column, Schema
from ratoon.stores import shapes
from ratoon.windows.arrow import ArrowColumns
from ratoon.windows.judged import Scalar, Target
from ratoon.windows.label_column import LabelColumn
from ratoon.windows.labels import distinct, encode, extended
from ratoon.windows.rows import Rows
from ratoon.windows.snapshot import as_array, digest

ROWS = 12
SCHEMA = Schema(
    columns=(
        Column(name="rate", kind="number", nullable=True),
        Column(name="count", kind="integer"),
        Column(name="paid", kind="boolean"),
        Column(name="city", kind="category", nullable=True),
        Column(name="at", kind="time", nullable=True),
    ),
    frame="numpy",
)
LABELS: list[Sequence[Scalar]] = [
    (1, 0, 1, 1),
    (0.5, -1e300, 0.1, 2.0),
    (True, False, True, True),
    ("late", "on time", "Ø", "late"),
]


def arrays() -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(1)
    rate = rng.normal(size=ROWS)
    rate[[2, 7]] = np.nan
    at = np.datetime64("2026-01-01", "us") + np.arange(ROWS).astype("m8[s]")
    at[3] = np.datetime64("NaT")
    city = np.array(["Porto", None, "Faro", ""] * 3, dtype=object)
    return {
        "rate": rate,
        "count": np.arange(ROWS),
        "paid": rng.random(ROWS) < 0.5,
        "city": city,
        "at": at,
    }


def arrow(cuts: Sequence[int], *, coded: bool) -> ArrowColumns:
    """Return the columns as Arrow has them, cut anywhere."""
    whole = pa.table({name: shapes.to_arrow(column) for name, column in arrays().items()})
    edges = pairwise([0, *cuts, ROWS])
    parts = [whole.slice(start, stop - start) for start, stop in edges]
    if coded:
        at = whole.schema.get_field_index("city")
        parts = [
            part.set_column(at, "city", part.column("city").dictionary_encode()) for part in parts
        ]
    table = pa.concat_tables(parts)
    return ArrowColumns({name: table.column(name) for name in table.column_names}, ROWS)


@pytest.mark.parametrize("texts", ["plain", "coded"])
@pytest.mark.parametrize("cuts", [(), (5,), (1, 2, 11), (0, 4, 4)], ids=repr)
def test_rows_in_arrows_memory_are_the_same_rows(cuts: tuple[int, ...], texts: str) -> None:
    """However Arrow holds and cuts columns, they have the same values, length and digest."""
    expected = Rows(schema=SCHEMA, columns=arrays())
    found = Rows(schema=SCHEMA, columns=arrow(cuts, coded=texts == "coded"))
    assert digest(found, (1,)) == digest(expected, (1,))
    assert len(found) == ROWS
    for name, column in expected.columns.items():
        np.testing.assert_array_equal(found.columns[name], column)
        assert found.columns[name].dtype == column.dtype
    assert digest(found, (1,)) == digest(expected, (1,))  # of arrays that were made of them too


def test_rows_where_a_mask_holds() -> None:
    """Rows are picked and renamed alike, whether a column has become an array or not."""
    mask = np.arange(ROWS) % 3 != 1
    columns = arrow((5,), coded=True)
    columns["rate"]
    kept = columns.kept(mask).picked({f"x:{name}": name for name in columns})
    assert kept.rows == int(mask.sum())
    for name, column in arrays().items():
        np.testing.assert_array_equal(kept[f"x:{name}"], column[mask])


def test_every_nan_counts_the_same() -> None:
    """A NaN of other bits, as x86 makes of inf - inf, is stored as any other and counts as one."""
    one, other = arrays(), arrays()
    other["rate"][2] = np.frombuffer(np.uint64(0xFFF8000000000000).tobytes())[0]
    assert one["rate"].tobytes() != other["rate"].tobytes()
    found = {digest(Rows(schema=SCHEMA, columns=columns), ()) for columns in (one, other)}
    assert len(found) == 1


@pytest.mark.parametrize("values", LABELS, ids=repr)
def test_labels_as_a_column_are_the_same_labels(values: tuple[Scalar, ...]) -> None:
    """A column of labels reads like the tuple: values, types, order, array, digest."""
    kinds, texts = shapes.texts_of(values)
    table = pa.table({"kind": shapes.to_arrow(kinds), "value": shapes.to_arrow(texts)})
    found = shapes.labels_of(
        shapes.columns_of(pa.concat_tables([table.slice(0, 2), table.slice(2)]))
    )
    assert isinstance(found, LabelColumn)
    assert found == values
    assert [type(label) for label in found] == [type(label) for label in values]
    assert (found[1], found[-1], found[1:3]) == (values[1], values[-1], values[1:3])
    np.testing.assert_array_equal(as_array(found), as_array(values))
    assert as_array(found).dtype == as_array(values).dtype
    rows = Rows(schema=SCHEMA, columns=arrays())
    assert digest(rows, found) == digest(rows, values)
    mask = np.array([False, True, True, False])
    assert found.kept(mask) == values[1:3]
    assert distinct(found.kept(mask)) == distinct(values[1:3])


@pytest.mark.parametrize("values", LABELS, ids=repr)
def test_labels_as_a_column_are_coded_alike(values: tuple[Scalar, ...]) -> None:
    """Codes and new classes of a column are those of the tuple."""
    dtype = object if isinstance(values[0], str) else None
    column = LabelColumn(*np.unique(np.array(values, dtype=dtype), return_inverse=True))
    target = Target(task="multiclass", classes=(values[1],))
    assert extended(target, column).classes == extended(target, values).classes
    grown = extended(target, values)
    np.testing.assert_array_equal(encode(grown, column), encode(grown, values))


def test_labels_of_several_kinds_stay_a_tuple() -> None:
    """Labels whose types differ are no column."""
    values: tuple[Scalar, ...] = (1, "1", True, 1.0)
    kinds, texts = shapes.texts_of(values)
    table = pa.table({"kind": shapes.to_arrow(kinds), "value": shapes.to_arrow(texts)})
    found = shapes.labels_of(shapes.columns_of(table))
    assert isinstance(found, tuple)
    assert [(type(label), label) for label in found] == [(type(v), v) for v in values]


def test_numbers_read_from_text_are_the_same_to_the_last_bit() -> None:
    """Numbers as labels come back from their text bit by bit."""
    values = tuple(np.random.default_rng(3).normal(size=2_000).tolist())
    kinds, texts = shapes.texts_of(values)
    table = pa.table({"kind": shapes.to_arrow(kinds), "value": shapes.to_arrow(texts)})
    assert shapes.labels_of(shapes.columns_of(table)) == values
