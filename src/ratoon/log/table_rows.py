"""What rows must be like before they are appended."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ratoon.core.errors import ColumnKindMismatch, ColumnsMismatch, ValueForbidden
from ratoon.log.files import TableState
from ratoon.log.table_columns import kinds

NUMBERS = ("row", "seq")
_KINDS = "int64, float64, bool, string, timestamp[us, UTC] or list<int64>"


def new_rows(rows: pa.Table, state: TableState, seq: int) -> pa.Table:
    """Return those rows that the table does not have yet, without columns that hold no type.

    Raises:
        ColumnsMismatch: `row` or `seq` is missing.
        ColumnKindMismatch: A column is of a type that tables do not have, or of another type than
            the table's column of that name.
        ValueForbidden: `row` does not go on where the table ends, or `seq` falls or is greater
            than the call says.
    """
    _check_columns(rows, state)
    typed = [name for name, kind in kinds(rows.schema).items() if not pa.types.is_null(kind)]
    rows = rows.select(typed)
    seqs = _numbers(rows, "seq")
    _check_seqs(seqs, seq)
    known = int(np.searchsorted(seqs, state.seq, side="right"))
    fresh = rows.slice(known)
    _check_numbers(_numbers(fresh, "row"), state.stop, known)
    return fresh


def _check_columns(rows: pa.Table, state: TableState) -> None:
    missing = tuple(name for name in NUMBERS if name not in rows.column_names)
    if missing:
        raise ColumnsMismatch(missing, ())
    for name, kind in kinds(rows.schema).items():
        if not pa.types.is_null(kind) or name in NUMBERS:
            expected = _expected(name, state)
            if not (_is_known(kind) if expected is None else _alike(kind, expected)):
                raise ColumnKindMismatch(name, str(expected or _KINDS), str(kind))


def _expected(name: str, state: TableState) -> Any:
    """Return the type that a column must have; None where the table has no such column yet."""
    if name in NUMBERS:
        return pa.int64()
    return kinds(state.schema).get(name)


def _is_known(kind: Any) -> bool:
    plain = (pa.int64(), pa.float64(), pa.bool_(), pa.string(), pa.timestamp("us", tz="UTC"))
    return kind in plain or _alike(kind, pa.list_(pa.int64()))


def _alike(kind: Any, expected: Any) -> bool:
    """Whether two types are the same, but for the name that the items of a list go by."""
    if pa.types.is_list(kind) and pa.types.is_list(expected):
        return kind.value_type == expected.value_type
    return kind == expected


def _numbers(rows: pa.Table, name: str) -> NDArray[np.int64]:
    column = rows.column(name)
    if column.null_count:
        at = cast("Any", pc).index(column.is_null(), True).as_py()
        raise ValueForbidden(name, "a number in every row", None, at)
    return cast("Any", column).to_numpy()


def _check_seqs(seqs: NDArray[np.int64], seq: int) -> None:
    falls = np.flatnonzero(np.diff(seqs) < 0)
    if len(falls):
        at = int(falls[0]) + 1
        raise ValueForbidden("seq", f"at least {seqs[at - 1]}, as before it", int(seqs[at]), at)
    if len(seqs) and seqs[-1] > seq:
        raise ValueForbidden("seq", f"at most {seq}", int(seqs[-1]), len(seqs) - 1)


def _check_numbers(numbers: NDArray[np.int64], start: int, skipped: int) -> None:
    wanted = np.arange(start, start + len(numbers))
    wrong = np.flatnonzero(numbers != wanted)
    if len(wrong):
        at = int(wrong[0])
        raise ValueForbidden("row", f"{wanted[at]}", int(numbers[at]), at + skipped)
