"""The pinned rows that a training reads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ratoon.core.deciding import SnapshotPlan
from ratoon.core.measuring import Window
from ratoon.core.schema import Schema
from ratoon.core.wire import Json, dumps, to_json
from ratoon.windows.frames import to_frame
from ratoon.windows.judged import Floats, Scalar, Target
from ratoon.windows.labels import Labels
from ratoon.windows.rows import Array, Rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DatasetSnapshot:
    """Labelled rows, pinned by their digest: what a trainer is given.

    `X` and `y` go straight into scikit-learn::

        def train(snapshot):
            return HistGradientBoostingClassifier().fit(snapshot.X, snapshot.y)

    Where rows count by their age, or as a function says, `weights` has how much each of them
    counts, of shape (rows,) and above 0. It is None where all count alike, and scikit-learn takes
    it either way::

        model.fit(snapshot.X, snapshot.y, sample_weight=snapshot.weights)
    """

    digest: str  # SHA-256 of schema, features, labels and, where there are some, weights
    features: Rows
    labels: Labels
    target: Target
    window: Window  # event time and ordinals of the rows
    plan: SnapshotPlan
    weights: Floats | None = None  # (rows,): how much each row counts; None: all alike

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.labels)

    @property
    def schema(self) -> Schema:
        """The features and the kind of frame."""
        return self.features.schema

    @property
    def X(self) -> Any:
        """The features, as the kind of frame that the loop was given."""
        return to_frame(self.features)

    @property
    def y(self) -> Array:
        """The labels, of shape (rows,), as they are: 1 and "a" stay a number and a text."""
        return as_array(self.labels)

    def record(self) -> Mapping[str, Json]:
        """Return what is kept of it beside its rows."""
        return {
            "digest": self.digest,
            "rows": len(self),
            "window": to_json(self.window),
            "schema": to_json(self.schema),
            "plan": to_json(self.plan),
        }


def as_array(labels: Labels) -> Array:
    """Return labels as an array, as they are: of objects where their types differ."""
    kinds = {type(label) for label in labels}
    mixed = len(kinds) > 1 and not kinds <= {int, float}
    return np.array(labels, dtype=object if mixed else None)


def digest(features: Rows, labels: tuple[Scalar, ...], weights: Floats | None = None) -> str:
    """Return the SHA-256 of the schema, every column, the labels and the weights, if any.

    >>> from ratoon.windows.intake import read_rows
    >>> digest(read_rows({"x": [1, 2]}), (0, 1)) == digest(read_rows({"x": [1, 2]}), (0, 1))
    True
    """
    found = hashlib.sha256(dumps(features.schema.columns).encode())
    for name in features.schema.names:
        column = features.columns[name]
        if column.dtype == object:
            found.update(dumps(tuple(column.tolist())).encode())
        else:
            found.update(np.ascontiguousarray(column).tobytes())
    found.update(dumps(labels).encode())
    if weights is not None:
        found.update(b"weights" + weights.astype("<f8").tobytes())
    return found.hexdigest()
