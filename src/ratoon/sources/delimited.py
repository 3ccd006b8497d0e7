"""CSV: a header, values between commas, quotes where they are needed (RFC 4180)."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.csv as pv

from ratoon.core.errors import RowsRefused
from ratoon.sources.kinds import Kinds

_BLOCK = 4 << 20  # bytes: the kinds of columns are told from the first block
_HEADER = 1 << 20  # bytes
_QUOTE = b'"'
_UTF8 = "write the file as CSV in UTF-8, e.g. iconv -f latin1 -t utf-8 OLD > NEW"
# What pyarrow says where a text is no UTF-8.
_NO_UTF8 = re.compile(r"column #(\d+): (?:Row #(\d+): )?.*invalid UTF8")


def read_csv(stream: BinaryIO, kinds: Kinds, missing: Collection[str] = ("",)) -> Iterator[Any]:
    """Yield the rows of a CSV file as tables of columns of one kind each.

    Args:
        stream: the bytes, without a byte order mark.
        kinds: what is known of the columns.
        missing: texts that stand for a missing value, where they are not in quotes.

    Raises:
        RowsRefused: where a row has more or fewer values than the header has names, a text is no
            UTF-8, a quote is not closed, or a value is of another kind than those before it.
    """
    names = _header(stream, kinds.source)
    kinds.check_names(names)
    body, odd = _Body(stream), list[Any]()
    try:
        blocks = _opened(body, names, missing, odd)
        for block in blocks or ():
            body.check_quotes(kinds.source)
            yield kinds.texts(block)
    except pa.ArrowInvalid as error:
        raise _refusal(str(error), odd, names, kinds) from error


class _Body:
    """The bytes behind the header; it counts their quotes, which come in pairs."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._quotes = 0
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        found = self._stream.read(size)
        self._quotes += found.count(_QUOTE)
        self._ended = self._ended or (size != 0 and not found)
        return found

    def check_quotes(self, source: str) -> None:
        """Refuse what has ended within quotes; the parser would take all of it as one value."""
        if self._ended and self._quotes % 2:
            raise RowsRefused(
                f"{source}: a quote is opened and never closed",
                hint='a quote within a value is doubled, as in "a 5"" screw", and stands in quotes',
            )


def _opened(
    body: _Body, names: list[str], missing: Collection[str], odd: list[Any]
) -> Iterator[Any] | None:
    """Open the rows; None where there are none. A row of another length is put into `odd`."""

    def refused(row: Any) -> str:
        odd.append(row)
        return "error"

    options = cast("Any", pv)
    try:
        return options.open_csv(
            pa.PythonFile(cast("Any", body), mode="r"),
            # Rows are numbered in errors only where they are parsed in order, by one thread.
            read_options=options.ReadOptions(
                column_names=names, block_size=_BLOCK, use_threads=False
            ),
            parse_options=options.ParseOptions(
                newlines_in_values=True, invalid_row_handler=refused
            ),
            convert_options=options.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=list(missing),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            return None
        raise


def _header(stream: BinaryIO, source: str) -> list[str]:
    """Read the names of the columns."""
    line = b""
    while not line.strip() or line.count(_QUOTE) % 2:
        more = stream.readline(_HEADER)
        line = line + more if line.strip() else more
        if not more or len(line) >= _HEADER:
            break
    if not line.strip():
        raise RowsRefused(f"{source} is empty: a CSV file begins with the names of its columns")
    try:
        return next(csv.reader([line.decode()], strict=True))
    except UnicodeDecodeError as error:
        raise RowsRefused(f"{source}: the header is not UTF-8", hint=_UTF8) from error
    except csv.Error as error:
        why = str(error).partition(" - ")[0]
        raise RowsRefused(f"{source}: the header cannot be read: {why}") from error


def _refusal(said: str, odd: list[Any], names: list[str], kinds: Kinds) -> RowsRefused:
    """Say what pyarrow said, by the names of columns and the numbers of rows."""
    source = kinds.source
    if odd:
        row = odd[0]
        there = f"{row.actual_columns} values, the header {row.expected_columns} names"
        text = row.text if len(row.text) <= 80 else f"{row.text[:80]}…"  # noqa: PLR2004 - to be read
        return RowsRefused(f"{source}, row {row.number or '?'} has {there}: {text}")
    wrong = _NO_UTF8.search(said)
    if wrong is not None:
        name = names[int(wrong[1])]
        row = f", row {wrong[2]}" if wrong[2] else ""
        return RowsRefused(f"{source}{row}, column {name!r}: a text is not UTF-8", hint=_UTF8)
    if "straddl" in said:
        fact = f"{source}, behind row {kinds.rows}: a row is longer than {_BLOCK >> 20} MiB"
        return RowsRefused(fact, hint="a quote may have been opened and never closed")
    return RowsRefused(f"{source} cannot be read: {said.partition(chr(10))[0]}")
