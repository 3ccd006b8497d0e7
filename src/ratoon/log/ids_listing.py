"""The list of the runs that make up an index, in a file that is replaced whole."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ratoon.core.errors import StoreDamaged, StoreNewer
from ratoon.log.ids_run import HINT, Run, damaged
from ratoon.log.states import OwnState, StateFile

_SCHEMA = 1
NAME = "ids.json"
_TRIES = 100  # a writer would have to replace the list as often while one reader opens


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What the list says."""

    covered: int  # the journal entry up to which the runs hold all ids
    number: int  # of the next run's file; no two runs ever have the same
    runs: tuple[tuple[str, int, int], ...]  # name, rows, CRC of the table; oldest first


_NOTHING = Listing(covered=0, number=1, runs=())


def listing_of(covered: int, number: int, runs: Sequence[Run]) -> Listing:
    """Return the list of these runs."""
    about = tuple((run.path.name, run.shape.rows, run.shape.table_crc) for run in runs)
    return Listing(covered=covered, number=number, runs=about)


def run_path(folder: Path, number: int) -> Path:
    """Return where the run of this number lies."""
    return folder / f"run-{number:08d}.ids"


def state_of(folder: Path) -> OwnState:
    """Return where an index keeps its list, if it is in no catalogue."""
    return OwnState(folder / NAME)


def written(listing: Listing) -> bytes:
    """Return a list as it is kept."""
    about = {"covered": listing.covered, "number": listing.number, "runs": listing.runs}
    body: dict[str, Any] = {"schema": _SCHEMA, "index": about, "crc32": _crc(about)}
    return json.dumps(body, indent=1).encode()


def read_listing(folder: Path, state: StateFile | None = None) -> Listing:
    """Read the list; without a file it is empty. `StoreDamaged` where it is not as written."""
    path = folder / NAME
    kept = (state or state_of(folder)).read()
    if kept is None:
        return _NOTHING
    try:
        body: dict[str, Any] = json.loads(kept)
        schema, about, crc = body["schema"], body["index"], body["crc32"]
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path, "is no list of runs") from error
    if crc != _crc(about):
        raise damaged(path, "is not as it was written")
    if schema != _SCHEMA:
        raise StoreNewer(f"{path} has schema {schema}, known is {_SCHEMA}", hint=HINT)
    runs = tuple((name, rows, table_crc) for name, rows, table_crc in about["runs"])
    return Listing(covered=about["covered"], number=about["number"], runs=runs)


def _crc(about: Any) -> int:
    return zlib.crc32(json.dumps(about).encode())


def open_listed(folder: Path, state: StateFile) -> tuple[Listing, tuple[Run, ...]]:
    """Read the list and open its runs, while another process may be replacing them."""
    for _ in range(_TRIES):
        listing = read_listing(folder, state)
        try:
            return listing, tuple(_opened(folder, *about) for about in listing.runs)
        except StoreDamaged:
            if read_listing(folder, state) == listing:
                raise
    raise damaged(folder / NAME, f"was replaced {_TRIES} times while it was read")


def _opened(folder: Path, name: str, rows: int, table_crc: int) -> Run:
    run = Run(folder / name)
    if (run.shape.rows, run.shape.table_crc) != (rows, table_crc):
        raise damaged(run.path, "is not the run that the list names")
    return run


def sweep(folder: Path, listing: Listing) -> None:
    """Remove what a process that died has left: files that the list does not name."""
    named = {name for name, _, _ in listing.runs}
    for path in folder.glob("run-*.ids"):
        if path.name not in named:
            path.unlink(missing_ok=True)


def forget(folder: Path) -> None:
    """Remove the list, readable or not: the runs are swept away when the folder is opened."""
    (folder / NAME).unlink(missing_ok=True)
