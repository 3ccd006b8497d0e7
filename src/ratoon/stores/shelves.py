"""The rows of a log: the newest in memory, all others in tables that everyone can read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from threading import RLock
from typing import Any, Literal

import numpy as np

from ratoon.log.table import RowTable
from ratoon.log.table_storage import local_root
from ratoon.stores import entries as rows_of
from ratoon.stores import shapes
from ratoon.stores.asking import Part
from ratoon.stores.catalog import Numbers
from ratoon.stores.compared import whence
from ratoon.stores.entries import Marks, Stored, journal_rows, marks_of
from ratoon.stores.protocol import Columns
from ratoon.stores.rereading import reread
from ratoon.stores.shelf import Shelf
from ratoon.windows.arrow import from_arrow
from ratoon.windows.rows import Array

TableName = Literal["predictions", "labels", "feedback", "journal"]
_TABLES: tuple[TableName, ...] = ("predictions", "labels", "feedback", "journal")
_OWN = frozenset({"row", "arrived_at", "label", "ordinal"})  # that nobody has sent
_SAID = frozenset({"kind", "value", "seq"})  # what tells a label, and when it came
_WARM = 20_000  # rows of each table that stay in memory though a file has them
_MANY = 100_000  # rows, more than there are files
_NUMBERS = ("label", "prediction", "ordinal")  # -1 for none


class Shelves:
    """The tables of one loop, and what has not reached them yet."""

    def __init__(self, place: str, *, writable: bool) -> None:
        """Open the tables in a folder, or below a URI of an object store."""
        self._place = place
        self.tables: dict[TableName, RowTable] = {
            name: RowTable(f"{place}/{name}", app=f"ratoon/{name}", writable=writable)
            for name in _TABLES
        }
        self.flushed = self.tables["journal"].stop  # the last entry that the tables have
        self._shelves = _empty(self.marks())
        self._newest: list[Stored] = []  # entries, those behind `flushed` and some before it

    def marks(self) -> Marks:
        """Count what the tables hold."""
        journal = self.tables["journal"]
        if not journal.stop:
            return Marks()
        return marks_of(journal.take(np.array([journal.stop - 1])).to_pylist()[0])

    @property
    def waiting(self) -> int:
        """How many entries and rows no table has yet."""
        newest = self._newest
        behind = newest[-1].entry.seq - self.flushed if newest else 0
        if not behind:
            return 0
        before, after = newest[-behind].before, newest[-1].after
        return behind + after.rows - before.rows + after.labels - before.labels

    def put(self, stored: Stored) -> None:
        """Take in an entry."""
        draft = stored.entry.draft
        if draft.kind in ("history", "predictions"):
            n = len(draft.ids) or len(draft.values)
            self._shelves["predictions"].put(stored, n)
        if draft.kind in ("history", "labels"):
            self._shelves["labels"].put(stored, len(draft.values))
        if draft.kind == "feedback":
            self._shelves["feedback"].put(stored, len(draft.ids))
        self._newest.append(stored)

    def newest(self) -> tuple[Stored, ...]:
        """Return the newest entries: those that no table has, and some others."""
        return tuple(self._newest)

    # Reading

    def predictions(self, rows: Numbers, columns: Collection[str] | None = None) -> Columns:
        """Return rows of predictions and of history as they were sent.

        Of the columns those that are named; by default all, with ids and entries.
        """
        if columns is None:
            return self._take("predictions", rows, lambda name: name not in _OWN)
        return self._take("predictions", rows, columns.__contains__)

    def labels(self, rows: Numbers, *, alone: bool = False) -> Columns:
        """Return the kinds of labels, their values as text and, unless `alone`, their entries."""
        wanted = _SAID - {"seq"} if alone else _SAID
        return self._take("labels", rows, wanted.__contains__)

    def feedback(self, rows: Numbers) -> Columns:
        """Return rows of feedback."""
        return self._take("feedback", rows, lambda _: True)

    def has_all(self, rows: Numbers) -> bool:
        """Tell of many predictions whether it is sure that none of them was ever erased.

        It is where the files have every row between the first and the last of them. Of fewer rows
        it costs less to look each of them up.
        """
        if len(rows) < _MANY:
            return False
        table, low, high = self.tables["predictions"], int(rows.min()), int(rows.max())
        for file in table.files:
            if file.first <= high and file.last >= low:
                if not (file.dense and file.first <= low):
                    return False
                low = file.last + 1
        return low > min(high, table.stop - 1)  # those behind the last file wait in memory

    def whence(self, rows: Numbers, labels: Numbers) -> str | None:
        """Return where predictions and labels lie; None where no file has some of them."""
        return whence(
            ((self.tables["predictions"], rows), (self.tables["labels"], labels)),
        )

    def parts(self) -> Mapping[str, Part]:
        """Return the rows of each table: those that files have, and those that wait."""
        marks = self.marks()
        stops: dict[TableName, int] = {
            "predictions": marks.rows,
            "labels": marks.labels,
            "feedback": marks.said,
        }
        for name, stop in stops.items():
            if self.tables[name].stop < stop:  # opened before the journal's, and not as new
                self.tables[name].refresh()
        return {
            name: Part(
                table=table,
                folder=local_root(f"{self._place}/{name}"),
                stop=stops.get(name, marks.entries),
                waiting=self._waiting(name, stops[name]) if name in stops else None,
            )
            for name, table in self.tables.items()
        }

    def _waiting(self, name: TableName, start: int) -> Any:
        """Return the rows from `start` on as an Arrow table; None for none."""
        shelf = self._shelves[name]
        if shelf.stop == start:
            return None
        return _table(start, shelf.between(start, shelf.stop), self.tables[name].schema.names)

    def _take(self, name: TableName, rows: Numbers, wanted: Callable[[str], bool]) -> Columns:
        """Return those columns of rows whose names are wanted."""
        shelf, table = self._shelves[name], self.tables[name]
        new = rows >= shelf.start
        if new.all():
            return shelf.take(rows, wanted)
        names = [column for column in table.schema.names if wanted(shapes.inner(column))]
        old = shapes.columns_of(table.pick(rows if not new.any() else rows[~new], names))
        return old if not new.any() else _merged(new, shelf.take(rows[new], wanted), old)

    def entries(self, after: int, last: int) -> Iterator[Stored]:
        """Read the journal behind the entry `after` up to `last`, in order."""
        newest = self._newest
        first = newest[0].entry.seq if newest else last + 1
        wanted = newest[max(0, after + 1 - first) : max(0, last + 1 - first)]
        if after + 1 < first:
            yield from reread(self.tables, after, min(first - 1, last))
        yield from wanted

    def arrived(self, seqs: Numbers) -> Array:
        """Return when journal entries arrived; each is looked up once."""
        distinct, places = np.unique(seqs, return_inverse=True)
        first = self._newest[0].entry.seq if self._newest else self.flushed + 1
        old = distinct[distinct < first]
        new: list[int] = distinct[distinct >= first].tolist()
        found = np.array(
            [shapes.moment_of(self._newest[seq - first].entry.draft.at) for seq in new],
            dtype="datetime64[us]",
        )
        if len(old):
            told = self.tables["journal"].take(old - 1, ["arrived_at"])
            before = from_arrow(told.column("arrived_at"))
            found = np.concatenate([before, found])
        return found[places]

    # To the tables

    def flush(self, upto: int, lock: RLock) -> bool:
        """Bring the entries up to `upto` to the tables, each once; tell whether there were any.

        What has been read from the shelves under the lock is written without it. The journal comes
        last: an entry is in the tables when it is in that one.
        """
        with lock:
            batch = [s for s in self._newest if self.flushed < s.entry.seq <= upto]
            if not batch:
                return False
            before, after = batch[0].before, batch[-1].after
            spans = {
                "predictions": (before.rows, after.rows),
                "labels": (before.labels, after.labels),
                "feedback": (before.said, after.said),
            }
            parts = {
                name: (start, self._shelves[name].between(start, stop))
                for name, (start, stop) in spans.items()
                if stop > start
            }
        for name, (start, columns) in parts.items():
            table = self.tables[name]  # type: ignore[index]
            table.append(_table(start, columns, table.schema.names), seq=upto)
        journal = _table(before.entries, [journal_rows(batch)])
        self.tables["journal"].append(journal, seq=upto)
        with lock:
            self.flushed = upto
            self._trim(after)
        return True

    def _trim(self, after: Marks) -> None:
        """Let go of rows that a table has, but for the newest."""
        starts = {"predictions": after.rows, "labels": after.labels, "feedback": after.said}
        for name, stop in starts.items():
            self._shelves[name].trim(stop, _WARM)
        warm = [s for s in self._newest if s.entry.seq > self.flushed - _WARM]
        kept, rows = 0, 0
        for stored in reversed(warm):
            if stored.entry.seq <= self.flushed and rows > _WARM:
                break
            rows += len(stored.entry.draft.ids) + 1
            kept += 1
        self._newest = warm[len(warm) - kept :]

    def ids_of(self, rows: Numbers) -> list[str]:
        """Return the ids of rows of predictions."""
        return self._take("predictions", rows, "id".__eq__)["id"].tolist() if len(rows) else []

    def erase(self, rows: Numbers, labels: Numbers, said: Numbers) -> None:
        """Erase rows from every file, all of which have been flushed, and from memory."""
        for name, numbers in (("predictions", rows), ("labels", labels), ("feedback", said)):
            if len(numbers):
                self.tables[name].erase(np.sort(numbers))  # type: ignore[index]
        self.cool()

    def cool(self) -> None:
        """Keep nothing in memory that a table has; all has been flushed."""
        self._shelves = _empty(self.marks())
        self._newest = []

    def close(self) -> None:
        """Let go of the tables."""
        for table in self.tables.values():
            table.close()


def _empty(marks: Marks) -> Mapping[str, Shelf]:
    """Return shelves for the rows that come behind those that the tables have."""
    return {
        "predictions": Shelf(marks.rows, rows_of.prediction_rows),
        "labels": Shelf(marks.labels, rows_of.label_rows),
        "feedback": Shelf(marks.said, rows_of.feedback_rows),
    }


def _merged(new: Any, newer: Columns, older: Columns) -> Columns:
    """Put rows from two places into the order that was asked for; what one lacks is NaN."""
    found: dict[str, Array] = {}
    for name in dict.fromkeys((*older, *newer)):
        like = older.get(name, newer.get(name))
        assert like is not None  # the name stands in one of them
        lacks = name not in older or name not in newer
        column = np.full(len(new), np.nan) if lacks else np.empty(len(new), dtype=like.dtype)
        if name in newer:
            column[new] = newer[name]
        if name in older:
            column[~new] = older[name]
        found[name] = column
    return found


def _table(start: int, parts: Sequence[Columns], known: Sequence[str] = ()) -> Any:
    """Return rows as an Arrow table, numbered from `start` on; what a part lacks is null.

    `known` are the columns that the table has already.
    """
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    called = shapes.outer_names(dict.fromkeys(name for part in parts for name in part), known)
    tables = [pa.table({called[n]: _outer(n, c) for n, c in part.items()}) for part in parts]
    whole = pa.concat_tables(tables, promote_options="default")
    return whole.add_column(0, "row", pa.array(np.arange(start, start + len(whole))))


def _outer(name: str, column: Array) -> Any:
    """Return a column as it stands in a table."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    if name in _NUMBERS:
        return pa.array(column, mask=column < 0)
    values = shapes.to_arrow(column)
    return values.cast(pa.int64()) if name == "version" else values
