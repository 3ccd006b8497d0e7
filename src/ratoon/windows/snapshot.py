"""The pinned rows that a training reads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias, cast

import numpy as np

from ratoon.core.deciding import SnapshotPlan
from ratoon.core.measuring import Window
from ratoon.core.schema import Schema
from ratoon.core.wire import Json, dumps, to_json
from ratoon.windows.arrow import pieces
from ratoon.windows.frames import to_frame
from ratoon.windows.judged import Floats, Target
from ratoon.windows.label_column import LabelColumn
from ratoon.windows.labels import Labels
from ratoon.windows.rows import Array, Rows

_DTYPES: Mapping[type, str] = {bool: "|b1", int: "<i8", float: "<f8", str: "O"}
_Step: TypeAlias = Callable[[], bytes]


class Each(Protocol):
    """Calls a function with each step and gives what it returns, in order, as `map` does.

    That of a thread pool does some of them at once.
    """

    def __call__(self, _do: Callable[[_Step], bytes], steps: list[_Step], /) -> Iterable[bytes]:
        """Begin."""
        ...


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

    digest: str  # of schema, features, labels and, where there are some, weights: see `digest`
    features: Rows
    labels: Labels  # one a row; `y` has them as an array
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
    if isinstance(labels, LabelColumn):
        found = labels.array
        return found.astype(str) if found.dtype == object else found
    kinds = set(map(type, labels))
    mixed = len(kinds) > 1 and not kinds <= {int, float}
    return np.array(labels, dtype=object if mixed else None)


def digest(
    features: Rows, labels: Labels, weights: Floats | None = None, *, each: Each = map
) -> str:
    """Return the SHA-256 of the schema and of the SHA-256 of each column, labels and weights last.

    A column of numbers, truths or moments counts by its bytes; one of texts by the lengths of all
    its values, -1 for a missing one, and by the values behind each other, in UTF-8. Labels count by
    their type too: 1, 1.0, True and "1" are four labels.

    Args:
        features: The rows; those from tables are hashed as they lie there.
        labels: One a row.
        weights: How much each row counts, of shape (rows,).
        each: Does the columns, as `map` does; that of a thread pool does some of them at once.

    >>> from ratoon.windows.intake import read_rows
    >>> digest(read_rows({"x": [1, 2]}), (0, 1)) == digest(read_rows({"x": [1, 2]}), (0, 1))
    True
    """
    columns = features.columns
    steps: list[_Step] = [partial(_of_column, columns, name) for name in features.schema.names]
    steps.append(partial(_of_labels, labels))
    if weights is not None:
        steps.append(partial(_of_column, {"weights": weights.astype("<f8")}, "weights"))
    found = hashlib.sha256(dumps(features.schema.columns).encode())
    for part in each(_done, steps):
        found.update(part)
    return found.hexdigest()


def _done(step: _Step) -> bytes:
    return step()


def _of_column(columns: Mapping[str, Array], name: str) -> bytes:
    """Hash lengths and texts each by itself, so that it is the same however a column is cut."""
    values, lengths, dtype = hashlib.sha256(), hashlib.sha256(), "O"
    for piece in pieces(columns, name):
        if isinstance(piece, np.ndarray):
            array = cast("Array", piece)
            dtype = array.dtype.str
            values.update(_plain(array).view(np.uint8).data)
        else:
            lasting, body = _parts(piece)
            lengths.update(lasting.data)
            values.update(body)
    return hashlib.sha256(dtype.encode() + lengths.digest() + values.digest()).digest()


def _plain(column: Array) -> Array:
    """Return a column in which every NaN has the same bits: a file keeps but one."""
    if column.dtype.kind != "f" or not len(column) or not np.isnan(column.min()):
        return column
    return np.where(np.isnan(column), np.nan, column)


def _parts(texts: Any) -> tuple[Array, Any]:
    """Return how long each text is, -1 for a missing one, and all of them behind each other."""
    gone = texts.is_null().to_numpy(zero_copy_only=False) if texts.null_count else None
    whole = texts if gone is None else texts.fill_null("")
    wide = np.int64 if str(whole.type).startswith("large") else np.int32
    _, ends, body = whole.buffers()
    at = np.frombuffer(ends, wide)[whole.offset : whole.offset + len(whole) + 1] if ends else [0]
    lengths = np.diff(at).astype("<i4")
    if gone is not None:
        lengths[gone] = -1
    return lengths, memoryview(body or b"")[int(at[0]) : int(at[-1])]


def _of_labels(labels: Labels) -> bytes:
    """Labels of several types count as JSON."""
    if isinstance(labels, LabelColumn):
        return _of_column({"label": labels.array}, "label") if len(labels) else _of_mixed(())
    kinds = set(map(type, labels))
    dtype = _DTYPES.get(kinds.pop()) if len(kinds) == 1 else None
    if dtype is None:
        return _of_mixed(labels)
    return _of_column({"label": np.array(labels, dtype=dtype)}, "label")


def _of_mixed(labels: tuple[object, ...]) -> bytes:
    return hashlib.sha256(b"mixed" + dumps(labels).encode()).digest()
