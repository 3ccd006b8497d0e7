"""How much likelier a reference row is in a window: importance weights by a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ratoon.estimates.estimate import Check, at_least
from ratoon.estimates.isotonic import fit_isotonic, ordered
from ratoon.windows.judged import Floats

EFFECTIVE = 0.1  # share of the reference; below, few of its rows speak for the window
_FOLDS = 5
_TREES = 30  # of each fold
_LEAF = 20  # rows of a leaf at least
_WINDOW = 2 * _LEAF  # rows; from fewer nothing is learnt
_CHANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ratio:
    """The weights of the reference rows, with mean 1."""

    weights: Floats  # (m,): above 0
    rows: int  # of the window

    @property
    def effective(self) -> float:
        """How many rows of equal weight say as much: (sum of w)^2 / sum of w^2.

        Source: Kish (1965), "Survey Sampling", section 11.7.
        """
        return float(self.weights.sum() ** 2 / (self.weights @ self.weights))

    def checks(self) -> tuple[Check, ...]:
        """Check that the window has rows enough, and that enough of the reference speaks for it."""
        share = self.effective / len(self.weights)
        told = f"the reference counts as {self.effective:.0f} rows of {len(self.weights)}"
        few = f"the window has {self.rows} rows; of fewer than {_WINDOW} all weights are 1"
        return (
            at_least("window_rows", self.rows, _WINDOW, few),
            at_least("effective_share", share, EFFECTIVE, told),
        )


def density_ratio(reference: Floats, window: Floats, *, clip: float, seed: int) -> Ratio:
    """Return how much likelier each reference row is in the window than in the reference.

    Randomised trees learn to tell the rows of the window from those of the reference, each side
    counting as much as the other. Every fifth row of both is left out in turn, and asked of the
    trees that did not see it; isotonic regression on these answers makes a p of what the trees
    say, and the ratio of densities is p / (1 - p). So no row is learnt by heart, without a shift
    the weights lie near 1, and with one they spread as far as the trees can tell. Weights above
    `clip` are cut.

    Args:
        reference: features, shape (m, d); NaN where they are missing.
        window: features, shape (n, d).
        clip: largest weight; above 1.
        seed: of the trees.

    Source: Bickel, Brückner & Scheffer (2009), "Discriminative learning under covariate shift",
    JMLR 10, section 4; Sugiyama, Suzuki & Kanamori (2012), "Density Ratio Estimation", chapter 4;
    Geurts, Ernst & Wehenkel (2006), "Extremely randomized trees".
    """
    from sklearn.ensemble import ExtraTreesClassifier  # noqa: PLC0415 - slow to import

    m, n = len(reference), len(window)
    if n < _WINDOW:
        return Ratio(weights=np.ones(m), rows=n)
    weight = np.repeat([1.0 / m, 1.0 / n], [m, n]) * ((m + n) / 2)
    fold = np.concatenate([np.arange(m), np.arange(n)]) % _FOLDS
    matrix, side = np.concatenate([reference, window]), np.repeat([False, True], [m, n])
    said = np.empty(m + n)
    trees: Any = ExtraTreesClassifier
    for block in range(_FOLDS):
        out = fold == block
        model = trees(_TREES, min_samples_leaf=_LEAF, max_features=None, random_state=seed)
        model.fit(matrix[~out], side[~out], sample_weight=weight[~out])
        said[out] = model.predict_proba(matrix[out])[:, 1]
    chance = fit_isotonic(ordered(said, side), weight).calibrate(said[:m])
    chance = np.clip(chance, _CHANCE, 1.0 - _CHANCE)
    weights = np.minimum(chance / (1.0 - chance), clip)
    return Ratio(weights=weights / weights.mean(), rows=n)
