"""Files that no present version of a table names."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pyarrow.parquet as pq

from ratoon.log.files import TableState, read_name
from ratoon.log.table_storage import LOG, OWN, Storage

_PLAN = f"{OWN}/erasing.json"


def unused(storage: Storage, state: TableState, before: datetime) -> list[str]:
    """Return the data files that the present version does not name, removed before a moment.

    A file that was removed so long ago that the log has forgotten it, or that no commit ever
    named, counts from when it was written.
    """
    named = state.files.names
    written = {name: at for name, at in storage.listing().items() if name not in named}
    if not written:
        return []
    removed = dict(_removals(storage, state.version))
    return sorted(name for name, at in written.items() if removed.get(name, at) <= before)


def touching(storage: Storage, state: TableState, rows: Any) -> list[str]:
    """Return the data files that the present version does not name, and that may hold `rows`.

    Args:
        storage: Where the files lie.
        state: The present version.
        rows: Row numbers, ascending, an int64 array.
    """
    found: list[str] = []
    for name in storage.listing():
        told = read_name(name)
        if told is None or name in state.files.names:
            continue
        first, stop = rows.searchsorted([told.first, told.last + 1]).tolist()
        if first < stop:
            found.append(name)
    return found


def plan_erasure(storage: Storage, names: list[str]) -> None:
    """Note durably which files must go once a commit has replaced them.

    Those that an earlier erasure has noted, and could not delete, stay noted.
    """
    noted = {*names, *_planned(storage)}
    if noted:
        storage.save(_PLAN, json.dumps({"files": sorted(noted)}).encode())


def finish_erasure(storage: Storage, state: TableState) -> None:
    """Delete the files that were noted, but those that the present version still names."""
    names = _planned(storage)
    if names:
        storage.delete([name for name in names if name not in state.files.names])
        storage.delete([_PLAN])


def _planned(storage: Storage) -> list[str]:
    body = storage.note(_PLAN)
    return [] if body is None else json.loads(body)["files"]


def drop_orphans(storage: Storage, state: TableState) -> None:
    """Delete data files with rows that the table has not come to: their commit never came.

    The rows stand in the write-ahead log still, and will be written again.
    """
    found = {name: read_name(name) for name in storage.listing()}
    orphans = [name for name, told in found.items() if told and told.first >= state.stop]
    if orphans:
        storage.delete(orphans)


def _removals(storage: Storage, version: int | None) -> Iterator[tuple[str, datetime]]:
    """Yield which files were removed and when, as far back as the log goes."""
    at = version
    while at is not None and at >= 0:
        body = storage.note(f"{LOG}/{at:020d}.json")
        if body is not None:
            yield from _told(json.loads(line).get("remove") for line in body.splitlines())
        checkpoint = storage.note(f"{LOG}/{at:020d}.checkpoint.parquet")
        if checkpoint is not None:
            table = cast("Any", pq).read_table(io.BytesIO(checkpoint), columns=["remove"])
            yield from _told(table.column("remove").to_pylist())
            return
        at -= 1


def _told(removals: Any) -> Iterator[tuple[str, datetime]]:
    for removal in removals:
        if removal and removal.get("deletionTimestamp") is not None:
            at = removal["deletionTimestamp"] / 1000
            yield removal["path"], datetime.fromtimestamp(at, UTC)
