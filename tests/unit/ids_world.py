"""What the tests of the index of ids share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np

from ratoon.log.ids import IdIndex
from ratoon.log.ids_columns import digests


@contextlib.contextmanager
def small_limits(small_rows: int) -> Iterator[None]:
    """Make runs merge, and long merges last over several flushes, with few ids.

    Args:
        small_rows: the size below which a run is merged into the next flush.
    """
    with contextlib.ExitStack() as stack:
        for name, value in (
            ("ids.SMALL_ROWS", small_rows),
            ("ids_merging.SMALL_ROWS", small_rows),
            ("ids.AT_ONCE_ROWS", 600),
            ("ids_merging.CHUNK_ROWS", 1),
            ("ids_merging.PACE", 1),
            ("ids_write.CHUNK_ROWS", 256),
        ):
            stack.enter_context(mock.patch(f"ratoon.log.{name}", value))
        yield


def names(start: int, stop: int) -> list[str]:
    """Return ids, each with its row number in it."""
    return [f"order-{number}" for number in range(start, stop)]


def filled(folder: Path, *stops: int) -> IdIndex:
    """Return an index with one flush up to each of `stops`."""
    index = IdIndex(folder)
    start = 0
    for covered, stop in enumerate(stops, start=1):
        index.add(names(start, stop), np.arange(start, stop))
        index.flush(covered)
        start = stop
    return index


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of each file."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def place_of(number: int) -> int:
    """Return what the runs are sorted by: the first half of the digest of an id."""
    return int.from_bytes(digests([f"order-{number}"])[0][:8], "little")


def holds(folder: Path, one: str) -> list[str]:
    """Return the files that hold a half of the digest of an id."""
    (digest,) = digests([one])
    every = files(folder).items()
    return [name for name, body in every if digest[:8] in body or digest[8:] in body]


def run_of(folder: Path) -> Path:
    """Return the only run."""
    (path,) = folder.glob("*.ids")
    return path
