"""Decoded columns that stay in memory, up to a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A column of one row group of one file."""

    file: str
    group: int
    column: str


class Cache:
    """Arrow arrays by the piece that they hold; the one used longest ago goes first.

    >>> import pyarrow as pa
    >>> cache = Cache(limit_bytes=16)
    >>> pieces = [Piece(file="f", group=group, column="x") for group in (0, 1, 2)]
    >>> for piece in pieces:
    ...     cache.put(piece, pa.array([1]))  # 8 bytes
    >>> cache.get(pieces[0]) is None, cache.get(pieces[2]) is None
    (True, False)
    """

    def __init__(self, limit_bytes: int) -> None:
        """Begin empty."""
        self._limit = limit_bytes
        self._bytes = 0
        self._arrays: OrderedDict[Piece, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, piece: Piece) -> Any:
        """Return the array of a piece, or None."""
        with self._lock:
            found = self._arrays.get(piece)
            if found is not None:
                self._arrays.move_to_end(piece)
            return found

    def put(self, piece: Piece, array: Any) -> None:
        """Keep an array as long as there is room."""
        with self._lock:
            if piece in self._arrays:
                return
            self._arrays[piece] = array
            self._bytes += array.nbytes
            while self._bytes > self._limit:
                _, gone = self._arrays.popitem(last=False)
                self._bytes -= gone.nbytes

    def forget(self, files: Collection[str]) -> None:
        """Let go of all pieces of some files."""
        with self._lock:
            for piece in [piece for piece in self._arrays if piece.file in files]:
                self._bytes -= self._arrays.pop(piece).nbytes

    def clear(self) -> None:
        """Let go of all."""
        with self._lock:
            self._arrays.clear()
            self._bytes = 0
