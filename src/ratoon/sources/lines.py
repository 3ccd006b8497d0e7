"""JSON lines: an object a line, whose keys are the columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from ratoon.core.errors import RowsRefused
from ratoon.sources.kinds import Kinds
from ratoon.sources.places import short

_BLOCK = 4 << 20  # bytes: the kinds of columns are told from the first block
_LINE = 64 << 20  # bytes of a line

Record = dict[str, Any]


def read_lines(stream: BinaryIO, kinds: Kinds) -> Iterator[Any]:
    """Yield the rows of JSON lines as tables of columns of one kind each.

    The keys in the first block (4 MiB) are the columns; a key that an object lacks is a missing
    value. pyarrow's own reader is not used: it ends the process on a line that is `null`.

    Args:
        stream: the bytes, without a byte order mark.
        kinds: what is known of the columns.

    Raises:
        RowsRefused: where a line is no object, has a key twice or one that is new, or a value is
            of another kind than those before it.
    """
    names: list[str] = []
    for block in _blocks(stream, kinds.source):
        if not names:
            names = list(dict.fromkeys(key for record in block for key in record))
            if not names:
                raise RowsRefused(f"{kinds.source}, row 1 has no columns: the object is empty")
        known = frozenset(names)
        for at, record in enumerate(block):
            if not known.issuperset(record):
                new = next(key for key in record if key not in known)
                where = f"{kinds.source}, row {kinds.rows + at + 1}"
                raise RowsRefused(f"{where}: column {new!r} is new; there are {names}")
        yield kinds.values({name: [record.get(name) for record in block] for name in names})


def _blocks(stream: BinaryIO, source: str) -> Iterator[list[Record]]:
    """Yield the objects of some 4 MiB at a time."""
    block: list[Record] = []
    size = number = 0
    while line := stream.readline(_LINE):
        number += 1
        if len(line) >= _LINE:
            raise RowsRefused(f"{source}, line {number} is longer than {_LINE >> 20} MiB")
        if line.strip():
            block.append(_record(line, f"{source}, line {number}"))
            size += len(line)
        if size >= _BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


def _record(line: bytes, where: str) -> Record:
    hint = "jq -c '.[]' OLD > NEW makes lines of an array" if line.lstrip()[:1] == b"[" else ""
    try:
        found: Any = json.loads(line.decode().strip(), object_pairs_hook=_once)
    except UnicodeDecodeError as error:
        raise RowsRefused(f"{where} is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise RowsRefused(f"{where} is no JSON: {error}", hint=hint) from error
    if not isinstance(found, dict):
        raise RowsRefused(f"{where} is no object: {short(found)}", hint=hint)
    return cast("Record", found)


def _once(pairs: list[tuple[str, Any]]) -> Record:
    """Return an object, each key of which stands in it once."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        message = f"key {next(key for key in keys if keys.count(key) > 1)!r} stands there twice"
        raise ValueError(message)
    return found
