"""Checks of labels against those of the reference: classes and how common they are."""

from __future__ import annotations

import numpy as np

from ratoon.windows.judged import Floats, Scalar
from ratoon.windows.rules.chance import log_excess
from ratoon.windows.rules.columns import in_order, view
from ratoon.windows.rules.data import Groups, Mask, Places
from ratoon.windows.rules.found import Breach, Case, Judgement, Told, number, percent, told
from ratoon.windows.rules.gaps import rowwise
from ratoon.windows.rules.numbers import numbers
from ratoon.windows.rules.sentinels import is_sentinel
from ratoon.windows.rules.values import ClassRule, ColumnRule, LabelRule

_GONE = 0.02  # of its usual share: so rare is a class that has disappeared
_ODDS = 100.0  # times the odds of a class, from which drift is no explanation
_HALF = 0.5


def labels(case: Case) -> list[Breach]:
    """Check classes, or the numbers of a regression."""
    rule, data = case.rules.label, case.data
    if rule is None or data.labels is None or data.target is None:
        return []
    if data.target.task == "regression" or rule.task == "regression":
        if data.target.task != rule.task:
            return _other_task(case, rule, data.target.task)
        return _numbers(case, rule, data.labels)
    return _classes(case, rule, data.labels, data.target.classes)


def _other_task(case: Case, rule: LabelRule, task: str) -> list[Breach]:
    every = np.ones(len(case.data), dtype=bool)
    words = Told(
        message="the labels are of another task", expected=rule.task, found=f"{task} labels"
    )
    return rowwise(case, case.label_groups, "label", None, every, words)


def _classes(
    case: Case, rule: LabelRule, codes: Floats, classes: tuple[Scalar, ...]
) -> list[Breach]:
    groups = case.label_groups
    there = ~np.isnan(codes)
    rows = groups.count(there)
    found: list[Breach] = []
    place: dict[tuple[type, Scalar], int] = {(type(c), c): i for i, c in enumerate(classes)}
    for one in rule.classes:
        code = place.pop((type(one.value), one.value), None)
        here = np.zeros(len(codes), dtype=bool) if code is None else codes == code
        count = groups.count(here)
        found += _gone(case, rule, one, count, rows) or _rate(case, rule, one, count, rows)
    for (_, value), code in place.items():
        here = codes == code
        if here.any():
            found += _new(case, rule, value, here, rows)
    return found


def _gone(case: Case, rule: LabelRule, one: ClassRule, count: Places, rows: Places) -> list[Breach]:
    """Find where a class is missing that should be there.

    That fails where the class had a share of the reference that counts, and chance does not
    explain it, with labels coming in runs as they do in the reference.
    """
    groups, usual = case.label_groups, one.rows / rule.rows
    chance = log_excess(rows - count, rows, rule.rows - one.rows, rule.rows) / one.effect
    gone = count <= _GONE * usual * rows
    at = Judgement(
        fails=gone & (usual >= case.rules.tolerances.class_share),
        warns=gone,
        significant=chance <= case.log_alpha(groups),
        size=rows.astype(np.float64),
    )

    def tell(group: int) -> Told:
        return Told(
            message=f"class {one.value!r} has disappeared",
            expected=f"{percent(usual)} of the labels",
            found=f"{int(count[group])} of {int(rows[group]):,}",
        )

    return told(case, groups, "classes", None, at=at, tell=tell)


