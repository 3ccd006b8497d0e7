"""Row groups of checked Parquet files, decoded."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ratoon.core.errors import FileCorrupt
from ratoon.log.files import DataFile
from ratoon.log.table_cache import Cache, Piece
from ratoon.log.table_checked import CheckedFiles
from ratoon.log.table_pages import Page, PageMap, copied, page_map

_FOOTERS = 256  # kept in memory; one of 20 columns and 16 row groups has some 40 KB
_MAPS = 1024  # of pages, kept in memory; one of 20 columns and 16 row groups has some 80 KB
_READS = 1024  # pages read, after which it is counted anew which row groups they are from


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """What the end of a Parquet file tells."""

    metadata: Any  # pyarrow.parquet.FileMetaData
    columns: frozenset[str]
    firsts: NDArray[np.int64]  # (groups,), the first row of each row group
    lasts: NDArray[np.int64]  # (groups,), the last row of each row group
    counts: NDArray[np.int64]  # (groups,), how many rows each has

    def dense(self, group: int) -> bool:
        """Whether no row between the first and the last of a row group is missing."""
        return bool(self.counts[group] == self.lasts[group] - self.firsts[group] + 1)

    def between(self, start: int, stop: int) -> range:
        """Return the row groups that may hold rows from `start` up to `stop`."""
        low = np.searchsorted(self.lasts, start, side="left")
        return range(int(low), int(np.searchsorted(self.firsts, stop, side="left")))


class Groups:
    """Reads row groups; columns of the newest are kept in memory."""

    def __init__(self, files: CheckedFiles, cache_bytes: int) -> None:
        """Read from `files`."""
        self._files = files
        self._cache = Cache(cache_bytes)
        self._footers: OrderedDict[str, Footer] = OrderedDict()
        self._maps: OrderedDict[str, PageMap | None] = OrderedDict()
        self._asked: Counter[tuple[str, int]] = Counter()  # pages read of each row group
        self._lock = threading.Lock()

    def footer(self, file: DataFile) -> Footer:
        """Return what the end of a file tells."""
        found = self._known_footer(file)
        if found is not None:
            return found
        opened, _ = self._files.open(file.name)
        with opened, self._files.reading(file.name):
            return self._footer(file, opened)

    def _known_footer(self, file: DataFile) -> Footer | None:
        with self._lock:
            found = self._footers.get(file.name)
            if found is not None:
                self._footers.move_to_end(file.name)
            return found

    def _footer(self, file: DataFile, opened: Any) -> Footer:
        """Return the footer of a file that is open."""
        found = self._known_footer(file)
        if found is not None:
            return found
        footer = _footer(cast("Any", pq).read_metadata(opened), file)
        with self._lock:
            self._footers[file.name] = footer
            if len(self._footers) > _FOOTERS:
                self._footers.popitem(last=False)
        return footer

    def read(
        self,
        file: DataFile,
        groups: Sequence[int] | None,
        columns: Sequence[str],
        coded: Sequence[str] = (),
    ) -> pa.Table:
        """Decode columns, those that the file has, of row groups, on all cores.

        Args:
            file: Which file.
            groups: Which of its row groups; None for all.
            columns: Their names.
            coded: Those of them, texts, that are to come as numbers of distinct ones.

        Raises:
            FileCorrupt: The file is missing, or its bytes are not those that were written.
        """
        opened, is_sure = self._files.open(file.name)
        with opened, self._files.reading(file.name):
            footer = self._footer(file, opened)
            parquet = cast("Any", pq).ParquetFile(
                opened,
                metadata=footer.metadata,
                read_dictionary=[name for name in coded if name in footer.columns],
                page_checksum_verification=not is_sure,
                # Many small reads become a few large ones, at most the file in memory.
                pre_buffer=self._files.is_remote or groups is None,
            )
            some = list(range(len(footer.counts)) if groups is None else groups)
            names = [name for name in columns if name in footer.columns]
            table: pa.Table = parquet.read_row_groups(some, columns=names)
        expected = int(footer.counts[some].sum())
        if table.num_rows != expected:
            raise FileCorrupt(
                self._files.path(file.name), f"gave {table.num_rows} rows of {expected}"
            )
        return table

    def arrays(self, file: DataFile, group: int, columns: Sequence[str]) -> dict[str, Any]:
        """Return the columns of one row group that the file has, each in one piece."""
        has = self.footer(file).columns
        pieces = {
            name: Piece(file=file.name, group=group, column=name) for name in columns if name in has
        }
        found = {name: self._cache.get(piece) for name, piece in pieces.items()}
        missing = [name for name, array in found.items() if array is None]
        if missing:
            table = self.read(file, [group], missing)
            for name in missing:
                found[name] = _one(table.column(name))
                self._cache.put(pieces[name], found[name])
        return found

    def in_memory(self, file: DataFile, group: int, columns: Sequence[str]) -> bool:
        """Whether all of these columns of a row group, those that the file has, are in memory."""
        has = self.footer(file).columns
        pieces = (Piece(file=file.name, group=group, column=n) for n in columns if n in has)
        return all(self._cache.get(piece) is not None for piece in pieces)

    def page_map(self, file: DataFile) -> PageMap | None:
        """Return where the pages of a file lie; None where they cannot be read one by one."""
        if self._files.is_remote:
            return None  # each page of each column would be a request
        with self._lock:
            if file.name in self._maps:
                self._maps.move_to_end(file.name)
                return self._maps[file.name]
        opened, _ = self._files.open(file.name)
        with opened, self._files.reading(file.name):
            found = page_map(opened)
        with self._lock:
            self._maps[file.name] = found
            if len(self._maps) > _MAPS:
                self._maps.popitem(last=False)
        return found

    def is_wanted_whole(self, file: DataFile, group: int, pages: int) -> bool:
        """Whether to decode a row group and keep it, and not to read some of its pages.

        So it is when as many pages are read as half of it has, or when it is asked for so often
        that it would have paid to decode it: as many pages as it has, among the last thousand.
        """
        found = self.page_map(file)
        if found is None:
            return True
        most = -(-int(self.footer(file).counts[group]) // found.page_rows)
        if 2 * pages >= most:
            return True
        with self._lock:
            if self._asked.total() >= _READS:
                self._asked.clear()
            self._asked[file.name, group] += pages
            return self._asked[file.name, group] >= most

    def pages(
        self, file: DataFile, places: Sequence[tuple[int, int]], columns: Sequence[str]
    ) -> list[Page]:
        """Copy pages, each of a row group and a place in it, of columns that the file has.

        Raises:
            FileCorrupt: The file is missing, or its bytes are not those that were written.
        """
        found, counts = self.page_map(file), self.footer(file).counts
        assert found is not None  # the caller has asked
        opened, _ = self._files.open(file.name)
        with opened, self._files.reading(file.name):
            return [
                copied(opened, found, columns, place, _rows_of(found.page_rows, counts, *place))
                for place in places
            ]

    def path(self, file: DataFile) -> str:
        """Return the full name of a file."""
        return self._files.path(file.name)

    @contextmanager
    def reading(self, file: DataFile) -> Generator[None]:
        """Raise whatever goes wrong while a file's pages are decoded as `FileCorrupt`."""
        with self._files.reading(file.name):
            yield

    def forget(self, names: Collection[str]) -> None:
        """Let go of files that are gone."""
        self._files.forget(names)
        self._cache.forget(names)
        with self._lock:
            for name in names:
                self._footers.pop(name, None)
                self._maps.pop(name, None)

    def clear(self) -> None:
        """Let go of all that is in memory."""
        self._cache.clear()
        with self._lock:
            self._footers.clear()
            self._maps.clear()


def _rows_of(page_rows: int, counts: NDArray[np.int64], group: int, page: int) -> int:
    return min(page_rows, int(counts[group]) - page * page_rows)


def _one(column: Any) -> Any:
    """Return a chunked array as one array."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _footer(metadata: Any, file: DataFile) -> Footer:
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    counts = np.array([group.num_rows for group in groups], dtype=np.int64)
    if int(counts.sum()) != file.rows:
        raise ValueError(f"it has {counts.sum()} rows, the log says {file.rows}")
    if file.dense:
        firsts = file.first + np.cumsum(counts) - counts
        lasts = firsts + counts - 1
    else:
        found = [_row_statistics(group) for group in groups]
        firsts = np.array([stats.min for stats in found], dtype=np.int64)
        lasts = np.array([stats.max for stats in found], dtype=np.int64)
    names = frozenset(metadata.schema.to_arrow_schema().names)
    return Footer(metadata=metadata, columns=names, firsts=firsts, lasts=lasts, counts=counts)


def _row_statistics(group: Any) -> Any:
    chunks = (group.column(i) for i in range(group.num_columns))
    return next(chunk.statistics for chunk in chunks if chunk.path_in_schema == "row")
