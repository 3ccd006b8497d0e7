"""Numbers in another unit, and columns that hold each other's numbers.

Both are told from five quantiles: those of a group are compared with what those of the reference
become under each known change of unit, and with those of the other columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ratoon.windows.judged import Floats
from ratoon.windows.rules.chance import log_excess
from ratoon.windows.rules.columns import Sorted
from ratoon.windows.rules.data import Mask, Places
from ratoon.windows.rules.found import Breach, Case, Judgement, Told, number, told
from ratoon.windows.rules.values import ColumnRule

_PRESENT = 50  # values that a group has at least
_SHAPE = 3  # different quantiles that a column has at least, to be recognised
_ALIKE = 2.0  # times as wide, or as narrow, that a group may be after the change
_MOVED = 1.0  # spreads that the group's quantiles are off, before a unit is looked for
_MOVED_SMALL = 1.5  # and before a small factor is told
_NARROW = 0.1  # of its median: narrower columns pass every small factor when they drift
_FIT = 0.07  # spreads that they may be off afterwards, for each power of e in the factor
_FIT_MOST = 0.5  # and at most: drift does not bring a factor of 1000, but it may bring 2.5
_BETTER = 4.0  # times better than without the change
_SWAP_OFF = 1.5  # spreads that a swapped column is off its own reference
_SWAP_FIT = 0.3  # and off the other's


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """A change of unit: the new number is `factor` x the old one + `offset`."""

    factor: float
    offset: float = 0.0
    says: str


_FACTORS: tuple[tuple[float, str], ...] = (
    (1000.0, "g and kg, m and km, s and ms"),
    (1e6, "a million"),
    (1e9, "s and ns"),
    (100.0, "cents, per cent, m and cm"),
    (10.0, "cm and mm"),
    (12.0, "months and years, inches and feet"),
    (24.0, "hours and days"),
    (60.0, "seconds and minutes, minutes and hours"),
    (1440.0, "minutes and days"),
    (3600.0, "seconds and hours"),
    (86400.0, "seconds and days"),
    (7.0, "days and weeks"),
    (365.25, "days and years"),
    (1024.0, "bytes and KiB"),
    (1048576.0, "bytes and MiB"),
    (2.54, "inches and cm"),
    (25.4, "inches and mm"),
    (39.3701, "inches and m"),
    (3.28084, "feet and m"),
    (1.609344, "miles and km"),
    (2.204623, "pounds and kg"),
    (28.34952, "ounces and g"),
    (3.785412, "gallons and litres"),
    (3.6, "m/s and km/h"),
    (4.184, "calories and joules"),
    (57.29578, "radians and degrees"),
)


def conversions() -> tuple[Conversion, ...]:
    """Return the known changes of unit, both ways."""
    found = [Conversion(factor=-1.0, says="the other sign")]
    for factor, what in _FACTORS:
        times = number(factor)
        found.append(Conversion(factor=factor, says=f"division by {times} ({what})"))
        found.append(Conversion(factor=1 / factor, says=f"multiplication by {times} ({what})"))
    for factor, offset, other in ((1.8, 32.0, "Fahrenheit"), (1.0, 273.15, "kelvin")):
        there, back = f"the change from {other} to Celsius", f"the change from Celsius to {other}"
        found.append(Conversion(factor=factor, offset=offset, says=there))
        found.append(Conversion(factor=1 / factor, offset=-offset / factor, says=back))
    return tuple(found)


def change_of_unit(column: ColumnRule, quantiles: Floats, present: int) -> Conversion | None:
    """Return the change of unit that explains the quantiles of `present` numbers, if one does.

    >>> column = ColumnRule(
    ...     name="kg", kind="number", least=0, most=9, quantiles=(1.0, 2.0, 3.0, 4.0, 5.0)
    ... )
    >>> change_of_unit(column, 1000 * np.array(column.quantiles), 60).says
    'division by 1000 (g and kg, m and km, s and ms)'
    """
    if not _has_unit(column):
        return None
    found = int(_explained(column, quantiles[None, :], np.array([present]))[0])
    return None if found < 0 else conversions()[found]


def in_column(case: Case, column: ColumnRule, ordered: Sorted) -> list[Breach]:
    """Find the groups of a column whose numbers are in another unit."""
    if not _has_unit(column):
        return []
    now = ordered.quantiles()
    which = _explained(column, now, ordered.present)
    hits = which >= 0
    if not hits.any():
        return []
    known = conversions()
    least = math.log(case.rules.tolerances.unit_fail)
    large = hits & np.array([_size(known[int(i)]) >= least for i in which])
    moved = np.where(hits, _moved(column, now), 0.0)
    apart = hits & _is_wide(column) & _outside(column, now)
    shifted = hits & (_log_chance(case, column, ordered) <= case.log_alpha(case.groups))
    told_of = large | (moved >= _MOVED_SMALL)
    at = Judgement(fails=large | apart, warns=told_of, significant=shifted, size=moved)

    def tell(group: int) -> Told:
        says = known[int(which[group])].says
        sure = large[group] or apart[group]
        what = "looks like another unit" if sure else "has grown or shrunk, or is in another unit"
        return Told(
            message=f"{column.name!r} {what}: {says} would give the numbers of the reference,",
            expected=f"a median about {number(column.quantiles[2])}",
            found=f"a median of {number(now[group][2])}",
        )

    return told(case, case.groups, "units", column.name, at=at, tell=tell)


def _has_unit(column: ColumnRule) -> bool:
    """Tell whether a column has a shape: three of its quantiles are different numbers."""
    return column.kind in ("number", "integer") and len(set(column.quantiles)) >= _SHAPE


def _is_wide(column: ColumnRule) -> bool:
    """Tell whether a column is wide for its size, so that a shift cannot pass for a factor."""
    low, _, middle, _, high = column.quantiles
    return high - low >= _NARROW * abs(middle)


def _outside(column: ColumnRule, now: Floats) -> Mask:
    """Tell where the middle 80 % of a group has nothing in common with the reference.

    A column that is as wide as it is large may grow by a factor. One that is not would have to
    leave its range and stretch at the same time: that is another unit.
    """
    assert column.least is not None
    assert column.most is not None
    return (now[:, 0] > column.most) | (now[:, -1] < column.least)


def _log_chance(case: Case, column: ColumnRule, ordered: Sorted) -> Floats:
    """Bound how likely it is that so many numbers lie beyond the middle 80 % of the reference.

    At most a tenth of the reference lies on either side of it, whatever its distribution.
    """
    known = case.rules.rows - column.nulls
    with np.errstate(invalid="ignore"):
        below = (ordered.values < column.quantiles[0]).sum(axis=1)
        above = (ordered.values > column.quantiles[-1]).sum(axis=1)
    return np.minimum(
        log_excess(below, ordered.present, 0.1 * known, known),
        log_excess(above, ordered.present, 0.1 * known, known),
    )


def _moved(column: ColumnRule, now: Floats) -> Floats:
    """Return how many spreads the quantiles of each group are off."""
    return np.nan_to_num(np.abs(now - np.array(column.quantiles)).max(axis=1) / column.spread)


def _explained(column: ColumnRule, now: Floats, present: Places) -> Places:
    """Return which conversion explains the quantiles of each group; -1 for none."""
    moved = _moved(column, now)
    found = np.full(len(now), -1)
    asked = np.flatnonzero((moved >= _MOVED) & (present >= _PRESENT))
    if not len(asked):
        return found
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        error = _errors(column, now[asked], present[asked], moved[asked])
    best = error.argmin(axis=1)
    fits = np.isfinite(error[np.arange(len(asked)), best])
    found[asked[fits]] = best[fits]
    return found


def _errors(column: ColumnRule, now: Floats, present: Places, moved: Floats) -> Floats:
    """Return how many spreads each conversion leaves each group off; infinite where too many.

    Beside the fit that is asked of a factor, as much is allowed as quantiles of so few values vary.
    """
    known = conversions()
    own = np.array(column.quantiles)
    was = np.array([one.factor * own + one.offset for one in known])
    was = np.where(was[:, :1] > was[:, -1:], was[:, ::-1], was)
    width = np.maximum(was[:, -1] - was[:, 0], 0.1 * np.abs(was[:, was.shape[1] // 2]))
    fit = np.minimum([_FIT * _size(one) for one in known], _FIT_MOST)
    allowed = fit[None, :] + 1 / np.sqrt(present)[:, None]
    error = np.abs(now[:, None, :] - was[None, :, :]).max(axis=2) / width
    wide = (now[:, -1] - now[:, 0])[:, None] / (was[:, -1] - was[:, 0])
    fits = (error <= allowed) & (_BETTER * error <= moved[:, None])
    return np.where(fits & (wide <= _ALIKE) & (wide >= 1 / _ALIKE), error, np.inf)


def _size(one: Conversion) -> float:
    """Return how large a change is, as the logarithm of its factor.

    Another sign, or an offset alone, is beyond any drift that keeps the shape.
    """
    return math.inf if one.factor in (-1.0, 1.0) else abs(math.log(one.factor))


def swapped(case: Case, quantiles: Sequence[Floats], present: Sequence[Places]) -> list[Breach]:
    """Find columns that hold each other's numbers: pairs, and longer rounds."""
    columns = [i for i, c in enumerate(case.rules.columns) if _has_unit(c)]
    if len(columns) < 2:  # noqa: PLR2004 - one column has no other
        return []
    rules = [case.rules.columns[i] for i in columns]
    own = np.array([rule.quantiles for rule in rules])
    spread = np.array([rule.spread for rule in rules])
    rounds: dict[int, list[tuple[int, int]]] = {}
    for group in range(len(present[0])):
        now = np.array([quantiles[i][group] for i in columns])
        known = np.array([present[i][group] for i in columns]) >= _PRESENT
        pairs = _rounds(now, own, spread, known)
        if pairs:
            rounds[group] = pairs
    return _swap_breaches(case, rules, rounds, len(present[0]))


