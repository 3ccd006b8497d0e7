"""What a model answers to some rows of its training: by that it is known again."""

from __future__ import annotations

from typing import Any

from ratoon.engine.scoring import grown, score
from ratoon.windows.snapshot import DatasetSnapshot

ROWS = 20
"""The first rows of a snapshot, which a model is known by."""


def answers(model: Any, snapshot: DatasetSnapshot, count: int = ROWS) -> list[list[float]]:
    """Return what a model says of the first rows of a snapshot: output and scores, a list a row."""
    if not count:
        return []
    rows = snapshot.features.take(slice(0, count))
    said = score(model, rows, grown(snapshot.target, model))
    outputs: list[list[float]] = [[value] for value in said.outputs.tolist()]
    if said.scores is None:
        return outputs
    scores: list[list[float]] = said.scores.tolist()
    return [first + rest for first, rest in zip(outputs, scores, strict=True)]
