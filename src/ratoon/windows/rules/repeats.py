"""Checks for rows that are repeated, and ids that stand twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratoon.windows.judged import Floats
from ratoon.windows.rows import Array, missing
from ratoon.windows.rules.chance import log_above
from ratoon.windows.rules.columns import View, encoded
from ratoon.windows.rules.data import Groups, Mask, Places, grouped
from ratoon.windows.rules.found import Breach, Case, Judgement, Told, percent, told
from ratoon.windows.rules.gaps import rowwise

_FEW = 5  # groups
_PIECE = 50  # rows
_BURST = 0.25  # rise of the share of repeated rows that is told of one row alone, too
_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_SHIFT = np.uint64(32)
_GONE = np.uint64(0x94D049BB133111EB)  # of a missing value

Hashes = NDArray[np.uint64]


def hashes(views: Iterable[View], labels: Floats | None, rows: int) -> Hashes:
    """Return one number a row, the same for rows whose values are all the same.

    Codes of texts differ from data to data, so hashes of two sets of data do not compare. Two rows
    of a million that differ have the same number with a chance of 3 in 10⁸.
    """
    found = np.zeros(rows, dtype=np.uint64)
    for seen in views:
        if seen.codes is not None:
            _mix(found, seen.codes.astype(np.int64).view(np.uint64), None)
        elif seen.exact is not None:
            _mix(found, seen.exact.view(np.uint64), seen.gone)
        else:
            assert seen.numbers is not None
            _mix(found, (seen.numbers + 0.0).view(np.uint64), seen.gone)
    if labels is not None:
        _mix(found, (labels + 0.0).view(np.uint64), np.isnan(labels))
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Repeats:
    """Which rows repeat others, and how much of each group does."""

    rows: Mask  # (n,): an earlier row is the same
    share: Floats  # (G + 1,): of a group's rows, those
    copied: Floats  # (G + 1,): of its different rows, those that stand in it twice or stood before
    different: Places  # (G + 1,): rows


def repeats(found: Hashes, groups: Groups) -> Repeats:
    """Count repeated rows by group.

    One row that comes a hundred times is a burst, and real; a hundred rows that all come again are
    a batch that was sent twice, or a join gone wrong. So different rows are counted too.

    >>> told = grouped(6, np.array([1, 1, 1, 2, 2, 2]), 3)
    >>> repeats(np.array([7, 8, 7, 7, 8, 9], dtype=np.uint64), told).copied.round(2).tolist()
    [0.5, 0.67, 0.6]
    """
    count = len(groups.sizes) - 1
    again = np.zeros(len(found), dtype=bool)
    ordered = np.sort(found)
    if not (ordered[1:] == ordered[:-1]).any():  # sorting places takes six times as long
        nothing = np.zeros(count + 1)
        return Repeats(rows=again, share=nothing, copied=nothing, different=groups.sizes)
    order = np.argsort(groups.of_row.astype(np.uint16), kind="stable")  # fewer groups than 65,536
    order = order[np.argsort(found[order], kind="stable")]
    same, of_row = found[order], groups.of_row[order]
    new = np.append(np.True_, same[1:] != same[:-1])
    again[order[~new]] = True
    starts = np.flatnonzero(new | np.append(np.True_, of_row[1:] != of_row[:-1]))
    cell_rows = np.diff(np.append(starts, len(found)))
    cell_copied = ~new[starts] | (cell_rows > 1)
    different = np.bincount(of_row[starts], minlength=count)
    copied = np.bincount(of_row[starts[cell_copied]], minlength=count)
    return Repeats(
        rows=again,
        share=groups.count(again) / groups.sizes,
        copied=np.append(copied, copied.sum()) / np.append(different, different.sum()),
        different=np.append(different, different.sum()),
    )


def duplicates(case: Case, found: Hashes) -> list[Breach]:
    """Find groups whose rows have been there before.

    How many rows repeat by themselves depends on how many there are and how coarse they are. So a
    group is compared with the worst twentieth of the reference and, as repetitions grow with the
    number of rows, with the middle group of the same data. Of rows that can only be a few different
    ones more than half repeat anyway: there a batch that was sent twice cannot be told.
    """
    groups, rules = case.groups, case.rules
    now = repeats(found, groups)
    # A few batches have no middle one: then it is that of pieces of the rows.
    few = len(groups.sizes) <= _FEW and now.rows.any()
    all_over = repeats(found, grouped(len(found), None, _PIECE)) if few else now
    usual = max(rules.copied_most, float(np.median(all_over.copied[:-1])))
    often = max(rules.repeated_most, float(np.median(all_over.share[:-1])))
    again = np.round(now.copied * now.different)
    chance = log_above(again, now.different, usual)
    at = Judgement(
        fails=now.copied - usual >= rules.tolerances.duplicates_fail,
        warns=now.share - often >= rules.tolerances.duplicates_warn,
        significant=(chance <= case.log_alpha(groups)) | (now.share - often >= _BURST),
        size=np.maximum(now.share, now.copied),
        rows=now.rows,
    )

    def tell(group: int) -> Told:
        return Told(
            message=f"{percent(now.share[group])} of the rows repeat an earlier one, and "
            f"{percent(now.copied[group])} of the different rows come again,",
            expected=f"about {percent(often)}, and {percent(usual)}",
            found=f"{percent(now.share[group])}, and {percent(now.copied[group])}",
        )

    return told(case, groups, "duplicates", None, at=at, tell=tell)


def ids(case: Case) -> list[Breach]:
    """Set aside rows whose id an earlier row has."""
    if case.data.ids is None:
        return []
    codes = coded(case.data.ids)
    again = repeats(codes.astype(np.int64).view(np.uint64), case.groups).rows
    again &= codes >= 0
    first = case.data.ids[int(np.argmax(again))] if again.any() else None
    words = Told(
        message=f"an id stands twice ({first!s}, say)",
        expected="an id for each row",
        found="ids that stand twice",
    )
    return rowwise(case, case.groups, "ids", None, again, words)


def coded(names: Array) -> Places:
    """Return texts, numbers or moments as whole numbers, the same for the same; -1 for none."""
    if names.dtype.kind not in "iubfM":
        return encoded(names.astype(object))[0].astype(np.intp)
    codes = np.unique(names, return_inverse=True)[1]
    return np.where(missing(names), -1, codes)


def _mix(found: Hashes, bits: Hashes, gone: Mask | None) -> None:
    """Add a column to the hashes of the rows, in place: they are this module's own."""
    if gone is not None and gone.any():
        bits = np.where(gone, _GONE, bits)
    found ^= bits
    found *= _ODD
    found ^= found >> _SHIFT
    found *= _MIX
    found ^= found >> _SHIFT
