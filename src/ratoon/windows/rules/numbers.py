"""Checks of numbers against those of the reference: their range."""

from __future__ import annotations

import numpy as np

from ratoon.windows.judged import Floats
from ratoon.windows.rules.chance import log_excess
from ratoon.windows.rules.columns import Sorted, View, at_levels
from ratoon.windows.rules.data import Mask, Places
from ratoon.windows.rules.found import Breach, Case, Judgement, Told, failing, number, percent, told
from ratoon.windows.rules.gaps import rowwise
from ratoon.windows.rules.sentinels import in_numbers
from ratoon.windows.rules.units import change_of_unit, in_column
from ratoon.windows.rules.values import ColumnRule

_TEN_YEARS_US = 315_576_000_000_000.0


def numbers(
    case: Case, column: ColumnRule, seen: View, ordered: Sorted, explained: Mask
) -> list[Breach]:
    """Check the numbers of a column; what another rule explains is not told as a range too.

    Args:
        case: the rules and the data.
        column: the rule of the column.
        seen: the column.
        ordered: its sampled numbers.
        explained: (G + 1,) groups whose numbers are known to be wrong.
    """
    found = [*in_numbers(case, column, seen, ordered), *in_column(case, column, ordered)]
    explained = explained | failing(case.groups, found)
    distant = far(case, column, seen, explained) or outside(case, column, seen, explained)
    return [*found, *limits(case, column, seen), *distant]


def fences(column: ColumnRule, reach: float) -> tuple[float, float]:
    """Return between which numbers values are plausible, whatever the drift.

    A column's size is the width of its middle 80 % or, where that is larger, the middle itself: in
    a short reference an interest rate hardly moves, and a year later it is another. Beyond `reach`
    sizes on either side is far.
    """
    assert column.least is not None
    assert column.most is not None
    low, _, middle, _, high = column.quantiles
    if column.kind == "time":
        size = max(high - low, _TEN_YEARS_US / reach)
    else:
        size = max(high - low, abs(middle)) or column.most - column.least
    return min(column.least, low - reach * size), max(column.most, high + reach * size)


def limits(case: Case, column: ColumnRule, seen: View) -> list[Breach]:
    """Set aside rows beyond what a person allows."""
    assert seen.numbers is not None
    found: list[Breach] = []
    if column.at_least is not None:
        words = Told(
            message=f"{column.name!r} is below {number(column.at_least)}",
            expected=f"at least {number(column.at_least)}, as the rules say",
            found=f"down to {number(_extreme(seen.numbers, np.fmin))}",
        )
        below = seen.numbers < column.at_least
        found += rowwise(case, case.groups, "range", column.name, below, words)
    if column.at_most is not None:
        words = Told(
            message=f"{column.name!r} is above {number(column.at_most)}",
            expected=f"at most {number(column.at_most)}, as the rules say",
            found=f"up to {number(_extreme(seen.numbers, np.fmax))}",
        )
        above = seen.numbers > column.at_most
        found += rowwise(case, case.groups, "range", column.name, above, words)
    return found


def far(case: Case, column: ColumnRule, seen: View, explained: Mask) -> list[Breach]:
    """Find groups with many numbers far from the reference's.

    Args:
        case: the rules and the data.
        column: the rule of the column.
        seen: the column.
        explained: (G + 1,) groups whose numbers another rule tells of already.
    """
    values = seen.numbers
    assert values is not None
    if column.least is None or column.most is None or column.least == column.most:
        return []
    ends = f"{number(column.least)} to {number(column.most)}"
    least, most = fences(column, case.rules.tolerances.reach)
    beyond = (values < least) | (values > most)
    found = case.groups.count(beyond)
    if not found[-1]:
        return []
    share = found / case.groups.sizes
    at = Judgement(
        fails=(share >= case.rules.tolerances.far_fail) & ~explained,
        warns=(found > 0) & ~explained,
        significant=_significant(case, found),
        size=share,
        rows=beyond,
    )

    def tell(group: int) -> Told:
        picked = beyond if group < 0 else beyond & (case.groups.of_row == group)
        distant = np.sort(values[picked])
        unit = _unit(column, distant)
        span = f"{number(distant[0])} to {number(distant[-1])}"
        return Told(
            message=f"{percent(share[group])} of {column.name!r} lies far outside the reference"
            f"{unit}",
            expected=ends,
            found=f"{percent(share[group])} from {span}",
        )

    return told(case, case.groups, "range", column.name, at=at, tell=tell)


def outside(case: Case, column: ColumnRule, seen: View, explained: Mask) -> list[Breach]:
    """Tell of groups in which many numbers are beyond the least or the largest of the reference."""
    assert seen.numbers is not None
    if column.least is None or column.most is None:
        return []
    if column.kind == "time":  # the next is always later
        return []
    ends = f"{number(column.least)} to {number(column.most)}"
    below, above = seen.numbers < column.least, seen.numbers > column.most
    found = case.groups.count(below | above)
    share = found / case.groups.sizes
    at = Judgement(
        fails=np.zeros(len(share), dtype=bool),
        warns=(share >= case.rules.tolerances.outside_warn) & ~explained,
        significant=_significant(case, found),
        size=share,
        rows=below | above,
    )

    def tell(group: int) -> Told:
        return Told(
            message=f"{percent(share[group])} of {column.name!r} lies outside the reference",
            expected=ends,
            found=f"{percent(share[group])} outside",
        )

    return told(case, case.groups, "range", column.name, at=at, tell=tell)


def _significant(case: Case, found: Places) -> Mask:
    """Tell where more numbers are beyond the reference's ends than chance explains.

    None of the reference is; which of all numbers are the largest is a matter of chance where both
    are of one kind, whatever their distribution.
    """
    chance = log_excess(found, case.groups.sizes, 0, case.rules.rows)
    return chance <= case.log_alpha(case.groups)


def _unit(column: ColumnRule, values: Floats) -> str:
    """Tell of which unit the far numbers could be."""
    quantiles = at_levels(values[None, :], np.array([len(values)]))[0]
    found = change_of_unit(column, quantiles, len(values))
    return "" if found is None else f" ({found.says} would bring them there)"


def _extreme(values: Floats, which: np.ufunc) -> float:
    return float(which.reduce(values))
