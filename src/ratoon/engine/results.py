"""What a loop hands out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ratoon.core.measuring import Measurement
from ratoon.core.running import Run
from ratoon.core.versions import ModelVersion
from ratoon.stores.protocol import Counts
from ratoon.windows.judged import Floats
from ratoon.windows.rows import Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """What the champion answered: keep the ids, labels come back with them."""

    ids: tuple[str, ...]
    outputs: Array  # shape (rows,): numbers, or classes
    scores: Floats | None  # shape (rows, classes): probabilities, columns in the order of `classes`
    classes: tuple[object, ...]  # empty for a regression
    version: int  # the version that answered

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a loop stands."""

    loop: str
    champion: ModelVersion | None
    challenger: ModelVersion | None
    since: datetime | None
    counts: Counts
    latest: Mapping[str, Measurement]  # the newest measurement of each metric of the champion
    run: Run | None  # the newest run
    waiting: str | None  # what the loop waits for
    retrainings: int
    refused: int
    rollbacks: int
