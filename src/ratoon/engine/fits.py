"""The fits of a run: what each of them is trained on, and which choice of rows is the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from ratoon.core.deciding import RowChoice, SnapshotPlan
from ratoon.core.errors import DataUnfit
from ratoon.core.measuring import RowRange
from ratoon.core.schema import Schema
from ratoon.engine import steps
from ratoon.engine.pinning import only, taken
from ratoon.stores.protocol import LabelledRows
from ratoon.windows.choices import best
from ratoon.windows.choices_own import Choose, TrainableRows, chosen
from ratoon.windows.judged import Floats, Target
from ratoon.windows.rows import Array
from ratoon.windows.snapshot import DatasetSnapshot, as_array
from ratoon.windows.weights import effective


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A fit to be done: one of the plan's choices, on its rows before a block."""

    number: int  # of the choice
    choice: RowChoice
    block: RowRange | None = None  # what it is measured on; None: its model is the run's


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """A fit that was begun."""

    task: Task
    snapshot: DatasetSnapshot
    ordinals: Array  # of its rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Winner:
    """The choice that was taken."""

    number: int
    why: str  # in words, with the losses of all
    losses: tuple[float | None, ...]  # mean loss of each choice; None where it was left out


@dataclass(slots=True, kw_only=True, eq=False)
class Work:
    """How far the fits of a run are."""

    plan: SnapshotPlan
    fits: list[Fit] = field(default_factory=list[Fit])
    models: list[Any] = field(default_factory=list[Any])  # of the fits that ended
    left_out: dict[int, str] = field(default_factory=dict[int, str])  # choices, and why
    final: int | None = None  # the fit whose model is the run's; None until that is decided
    log: str | None = None  # of the last training that failed
    winner: Winner | None = None

    def leave_out(self, number: int, why: str) -> None:
        """Do without a choice; the first reason stays."""
        self.left_out.setdefault(number, why)


def choices_of(plan: SnapshotPlan) -> tuple[RowChoice, ...]:
    """Return what there is to choose among; a plan without choices has its rows as the only one."""
    return plan.choices or (RowChoice(rows=plan.train, rule=plan.rule),)


def tasks(plan: SnapshotPlan) -> list[Task]:
    """Return the fits that a plan begins with, those of one choice in order of time."""
    if not plan.blocks:
        return [Task(number=0, choice=choices_of(plan)[0])]
    return [
        Task(number=number, choice=replace(choice, rows=rows), block=block)
        for number, choice in enumerate(plan.choices)
        for rows, block in zip(choice.folds, plan.blocks, strict=True)
    ]


def pinnable(plan: SnapshotPlan, task: Task) -> bool:
    """Tell whether the model of a fit may become the run's."""
    return task.block is None or (not plan.refit and task.block == plan.blocks[-1])


class Collector:
    """Makes snapshots of labelled rows, which are read once."""

    def __init__(
        self, found: LabelledRows, schema: Schema, functions: Mapping[str, Choose]
    ) -> None:
        """Hold the rows that may be trained on."""
        self._schema = schema
        self._functions = functions
        self._found = found

    def fit(self, plan: SnapshotPlan, task: Task, target: Target) -> Fit:
        """Return a fit with its snapshot; rows that are not for training raise `DataUnfit`."""
        found = only(self._found, (task.choice.rows,))
        if not len(found.ordinals):
            raise DataUnfit(f"none of rows {_span(task.choice.rows)} may be trained on")
        choice = replace(task.choice, folds=())
        if choice.function is not None:
            positions, choice = chosen(choice, self._offered(found, plan), self._functions)
            mask = np.zeros(len(found.ordinals), dtype=bool)
            mask[positions] = True
            found = taken(found, mask)
        own = replace(
            plan,
            train=choice.rows,
            choices=(choice,) if plan.choices else (),
            rule=choice.rule,
        )
        snapshot = steps.collect(found, self._schema, target, own)
        return Fit(task=task, snapshot=snapshot, ordinals=found.ordinals)

    def _offered(self, found: LabelledRows, plan: SnapshotPlan) -> TrainableRows:
        """Return rows for a person's function to look at."""
        columns = {n: _locked(found.columns[f"feature:{n}"]) for n in self._schema.names}
        return TrainableRows(
            times=_locked(found.columns["time"]),
            columns=MappingProxyType(columns),
            labels=_locked(as_array(found.values)),
            ordinals=_locked(found.ordinals),
            since=plan.since,
            since_row=plan.since_row,
        )


def hull(ranges: Sequence[RowRange]) -> RowRange:
    """Return the rows from the first to the last of some ranges."""
    return RowRange(start=min(r.start for r in ranges), stop=max(r.stop for r in ranges))


def decide(work: Work, losses: Mapping[int, Floats]) -> Winner:
    """Choose among the choices whose losses are known, and say why."""
    plan, numbers = work.plan, sorted(losses)
    rows = {f.task.number: effective(len(f.snapshot), f.snapshot.weights) for f in work.fits}
    place = best([losses[n] for n in numbers], [rows[n] for n in numbers], sure=plan.sure)
    means = tuple(
        float(losses[n].mean()) if n in losses else None for n in range(len(plan.choices))
    )
    return Winner(
        number=numbers[place],
        why=_why(work, means, plan.choices[numbers[place]]),
        losses=means,
    )


def _why(work: Work, means: Sequence[float | None], chose: RowChoice) -> str:
    """Say which choice was taken, and the losses of all of them."""
    plan = work.plan
    assert plan.chosen_on is not None  # losses are of rows to choose on
    each = [
        f"{choice.rule}: left out, {work.left_out[n]}"
        if mean is None
        else f"{choice.rule}: {mean:.4g}"
        for n, (choice, mean) in enumerate(zip(plan.choices, means, strict=True))
    ]
    sure = f"; fewer rows must be better by {plan.sure:g} standard errors" if plan.sure else ""
    return (
        f"chose {chose.rule}, rows {_span(chose.rows)}; mean loss on rows "
        f"{_span(plan.chosen_on)}: {', '.join(each)}{sure}"
    )


def _span(rows: RowRange) -> str:
    return f"{rows.start} to {rows.stop}"


def _locked(column: Array) -> Array:
    """Return a column that cannot be changed."""
    view = column.view()
    view.flags.writeable = False
    return view
