"""Confidence-based performance estimation."""

from __future__ import annotations

from dataclasses import dataclass

from ratoon.core.measuring import Window
from ratoon.core.settings import one_of
from ratoon.estimates.asked import Matrix, asked_of, said_by
from ratoon.estimates.calibration import Calibrate, Calibration, fit_calibration
from ratoon.estimates.confident import Basis, Reference, confident, known_of
from ratoon.estimates.estimate import Estimate
from ratoon.windows.judged import Judged, Scored
from ratoon.windows.rows import Rows

_ASSUMED = (
    "a score means the same as on the reference: no concept drift, which no score can show",
    "rows of one score stayed alike, however the inputs changed",
    "the labels of a window are independent of each other, given the scores",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CBPEState:
    """What CBPE learnt from its reference; small, and JSON."""

    reference: Reference
    calibration: Calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class CBPE:
    """Metrics of a classifier without labels: what its calibrated scores lead one to expect.

    A row of calibrated score p is of the positive class with probability p. So a window's
    confusion matrix is expected to be the sum of these, TP = sum of p over the rows that are
    predicted positive, and so on; a metric is that of the expected matrix (ROC-AUC, Brier score,
    log loss: of the expected masses of both labels of each row). Calibration is isotonic
    regression on the reference, one curve a class, normalised to a sum of 1; "auto" leaves it out
    where it makes the calibration error larger on rows that it was not fitted on.

    The standard error is √(noise (1 + n/m)) for n rows and m reference rows: `noise` is what chance
    in the labels does to the metric, by the delta method, and the reference had the same chance.
    The values are NannyML's; where it answers 0 for a ratio without rows, the answer here is None,
    and rows of equal scores count as ties in ROC-AUC.

    It sees a change of inputs only as far as the scores show it, and never a change of the
    relation of inputs and labels.

    Args:
        metrics: of "accuracy", "precision", "recall", "specificity", "f1", "roc_auc", "brier",
            "log_loss", "confusion" (shares of the rows by label and output) and "cost"; none: all
            but the last two, and the last where `costs` are given. Of two classes the
            second is the positive one; of several, ratios and ROC-AUC are means over the classes.
        costs: what it costs to say one class of another, one row a label, one column an output,
            as of `ratoon.metrics.Cost`; a gain is a negative cost.
        calibrate: "auto", "always" or "never".

    Raises:
        SettingInvalid: where a setting breaks its rule.

    Example:
        >>> import numpy as np
        >>> from ratoon.core.times import EPOCH
        >>> from ratoon.windows.judged import Target
        >>> def said(p):
        ...     return Scored(outputs=(p > 0.5) * 1.0, scores=np.column_stack([1 - p, p]))
        >>> draw = np.random.default_rng(0)
        >>> p = draw.random(5000)
        >>> labels = (draw.random(5000) < p) * 1.0
        >>> target = Target(task="binary", classes=("good", "bad"))
        >>> cbpe = CBPE(metrics=("accuracy",))
        >>> state = cbpe.fit(Judged(target=target, labels=labels, scored=said(p)))
        >>> unsure = said(0.3 + 0.4 * draw.random(1000))
        >>> (estimate,) = cbpe.estimate(state, unsure, Window(start=EPOCH, end=EPOCH))
        >>> round(estimate.measurement.value, 2), round(estimate.measurement.stderr, 3)
        (0.6, 0.017)

    Source: NannyML 0.13.1, `CBPE`; Kivimäki et al. (2025), "Performance Estimation in Binary
    Classification Using Calibrated Confidence" (arXiv 2505.05295).
    """

    metrics: tuple[str, ...] = ()
    costs: Matrix | None = None
    calibrate: Calibrate = "auto"

    def __post_init__(self) -> None:
        """Check the settings."""
        asked_of(self.metrics, self.costs)
        one_of("calibrate", self.calibrate, ("auto", "always", "never"))

    def fit(self, judged: Judged, /) -> CBPEState:
        """Learn from labelled rows that the model was not trained on; their features may be None.

        Raises:
            SettingInvalid: the task is not one of classes.
            MetricNeedsColumn: there are no scores.
            RowsRefused: there are no rows, or a label, output or score is none.
        """
        known = known_of(judged, self.costs)
        calibration = fit_calibration(known.classes, self.calibrate)
        return CBPEState(reference=known.reference, calibration=calibration)

    def estimate(
        self, state: CBPEState, scored: Scored, window: Window, rows: Rows | None = None, /
    ) -> tuple[Estimate, ...]:
        """Estimate the metrics of a window: what a model said of its rows, and their features.

        The features serve the checks alone, and may be left out.

        Raises:
            MetricNeedsColumn: there are no scores.
            RowsRefused: there are no rows, or an output or a score is none.
        """
        said = said_by(scored, len(state.reference.classes), rows)
        basis = Basis(
            method="cbpe",
            reference=state.reference,
            effective=state.reference.errors.rows,
            assumptions=_ASSUMED,
        )
        asked = asked_of(self.metrics, self.costs)
        likely = state.calibration.probabilities(said.scores)
        return confident(basis, asked, said, likely, window, rows)
