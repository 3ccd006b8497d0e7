"""As much of Thrift's compact protocol as the footer of a Parquet file needs.

Source:
    Thrift compact protocol encoding, apache/thrift, doc/specs/thrift-compact-protocol.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

I32, I64, LIST, STRUCT = 5, 6, 9, 12  # types, as a field's first byte tells them
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _SET = 1, 2, 3, 7, 8, 10
_INTEGERS = (4, I32, I64)
_LONG = 15  # items from which on a list tells their number in a varint of its own
_DOUBLE_BYTES = 8


def varint(body: bytes, at: int) -> tuple[int, int]:
    """Read an unsigned number; return it and where the next value begins.

    >>> varint(bytes([0xAC, 0x02]), 0)
    (300, 2)
    """
    found = shift = 0
    while True:
        byte = body[at]
        at += 1
        found |= (byte & 127) << shift
        if byte < 128:  # noqa: PLR2004 - the highest bit says that more follows
            return found, at
        shift += 7


def packed(number: int) -> bytes:
    """Return a signed number as it is written: zigzag, then a varint.

    >>> packed(150).hex(), packed(-1).hex()
    ('ac02', '01')
    """
    rest = number << 1 if number >= 0 else ((-number) << 1) - 1
    found = bytearray()
    while rest > 127:  # noqa: PLR2004 - seven bits a byte
        found.append(rest & 127 | 128)
        rest >>= 7
    found.append(rest)
    return bytes(found)


def list_head(kind: int, items: int) -> bytes:
    """Return what stands before the items of a list."""
    if items < _LONG:
        return bytes([items << 4 | kind])
    return bytes([0xF0 | kind]) + packed_plain(items)


def packed_plain(number: int) -> bytes:
    """Return an unsigned number as it is written: a varint."""
    found = bytearray()
    while number > 127:  # noqa: PLR2004 - seven bits a byte
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def fields(body: bytes, at: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield each field of a struct: its number, its type, where its value begins and ends.

    Raises:
        IndexError: The bytes end too early.
        ValueError: There is something that Parquet does not write.
    """
    number = 0
    while body[at]:
        kind, step = body[at] & 15, body[at] >> 4
        at += 1
        if step:
            number += step
        else:
            found, at = varint(body, at)
            number = _signed(found)
        stop = _skipped(body, at, kind)
        yield number, kind, at, stop
        at = stop


def struct(body: bytes, at: int) -> tuple[Mapping[int, Any], int]:
    """Read a struct: its values by the numbers of their fields, and where it ends."""
    found: dict[int, Any] = {}
    number = 0
    while True:
        head = body[at]
        at += 1
        if not head:
            return found, at
        kind, step = head & 15, head >> 4
        if step:
            number += step
        else:
            told, at = varint(body, at)
            number = _signed(told)
        if kind <= _FALSE:
            found[number] = kind == _TRUE
        else:
            found[number], at = _value(body, at, kind)


def _value(body: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind in _INTEGERS:
        found, at = varint(body, at)
        return _signed(found), at
    if kind == _BINARY:
        length, at = varint(body, at)
        return body[at : at + length], at + length
    if kind == STRUCT:
        return struct(body, at)
    if kind in (LIST, _SET):
        return _items(body, at)
    if kind in (_TRUE, _FALSE, _BYTE):  # within a list a truth has a byte
        return body[at], at + 1
    if kind == _DOUBLE:
        return None, at + _DOUBLE_BYTES
    raise ValueError(f"type {kind} of Thrift at byte {at}")


def _items(body: bytes, at: int) -> tuple[list[Any], int]:
    kind, count, at = _list_at(body, at)
    found: list[Any] = []
    for _ in range(count):
        item, at = _value(body, at, kind)
        found.append(item)
    return found, at


def _list_at(body: bytes, at: int) -> tuple[int, int, int]:
    """Return the type of a list's items, how many there are, and where the first begins."""
    kind, count = body[at] & 15, body[at] >> 4
    at += 1
    if count == _LONG:
        count, at = varint(body, at)
    return kind, count, at


def _skipped(body: bytes, at: int, kind: int) -> int:
    return at if kind <= _FALSE else _value(body, at, kind)[1]


def _signed(found: int) -> int:
    return found >> 1 ^ -(found & 1)
