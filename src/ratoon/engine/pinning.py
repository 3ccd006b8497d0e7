"""Snapshots pinned to labelled rows, and read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from ratoon.core.errors import SnapshotCorrupt
from ratoon.core.measuring import RowRange
from ratoon.core.quarantine import Quarantined
from ratoon.engine.evidence import features
from ratoon.stores.protocol import LabelledRows, Store
from ratoon.windows.judged import Floats
from ratoon.windows.pins import Pin, ranges
from ratoon.windows.rows import Array
from ratoon.windows.snapshot import DatasetSnapshot, digest
from ratoon.windows.weights import weights_of


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


def unpinned(pin: Pin, store: Store) -> DatasetSnapshot:
    """Read the rows of a pin again.

    Raises:
        SnapshotCorrupt: they are not the rows that were pinned.
    """
    whole = RowRange(start=pin.rows[0].start, stop=pin.rows[-1].stop)
    found = only(store.labelled(whole), pin.rows)
    rows = features(found.columns, pin.schema)
    weights = _weights(pin, found)
    name = digest(rows, found.values, weights)
    if name != pin.digest and not pin.erased:
        raise SnapshotCorrupt(
            f"the rows of snapshot {pin.digest} now have the digest {name}",
            hint="`ratoon data check` looks at every file",
        )
    return DatasetSnapshot(
        digest=name,
        features=rows,
        labels=found.values,
        target=pin.target,
        window=pin.window,
        plan=pin.plan,
        weights=weights,
    )


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
    index = np.flatnonzero(mask).tolist()
    return replace(
        found,
        ids=tuple([found.ids[n] for n in index]),
        values=tuple([found.values[n] for n in index]),
        columns={name: column[mask] for name, column in found.columns.items()},
        ordinals=found.ordinals[mask],
        batches=found.batches[mask],
        label_batches=found.label_batches[mask],
    )


def within(ordinals: Array, rows: Sequence[RowRange]) -> Array:
    """Tell which ordinals are in one of the ranges, which are in order and apart."""
    starts = np.array([r.start for r in rows], dtype=np.int64)
    stops = np.array([r.stop for r in rows], dtype=np.int64)
    at = np.searchsorted(starts, ordinals, side="right") - 1
    return (at >= 0) & (ordinals < stops[np.maximum(at, 0)])
