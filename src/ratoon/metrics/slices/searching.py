"""The search for slices of great loss: single columns, then crossings of the worst."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ratoon.core.settings import whole
from ratoon.metrics.checking import summed
from ratoon.metrics.slices.binning import Binned, binned
from ratoon.metrics.slices.slicing import Condition, Mask, Slice
from ratoon.metrics.slices.welch import Sums, compared, statistics
from ratoon.windows.judged import Floats
from ratoon.windows.rows import Rows

_CROSSED = 3.0  # t by which a crossing, the best of many, must be worse than what it is part of
_LEFT = 2.0  # t by which rows that no better slice explains must be worse
_FOUND = slice(None, None, 2)  # the rows that the search may see


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How far a search for slices goes."""

    depth: int = 2  # how many conditions a slice may have
    beam: int = 20  # how many slices of each depth are crossed further
    bins: int = 8  # into how many ranges numbers are cut; up to half of them may be one slice
    most: int = 50  # values of a category that are looked at, the commonest
    least: int = 30  # rows of a slice among those searched
    candidates: int = 10  # slices that are tested in the end

    def __post_init__(self) -> None:
        """Check the settings."""
        for name in ("depth", "beam", "most", "candidates"):
            whole(name, getattr(self, name), least=1)
        for name in ("bins", "least"):
            whole(name, getattr(self, name), least=2)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Candidate:
    conditions: tuple[Condition, ...]
    mask: Mask  # over the rows that are searched
    each: tuple[Mask, ...]  # where each of the conditions holds
    t: float

    @property
    def columns(self) -> frozenset[str]:
        return frozenset(condition.column for condition in self.conditions)


def candidates_of(
    features: Rows, columns: tuple[str, ...], losses: Floats, effect: float, effort: Effort
) -> list[Slice]:
    """Return the slices to be tested, the clearest first, from every second row."""
    parts = [binned(features, name, effort.bins, effort.most, _FOUND) for name in columns]
    searched = losses[_FOUND]
    searched = searched - searched.mean() if len(searched) else searched  # keeps digits
    every = np.ones(len(searched), dtype=bool)
    whole_table = _Candidate(conditions=(), mask=every, each=(), t=0.0)
    found: list[_Candidate] = []
    level = [whole_table]
    for _ in range(effort.depth):
        level = [c for base in level for c in _crossed(base, parts, searched, effort)]
        level = sorted(_distinct(level), key=lambda c: -c.t)[: effort.beam]
        found += level
    return [Slice(conditions=c.conditions) for c in _apart(found, searched, effect, effort)]


def _crossed(
    base: _Candidate, parts: list[Binned], losses: Floats, effort: Effort
) -> list[_Candidate]:
    """Return the slices of a slice, by one more column, that are worse than the rest of it."""
    found: list[_Candidate] = []
    inside = losses[base.mask]
    everything = _sums(np.zeros(len(losses), dtype=np.intp), losses, 1)
    for part in parts:
        if not part.conditions or part.conditions[0].column in base.columns:
            continue
        codes = part.codes[_FOUND]
        each = _sums(codes[base.mask], inside, len(part.conditions))
        starts, stops = _spans(part)
        sums = _joined(each, starts, stops)
        t = statistics(sums, everything.less(sums))
        good = (sums.rows >= effort.least) & (t > 0)
        if base.conditions:
            of_base = _sums(np.zeros(len(inside), dtype=np.intp), inside, 1)
            good &= statistics(sums, of_base.less(sums)) >= _CROSSED
        best = np.flatnonzero(good)
        for place in best[np.argsort(-t[best], kind="stable")][: effort.beam].tolist():
            start, stop = int(starts[place]), int(stops[place])
            first, last = part.conditions[start], part.conditions[stop - 1]
            condition = first if stop - start == 1 else first.upto(last)
            holds = (codes >= start) & (codes < stop)
            crossed = _Candidate(
                conditions=(*base.conditions, condition),
                mask=base.mask & holds,
                each=(*base.each, holds),
                t=float(t[place]),
            )
            found.append(crossed)
    return found


def _spans(part: Binned) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], ...]:
    """Return the first condition and the one after the last of each candidate slice of a column."""
    longest = max(1, part.ranges // 2)
    pairs = [
        (start, start + length)
        for length in range(1, longest + 1)
        for start in range(part.ranges - length + 1)
    ]
    pairs += [(place, place + 1) for place in range(part.ranges, len(part.conditions))]
    table = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _sums(codes: np.ndarray[tuple[int], np.dtype[np.intp]], losses: Floats, size: int) -> Sums:
    return Sums(
        rows=summed(codes, np.ones(len(losses)), size)[:size],
        losses=summed(codes, losses, size)[:size],
        squares=summed(codes, losses**2, size)[:size],
    )


def _joined(
    each: Sums,
    starts: np.ndarray[tuple[int], np.dtype[np.intp]],
    stops: np.ndarray[tuple[int], np.dtype[np.intp]],
) -> Sums:
    """Return the sums over conditions from each start up to each stop."""

    def between(values: Floats) -> Floats:
        upto = np.concatenate([[0.0], np.cumsum(values)])
        return upto[stops] - upto[starts]

    return Sums(rows=between(each.rows), losses=between(each.losses), squares=between(each.squares))


def _distinct(candidates: list[_Candidate]) -> list[_Candidate]:
    """Leave out crossings that were reached by another order of their conditions."""
    return list({frozenset(c.conditions): c for c in candidates}.values())


def _apart(
    found: list[_Candidate], losses: Floats, effect: float, effort: Effort
) -> list[_Candidate]:
    """Keep the clearest, and those that are worse by rows that no kept one explains."""
    kept: list[_Candidate] = []
    left = np.ones(len(losses), dtype=bool)
    for candidate in sorted(found, key=lambda c: -c.t):
        inside = candidate.mask[left]
        if len(kept) == effort.candidates or inside.sum() < effort.least:
            continue
        rest = compared(losses[left], inside)
        if rest.size < effect or rest.effect < _LEFT * rest.stderr:
            continue
        if all(_needed(candidate, i, losses, left) for i in range(len(candidate.each))):
            kept.append(candidate)
            left &= ~candidate.mask
    return kept


def _needed(candidate: _Candidate, number: int, losses: Floats, left: Mask) -> bool:
    """Tell whether the slice is worse than it would be without one of several conditions."""
    others = [mask for i, mask in enumerate(candidate.each) if i != number]
    if not others:
        return True
    around = left & np.logical_and.reduce(others)
    found = compared(losses[around], candidate.mask[around])
    return found.effect >= _CROSSED * found.stderr
