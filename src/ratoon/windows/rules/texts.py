"""Checks of texts against those of the reference."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ratoon.windows.rules.chance import log_above, log_excess
from ratoon.windows.rules.columns import View
from ratoon.windows.rules.data import Mask
from ratoon.windows.rules.found import Breach, Case, Judgement, Told, percent, told
from ratoon.windows.rules.sentinels import is_sentinel
from ratoon.windows.rules.values import ColumnRule

_HALF = 0.5  # share of unknown texts from which they are looked at
_SAME = 0.9  # share of those that another spelling, or another column, explains


def categories(case: Case, column: ColumnRule, seen: View) -> list[Breach]:
    """Compare the share of unknown texts with what the reference lets expect.

    The share of rows whose text is new is estimated by that of the texts which one row of the
    reference alone has (Good, The population frequencies of species, Biometrika 40, 1953, eq. 9).
    Sentinels are another rule's. Unknown texts that are known ones in another spelling fail;
    others only warn, since a new month brings its name along.
    """
    assert seen.codes is not None
    known = frozenset(str(one.value) for one in column.categories)
    if not known or column.is_open:
        return []
    plain = frozenset(text.strip().casefold() for text in known)
    kinds = np.array([*(_kind(text, known, plain) for text in seen.texts), 0], dtype=np.int8)
    of_row = kinds[seen.codes]
    new = of_row > 0
    if not new.any():
        return []
    groups, tolerances = case.groups, case.rules.tolerances
    found = groups.count(new)
    share, before = found / groups.sizes, column.singles / case.rules.rows
    spelled = groups.count(of_row == 2) / np.maximum(found, 1)  # noqa: PLR2004 - its code
    if column.new_most is None:
        chance = log_excess(found, groups.sizes, column.singles, case.rules.rows)
        fails = (share >= _HALF) & (spelled >= _SAME)
        most = f"about {percent(before)} texts that are new"
    else:
        chance = log_above(found, groups.sizes, column.new_most)
        fails = share > column.new_most
        most = f"at most {percent(column.new_most)} texts that are new, as the rules say"
    at = Judgement(
        fails=fails,
        warns=share - before >= tolerances.categories_warn,
        significant=chance <= case.log_alpha(groups),
        size=share,
        rows=new,
    )

    def tell(group: int) -> Told:
        some = _some(seen, new if group < 0 else new & (groups.of_row == group))
        another = ", which are known ones in another spelling," if fails[group] else ""
        return Told(
            message=f"{percent(share[group])} of {column.name!r} are texts that the reference does "
            f"not have ({some}){another}",
            expected=most,
            found=f"{percent(share[group])} new: {some}",
        )

    return told(case, groups, "categories", column.name, at=at, tell=tell)


def swapped(case: Case, views: Mapping[str, View]) -> list[Breach]:
    """Find columns of texts that hold each other's."""
    known = {
        column.name: frozenset(str(one.value) for one in column.categories)
        for column in case.rules.columns
        if column.categories and column.name in views
    }
    own = {name: _share_in(case, views[name], texts) for name, texts in known.items()}
    strange = [name for name, share in own.items() if (share <= 1 - _SAME).any()]
    found: list[Breach] = []
    for i, one in enumerate(strange):
        for other in strange[i + 1 :]:
            hits = (own[one] <= 1 - _SAME) & (own[other] <= 1 - _SAME)
            hits &= _share_in(case, views[one], known[other]) >= _SAME
            hits &= _share_in(case, views[other], known[one]) >= _SAME
            if hits.any():
                found += _swap(case, one, other, hits)
    return found


def _swap(case: Case, one: str, other: str, hits: Mask) -> list[Breach]:
    at = Judgement(fails=hits, warns=hits, significant=hits, size=hits.astype(float))
    words = Told(
        message=f"columns are swapped: {one!r} and {other!r} hold each other's texts",
        expected="each column its own texts",
        found="those of the other",
    )
    return told(case, case.groups, "swapped", None, at=at, tell=lambda _: words)


def _share_in(case: Case, seen: View, texts: frozenset[str]) -> np.ndarray:
    """Return the share of each group's texts that are among `texts`; NaN where it has few."""
    assert seen.codes is not None
    inside = np.array([*(text in texts for text in seen.texts), False])[seen.codes]
    there = case.groups.count(~seen.gone)
    enough = there >= 50  # noqa: PLR2004 - fewer tell little
    share = case.groups.count(inside & ~seen.gone) / np.maximum(there, 1)
    return np.where(enough, share, np.nan)


def _kind(text: str, known: frozenset[str], plain: frozenset[str]) -> int:
    """Return 0 for a known text or a sentinel, 2 for another spelling of one, 1 for the rest."""
    if text in known or is_sentinel(text):
        return 0
    return 2 if text.strip().casefold() in plain else 1


def _some(seen: View, rows: Mask) -> str:
    """Return the commonest texts of some rows."""
    assert seen.codes is not None
    counts = np.bincount(seen.codes[rows], minlength=len(seen.texts))
    first = np.argsort(-counts, kind="stable")[:3]
    return ", ".join(repr(seen.texts[int(code)]) for code in first if counts[code])
