"""Labelled rows as the policy wants them: scored by every model that matters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from ratoon.core.errors import SnapshotEmpty
from ratoon.core.measuring import RowRange
from ratoon.core.schema import Schema
from ratoon.engine.models import Models
from ratoon.engine.scoring import aligned, score
from ratoon.metrics.protocol import Metric, columns_read
from ratoon.stores.protocol import Columns, LabelledRows
from ratoon.windows.arrow import ArrowColumns
from ratoon.windows.judged import Judged, Scalar, Scored, Target, joined
from ratoon.windows.labels import encode
from ratoon.windows.rows import Array, Rows, concat, narrowed

Read: TypeAlias = Callable[[RowRange], LabelledRows]
"""Returns labelled rows by their ordinals."""


@dataclass(slots=True, eq=False)
class _Chunk:
    """Labelled rows that were read together, and what models said of them."""

    found: LabelledRows
    scored: dict[int, Scored] = field(default_factory=dict[int, Scored])


class Evidence:
    """Holds the labelled rows of the open window; each model scores each row once."""

    def __init__(
        self, read: Read, models: Models, schema: Schema, metrics: Sequence[Metric]
    ) -> None:
        """Begin with no rows; `read` gives labelled ones, `metrics` may read their features."""
        self._read = read
        self._models = models
        self._schema = schema
        self._columns = columns_read(metrics)
        self._chunks: list[_Chunk] = []

    def cover(self, rows: RowRange) -> None:
        """Hold exactly the rows from `rows.start` on up to `rows.stop`."""
        kept = [chunk for chunk in self._chunks if chunk.found.rows.stop > rows.start]
        if kept and kept[0].found.rows.start > rows.start:
            kept = []
        start = kept[-1].found.rows.stop if kept else rows.start
        if start < rows.stop:
            wanted = RowRange(start=start, stop=rows.stop)
            kept.append(_Chunk(found=whole(self._read(wanted))))
        self._chunks = kept

    def times(self, rows: RowRange) -> Array:
        """Return the event times of covered rows."""
        parts = [chunk.found.columns["time"] for chunk in self._chunks]
        return np.concatenate(parts)[self._index(rows)]

    def judged(self, rows: RowRange, version: int, target: Target) -> Judged:
        """Return covered rows as a version scored them."""
        values = [value for chunk in self._chunks for value in chunk.found.values]
        scored = joined([self._scored(chunk, version, target) for chunk in self._chunks])
        return self._beside(scored, values, rows, target)

    def answered(self, rows: RowRange, target: Target) -> Judged:
        """Return covered rows as they were answered when they came, by whichever version."""
        parts = [recorded(chunk.found.columns, target) for chunk in self._chunks]
        scored = joined([part for part in parts if part is not None])
        values = [value for chunk in self._chunks for value in chunk.found.values]
        return self._beside(scored, values, rows, target)

    def _beside(
        self, scored: Scored, values: Sequence[Scalar], rows: RowRange, target: Target
    ) -> Judged:
        """Return covered rows beside what was said of all that are covered."""
        index = self._index(rows)
        return Judged(
            target=target,
            labels=encode(target, tuple(values[index])),
            scored=aligned(scored.take(index), target),
            features=self._features(index),
        )

    def _features(self, index: slice) -> Rows | None:
        """Return the features that metrics read; None where they read none."""
        if not self._columns:
            return None
        parts = (features(chunk.found.columns, self._schema) for chunk in self._chunks)
        kept = [narrowed(part, self._columns) for part in parts]
        found = [part for part in kept if part is not None]
        return concat(found).take(index) if found else None

    def _index(self, rows: RowRange) -> slice:
        first = self._chunks[0].found.rows.start
        return slice(rows.start - first, rows.stop - first)

    def _scored(self, chunk: _Chunk, version: int, target: Target) -> Scored:
        if version not in chunk.scored:
            chunk.scored[version] = self._score(chunk.found, version, target)
        return chunk.scored[version]

    def _score(self, found: LabelledRows, version: int, target: Target) -> Scored:
        """Take what the version answered when it served, and ask it about the other rows."""
        by = found.columns.get("version", np.full(len(found.values), np.nan))
        own, others = np.flatnonzero(by == version), np.flatnonzero(by != version)
        served = recorded(_picked(found.columns, own), target) if len(own) else None
        if served is not None and not len(others):
            return served
        model = self._models.of_version(version)
        rows = features(found.columns, self._schema)
        if served is None:
            return score(model, rows, target)
        asked = score(model, rows.take(others), target)
        if (served.scores is None) != (asked.scores is None):  # rows came without their scores
            return score(model, rows, target)
        return joined([served, asked]).take(np.argsort(np.concatenate([own, others])))


def whole(found: LabelledRows) -> LabelledRows:
    """Return labelled rows with a stand-in for each that was erased: the nearest one before it.

    A window that is open, or a trial that runs, counts its rows; an erased one counts as a copy of
    its neighbour there. It trains nothing.

    Raises:
        SnapshotEmpty: all of the rows were erased.
    """
    if len(found.ids) == len(found.rows):
        return found
    if not found.ids:
        raise SnapshotEmpty(found.rows.start, found.rows.stop)
    wanted = np.arange(found.rows.start, found.rows.stop)
    at = np.maximum(np.searchsorted(found.ordinals, wanted, side="right") - 1, 0)
    places: list[int] = at.tolist()
    return LabelledRows(
        rows=found.rows,
        ids=tuple([found.ids[n] for n in places]),
        values=tuple([found.values[n] for n in places]),
        columns={name: column[at] for name, column in found.columns.items()},
        ordinals=wanted,
        batches=found.batches[at],
        label_batches=found.label_batches[at],
    )


def features(columns: Columns, schema: Schema) -> Rows:
    """Return the features among stored columns."""
    names = {name: f"feature:{name}" for name in schema.names}
    if isinstance(columns, ArrowColumns):
        return Rows(schema=schema, columns=columns.picked(names))
    return Rows(schema=schema, columns={name: columns[stored] for name, stored in names.items()})


def stored_names(schema: Schema) -> list[str]:
    """Return how the features are called among stored columns."""
    return [f"feature:{name}" for name in schema.names]


def recorded(columns: Columns, target: Target) -> Scored | None:
    """Return what was answered when the rows were predicted, where they were.

    A row that knows fewer classes than another gives the others probability 0. Where a row came
    without any scores there are none for all of them: a probability is not made up.
    """
    if "output" not in columns:
        return None
    names = [name for name in columns if name.startswith("score:")]
    if not names or np.isnan(columns[names[0]]).any():
        return Scored(outputs=columns["output"])
    scores = np.column_stack([np.nan_to_num(columns[name]) for name in names])
    return aligned(Scored(outputs=columns["output"], scores=scores), target)


def _picked(columns: Columns, index: Array) -> Columns:
    """Return what was answered to some of the rows."""
    names = [name for name in columns if name == "output" or name.startswith("score:")]
    return {name: columns[name][index] for name in names}
