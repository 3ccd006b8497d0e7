"""What is kept of each window of a log while it is read: small, and it merges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ratoon.core.measuring import RowRange, Window
from ratoon.core.times import from_micros
from ratoon.metrics import Tally, tally
from ratoon.metrics.protocol import Metric
from ratoon.monitors.layout import Layout
from ratoon.monitors.sampling import Sample
from ratoon.windows.summaries import Reference, Summary, merged

Numbers: TypeAlias = NDArray[np.int64]

_MINUTE = 60_000_000  # microseconds
LADDER = tuple(_MINUTE * n for n in (1, 10, 60, 1440, 1440 * 7, 1440 * 28, 1440 * 364))
"""Lengths of windows that are tried, in microseconds; each is a multiple of the one before."""

FEWEST_ROWS = 1000
"""Rows of a window where nothing is said and few rows come."""

MOST_SHOWN = 60
"""Windows, where nothing is said of their length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """How a log is cut into windows: by time or by rows.

    Args:
        every: microseconds, or rows.
        by_time: which of the two.
        chosen: whether a person said so; else windows are put together as they become many.
    """

    every: int
    by_time: bool
    chosen: bool = True

    def numbers(self, rows: Numbers, times: Numbers | None) -> Numbers:
        """Return the number of each row's window, (n,)."""
        found = rows if times is None or not self.by_time else times
        return found // self.every

    def coarser(self) -> Cut:
        """Return windows that are each made of several of these."""
        if not self.by_time:
            return replace(self, every=self.every * 2)
        return replace(self, every=next(n for n in LADDER if n > self.every))

    @property
    def coarsest(self) -> bool:
        """Whether there is no coarser one."""
        return self.by_time and self.every >= LADDER[-1]

    def window(self, number: int, part: Part) -> Window:
        """Return what a window is the rows of."""
        start = number * self.every
        if self.by_time:
            return Window(start=from_micros(start), end=from_micros(start + self.every))
        rows = RowRange(start=start, stop=start + part.rows)
        if part.first_us is None or part.last_us is None:
            return Window(start=from_micros(start), end=from_micros(rows.stop), rows=rows)
        ends = from_micros(part.first_us), from_micros(part.last_us + 1)
        return Window(start=ends[0], end=ends[1], rows=rows)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """What is kept of some rows of a window; parts merge."""

    rows: int
    summary: Summary
    sample: Sample
    tally: Tally | None = None  # of the labelled rows
    first_us: int | None = None  # microseconds since 1970
    last_us: int | None = None

    @property
    def labelled(self) -> int:
        """How many rows have a label and an output."""
        return 0 if self.tally is None else self.tally.n

    def merged(self, other: Part) -> Part:
        """Return what is kept of both."""
        tallies = [t for t in (self.tally, other.tally) if t is not None]
        firsts = [t for t in (self.first_us, other.first_us) if t is not None]
        lasts = [t for t in (self.last_us, other.last_us) if t is not None]
        return Part(
            rows=self.rows + other.rows,
            summary=merged(self.summary, other.summary),
            sample=self.sample.merged(other.sample),
            tally=sum(tallies[1:], tallies[0]) if tallies else None,
            first_us=min(firsts, default=None),
            last_us=max(lasts, default=None),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Collected:
    """What is kept of a log so far."""

    cut: Cut
    parts: Mapping[int, Part]  # by the number of the window
    rows: int = 0
    timeless: int = 0  # rows without a time, which are in no window
    sampled: int = 5000  # rows of a window at most in its sample

    def merged(self, other: Collected) -> Collected:
        """Return what is kept of both, which must be cut the same way."""
        parts = dict(self.parts)
        for number, part in other.parts.items():
            parts[number] = parts[number].merged(part) if number in parts else part
        return replace(
            self,
            parts=parts,
            rows=self.rows + other.rows,
            timeless=self.timeless + other.timeless,
        )

    def coarser(self) -> Collected:
        """Return the same in longer windows."""
        cut = self.cut.coarser()
        parts: dict[int, Part] = {}
        for number, part in self.parts.items():
            into = number * self.cut.every // cut.every
            parts[into] = parts[into].merged(part) if into in parts else part
        return replace(self, cut=cut, parts=parts)

    def sampling(self, most: int) -> Collected:
        """Return the same with fewer rows in the samples."""
        parts = {n: replace(p, sample=p.sample.cut(most)) for n, p in self.parts.items()}
        return replace(self, parts=parts, sampled=most)


def collect(
    into: Collected, layout: Layout, reference: Reference, table: Any, most_cells: int
) -> Collected:
    """Return what is kept of a log with these rows too; they may come in any order of time.

    Args:
        into: what is kept so far.
        layout: of the columns.
        reference: with the bins.
        table: a batch, as `Layout.shaped` gives it.
        most_cells: rows in samples, times their columns, at most.
    """
    numbers = into.rows + np.arange(table.num_rows, dtype=np.int64)
    times = times_of(layout, table)
    if times is not None and into.cut.by_time:
        known = np.flatnonzero(times != _NO_TIME)
        if len(known) < len(times):
            gone = len(times) - len(known)
            table, numbers, times = table.take(known), numbers[known], times[known]
            into = replace(into, rows=into.rows + gone, timeless=into.timeless + gone)
    while True:
        of_row = into.cut.numbers(numbers, times)
        windows = len(into.parts.keys() | set(np.unique(of_row).tolist()))
        if into.cut.chosen or windows <= MOST_SHOWN or into.cut.coarsest:
            break
        into = into.coarser()
    most = max(100, min(into.sampled, most_cells // (max(1, windows) * len(layout.kinds))))
    if most < into.sampled:
        into = into.sampling(most)
    parts = {
        number: _part(layout, reference, rows, numbers[index], times, index, most)
        for number, index, rows in _split(table, of_row)
    }
    return into.merged(replace(into, parts=parts, rows=len(numbers), timeless=0))


_NO_TIME = np.iinfo(np.int64).min


def times_of(layout: Layout, table: Any) -> Numbers | None:
    """Return the event times in microseconds since 1970, the least number where one is missing."""
    if layout.roles.time is None:
        return None
    column = table.column(layout.roles.time)
    if hasattr(column, "combine_chunks"):
        column = column.combine_chunks()
    found = column.to_numpy(zero_copy_only=False).astype("datetime64[us]")
    return found.astype(np.int64)


def mergeable(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    """Return the metrics that can be told from what windows leave behind."""
    return tuple(metric for metric in metrics if hasattr(metric, "tell"))


def tallied(layout: Layout, table: Any) -> Tally | None:
    """Return what the labelled rows of a shaped table leave behind; None without any."""
    metrics = mergeable(layout.metrics)
    judged = layout.counted(table)
    return tally(metrics, judged) if judged is not None and len(judged) and metrics else None


def _split(table: Any, of_row: Numbers) -> list[tuple[int, NDArray[np.intp], Any]]:
    """Return the rows of each window: a slice where they stand together."""
    if not len(of_row):
        return []
    order = np.arange(len(of_row))
    if (np.diff(of_row) < 0).any():
        order = np.argsort(of_row, kind="stable")
        table = table.take(order)
    ordered = of_row[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1))
    stops = np.append(starts[1:], len(ordered))
    return [
        (int(ordered[start]), order[start:stop], table.slice(start, stop - start))
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
    ]


def _part(
    layout: Layout,
    reference: Reference,
    rows: Any,
    numbers: Numbers,
    times: Numbers | None,
    index: NDArray[np.intp],
    most: int,
) -> Part:
    there = None if times is None else times[index][times[index] != _NO_TIME]
    if there is not None and not len(there):
        there = None
    columns = {name: rows.column(name) for name in reference.grids}
    return Part(
        rows=len(index),
        summary=reference.summarise(columns),
        sample=Sample(most=most).updated(rows, numbers),
        tally=tallied(layout, rows),
        first_us=None if there is None else int(there.min()),
        last_us=None if there is None else int(there.max()),
    )
