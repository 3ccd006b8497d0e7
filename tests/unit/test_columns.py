"""Columns become bytes and come back as they were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ratoon.stores import columns as codec
from ratoon.testing.comparing import expect_columns
from ratoon.testing.drafts import every_kind
from ratoon.windows.rows import Array

_TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=4)


def categories(rows: int) -> st.SearchStrategy[Array]:
    """Draw a column of texts and missing values."""
    return arrays.arrays(object, rows, elements=_TEXTS)


@given(rows=st.integers(1, 70), drawn=st.data())
def test_round_trip(rows: int, drawn: st.DataObject) -> None:
    """Every value of every kind comes back, NaN, NaT, None, infinities and odd texts too."""
    columns: dict[str, Array] = {
        "number": drawn.draw(arrays.arrays("float64", rows)),
        "integer": drawn.draw(arrays.arrays("int64", rows)),
        "boolean": drawn.draw(arrays.arrays("bool", rows)),
        "moment": drawn.draw(arrays.arrays("datetime64[us]", rows)),
        "category": drawn.draw(categories(rows)),
    }
    expect_columns("columns", codec.from_bytes(codec.to_bytes(columns)), columns)


@pytest.mark.parametrize("rows", [1, 500])
def test_strided_columns(rows: int) -> None:
    """A column that is a slice of a wider array comes back as that slice."""
    wide = np.arange(rows * 3, dtype="float64").reshape(rows, 3)
    found = codec.from_bytes(codec.to_bytes({"middle": wide[:, 1]}))
    assert found["middle"].tolist() == wide[:, 1].tolist()


def test_order_of_columns() -> None:
    """Columns come back in their order."""
    columns = {name: np.arange(2) for name in ("z", "a", "feature:é")}
    assert list(codec.from_bytes(codec.to_bytes(columns))) == ["z", "a", "feature:é"]


def test_large_batches_are_compressed() -> None:
    """A batch of many rows takes less room than its values would."""
    columns = every_kind(2000)
    assert len(codec.to_bytes(columns)) < 2000 * 20
