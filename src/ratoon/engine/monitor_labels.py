"""Labels that come in a table of their own: an id and what was true, joined to the log's rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ratoon.core.errors import BatchEmpty, RowsRefused
from ratoon.monitors.layout import as_texts, held_by
from ratoon.monitors.roles import Held, Roles, role_by_name

Table = Any

_AT_ONCE = 2_000_000  # rows of the log, at most, that are joined at once


class Labels:
    """Labels by id, in memory; of several labels of an id, the one that comes last counts."""

    def __init__(self, given: Iterator[Table], told: Roles) -> None:
        """Read them all.

        Args:
            given: tables with a column of ids and one of labels.
            told: how the columns of ids and of labels are called; else they are guessed.

        Raises:
            BatchEmpty: there are none.
            RowsRefused: a column is not there, or it is not told which one it is.
        """
        found = list(given)
        if not found:
            raise BatchEmpty("the table of labels")
        table: Table = cast("Any", pa).concat_tables(found, promote_options="permissive")
        self._told = told
        by, value = _id_of(table, told, "table of labels"), _label_of(table, told)
        self.name = told.label or value
        table = table.select([by, value]).drop_null()
        self.given = int(table.num_rows)
        table = table.take(np.arange(self.given)[::-1])
        self._ids = table.column(0).combine_chunks()
        self._values = table.column(1).combine_chunks()
        self._texts: Any = None
        self._used = np.zeros(self.given, dtype=bool)

    @property
    def roles(self) -> Roles:
        """What is known of the columns, with the label's."""
        return replace(self._told, label=self.name)

    def joined(self, tables: Iterator[Table], what: str | None) -> Iterator[Table]:
        """Yield the rows with their labels; a label that is there already is kept.

        Args:
            tables: in any order.
            what: they are, for errors; None leaves rows without ids as they are.
        """
        for table in _gathered(tables, min(self.given, _AT_ONCE)):
            if what is None and _by_name(table, self._told) is None:
                yield table
                continue
            yield self._with(table, _id_of(table, self._told, what or "reference"))

    def told(self) -> Iterator[str]:
        """Say how many labels found a row."""
        used = int(self._used.sum())
        yield f"Labels were joined by id: {used:,} of {self.given:,} have a row."
        if used < self.given:
            yield (
                f"{self.given - used:,} labels are of an id that no row has, or are followed by "
                "another label of the same id."
            )

    def _with(self, table: Table, by: str) -> Table:
        places = self._places(table.column(by).combine_chunks())
        known = places.drop_null()
        self._used[known.to_numpy(zero_copy_only=False)] = True
        values = self._values.take(places)
        if self.name not in table.column_names:
            return table.append_column(self.name, values)
        at = table.column_names.index(self.name)
        own = table.column(self.name)
        if own.null_count == len(own):
            return table.set_column(at, self.name, values)
        if own.type != values.type:
            own, values = as_texts(own), as_texts(cast("Any", pa).chunked_array([values]))
        return table.set_column(at, self.name, cast("Any", pc).coalesce(own, values))

    def _places(self, ids: Any) -> Any:
        """Return where the label of each id stands; none where there is none."""
        if ids.type == self._ids.type:
            return cast("Any", pc).index_in(ids, value_set=self._ids)
        if self._texts is None:
            self._texts = as_texts(self._ids)
        return cast("Any", pc).index_in(as_texts(ids), value_set=self._texts)


def _gathered(tables: Iterator[Table], rows: int) -> Iterator[Table]:
    """Put batches together, for many labels are not looked through for each small one."""
    held: list[Table] = []
    for table in tables:
        held.append(table)
        if sum(part.num_rows for part in held) >= rows:
            yield _whole(held)
            held = []
    if held:
        yield _whole(held)


def _whole(held: list[Table]) -> Table:
    made = cast("Any", pa)
    return held[0] if len(held) == 1 else made.concat_tables(held, promote_options="permissive")


def _by_name(table: Table, told: Roles) -> str | None:
    """Return the column of ids: as told, or known by its name."""
    names: list[str] = table.column_names
    if told.id in names:
        return told.id
    known = (name for name in names if role_by_name(name, held_by(table.column(name))) == "id")
    return next(known, None)


def _id_of(table: Table, told: Roles, what: str) -> str:
    found = _by_name(table, told)
    if found is None:
        rule = f"the {what} has no column of ids; it has {table.column_names}"
        raise RowsRefused(rule, hint="name it: id=COLUMN")
    return found


def _label_of(table: Table, told: Roles) -> str:
    """Return the column of labels: as told, known by its name, or the only one that is left."""
    names: list[str] = table.column_names
    if told.label in names:
        return told.label
    held: dict[str, Held] = {name: held_by(table.column(name)) for name in names}
    known = [name for name in names if role_by_name(name, held[name]) == "label"]
    rest = [
        name for name in names if held[name] in ("number", "text") and name != _by_name(table, told)
    ]
    if known or len(rest) == 1:
        return (known or rest)[0]
    rule = f"the table of labels has several columns that may be the label: {rest}"
    raise RowsRefused(rule, hint="name it: label=COLUMN")
