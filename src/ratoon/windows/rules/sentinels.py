"""Values that stand for missing ones: -1, 9999, 1900-01-01, "N/A" and their like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from ratoon.core.schema import Kind
from ratoon.windows.judged import Floats
from ratoon.windows.rules.chance import log_excess
from ratoon.windows.rules.columns import Sorted, View
from ratoon.windows.rules.data import Mask, Places
from ratoon.windows.rules.found import Breach, Case, Judgement, Told, number, percent, told
from ratoon.windows.rules.values import ColumnRule, Usual

NUMBERS: tuple[float, ...] = (
    *(0.0, -1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0, -999999.0, -9999999.0, -999999999.0),
    *(99.0, 999.0, 9999.0, 99999.0, 999999.0, 9999999.0, 99999999.0, 999999999.0, 9999999999.0),
    *(-99.9, -999.9, 99.99, 999.9, 999.99, 9999.9, 9999.99, -9999.9, -888.0, -8888.0, 888.0),
    *(8888.0, 88888.0, -77.0, -88.0, -1000.0, 255.0, 127.0, -128.0, 32767.0, -32768.0, 65535.0),
    *(2147483647.0, -2147483648.0, 4294967295.0, 2.0**63, -(2.0**63), 1e20, -1e20, 1e30, -1e30),
)
"""Numbers that programs write where they know none: no value, all nines, the ends of integers."""

TEXTS = frozenset(
    {"", "-", "--", "---", ".", "?", "??", "#n/a", "#na", "#null!", "#ref!", "#value!", "-1", "-99"}
    | {"-999", "-9999", "999", "9999", "99999", "1900-01-01", "1970-01-01", "9999-12-31", "inf"}
    | {"<na>", "<null>", "(null)", "[null]", "empty", "error", "missing", "n.a.", "n/a", "na"}
    | {"nan", "nat", "nil", "no data", "none", "not available", "null", "tbd", "undefined"}
    | {"unk", "unknown", "unspecified", "xxx", "n/d", "n.d.", "not set", "default", "00000000"}
)
"""Texts that stand for a missing one, without blanks around them and in small letters."""

_DAYS = (
    *("0001-01-01", "1601-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01"),
    *("1904-01-01", "1970-01-01", "2099-12-31", "2100-01-01", "2999-12-31", "9999-12-31"),
)
_LONGEST = 24  # characters of such a text, with the blanks around it
_DAY_US = 86_400_000_000
_RARE = 0.001  # share in the reference from which a value belongs to the column
_USUAL = 0.05  # and from which it may become as common as it likes
_ODD = 0.01  # share of a value at the end of a reference, to be told
_MORE = 5.0  # times as many as in the reference
_PURE = 0.9  # share of one value among all beyond the reference's end
_NEAR = 0.1  # share of the other values that are a value's neighbours
_LEAST_NEAR = 10
_CODES = 31  # the largest of whole numbers that name or count a few things, such as days


def moments() -> tuple[float, ...]:
    """Return the days that programs write where they know none, in microseconds since 1970."""
    return tuple(float(np.datetime64(day, "us").astype(np.int64)) for day in _DAYS)


def candidates(kind: Kind) -> tuple[float, ...]:
    """Return what could be a sentinel in a column of a kind."""
    if kind == "time":
        return moments()
    return NUMBERS if kind in ("number", "integer") else ()


def comparable(kind: Kind, numbers: Floats) -> Floats:
    """Return what is compared with the candidates: of a moment its day."""
    return np.floor(numbers / _DAY_US) * _DAY_US if kind == "time" else numbers


def is_sentinel(text: str) -> bool:
    """Tell whether a text could stand for a missing one.

    >>> is_sentinel(" N/A "), is_sentinel("Nantes")
    (True, False)
    """
    return len(text) <= _LONGEST and text.strip().casefold() in TEXTS


def usual_numbers(kind: Kind, present: Floats) -> tuple[Usual, ...]:
    """Return which candidates the sorted numbers of a reference have, and in how many rows."""
    found, asked = comparable(kind, present), candidates(kind)
    rows = np.searchsorted(found, asked, "right") - np.searchsorted(found, asked, "left")
    return tuple(
        Usual(value=value, rows=int(count))
        for value, count in zip(asked, rows, strict=True)
        if count
    )


def odd_end(column: ColumnRule, present: Floats) -> Usual | None:
    """Return a candidate that stands far beyond all other numbers of a reference, if one does.

    999 days among 0 to 30 is one: the gap before it is wider than all that lies on its other side.
    """
    for usual in column.usual:
        if usual.value not in (column.least, column.most) or usual.rows < _ODD * len(present):
            continue
        others = present[present != usual.value]
        if len(others) > 1 and _gap(float(usual.value), others) > float(others[-1] - others[0]) > 0:
            return usual
    return None


def _gap(value: float, others: Floats) -> float:
    return max(float(others[0]) - value, value - float(others[-1]))


def in_numbers(case: Case, column: ColumnRule, seen: View, ordered: Sorted) -> list[Breach]:
    """Find numbers that have become common, though they belong to nothing around them."""
    assert seen.numbers is not None
    if column.least is None or column.most is None:
        return []
    found: list[Breach] = []
    tolerances = case.rules.tolerances
    least = (tolerances.sentinel_warn, tolerances.sentinel_fail)
    days = comparable(column.kind, ordered.values)
    values: Floats | None = None
    for value in _common(case, column, days):
        values = comparable(column.kind, seen.numbers) if values is None else values
        before = _rows(column, value)
        count = case.groups.count(values == value)
        apart = _more(case, count, before, least[0])
        for group in np.flatnonzero(apart):
            apart[group] = _apart(column, value, days[group][: ordered.present[group]])
        if apart.any():
            one = _Value(
                rows=values == value,
                before=before,
                says=_told_value(column.kind, value),
                least=least,
                ordinary=value == 0 and _is_code(column),
            )
            found += _judge(case, column, one, apart)
    return found


def in_texts(case: Case, column: ColumnRule, seen: View) -> list[Breach]:
    """Find texts that stand for missing ones and were rare in the reference.

    To a model they are one more text, and no number to count with: they have the margins of
    missing values.
    """
    assert seen.codes is not None
    found: list[Breach] = []
    tolerances = case.rules.tolerances
    least = (tolerances.nulls_warn, tolerances.nulls_fail)
    for code, text in enumerate(seen.texts):
        if is_sentinel(text):
            here, before = seen.codes == code, _rows(column, text)
            more = _more(case, case.groups.count(here), before, least[0])
            if more.any():
                value = _Value(rows=here, before=before, says=repr(text), least=least)
                found += _judge(case, column, value, more)
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Value:
    """A value that may be a sentinel."""

    rows: Mask  # (n,): those that have it
    before: int  # rows of the reference that have it
    says: str
    least: tuple[float, float]  # shares from which it is told, and fails
    ordinary: bool = False  # whether it may well be one more value of its column


def _more(case: Case, count: Places, before: int, least: float) -> Mask:
    """Tell in which groups a value is common, and far more so than in the reference."""
    share, known = count / case.groups.sizes, before / case.rules.rows
    if known >= _USUAL:
        return np.zeros(len(share), dtype=bool)
    return share >= max(_MORE * known, least)


def _judge(case: Case, column: ColumnRule, value: _Value, apart: Mask) -> list[Breach]:
    groups, rows = case.groups, case.rules.rows
    found = groups.count(value.rows)
    share, known = found / groups.sizes, value.before / rows
    enough = apart & (share >= value.least[1])
    chance = log_excess(found, groups.sizes, value.before, rows)
    fails = known < _RARE and not value.ordinary
    at = Judgement(
        fails=enough if fails else np.zeros_like(enough),
        warns=apart if known < _RARE else enough,
        significant=chance <= case.log_alpha(groups),
        size=share,
        rows=value.rows,
    )
    what = value.says

    def tell(group: int) -> Told:
        return Told(
            message=f"{percent(share[group])} of {column.name!r} is {what}, which looks like a "
            "stand-in for a missing value,",
            expected=f"{percent(known)} {what}",
            found=f"{percent(share[group])} {what}",
        )

    return told(case, groups, "sentinel", column.name, at=at, tell=tell)


def _common(case: Case, column: ColumnRule, values: Floats) -> Sequence[float]:
    """Return the candidates that are common enough in the sample of any group."""
    step = max(1, int(values.shape[1] * case.rules.tolerances.sentinel_warn / 2))
    again = values[:, step:][values[:, step:] == values[:, :-step]]
    known = candidates(column.kind)
    if column.least == 0 and column.most == 1:  # a truth written as a number
        known = tuple(value for value in known if value != 0)
    if not len(again):
        return ()
    present = set(np.unique(again).tolist())
    return [value for value in known if value in present]


def _apart(column: ColumnRule, value: float, known: Floats) -> bool:
    """Tell whether a value stands apart from the others of a group, which are in order.

    Beyond the reference's end it does if nine of ten values there are this one, since drift brings
    others along, or if it is further from all others than these are from each other. Between the
    ends it does if it is five times as common as its neighbours let expect, and no more than one
    other value is nearly as common: where many are, values come in runs.
    """
    assert column.least is not None
    assert column.most is not None
    if value < column.least or value > column.most:
        beyond = known < column.least if value < column.least else known > column.most
        if bool(beyond.any()) and float((known[beyond] == value).mean()) >= _PURE:
            return True
    others = known[known != value]
    if len(others) and _gap(value, others) > max(column.spread, float(others[-1] - others[0])):
        return True
    if len(others) < _LEAST_NEAR:
        return len(others) < len(known) / 2
    reach = max(_LEAST_NEAR, int(_NEAR * len(others))) // 2
    at = int(np.searchsorted(others, value))
    near = others[max(0, at - reach) : at + reach]
    steps = np.diff(np.unique(near))
    grid = float(steps.min()) if len(steps) else 0.0
    width = float(near[-1] - near[0]) + grid
    expected = len(near) * grid / width if width else float(len(near))
    count = len(known) - len(others)
    ends = np.flatnonzero(np.append(np.diff(others) != 0, np.True_))
    as_common = int((np.diff(ends, prepend=-1) >= count / 2).sum())
    return count >= _MORE * max(expected, 1.0) and as_common <= 1


def _is_code(column: ColumnRule) -> bool:
    """Tell whether a column has small whole numbers alone: days of the week, months, passengers.

    There 0 is a value like the others. That a short reference does not have it, as one without a
    Monday, says little.
    """
    numbers = [n for n in (column.least, *column.quantiles, column.most) if n is not None]
    return all(0 <= n <= _CODES and n == int(n) for n in numbers)


def _rows(column: ColumnRule, value: float | str) -> int:
    return sum(usual.rows for usual in column.usual if usual.value == value)


def _told_value(kind: Kind, value: float) -> str:
    if kind != "time":
        return number(value) if abs(value) < 1e15 else f"{value:.3g}"  # noqa: PLR2004 - digits
    moment = np.datetime64(int(value), "us").astype(datetime)
    return f"{moment.replace(tzinfo=UTC):%Y-%m-%d}"
