"""The data files of a row table: what they are called, which rows they hold, in which order."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ratoon.core.errors import StoreDamaged

_NAME = re.compile(r"rows-(\d{16})-(\d{16})-([0-9a-f]{64})\.parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The least and the greatest value of a column in a file."""

    column: str
    low: int | datetime
    high: int | datetime
    nulls: int  # how many rows have no value, which `low` and `high` do not tell of


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A Parquet file of a table; its name tells which rows it holds, and its SHA-256."""

    first: int  # number of its first row
    last: int  # number of its last row; between the two some may have been erased
    rows: int
    size: int  # in bytes
    sha256: str
    written_ms: int  # when it was written, in milliseconds since 1970
    spans: tuple[Span, ...] = ()

    @property
    def name(self) -> str:
        """Its path, as seen from the table's folder.

        >>> file = DataFile(first=0, last=9, rows=10, size=1, sha256="a" * 64, written_ms=0)
        >>> file.name[:40]
        'rows-0000000000000000-0000000000000009-a'
        """
        return f"rows-{self.first:016d}-{self.last:016d}-{self.sha256}.parquet"

    @property
    def dense(self) -> bool:
        """Whether no row between the first and the last is missing."""
        return self.rows == self.last - self.first + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What the name of a data file tells."""

    first: int
    last: int
    sha256: str


def read_name(name: str) -> Named | None:
    """Return what the name of a data file tells, or None where it is no data file's.

    >>> read_name("rows-0000000000000000-0000000000000009-" + "a" * 64 + ".parquet").last
    9
    >>> read_name("part-00000.parquet") is None
    True
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    return Named(first=int(found[1]), last=int(found[2]), sha256=found[3])


@dataclass(frozen=True, slots=True, kw_only=True)
class FileList:
    """The files of one version of a table, in order of their rows; none overlap."""

    files: tuple[DataFile, ...]
    firsts: NDArray[np.int64]  # (files,), the first row of each
    lasts: NDArray[np.int64]  # (files,), the last row of each

    @classmethod
    def of(cls, files: Iterable[DataFile]) -> Self:
        """Put files in order.

        Raises:
            StoreDamaged: Two files hold the same row numbers.
        """
        ordered = tuple(sorted(files, key=lambda file: file.first))
        for left, right in pairwise(ordered):
            if right.first <= left.last:
                raise StoreDamaged(f"{left.name} and {right.name} hold rows of the same numbers")
        return cls(
            files=ordered,
            firsts=np.array([file.first for file in ordered], dtype=np.int64),
            lasts=np.array([file.last for file in ordered], dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.files)

    @property
    def names(self) -> frozenset[str]:
        """The names of the files."""
        return frozenset(file.name for file in self.files)

    def places(self, rows: NDArray[np.int64]) -> NDArray[np.intp]:
        """Return for each row number the place of the file that may hold it, or -1."""
        at = np.searchsorted(self.firsts, rows, side="right") - 1
        if len(self.files):
            at[rows > self.lasts[at]] = -1  # where `at` is -1 already it stays so
        return at

    def between(self, start: int, stop: int) -> tuple[DataFile, ...]:
        """Return the files that may hold rows from `start` up to `stop`, in order."""
        if start >= stop:
            return ()
        low = int(np.searchsorted(self.lasts, start, side="left"))
        high = int(np.searchsorted(self.firsts, stop, side="left"))
        return self.files[low:high]

    def replaced(self, old: Collection[DataFile], new: Sequence[DataFile]) -> Self:
        """Return the list without `old` and with `new`."""
        gone = {file.name for file in old}
        if not gone and (not self.files or not new or new[0].first > self.files[-1].last):
            return self._with(new)
        return self.of([*(file for file in self.files if file.name not in gone), *new])

    def _with(self, new: Sequence[DataFile]) -> Self:
        """Return the list with files behind the last one."""
        added = self.of(new)
        return type(self)(
            files=self.files + added.files,
            firsts=np.concatenate([self.firsts, added.firsts]),
            lasts=np.concatenate([self.lasts, added.lasts]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TableState:
    """One version of a table."""

    version: int | None  # None while there is no table
    schema: Any  # pyarrow.Schema
    files: FileList
    seq: int  # the last journal entry that the table has whole, 0 for none
    stop: int  # the number after the last row that was ever appended
