"""Data drift on a replay matrix: the inputs of each chunk beside the champion's training rows."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import numpy as np

from benchmarks.decisions_streams import Array, Stream
from ratoon.core.measuring import Window
from ratoon.drift import ColumnTest
from ratoon.matrix import Chunks
from ratoon.triggers.protocol import PredictionsClosed
from ratoon.windows.summaries import reference_of

_MOST = 2000  # training rows that a reference is drawn from: the last ones would hide drift


class Inputs:
    """What `DataDrift` sees of a stream: each comparison is made once, and paid by all who ask."""

    def __init__(self, stream: Stream, chunks: Chunks) -> None:
        self.x = stream.x
        self.chunks = chunks
        self.codes = stream.categorical
        self.texts: dict[int, Array] = {}
        self.references: dict[int, tuple[Any, float]] = {}
        self.closed: dict[tuple[int, int], tuple[Any, float]] = {}

    def beside(self, born: int, chunk: int) -> tuple[Any, float]:
        """Return a chunk of inputs beside a model's training rows, and the CPU seconds it took."""
        if (born, chunk) not in self.closed:
            reference, _ = self._reference(born)
            began = time.process_time()
            moment = datetime.fromtimestamp(chunk, tz=UTC)
            window = Window(start=moment, end=moment)
            summary = reference.summarise(self._columns(np.arange(*self.chunks.span(chunk))))
            closed = PredictionsClosed(
                of="inputs",
                window=window,
                reference=reference,
                summary=summary,
                changes=ColumnTest().compare(reference, summary, window),
            )
            self.closed[born, chunk] = (closed, time.process_time() - began)
        return self.closed[born, chunk]

    def _reference(self, born: int) -> tuple[Any, float]:
        """Return the summary of a model's training rows, all or evenly spread ones."""
        if born not in self.references:
            began = time.process_time()
            stop = self.chunks.end(born)
            rows = np.linspace(0, stop - 1, min(stop, _MOST)).round().astype(int)
            found = reference_of(self._columns(rows))
            self.references[born] = (found, time.process_time() - began)
        return self.references[born]

    def paid(self, born: int) -> float:
        """Return the CPU seconds of a reference."""
        return self._reference(born)[1]

    def _columns(self, rows: Array) -> dict[str, Array]:
        """Return some rows by column; codes are categories."""
        for i in self.codes:
            if i not in self.texts:
                self.texts[i] = self.x[:, i].astype("U16").astype(object)
        return {
            f"x{i}": self.texts[i][rows] if i in self.texts else self.x[rows, i].astype(float)
            for i in range(self.x.shape[1])
        }
