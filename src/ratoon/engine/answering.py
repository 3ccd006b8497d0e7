"""What a version answered, as rows that are stored and given back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ratoon.core.errors import RowsRefused, ValueForbidden
from ratoon.engine.evidence import recorded
from ratoon.stores.joining import same_content
from ratoon.stores.protocol import Columns
from ratoon.windows.judged import Floats, Scored, Target
from ratoon.windows.rows import Array, Rows


def feature_columns(rows: Rows) -> dict[str, Array]:
    """Return the features of rows as they are stored."""
    return {f"feature:{name}": rows.columns[name] for name in rows.schema.names}


def answer_columns(rows: Rows, times: Array, scored: Scored, version: int) -> dict[str, Array]:
    """Return rows with what a version answered, as they are stored."""
    columns = {**feature_columns(rows), "time": times, "output": scored.outputs}
    if scored.scores is not None:
        columns |= {f"score:{k}": scored.scores[:, k] for k in range(scored.scores.shape[1])}
    return columns | {"version": np.full(len(rows), float(version))}


def check_features(name: str, known: Columns, sent: Columns, row: int) -> None:
    """Refuse a row whose id is known with other features."""
    asked = {key: column for key, column in sent.items() if key.startswith("feature:")}
    same_content("prediction", name, known, 0, asked, row)


def answered_before(
    scored: Scored, known: Mapping[str, Columns], names: tuple[str, ...], target: Target
) -> Scored:
    """Put the answers that were given before in the place of new ones: a retry changes nothing."""
    outputs = scored.outputs.copy()
    scores = None if scored.scores is None else scored.scores.copy()
    for row, name in enumerate(names):
        before = recorded(known[name], target) if name in known else None
        if before is None:
            continue
        outputs[row] = before.outputs[0]
        if scores is not None and before.scores is not None:
            scores[row] = before.scores[0]
    return Scored(outputs=outputs, scores=scores)


def given_scores(scores: object, rows: int, target: Target) -> Floats | None:
    """Read scores that a person gives: probabilities, a row of classes each; None for none."""
    if scores is None:
        return None
    try:
        found = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise RowsRefused(f"scores must be a table of numbers: {error}") from error
    if found.shape != (rows, len(target.classes)):
        rule = f"of shape ({rows}, {len(target.classes)}): a column a class"
        raise RowsRefused(f"scores must be {rule}, got {found.shape}")
    wrong = ~((found >= 0) & (found <= 1))
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        value = float(found[row, column])
        raise ValueForbidden("scores", "probabilities, between 0 and 1", value, row)
    return found