def _rounds(now: Floats, own: Floats, spread: Floats, known: Mask) -> list[tuple[int, int]]:
    """Return which column holds which other's numbers; each gives and takes."""
    off = np.abs(now - own).max(axis=1) / spread
    moved = np.flatnonzero((off >= _SWAP_OFF) & known)
    if len(moved) < 2:  # noqa: PLR2004 - a swap takes two
        return []
    error = np.abs(now[moved][:, None, :] - own[moved][None, :, :]).max(axis=2) / spread[moved]
    np.fill_diagonal(error, math.inf)
    takes = {i: int(np.argmin(error[i])) for i in range(len(moved)) if error[i].min() <= _SWAP_FIT}
    while True:
        kept = {i: j for i, j in takes.items() if j in takes and i in takes.values()}
        if len(kept) == len(takes):
            break
        takes = kept
    return [(int(moved[i]), int(moved[j])) for i, j in takes.items()]


def _swap_breaches(
    case: Case, rules: list[ColumnRule], rounds: dict[int, list[tuple[int, int]]], groups: int
) -> list[Breach]:
    if not rounds:
        return []
    hits = np.zeros(groups, dtype=bool)
    hits[list(rounds)] = True
    size = np.zeros(groups)
    size[list(rounds)] = [len(pairs) for pairs in rounds.values()]
    at = Judgement(fails=hits, warns=hits, significant=hits, size=size)

    def tell(group: int) -> Told:
        pairs = rounds[group if group >= 0 else groups - 1]
        names = ", ".join(f"{rules[i].name!r} those of {rules[j].name!r}" for i, j in pairs[:6])
        more = f" and {len(pairs) - 6} more" if len(pairs) > 6 else ""  # noqa: PLR2004 - as above
        return Told(
            message=f"columns are swapped: {names}{more}",
            expected="each column its own numbers",
            found=f"{len(pairs)} columns with another's",
        )

    return told(case, case.groups, "swapped", None, at=at, tell=tell)
