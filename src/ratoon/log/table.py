"""Append-only Delta tables whose rows are numbered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ratoon.core.errors import FileCorrupt, RowsRefused, SettingInvalid
from ratoon.log import table_reading as reading
from ratoon.log import table_vacuum as vacuuming
from ratoon.log.files import DataFile, TableState
from ratoon.log.table_changing import Changes, discard
from ratoon.log.table_checked import CheckedFiles
from ratoon.log.table_commits import Change, DeltaLog
from ratoon.log.table_groups import Groups
from ratoon.log.table_merging import next_merge
from ratoon.log.table_objects import open_storage
from ratoon.log.table_rows import new_rows

FILE_ROWS = 1_000_000
_CACHE_BYTES = 128 << 20
_TRIES = 3  # how often a read begins again because another process has replaced the files
T = TypeVar("T")


class RowTable:
    """An append-only Delta table whose rows carry their numbers.

    Each row has `row`, its number, which is given once and never again, and `seq`, the journal
    entry that brought it. A call of `append` returns when its rows would survive a cut of the
    power. Rows are never changed; they may be erased, and then their numbers stay holes.

    Every data file has its SHA-256 in its name. It is checked when the file is first read, and
    the checksums of its pages at each read: damage is a `FileCorrupt` that names the file, never
    a wrong number.

    Others read the table as it is: it is a Delta table of reader version 1. But no other may
    write to it, and of Ratoon only one process: a commit that meets another is refused.

    One object may be used from many threads.

    Args:
        uri: A path, the URI of a folder, or a place in an object store, s3://bucket/path.
        app: The name under which the table's log keeps `seq` (Delta's application transactions).
        storage_options: How to reach an object store, as `deltalake` has them.
        writable: Whether to append. Opened so, a table is first mended after an unclean end;
            opened to read alone, nothing is ever changed, and where its end is torn the last
            whole version is read.
        cache_bytes: The most bytes of decoded columns that stay in memory.

    Raises:
        StoreDamaged: The log cannot be read, or its end is missing.
        StoreUnreachable: The object store does not answer; any other call may raise it too.

    Examples:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> table = RowTable(folder.name, app="ratoon")
        >>> table.append(
        ...     pa.table({"row": [0, 1, 2], "seq": [1, 1, 2], "x": [0.5, 1.5, 2.5]}), seq=2
        ... )
        >>> table.stop, table.seq
        (3, 2)
        >>> table.take(np.array([2, 0]), ["x"]).to_pydict()
        {'row': [2, 0], 'x': [2.5, 0.5]}
        >>> table.close()
        >>> folder.cleanup()
    """

    def __init__(
        self,
        uri: str,
        *,
        app: str,
        storage_options: Mapping[str, str] | None = None,
        writable: bool = True,
        cache_bytes: int = _CACHE_BYTES,
    ) -> None:
        if cache_bytes < 0:
            raise SettingInvalid("cache_bytes", "at least 0", cache_bytes)
        options = dict(storage_options or {})
        self._uri = uri
        self._writable = writable
        self._storage = open_storage(uri, options)
        self._log = DeltaLog(uri, options, app=app, writable=writable)
        self._checked = CheckedFiles(self._storage)
        self._groups = Groups(self._checked, cache_bytes)
        self._changes = Changes(storage=self._storage, log=self._log, groups=self._groups)
        self._lock = threading.RLock()  # held by whoever commits
        self._known: TableState | None = None  # None: read the log before the next step
        self._now()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of what is in memory; nothing waits to be written."""
        self._groups.clear()

    # What the table holds

    @property
    def uri(self) -> str:
        """Where the table lies."""
        return self._uri

    @property
    def stop(self) -> int:
        """The number after the last row that was ever appended; 0 for none."""
        return self._now().stop

    @property
    def seq(self) -> int:
        """The last journal entry that the table has whole; 0 for none."""
        return self._now().seq

    @property
    def version(self) -> int | None:
        """The version of the Delta table; None where there is none yet."""
        return self._now().version

    @property
    def schema(self) -> pa.Schema:
        """The columns; none where there is no table yet."""
        return self._now().schema

    @property
    def files(self) -> tuple[DataFile, ...]:
        """The data files, in order of their rows."""
        return self._now().files.files

    def refresh(self) -> None:
        """See what another process has committed."""
        with self._lock:
            if self._known is None or self._log.has_news(self._known.version):
                self._known = self._opened()

    # Reading

    def take(self, rows: NDArray[np.int64], columns: Sequence[str] | None = None) -> pa.Table:
        """Return rows by their numbers, in the order asked; erased ones are left out.

        Args:
            rows: Row numbers, int64 (n,), in any order; the same one may stand there twice.
            columns: None for all; else these, behind the column `row`.

        Raises:
            FileCorrupt: A file is missing, or its bytes are not those that were written.
            ColumnsMismatch: The table has no such column.
        """
        wanted = np.asarray(rows, dtype=np.int64)
        return self._read(
            lambda state: reading.take(
                self._groups, state, wanted, reading.selected(state, columns)
            )
        )

    def pick(self, rows: NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        """Return columns of rows by their numbers, as `take` does, in the cheapest form.

        The column `row` is there where it is asked for. Texts may stand there as strings, or, where
        many rows are read, as numbers of distinct ones (a dictionary).

        Raises:
            FileCorrupt: A file is missing, or its bytes are not those that were written.
            ColumnsMismatch: The table has no such column.
        """
        wanted = np.asarray(rows, dtype=np.int64)
        return self._read(lambda state: reading.pick(self._groups, state, wanted, columns))

    def read(
        self, start: int = 0, stop: int | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Return the rows from `start` up to `stop` in order, all in memory, with all cores.

        Raises:
            FileCorrupt: A file is missing, or its bytes are not those that were written.
            ColumnsMismatch: The table has no such column.
        """
        return self._read(
            lambda state: reading.read(
                self._groups,
                state,
                start,
                state.stop if stop is None else stop,
                reading.selected(state, columns),
            )
        )

    def scan(
        self, start: int = 0, stop: int | None = None, columns: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """Yield the rows from `start` up to `stop` in order, a row group (65,536 rows) at a time.

        What is yielded is the table as it was when the scan began. A scan that meets a file that
        has been erased from meanwhile raises `FileCorrupt`: begin again.

        Raises:
            FileCorrupt: A file is missing, or its bytes are not those that were written.
            ColumnsMismatch: The table has no such column.
        """
        state = self._now()
        upto = state.stop if stop is None else stop
        return reading.scan(self._groups, state, start, upto, reading.selected(state, columns))

    def dataset(self) -> Any:
        """Return the table as a `pyarrow.dataset.Dataset`, for DuckDB and others.

        Files are checked before they are scanned; those whose `row`, `seq`, `time` or
        `arrived_at` cannot match a filter are not opened.
        """
        from ratoon.log.table_dataset import CheckedDataset  # noqa: PLC0415 - slow to import

        return CheckedDataset(self._checked, self._now())

    def verify(self) -> Iterator[str]:
        """Read every file through and yield what is wrong with it."""
        for file in self._now().files.files:
            complaint = self._checked.complaint(file)
            if complaint is not None:
                yield complaint

    def _read(self, step: Callable[[TableState], T]) -> T:
        """Read at one version; again at the next where files have been replaced meanwhile."""
        for _ in range(_TRIES):
            state = self._now()
            try:
                return step(state)
            except FileCorrupt as error:
                if not error.missing or not self._moved(state):
                    raise
        return step(self._now())

    def _moved(self, state: TableState) -> bool:
        if not self._writable:
            self.refresh()
        return self._now() is not state

    # Writing

    def append(self, rows: pa.Table, *, seq: int) -> None:
        """Append rows; return when they would survive a cut of the power.

        Rows whose `seq` is not greater than the table's are there already, and are left out; so
        the same rows may be sent again after a crash. A column that the table does not have is
        added to it, and is null in the rows before. A column that the rows lack is null in them.
        Without rows, `seq` alone moves, where there is a table.

        Args:
            rows: With the int64 columns `row`, going on at `stop`, and `seq`, not falling. Other
                columns are int64, float64, bool, string, timestamp[us, UTC] or list<int64>.
            seq: The journal entry up to which the table is whole then.

        Raises:
            ValueForbidden: `row` does not go on at `stop`, or `seq` falls or is too great.
            ColumnsMismatch: `row` or `seq` is missing.
            ColumnKindMismatch: A column has another type than in the table, or none of those.
            StoreUnwritable: The disk does not take the rows; nothing of them stays.
            TableChanged: Another process has committed; nothing of them stays.
        """
        with self._changing() as state:
            fresh = new_rows(rows, state, seq)
            if seq <= state.seq or (state.version is None and not fresh.num_rows):
                return
            self._known = self._changes.widen(state, fresh.schema)
            self._known = self._changes.append(self._known, fresh, seq, FILE_ROWS)

    def compact(self, *, rows: int = FILE_ROWS) -> None:
        """Merge small neighbouring files into files of at most `rows` rows, one commit a merge.

        Size-tiered: a row is rewritten at most log8(rows / 2) times, however long the table
        lives (see `table_merging.next_merge`). The order of the rows stays. The old files stay
        too, for those who read an older version, until `vacuum`. Appends go on meanwhile.

        Raises:
            SettingInvalid: `rows` is less than 2.
            FileCorrupt: A file is missing, or its bytes are not those that were written.
            StoreUnwritable: The disk does not take it; the table is as before.
        """
        if rows < 2:  # noqa: PLR2004 - fewer cannot be merged
            raise SettingInvalid("rows", "at least 2", rows)
        while self._merge(rows):
            pass

    def _merge(self, rows: int) -> bool:
        with self._changing() as state:
            old = next_merge(state.files.files, rows)
        if not old:
            return False
        written = self._changes.merge(state, old)
        with self._changing() as state:
            if state.files.names.issuperset(file.name for file in old):
                change = Change(removed=tuple(old), data_change=False)
                self._known = self._changes.commit(state, written, change, state.schema)
            else:  # rows were erased from them meanwhile
                discard(written)
        return True

    def erase(self, rows: NDArray[np.int64]) -> int:
        """Erase rows for good and return how many of them there were.

        The files that hold them are written anew without them, and the old ones are deleted from
        the storage at once, with those of older versions that hold them. If the process dies
        meanwhile, either nothing is erased, or the rest is done when the table is opened next.

        Raises:
            FileCorrupt: A file is missing, or its bytes are not those that were written.
            StoreUnwritable: The disk does not take it; the table is as before.
        """
        wanted = np.unique(np.asarray(rows, dtype=np.int64))
        with self._changing() as state:
            self._known, erased = self._changes.erase(state, wanted)
            return erased

    def drop(self, rows: NDArray[np.int64], *, now: datetime) -> int:
        """Remove rows, and return how many of them there were.

        The files that hold them are written anew without them; the old ones stay on the storage,
        for those who read an older version, until `vacuum`.
        """
        wanted = np.unique(np.asarray(rows, dtype=np.int64))
        with self._changing() as state:
            removed_ms = round(now.timestamp() * 1000)
            self._known, dropped = self._changes.drop(state, wanted, removed_ms)
            return dropped

    def drop_before(self, row: int, *, keep: Sequence[tuple[int, int]] = (), now: datetime) -> int:
        """Remove the files all of whose rows come before `row`, and return how many rows went.

        The files stay on the storage, for those who read an older version, until `vacuum`.

        Args:
            row: The first row that must stay.
            keep: Ranges (start, stop) of rows that must stay too.
            now: The present moment, aware.
        """
        with self._changing() as state:
            spared = {file.name for part in keep for file in state.files.between(*part)}
            old = [file for file in state.files.files if file.last < row]
            gone = tuple(file for file in old if file.name not in spared)
            if gone:
                change = Change(removed=gone, removed_ms=round(now.timestamp() * 1000))
                self._known = self._changes.commit(state, [], change, state.schema)
                self._groups.forget([file.name for file in gone])
            return sum(file.rows for file in gone)

    def vacuum(self, *, older_than: timedelta, now: datetime) -> int:
        """Delete the files that the present version does not name; return how many.

        Args:
            older_than: Files that were removed less than this ago stay.
            now: The present moment, aware.
        """
        with self._changing() as state:
            names = vacuuming.unused(self._storage, state, now.astimezone(UTC) - older_than)
            if names:
                self._storage.delete(names)
                self._groups.forget(names)
            return len(names)

    @contextmanager
    def _changing(self) -> Generator[TableState]:
        """Let one thread at a time change the table; where it fails, read the log anew."""
        if not self._writable:
            raise SettingInvalid("writable", "true to change a table", self._writable)
        with self._lock:
            try:
                yield self._now()
            except RowsRefused:
                raise
            except BaseException:
                self._known = None  # whether the commit has come to the log is not known
                raise

    def _now(self) -> TableState:
        state = self._known
        if state is not None:
            return state
        with self._lock:
            if self._known is None:
                self._known = self._opened()
            return self._known

    def _opened(self) -> TableState:
        state = self._log.open()
        if self._writable:
            self._changes.settle(state)
        return state
