from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratoon.core.errors import BatchEmpty, RowsRefused
from ratoon.windows.judged import Target
from ratoon.windows.labels import decode, encode, extended, infer_target, read_labels

NUMBERS: list[Any] = [
    [1, 0, 3],
    (1.0, 0.0, 3.0),
    np.array([1, 0, 3], dtype=np.uint8),
    np.array([1.0, 0.0, 3.0], dtype=np.float32),
    np.array([np.int64(1), 0, np.float64(3)], dtype=object),
    [np.int8(1), np.float32(0), 3],
    pd.Series([1, 0, 3], dtype="Int64"),
    pd.Series([1.0, 0.0, 3.0]),
    pd.Categorical([1, 0, 3]),
    pl.Series([1, 0, 3]),
    pa.array([1, 0, 3]),
    pa.chunked_array([[1], [0, 3]]),
]
TEXTS: list[Any] = [
    ["late", "", "fair"],
    np.array(["late", "", "fair"]),
    [np.str_("late"), "", "fair"],
    pd.Series(["late", "", "fair"]),
    pd.Series(["late", "", "fair"], dtype="category"),
    pl.Series(["late", "", "fair"], dtype=pl.Categorical),
    pa.array(["late", "", "fair"]).dictionary_encode(),
]


def ids(cases: list[Any]) -> list[str]:
    return [str(i) for i in range(len(cases))]


@pytest.mark.parametrize("values", NUMBERS, ids=ids(NUMBERS))
def test_numbers_are_classes_or_numbers_by_the_task(values: Any) -> None:
    """Whole numbers of any library are ints as classes and floats as numbers, never numpy's own."""
    classes, numbers = read_labels(values, "multiclass"), read_labels(values, "regression")
    assert (classes, {type(v) for v in classes}) == ((1, 0, 3), {int})
    assert (numbers, {type(v) for v in numbers}) == ((1.0, 0.0, 3.0), {float})
    assert read_labels(values) == (1, 0, 3)


@pytest.mark.parametrize("values", TEXTS, ids=ids(TEXTS))
def test_texts_are_classes(values: Any) -> None:
    """Texts of any library are read as Python's own."""
    labels = read_labels(values, "multiclass")
    assert (labels, {type(v) for v in labels}) == (("late", "", "fair"), {str})


@pytest.mark.parametrize(
    "values",
    [[True, False], np.array([True, False]), pl.Series([True, False])],
    ids=["0", "1", "2"],
)
def test_truths_stay_truths(values: Any) -> None:
    """A truth is a class of its own type."""
    labels = read_labels(values, "binary")
    assert (labels, {type(v) for v in labels}) == ((True, False), {bool})


BAD: list[tuple[Any, str | None, str]] = [
    ([0.5, math.nan], "regression", "'label' must be finite, got nan in row 1"),
    ([math.inf], "regression", "'label' must be finite, got inf in row 0"),
    ([1, -math.inf], None, "'label' must be finite, got -inf in row 1"),
    ([1, None], "binary", "'label' must be a number, a text or a truth, got None in row 1"),
    (pd.Series([1, pd.NA], dtype="Int64"), "binary", "'label' must be .*, got None in row 1"),
    (pl.Series(["a", None]), "binary", "'label' must be .*, got None in row 1"),
    (np.ma.array([1, 2], mask=[True, False]), "binary", "'label' must be .*, got None in row 0"),
    (["a"], "regression", r"'label' must be a number \(the task is regression\), got 'a' in row 0"),
    ([1.0, True], "regression", "'label' must be a number .*, got True in row 1"),
    ([10**400], "regression", "'label' must be a number that fits a float"),
    ([1, 0.5], "binary", r"'label' must be a class \(the task is binary\), got 0.5 in row 1"),
    ([1e30], "binary", "'label' must be a class of at most"),
    ([2**63], "binary", "'label' must be a class of at most"),
    (["\ud800"], "binary", "'label' must be text that UTF-8 can hold"),
    ([[1]], "binary", r"'label' must be .*, got \[1\] in row 0"),
    (np.array([[1], [2]]), "binary", r"'label' must be .*, got \[1\] in row 0"),
    ([1j], None, "'label' must be .*, got 1j in row 0"),
    ([b"a"], None, "'label' must be .*, got b'a' in row 0"),
    ([date(2026, 1, 1)], None, "'label' must be a number, a text or a truth"),
    ([datetime(2026, 1, 1, tzinfo=UTC)], "regression", "'label' must be a number"),
    (np.array(5), "binary", "'label' must hold a list, an array or a series"),
    (5, "binary", "'label' must hold a list, an array or a series"),
    ("abc", "binary", "'label' must hold a list, an array or a series"),
    (b"abc", "binary", "'label' must hold a list, an array or a series"),
    ({"a": 1}, "binary", "'label' must hold a list, an array or a series"),
    ({1, 2}, "binary", "'label' must hold a list, an array or a series"),
    (None, "binary", "'label' must hold a list, an array or a series"),
    (pd.DataFrame({"y": [1]}), "binary", "'label' must hold a list, an array or a series"),
    ([], "binary", "the batch of labels is empty"),
    (np.zeros(0), None, "the batch of labels is empty"),
]


