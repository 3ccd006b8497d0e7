"""The files of a replay matrix: one that says whose they are, and one for each training time."""

from __future__ import annotations

import io
import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ratoon.core.errors import FileCorrupt, SettingInvalid
from ratoon.log.disk import make_folder, write_durably
from ratoon.matrix.chunks import Chunks
from ratoon.stores.locking import try_lock
from ratoon.windows.judged import Floats

Losses: TypeAlias = NDArray[np.float32]

_SCHEMA = 1
_OWNER = "matrix.json"
_LOCK = "matrix.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What the models of one training time lost, and what they took."""

    losses: Losses  # (windows, rows from the time's chunk to the end)
    costs: Floats  # (windows, 2): CPU seconds of the fit, and of scoring one chunk


def path_of(folder: Path, time: int) -> Path:
    """Return the file of a training time."""
    return folder / f"{time:04d}.npz"


def write(folder: Path, time: int, part: Part) -> None:
    """Write the file of a training time, aside and then under its name."""
    body = io.BytesIO()
    np.savez(body, losses=part.losses, costs=part.costs)
    write_durably(path_of(folder, time), body.getvalue())


def read(folder: Path, time: int, shape: tuple[int, int]) -> Part:
    """Read the file of a training time, whose losses have a shape (windows, rows).

    Raises:
        FileCorrupt: the file cannot be read, or holds another number of windows or rows.
    """
    path = path_of(folder, time)
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            part = Part(losses=arrays["losses"], costs=arrays["costs"])
    except (BadZipFile, EOFError, KeyError, OSError, TypeError, ValueError) as error:
        why = f"cannot be read ({error}); without it, `compute` makes it again"
        raise FileCorrupt(str(path), why) from error
    if part.losses.shape != shape or part.costs.shape != (shape[0], 2):
        why = f"holds losses of {part.losses.shape} windows and rows where {shape} are due"
        raise FileCorrupt(str(path), why)
    return part


@contextmanager
def held(folder: Path) -> Generator[None]:
    """Make a folder, keep others from computing in it, and remove what killed ones left aside.

    Raises:
        SettingInvalid: another process computes in it.
    """
    make_folder(folder)
    lock = try_lock(folder / _LOCK)
    if lock is None:
        raise SettingInvalid("folder", "one that no other process computes in", str(folder))
    with lock:
        for aside in folder.glob(".*.npz.*"):
            aside.unlink(missing_ok=True)
        yield


def claim(folder: Path, bench: str, chunks: Chunks, windows: Sequence[int | None]) -> None:
    """Say in a folder whose matrix it holds, or check that it is the same one.

    Raises:
        SettingInvalid: the folder holds another matrix, or files that nobody can tell whose.
    """
    path = folder / _OWNER
    mine = _owner(bench, chunks, windows)
    if not path.exists():
        if any(path_of(folder, time).exists() for time in range(chunks.count)):
            raise SettingInvalid("folder", f"empty, or with its {_OWNER}", str(folder))
        write_durably(path, (json.dumps(mine, indent=2) + "\n").encode())
        return
    _refuse_other(folder, mine)


def check(folder: Path, chunks: Chunks, windows: Sequence[int | None]) -> None:
    """Raise `SettingInvalid` where a folder says that it holds other chunks or windows."""
    if (folder / _OWNER).exists():
        mine = _owner("", chunks, windows)
        _refuse_other(folder, {name: mine[name] for name in ("chunks", "windows")})


def _owner(bench: str, chunks: Chunks, windows: Sequence[int | None]) -> dict[str, Any]:
    return {
        "schema": _SCHEMA,
        "bench": bench,
        "chunks": asdict(chunks),
        "windows": list(windows),
    }


def _refuse_other(folder: Path, mine: dict[str, Any]) -> None:
    path = folder / _OWNER
    try:
        theirs = json.loads(path.read_text(encoding="utf-8"))
        different = [name for name in mine if theirs[name] != mine[name]]
    except (KeyError, TypeError, ValueError) as error:
        raise FileCorrupt(str(path), f"cannot be read ({error})") from error
    if different:
        told = ", ".join(f"{name} {theirs[name]!r} and not {mine[name]!r}" for name in different)
        raise SettingInvalid("folder", f"of one matrix alone: it has {told}", str(folder))
