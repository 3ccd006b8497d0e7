"""Metrics of the order that scores put rows in: ROC-AUC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ratoon.core.measuring import Measurement, Window
from ratoon.metrics.checking import check_task, class_scores, labels_of
from ratoon.metrics.influence import mean_influence, measured, undefined
from ratoon.windows.judged import Floats, Judged, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class RocAuc:
    """The probability that a row of the positive class has a higher score than another row.

    AUC = mean over pairs (i positive, j negative) of 1[sᵢ > sⱼ] + ½ 1[sᵢ = sⱼ]. Of several
    classes it is the mean of the AUC of each class against the rest, over the classes that occur
    among the labels; None where fewer than two occur.

    stderr by DeLong's structural components: V₁₀(i) is the share of negatives that positive i
    beats, V₀₁(j) the share of positives that beat negative j, ties counting half;
    stderr² = var(V₁₀)/m + var(V₀₁)/n, by midranks in O(n log n). The components are influences,
    so those of several classes add up row by row with their covariance.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=("good", "bad"))
    >>> bad = np.array([0.1, 0.4, 0.35, 0.8])
    >>> said = Scored(outputs=np.round(bad), scores=np.column_stack([1 - bad, bad]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 0.0, 1.0, 1.0]), scored=said)
    >>> RocAuc().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.75

    Source: DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44, 837-845, equations 3 to 6; Sun &
    Xu (2014), IEEE Signal Processing Letters 21, 1389-1393, for the midranks.
    """

    name = "roc_auc"
    tasks = frozenset({"binary", "multiclass"})
    greater_is_better = True

    def measure(self, judged: Judged, window: Window, /) -> Measurement:
        """Measure the area under the ROC curve."""
        scores, labels, rows = class_scores(self, judged), labels_of(judged), len(judged)
        present = np.unique(labels)
        if len(present) <= 1:
            return undefined(self.name, window, rows)
        chosen = [1] if judged.target.task == "binary" else present.tolist()
        value, influence = 0.0, np.zeros(rows)
        for code in chosen:
            area, of_rows = area_and_influence(scores[:, code], labels == code)
            value += area / len(chosen)
            influence += of_rows / len(chosen)
        return measured(self.name, window, rows, value, influence)

    def losses(self, judged: Judged, /) -> None:
        """Return None: pairs of rows have a loss here, rows have none."""
        check_task(self, judged.target)

    def bound(self, target: Target, /) -> None:
        """Return None: there are no row losses."""
        check_task(self, target)


def area_and_influence(scores: Floats, positive: NDArray[np.bool_]) -> tuple[float, Floats]:
    """Return the AUC and the influence of each row on it; both classes must occur.

    >>> import numpy as np
    >>> area_and_influence(np.array([1.0, 1.0, 2.0]), np.array([False, True, True]))[0]
    0.75
    """
    values, ranks = np.unique(scores, return_inverse=True)
    wins = np.bincount(ranks[positive], minlength=len(values))
    losses = np.bincount(ranks[~positive], minlength=len(values))
    positives, negatives = int(wins.sum()), int(losses.sum())
    beaten = ((losses.cumsum() - losses / 2) / negatives)[ranks[positive]]  # V10
    beating = (1 - (wins.cumsum() - wins / 2) / positives)[ranks[~positive]]  # V01
    influence = np.empty(len(scores))
    influence[positive] = mean_influence(beaten) * (len(scores) / positives)
    influence[~positive] = mean_influence(beating) * (len(scores) / negatives)
    return float(beaten.mean()), influence
