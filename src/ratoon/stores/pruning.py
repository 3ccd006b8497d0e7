"""Old rows removed from the tables, but never those that are still needed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from ratoon.core.measuring import RowRange
from ratoon.log.table import RowTable
from ratoon.stores.catalog import Catalog, Numbers
from ratoon.stores.entries import ERASED, NOWHERE, Marks, marks_of
from ratoon.stores.protocol import Keeping
from ratoon.stores.shelves import Shelves
from ratoon.windows.pins import ranges

_GRACE = timedelta(days=1)  # for those who read an older version of a table
_ROWS = 100_000  # looked at at once
_WORTH = 0.25  # share of a file's rows that must go for the others to be written anew
Span = tuple[int, int]
Stays = Callable[[Mapping[str, Any], Marks], bool]


def prune(shelves: Shelves, catalog: Catalog, keeping: Keeping) -> int:
    """Remove old rows, all of which have been flushed; return how many predictions went.

    Where `keeping` is dry they are counted, and stay.
    """
    cut = _cut(shelves, keeping)
    rows, labels = _needed(catalog, keeping.needed)
    table, keep = shelves.tables["predictions"], _spans(rows)
    gone = _going(table, cut.rows, keep)
    if keeping.dry:
        return sum(_count(table, span) for spans in gone for span in spans)
    for span in (span for spans in gone for span in spans):
        for part in table.scan(*span, columns=["id"]):
            ids: list[Any] = part.column("id").to_pylist()
            catalog.erase(ids, part.column("row").to_numpy())
    catalog.flush(shelves.marks().entries)  # before a file goes, lest a row be known that is gone
    count = _drop(table, cut.rows, keep, keeping.now)
    told = shelves.tables["labels"]
    still = np.concatenate([labels, *_of_rows_that_stay(told, catalog, cut.labels)])
    _drop(told, cut.labels, _spans(still), keeping.now)
    for each in shelves.tables.values():
        each.vacuum(older_than=_GRACE, now=keeping.now)
    return count


def _drop(table: RowTable, cut: int, keep: Sequence[Span], now: datetime) -> int:
    """Remove the rows before `cut` that go, whole files first; return how many there were."""
    count = table.drop_before(cut, keep=keep, now=now)
    for spans in _going(table, cut, keep):
        rows = np.concatenate([np.arange(*span, dtype=np.int64) for span in spans])
        count += table.drop(rows, now=now)
    return count


def _count(table: RowTable, span: Span) -> int:
    return sum(part.num_rows for part in table.scan(*span, columns=["id"]))


def _cut(shelves: Shelves, keeping: Keeping) -> Marks:
    """Return the marks before the first entry that stays."""
    last = shelves.marks()
    cuts = [Marks()]
    if keeping.age is not None:
        oldest = keeping.now - keeping.age
        cuts.append(_first(shelves, lambda told, _: told["arrived_at"] >= oldest))
    if keeping.rows is not None:
        spare = last.rows - keeping.rows
        cuts.append(_first(shelves, lambda _, after: after.rows > spare))
    return max(cuts, key=lambda marks: marks.entries)


def _first(shelves: Shelves, stays: Stays) -> Marks:
    """Return the marks before the first entry that stays: a binary search in the journal."""
    journal = shelves.tables["journal"]
    low, high = 0, journal.stop
    while low < high:
        middle = (low + high) // 2
        told = journal.take(np.array([middle])).to_pylist()[0]
        if stays(told, marks_of(told)):
            high = middle
        else:
            low = middle + 1
    return marks_of(journal.take(np.array([low - 1])).to_pylist()[0]) if low else Marks()


def _needed(catalog: Catalog, ordinals: Sequence[RowRange]) -> tuple[Numbers, Numbers]:
    nothing = np.empty(0, dtype=np.int64)
    pairs = [catalog.joined(part.start, part.stop) for part in ordinals]
    rows = np.concatenate([nothing, *(row for row, _ in pairs)])
    return rows, np.concatenate([nothing, *(label for _, label in pairs)])


def _spans(numbers: Numbers) -> list[Span]:
    return [(part.start, part.stop) for part in ranges(np.unique(numbers))]


def _going(table: RowTable, cut: int, keep: Sequence[Span]) -> list[list[Span]]:
    """Return the rows before `cut` that go, by file: all but those to keep, where many do."""
    found: list[list[Span]] = []
    stops = [stop for _, stop in keep]
    for file in table.files:
        near = keep[bisect_right(stops, file.first) :]
        free = _between((file.first, min(file.last + 1, cut)), near)
        if free and sum(stop - start for start, stop in free) >= _WORTH * file.rows:
            found.append(free)
    return found


def _between(span: Span, keep: Sequence[Span]) -> list[Span]:
    """Return the parts of a span that no span of `keep`, which ascend, covers."""
    at, found = span[0], list[Span]()
    for start, stop in keep:
        if start >= span[1]:
            break
        if start > at:
            found.append((at, start))
        at = max(at, stop)
    if at < span[1]:
        found.append((at, span[1]))
    return found


def _of_rows_that_stay(told: RowTable, catalog: Catalog, cut: int) -> Iterator[Numbers]:
    """Return the old labels whose predictions stay."""
    for start in range(0, cut, _ROWS):
        part: Any = told.take(np.arange(start, min(cut, start + _ROWS)), ["prediction"])
        rows = part.column("prediction").fill_null(NOWHERE).to_numpy()
        stays = (rows != NOWHERE) & (catalog.labels(np.maximum(rows, 0)) != ERASED)
        yield part.column("row").to_numpy()[stays]
