"""How a write-ahead file looks: its name, its header, its records.

A file begins with a header of 56 bytes, then records follow without a gap. All numbers are little
endian, all checksums are CRC-32 (`zlib.crc32`, polynomial 0xEDB88320)::

    header   magic 8 | crc 4 | version 4 | marker 8 | first 8 | previous: first 8, last 8, length 8
    record   crc 4 | length 4 | number 8 | durable 8 | marker 8 | body of `length` bytes

The marker is drawn at random for each file and stands in each of its records. So neither what an
older file left on the disk nor a body that holds the bytes of a record is ever taken for a record.
`durable` is the offset up to which the file was known to be durable when the record was written:
a record that ends at or before it had been acknowledged. A record of length `SEAL` has no body and
no number of its own: it only says how far the file is durable.

The header says where the file before this one ends. What that file holds behind its end was never
acknowledged: its numbers were given again, in this file.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ratoon.core.errors import LogCorrupt, StoreNewer

MAGIC = b"ratoonWA"
VERSION = 1
HEADER = struct.Struct("<8sII8sQQQQ")
RECORD = struct.Struct("<IIQQ8s")
MARKER_AT = 24  # where the marker stands in a record
SEAL = 0xFFFF_FFFF
RECORD_BYTES = 2**30  # the longest body; what is longer is refused
_CRC_BYTES = 4
_CHECKED_FROM = 12  # the header's CRC covers what follows it
_NAME = re.compile(r"(\d{18})\.wal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Where a file ends: what lies behind it does not count."""

    first: int  # the number in the file's name
    last: int
    length: int  # bytes, with the header


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The beginning of a file."""

    first: int  # the number of its first record
    marker: bytes  # 8 random bytes
    previous: Ending | None  # None where it is the first file of all


def file_name(first: int) -> str:
    """Return the name of the file whose first record has this number; names sort as numbers do.

    Example:
        >>> file_name(17)
        '000000000000000017.wal'
    """
    return f"{first:018d}.wal"


def first_numbers(folder: Path) -> list[int]:
    """Return the numbers that the files of a folder begin with, in order."""
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    return sorted(int(found[1]) for found in map(_NAME.fullmatch, names) if found)


def header_bytes(header: Header) -> bytes:
    """Return a header as it stands in the file."""
    before = header.previous
    ends = (before.first, before.last, before.length) if before else (0, 0, 0)
    body = HEADER.pack(MAGIC, 0, VERSION, header.marker, header.first, *ends)[_CHECKED_FROM:]
    return MAGIC + zlib.crc32(body).to_bytes(_CRC_BYTES, "little") + body


def parse_header(path: Path, found: bytes) -> Header:
    """Return the header of the file at `path`, of which `found` are the first bytes.

    A file gets its name when its header is on the disk: it is never torn, only damaged.

    Raises:
        LogCorrupt: It is not what was written, or stands in a file of another name.
        StoreNewer: A newer Ratoon wrote it.
    """
    if len(found) < HEADER.size:
        raise LogCorrupt(str(path), 0, "the file lacks its beginning")
    magic, crc, version, marker, first, *ends = HEADER.unpack_from(found)
    if magic != MAGIC or crc != zlib.crc32(found[_CHECKED_FROM : HEADER.size]):
        raise LogCorrupt(str(path), 0, "its header is not what was written")
    if version > VERSION:
        raise StoreNewer(
            f"{path} has format {version}, this Ratoon reads up to {VERSION}",
            hint="install a newer Ratoon",
        )
    if path.name != file_name(first):
        raise LogCorrupt(str(path), 0, f"its header says that it is {file_name(first)}")
    before = Ending(first=ends[0], last=ends[1], length=ends[2]) if ends[0] else None
    return Header(first=first, marker=marker, previous=before)


def body_crc(parts: Sequence[memoryview]) -> int:
    """Return the checksum of a body that is given in parts."""
    crc = 0
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc


def record_head(marker: bytes, number: int, length: int, durable: int, crc: int) -> bytes:
    """Return what stands before a body of `length` bytes whose checksum is `crc`.

    The body is summed first, so that this can be done before the number is known.
    """
    rest = RECORD.pack(0, length, number, durable, marker)[_CRC_BYTES:]
    return zlib.crc32(rest, crc).to_bytes(_CRC_BYTES, "little") + rest


def is_whole(head: bytes, crc: int) -> bool:
    """Say whether a head has the checksum of itself and of its body, whose checksum is `crc`."""
    return zlib.crc32(head[_CRC_BYTES:], crc) == int.from_bytes(head[:_CRC_BYTES], "little")
