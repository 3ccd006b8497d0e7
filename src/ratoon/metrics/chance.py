"""Metrics of predicted classes that allow for chance: balanced accuracy, MCC and kappa."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ratoon.core.measuring import Measurement, Window
from ratoon.metrics.counts import Cells, OfCounts, told_of_cells
from ratoon.metrics.influence import undefined
from ratoon.windows.judged import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancedAccuracy(OfCounts):
    """The mean, over the classes that have labels, of the share of their rows that are right.

    Guessing gives 1/k whatever the classes' shares; of two classes it is the mean of recall and
    specificity. A class without labels does not count, as in scikit-learn. stderr by the delta
    method (`influence`); it is poor where a class has fewer than about ten rows.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=("good", "bad"))
    >>> said = Scored(outputs=np.array([0.0, 0.0, 0.0, 1.0]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 0.0, 1.0, 1.0]), scored=said)
    >>> BalancedAccuracy().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.75

    Source: Brodersen et al. (2010), "The balanced accuracy and its posterior distribution".
    """

    name = "balanced_accuracy"

    def of_cells(self, found: Cells, _target: Target, window: Window, /) -> Measurement:
        """Measure the mean recall."""
        there = found.labelled > 0
        if not there.any():
            return undefined(self.name, window, found.rows)
        recalls = found.hits / np.where(there, found.labelled, 1.0)
        value = float(recalls[there].mean())
        gains = found.rows / there.sum() / np.where(there, found.labelled, 1.0)
        influence = gains[found.labels] * (found.right - recalls[found.labels])
        support = float(found.labelled[there].min())
        return told_of_cells(self.name, window, found, value, influence, support)


@dataclass(frozen=True, slots=True, kw_only=True)
class MCC(OfCounts):
    """Matthews' correlation of labels and outputs: 1 all right, 0 as by chance, -1 all wrong.

    With c right rows of n, t(k) labelled and p(k) predicted as class k:

        MCC = (c n - Σ t p) / √((n² - Σ p²) (n² - Σ t²))

    None where the labels, or the outputs, are all of one class (scikit-learn says 0). stderr by the
    delta method (`influence`); it is poor where a class has fewer than about ten rows.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=("good", "bad"))
    >>> said = Scored(outputs=np.array([0.0, 0.0, 1.0, 1.0, 0.0, 1.0]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 0, 1, 1, 1, 0]), scored=said)
    >>> round(MCC().measure(judged, Window(start=EPOCH, end=EPOCH)).value, 3)
    0.333

    Source: Gorodkin (2004), "Comparing two K-category assignments by a K-category correlation
    coefficient", Computational Biology and Chemistry 28, 367-374, equation 8.
    """

    name = "mcc"
    value_range = (-1.0, 1.0)

    def of_cells(self, found: Cells, _target: Target, window: Window, /) -> Measurement:
        """Measure the correlation."""
        if found.rows == 0:
            return undefined(self.name, window, 0)
        p, t = found.predicted / found.rows, found.labelled / found.rows
        of_outputs, of_labels = 1.0 - p @ p, 1.0 - t @ t
        if p.max() == 1.0 or t.max() == 1.0:
            return undefined(self.name, window, found.rows)
        right, scale = found.hits.sum() / found.rows, math.sqrt(of_outputs * of_labels)
        value = float(np.clip((right - t @ p) / scale, -1.0, 1.0))
        outputs, labels = p[found.outputs], t[found.labels]
        shared = found.right + right - t[found.outputs] - p[found.labels]
        apart = (1.0 - outputs) / of_outputs + (1.0 - labels) / of_labels
        influence = shared / scale - value * apart
        return told_of_cells(self.name, window, found, value, influence, _support(found, value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kappa(OfCounts):
    """Cohen's kappa: how far the labels agree with the outputs beyond chance, at most 1.

    kappa = (right - chance) / (1 - chance), where chance = Σ t(k) p(k) is the share that would be
    right if outputs with these shares of the classes were dealt at random. None where chance is 1:
    labels and outputs are all of the same class. stderr by the delta method, as in Fleiss, Cohen &
    Everitt; it is poor where a class has fewer than about ten rows.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> target = Target(task="binary", classes=("good", "bad"))
    >>> said = Scored(outputs=np.array([0.0, 0.0, 0.0, 1.0]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 0.0, 1.0, 1.0]), scored=said)
    >>> Kappa().measure(judged, Window(start=EPOCH, end=EPOCH)).value
    0.5

    Source: Cohen (1960), "A coefficient of agreement for nominal scales"; Fleiss, Cohen & Everitt
    (1969), "Large sample standard errors of kappa and weighted kappa", equation 13.
    """

    name = "kappa"
    value_range = (-1.0, 1.0)

    def of_cells(self, found: Cells, _target: Target, window: Window, /) -> Measurement:
        """Measure the agreement beyond chance."""
        if found.rows == 0:
            return undefined(self.name, window, 0)
        p, t = found.predicted / found.rows, found.labelled / found.rows
        right, chance = float(found.hits.sum()) / found.rows, float(p @ t)
        if (p * t).max() == 1.0:
            return undefined(self.name, window, found.rows)
        value = (right - chance) / (1.0 - chance)
        by_chance = t[found.outputs] + p[found.labels] - 2.0 * chance
        influence = (found.right - right - (1.0 - value) * by_chance) / (1.0 - chance)
        return told_of_cells(self.name, window, found, value, influence, _support(found, value))


def _support(found: Cells, value: float) -> float | None:
    """Return the rows of the rarest class where nothing is wrong: there the stderr says nothing."""
    return float(found.labelled[found.labelled > 0].min()) if value == 1.0 else None
