"""What each step costs behind a history of some length."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import numpy as np

from benchmarks import data_rows as rows_of
from benchmarks.data_histories import ids_of, made_below
from benchmarks.data_measuring import Figures, forget_peak, memory_mib, peak_mib
from ratoon.core.measuring import RowRange
from ratoon.stores.folder import open_folder
from ratoon.stores.local import LocalStore
from ratoon.stores.protocol import Draft

_AT = datetime(2026, 1, 2, tzinfo=UTC)
_BATCH = 200
_TIMES = 20
_NEWEST = 200


def steps(home: str, *, run: int, rows: int, made_share: float) -> Figures:
    """Return the CPU time of each step, and its wall time, in milliseconds.

    Each run labels other rows. Appended are fewer rows than a flush waits for, so that none runs
    in between.
    """
    _warm(Path(home).parent)
    forget_peak()
    found: Figures = {}
    store = _timed(found, "open", lambda: open_folder(Path(home), "loop"))
    with closing(store):
        made = _appended(found, store, "made ids", lambda _n: (), run)
        _timed(found, "flush", store.flush)
        first = rows * 2 + run * _BATCH * _TIMES  # no row of the history has such a number
        new = [rows_of.foreign_ids(first + n * _BATCH, _BATCH) for n in range(_TIMES)]
        foreign = _appended(found, store, "ids of others", lambda n: tuple(new[n]), run)
        _timed(found, "flush ids of others", store.flush)
        _labelled(found, store, "new rows", [*made[: _TIMES // 2], *foreign[: _TIMES // 2]])
        _read(found, store, "newest labelled rows")
        late = _late(rows, made_share, run)
        _labelled(found, store, "old rows, made ids", late[:_TIMES])
        _timed(found, "flush labels", store.flush)
        _labelled(found, store, "old rows, ids of others", late[_TIMES:])
        _timed(found, "flush late labels", store.flush)
        _read(found, store, "newest labelled rows, of old predictions")
        _repeated(found, "counts", lambda _n: store.counts())
        found |= memory_mib()
    found["peak_mib"] = peak_mib()
    return found


def _appended(
    found: Figures, store: LocalStore, name: str, ids: Callable[[int], tuple[str, ...]], run: int
) -> list[tuple[str, ...]]:
    """Append batches of predictions; return their ids, which are made where none are given."""
    named: list[tuple[str, ...]] = []

    def append(number: int) -> None:
        given = ids(number)
        draft = Draft(
            kind="predictions",
            at=_AT,
            ids=given,
            nameless=0 if given else _BATCH,
            columns=rows_of.narrow(run, number, _BATCH),
        )
        named.append(store.append(draft).ids or given)

    _repeated(found, f"predictions, {name}", append)
    return named


def _labelled(found: Figures, store: LocalStore, name: str, batches: list[tuple[str, ...]]) -> None:
    values = tuple(rows_of.labels(0, _BATCH))

    def append(number: int) -> None:
        draft = Draft(kind="labels", at=_AT, ids=batches[number], values=values)
        if store.append(draft).parked:
            raise RuntimeError("a label did not find its prediction")

    _repeated(found, f"labels of {name}", append)


def _read(found: Figures, store: LocalStore, name: str) -> None:
    """Read the newest labelled rows, each of them once."""
    last = store.counts().labelled

    def read(number: int) -> None:
        stop = last - number * _NEWEST
        rows = store.labelled(RowRange(start=stop - _NEWEST, stop=stop))
        if len(rows.values) != _NEWEST:
            raise RuntimeError("rows are missing")

    _repeated(found, name, read)


def _warm(folder: Path) -> None:
    """Open a log that has tables, so that no import is measured."""
    with TemporaryDirectory(dir=folder) as aside:
        for _ in range(2):
            store = open_folder(Path(aside), "loop")
            store.append(Draft(kind="tick", at=_AT))
            store.close()


def _late(rows: int, made_share: float, run: int) -> list[tuple[str, ...]]:
    """Return ids from all over a history, of rows without a label: made ones, then others."""
    made, rng = made_below(rows, made_share), np.random.default_rng((run, rows))
    n = _BATCH * _TIMES
    picked = [
        rng.choice(made // 10, n, replace=False),
        rng.choice((rows - made) // 10, n, replace=False),
    ]
    unlabelled: list[Any] = [picked[0] * 10 + 1 + run % 9, made + picked[1] * 10 + 1 + run % 9]
    ids = [ids_of(part, made) for part in unlabelled]
    return [tuple(part[at : at + _BATCH]) for part in ids for at in range(0, n, _BATCH)]


def _timed(found: Figures, name: str, call: Callable[[], Any]) -> Any:
    wall, cpu = perf_counter(), process_time()
    result = call()
    found[f"{name} cpu_ms"] = (process_time() - cpu) * 1000
    found[f"{name} wall_ms"] = (perf_counter() - wall) * 1000
    return result


def _repeated(found: Figures, name: str, call: Callable[[int], Any]) -> None:
    """Take the medians of many calls."""
    told: list[Figures] = []
    for number in range(_TIMES):
        told.append({})
        _timed(told[-1], name, lambda n=number: call(n))
    for key in told[0]:
        found[key] = statistics.median(one[key] for one in told)
