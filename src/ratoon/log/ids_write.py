"""Writing sorted runs: from memory, and by merging others with bounded memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ratoon.log.ids_columns import (
    Columns,
    Keys,
    Words,
    filter_mask,
    filter_place,
    filter_words,
    joined,
    sorted_newest,
    without,
)
from ratoon.log.ids_files import sync_file
from ratoon.log.ids_run import (
    BLOCK_BYTES,
    BLOCK_ROWS,
    HEADER_BYTES,
    PAGE_BYTES,
    PAGE_WORDS,
    Run,
    Shape,
)

CHUNK_ROWS = 2**17
"""About how many rows a merge holds at once: some 15 MB, with what it makes of them."""

_NO_WORDS: Words = np.empty(0, dtype=np.uint64)
_NO_ROWS = Columns(keys=Keys(high=_NO_WORDS, low=_NO_WORDS), number=np.empty(0, dtype=np.int64))
_LAST = 2**64 - 1


class RunWriter:
    """Writes a run from rows that come sorted, in pieces.

    Args:
        path: the file to write.
        most: the most rows that will come; the filter is made for as many.
    """

    def __init__(self, path: Path, most: int) -> None:
        self._path = path
        self._pages = -(-filter_words(most) // PAGE_WORDS)
        self._rest = _NO_ROWS  # rows that do not fill a block yet
        self._open_page = 0  # the first page of the filter that is not written yet
        self._filter = np.zeros(0, dtype=np.uint64)  # its words from there on
        self._rows = 0
        self._fences: list[Words] = []
        self._page_crcs: list[int] = []
        self._block_crcs: list[int] = []
        self._file = path.open("wb")

    def append(self, rows: Columns) -> None:
        """Write the next rows: sorted, and behind all that came before."""
        if not len(rows):
            return
        self._rows += len(rows)
        self._mark(rows.keys)
        waiting = joined([self._rest, rows]) if len(self._rest) else rows
        whole, self._rest = waiting.cut(len(waiting) // BLOCK_ROWS * BLOCK_ROWS)
        self._write_blocks(whole)

    def sync(self) -> None:
        """Wait until what was written lies on the disk, so that the end need not wait long."""
        sync_file(self._file)

    def finish(self) -> int:
        """Write what is left, wait for the disk, and return the CRC of the table."""
        if len(self._rest):
            self._write_blocks(_padded(self._rest))
        self._write_pages(self._pages)
        table = b"".join(
            (
                np.concatenate(self._fences).astype("<u8").tobytes(),
                np.array([*self._page_crcs, *self._block_crcs], dtype="<u4").tobytes(),
            )
        )
        shape = Shape(rows=self._rows, pages=self._pages, table_crc=zlib.crc32(table))
        self._write(shape.table_at, table)
        self._write(0, shape.packed())
        sync_file(self._file)
        self._file.close()
        return shape.table_crc

    def abandon(self) -> None:
        """Close the file and remove it."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def _write_blocks(self, rows: Columns) -> None:
        if not len(rows):
            return
        blocks = np.empty((len(rows) // BLOCK_ROWS, 3, BLOCK_ROWS), dtype="<u8")
        columns = (rows.keys.high, rows.keys.low, rows.number.view(np.uint64))
        for which, column in enumerate(columns):
            blocks[:, which] = column.reshape(-1, BLOCK_ROWS)
        start = HEADER_BYTES + self._pages * PAGE_BYTES + len(self._block_crcs) * BLOCK_BYTES
        self._write(start, blocks.data)
        self._block_crcs += [zlib.crc32(block.data) for block in blocks]
        self._fences.append(blocks[:, 0, 0].copy())

    def _mark(self, keys: Keys) -> None:
        """Mark digests in the filter, and write the pages that no later digest marks."""
        place = filter_place(keys.high, self._pages * PAGE_WORDS)
        place -= self._open_page * PAGE_WORDS
        last = int(place[-1])
        if last >= len(self._filter):
            self._filter = np.concatenate(
                [self._filter, np.zeros(last + 1 - len(self._filter), dtype=np.uint64)]
            )
        first = np.flatnonzero(np.diff(place, prepend=place[:1] + 1))
        self._filter[place[first]] |= np.bitwise_or.reduceat(filter_mask(keys.low), first)
        self._write_pages(self._open_page + last // PAGE_WORDS)

    def _write_pages(self, stop: int) -> None:
        count = stop - self._open_page
        if not count:
            return
        pages = np.zeros(count * PAGE_WORDS, dtype="<u8")
        done = min(len(pages), len(self._filter))
        pages[:done] = self._filter[:done]
        self._filter = self._filter[done:]
        self._write(HEADER_BYTES + self._open_page * PAGE_BYTES, pages.data)
        self._page_crcs += [zlib.crc32(page.data) for page in pages.reshape(-1, PAGE_WORDS)]
        self._open_page = stop

    def _write(self, at: int, body: memoryview | bytes) -> None:
        self._file.seek(at)
        self._file.write(body)


def _padded(rows: Columns) -> Columns:
    """Fill up the last block: no digest is above its padding, and no row is there."""
    count = BLOCK_ROWS - len(rows)
    high = np.full(count, _LAST, dtype=np.uint64)
    low, number = np.zeros(count, dtype=np.uint64), np.full(count, -1, dtype=np.int64)
    return joined([rows, Columns(keys=Keys(high=high, low=low), number=number)])


def write_run(path: Path, rows: Columns) -> None:
    """Write a run of sorted rows, at least one, and wait until it lies on the disk."""
    writer = RunWriter(path, len(rows))
    try:
        writer.append(rows)
        writer.finish()
    except BaseException:
        writer.abandon()
        raise


def merge(
    runs: Sequence[Run], path: Path, gone: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[int]:
    """Merge runs into a new one, a chunk a step; yield how many rows a step has read.

    The file is whole when the iteration has ended, and removed when it is closed before. Where no
    row is left there is no file.

    Args:
        runs: the runs, oldest first; of rows with one digest that of the newest run remains.
        path: the file to write.
        gone: digests to leave out, as pairs of numbers.
    """
    writer = RunWriter(path, sum(len(run) for run in runs))
    written = 0
    try:
        cursors = [_Cursor(run) for run in runs]
        for limit in _limits(runs):
            parts = [cursor.below(limit) for cursor in cursors]
            rows = without(sorted_newest(joined(parts)), gone)
            writer.append(rows)
            written += len(rows)
            writer.sync()
            yield sum(len(part) for part in parts)
        if written:
            writer.finish()
        else:
            writer.abandon()
    except BaseException:
        writer.abandon()
        raise


def _limits(runs: Sequence[Run]) -> list[int | None]:
    """Return the first digest halves that cut the runs into chunks; None stands for the end.

    Each fence stands for one block, so that between two limits lie about as many rows as asked.
    """
    fences = np.sort(np.concatenate([run.fences for run in runs]))
    every = CHUNK_ROWS // BLOCK_ROWS
    return [*np.unique(fences[every::every]).tolist(), None]


class _Cursor:
    """Reads a run from its start to its end."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._next_block = 0
        self._rest = _NO_ROWS

    def below(self, limit: int | None) -> Columns:
        """Return the next rows, all those whose first digest half is below `limit`."""
        fences = self._run.fences
        stop = len(fences) if limit is None else _first_at_least(fences, limit)
        rows = self._rest
        if stop > self._next_block:
            rows = joined([rows, self._run.read(self._next_block, stop)])
            self._next_block = stop
        at = len(rows) if limit is None else _first_at_least(rows.keys.high, limit)
        now, self._rest = rows.cut(at)
        return now


def _first_at_least(sorted_high: Words, limit: int) -> int:
    return int(np.searchsorted(sorted_high, np.uint64(limit)))