def _rate(case: Case, rule: LabelRule, one: ClassRule, count: Places, rows: Places) -> list[Breach]:
    """Compare the share of a class with the reference's; drift moves it, so it mostly warns."""
    groups, usual = case.label_groups, one.rows / rule.rows
    share = count / np.maximum(rows, 1)
    more = log_excess(count, rows, one.rows, rule.rows)
    fewer = log_excess(rows - count, rows, rule.rows - one.rows, rule.rows)
    moved = np.abs(share - usual)
    odds = (count + 1) * (rule.rows - one.rows + 1) / ((rows - count + 1) * (one.rows + 1))
    at = Judgement(
        fails=(moved >= _HALF) & (np.abs(np.log(odds)) >= np.log(_ODDS)),
        warns=moved >= case.rules.tolerances.label_warn,
        significant=np.minimum(more, fewer) / one.effect <= case.log_alpha(groups),
        size=moved,
    )

    def tell(group: int) -> Told:
        return Told(
            message=f"{percent(share[group])} of the labels are {one.value!r}",
            expected=f"{percent(usual)} {one.value!r}",
            found=f"{percent(share[group])} {one.value!r}",
        )

    return told(case, groups, "label", None, at=at, tell=tell)


def _new(case: Case, rule: LabelRule, value: Scalar, here: Mask, rows: Places) -> list[Breach]:
    """Tell of a class that the reference does not have.

    It fails where it looks like a stand-in for a missing label, is a known class in another
    spelling, or is most of the labels: another file.
    """
    groups = case.label_groups
    why, expected = _not_a_class(rule, value), f"one of {_listed(rule)}"
    message = f"class {value!r} is new{why}"
    if why:
        words = Told(message=message, expected=expected, found=repr(value))
        return rowwise(case, groups, "classes", None, here, words)
    count = groups.count(here)
    share = count / np.maximum(rows, 1)
    some = count > 0
    at = Judgement(fails=share >= _HALF, warns=some, significant=some, size=share, rows=here)

    def tell(group: int) -> Told:
        found = f"{percent(share[group])} {value!r}"
        return Told(message=message, expected=expected, found=found)

    return told(case, groups, "classes", None, at=at, tell=tell)


def _not_a_class(rule: LabelRule, value: Scalar) -> str:
    if is_sentinel(str(value)):
        return " and looks like a stand-in for a missing label"
    plain = str(value).strip().casefold()
    known = [one.value for one in rule.classes if str(one.value).strip().casefold() == plain]
    return f" and is {known[0]!r} in another spelling" if known else ""


def _numbers(case: Case, rule: LabelRule, values: Floats) -> list[Breach]:
    """Check the numbers of a regression as those of a column, and where their middle lies."""
    assert rule.values is not None
    case = _of_labels(case)
    column, seen = rule.values, view("label", "number", values)
    ordered = in_order(case.groups, values)
    none = np.zeros(len(case.groups.sizes), dtype=bool)
    found = numbers(case, column, seen, ordered, none)
    return found or _middle(case, column, ordered.quantiles(), ordered.present)


def _of_labels(case: Case) -> Case:
    """Return the case with the batches of the labels."""
    groups: Groups = case.label_groups
    return Case(rules=case.rules, data=case.data, groups=groups, label_groups=groups)


def _middle(case: Case, column: ColumnRule, quantiles: Floats, present: Places) -> list[Breach]:
    if not column.quantiles or not column.spread:
        return []
    middle = quantiles[:, len(column.quantiles) // 2]
    usual = column.quantiles[len(column.quantiles) // 2]
    moved = np.nan_to_num(np.abs(middle - usual)) / column.spread
    enough = present >= 50  # noqa: PLR2004 - fewer have no middle to speak of
    at = Judgement(
        fails=np.zeros(len(moved), dtype=bool),
        warns=moved >= case.rules.tolerances.label_shift,
        significant=enough,
        size=moved,
    )

    def tell(group: int) -> Told:
        return Told(
            message=f"the median label is {number(middle[group])}",
            expected=f"a median about {number(usual)}",
            found=f"a median of {number(middle[group])}",
        )

    return told(case, case.groups, "label", None, at=at, tell=tell)


def _listed(rule: LabelRule) -> str:
    names = ", ".join(repr(one.value) for one in rule.classes[:5])
    return f"{names}, …" if len(rule.classes) > 5 else names  # noqa: PLR2004 - as above
