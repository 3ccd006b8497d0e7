"""CBPE with a calibration of its own in each region of the features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ratoon.core.errors import MetricNeedsColumn
from ratoon.core.measuring import Window
from ratoon.core.settings import whole
from ratoon.estimates.asked import Matrix, Said, asked_of, said_by
from ratoon.estimates.calibration import Calibration, fit_calibration, normalised
from ratoon.estimates.confident import Basis, Reference, confident, known_of
from ratoon.estimates.estimate import Estimate
from ratoon.estimates.regions import RegionCalibration, best_leaves, columns_of, fit_regions
from ratoon.windows.judged import Floats, Judged, Scored
from ratoon.windows.rows import Rows

_ASSUMED = (
    "within a region of the features a score means the same as on the reference: no concept drift",
    "rows of one score and one region stayed alike, however the inputs changed",
    "the labels of a window are independent of each other, given scores and features",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionalCBPEState:
    """What `RegionalCBPE` learnt from its reference; small, and JSON."""

    reference: Reference
    calibration: Calibration
    regions: RegionCalibration | None  # None: regions foretold nothing, so there are none


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionalCBPE:
    """CBPE whose scores are calibrated in each region of the features, not on the whole alone.

    A calibration on the whole is right on average; where inputs move to a region in which the
    scores are out, it is wrong. So a small tree looks for regions that explain what calibration on
    the whole has left over, and in each of them isotonic regression calibrates once more. How many
    regions (1, 4, 8, ... up to `leaves`) is decided by the squared error on blocks of the reference
    that were left out; often the answer is one, and then this is `CBPE`.

    It stays right under a change of inputs that moves rows between its regions; `PAPE` adapts to
    each window instead, but has to fit a classifier for each.

    Args:
        metrics: as of `CBPE`.
        costs: as of `CBPE`.
        leaves: regions at most.
        least_rows: reference rows of a region at least.

    Raises:
        SettingInvalid: where a setting breaks its rule.

    Example:
        >>> import numpy as np
        >>> from ratoon.core.schema import Column, Schema
        >>> from ratoon.core.times import EPOCH
        >>> from ratoon.windows.judged import Target
        >>> schema = Schema(columns=(Column(name="x", kind="number"),))
        >>> draw = np.random.default_rng(0)
        >>> x = draw.random(8000)  # the model says 1/2 always; where x is high it should not
        >>> labels = (draw.random(8000) < np.where(x > 0.75, 0.9, 0.3)) * 1.0
        >>> said = Scored(outputs=np.zeros(8000), scores=np.full((8000, 2), 0.5))
        >>> judged = Judged(
        ...     target=Target(task="binary", classes=(False, True)),
        ...     labels=labels,
        ...     scored=said,
        ...     features=Rows(schema=schema, columns={"x": x}),
        ... )
        >>> method = RegionalCBPE(metrics=("accuracy",))
        >>> state = method.fit(judged)
        >>> moved = Rows(schema=schema, columns={"x": np.full(1000, 0.9)})
        >>> window = Window(start=EPOCH, end=EPOCH)
        >>> (estimate,) = method.estimate(state, said.take(slice(1000)), window, moved)
        >>> round(estimate.measurement.value, 1)  # on the whole it was 0.55
        0.1

    Source: Hébert-Johnson, Kim, Reingold & Rothblum (2018), "Multicalibration: Calibration for the
    (Computationally-Identifiable) Masses", section 1, for calibration within regions; Tax et al.
    (2026), "MCGrad: Multicalibration at Web Scale" (arXiv 2509.19884), for trees on what is left
    over, and for stopping by rows left out.
    """

    metrics: tuple[str, ...] = ()
    costs: Matrix | None = None
    leaves: int = 16
    least_rows: int = 300

    def __post_init__(self) -> None:
        """Check the settings."""
        asked_of(self.metrics, self.costs)
        whole("leaves", self.leaves, least=2)
        whole("least_rows", self.least_rows, least=20)

    def fit(self, judged: Judged, /) -> RegionalCBPEState:
        """Learn from labelled rows, with their features, that the model was not trained on.

        Raises:
            SettingInvalid: the task is not one of classes.
            MetricNeedsColumn: there are no scores, or no features.
            RowsRefused: there are no rows, or a label, output or score is none.
        """
        known = known_of(judged, self.costs)
        support = known.reference.support
        if judged.features is None or support is None:
            raise MetricNeedsColumn("a regional estimate", "features")
        calibration = fit_calibration(known.classes, "auto")
        shares = _columns(calibration, known.said.scores, len(known.classes))
        outcomes = columns_of(known.classes, len(judged))
        matrix = _matrix(support.matrix(judged.features), known.said)
        choices = [2**power for power in range(2, self.leaves.bit_length())] or [self.leaves]
        leaves = best_leaves(matrix, shares, outcomes, choices=choices, least=self.least_rows)
        regions = None
        if leaves > 1:
            regions = fit_regions(matrix, shares, outcomes, leaves=leaves, least=self.least_rows)
        return RegionalCBPEState(
            reference=known.reference, calibration=calibration, regions=regions
        )

    def estimate(
        self, state: RegionalCBPEState, scored: Scored, window: Window, rows: Rows, /
    ) -> tuple[Estimate, ...]:
        """Estimate the metrics of a window: what a model said of its rows, and their features.

        Raises:
            MetricNeedsColumn: there are no scores.
            RowsRefused: there are no rows, or an output or a score is none.
        """
        said, support = said_by(scored, len(state.reference.classes), rows), state.reference.support
        likely = state.calibration.probabilities(said.scores)
        if state.regions is not None and support is not None:
            width = len(state.calibration.calibrators)
            shares = _columns(state.calibration, said.scores, width)
            found = state.regions.shares(_matrix(support.matrix(rows), said), shares)
            likely = np.column_stack([1.0 - found, found]) if width == 1 else normalised(found)
        basis = Basis(
            method="regional_cbpe",
            reference=state.reference,
            effective=state.reference.errors.rows,
            assumptions=_ASSUMED,
        )
        return confident(basis, asked_of(self.metrics, self.costs), said, likely, window, rows)


def _columns(calibration: Calibration, scores: Floats, width: int) -> Floats:
    """Return the calibrated scores of the positive class of two, or of every class."""
    return calibration.probabilities(scores)[:, -width:]


def _matrix(features: Floats, said: Said) -> Floats:
    """Return the features and the output: what a region may be cut by."""
    return np.column_stack([features, said.outputs.astype(np.float64)])
