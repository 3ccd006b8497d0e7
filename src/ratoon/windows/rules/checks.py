"""Every rule in turn, over columns that are looked at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from ratoon.windows.judged import Floats
from ratoon.windows.rows import Array
from ratoon.windows.rules.columns import Sorted, View, in_order, view
from ratoon.windows.rules.data import Mask
from ratoon.windows.rules.found import Breach, Case, Finding, failing, percent
from ratoon.windows.rules.gaps import constant, infinite, nulls, one_value
from ratoon.windows.rules.leak import leaks
from ratoon.windows.rules.numbers import numbers
from ratoon.windows.rules.repeats import duplicates, hashes, ids
from ratoon.windows.rules.schema import comparable
from ratoon.windows.rules.sentinels import in_texts, odd_end
from ratoon.windows.rules.texts import categories
from ratoon.windows.rules.texts import swapped as swapped_texts
from ratoon.windows.rules.times import entities, moment, split, time_travel
from ratoon.windows.rules.units import swapped
from ratoon.windows.rules.values import LEVELS, ColumnRule


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Column:
    """A column, its rule, and its numbers in order."""

    rule: ColumnRule
    seen: View
    ordered: Sorted | None
    quantiles: Floats | None


def columns(case: Case) -> list[Breach]:
    """Check every column that is as the reference has it, and the columns against each other."""
    looked = [
        _look(case, rule, case.data.rows.columns[rule.name])
        for rule in case.rules.columns
        if rule.name in case.data.rows.columns
        and comparable(rule, case.data.rows.columns[rule.name])
    ]
    found = [breach for one in looked for breach in _alone(case, one)]
    exchanged = _exchanged(case, looked)
    explained = failing(case.groups, exchanged)
    for one in looked:
        if one.ordered is not None and one.rule.kind != "boolean":
            found += numbers(case, one.rule, one.seen, one.ordered, explained)
    views = [one.seen for one in looked]
    rows = hashes(views, case.data.labels, len(case.data)) if views else None
    repeats = [] if rows is None else duplicates(case, rows)
    return [*found, *exchanged, *repeats]


def rows(case: Case, now: datetime | None) -> list[Breach]:
    """Check ids, times, and the two sides of the split."""
    return [*ids(case), *time_travel(case, now), *split(case), *entities(case, _entities(case))]


def too_many(case: Case, aside: Mask) -> list[Breach]:
    """Tell whether so many rows are set aside that the data as a whole is not as the reference."""
    share, most = float(aside.mean()), case.rules.tolerances.aside_most
    if share <= most:
        return []
    finding = Finding(
        rule="rows",
        severity="fail",
        column=None,
        message=f"{percent(share)} of the rows would be set aside: the data has changed as a "
        "whole, or the rules are out of date",
        expected=f"at most {percent(most)} set aside",
        found=percent(share),
        count=int(aside.sum()),
    )
    return [Breach(finding=finding, blocks=True)]


def doubts(case: Case) -> list[Finding]:
    """Return what is odd about a reference, seen from its own rules."""
    found: list[Finding] = []
    for rule in case.rules.columns:
        if rule.association is not None and rule.association >= case.rules.tolerances.leak_warn:
            found.append(
                _doubt(
                    "leak",
                    rule.name,
                    f"{rule.name!r} alone tells the label almost exactly in the reference",
                    f"an association below {case.rules.tolerances.leak_warn}",
                    f"{rule.association:.3f}",
                )
            )
        values = view(rule.name, rule.kind, case.data.rows.columns[rule.name]).numbers
        odd = None if values is None else odd_end(rule, np.sort(values[~np.isnan(values)]))
        if odd is not None:
            value = moment(float(odd.value)) if rule.kind == "time" else f"{odd.value:g}"
            message = f"{value} stands far from all other values of {rule.name!r} in the reference"
            share = f"{percent(odd.rows / case.rules.rows)} {value}"
            found.append(_doubt("sentinel", rule.name, message, "a missing value", share))
    return [one for one in found if case.level(one.rule, one.column) != "off"]


def _doubt(rule: str, column: str, message: str, expected: str, found: str) -> Finding:
    return Finding(
        rule=rule,
        severity="warn",
        column=column,
        message=message,
        expected=expected,
        found=found,
    )


def _look(case: Case, rule: ColumnRule, values: Array) -> _Column:
    seen = view(rule.name, rule.kind, values)
    if seen.numbers is None:
        return _Column(rule=rule, seen=seen, ordered=None, quantiles=None)
    ordered = in_order(case.groups, seen.numbers)
    return _Column(rule=rule, seen=seen, ordered=ordered, quantiles=ordered.quantiles())


def _alone(case: Case, one: _Column) -> list[Breach]:
    """Check what any column has: gaps, one value alone, a leak; and the texts."""
    rule, seen = one.rule, one.seen
    found = [*nulls(case, rule, seen), *infinite(case, rule.name, seen.infinite)]
    found += leaks(case, rule, seen)
    if one.ordered is not None:
        same, present = one_value(one.ordered), case.groups.count(~seen.gone)
        return found + constant(case, rule, same, present.astype(np.float64))
    return [*found, *in_texts(case, rule, seen), *categories(case, rule, seen)]


def _exchanged(case: Case, looked: Iterable[_Column]) -> list[Breach]:
    """Find columns that hold each other's values."""
    groups = len(case.groups.sizes)
    by_name = {one.rule.name: one for one in looked}
    none = np.full((groups, len(LEVELS)), np.nan), np.zeros(groups, dtype=np.intp)
    parts = [
        (one.quantiles, one.ordered.present)
        if (one := by_name.get(rule.name)) and one.quantiles is not None and one.ordered is not None
        else none
        for rule in case.rules.columns
    ]
    views: Mapping[str, View] = {
        name: one.seen for name, one in by_name.items() if one.seen.codes is not None
    }
    pairs = swapped(case, [part[0] for part in parts], [part[1] for part in parts])
    return [*pairs, *swapped_texts(case, views)]


def _entities(case: Case) -> Array | None:
    if case.data.entities is not None:
        return case.data.entities
    return case.data.rows.columns.get(case.rules.entity or "")
