"""Which column of two logs is what, and what is predicted, told from their first rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pyarrow as pa

from ratoon.metrics.protocol import Metric
from ratoon.monitors.collecting import mergeable
from ratoon.monitors.layout import Layout, held_by, metrics_for, target_of
from ratoon.monitors.roles import Held, Roles, listed, role_by_name, roles_of

Table = Any

_UNIQUE = 0.5  # share of distinct texts from which on a column is an id, or free text
_TOLD_APART = 200  # rows without which that is not told


def layout_of(
    before: Table, after: Table, told: Roles, task: str | None, metrics: Sequence[Metric] | None
) -> tuple[Layout, list[str]]:
    """Tell what the columns are, and what was guessed, by the first rows of both sides.

    Args:
        before: the first rows of the reference.
        after: those of the log.
        told: what is known already.
        task: as of `ratoon.engine.Monitor`.
        metrics: to measure by; None for the usual ones.
    """
    kinds, notes = _kinds(before, after, told)
    roles, guessed = roles_of(kinds, told)
    target = target_of(roles, _headed(roles, before, after), task)
    coded = tuple(name for name in (roles.label, roles.output) if name is not None)
    if target is None or not target.classes:
        coded = ()
    kinds.update(dict.fromkeys(coded, "text"))
    read = [*roles.watched, *([roles.time] if roles.time is not None else [])]
    layout = Layout(
        roles=roles, kinds={name: kinds[name] for name in read}, target=target, coded=coded
    )
    said: list[str] = []
    if target is not None:
        layout, said = _with_scores(layout, before, after, metrics)
    return layout, [*notes, *guessed, *said]


def _names(table: Table) -> list[str]:
    return table.column_names


def _kinds(before: Table, after: Table, told: Roles) -> tuple[dict[str, Held], list[str]]:
    """Return what the columns hold that both sides have, or that one side may have alone.

    Labels may be in one of them, times and answers in the log alone.
    """
    kinds: dict[str, Held] = {n: held_by(before.column(n)) for n in _names(before)}
    notes: list[str] = []
    named = {told.label, told.output, told.time, told.id, *told.scores}
    for name in _names(after):
        kind = held_by(after.column(name))
        if name not in kinds or _empty(before.column(name)):
            kinds[name] = kind
            if name not in named and role_by_name(name, kind) is None:
                kinds.pop(name)
                notes.append(f"Column {name!r} is not watched: the reference has no value of it.")
    lacking = [n for n in _names(before) if n not in after.column_names and n in kinds]
    kept = {told.label, *(n for n in lacking if role_by_name(n, kinds[n]) == "label")}
    gone = [name for name in lacking if name not in kept]
    watched = [name for name in gone if kinds[name] in ("number", "text")]
    if watched:
        notes.append(f"The log lacks columns that the reference has: {listed(watched)}.")
    same = _same_in_all(before, kinds, told)
    if same:
        notes.append(f"Ids or free texts, and not watched: {listed(same)}.")
    return {n: kind for n, kind in kinds.items() if n not in gone and n not in same}, notes


def _empty(column: Any) -> bool:
    return bool(cast("Any", pa.types).is_null(column.type))


def _same_in_all(before: Table, kinds: Mapping[str, Held], told: Roles) -> list[str]:
    """Name the columns that hardly repeat a text, or only count the rows."""
    named = {told.label, told.output, told.time, told.id, *told.scores, *told.features}
    found: list[str] = []
    if before.num_rows < _TOLD_APART:
        return found
    for name, kind in kinds.items():
        if name in named or name not in before.column_names:
            continue
        column = before.column(name)
        if kind == "text" and len(column.unique()) > _UNIQUE * before.num_rows:
            found.append(name)
        if kind == "number" and cast("Any", pa.types).is_integer(column.type):
            values = column.to_numpy()
            if not column.null_count and (np.diff(values) > 0).all():
                found.append(name)
    return found


def _headed(roles: Roles, before: Table, after: Table) -> Table:
    """Return the first rows with labels in them: those of the reference, or of the log."""
    label = roles.label
    if label in before.column_names and before.column(label).null_count < before.num_rows:
        return before
    return after


def _with_scores(
    layout: Layout, before: Table, after: Table, metrics: Sequence[Metric] | None
) -> tuple[Layout, list[str]]:
    """Add the metrics; scores that are no probabilities are watched, and not measured."""
    target, notes = layout.target, list[str]()
    if target is None:
        return layout, notes
    roles = layout.roles
    usable = bool(roles.scores) and bool(target.classes)
    wrong = usable and len(roles.scores) not in (len(target.classes), 3 - len(target.classes))
    for name in roles.scores:
        side = before if name in before.column_names else after
        values = side.column(name).to_numpy()
        values = values[np.isfinite(values)]
        wrong = wrong or (len(values) > 0 and (values.min() < 0 or values.max() > 1))
    if usable and wrong:
        notes.append("The scores are not one probability for each class: they are watched alone.")
        usable = False
    if usable and len(roles.scores) > 1:
        classes = listed([str(c) for c in target.classes])
        notes.append(f"The scores are taken as those of the classes {classes}, in this order.")
    if not usable and roles.output is None:
        return replace(layout, target=None, coded=()), notes
    chosen = tuple(metrics) if metrics is not None else metrics_for(target, scores=usable)
    if not usable:
        layout = replace(layout, unscored=True)
    if len(mergeable(chosen)) < len(chosen):
        notes.append("Metrics that need all rows at once are measured on samples of the windows.")
    return replace(layout, metrics=chosen), notes
