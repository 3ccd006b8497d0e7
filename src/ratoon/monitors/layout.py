"""What the columns of a log hold, and how its rows become what metrics and tests read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ratoon.core.errors import RowsRefused
from ratoon.core.schema import Column, Kind, Schema
from ratoon.drift.placing import category_places
from ratoon.metrics import by_name, default_metrics
from ratoon.metrics.protocol import Metric
from ratoon.monitors.roles import Held, Roles
from ratoon.windows.arrow import from_arrow
from ratoon.windows.judged import Floats, Judged, Scored, Target
from ratoon.windows.rows import Rows
from ratoon.windows.summaries.summary import numbers

_CLASSES = 10  # distinct whole numbers up to which labels are classes
_TWO = 2
_USUAL = ("accuracy", "f1", "precision", "recall")  # of classes, without scores


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """What the columns of a log are and hold; what is predicted, and by what it is measured."""

    roles: Roles
    kinds: Mapping[str, Held]  # of the columns that are read
    target: Target | None = None  # None: there are no labels, or nothing to compare them with
    metrics: tuple[Metric, ...] = ()
    coded: tuple[str, ...] = ()  # columns of classes: numbers among them are read as texts
    unscored: bool = False  # whether the scores are no probabilities, and only watched

    def shaped(self, table: Any) -> Any:
        """Return the columns that are read, as they are held; one that lacks is all missing.

        Raises:
            RowsRefused: a column holds something else than the reference's does.
        """
        import pyarrow as pa  # noqa: PLC0415 - slow to import

        names = list(self.kinds)
        made = cast("Any", pa)
        columns = [self._column(made, table, name) for name in names]
        return made.table(columns, names=names)

    def _column(self, pa: Any, table: Any, name: str) -> Any:
        kind = self.kinds[name]
        like = {"number": pa.float64(), "text": pa.string(), "time": pa.timestamp("us", "UTC")}
        if name not in table.column_names:
            return pa.nulls(table.num_rows, like[kind])
        column: Any = table.column(name)
        if pa.types.is_null(column.type):
            return pa.nulls(table.num_rows, like[kind])
        if name in self.coded:
            return as_texts(column)
        if held_by(column) != kind:
            rule = f"column {name!r} holds {column.type} where the reference holds a {kind}"
            raise RowsRefused(rule, hint=f"leave it out: ignore=({name!r},)")
        return column

    def judged(self, table: Any) -> tuple[Judged | None, Scored | None]:
        """Return the rows of a shaped table that are labelled, and what was said of the others.

        Rows without an output or a score, or of a class that is not known, are in neither.
        """
        roles, target = self.roles, self.target
        if target is None:
            return None, None
        scored, good = self._scored(table, target)
        labels = np.full(table.num_rows, np.nan)
        if roles.label is not None:
            labels = self._values(table, roles.label, target)
        there, waits = good & ~np.isnan(labels), good & self._unlabelled(table)
        known = np.flatnonzero(there)
        judged = Judged(
            target=target,
            labels=labels[known],
            scored=scored.take(known),
            features=self.rows(table.take(known)) if len(known) else None,
        )
        return judged, scored.take(np.flatnonzero(waits))

    def counted(self, table: Any) -> Judged | None:
        """Return the labelled rows of a shaped table without their features."""
        roles, target = self.roles, self.target
        if target is None or roles.label is None:
            return None
        scored, good = self._scored(table, target)
        labels = self._values(table, roles.label, target)
        known = np.flatnonzero(good & ~np.isnan(labels))
        return Judged(target=target, labels=labels[known], scored=scored.take(known))

    def said(self, table: Any) -> tuple[Scored, Rows] | None:
        """Return what was said of all rows, with their features; None where nothing was."""
        if self.target is None:
            return None
        scored, good = self._scored(table, self.target)
        index = np.flatnonzero(good)
        return (scored.take(index), self.rows(table.take(index))) if len(index) else None

    def rows(self, table: Any) -> Rows:
        """Return the features of a shaped table."""
        kinds: Mapping[str, Kind] = {"number": "number", "text": "category"}
        columns = tuple(
            Column(name=name, kind=kinds[self.kinds[name]], nullable=True)
            for name in self.roles.features
        )
        arrays = {c.name: from_arrow(table.column(c.name)) for c in columns}
        return Rows(schema=Schema(columns=columns), columns=arrays)

    def _unlabelled(self, table: Any) -> NDArray[np.bool_]:
        if self.roles.label is None:
            return np.ones(int(table.num_rows), dtype=bool)
        gone: NDArray[np.bool_] = np.array(table.column(self.roles.label).is_null(), dtype=bool)
        return gone

    def _scored(self, table: Any, target: Target) -> tuple[Scored, NDArray[np.bool_]]:
        scores = None
        good = np.ones(table.num_rows, dtype=bool)
        if self.roles.scores and target.classes and not self.unscored:
            columns = [numbers(table.column(name)) for name in self.roles.scores]
            if len(columns) == 1:
                columns = [1.0 - columns[0], columns[0]]
            scores = np.column_stack(columns)
            good &= np.isfinite(scores).all(axis=1)
        if self.roles.output is None:
            filled = np.nan_to_num(cast("Floats", scores), nan=-1.0)
            outputs = filled.argmax(axis=1).astype(np.float64)
            if filled.shape[1] == _TWO:
                outputs = (filled[:, 1] >= filled[:, 0]).astype(np.float64)
        else:
            outputs = self._values(table, self.roles.output, target)
        return Scored(outputs=outputs, scores=scores), good & np.isfinite(outputs)

    def _values(self, table: Any, name: str, target: Target) -> Floats:
        """Return labels or outputs: numbers, or indices into the classes; NaN of no class."""
        if not target.classes:
            found = numbers(table.column(name))
            return np.where(np.isfinite(found), found, np.nan)
        texts = [str(c) for c in target.classes]
        places = category_places(texts, table.column(name)).astype(np.float64)
        return np.where(places < len(texts), places, np.nan)


def held_by(column: Any) -> Held:
    """Return what a column of Arrow holds."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    types, kind = cast("Any", pa.types), column.type
    if types.is_floating(kind) or types.is_integer(kind):
        return "number"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_dictionary(kind):
        return "text"
    return "time" if types.is_timestamp(kind) else "other"