@pytest.mark.parametrize(("values", "task", "message"), BAD, ids=ids(BAD))
def test_a_label_that_the_task_forbids_is_refused(values: Any, task: str, message: str) -> None:
    """The refusal names the rule, the value and its row; nothing else is ever raised."""
    with pytest.raises(RowsRefused, match=message) as caught:
        read_labels(values, task)
    assert isinstance(caught.value, BatchEmpty) == ("empty" in message)


def test_the_task_follows_from_the_labels() -> None:
    """Texts, truths and up to 20 whole numbers are classes in order; other numbers a regression."""
    cases: list[tuple[tuple[Any, ...], str, tuple[Any, ...]]] = [
        ((1, 0, 1), "binary", (0, 1)),
        ((1.0, 0.0), "binary", (0, 1)),
        ((True, False), "binary", (False, True)),
        (("late", "fair"), "binary", ("fair", "late")),
        ((3, 1, 2, 2), "multiclass", (1, 2, 3)),
        (("a", 1, "b"), "multiclass", (1, "a", "b")),
        (tuple(range(20)), "multiclass", tuple(range(20))),
        (tuple(range(21)), "regression", ()),
        ((0.5, 1.0), "regression", ()),
    ]
    for labels, task, classes in cases:
        target = infer_target(labels)
        assert (target.task, target.classes) == (task, classes), labels
        assert {type(c) for c in target.classes} == {type(c) for c in classes}


def test_new_classes_stand_behind_the_known_ones() -> None:
    """A class that was never seen gets the next index; the old indices stay what they are."""
    target = Target(task="binary", classes=("b", "a"))
    assert extended(target, ("a", "b")) is target
    grown = extended(target, ("c", "a", "d", "c"))
    assert (grown.task, grown.classes) == ("multiclass", ("b", "a", "c", "d"))
    one = extended(Target(task="binary", classes=(0,)), (1, 0))
    assert (one.task, one.classes) == ("binary", (0, 1))
    numbers = Target(task="regression")
    assert extended(numbers, (1.0, 2.0)) is numbers


SCALARS = st.one_of(st.text(max_size=3), st.integers(2, 9), st.booleans())


@given(labels=st.lists(SCALARS, min_size=1, max_size=12))
def test_classes_are_coded_and_decoded(labels: list[Any]) -> None:
    """Codes are indices into the classes; decoding gives the labels back, with their types."""
    read = read_labels(labels, "multiclass")
    target = extended(Target(task="multiclass"), read)
    codes = encode(target, read)
    assert codes.dtype == np.float64
    assert set(codes.tolist()) == set(range(len(target.classes)))
    assert [(type(v), v) for v in decode(target, codes)] == [(type(v), v) for v in read]


@given(labels=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9))
def test_numbers_are_their_own_codes(labels: list[float]) -> None:
    """A regression's labels are coded as themselves, bit by bit."""
    target = Target(task="regression")
    codes = encode(target, read_labels(labels, "regression"))
    assert decode(target, codes) == labels
