"""Rules inferred from a reference, and data held to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from ratoon.core.errors import BatchEmpty, SettingInvalid
from ratoon.windows.rules.checks import columns, doubts, rows, too_many
from ratoon.windows.rules.data import Dataset, Mask, grouped
from ratoon.windows.rules.found import Case, Findings, ordered
from ratoon.windows.rules.infer import described
from ratoon.windows.rules.labels import labels
from ratoon.windows.rules.schema import schema
from ratoon.windows.rules.times import too_few
from ratoon.windows.rules.values import ColumnRule, DataRules, Tolerances


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inferred:
    """Rules, and what is odd about the reference that they were inferred from."""

    rules: DataRules
    findings: Findings


def infer(
    reference: Dataset,
    *,
    entity: str | None = None,
    tolerances: Tolerances | None = None,
    version: int = 1,
) -> Inferred:
    """Infer rules from a reference: data that a model was trained on and that is known to be good.

    The reference is held to its own rules too: a leak that it has, or a batch that is unlike the
    others, is told here. It is then taken as usual.

    Args:
        reference: labelled rows in the order in which they came, a few hundred at least.
        entity: the column that names whom a row is about; no such name may stand both among the
            rows to train on and those held out.
        tolerances: how far data may be from the reference.
        version: the number of the rules.

    Raises:
        BatchEmpty: without rows.
        SettingInvalid: where `entity` is no column.

    >>> from ratoon.windows.intake import read_rows
    >>> made = infer(Dataset(rows=read_rows({"age": [float(age) for age in range(20, 70)]})))
    >>> made.rules.columns[0].quantiles
    (24.0, 32.0, 44.0, 57.0, 64.0)
    """
    if not len(reference):
        raise BatchEmpty("the reference")
    if entity is not None and entity not in reference.rows.columns:
        raise SettingInvalid("entity", f"one of the columns {list(reference.rows.columns)}", entity)
    bare = described(reference, entity=entity, version=version)
    rules = replace(bare, tolerances=tolerances or Tolerances())
    found = check(rules, reference)
    told = [one for one in found.found if one.severity == "fail" or not one.batches]
    odd = doubts(_case(rules, reference))
    return Inferred(rules=rules, findings=replace(found, found=(*told, *odd)))


def renewed(rules: DataRules, reference: Dataset) -> Inferred:
    """Infer rules anew, as the next version, and keep all that a person said in `rules`."""
    made = infer(
        reference, entity=rules.entity, tolerances=rules.tolerances, version=rules.version + 1
    )
    kept = tuple(_kept(column, rules.named.get(column.name)) for column in made.rules.columns)
    said = replace(made.rules, columns=kept, severity=rules.severity)
    return Inferred(rules=said, findings=made.findings)


def check(
    rules: DataRules,
    data: Dataset,
    *,
    now: datetime | None = None,
    released: Mask | None = None,
) -> Findings:
    """Hold data to rules: what breaks them, in which batch, and which rows to set aside.

    A fault is looked for in every batch and in all rows together. The rows of a batch that fails
    are set aside and the others may be trained on, unless too few are left, more than half of them
    are gone, or the fault is in all.

    Args:
        rules: from `infer` or `from_text`.
        data: rows to train on, held-out ones among them.
        now: what no event may be later than.
        released: (n,) rows that a person has looked at and let go of: what is found in them is
            told, but they are not set aside, and do not count among those that are too many.

    Raises:
        BatchEmpty: without rows.

    >>> from ratoon.windows.intake import read_rows
    >>> ages = Dataset(rows=read_rows({"age": [float(20 + i % 50) for i in range(1000)]}))
    >>> wrong = Dataset(rows=read_rows({"age": [1000.0 * (20 + i % 50) for i in range(1000)]}))
    >>> print(check(infer(ages).rules, ages).summary())
    All 1,000 rows may be trained on.
    >>> check(infer(ages).rules, wrong).found[0].rule
    'units'
    """
    if not len(data):
        raise BatchEmpty("the data to check")
    case = _case(rules, data)
    breaches = [*schema(case), *columns(case), *labels(case), *rows(case, now)]
    aside, left_out = np.zeros(len(data), dtype=bool), np.zeros(len(data), dtype=bool)
    for breach in breaches:
        if breach.aside is not None:
            gone = aside if breach.lasts else left_out
            gone |= breach.aside
    if released is not None:
        aside &= ~released
    left_out &= ~aside
    breaches += [*too_many(case, aside), *too_few(case, ~aside & ~left_out)]
    return Findings(
        found=ordered(breaches),
        quarantine=aside,
        left_out=left_out,
        blocked=any(breach.blocks for breach in breaches),
        version=rules.version,
        digest=rules.digest,
    )


def _case(rules: DataRules, data: Dataset) -> Case:
    least = rules.tolerances.batch_rows
    groups = grouped(len(data), data.batches, least)
    if data.label_batches is None:
        return Case(rules=rules, data=data, groups=groups, label_groups=groups)
    label_groups = grouped(len(data), data.label_batches, least)
    return Case(rules=rules, data=data, groups=groups, label_groups=label_groups)


def _kept(new: ColumnRule, old: ColumnRule | None) -> ColumnRule:
    """Return a column inferred anew with what a person said of it."""
    if old is None:
        return new
    return replace(
        new,
        nulls_most=old.nulls_most,
        at_least=old.at_least,
        at_most=old.at_most,
        new_most=old.new_most,
        skip=old.skip,
    )
