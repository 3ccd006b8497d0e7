"""Sorted runs: files of digests and row numbers that are written once and only read.

A file is, all little-endian::

    header    magic, format, rows, pages of the filter, CRC-32 of the table, CRC-32 of the header
    filter    pages of 512 words of 64 bits: which digests may be in the run
    blocks    of 256 rows: their first digest halves, in order; their second halves; their numbers
    table     the first half of each block's first digest; the CRC-32 of each page and each block

Opening reads the header and the table, 12 bytes for 256 rows, and checks both. A page or a block
is checked when a process first touches it, unless the same process has just written the file: so no
answer rests on bytes that are not those written.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratoon.core.errors import StoreDamaged, StoreNewer
from ratoon.log.ids_columns import Columns, Keys, Numbers, Spots, Words, filter_mask, filter_place
from ratoon.log.ids_files import let_go, mapped

MAGIC = b"ratoonID"
FORMAT = 1
HEADER = struct.Struct("<8sIxxxxQQI")
HEADER_BYTES = 4096
BLOCK_ROWS = 256
BLOCK_BYTES = BLOCK_ROWS * 24
PAGE_WORDS = 512
PAGE_BYTES = PAGE_WORDS * 8
HINT = "it is derived data: make it anew, and fill it from the log"
_CRC = struct.Struct("<I")
_WORD = 8
_BLOCK_WORDS = BLOCK_BYTES // _WORD
_TABLE_ROW = 12  # bytes a block; a page of the filter has 4


def damaged(path: Path, what: str) -> StoreDamaged:
    """Return the error that says what is wrong with the file at `path`."""
    return StoreDamaged(f"{path} {what}", hint=HINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the header of a run says."""

    rows: int
    pages: int  # of the filter
    table_crc: int

    @property
    def blocks(self) -> int:
        """How many blocks hold the rows; the last may be part empty."""
        return -(-self.rows // BLOCK_ROWS)

    @property
    def blocks_at(self) -> int:
        """The byte where the blocks begin."""
        return HEADER_BYTES + self.pages * PAGE_BYTES

    @property
    def table_at(self) -> int:
        """The byte where the table begins."""
        return self.blocks_at + self.blocks * BLOCK_BYTES

    @property
    def end(self) -> int:
        """The length of the file in bytes."""
        return self.table_at + self.blocks * _TABLE_ROW + self.pages * 4

    def packed(self) -> bytes:
        """Return the header's bytes."""
        body = HEADER.pack(MAGIC, FORMAT, self.rows, self.pages, self.table_crc)
        return (body + _CRC.pack(zlib.crc32(body))).ljust(HEADER_BYTES, b"\0")


def read_shape(path: Path) -> Shape:
    """Read a header; `StoreDamaged` where it, or the length of the file, is not as written."""
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
            length = os.fstat(file.fileno()).st_size
    except FileNotFoundError as error:
        raise damaged(path, "is missing") from error
    body = head[: HEADER.size]
    if len(head) < HEADER_BYTES or _CRC.unpack_from(head, HEADER.size)[0] != zlib.crc32(body):
        raise damaged(path, "has no whole header")
    magic, kind, rows, pages, table_crc = HEADER.unpack(body)
    if magic != MAGIC:
        raise damaged(path, "is no run of ids")
    if kind != FORMAT:
        raise StoreNewer(f"{path} has format {kind}, known is {FORMAT}", hint=HINT)
    shape = Shape(rows=rows, pages=pages, table_crc=table_crc)
    if length != shape.end:
        raise damaged(path, f"has {length} bytes, {shape.end} were written")
    return shape


class Run:
    """A run, mapped into memory.

    Args:
        path: the file.
        written_here: this process has just written it, so that to check it would tell nothing.

    Raises:
        StoreDamaged: it is not as it was written; also when a page or a block that is first
            touched is not.
    """

    def __init__(self, path: Path, *, written_here: bool = False) -> None:
        self.path = path
        self.shape = read_shape(path)
        self._mapping = mapped(path, self.shape.end)
        self._bytes: NDArray[np.uint8] = np.frombuffer(self._mapping, dtype=np.uint8)
        self.fences, self._crcs = self._table()
        self._words: Words = self._bytes[: self.shape.table_at].view("<u8")
        self._numbers: Numbers = self._words.view("<i8")
        self._filter: Words = self._words[HEADER_BYTES // _WORD : self.shape.blocks_at // _WORD]
        self._plain_filter: memoryview[int] = self._filter.data
        self._seen = bytearray(int(written_here).to_bytes() * len(self._crcs))
        self._seen_flags = np.frombuffer(self._seen, dtype=np.bool_)

    def __len__(self) -> int:
        """Count the rows."""
        return self.shape.rows

    def let_go(self) -> None:
        """Let go of the memory that was mapped so far."""
        let_go(self._mapping)

    def _table(self) -> tuple[Words, NDArray[np.uint32]]:
        body = self._bytes[self.shape.table_at :].tobytes()
        if zlib.crc32(body) != self.shape.table_crc:
            raise damaged(self.path, "has a table that is not as it was written")
        blocks = self.shape.blocks
        return (
            np.frombuffer(body, "<u8", count=blocks),
            np.frombuffer(body, "<u4", offset=blocks * _WORD),
        )

    def may_hold(self, high: Words, mask: Words) -> Spots:
        """Return the places of the digests that the filter lets pass; it stops none that is here.

        Args:
            high: the first halves of the digests.
            mask: what `filter_mask` says of the second halves.
        """
        at = filter_place(high, len(self._filter))
        self._check(at // PAGE_WORDS)
        return np.flatnonzero(self._filter[at] & mask == mask)

    def may_hold_one(self, high: int, low: int) -> bool:
        """Tell whether the filter lets this digest pass."""
        at: int = filter_place(high, len(self._filter))
        page = at // PAGE_WORDS
        if not self._seen[page]:
            self._verify(page)
        mask: int = filter_mask(low)
        return bool(self._plain_filter[at] & mask == mask)

    def numbers(self, keys: Keys) -> Numbers:
        """Return the row number of each digest, -1 where it is not in the run.

        The search takes a block by the fences, then the place in it by halving. First halves that
        are equal by chance or on purpose stand side by side, and are looked at one by one.
        """
        found = np.full(len(keys), -1, dtype=np.int64)
        row, waiting = self._first_places(keys.high), np.arange(len(keys))
        while waiting.size:
            inside = row < self.shape.rows
            row, waiting = row[inside], waiting[inside]
            at = self._word_of(row)
            same = self._words[at] == keys.high[waiting]
            equal = same & (self._words[at + BLOCK_ROWS] == keys.low[waiting])
            found[waiting[equal]] = self._numbers[at[equal] + 2 * BLOCK_ROWS]
            next_too = same & ~equal
            row, waiting = row[next_too] + 1, waiting[next_too]
        return found

    def _first_places(self, high: Words) -> NDArray[np.int64]:
        """Return the first row whose digest's first half is at least `high`, for each."""
        block = np.maximum(np.searchsorted(self.fences, high) - 1, 0)
        start = self._word_of(block * BLOCK_ROWS)
        before = np.zeros(len(high), dtype=np.int64)
        step = BLOCK_ROWS
        while step := step // 2:
            before += step * (self._words[start + before + (step - 1)] < high)
        before += self._words[start + before] < high
        return block * BLOCK_ROWS + before

    def _word_of(self, row: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where the first half of a row's digest lies; its block is checked."""
        block = row // BLOCK_ROWS
        self._check(block + self.shape.pages)
        return self.shape.blocks_at // _WORD + block * _BLOCK_WORDS + row % BLOCK_ROWS

    def _check(self, parts: NDArray[Any]) -> None:
        """Check the pages and blocks of these numbers that were not touched before."""
        new = parts[~self._seen_flags[parts]]
        if new.size:
            for part in np.unique(new).tolist():
                self._verify(part)

    def _verify(self, part: int) -> None:
        pages = self.shape.pages
        if part < pages:
            start, length = HEADER_BYTES + part * PAGE_BYTES, PAGE_BYTES
        else:
            start, length = self.shape.blocks_at + (part - pages) * BLOCK_BYTES, BLOCK_BYTES
        if zlib.crc32(self._bytes[start : start + length].data) != self._crcs[part]:
            raise damaged(self.path, f"is not as it was written at byte {start}")
        self._seen[part] = 1

    def read(self, first: int, stop: int) -> Columns:
        """Read the rows of the blocks from `first` up to `stop`, checked, past the mapping.

        A merge reads whole files. Read so, they do not count as memory of the process.
        """
        start = self.shape.blocks_at + first * BLOCK_BYTES
        count = (stop - first) * _BLOCK_WORDS
        body = np.fromfile(self.path, dtype="<u8", count=count, offset=start)
        blocks = body.reshape(-1, 3, BLOCK_ROWS)
        if len(blocks) != stop - first:
            raise damaged(self.path, "ends too early")
        wanted = self._crcs[self.shape.pages + first : self.shape.pages + stop].tolist()
        for at, (block, crc) in enumerate(zip(blocks, wanted, strict=True), start=first):
            if zlib.crc32(block.data) != crc:
                raise damaged(self.path, f"has block {at} not as it was written")
        rows = min(stop * BLOCK_ROWS, self.shape.rows) - first * BLOCK_ROWS
        return Columns(
            keys=Keys(high=_column(blocks, 0)[:rows], low=_column(blocks, 1)[:rows]),
            number=_column(blocks, 2)[:rows].view("<i8"),
        )


def _column(blocks: Words, which: int) -> Words:
    return blocks[:, which].reshape(-1)


def find_in_runs(runs: Sequence[Run], keys: Keys) -> Numbers:
    """Search the runs from the newest on, in the order of the digests, as the runs are laid out."""
    numbers = np.full(len(keys), -1, dtype=np.int64)
    places: Spots = np.argsort(keys.high)
    keys = keys.take(places)
    mask: Words = filter_mask(keys.low)
    for run in reversed(runs):
        near = run.may_hold(keys.high, mask)
        if not near.size:
            continue
        found = run.numbers(keys.take(near))
        numbers[places[near]] = found
        left = np.ones(len(keys), dtype=np.bool_)
        left[near] = found < 0
        keys, mask, places = keys.take(left), mask[left], places[left]
    return numbers
