"""Snapshots pinned to labelled rows, and read again."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from itertools import compress

import numpy as np

from ratoon.core.errors import SnapshotCorrupt
from ratoon.core.measuring import RowRange
from ratoon.core.quarantine import Quarantined
from ratoon.engine.evidence import features, stored_names
from ratoon.stores.protocol import LabelledRows, Store
from ratoon.windows.arrow import ArrowColumns
from ratoon.windows.judged import Floats
from ratoon.windows.label_column import LabelColumn
from ratoon.windows.labels import Labels
from ratoon.windows.pins import Pin, ranges
from ratoon.windows.rows import Array, Rows
from ratoon.windows.snapshot import DatasetSnapshot, digest
from ratoon.windows.weights import weights_of

_AT_ONCE = 4  # columns that are hashed side by side: hashing lets other threads run


def pinned_at(
    snapshot: DatasetSnapshot, ordinals: Array, at: datetime, run_id: str | None, store: Store
) -> Pin:
    """Return the pin of a snapshot that was made of the labelled rows with these ordinals."""
    return Pin(
        digest=snapshot.digest,
        at=at,
        count=len(snapshot),
        rows=ranges(ordinals),
        plan=snapshot.plan,
        schema=snapshot.schema,
        target=snapshot.target,
        window=snapshot.window,
        run_id=run_id,
        tables=store.table_versions(),
    )


def unpinned(pin: Pin, store: Store, *, anew: bool = False) -> DatasetSnapshot:
    """Read the rows of a pin again.

    When they are first read they are compared with the pin's digest; later too, where they lie in
    other files than then. The SHA-256 of the files is checked in any case. With `anew` they are
    always compared.

    Raises:
        SnapshotCorrupt: they are not the rows that were pinned.
        FileCorrupt: a file is missing, or its bytes are not those that were written.
    """
    whole = RowRange(start=pin.rows[0].start, stop=pin.rows[-1].stop)
    read = store.labelled(whole, columns=[*stored_names(pin.schema), *_times(pin)])
    found = only(read, pin.rows)
    rows = features(found.columns, pin.schema)
    weights = _weights(pin, found)
    name = pin.digest
    if anew or read.whence is None or read.whence != store.compared(pin.digest):
        name = hashed(rows, found.values, weights)
        is_whole = len(found.ordinals) == sum(map(len, pin.rows))  # none of them was erased
        _expect(name, pin, is_whole=is_whole)
        if read.whence is not None and is_whole:
            store.note_compared(pin.digest, read.whence)
    return DatasetSnapshot(
        digest=name,
        features=rows,
        labels=found.values,
        target=pin.target,
        window=pin.window,
        plan=pin.plan,
        weights=weights,
    )


def hashed(rows: Rows, labels: Labels, weights: Floats | None) -> str:
    """Return the digest of rows; several columns are hashed at once."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return digest(rows, labels, weights, each=pool.map)


def _expect(name: str, pin: Pin, *, is_whole: bool) -> None:
    if name != pin.digest and is_whole:
        raise SnapshotCorrupt(
            f"the rows of snapshot {pin.digest} now have the digest {name}",
            hint="`ratoon data check` looks at every file",
        )


def _times(pin: Pin) -> tuple[str, ...]:
    """Return the column that weights follow from, where a pin has some."""
    return ("time",) if pin.plan.choices else ()


def _weights(pin: Pin, found: LabelledRows) -> Floats | None:
    """Return the weights of the rows of a pin that are still there."""
    if not pin.plan.choices:
        return None
    weights = weights_of(pin.plan.choices[0], found.columns["time"])
    if weights is None or len(weights) == len(found.ordinals):
        return weights
    every = np.concatenate([np.arange(r.start, r.stop) for r in pin.rows])
    return weights[np.isin(every, found.ordinals)]


def usable(found: LabelledRows, aside: Sequence[Quarantined]) -> LabelledRows:
    """Return labelled rows but for those that are set aside."""
    gone = np.zeros(len(found.ordinals), dtype=bool)
    for batch in aside:
        if batch.released_at is None:
            gone |= within(found.ordinals, batch.rows)
    return found if not gone.any() else taken(found, ~gone)


def only(found: LabelledRows, rows: Sequence[RowRange]) -> LabelledRows:
    """Return labelled rows whose ordinals are in one of the ranges."""
    if len(rows) == 1 and rows[0] == found.rows:
        return found
    return taken(found, within(found.ordinals, rows))


def taken(found: LabelledRows, mask: Array) -> LabelledRows:
    """Return the labelled rows where the mask holds."""
    columns, values, ids = found.columns, found.values, found.ids
    if isinstance(columns, ArrowColumns):
        columns = columns.kept(mask)
    else:
        columns = {name: column[mask] for name, column in columns.items()}
    return replace(
        found,
        ids=tuple(compress(ids, mask)),
        values=_kept(values, mask),
        columns=columns,
        ordinals=found.ordinals[mask],
        batches=_where(found.batches, mask),
        label_batches=_where(found.label_batches, mask),
    )


def _kept(labels: Labels, mask: Array) -> Labels:
    if isinstance(labels, LabelColumn):
        return labels.kept(mask)
    return tuple(compress(labels, mask))


def _where(column: Array, mask: Array) -> Array:
    """Return the values where the mask holds; none where the column was not read."""
    return column[mask] if len(column) else column


def within(ordinals: Array, rows: Sequence[RowRange]) -> Array:
    """Tell which ordinals are in one of the ranges, which are in order and apart."""
    starts = np.array([r.start for r in rows], dtype=np.int64)
    stops = np.array([r.stop for r in rows], dtype=np.int64)
    at = np.searchsorted(starts, ordinals, side="right") - 1
    return (at >= 0) & (ordinals < stops[np.maximum(at, 0)])
