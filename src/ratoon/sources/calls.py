"""A batch from outside as the arguments of a loop's calls: `record`, `label`, `feedback`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ratoon.core.errors import RowsRefused
from ratoon.sources.batching import Table, row_of
from ratoon.sources.kinds import plain
from ratoon.sources.naming import ColumnsOf
from ratoon.sources.places import short
from ratoon.sources.texts import TYPES, Arrow, pc
from ratoon.windows.judged import Floats
from ratoon.windows.rows import Array

_GROUPS = 100  # versions or sources in a batch; each is a call of its own

Index: TypeAlias = NDArray[np.int64]


class _Call:
    """Arguments of a call."""

    __slots__ = ()

    def arguments(self) -> Mapping[str, Any]:
        """Return the arguments by name: `loop.record(**part.arguments())`."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # pyright: ignore[reportArgumentType] - each kind of call is a dataclass


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictionsIn(_Call):
    """Predictions of one version, for `loop.record`."""

    rows: Table  # the features
    outputs: Arrow
    ids: tuple[str, ...]
    scores: Floats | None  # (rows, classes)
    times: Array | None  # datetime64[us], in UTC
    version: int | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelsIn(_Call):
    """Labels from one source, for `loop.label`."""

    ids: tuple[str, ...]
    labels: Arrow
    times: Array | None  # datetime64[us], in UTC
    source: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeedbackIn(_Call):
    """Feedback that has a rating, a correction or both in every row, for `loop.feedback`."""

    ids: tuple[str, ...]
    ratings: list[float] | None
    corrections: list[Any] | None


def as_predictions(batch: Table, columns: ColumnsOf | None = None) -> tuple[PredictionsIn, ...]:
    """Return a batch as predictions, a part for each version that answered.

    Args:
        batch: a table that `read` gave, or another Arrow table.
        columns: which column is what; by default told from their names.

    Raises:
        RowsRefused: where a column is missing or two could be meant, an id, a time or a version is
            missing, or one of them is of another kind than it must be; it names the row.

    >>> import pyarrow as pa
    >>> [part] = as_predictions(pa.table({"id": ["p-1"], "age": [31], "output": ["yes"]}))
    >>> part.ids, part.rows.column_names
    (('p-1',), ['age'])
    """
    named = columns or ColumnsOf()
    roles, features = named.predictions(batch.column_names)
    every: Index = np.arange(batch.num_rows, dtype=np.int64)
    ids = _ids(batch, roles["id"], every)
    times = _times(batch, roles["time"], every) if "time" in roles else None
    scores = None if named.scores is None else _scores(batch, named.scores)
    versions = _versions(batch, roles["version"], every) if "version" in roles else None
    rows = batch.select(list(features)).replace_schema_metadata(None)
    outputs = plain(batch.column(roles["output"]))
    return tuple(
        PredictionsIn(
            rows=rows.take(index),
            outputs=outputs.take(index),
            ids=_at(ids, index),
            scores=None if scores is None else scores[index],
            times=None if times is None else times[index],
            version=version,
        )
        for version, index in _grouped(batch, versions, every, "versions")
    )


def as_labels(batch: Table, columns: ColumnsOf | None = None) -> tuple[LabelsIn, ...]:
    """Return a batch as labels, a part for each source that they come from.

    A row without a label is not labelled yet and is left out: the parts may hold fewer rows than
    the batch.

    Raises:
        RowsRefused: as in `as_predictions`.

    >>> import pyarrow as pa
    >>> [part] = as_labels(pa.table({"id": ["p-1", "p-2"], "label": ["yes", None]}))
    >>> part.ids, part.labels.to_pylist()
    (('p-1',), ['yes'])
    """
    roles = (columns or ColumnsOf()).labels(batch.column_names)
    labels = plain(batch.column(roles["label"]))
    there: Index = np.flatnonzero(labels.is_valid().to_numpy())
    ids = _ids(batch, roles["id"], there)
    times = _times(batch, roles["time"], there) if "time" in roles else None
    sources = _sources(batch, roles["source"], there) if "source" in roles else None
    return tuple(
        LabelsIn(
            ids=_at(ids, index),
            labels=labels.take(there[index]),
            times=None if times is None else times[index],
            source=source,
        )
        for source, index in _grouped(batch, sources, np.arange(len(there)), "sources")
    )


