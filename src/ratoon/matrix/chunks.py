"""A history in chunks: models are trained, and change, between them."""

from __future__ import annotations

from dataclasses import dataclass

from ratoon.core import settings
from ratoon.core.errors import SettingInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunks:
    """The first rows train the first model; the rest comes in chunks, equal up to one row.

    A model of time s knows all rows before chunk s: of time 0 the first rows alone.

    >>> chunks = Chunks(rows=110, first=10, count=10)
    >>> chunks.end(0), chunks.span(9), chunks.trained_on(4, window=2)
    (10, (100, 110), (30, 50))

    Args:
        rows: of the history, in order of time.
        first: rows that train the first model, at least 1.
        count: chunks behind them, at least 1, each with at least one row.

    Raises:
        SettingInvalid: there are not so many rows, or a number is too small.
    """

    rows: int
    first: int
    count: int

    def __post_init__(self) -> None:
        """Check that every chunk has a row."""
        settings.whole("rows", self.rows, least=2)
        settings.whole("first", self.first, least=1)
        settings.whole("count", self.count, least=1)
        if self.rows - self.first < self.count:
            raise SettingInvalid("count", "at most the rows behind the first ones", self.count)

    def end(self, time: int) -> int:
        """Return the row before which a model of `time` was trained: the first of its chunk."""
        return self.first + (self.rows - self.first) * time // self.count

    def span(self, chunk: int) -> tuple[int, int]:
        """Return the first row of a chunk, and the one after its last."""
        return self.end(chunk), self.end(chunk + 1)

    def trained_on(self, time: int, window: int | None) -> tuple[int, int]:
        """Return the rows that a model of `time` is trained on: all, or those of so many chunks.

        A window counts rows, so it may reach into the first ones, and ends at the first of all.
        """
        stop = self.end(time)
        if window is None:
            return 0, stop
        length = (self.rows - self.first) * window // self.count
        return max(0, stop - length), stop
