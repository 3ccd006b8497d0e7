"""Rows gathered from the batches that they arrived in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, cast

import numpy as np

from ratoon.core.errors import IdConflict
from ratoon.stores.protocol import Columns
from ratoon.windows.rows import Array

Address = tuple[int, int]
"""Where a row stands: the journal entry, and its place in it."""

_SOMETIMES = ("output", "version", "score:")  # columns of rows of which something was said
_OF_THE_MOMENT = frozenset({"time", "version"})


def gather(addresses: Sequence[Address], read: Callable[[int], Columns]) -> Columns:
    """Return the rows at `addresses`, in their order; `read` gives the columns of an entry."""
    parts: list[tuple[Columns, Array]] = []
    for seq, run in groupby(addresses, key=lambda address: address[0]):
        index = np.array([offset for _, offset in run], dtype=np.intp)
        parts.append((read(seq), index))
    return stacked(parts)


def stacked(parts: Sequence[tuple[Columns, Array]]) -> Columns:
    """Return rows of several batches behind each other: the columns of each, and which rows.

    A column that a batch lacks (scores of a class that came later, outputs of rows that were never
    predicted) is NaN there.
    """
    names = list(dict.fromkeys(name for columns, _ in parts for name in columns))
    return {
        name: np.concatenate(
            [
                columns[name][index] if name in columns else np.full(len(index), np.nan)
                for columns, index in parts
            ]
        )
        for name in names
    }


def one_by_one(columns: Columns, rows: int) -> list[Columns]:
    """Return rows apart from each other, each without what was never said of it.

    >>> [sorted(one) for one in one_by_one({"output": np.array([1.0, np.nan])}, 2)]
    [['output'], []]
    """
    return [
        {
            name: column[row : row + 1]
            for name, column in columns.items()
            if not (name.startswith(_SOMETIMES) and _is_missing(column[row]))
        }
        for row in range(rows)
    ]


def _is_missing(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124 - NaN


def same_content(what: str, row_id: str, known: Columns, row: int, sent: Columns, at: int) -> None:
    """Refuse a row that is known with another content.

    What is not sent again does not count, nor does when it came and which version was champion
    then: the same row may come twice, later, and from another process.

    Args:
        what: the kind of row, for the message.
        row_id: its id.
        known: the batch that it is known from, and its `row` there.
        row: its place in `known`.
        sent: the batch that was sent, and its place `at` there.
        at: its place in `sent`.
    """
    for name in sent:
        if name in _OF_THE_MOMENT:
            continue
        before = _plain(known[name][row]) if name in known else None
        after = _plain(sent[name][at])
        if before != after and not (before != before and after != after):  # noqa: PLR0124 - NaN
            shown = name.removeprefix("feature:")
            raise IdConflict(what, row_id, f"{shown}: {before!r} before, {after!r} now")


def _plain(value: Any) -> Any:
    """Return a value as Python has it, for comparison and for people; NaT stays what it is."""
    if isinstance(value, np.generic) and value == value:  # noqa: PLR0124 - NaT is not itself
        return cast("Any", value).item()
    return cast("Any", value)
