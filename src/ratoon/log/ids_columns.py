"""Ids as digests, and sorted columns of digests and row numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Words: TypeAlias = NDArray[np.uint64]
Numbers: TypeAlias = NDArray[np.int64]
Spots: TypeAlias = NDArray[np.intp]

DIGEST_BYTES = 16
# 16 bits and 4 marks a row: of 1,000 unknown ids some 5 pass the filter of a run. 10 bits let 25
# pass, and each costs as much as ten that do not.
FILTER_BITS = 16


def digests(ids: Iterable[str]) -> list[bytes]:
    """Return the 16-byte BLAKE2b digest of each id's UTF-8 bytes.

    Two of n ids share a digest with a chance of n² / 2¹²⁹: 1.5 · 10⁻²³ for 100 million ids. To find
    two such ids on purpose takes 2⁶⁴ tries.

    Source:
        Aumasson, Neves, Wilcox-O'Hearn and Winnerlein, BLAKE2: simpler, smaller, fast as MD5
        (2013); RFC 7693.

    >>> digests(["order-17"])[0].hex()
    'dfc164b129ef6f11861bd2062345a12b'
    """
    blank = blake2b(digest_size=DIGEST_BYTES)
    found: list[bytes] = []
    for text in ids:
        one = blank.copy()  # a third faster than a new one
        one.update(text.encode())
        found.append(one.digest())
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Keys:
    """Digests as two columns: the first eight bytes of each, and the last eight."""

    high: Words
    low: Words

    @classmethod
    def of(cls, found: Sequence[bytes]) -> Keys:
        """Return the two columns of `found`."""
        pairs = np.frombuffer(b"".join(found), dtype="<u8").reshape(-1, 2)
        return cls(high=pairs[:, 0].copy(), low=pairs[:, 1].copy())

    def __len__(self) -> int:
        """Count the digests."""
        return len(self.high)

    def take(self, at: Spots | NDArray[np.bool_]) -> Keys:
        """Return the digests at these places, in their order."""
        return Keys(high=self.high[at], low=self.low[at])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """Digests with their row numbers."""

    keys: Keys
    number: Numbers

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.number)

    def take(self, at: Spots | NDArray[np.bool_]) -> Columns:
        """Return the rows at these places, in their order."""
        return Columns(keys=self.keys.take(at), number=self.number[at])

    def cut(self, at: int) -> tuple[Columns, Columns]:
        """Return the rows before `at` and those from it on, without a copy."""
        high, low = self.keys.high, self.keys.low
        return (
            Columns(keys=Keys(high=high[:at], low=low[:at]), number=self.number[:at]),
            Columns(keys=Keys(high=high[at:], low=low[at:]), number=self.number[at:]),
        )


def joined(parts: Sequence[Columns]) -> Columns:
    """Return the rows of all parts, one part after the other; there is at least one part."""
    if len(parts) == 1:
        return parts[0]
    return Columns(
        keys=Keys(
            high=np.concatenate([part.keys.high for part in parts]),
            low=np.concatenate([part.keys.low for part in parts]),
        ),
        number=np.concatenate([part.number for part in parts]),
    )


def sorted_newest(rows: Columns) -> Columns:
    """Sort by digest; of rows with one digest only the last remains."""
    # A stable sort of an array that consists of sorted pieces only merges them.
    rows = rows.take(np.argsort(rows.keys.high, kind="stable"))
    high, low = rows.keys.high, rows.keys.low
    if not bool(np.any(high[1:] == high[:-1])):
        return rows
    rows = rows.take(np.lexsort((low, high)))
    high, low = rows.keys.high, rows.keys.low
    last = np.ones(len(rows), dtype=np.bool_)
    last[:-1] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    return rows.take(last)


def without(rows: Columns, gone: frozenset[tuple[int, int]]) -> Columns:
    """Leave out the rows whose digest, as its two numbers, is in `gone`."""
    if not gone:
        return rows
    suspects = np.flatnonzero(np.isin(rows.keys.high, [high for high, _ in gone]))
    pairs = rows.keys.take(suspects)
    keep = np.ones(len(rows), dtype=np.bool_)
    both = zip(pairs.high.tolist(), pairs.low.tolist(), strict=True)
    keep[suspects] = [pair not in gone for pair in both]
    return rows.take(keep)


def filter_words(rows: int) -> int:
    """Return how many 64-bit words the filter of a run of `rows` rows has."""
    return max(1, -(-rows * FILTER_BITS // 64))


def filter_place(high: Any, words: int) -> Any:
    """Return the word of the filter that a digest marks, for numpy columns and for plain ints.

    It grows with `high`: sorted digests mark and read the filter from its start to its end.
    """
    return (high >> 32) * words >> 32


def filter_mask(low: Any) -> Any:
    """Return the up to four bits that a digest marks in its word.

    Source:
        Putze, Sanders and Singler, Cache-, hash- and space-efficient Bloom filters (2007),
        section 3: all marks of a key lie in one block.
    """
    return 1 << (low & 63) | 1 << (low >> 6 & 63) | 1 << (low >> 12 & 63) | 1 << (low >> 18 & 63)
