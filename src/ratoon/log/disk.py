"""What is asked of the operating system, so that what was written survives a cut of the power."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
import threading
from collections.abc import Generator, Sequence
from pathlib import Path

from ratoon.core.errors import StoreFull, StoreUnwritable

# The most buffers that one call takes (IOV_MAX on Linux and macOS).
_PARTS = 1024
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_UNKNOWN = frozenset({errno.EINVAL, errno.ENOTSUP, errno.ENOTTY})


def flush(opened: int) -> None:
    """Return when what was written to an open file would survive a cut of the power.

    On macOS only F_FULLFSYNC empties the cache of the disk; a volume that does not know it is
    flushed as far as fsync does.
    """
    if sys.platform == "darwin" and _flush_the_disk_too(opened):
        return
    if hasattr(os, "fdatasync"):
        os.fdatasync(opened)
    else:
        os.fsync(opened)


def _flush_the_disk_too(opened: int) -> bool:
    fcntl = importlib.import_module("fcntl")
    try:
        fcntl.fcntl(opened, fcntl.F_FULLFSYNC)
    except OSError as error:
        if error.errno in _UNKNOWN:
            return False
        raise
    return True


def flush_folder(folder: Path) -> None:
    """Return when the names in a folder would survive a cut of the power."""
    if os.name == "nt":  # pragma: no cover - Windows cannot open a folder to flush it
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def make_folder(folder: Path) -> None:
    """Make a folder with its parents, each of them on the disk before something is in it."""
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for part in reversed(missing):
        flush_folder(part.parent)


def write_durably(path: Path, body: bytes) -> None:
    """Write aside, flush to the disk, rename, flush the folder; an equal file stays as it is."""
    if path.exists() and path.read_bytes() == body:
        return
    make_folder(path.parent)
    aside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        with aside.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    flush_folder(path.parent)


def open_to_append(path: Path, *flags: int) -> int:
    """Open a file so that whatever is written goes to its end, past no buffer."""
    extra = sum(flags) | getattr(os, "O_BINARY", 0)
    return os.open(path, os.O_WRONLY | os.O_APPEND | extra, 0o666)


def write_all(opened: int, parts: Sequence[bytes | memoryview]) -> None:
    """Write all parts at the end of an open file, in one call if the system takes them so."""
    total = sum(len(part) for part in parts)
    if hasattr(os, "writev") and len(parts) <= _PARTS:
        done = os.writev(opened, parts)
    else:
        done = os.write(opened, b"".join(parts))
    if done == total:
        return
    # A part was taken: the disk is nearly full. To write the rest tells why, or does it.
    rest = memoryview(b"".join(parts))[done:]
    while rest:
        taken = os.write(opened, rest)
        if not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rest = rest[taken:]


def delete(path: Path) -> bool:
    """Delete a file, and say whether it is gone: on Windows it stays while somebody reads it."""
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        if os.name == "nt":  # pragma: no cover
            return False
        raise
    return True


def unwritable(path: Path, cause: OSError) -> StoreUnwritable:
    """Return the error to raise where the disk refused; its caller raises it from `cause`."""
    kind = StoreFull if cause.errno in _FULL else StoreUnwritable
    return kind(str(path), cause.strerror or str(cause))


@contextlib.contextmanager
def writing(path: Path) -> Generator[None]:
    """Raise what the disk refuses at `path` as an error of the tree."""
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error
