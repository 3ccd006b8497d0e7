"""The calibrators of all classes of a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ratoon.estimates.isotonic import Calibrator, Ordered, calibration_helps, fit_isotonic
from ratoon.windows.judged import Floats

Calibrate = Literal["auto", "always", "never"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """One calibrator of the positive class of two, or one a class of several."""

    calibrators: tuple[Calibrator, ...]

    def probabilities(self, scores: Floats) -> Floats:
        """Return the probability of each class, shape (n, k), rows summing to 1.

        Of several classes the calibrated scores are divided by their sum; where all are 0 every
        class is as likely as another.
        """
        if len(self.calibrators) == 1:
            positive = self.calibrators[0].calibrate(scores[:, 1])
            return np.column_stack([1.0 - positive, positive])
        columns = [c.calibrate(scores[:, k]) for k, c in enumerate(self.calibrators)]
        return normalised(np.column_stack(columns))


def fit_calibration(classes: Sequence[Ordered], calibrate: Calibrate) -> Calibration:
    """Fit a calibrator for each of `classes`, the positive one of two or all of several.

    "auto" leaves out a calibrator that `calibration_helps` speaks against.
    """
    return Calibration(calibrators=tuple(_fitted(rows, calibrate) for rows in classes))


def fit_weighted(classes: Sequence[Ordered], weights: Floats) -> Calibration:
    """Fit a calibrator for each of `classes`, on rows that count as `weights` say, shape (n,)."""
    return Calibration(calibrators=tuple(fit_isotonic(rows, weights) for rows in classes))


def normalised(shares: Floats) -> Floats:
    """Return rows divided by their sums; a row of zeros becomes one of equal shares."""
    sums = shares.sum(axis=1, keepdims=True)
    even = np.full_like(shares, 1.0 / shares.shape[1])
    return np.divide(shares, sums, out=even, where=sums > 0)


def _fitted(rows: Ordered, calibrate: Calibrate) -> Calibrator:
    wanted = calibrate == "always" or (calibrate == "auto" and calibration_helps(rows))
    return fit_isotonic(rows) if wanted else Calibrator()
