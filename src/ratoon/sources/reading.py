"""Rows from outside, as a stream of batches."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias, cast, get_args

from ratoon.core.errors import SettingInvalid
from ratoon.core.schema import Kind
from ratoon.core.settings import one_of, whole
from ratoon.sources.batching import Table, sized
from ratoon.sources.columnar import read_arrow, read_delta, read_parquet
from ratoon.sources.delimited import read_csv
from ratoon.sources.kinds import Kinds
from ratoon.sources.lines import read_lines
from ratoon.sources.opening import check_file, is_folder, opened, reading

Format: TypeAlias = Literal["csv", "jsonl", "parquet", "arrow", "delta", "sql"]
"""What rows are read from."""

Source: TypeAlias = str | os.PathLike[str] | BinaryIO
"""A path, a pattern of paths, "-", the URL of a database, or an open stream of bytes."""

_SUFFIXES: Mapping[str, Format] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
_STREAMED = ("csv", "jsonl", "arrow")
_FILES = ", ".join((*_STREAMED, "parquet"))
_STDIN = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class _How:
    """How rows are read, but from where."""

    rows: int  # of a batch
    types: Mapping[str, Kind]
    missing: tuple[str, ...]


def read(
    source: Source,
    *,
    query: str | None = None,
    format: Format | None = None,  # noqa: A002 - what it is called everywhere
    batch_rows: int = 50_000,
    types: Mapping[str, Kind] | None = None,
    missing: Collection[str] = ("",),
) -> Iterator[Table]:
    r"""Read rows from outside, as Arrow tables of a bounded size.

    Columns come as float64, int64, bool, string or timestamp[us, UTC]; one without any value so
    far as null. Nothing is converted silently:

    - In CSV the first block (4 MiB) tells what a column holds: true and false, whole numbers,
      numbers, moments (ISO 8601), else texts. A later value of another kind is refused. "007",
      "+49" and whole numbers beyond 64 bits are texts. Nothing between two commas is a missing
      value; `""` is the empty text (in a column of another kind: missing); NaN is a number that
      is missing; NA, null and None are texts, unless `missing` names them.
    - JSON lines and SQL have types of their own; of their texts, only moments are read, where all
      texts of a column in the first block are such.
    - A moment without a zone is in UTC. What is finer than a microsecond is cut off.

    Args:
        source: the path of a file (.csv, .jsonl, .ndjson, .parquet, .pq, .arrow, .feather, .ipc;
            gzip is seen through), a folder with a Delta table, a pattern such as
            "data/*.parquet", whose files are read in order of their names, the URL of a database,
            "-" for standard input, or a stream of bytes.
        query: what to read from a database; it changes nothing there.
        format: what the source holds, where its name does not say it.
        batch_rows: rows of a batch. Only the last one of each file has fewer, or one whose rows
            hold more than 64 MiB.
        types: what columns hold, by name: "number", "integer", "boolean", "category" (texts) or
            "time"; where the first rows would tell something else.
        missing: texts of CSV that stand for a missing value, unless they stand in quotes.

    Returns:
        One batch after the other; `where(batch)` says which rows of what it holds. No batch
        holds rows of two files. A source without rows gives none.

    Raises:
        SettingInvalid: at once, where there is no such source, or a setting is not what it must be.
        RowsRefused: while it is read, naming the source, the row where it is known, and the column.
        SourceUnreachable: while it is read, where a database, a disk or an object store does not
            answer; the same call may do later.

    >>> import io
    >>> text = io.BytesIO(b"id,age,city\np-1,31,Porto\np-2,,\n")
    >>> for batch in read(text, format="csv"):
    ...     print(batch.to_pylist()[1])
    {'id': 'p-2', 'age': None, 'city': None}
    """
    how = _how(batch_rows, types, missing)
    if format is not None:
        one_of("format", format, get_args(Format))
    if not isinstance(source, str | os.PathLike):
        return _stream(source, "the stream", format, how)
    name = os.fspath(source)
    if query is not None or format == "sql" or ("://" in name and format != "delta"):
        return _database(name, query, format, how)
    if name == _STDIN:
        return _stream(cast("BinaryIO", sys.stdin.buffer), "standard input", format, how)
    if format == "delta" or _is_delta(name):
        return _delta(name, format, how)
    paths = matching(name)
    for path in paths:
        check_file(path)
    return chain.from_iterable([_file(path, _format(path, format), how) for path in paths])


def matching(pattern: str) -> list[Path]:
    """Return the files that a pattern leads to, in order of their names; a path leads to itself.

    Names that begin with a dot are passed over: such files are still being written.

    Raises:
        SettingInvalid: where there is none.

    >>> matching("history/today.csv") == [Path("history/today.csv")]
    True
    """
    if os.path.lexists(pattern) or not glob.has_magic(pattern):
        return [Path(pattern)]
    names = glob.glob(pattern, recursive=True)  # noqa: PTH207 - it knows of patterns from the root, and of hidden files
    found = sorted(path for path in map(Path, names) if not is_folder(path))
    if not found:
        raise SettingInvalid("source", "a pattern that leads to at least one file", pattern)
    return found


def _how(rows: int, types: Mapping[str, Kind] | None, missing: Collection[str]) -> _How:
    whole("batch_rows", rows, least=1)
    for name, kind in (types or {}).items():
        one_of(f"types[{name!r}]", kind, get_args(Kind))
    if isinstance(missing, str):
        raise SettingInvalid("missing", "a list of texts", missing)
    return _How(rows=rows, types=dict(types or {}), missing=tuple(missing))


def _is_delta(name: str) -> bool:
    return is_folder(Path(name) / "_delta_log")


def _format(path: Path, said: Format | None) -> Format:
    """Return the format of a file: the one that was said, else the one of its name."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    found = said or (_SUFFIXES.get(suffixes[-1]) if suffixes else None)
    if found is None:
        rule = f"one of {_FILES}, as the name of {path} does not say it"
        raise SettingInvalid("format", rule, said)
    return found


