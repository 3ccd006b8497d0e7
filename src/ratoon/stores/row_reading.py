"""Rows of a log by their ordinals or their ids, from memory and the tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from ratoon.core.measuring import RowRange
from ratoon.stores import shapes
from ratoon.stores.catalog import Catalog
from ratoon.stores.entries import ERASED
from ratoon.stores.joining import one_by_one
from ratoon.stores.protocol import Columns, LabelledRows
from ratoon.stores.shelves import Shelves


def read_labelled(
    rows: RowRange, columns: Collection[str] | None, catalog: Catalog, shelves: Shelves
) -> LabelledRows:
    """Read labelled rows by their ordinals, but for those that were erased."""
    places, labels = catalog.joined(rows.start, rows.stop)
    there = np.ones(len(places), dtype=bool)
    if not shelves.has_all(places):
        there = catalog.labels(places) != ERASED
        places, labels = places[there], labels[there]
    before = versions(shelves)
    found = shelves.predictions(places, columns)
    said = shelves.labels(labels, alone=columns is not None)
    stay = columns is not None and before == versions(shelves)
    whence = shelves.whence(places, labels) if stay else None
    nothing = np.empty(0, dtype=np.int64)
    return LabelledRows(
        rows=rows,
        ids=tuple(found["id"].tolist()) if "id" in found else (),
        values=shapes.labels_of(said) if len(labels) else (),
        columns=shapes.without(found, ("id", "seq")),
        ordinals=rows.start + np.flatnonzero(there),
        batches=found.get("seq", nothing),
        label_batches=said.get("seq", nothing),
        whence=whence,
    )


def read_predictions(
    ids: Sequence[str], catalog: Catalog, shelves: Shelves
) -> Mapping[str, Columns]:
    """Read predictions by their ids, one row each."""
    known = dict(zip(ids, catalog.find(ids).tolist(), strict=True))
    there = [row_id for row_id, row in known.items() if row >= 0]
    rows = np.array([known[row_id] for row_id in there], dtype=np.int64)
    stay = np.flatnonzero(catalog.labels(rows) != ERASED)
    found = shelves.predictions(rows[stay])
    columns = {name: column for name, column in found.items() if name not in ("id", "seq")}
    names = (there[row] for row in stay.tolist())
    return dict(zip(names, one_by_one(columns, len(stay)), strict=True))


def versions(shelves: Shelves) -> Mapping[str, int]:
    """Return the version of each table that there is."""
    tables = shelves.tables.items()
    return {name: table.version for name, table in tables if table.version is not None}
