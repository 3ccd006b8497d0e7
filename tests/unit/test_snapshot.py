from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from ratoon.core.deciding import SnapshotPlan
from ratoon.core.measuring import RowRange, Window
from ratoon.core.schema import Frame
from ratoon.windows.intake import read_rows
from ratoon.windows.labels import Labels, infer_target
from ratoon.windows.rows import Rows
from ratoon.windows.snapshot import DatasetSnapshot, digest

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DATA: dict[str, list[Any]] = {
    "rate": [0.5, -2.0, 3.0],
    "gap": [1.0, None, 3.0],
    "count": [1, 2, 3],
    "paid": [True, False, True],
    "city": ["Porto", None, "Faro"],
    "at": [NOON, NOON + timedelta(microseconds=1), None],
}
NUMBERS = {"rate": DATA["rate"], "count": DATA["count"], "paid": DATA["paid"]}
LABELS: Labels = (0, 1, 0)


def rows_of(data: dict[str, list[Any]], frame: Frame = "numpy") -> Rows:
    return read_rows(data, frame=frame)


def snapshot_of(rows: Rows, labels: Labels) -> DatasetSnapshot:
    plan = SnapshotPlan(
        train=RowRange(start=0, stop=2), holdout=RowRange(start=2, stop=3), rule="all"
    )
    return DatasetSnapshot(
        digest=digest(rows, labels),
        features=rows,
        labels=labels,
        target=infer_target(labels),
        window=Window(start=NOON, end=NOON, rows=RowRange(start=0, stop=3)),
        plan=plan,
    )


def test_equal_rows_have_an_equal_digest() -> None:
    """The digest follows from schema, cells and labels, not from what the rows came in."""
    expected = digest(rows_of(DATA), LABELS)
    assert len(expected) == 64
    for frame in (pd.DataFrame(DATA), pl.DataFrame(DATA), pa.table(dict(DATA))):
        assert digest(read_rows(frame), LABELS) == expected
    every_second = rows_of({name: [v for v in col for _ in range(2)] for name, col in DATA.items()})
    assert digest(every_second.take(slice(None, None, 2)), LABELS) == expected


OTHER_CELLS: dict[str, list[Any]] = {
    "rate": [0.5, -2.0, np.nextafter(3.0, 4.0)],
    "gap": [1.0, 2.0, 3.0],
    "count": [1, 2, 4],
    "paid": [True, True, True],
    "city": ["Porto", "", "Faro"],
    "at": [NOON, NOON + timedelta(microseconds=2), None],
}


@pytest.mark.parametrize("column", DATA)
def test_a_changed_cell_changes_the_digest(column: str) -> None:
    """One cell of any kind, by the least that it can change, gives another digest."""
    rows, before = rows_of(DATA), rows_of(DATA | {column: OTHER_CELLS[column]})
    assert digest(rows, LABELS) != digest(before, LABELS)


def test_order_kind_name_and_labels_change_the_digest() -> None:
    """Columns or rows in another order, another kind, name or label: each has its own digest."""
    made = [
        digest(rows_of(DATA), LABELS),
        digest(rows_of(dict(reversed(DATA.items()))), LABELS),
        digest(rows_of(DATA).take(np.array([1, 0, 2])), LABELS),
        digest(rows_of(DATA | {"count": [1.0, 2.0, 3.0]}), LABELS),
        digest(rows_of({name.upper(): values for name, values in DATA.items()}), LABELS),
        digest(rows_of(DATA), (0, 1, 1)),
        digest(rows_of(DATA), (0.0, 1.0, 0.0)),
        digest(rows_of(DATA), (False, True, False)),
        digest(rows_of(DATA), ("0", "1", "0")),
        digest(rows_of(DATA).take(slice(0, 2)), LABELS[:2]),
    ]
    assert len(set(made)) == len(made)


def test_texts_are_told_apart_however_they_join() -> None:
    """Texts that read the same when written behind each other have digests of their own."""
    pairs = (["ab", "c"], ["a", "bc"], ["abc", ""], ["abc", None], ['a","b', "c"])
    made = {digest(rows_of({"t": list(pair)}), (0, 1)) for pair in pairs}
    assert len(made) == len(pairs)


def test_features_as_an_array() -> None:
    """Numpy gives float64 of shape (rows, columns) for numbers, else objects with None."""
    numbers = snapshot_of(rows_of(NUMBERS), LABELS).X
    assert (numbers.shape, numbers.dtype) == ((3, 3), np.float64)
    np.testing.assert_array_equal(numbers, [[0.5, 1, 1], [-2.0, 2, 0], [3.0, 3, 1]])
    mixed = snapshot_of(rows_of(DATA), LABELS).X
    assert (mixed.shape, mixed.dtype) == ((3, 6), object)
    assert [row[4] for row in mixed] == ["Porto", None, "Faro"]


@pytest.mark.parametrize(
    ("frame", "kind"),
    [("pandas", pd.DataFrame), ("polars", pl.DataFrame), ("arrow", pa.Table)],
)
def test_features_as_a_frame(frame: Frame, kind: type) -> None:
    """Each library's frame has the columns in order and reads back as the same rows."""
    rows = rows_of(DATA, frame)
    shuffled = replace(rows, columns=dict(reversed(rows.columns.items())))
    for made in (snapshot_of(rows, LABELS).X, snapshot_of(shuffled, LABELS).X):
        assert isinstance(made, kind)
        assert made.shape == (3, 6)
        back = read_rows(made)
        assert back.schema == rows.schema
        assert digest(back, LABELS) == digest(rows, LABELS)


def test_a_frame_of_numbers_keeps_its_types() -> None:
    """Whole numbers, truths and moments stay what they are in a frame."""
    made = snapshot_of(rows_of(DATA, "pandas"), LABELS).X
    assert [str(made[name].dtype) for name in ("rate", "count", "paid", "at")] == [
        "float64",
        "int64",
        "bool",
        "datetime64[us]",
    ]


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [
        ((0, 1, 0), "int64"),
        ((0.5, 1.0, 2.0), "float64"),
        ((1, 0.5, 2), "float64"),
        ((True, False, True), "bool"),
        (("a", "bc", "a"), "<U2"),
        ((1, "a", 1), "object"),
        ((True, 2, 3), "object"),
    ],
    ids=repr,
)
def test_labels_as_an_array(labels: Labels, dtype: str) -> None:
    """`y` has one label a row, each equal to what it was, also where their types differ."""
    y = snapshot_of(rows_of(NUMBERS), labels).y
    assert (y.shape, y.dtype) == ((3,), np.dtype(dtype))
    assert y.tolist() == list(labels)


def test_a_snapshot_goes_straight_into_scikit_learn() -> None:
    """`X` and `y` fit a model as they are, and its record says what it was made of."""
    snapshot = snapshot_of(rows_of(NUMBERS), ("no", "yes", "no"))
    model = LogisticRegression().fit(snapshot.X, snapshot.y)
    assert model.classes_.tolist() == ["no", "yes"]
    record = snapshot.record()
    assert (record["digest"], record["rows"], len(snapshot)) == (snapshot.digest, 3, 3)
