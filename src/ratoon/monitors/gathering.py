"""The reference of a log, gathered batch by batch: bins from its first rows, counts of all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from ratoon.drift.inflation import Inflation, inflation_of
from ratoon.metrics import Tally
from ratoon.monitors.collecting import tallied, times_of
from ratoon.monitors.layout import Layout
from ratoon.monitors.sampling import Sample
from ratoon.windows.summaries import CategoryGrid, ColumnSummary, Grid, NumberGrid, Reference
from ratoon.windows.summaries.column import merged_column
from ratoon.windows.summaries.grids import number_grid
from ratoon.windows.summaries.summary import Summary, numbers
from ratoon.windows.summaries.texts import category_counts, grid_of

_DISTINCT = 200_000  # categories of a column that are counted apart
_BLOCKS = 10  # parts of the first rows that are compared with each other
_LEAST_BLOCK = 200  # rows of such a part


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Base:
    """What windows are compared with."""

    reference: Reference
    rows: int
    sample: Sample
    tally: Tally | None
    inflation: Inflation
    span_us: tuple[int, int] | None  # of its event times, microseconds since 1970
    binned: int  # rows that the bins were made of


class Gathering:
    """Takes the batches of a reference in, and gives what windows are compared with.

    The bins of numbers are made of the first rows, up to a bound; counts are those of all rows.
    """

    def __init__(self, layout: Layout, *, bins: int, most_bytes: int, sampled: int) -> None:
        """Begin without rows.

        Args:
            layout: of the columns.
            bins: of a column of numbers, at most.
            most_bytes: of the rows that bins are made of.
            sampled: rows of the sample, at most.
        """
        self._layout = layout
        self._bins = bins
        self._room = most_bytes
        self._first: list[Any] = []  # the first rows
        self._full = False
        self._grids: dict[str, NumberGrid] = {}
        self._counted: dict[str, ColumnSummary] = {}  # of numbers
        self._texts: dict[str, dict[str, int]] = {n: {} for n in self._named("text")}
        self._gone: dict[str, int] = dict.fromkeys(self._texts, 0)
        self._rare: dict[str, int] = dict.fromkeys(self._texts, 0)
        self._sample = Sample(most=sampled)
        self._tally: Tally | None = None
        self._span: tuple[int, int] | None = None
        self.rows = 0

    def _named(self, kind: str) -> list[str]:
        kinds = self._layout.kinds
        return [name for name in self._layout.roles.watched if kinds[name] == kind]

    def add(self, table: Any) -> None:
        """Take a batch in, as `Layout.shaped` gives it."""
        places = self.rows + np.arange(table.num_rows, dtype=np.int64)
        self.rows += table.num_rows
        self._sample = self._sample.updated(table, places)
        found = tallied(self._layout, table)
        self._tally = found if self._tally is None or found is None else self._tally + found
        self._take_times(table)
        for name in self._texts:
            self._take_texts(name, table.column(name))
        if self._full:
            self._count(table)
            return
        self._first.append(table)
        self._room -= table.nbytes
        if self._room <= 0:
            self._freeze()

    def done(self) -> Base:
        """Return what windows are compared with; there was at least one row."""
        if not self._full:
            self._freeze()
        grids: dict[str, Grid] = {}
        columns: dict[str, ColumnSummary] = {}
        for name in self._layout.roles.watched:
            made = self._text_column(name) if name in self._texts else self._number_column(name)
            grids[name], columns[name] = made
        reference = Reference(grids=grids, summary=Summary(columns=columns))
        return Base(
            reference=reference,
            rows=self.rows,
            sample=self._sample,
            tally=self._tally,
            inflation=self._inflation(reference),
            span_us=self._span,
            binned=sum(table.num_rows for table in self._first),
        )

    def _take_times(self, table: Any) -> None:
        times = times_of(self._layout, table)
        if times is None:
            return
        known = times[times != np.iinfo(np.int64).min]
        if len(known):
            ends = int(known.min()), int(known.max())
            old = self._span or ends
            self._span = min(old[0], ends[0]), max(old[1], ends[1])

    def _take_texts(self, name: str, column: Any) -> None:
        names, counts = category_counts(column)
        self._gone[name] += int(counts[-1])
        known = self._texts[name]
        for text, rows in zip(names, counts[:-1].tolist(), strict=True):
            if text in known or len(known) < _DISTINCT:
                known[text] = known.get(text, 0) + rows
            else:
                self._rare[name] += rows

    def _freeze(self) -> None:
        """Make the bins of the first rows, and count those."""
        self._full = True
        import pyarrow as pa  # noqa: PLC0415 - slow to import

        table = cast("Any", pa).concat_tables(self._first)
        for name in self._named("number"):
            values = numbers(table.column(name))
            self._grids[name] = number_grid(values, self._bins)
            self._counted[name] = self._grids[name].count(values)

    def _count(self, table: Any) -> None:
        for name, grid in self._grids.items():
            now = grid.count(numbers(table.column(name)))
            self._counted[name] = merged_column(self._counted[name], now)

    def _number_column(self, name: str) -> tuple[Grid, ColumnSummary]:
        """Return the bins with the range of all rows, and their counts."""
        grid, found = self._grids[name], replace(self._counted[name], outside=0)
        moments = found.moments
        if moments is None or not moments.n:
            return grid, found
        return replace(grid, least=moments.least, greatest=moments.greatest), found

    def _text_column(self, name: str) -> tuple[Grid, ColumnSummary]:
        known, rare, gone = self._texts[name], self._rare[name], self._gone[name]
        names = list(known)
        grid = grid_of(names, np.array([*known.values(), 0], dtype=np.int64))
        if rare:
            grid = CategoryGrid(categories=grid.categories, whole=False)
        counts = [known[text] for text in grid.categories]
        others = sum(known.values()) - sum(counts) + rare
        return grid, ColumnSummary(counts=np.array([*counts, others, gone], dtype=np.int64))

    def _inflation(self, reference: Reference) -> Inflation:
        """Compare parts of the first rows with each other: rows that follow may be alike."""
        import pyarrow as pa  # noqa: PLC0415 - slow to import

        table = cast("Any", pa).concat_tables(self._first)
        length = table.num_rows // _BLOCKS
        if length < _LEAST_BLOCK:
            return {}
        columns = {name: table.column(name) for name in reference.grids}
        parts = [
            reference.summarise({n: c.slice(i * length, length) for n, c in columns.items()})
            for i in range(_BLOCKS)
        ]
        return inflation_of(reference, parts)
