"""Estimates that weigh the reference anew for each window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ratoon.core.errors import MetricNeedsColumn, SettingInvalid
from ratoon.core.measuring import Window
from ratoon.core.settings import finite, whole
from ratoon.estimates.asked import Matrix, asked_of, said_by
from ratoon.estimates.calibration import fit_weighted
from ratoon.estimates.confident import Basis, Known, confident, known_of
from ratoon.estimates.estimate import Estimate
from ratoon.estimates.ratio import Ratio, density_ratio
from ratoon.estimates.support import Support
from ratoon.windows.judged import Floats, Judged, Scored
from ratoon.windows.rows import Rows

_ASSUMED = (
    "the labels depend on the features as on the reference: no concept drift",
    "every row that the window may hold may stand in the reference: one support",
    "the features show all of what changed: covariate shift, and nothing else",
    "the labels of a window are independent of each other, given scores and features",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weighable:
    """A reference whose rows can be weighed; it holds them, so it is kept in memory alone."""

    support: Support
    matrix: Floats  # (m, d)


def weighable(features: Rows | None, support: Support | None) -> Weighable:
    """Return a reference as numbers.

    Raises:
        MetricNeedsColumn: there are no features.
    """
    if features is None or support is None:
        raise MetricNeedsColumn("a weighted estimate", "features")
    return Weighable(support=support, matrix=support.matrix(features))


def ratio_to(known: Weighable, rows: Rows, *, clip: float, seed: int) -> Ratio:
    """Return the weights of the reference rows for a window."""
    return density_ratio(known.matrix, known.support.matrix(rows), clip=clip, seed=seed)


def thinned(judged: Judged, most: int) -> Judged:
    """Return at most `most` rows, evenly spaced."""
    if len(judged) <= most:
        return judged
    return judged.take(np.linspace(0, len(judged) - 1, most).astype(np.intp))


def check_clip(clip: float) -> None:
    """Refuse a largest weight that is not above 1."""
    finite("clip", clip)
    if clip <= 1:
        raise SettingInvalid("clip", "above 1", clip)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PAPEState:
    """The reference, ready to be weighed. It is not stored: `fit` on the same rows remakes it."""

    known: Known
    weighable: Weighable


@dataclass(frozen=True, slots=True, kw_only=True)
class PAPE:
    """CBPE whose calibration is fitted for each window, on the reference weighed like the window.

    A classifier tells how much likelier each reference row is in the window (`density_ratio`);
    isotonic regression with these weights calibrates the scores, and CBPE goes on from there. So a
    change of inputs may change what a score means. First known as M-CBPE, multi-calibrated CBPE.

    The standard error takes the reference to be as many rows as its weights are worth.

    Args:
        metrics: as of `CBPE`.
        costs: as of `CBPE`.
        clip: largest weight of a reference row; above 1.
        most_rows: reference rows that are weighed at most, evenly spaced.
        seed: of the classifier.

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
        >>> pape = PAPE(metrics=("accuracy",))
        >>> moved = Rows(schema=schema, columns={"x": 0.8 + 0.2 * draw.random(1000)})
        >>> window = Window(start=EPOCH, end=EPOCH)
        >>> state = pape.fit(judged)
        >>> (estimate,) = pape.estimate(state, said.take(slice(1000)), window, moved)
        >>> round(estimate.measurement.value, 1)  # on the whole it was 0.55
        0.1

    Source: Białek, Kivimäki, Kuberski & Perrakis (2024), "Estimating Model Performance Under
    Covariate Shift Without Labels" (arXiv 2401.08348), section 3; there both models are LightGBM's.
    """

    metrics: tuple[str, ...] = ()
    costs: Matrix | None = None
    clip: float = 50.0
    most_rows: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the settings."""
        asked_of(self.metrics, self.costs)
        check_clip(self.clip)
        whole("most_rows", self.most_rows, least=100)
        whole("seed", self.seed, least=0)

    def fit(self, judged: Judged, /) -> PAPEState:
        """Take in labelled rows, with their features, that the model was not trained on.

        Raises:
            SettingInvalid: the task is not one of classes.
            MetricNeedsColumn: there are no scores, or no features.
            RowsRefused: there are no rows, or a label, output or score is none.
        """
        kept = thinned(judged, self.most_rows)
        known = known_of(kept, self.costs)
        return PAPEState(known=known, weighable=weighable(kept.features, known.reference.support))

    def estimate(
        self, state: PAPEState, scored: Scored, window: Window, rows: Rows, /
    ) -> tuple[Estimate, ...]:
        """Estimate the metrics of a window: what a model said of its rows, and their features.

        Raises:
            MetricNeedsColumn: there are no scores.
            RowsRefused: there are no rows, or an output or a score is none.
        """
        reference = state.known.reference
        said = said_by(scored, len(reference.classes), rows)
        ratio = ratio_to(state.weighable, rows, clip=self.clip, seed=self.seed)
        basis = Basis(
            method="pape",
            reference=reference,
            effective=ratio.effective,
            assumptions=_ASSUMED,
            checks=ratio.checks(),
        )
        likely = fit_weighted(state.known.classes, ratio.weights).probabilities(said.scores)
        return confident(basis, asked_of(self.metrics, self.costs), said, likely, window, rows)
