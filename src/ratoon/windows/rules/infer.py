"""Data rules from a reference: what it is like, column by column."""

from __future__ import annotations

import numpy as np

from ratoon.core.schema import Column
from ratoon.windows.judged import Floats, Target
from ratoon.windows.rules.chance import design_effect
from ratoon.windows.rules.columns import View, at_levels, view
from ratoon.windows.rules.data import Dataset, grouped
from ratoon.windows.rules.leak import association, telling
from ratoon.windows.rules.repeats import hashes, repeats
from ratoon.windows.rules.sentinels import is_sentinel, usual_numbers
from ratoon.windows.rules.times import microseconds
from ratoon.windows.rules.values import (
    CATEGORIES,
    KEPT_OPEN,
    ClassRule,
    ColumnRule,
    DataRules,
    LabelRule,
    Usual,
)

_PIECE = 50  # rows of a piece of the reference, at least
_SORTED = 100_000  # rows of which an association is measured


def described(data: Dataset, *, entity: str | None, version: int) -> DataRules:
    """Return the rules that a reference makes."""
    views = [view(c.name, c.kind, data.rows.columns[c.name]) for c in data.rows.schema.columns]
    again = repeats(hashes(views, data.labels, len(data)), grouped(len(data), None, _PIECE))
    times = None if data.times is None else microseconds(data.times)
    known = times is not None and not np.isnan(times).all()
    return DataRules(
        version=version,
        rows=len(data),
        columns=tuple(
            _column(data, column, seen)
            for column, seen in zip(data.rows.schema.columns, views, strict=True)
        ),
        label=_label(data),
        starts=float(np.nanmin(times)) if times is not None and known else None,
        ends=float(np.nanmax(times)) if times is not None and known else None,
        repeated_most=round(float(again.share.max()), 4),
        copied_most=round(float(again.copied.max()), 4),
        entity=entity,
    )


def _column(data: Dataset, column: Column, seen: View) -> ColumnRule:
    told = _associated(data, seen)
    if seen.codes is not None:
        return _texts(column, seen, told)
    assert seen.numbers is not None
    return _numbers(column, seen, seen.numbers, told)


def _numbers(column: Column, seen: View, numbers: Floats, told: float | None) -> ColumnRule:
    present = np.sort(numbers[~np.isnan(numbers)])
    bare = ColumnRule(
        name=column.name,
        kind=column.kind,
        nulls=int(seen.gone.sum()),
        nulls_effect=design_effect(seen.gone),
        association=told,
    )
    if not len(present):
        return bare
    levels = at_levels(present[None, :], np.array([len(present)]))[0].tolist()
    return ColumnRule(
        name=bare.name,
        kind=bare.kind,
        nulls=bare.nulls,
        nulls_effect=bare.nulls_effect,
        least=float(present[0]),
        most=float(present[-1]),
        quantiles=tuple(levels if column.kind == "time" else (_short(q) for q in levels)),
        commonest=_commonest(present),
        usual=usual_numbers(column.kind, present),
        association=told,
    )


def _texts(column: Column, seen: View, told: float | None) -> ColumnRule:
    assert seen.codes is not None
    counts = np.bincount(seen.codes[seen.codes >= 0], minlength=len(seen.texts)).tolist()
    by_count = sorted(zip(seen.texts, counts, strict=True), key=lambda one: (-one[1], one[0]))
    kept = by_count[: CATEGORIES if len(by_count) <= CATEGORIES else KEPT_OPEN]
    return ColumnRule(
        name=column.name,
        kind=column.kind,
        nulls=int(seen.gone.sum()),
        nulls_effect=design_effect(seen.gone),
        commonest=by_count[0][1] if by_count else 0,
        usual=tuple(Usual(value=t, rows=n) for t, n in by_count if is_sentinel(t)),
        distinct=len(by_count),
        singles=sum(count == 1 for count in counts),
        categories=tuple(Usual(value=text, rows=rows) for text, rows in kept),
        association=told,
    )


def _short(value: float) -> float:
    """Return a number with six digits, as a person reads it."""
    return float(f"{value:.6g}")


def _commonest(present: Floats) -> int:
    """Return how often the commonest of sorted numbers stands there."""
    ends = np.flatnonzero(np.append(present[1:] != present[:-1], True))
    return int(np.diff(ends, prepend=-1).max())


def _associated(data: Dataset, seen: View) -> float | None:
    """Return how well a feature tells the label; None where the labels do not vary enough."""
    if data.labels is None or data.target is None or _is_constant(seen):
        return None
    step = -(-len(data) // _SORTED)
    labels = data.labels[::step][None, :]
    if not telling(labels, data.target.task).any():
        return None
    values: Floats
    if seen.codes is not None:
        codes = seen.codes[::step].astype(np.float64)
        values = np.where(codes >= 0, codes, np.nan)
    else:
        assert seen.numbers is not None
        values = seen.numbers[::step]
    texts = seen.codes is not None
    found = association(values[None, :], labels, data.target.task, texts=texts)
    return round(float(found[0]), 4)


def _is_constant(seen: View) -> bool:
    if seen.codes is not None:
        return len(seen.texts) < 2 and not seen.gone.any()  # noqa: PLR2004 - one value
    assert seen.numbers is not None
    return bool((seen.numbers == seen.numbers[0]).all())


def _label(data: Dataset) -> LabelRule | None:
    labels, target = data.labels, data.target
    if labels is None or target is None:
        return None
    there = ~np.isnan(labels)
    rows = int(there.sum())
    if not rows:
        return None
    if target.task == "regression":
        seen = view("label", "number", labels)
        values = _numbers(Column(name="label", kind="number"), seen, labels, None)
        return LabelRule(task=target.task, rows=rows, values=values)
    return LabelRule(task=target.task, rows=rows, classes=_classes(target, labels[there]))


def _classes(target: Target, codes: Floats) -> tuple[ClassRule, ...]:
    found = [(value, codes == code) for code, value in enumerate(target.classes)]
    return tuple(
        ClassRule(value=value, rows=int(here.sum()), effect=design_effect(here))
        for value, here in found
    )
