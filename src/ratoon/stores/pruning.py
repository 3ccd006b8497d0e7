"""Old rows removed from the tables, but never those that are still needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
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
Span = tuple[int, int]
Stays = Callable[[Mapping[str, Any], Marks], bool]


def prune(shelves: Shelves, catalog: Catalog, keeping: Keeping) -> int:
    """Remove old rows, all of which have been flushed; return how many predictions went.

    Where `keeping` is dry they are counted, and stay.
    """
    cut = _cut(shelves, keeping)
    rows, labels = _needed(catalog, keeping.needed)
    table = shelves.tables["predictions"]
    gone = _dropped(table, cut.rows, _spans(rows))
    if keeping.dry:
        return sum(stop - start for start, stop in gone)
    for span in gone:
        for part in table.scan(*span, columns=["id"]):
            ids: list[Any] = part.column("id").to_pylist()
            catalog.erase(ids, part.column("row").to_numpy())
    catalog.flush(shelves.marks().entries)  # before a file goes, lest a row be known that is gone
    count = table.drop_before(cut.rows, keep=_spans(rows), now=keeping.now)
    told = shelves.tables["labels"]
    still = np.concatenate([labels, *_of_rows_that_stay(told, catalog, cut.labels)])
    told.drop_before(cut.labels, keep=_spans(still), now=keeping.now)
    for each in shelves.tables.values():
        each.vacuum(older_than=_GRACE, now=keeping.now)
    return count


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


def _dropped(table: RowTable, cut: int, keep: Sequence[Span]) -> list[Span]:
    """Return the rows of the files that `RowTable.drop_before` removes."""
    old = [file for file in table.files if file.last < cut]
    return [
        (file.first, file.last + 1)
        for file in old
        if not any(start <= file.last and file.first < stop for start, stop in keep)
    ]


def _of_rows_that_stay(told: RowTable, catalog: Catalog, cut: int) -> Iterator[Numbers]:
    """Return the old labels whose predictions stay."""
    for start in range(0, cut, _ROWS):
        part: Any = told.take(np.arange(start, min(cut, start + _ROWS)), ["prediction"])
        rows = part.column("prediction").fill_null(NOWHERE).to_numpy()
        stays = (rows != NOWHERE) & (catalog.labels(np.maximum(rows, 0)) != ERASED)
        yield part.column("row").to_numpy()[stays]
