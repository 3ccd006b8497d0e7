"""Folders of write-ahead files, for the tests of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from ratoon.log import wal_format
from ratoon.log.wal import WalWriter, read_wal

LIMIT_S = 60


def append(wal: WalWriter, *bodies: bytes) -> int:
    """Append records under the next numbers, and return the last number."""
    for body in bodies:
        wal.append(wal.next_number, [body])
    return wal.next_number - 1


def numbers(folder: Path, **options: int | None) -> list[int]:
    """Return the numbers of the records that are read."""
    return [record.number for record in read_wal(folder, **options)]


def names(folder: Path) -> list[str]:
    """Return the names of all files, in order."""
    return sorted(path.name for path in folder.iterdir())


def wal_file(folder: Path, first: int) -> Path:
    """Return the path of a file."""
    return folder / wal_format.file_name(first)


def cut(path: Path, length: int) -> None:
    """Cut a file to a length."""
    with path.open("r+b") as file:
        file.truncate(length)


def four_files(folder: Path) -> list[Path]:
    """Write two records to each of four files, and return the files."""
    with WalWriter(folder, file_bytes=56 + 2 * 40) as wal:
        append(wal, *(b"%08d" % number for number in range(1, 9)))
    return sorted(folder.iterdir())


def started(call: Callable[[int], None], argument: int) -> threading.Thread:
    """Run a call in a thread of its own."""
    thread = threading.Thread(target=call, args=(argument,), daemon=True)
    thread.start()
    return thread


def expect_ended(threads: list[threading.Thread]) -> None:
    """Expect that threads end."""
    end = time.monotonic() + LIMIT_S
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads)
