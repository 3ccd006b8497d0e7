"""Files and streams as bytes: what is there, may be read, and is not something else."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from ratoon.core.errors import RatoonError, RowsRefused, SettingInvalid, SourceUnreachable

_BUFFER = 1 << 20
_GZIP = b"\x1f\x8b"
# The first bytes of what is often given by a wrong name.
_MAGIC = (
    (b"PAR1", "Parquet", "parquet"),
    (b"ARROW1", "Arrow", "arrow"),
    (b"\xff\xff\xff\xff", "an Arrow stream", "arrow"),
    (b"PK\x03\x04", "a zip archive or a workbook", ""),
    (b"SQLite format 3", "a SQLite database", "sql"),
    (b"\xff\xfe", "text in UTF-16", ""),
    (b"\xfe\xff", "text in UTF-16", ""),
)
_BOM = b"\xef\xbb\xbf"


@contextmanager
def reading(source: str) -> Generator[None]:
    """Turn what the libraries raise about the content of `source` into `RowsRefused`.

    What the system says, that a file is gone or that its disk does not answer, is no fault of the
    rows: that becomes `SourceUnreachable`.

    >>> with reading("a.parquet"):
    ...     raise EOFError("it ends too early")
    Traceback (most recent call last):
    ratoon.core.errors.RowsRefused: a.parquet cannot be read: it ends too early
    """
    try:
        yield
    except (RatoonError, MemoryError):
        raise
    except (pa.ArrowException, EOFError, OSError, UnicodeError, zlib.error) as error:
        why = str(error).strip().partition("\n")[0] or type(error).__name__
        if isinstance(error, OSError) and error.errno is not None:  # libraries set none
            raise SourceUnreachable(f"{source} cannot be opened: {why}") from error
        raise RowsRefused(f"{source} cannot be read: {why}") from error


def check_file(path: Path) -> None:
    """Refuse a path that leads to no file, or to one that may not be read.

    Raises:
        SettingInvalid: naming the path.
    """
    rule = "the path of a file that can be read"
    if is_folder(path):
        rule = f"a file, a Delta table or a pattern such as {path / '*.parquet'}, not a folder"
        raise SettingInvalid("source", rule, str(path))
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise SettingInvalid("source", f"{rule} ({error.strerror})", str(path)) from error


def is_folder(path: str | Path) -> bool:
    """Tell whether a path leads to a folder; one that cannot be looked at is none."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises where there is no permission


@contextmanager
def opened(given: Path | BinaryIO, source: str, *, text: bool = False) -> Generator[BinaryIO]:
    """Open a file or a stream to read, behind its byte order mark, and gzip seen through.

    A file is closed at the end; a stream that was given stays open.

    Args:
        given: what to read.
        source: what it is called in a refusal.
        text: whether it must be text, so that a file of another format is told by its first bytes.

    Raises:
        RowsRefused: where it must be text and is something else.
    """
    raw = given.open("rb", buffering=0) if isinstance(given, Path) else _Lent(given)
    with io.BufferedReader(raw, _BUFFER) as plain:
        body: io.BufferedReader[Any] = plain
        if plain.peek(2)[:2] == _GZIP:
            body = io.BufferedReader(cast("Any", gzip.GzipFile(fileobj=plain)), _BUFFER)
        if text:
            _check_text(body, source)
        yield cast("BinaryIO", body)


class _Lent(io.RawIOBase):
    """A stream that is read, and stays open for its owner."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._stream.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)


def _check_text(body: io.BufferedReader[Any], source: str) -> None:
    head = body.peek(16)[:16]
    for magic, what, name in _MAGIC:
        if head.startswith(magic):
            hint = f"format={name!r}" if name else "write it as text in UTF-8"
            raise RowsRefused(f"{source} holds {what}", hint=hint)
    if head.startswith(_BOM):
        body.read(len(_BOM))
