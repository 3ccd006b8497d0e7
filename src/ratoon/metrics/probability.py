"""Metrics of predicted probabilities: log loss and the Brier score."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ratoon.core.settings import share
from ratoon.metrics.checking import check_task, labels_of, probabilities
from ratoon.metrics.means import OfMean
from ratoon.windows.judged import Floats, Judged, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLoss(OfMean):
    """The mean of the negative logarithm of the probability given to what came true.

    loss = -ln(max(p(label), clip)); stderr = s/√n. A class that the model does not know has
    probability 0. `clip` bounds the loss of a row at -ln(clip), 13.8 by default, so that one row
    cannot decide; scikit-learn clips at 2.2e-16 (36.0), so the two differ where a model was sure
    and wrong.

    >>> import numpy as np
    >>> from ratoon.core.measuring import Window
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=("good", "bad"))
    >>> said = Scored(outputs=np.zeros(2), scores=np.array([[0.5, 0.5], [1.0, 0.0]]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 0.0]), scored=said)
    >>> round(LogLoss().measure(judged, Window(start=EPOCH, end=EPOCH)).value, 4)
    0.3466

    Source: Good (1952), "Rational decisions", section 8; scikit-learn's `log_loss`.
    """

    name = "log_loss"
    tasks = frozenset({"binary", "multiclass"})

    clip: float = 1e-6  # probabilities below count as this; strictly between 0 and 1

    def __post_init__(self) -> None:
        """Check the setting."""
        share("clip", self.clip)

    def losses(self, judged: Judged, /) -> Floats:
        """Return -ln(max(p(label), clip)) of each row, between 0 and -ln(clip)."""
        scores, labels = probabilities(self, judged), labels_of(judged)
        given = scores[np.arange(len(labels)), labels]
        costs = 0.0 - np.log(np.maximum(given, self.clip))
        return np.minimum(costs, self.bound(judged.target))

    def bound(self, target: Target, /) -> float:
        """Return -ln(clip)."""
        check_task(self, target)
        return -math.log(self.clip)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brier(OfMean):
    """The mean squared distance between the probabilities and what came true.

    Of two classes (p(second) - 1[label = second])², at most 1; of several the sum of
    (p(c) - 1[label = c])² over all classes, at most 2, as scikit-learn's `brier_score_loss` with
    ``scale_by_half="auto"``. Here the task decides, there the number of columns. stderr = s/√n.

    >>> import numpy as np
    >>> from ratoon.core.measuring import Window
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=("good", "bad"))
    >>> said = Scored(outputs=np.zeros(2), scores=np.array([[0.5, 0.5], [1.0, 0.0]]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 1.0]), scored=said)
    >>> Brier().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.625

    Source: Brier (1950), "Verification of forecasts expressed in terms of probability", equation 2.
    """

    name = "brier"
    tasks = frozenset({"binary", "multiclass"})
    value_range = (0.0, 2.0)

    def losses(self, judged: Judged, /) -> Floats:
        """Return the squared distance of each row, between 0 and the bound."""
        scores, labels = probabilities(self, judged), labels_of(judged)
        distances = scores.copy()
        distances[np.arange(len(labels)), labels] -= 1.0
        squares = np.einsum("ij,ij->i", distances, distances)
        return np.minimum(squares, 2.0) * (self.bound(judged.target) / 2.0)

    def bound(self, target: Target, /) -> float:
        """Return 1 for two classes, 2 for several."""
        check_task(self, target)
        return 1.0 if target.task == "binary" else 2.0
