"""Counts of label delays by cohort of event time, on a grid that history does not make larger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Micros: TypeAlias = NDArray[np.int64]
_LEVELS = 40  # doublings of a cohort's width: more than all event times need
_OCTAVES = 30  # doublings of the finest delay; what comes later still falls into one last bin


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many fell into each bin of delay; empty bins are left out."""

    bins: tuple[int, ...] = ()  # ascending
    counts: tuple[int, ...] = ()

    def __len__(self) -> int:
        """Count all."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """The predictions of one stretch of event time, and when their labels came."""

    start_us: int  # event time of the stretch, microseconds since 1970
    width_us: int
    entered: Tally = field(default_factory=Tally)  # predictions, by their age on arrival
    joined: Tally = field(default_factory=Tally)  # labels, by their delay
    born: Tally = field(default_factory=Tally)  # of those, the ones that were never waited for


Kind: TypeAlias = str  # "entered", "joined" or "born"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Which cohort an event time belongs to, and which bin a delay.

    Delays: bin 0 ends at `finest_us`, and each `per_octave` bins the delay doubles. Event times:
    the newest cohorts are `finest_us` wide, and the older one is, the wider: at an age of A about
    A / cohorts. Cohorts begin at whole multiples of their width, and a wide one is made of narrow
    ones, so what a grid holds follows from what was counted and the newest arrival alone, in
    whichever order it came.
    """

    finest_us: int
    per_octave: int
    cohorts: int

    def edges(self) -> Micros:
        """Return the upper edge of each bin of delay but the last, which has none."""
        steps = np.arange(_OCTAVES * self.per_octave + 1) / self.per_octave
        return np.round(self.finest_us * np.exp2(steps)).astype(np.int64)

    def bins(self, delays_us: Micros) -> Micros:
        """Return the bin of each delay; one below 0 counts as 0."""
        return np.searchsorted(self.edges(), delays_us, side="left").astype(np.int64)

    def cells(self, times_us: Micros, newest_us: int) -> tuple[Micros, Micros]:
        """Return start and width of the cohort of each event time, given the newest arrival."""
        ticks = times_us // self.finest_us
        newest, levels = newest_us // self.finest_us, np.arange(_LEVELS, dtype=np.int64)
        borders = (newest >> (levels + 1) << (levels + 1)) - ((2 * self.cohorts) << levels)
        level = np.searchsorted(-borders, -ticks, side="left").astype(np.int64)
        start = (ticks >> level) << level
        return start * self.finest_us, np.left_shift(np.int64(self.finest_us), level)


def joined_tallies(parts: Iterable[Tally]) -> Tally:
    """Return the sum of tallies."""
    found: Counter[int] = Counter()
    for part in parts:
        found.update(dict(zip(part.bins, part.counts, strict=True)))
    bins = sorted(found)
    return Tally(bins=tuple(bins), counts=tuple(found[one] for one in bins))


def regrouped(grid: Grid, cohorts: Sequence[Cohort], newest_us: int) -> tuple[Cohort, ...]:
    """Return cohorts as they are once something arrived at `newest_us`: older ones are joined."""
    if not cohorts:
        return ()
    starts = np.array([cohort.start_us for cohort in cohorts], dtype=np.int64)
    places = zip(*(found.tolist() for found in grid.cells(starts, newest_us)), strict=True)
    parts: dict[tuple[int, int], list[Cohort]] = {}
    for cohort, place in zip(cohorts, places, strict=True):
        parts.setdefault(place, []).append(cohort)
    return tuple(_one(place, parts[place]) for place in sorted(parts))


def _one(place: tuple[int, int], parts: list[Cohort]) -> Cohort:
    start, width = place
    first = parts[0]
    if len(parts) == 1 and (first.start_us, first.width_us) == place:
        return first
    return Cohort(
        start_us=start,
        width_us=width,
        entered=joined_tallies(part.entered for part in parts),
        joined=joined_tallies(part.joined for part in parts),
        born=joined_tallies(part.born for part in parts),
    )


def counted(
    grid: Grid, times_us: Micros, bins: Micros, newest_us: int, kind: Kind
) -> tuple[Cohort, ...]:
    """Return rows as cohorts: their event times, and the bins that their delays fell into."""
    if not len(times_us):
        return ()
    starts, widths = grid.cells(times_us, newest_us)
    cells, first, cell = np.unique(starts, return_index=True, return_inverse=True)
    size = int(bins.max()) + 1
    counts = np.bincount(cell * size + bins, minlength=len(cells) * size).reshape(-1, size)
    return tuple(
        Cohort(start_us=start, width_us=width, **{kind: _tally(found)})
        for start, width, found in zip(cells.tolist(), widths[first].tolist(), counts, strict=True)
    )


def _tally(counts: Micros) -> Tally:
    bins = np.flatnonzero(counts)
    return Tally(bins=tuple(bins.tolist()), counts=tuple(counts[bins].tolist()))
