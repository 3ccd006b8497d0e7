"""Where a value stands: its source, column and row, for those who must find it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ratoon.core.errors import RowsRefused
from ratoon.core.schema import Kind

_MOST = 60  # characters of a value that a refusal shows
_BITS = 200  # of a whole number that a refusal shows

_SAYS: Mapping[Kind, str] = {
    "number": "a number",
    "integer": "a whole number of at most 64 bits",
    "boolean": "true or false",
    "category": "a text",
    "time": "a moment such as 2026-03-01T12:00:00Z",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A column of a source, behind some rows of it."""

    source: str  # as a person knows it: a path, a database without its password
    column: str
    before: int = 0  # rows of the source that came earlier

    def refusal(self, at: int, fact: str, hint: str = "") -> RowsRefused:
        """Return the refusal of row `at` of the rows here; the source's first row is row 1.

        >>> Place(source="a.csv", column="age", before=100).refusal(4, "it is odd").fact
        "a.csv, row 105, column 'age': it is odd"
        """
        where = f"{self.source}, row {self.before + at + 1}, column {self.column!r}"
        return RowsRefused(f"{where}: {fact}", hint=hint)

    def no_value(self, at: int, value: object, kind: Kind, hint: str = "") -> RowsRefused:
        """Return the refusal of a value that is none of `kind`."""
        return self.refusal(at, f"{short(value)} is not {_SAYS[kind]}", hint)

    def types(self, kind: Kind) -> str:
        """Return the argument that says that the column is of `kind`."""
        return f"types={{{self.column!r}: {kind!r}}}"


def short(value: object) -> str:
    """Return a value as a person reads it, cut where it is long."""
    if isinstance(value, int) and value.bit_length() > _BITS:
        return f"a whole number of {value.bit_length()} bits"  # Python writes down no longer ones
    text = repr(value)
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"
