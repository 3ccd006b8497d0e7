"""What every model would have lost on every later row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ratoon.core import settings
from ratoon.core.errors import SettingInvalid
from ratoon.matrix import files
from ratoon.matrix.chunks import Chunks
from ratoon.matrix.files import Losses
from ratoon.windows.judged import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matrix:
    """Losses by time of training, window and row.

    The model of time s and window w is the one that is trained, from scratch, on the rows of window
    w before chunk s. It depends on nothing but s and w. So any policy whose models are trained from
    scratch can be replayed without another fit, with any cost of a fit and any delay of labels.

    >>> chunks = Chunks(rows=5, first=1, count=2)
    >>> losses = np.array([[[1, 0, 1, 1]], [[np.nan, np.nan, 0, 1]]], dtype=np.float32)
    >>> seconds = np.zeros((2, 1))
    >>> matrix = Matrix(
    ...     chunks=chunks, windows=(None,), losses=losses, fit_s=seconds, score_s=seconds
    ... )
    >>> matrix.means()[:, 0]
    array([[0.5, 1. ],
           [nan, 0.5]])
    """

    chunks: Chunks
    windows: tuple[int | None, ...]  # lengths in chunks; None is all rows
    losses: Losses  # (times, windows, rows behind the first ones); NaN before the model's time
    fit_s: Floats  # (times, windows): CPU seconds of each fit
    score_s: Floats  # (times, windows): CPU seconds to score a chunk, on average

    def __post_init__(self) -> None:
        """Check that the arrays have the shapes that chunks and windows ask for."""
        models = (self.chunks.count, len(self.windows))
        shape = (*models, self.chunks.rows - self.chunks.first)
        if self.losses.shape != shape:
            raise SettingInvalid("losses", f"of shape {shape}", self.losses.shape)
        if self.fit_s.shape != models or self.score_s.shape != models:
            got = self.fit_s.shape, self.score_s.shape
            raise SettingInvalid("fit_s and score_s", f"of shape {models}", got)

    @classmethod
    def read(cls, chunks: Chunks, windows: Sequence[int | None], folder: Path) -> Matrix:
        """Read what `compute` has written, without the bench that it was computed with.

        Args:
            chunks: of the history, as they were then.
            windows: lengths in chunks, as they were then.
            folder: of the matrix.

        Raises:
            SettingInvalid: the matrix is not complete, or has other chunks or windows.
            FileCorrupt: a file cannot be read.
        """
        files.check(folder, chunks, windows)
        rows = chunks.rows - chunks.first
        losses = np.full((chunks.count, len(windows), rows), np.nan, dtype=np.float32)
        costs = np.zeros((chunks.count, len(windows), 2))
        for time in range(chunks.count):
            if not files.path_of(folder, time).exists():
                rule = f"complete: time {time} is missing, and `compute` goes on with it"
                raise SettingInvalid("folder", rule, str(folder))
            part = files.read(folder, time, (len(windows), chunks.rows - chunks.end(time)))
            losses[time, :, chunks.end(time) - chunks.first :] = part.losses
            costs[time] = part.costs
        return cls(
            chunks=chunks,
            windows=tuple(windows),
            losses=losses,
            fit_s=costs[:, :, 0],
            score_s=costs[:, :, 1],
        )

    def rows_of(self, time: int, window: int, chunk: int) -> Losses:
        """Return the losses of a model on the rows of a chunk, (rows,); `window` is its place."""
        start, stop = self._span(chunk)
        return self.losses[time, window, start:stop]

    def means(self) -> Floats:
        """Return the mean loss of each model on each chunk, (times, windows, chunks).

        NaN where a chunk was before the model's time.
        """
        spans = [self._span(chunk) for chunk in range(self.chunks.count)]
        return self._averaged([np.arange(start, stop) for start, stop in spans])

    def halves(self, seed: int = 0) -> tuple[Floats, Floats]:
        """Return the means on a random half of the rows of each chunk, and those on the others.

        Both have the shape of `means()`. Of an odd number of rows the second half has one more.

        Args:
            seed: of the draws, at least 0.

        Raises:
            SettingInvalid: a chunk has one row alone.
        """
        settings.whole("seed", seed, least=0)
        rng = np.random.default_rng(seed)
        left: list[NDArray[np.intp]] = []
        right: list[NDArray[np.intp]] = []
        for chunk in range(self.chunks.count):
            start, stop = self._span(chunk)
            if stop - start < 2:  # noqa: PLR2004 - one row has no halves
                raise SettingInvalid("chunks", "of at least 2 rows each to be halved", self.chunks)
            drawn = start + rng.permutation(stop - start)
            half = (stop - start) // 2
            left.append(np.sort(drawn[:half]))
            right.append(np.sort(drawn[half:]))
        return self._averaged(left), self._averaged(right)

    def _span(self, chunk: int) -> tuple[int, int]:
        start, stop = self.chunks.span(chunk)
        return start - self.chunks.first, stop - self.chunks.first

    def _averaged(self, rows: Sequence[NDArray[np.intp]]) -> Floats:
        """Return the means on some rows of each chunk; there are none of it before it began."""
        found = np.full((*self.losses.shape[:2], self.chunks.count), np.nan)
        for chunk, places in enumerate(rows):
            known = self.losses[: chunk + 1, :, places]
            found[: chunk + 1, :, chunk] = known.mean(axis=2, dtype=float)
        return found
