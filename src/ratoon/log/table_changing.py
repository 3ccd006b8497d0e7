"""The steps by which a table changes, each of them one commit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ratoon.log import disk
from ratoon.log import table_vacuum as vacuuming
from ratoon.log.files import DataFile, TableState
from ratoon.log.table_columns import kinds
from ratoon.log.table_commits import Change, DeltaLog
from ratoon.log.table_groups import Groups
from ratoon.log.table_reading import whole_file
from ratoon.log.table_storage import Storage
from ratoon.log.table_writing import Written, write


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Writes files and commits them; each step takes the newest state and returns the next."""

    storage: Storage
    log: DeltaLog
    groups: Groups
    unsure: set[str] = field(default_factory=set[str])  # files whose commit may not have come

    def widen(self, state: TableState, schema: pa.Schema) -> TableState:
        """Add the columns that the table does not have yet."""
        known = state.schema.names
        new = [(name, kind) for name, kind in kinds(schema).items() if name not in known]
        return state if state.version is None or not new else self.log.widen(state, pa.schema(new))

    def append(self, state: TableState, rows: pa.Table, seq: int, file_rows: int) -> TableState:
        """Append rows, in files of at most `file_rows` rows."""
        schema = rows.schema if state.version is None else state.schema
        pieces = (rows.slice(at, file_rows) for at in range(0, rows.num_rows, file_rows))
        written = self.write_all(schema, ([piece] for piece in pieces))
        change = Change(seq=seq, stop=state.stop + rows.num_rows)
        return self.commit(state, written, change, schema)

    def merge(self, state: TableState, files: Sequence[DataFile]) -> list[Written]:
        """Write the rows of neighbouring files to one file."""
        tables = (table for file in files for table in whole_file(self.groups, file, state.schema))
        return self.write_all(state.schema, [tables])

    def erase(self, state: TableState, rows: NDArray[np.int64]) -> tuple[TableState, int]:
        """Erase rows, which ascend; return how many there were."""
        old, written = self._rewritten(state, rows)
        names = [file.name for file in old] + vacuuming.touching(self.storage, state, rows)
        try:
            vacuuming.plan_erasure(self.storage, names)
        except BaseException:
            discard(written)
            raise
        if old:
            state = self.commit(state, written, Change(removed=old), state.schema)
        vacuuming.finish_erasure(self.storage, state)
        self.groups.forget(names)
        return state, _fewer(old, written)

    def drop(
        self, state: TableState, rows: NDArray[np.int64], removed_ms: int
    ) -> tuple[TableState, int]:
        """Remove rows, which ascend, from this version on; return how many there were."""
        old, written = self._rewritten(state, rows)
        if old:
            change = Change(removed=old, removed_ms=removed_ms)
            state = self.commit(state, written, change, state.schema)
            self.groups.forget([file.name for file in old])
        return state, _fewer(old, written)

    def write_all(self, schema: pa.Schema, contents: Iterable[Iterable[pa.Table]]) -> list[Written]:
        """Write a file for each of the contents that has rows."""
        written: list[Written] = []
        try:
            for tables in contents:
                new = write(self.storage, schema, tables)
                if new is not None:
                    written.append(new)
        except BaseException:
            discard(written)
            raise
        return written

    def commit(
        self, state: TableState, written: Sequence[Written], change: Change, schema: pa.Schema
    ) -> TableState:
        """Give files their names and commit them.

        Where that fails, their names stay in `unsure` until `settle`.
        """
        files = tuple(new.file for new in written)
        self.unsure.update(file.name for file in files)
        try:
            with disk.writing(_folder(written)) if written else contextlib.nullcontext():
                for new in written:
                    new.keep(self.storage)
                self.storage.settle()
            whole = replace(change, added=files, removed_ms=_removed_ms(change, files))
            if state.version is None:
                after = self.log.create(schema, whole)
            else:
                after = self.log.commit(state, whole)
        except BaseException:
            discard(written)
            raise
        self.unsure.clear()
        self.log.tidy(after)
        return after

    def settle(self, state: TableState) -> None:
        """Delete what was begun, by this process or another, and did not come to the log."""
        left = [name for name in self.unsure if name not in state.files.names]
        if left:
            self.storage.delete(left)
        self.unsure.clear()
        vacuuming.finish_erasure(self.storage, state)
        vacuuming.drop_orphans(self.storage, state)

    def _rewritten(
        self, state: TableState, rows: NDArray[np.int64]
    ) -> tuple[tuple[DataFile, ...], list[Written]]:
        """Return the files that hold any of the rows, and those that are to take their place."""
        places: list[int] = np.unique(state.files.places(rows)).tolist()
        files = (state.files.files[place] for place in places if place >= 0)
        old = tuple(file for file in files if self._has_any(file, rows))
        contents = (self._without(file, rows, state.schema) for file in old)
        return old, self.write_all(state.schema, contents)

    def _has_any(self, file: DataFile, rows: NDArray[np.int64]) -> bool:
        if file.dense:
            return True
        groups = range(len(self.groups.footer(file).counts))
        numbers: Any = self.groups.read(file, groups, ["row"]).column("row")
        return bool(np.isin(numbers.to_numpy(), rows, assume_unique=True).any())

    def _without(
        self, file: DataFile, rows: NDArray[np.int64], schema: pa.Schema
    ) -> Iterator[pa.Table]:
        for table in whole_file(self.groups, file, schema):
            numbers: Any = table.column("row")
            stays = ~np.isin(numbers.to_numpy(), rows, assume_unique=True)
            yield table.filter(cast("Any", pa.array(stays)))


def discard(written: Iterable[Written]) -> None:
    """Delete files that never got their names."""
    for new in written:
        new.aside.unlink(missing_ok=True)


def _fewer(old: Sequence[DataFile], written: Sequence[Written]) -> int:
    """Return how many rows are gone."""
    return sum(file.rows for file in old) - sum(new.file.rows for new in written)


def _folder(written: Sequence[Written]) -> Any:
    return written[0].aside.parent


def _removed_ms(change: Change, files: Sequence[DataFile]) -> int:
    """Return when files were removed: when those were written that take their place."""
    return max([change.removed_ms, *(file.written_ms for file in files)])
