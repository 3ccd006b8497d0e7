"""Checks that any column gets: missing values, infinite ones, and one value alone."""

from __future__ import annotations

import numpy as np

from ratoon.windows.judged import Floats
from ratoon.windows.rules.chance import log_above, log_excess
from ratoon.windows.rules.columns import Sorted, View
from ratoon.windows.rules.data import Groups, Mask
from ratoon.windows.rules.found import Breach, Case, Finding, Judgement, Told, kept, percent, told
from ratoon.windows.rules.values import ColumnRule

_PRESENT = 50  # values that a group has at least, to be called constant
_FEW = 0.05  # share of the commonest value, above which a column has few values


def nulls(case: Case, column: ColumnRule, seen: View) -> list[Breach]:
    """Compare the share of missing values with the reference's, or with a person's limit."""
    groups, tolerances = case.groups, case.rules.tolerances
    found, rows = groups.count(seen.gone), groups.sizes
    share, before = found / rows, column.nulls / case.rules.rows
    if column.nulls_most is not None:
        chance = log_above(found, rows, column.nulls_most)
        # A limit that a person set is kept to, without a margin; one row cannot break it.
        fails = share > column.nulls_most
        most, said = column.nulls_most, "as the rules say"
    else:
        chance = log_excess(found, rows, column.nulls, case.rules.rows) / column.nulls_effect
        fails = share - before >= tolerances.nulls_fail
        most, said = before, "in the reference"
    at = Judgement(
        fails=fails,
        warns=share - before >= tolerances.nulls_warn,
        significant=chance <= case.log_alpha(groups),
        size=share,
        rows=seen.gone,
    )

    def tell(group: int) -> Told:
        return Told(
            message=f"{percent(share[group])} of {column.name!r} is missing",
            expected=f"{percent(most)} missing {said}",
            found=f"{percent(share[group])} missing",
        )

    return told(case, groups, "nulls", column.name, at=at, tell=tell)


def infinite(case: Case, column: str, bad: Mask) -> list[Breach]:
    """Set aside rows with infinite numbers: no model can be trained on them."""
    return rowwise(
        case,
        case.groups,
        "infinite",
        column,
        bad,
        Told(
            message=f"{column!r} is infinite", expected="finite numbers", found="infinite numbers"
        ),
    )


def rowwise(
    case: Case, groups: Groups, rule: str, column: str | None, bad: Mask, words: Told
) -> list[Breach]:
    """Return the breach of a rule that a single row can break.

    The rows are set aside; where they are 5 % of a batch (`far_fail`) the batch is at fault, and
    is set aside whole.
    """
    level = case.level(rule, column)
    if level == "off" or not bad.any():
        return []
    count = int(bad.sum())
    share = groups.count(bad) / groups.sizes
    at_fault = share[:-1] >= case.rules.tolerances.far_fail
    worst = np.argsort(-share[:-1], kind="stable")[: min(20, int((share[:-1] > 0).sum()))]
    finding = Finding(
        rule=rule,
        severity=level,
        column=column,
        message=f"{words.message} in {count:,} row{'s' if count > 1 else ''}",
        expected=words.expected,
        found=words.found,
        batches=tuple(groups.name(int(group)) for group in worst),
        rows=kept(bad),
        count=count,
    )
    aside = bad | groups.rows_of(at_fault) if level == "fail" else None
    return [Breach(finding=finding, aside=aside)]


def constant(case: Case, column: ColumnRule, same: Mask, present: Floats) -> list[Breach]:
    """Tell of columns that hold one value alone, where the reference had others too.

    Args:
        case: the rules and the data.
        column: the rule of the column.
        same: (G + 1,) whether all values of a group are one.
        present: (G + 1,) how many values a group has.
    """
    known = case.rules.rows - column.nulls
    chance = log_excess(present, present, column.commonest, known)
    # A column with few values, such as a month, is constant in many a batch; a sensor is not.
    many = column.commonest <= _FEW * max(known, 1)
    enough = same & (present >= _PRESENT) & many
    enough[-1] = same[-1] and present[-1] >= _PRESENT
    at = Judgement(
        fails=np.zeros(len(same), dtype=bool),
        warns=enough,
        significant=chance <= case.log_alpha(case.groups),
        size=present,
    )

    def tell(_: int) -> Told:
        return Told(
            message=f"{column.name!r} has one value alone",
            expected=f"{percent(column.commonest / max(known, 1))} with the commonest value",
            found="one value",
        )

    return told(case, case.groups, "constant", column.name, at=at, tell=tell)


def one_value(ordered: Sorted) -> Mask:
    """Tell in which groups all sampled numbers are one."""
    values, present = ordered.values, ordered.present
    last = np.take_along_axis(values, np.maximum(present - 1, 0)[:, None], axis=1)[:, 0]
    return (present > 0) & (values[:, 0] == last)