def as_texts(column: Any) -> Any:
    """Return classes as texts: 1, 1.0 and "1" are the same class.

    >>> import pyarrow as pa
    >>> as_texts(pa.chunked_array([[1.0, None, 0.5]])).to_pylist()
    ['1', None, '0.5']
    """
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    if held_by(column) == "text":
        return column.cast(pa.string())
    whole: Any = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    if isinstance(whole, pa.ChunkedArray):  # of no chunk, or of several
        return cast("Any", pa).array([_text(v) for v in column.to_pylist()], pa.string())
    coded = whole.dictionary_encode()
    words = [_text(value) for value in coded.dictionary.to_pylist()]
    made = cast("Any", pa).DictionaryArray.from_arrays(coded.indices, pa.array(words, pa.string()))
    return made.cast(pa.string())


def _text(value: Any) -> str | None:
    if value is None or value != value:  # noqa: PLR0124 - a NaN
        return None
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def target_of(roles: Roles, head: Any, task: str | None) -> Target | None:
    """Return what is predicted, told from the first rows.

    There are classes where there are scores, texts, or at most ten distinct whole numbers.

    Args:
        roles: of the columns.
        head: some rows, with labels among them.
        task: "binary", "multiclass" or "regression"; None to tell it.
    """
    names = [n for n in (roles.label, roles.output) if n is not None and n in head.column_names]
    if (roles.output is None and not roles.scores) or not names:
        return None
    if task == "regression" or (task is None and not _of_classes(roles, head, names)):
        return Target(task="regression") if roles.output is not None else None
    found: set[str] = set()
    for name in names:
        texts = as_texts(head.column(name)).unique().to_pylist()
        found |= {text for text in texts if text is not None}
    classes = tuple(sorted(found, key=_order))
    if len(classes) < _TWO:
        return None
    kind = task or ("binary" if len(classes) == _TWO else "multiclass")
    return Target(task=kind, classes=classes)


def _of_classes(roles: Roles, head: Any, names: Sequence[str]) -> bool:
    if roles.scores or any(held_by(head.column(name)) == "text" for name in names):
        return True
    for name in names:
        distinct = np.unique(numbers(head.column(name)))
        distinct = distinct[~np.isnan(distinct)]
        if len(distinct) > _CLASSES or (distinct != np.floor(distinct)).any():
            return False
    return True


def _order(text: str) -> tuple[int, float, str]:
    """Order numbers by value, before texts."""
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text


def metrics_for(target: Target, *, scores: bool) -> tuple[Metric, ...]:
    """Return the usual metrics of what is predicted; without scores those that need none."""
    if not target.classes or scores:
        return default_metrics(target.task)
    names = _USUAL if target.task == "binary" else ("accuracy", "balanced_accuracy")
    return tuple(by_name(name) for name in names)
