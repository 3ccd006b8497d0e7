"""What a model answers to some rows of its training: by that it is known again."""

from __future__ import annotations

from typing import Any

from ratoon.engine.scoring import grown, score
from ratoon.windows.snapshot import DatasetSnapshot

_ROWS = 20


def answers(model: Any, snapshot: DatasetSnapshot) -> list[list[float]]:
    """Return what a model says of the first rows of a snapshot: output and scores, a list a row."""
    rows = snapshot.features.take(slice(0, _ROWS))
    said = score(model, rows, grown(snapshot.target, model))
    outputs: list[list[float]] = [[value] for value in said.outputs.tolist()]
    if said.scores is None:
        return outputs
    scores: list[list[float]] = said.scores.tolist()
    return [first + rest for first, rest in zip(outputs, scores, strict=True)]
