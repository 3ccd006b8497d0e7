"""The kind that each column of a source is of, from its first block of rows to its last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pyarrow as pa

from ratoon.core.errors import RowsRefused, SettingInvalid
from ratoon.core.schema import Kind
from ratoon.sources.places import Place
from ratoon.sources.texts import TYPES, Arrow, first_odd, from_text, text_kind, zeros_and_ones
from ratoon.sources.values import as_texts, kind_of, natural, of_kind


class Kinds:
    """What is known of the columns of one source; it gives each block its types.

    A column is of the kind that a person said, else of the kind that the first block with a value
    in it shows; a later block of another kind is refused.

    Args:
        source: what the source is called in a refusal.
        told: the kinds that a person said, by column.

    >>> kinds = Kinds("a.jsonl", {})
    >>> kinds.values({"x": [1, 2]}).column("x").type
    DataType(int64)
    >>> kinds.values({"x": ["a"]})
    Traceback (most recent call last):
    ratoon.core.errors.RowsRefused: a.jsonl, row 3, column 'x': 'a' is not a whole number ...
    """

    def __init__(self, source: str, told: Mapping[str, Kind]) -> None:
        self.source = source
        self.rows = 0  # that have been given their types
        self._told = told
        self._found: dict[str, Kind] = {}
        self._names: tuple[str, ...] | None = None

    def texts(self, block: Any) -> Any:
        """Return a block of texts, such as CSV's, as a table of the columns' kinds."""
        return self._table(block.schema.names, block.columns, self._from_texts)

    def values(self, columns: Mapping[str, Sequence[Any]]) -> Any:
        """Return columns of Python's values as a table of the columns' kinds."""
        return self._table(list(columns), list(columns.values()), self._from_values)

    def typed(self, block: Any) -> Any:
        """Return a block with types of its own as a table of the columns' kinds."""
        return self._table(block.schema.names, block.columns, self._from_typed)

    def check_names(self, names: Sequence[str]) -> None:
        """Refuse columns of one name or of none, and settings for columns that are not there."""
        for at, name in enumerate(names):
            if not name:
                hint = "pandas writes its index so: write it with index=False"
                raise RowsRefused(f"{self.source}: column {at + 1} has no name", hint=hint)
            if name in names[:at]:
                raise RowsRefused(f"{self.source}: column {name!r} stands there twice")
        unknown = [name for name in self._told if name not in names]
        if unknown:
            rule = f"kinds of columns that {self.source} has ({', '.join(names)})"
            raise SettingInvalid("types", rule, unknown[0])
        self._names = tuple(names)

    def _table(self, names: Sequence[str], columns: Sequence[Any], made: Any) -> Any:
        if self._names is None:
            self.check_names(names)
        found = [
            made(Place(source=self.source, column=name, before=self.rows), column)
            for name, column in zip(names, columns, strict=True)
        ]
        table = cast("Any", pa).table(found, names=list(names))
        self.rows += table.num_rows
        return table

    def _from_texts(self, place: Place, column: Arrow) -> Arrow:
        kind = self._told.get(place.column) or self._found.get(place.column) or text_kind(column)
        if kind is None:
            return pa.nulls(len(column))
        if place.column not in self._told:
            self._found[place.column] = kind
        elif kind == "boolean":
            column = zeros_and_ones(column)
        return self._read(place, column, kind)

    def _from_values(self, place: Place, values: Sequence[Any]) -> Arrow:
        told = self._told.get(place.column)
        if told is not None:
            return of_kind(place, values, told)
        kind, column = natural(place, values)
        known = self._found.get(place.column)
        if kind is None:
            return column if known is None else column.cast(TYPES[known])
        if known is None:
            self._found[place.column] = known = kind
        if kind == known:
            return column
        if (kind, known) == ("integer", "number"):
            return column.cast(TYPES["number"], safe=False)  # to the nearest, as a decimal is
        if known == "category" and all(v is None or isinstance(v, str) for v in values):
            return pa.array(values, pa.string())  # all of them moments, among other texts before
        if known == "time" and kind == "category":
            return self._read(place, column, known)
        at = next(at for at, v in enumerate(values) if v is not None and kind_of(v) != known)
        hint = as_texts(place, values[at]) if known in ("integer", "category") else ""
        if (kind_of(values[at]), known) == ("number", "integer"):
            hint = f"{place.types('number')} takes it too"
        raise place.no_value(at, values[at], known, hint)

    def _from_typed(self, place: Place, column: Arrow) -> Arrow:
        found = plain(column)
        told = self._told.get(place.column)
        if told is None or found.type == TYPES[told]:
            return found
        if pa.types.is_string(found.type):
            return self._read(place, found, told)
        return of_kind(place, found.to_pylist(), told)

    def _read(self, place: Place, texts: Arrow, kind: Kind) -> Arrow:
        found = from_text(texts, kind)
        if found is not None:
            return found
        at = first_odd(texts, kind)
        raise place.no_value(at, texts[at].as_py(), kind, self._hint(place, kind))

    def _hint(self, place: Place, kind: Kind) -> str:
        """Say how a text that is not of the kind found in earlier rows could be taken."""
        if place.column in self._told:
            return ""
        numbers = f"{place.types('number')} takes decimals too, " if kind == "integer" else ""
        return (
            f"the kind was told from the first rows; {numbers}"
            f"{place.types('category')} takes the column as texts"
        )


def plain(column: Arrow) -> Arrow:
    """Return a column as one of the six types that `read` gives, where it loses nothing.

    Those are float64, int64, bool, string, timestamp[us, UTC] and null. Numbers of other widths
    are widened, categories become what they stand for, dates their midnights, moments without a
    zone are in UTC, and what is finer than a microsecond is cut off. Any other column is returned
    as it is: it is no feature, but may be left out.

    >>> import pyarrow as pa
    >>> plain(pa.array([1, 2], pa.int8())).type
    DataType(int64)
    """
    kind: Any = column.type
    types = cast("Any", pa.types)
    if types.is_dictionary(kind):
        return plain(column.cast(kind.value_type))
    if kind == pa.uuid():
        return pa.array([None if v is None else str(v) for v in column.to_pylist()], pa.string())
    if types.is_large_string(kind) or types.is_string_view(kind):
        return column.cast(pa.string())
    if types.is_floating(kind):
        return column.cast(pa.float64())
    if types.is_timestamp(kind):
        return column.cast(TYPES["time"], safe=kind.unit != "ns")
    if types.is_date(kind):
        return column.cast(TYPES["time"])
    if types.is_integer(kind):
        try:
            return column.cast(pa.int64())
        except pa.ArrowInvalid:  # a whole number beyond 64 bits with a sign
            return column
    return column
