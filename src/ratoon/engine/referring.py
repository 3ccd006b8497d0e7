"""What the champion's predictions are compared with: made with a version, read for a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ratoon.core import wire
from ratoon.core.errors import RatoonError
from ratoon.core.schema import Schema
from ratoon.engine.evidence import features, recorded
from ratoon.engine.models import Models
from ratoon.engine.pinning import unpinned
from ratoon.policies import Standing
from ratoon.policies.state import References
from ratoon.policies.turn import Compared, Predicted
from ratoon.stores.protocol import Columns, Draft, Store
from ratoon.windows.judged import Judged, Scored, Target
from ratoon.windows.rows import Array, Rows
from ratoon.windows.summaries import Reference
from ratoon.windows.summaries.stored import few_bins, stored

_SCORES = 20
"""Classes whose scores are compared; of more, the class that was answered alone."""


def references_of(trained: Rows, held_out: Judged) -> References:
    """Return what the predictions of a version are to be compared with.

    Args:
        trained: the features that it was trained on.
        held_out: what it answered to the rows that were held out from its training.
    """
    answers = answers_of(held_out.target, held_out.scored)
    return References(inputs=stored(few_bins(trained.columns)), outputs=stored(few_bins(answers)))


def answers_of(target: Target, scored: Scored) -> Mapping[str, Array]:
    """Return answers as columns: the output, and scores by the name of their class or quantile.

    Of two classes the score of the second one says all.

    >>> target = Target(task="binary", classes=("no", "yes"))
    >>> said = Scored(outputs=np.array([1.0]), scores=np.array([[0.2, 0.8]]))
    >>> {name: column.tolist() for name, column in answers_of(target, said).items()}
    {'output': [1.0], 'score of yes': [0.8]}
    """
    found: dict[str, Array] = {"output": scored.outputs}
    names = [f"score of {name}" for name in target.classes]
    names = names or [f"quantile {level:g}" for level in target.levels]
    if scored.scores is None or len(names) != scored.scores.shape[1] or len(names) > _SCORES:
        return found
    first = 1 if len(target.classes) == 2 else 0  # noqa: PLR2004 - two classes
    return found | {names[k]: scored.scores[:, k] for k in range(first, len(names))}


class Referring:
    """Gives the policy predictions beside the references of the champion, read once for each."""

    def __init__(self, store: Store, models: Models, schema: Schema) -> None:
        """Begin with no champion known."""
        self._store = store
        self._models = models
        self._schema = schema
        self._known: tuple[int, Reference | None, Reference | None] | None = None

    def predicted(self, draft: Draft, champion: int | None, target: Target) -> Predicted:
        """Return what a batch of predictions is to the policy."""
        columns, rows = draft.columns, len(draft.columns["time"])
        if champion is None:
            return Predicted(at=draft.at, rows=rows)
        if self._known is None or self._known[0] != champion:
            self._known = (champion, *self._read(champion))
        _, inputs, outputs = self._known
        times, asked = columns["time"], features(columns, self._schema).columns
        return Predicted(
            at=draft.at,
            rows=rows,
            inputs=_compared(inputs, asked, times),
            outputs=_answered(outputs, columns, champion, target),
        )

    def _read(self, number: int) -> tuple[Reference | None, Reference | None]:
        """Return the references of a version; what was stored without is counted anew.

        They are counted on the rows that it was trained on. Where those are not pinned, or not all
        there, its predictions are compared with nothing.
        """
        kept = self._models.version(number)
        standing: Standing = wire.loads(Standing, kept.standing)
        found = standing.references
        if found is not None:
            outputs = None if found.outputs is None else found.outputs.opened()
            return found.inputs.opened(), outputs
        pin = None if kept.version.snapshot is None else self._store.pin(kept.version.snapshot)
        try:
            return None if pin is None else few_bins(
                unpinned(pin, self._store).features.columns
            ), None
        except RatoonError:
            return None, None


def _compared(
    reference: Reference | None, columns: Mapping[str, Array], times: Array
) -> Compared | None:
    """Return columns beside a reference; None where it knows columns that are not there."""
    if reference is None or not len(times) or any(name not in columns for name in reference.grids):
        return None
    return Compared(columns=columns, times=times, reference=reference)


def _answered(
    reference: Reference | None, columns: Columns, champion: int, target: Target
) -> Compared | None:
    """Return what the champion itself answered of a batch."""
    own = np.flatnonzero(columns["version"] == champion)
    scored = recorded(columns, target) if reference is not None and len(own) else None
    if scored is None:
        return None
    found = _compared(reference, answers_of(target, scored.take(own)), columns["time"][own])
    return None if found is None else replace(found, rows=own)