def _file(path: Path, format: Format, how: _How) -> Iterator[Table]:  # noqa: A002 - as in `read`
    kinds = Kinds(str(path), how.types)
    if format == "parquet":
        return _read(kinds, lambda: read_parquet(path, kinds), how)
    return _read(kinds, lambda: _bytes(path, format, kinds, how), how)


def _stream(
    stream: BinaryIO,
    source: str,
    format: Format | None,  # noqa: A002 - as in `read`
    how: _How,
) -> Iterator[Table]:
    if format not in _STREAMED:
        raise SettingInvalid("format", f"given for {source}: {' or '.join(_STREAMED)}", format)
    kinds = Kinds(source, how.types)
    return _read(kinds, lambda: _bytes(stream, format, kinds, how), how)


def _bytes(
    given: Path | BinaryIO,
    format: Format,  # noqa: A002 - as in `read`
    kinds: Kinds,
    how: _How,
) -> Iterator[Table]:
    with opened(given, kinds.source, text=format != "arrow") as body:
        match format:
            case "csv":
                yield from read_csv(body, kinds, how.missing)
            case "jsonl":
                yield from read_lines(body, kinds)
            case _:
                yield from read_arrow(body, kinds)


def _delta(uri: str, format: Format | None, how: _How) -> Iterator[Table]:  # noqa: A002 - as in `read`
    if format not in (None, "delta"):
        raise SettingInvalid("format", f"left out: {uri} is a Delta table", format)
    if "://" not in uri and not _is_delta(uri):
        raise SettingInvalid("source", "the folder of a Delta table", uri)
    kinds = Kinds(uri, how.types)
    return _read(kinds, lambda: read_delta(uri, kinds), how)


def _database(
    url: str,
    query: str | None,
    format: Format | None,  # noqa: A002 - as in `read`
    how: _How,
) -> Iterator[Table]:
    if format not in (None, "sql") or "://" not in url:
        raise SettingInvalid("query", "left out: only a database, by its URL, has queries", query)
    if not query or not query.strip():
        raise SettingInvalid("query", "what to read from the database, as a SELECT", query)
    from ratoon.sources.sql import database, read_query  # noqa: PLC0415 - slow to import

    engine, name = database(url)
    kinds = Kinds(name, how.types)
    return _read(kinds, lambda: read_query(engine, query, kinds), how)


def _read(kinds: Kinds, tables: Callable[[], Iterator[Table]], how: _How) -> Iterator[Table]:
    """Read lazily; a source is opened when its first batch is asked for."""
    with reading(kinds.source):
        yield from sized(kinds.source, tables(), how.rows)
