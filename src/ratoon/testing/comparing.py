"""How the check kits compare: what differs is said, with both values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ratoon.stores.protocol import Columns, Draft, Entry, LabelledRows


def expect_equal(what: str, found: object, expected: object) -> None:
    """Raise `AssertionError` that names `what`, unless the two are equal."""
    if found != expected:
        raise AssertionError(f"{what}: expected {expected!r}, found {found!r}")


def expect_raised(what: str, kind: type[Exception], call: Callable[[], object]) -> Any:
    """Return the error of `kind` that the call raises; it must raise one."""
    try:
        answer = call()
    except kind as error:
        return error
    raise AssertionError(f"{what}: expected {kind.__name__}, but it returned {answer!r}")


def expect_named(what: str, error: Exception, names: Sequence[str]) -> None:
    """Raise `AssertionError` unless the error's message names one of `names`."""
    if not any(name in str(error) for name in names):
        raise AssertionError(f"{what}: expected one of {list(names)} in {str(error)!r}")


def expect_columns(what: str, found: Columns, expected: Columns) -> None:
    """Compare columns: names, kinds and values, a missing value being equal to itself."""
    expect_equal(f"{what}, names of columns", sorted(found), sorted(expected))
    for name, column in expected.items():
        expect_equal(f"{what}, dtype of {name}", found[name].dtype, column.dtype)
        expect_equal(f"{what}, {name}", _plain(found[name]), _plain(column))


def _plain(column: np.ndarray[Any, Any]) -> list[object]:
    """Return values that compare: a NaN or NaT differs from itself, its text does not."""
    return [v if v == v else str(v) for v in column]  # noqa: PLR0124 - as told


def expect_draft(what: str, found: Draft, expected: Draft) -> None:
    """Compare what arrived, the types of its values included."""
    for name in ("kind", "at", "ids", "values", "note"):
        expect_equal(f"{what}, {name}", getattr(found, name), getattr(expected, name))
    types = [type(value) for value in expected.values]
    expect_equal(f"{what}, types of values", [type(value) for value in found.values], types)
    expect_columns(what, found.columns, expected.columns)


def expect_entries(what: str, found: list[Entry], expected: list[Entry]) -> None:
    """Compare two stretches of a journal."""
    expect_equal(f"{what}, seqs", [e.seq for e in found], [e.seq for e in expected])
    for one, other in zip(found, expected, strict=True):
        expect_equal(f"{what}, rows joined by {one.seq}", one.joined, other.joined)
        expect_draft(f"{what}, entry {one.seq}", one.draft, other.draft)


def expect_rows(
    what: str, found: LabelledRows, ids: Sequence[str], values: Sequence[object]
) -> None:
    """Compare labelled rows by id and label."""
    expect_equal(f"{what}, ids", list(found.ids), list(ids))
    expect_equal(f"{what}, labels", list(found.values), list(values))
