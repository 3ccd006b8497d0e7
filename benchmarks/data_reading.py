"""Steps that read a pinned snapshot, and the files that it lies in."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import data_rows as rows_of
from benchmarks.data_measuring import Figures, measuring, size_mib

_AT = datetime(2026, 1, 1, tzinfo=UTC)
_BATCH = 100_000
_PIN = "pin.json"


def record(home: str, *, rows: int, run: int = 0) -> Figures:
    """Record predictions and their labels in order, through the log."""
    from ratoon.stores.folder import open_folder  # noqa: PLC0415 - the peers have none
    from ratoon.stores.protocol import Draft  # noqa: PLC0415

    store = open_folder(Path(home), "loop")
    values = tuple(rows_of.labels(run, rows))
    with measuring() as found:
        for first in range(0, rows, _BATCH):
            n = min(_BATCH, rows - first)
            columns = rows_of.wide(run, first, n)
            draft = Draft(kind="predictions", at=_AT, nameless=n, columns=columns)
            ids = store.append(draft).ids
            said = values[first : first + n]
            store.append(Draft(kind="labels", at=_AT, ids=ids, values=said))
        store.close()
    return found | {"mib": size_mib(Path(home) / "logs")}


def pin(home: str, *, rows: int, run: int = 0) -> Figures:
    """Make a snapshot of all rows, and pin it."""
    from ratoon.core import wire  # noqa: PLC0415 - the peers have none
    from ratoon.core.measuring import RowRange  # noqa: PLC0415
    from ratoon.engine.evidence import features  # noqa: PLC0415
    from ratoon.engine.pinning import hashed, pinned_at  # noqa: PLC0415
    from ratoon.stores.folder import open_known  # noqa: PLC0415

    _ = run
    store = open_known(Path(home), "loop")
    found = store.labelled(RowRange(start=0, stop=rows))
    with measuring() as told:
        taken = features(found.columns, _schema())
        name = hashed(taken, found.values, None)
    snapshot = _snapshot(name, taken, found.values)
    pinned = pinned_at(snapshot, found.ordinals, _AT, None, store)
    (Path(home) / _PIN).write_text(wire.dumps(pinned))
    store.close()
    return told


def unpin(home: str, *, run: int) -> Figures:
    """Read the rows of the pin again: each file is checked, and lies there as it was compared."""
    return _unpin(home, run=run, anew=False)


def unpin_anew(home: str, *, run: int) -> Figures:
    """Read the rows of the pin again, and compare all of them with the pin's digest."""
    return _unpin(home, run=run, anew=True)


def _unpin(home: str, *, run: int, anew: bool) -> Figures:
    from ratoon.core import wire  # noqa: PLC0415 - the peers have none
    from ratoon.engine.pinning import unpinned  # noqa: PLC0415
    from ratoon.stores.folder import open_known  # noqa: PLC0415
    from ratoon.windows.pins import Pin  # noqa: PLC0415

    _ = run
    pinned = wire.loads(Pin, (Path(home) / _PIN).read_text())
    store = open_known(Path(home), "loop")
    with measuring() as found:
        snapshot = unpinned(pinned, store, anew=anew)
    store.close()
    if len(snapshot) != pinned.count:
        raise RuntimeError("the snapshot has another length")
    return found


def table(home: str, *, run: int, all_columns: bool) -> Figures:
    """Read the table of predictions alone, with the checks of its files and pages."""
    from ratoon.log.table import RowTable  # noqa: PLC0415 - the peers have none

    _ = run
    names = None if all_columns else [f"feature_{name}" for name in rows_of.feature_kinds()]
    opened = RowTable(str(Path(home) / "logs/loop/predictions"), app="x", writable=False)
    with measuring() as found:
        read = opened.read(columns=names)
    opened.close()
    return found | {"rows": read.num_rows}


def files(home: str) -> dict[str, Any]:
    """Return the files that the table of predictions consists of."""
    from ratoon.log.table import RowTable  # noqa: PLC0415 - the peers have none

    folder = Path(home) / "logs/loop/predictions"
    opened = RowTable(str(folder), app="x", writable=False)
    return {"files": [str(folder / file.name) for file in opened.files]}


def polars(files: list[str], *, run: int, all_columns: bool) -> Figures:
    """Read the same files with polars, which checks nothing."""
    from polars import read_parquet  # noqa: PLC0415 - only this contender has it

    _ = run
    names = None if all_columns else [f"feature_{name}" for name in rows_of.feature_kinds()]
    with measuring() as found:
        read = read_parquet(files, columns=names)
    return found | {"rows": read.height}


def _schema() -> Any:
    from ratoon.core.schema import Column, Schema  # noqa: PLC0415 - the peers have none

    kinds: Any = rows_of.feature_kinds()
    columns = tuple(Column(name=name, kind=kind) for name, kind in kinds.items())
    return Schema(columns=columns, frame="numpy")


def _snapshot(name: str, taken: Any, values: Any) -> Any:
    from ratoon.core.deciding import SnapshotPlan  # noqa: PLC0415 - the peers have none
    from ratoon.core.measuring import RowRange, Window  # noqa: PLC0415
    from ratoon.windows.judged import Target  # noqa: PLC0415
    from ratoon.windows.snapshot import DatasetSnapshot  # noqa: PLC0415

    rows = RowRange(start=0, stop=len(values))
    nothing = RowRange(start=len(values), stop=len(values))
    return DatasetSnapshot(
        digest=name,
        features=taken,
        labels=values,
        target=Target(task="binary", classes=(0, 1)),
        window=Window(start=_AT, end=_AT, rows=rows),
        plan=SnapshotPlan(train=rows, holdout=nothing, rule="all rows"),
    )