def as_feedback(batch: Table, columns: ColumnsOf | None = None) -> tuple[FeedbackIn, ...]:
    """Return a batch as feedback: the rows that have both, a rating alone, a correction alone.

    A row that has neither says nothing and is left out.

    Raises:
        RowsRefused: as in `as_predictions`.

    >>> import pyarrow as pa
    >>> said = pa.table({"id": ["p-1", "p-2"], "rating": [-1, 1], "correction": ["no", None]})
    >>> [(part.ids, part.ratings, part.corrections) for part in as_feedback(said)]
    [(('p-1',), [-1], ['no']), (('p-2',), [1], None)]
    """
    roles = (columns or ColumnsOf()).feedback(batch.column_names)
    gone = np.zeros(batch.num_rows, dtype=bool)
    there = [role for role in ("rating", "correction") if role in roles]
    said = {role: plain(batch.column(roles[role])) for role in there}
    rated = said["rating"].is_valid().to_numpy() if "rating" in said else gone
    wanted = said["correction"].is_valid().to_numpy() if "correction" in said else gone
    found: list[FeedbackIn] = []
    for has_rating, has_wanted in ((True, True), (True, False), (False, True)):
        index = np.flatnonzero((rated == has_rating) & (wanted == has_wanted))
        if len(index):
            part = FeedbackIn(
                ids=_ids(batch, roles["id"], index),
                ratings=said["rating"].take(index).to_pylist() if has_rating else None,
                corrections=said["correction"].take(index).to_pylist() if has_wanted else None,
            )
            found.append(part)
    return tuple(found)


def _at(ids: tuple[str, ...], index: Index) -> tuple[str, ...]:
    return tuple(ids[at] for at in cast("list[int]", index.tolist()))


def _ids(batch: Table, name: str, index: Index) -> tuple[str, ...]:
    column = _present(batch, name, index)
    if column.type not in (TYPES["category"], TYPES["integer"]):
        raise _wrong(batch, name, "ids are texts or whole numbers", "category")
    return tuple(column.cast(TYPES["category"]).to_pylist())


def _times(batch: Table, name: str, index: Index) -> Array:
    column = _present(batch, name, index)
    if column.type != TYPES["time"]:
        raise _wrong(batch, name, "times are moments such as 2026-03-01T12:00:00Z", "time")
    return column.to_numpy().astype("datetime64[us]")


def _versions(batch: Table, name: str, index: Index) -> list[int]:
    column = _present(batch, name, index)
    if column.type != TYPES["integer"]:
        raise _wrong(batch, name, "versions are whole numbers", "integer")
    return column.to_pylist()


def _sources(batch: Table, name: str, index: Index) -> list[str]:
    column = _present(batch, name, index)
    if column.type != TYPES["category"]:
        raise _wrong(batch, name, "sources are texts", "category")
    return column.to_pylist()


def _scores(batch: Table, names: tuple[str, ...]) -> Floats:
    every: Index = np.arange(batch.num_rows, dtype=np.int64)
    columns = [_present(batch, name, every) for name in names]
    for name, column in zip(names, columns, strict=True):
        if column.type not in (TYPES["number"], TYPES["integer"]):
            raise _wrong(batch, name, "scores are numbers", "number")
    return np.column_stack([column.cast(TYPES["number"]).to_numpy() for column in columns])


def _present(batch: Table, name: str, index: Index) -> Arrow:
    """Return a column at some rows, where all of them must have a value."""
    column = plain(batch.column(name)).take(index)
    if column.null_count:
        at = int(index[pc.index(column.is_null(), True).as_py()])
        raise RowsRefused(f"{row_of(batch, at)}, column {name!r}: a value is missing")
    return column


def _wrong(batch: Table, name: str, rule: str, kind: str) -> RowsRefused:
    column = batch.column(name)
    got = f"{short(column[0].as_py())}, of the type {column.type}"
    hint = f"read it with types={{{name!r}: {kind!r}}}, where the source has no types of its own"
    return RowsRefused(f"{row_of(batch, 0)}, column {name!r}: {rule}, got {got}", hint=hint)


def _grouped(
    batch: Table, values: list[Any] | None, every: Index, what: str
) -> list[tuple[Any, Index]]:
    """Return each of the values with the rows that have it, in the order in which they come."""
    if values is None:
        return [(None, every)] if len(every) else []
    index: dict[Any, list[int]] = {}
    for at, value in enumerate(values):
        index.setdefault(value, []).append(at)
    if len(index) > _GROUPS:
        where = row_of(batch, 0)
        raise RowsRefused(f"{where} and on: {len(index)} {what} in a batch, at most {_GROUPS}")
    return [(value, np.array(rows)) for value, rows in index.items()]
