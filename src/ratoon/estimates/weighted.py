"""Performance on the reference, weighed like the window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ratoon.core.errors import BatchEmpty, SettingInvalid
from ratoon.core.measuring import Window
from ratoon.core.settings import whole
from ratoon.estimates.adapted import Weighable, check_clip, ratio_to, thinned, weighable
from ratoon.estimates.asked import Frame, Matrix, asked_of, check_features, check_labels
from ratoon.estimates.chances import Chances, Figure
from ratoon.estimates.confident import LEAST_ROWS, Known, known_of
from ratoon.estimates.estimate import Estimate, at_least
from ratoon.estimates.losses import LOSSES, USUAL, check_names, figure_of, losses_of, sampling_of
from ratoon.estimates.ratio import Ratio
from ratoon.estimates.support import support_of
from ratoon.windows.judged import Floats, Judged, Scored
from ratoon.windows.rows import Rows

_ASSUMED = (
    "the labels depend on features and output as on the reference: no concept drift",
    "every row that the window may hold may stand in the reference: one support",
    "the features show all of what changed: covariate shift, and nothing else",
    "the rows of reference and window are independent of each other",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightedState:
    """The reference, ready to be weighed. It is not stored: `fit` on the same rows remakes it."""

    weighable: Weighable
    known: Known | None  # of classes
    losses: tuple[tuple[str, Floats], ...]  # of numbers: by metric, one a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighted:
    """Metrics measured on the labelled reference, its rows weighed like the rows of the window.

    Importance weighting: the mean of a loss over the window is that over the reference with the
    weights p_window(x) / p_reference(x), as long as the labels depend on the features as before.
    Serves regression too; what the model said of the window is not looked at.

    The standard error is √(sum of w² ψ² / (sum of w)² + mean of w ψ² / n), with ψ the influence of
    a row on the metric: chance in the reference, of which few rows may speak for the window, and
    in the window. What the weights themselves are wrong by is not in it.

    Args:
        metrics: of classes as of `CBPE`; of numbers "mae", "mape", "msle", "rmse", "rmsle" and
            "smape". None: of classes as of `CBPE`, of numbers "mae" and "rmse".
        costs: as of `CBPE`.
        clip: largest weight of a reference row; above 1.
        most_rows: reference rows that are weighed at most, evenly spaced.
        seed: of the classifier that finds the weights.

    Raises:
        SettingInvalid: where a setting breaks its rule.

    Example:
        >>> import numpy as np
        >>> from ratoon.core.schema import Column, Schema
        >>> from ratoon.core.times import EPOCH
        >>> from ratoon.windows.judged import Target
        >>> schema = Schema(columns=(Column(name="x", kind="number"),))
        >>> draw = np.random.default_rng(0)
        >>> x = draw.random(8000)
        >>> labels = x * draw.normal(size=8000)  # the model says 0: its error grows with x
        >>> judged = Judged(
        ...     target=Target(task="regression"),
        ...     labels=labels,
        ...     scored=Scored(outputs=np.zeros(8000)),
        ...     features=Rows(schema=schema, columns={"x": x}),
        ... )
        >>> method = Weighted(metrics=("mae",))
        >>> moved = Rows(schema=schema, columns={"x": 0.8 + 0.2 * draw.random(1000)})
        >>> window, said = Window(start=EPOCH, end=EPOCH), Scored(outputs=np.zeros(1000))
        >>> (estimate,) = method.estimate(method.fit(judged), said, window, moved)
        >>> round(float(np.abs(labels).mean()), 1), round(estimate.measurement.value, 1)
        (0.4, 0.7)

    Source: Shimodaira (2000), "Improving predictive inference under covariate shift by weighting
    the log-likelihood function", Journal of Statistical Planning and Inference 90, 227-244.
    """

    metrics: tuple[str, ...] = ()
    costs: Matrix | None = None
    clip: float = 50.0
    most_rows: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the settings."""
        if any(name in LOSSES for name in self.metrics):
            check_names(self.metrics)
        else:
            asked_of(self.metrics, self.costs)
        check_clip(self.clip)
        whole("most_rows", self.most_rows, least=100)
        whole("seed", self.seed, least=0)

    def fit(self, judged: Judged, /) -> WeightedState:
        """Take in labelled rows, with their features, that the model was not trained on.

        Raises:
            SettingInvalid: the metrics are not of this task.
            MetricNeedsColumn: there are no features, or no scores of classes.
            RowsRefused: there are no rows, or a label, output or score is none.
        """
        kept, numbers = thinned(judged, self.most_rows), judged.target.task == "regression"
        if self.metrics and (self.metrics[0] in LOSSES) is not numbers:
            raise SettingInvalid("metrics", f"of task {judged.target.task}", self.metrics)
        if not numbers:
            known = known_of(kept, self.costs)
            ready = weighable(kept.features, known.reference.support)
            return WeightedState(weighable=ready, known=known, losses=())
        check_labels(kept)
        names = self.metrics or USUAL
        losses = tuple((name, losses_of(name, kept)) for name in names)
        support = None if kept.features is None else support_of(kept.features)
        return WeightedState(weighable=weighable(kept.features, support), known=None, losses=losses)

    def estimate(
        self, state: WeightedState, scored: Scored, window: Window, rows: Rows, /
    ) -> tuple[Estimate, ...]:
        """Estimate the metrics of a window from its features.

        Raises:
            RowsRefused: there are no rows, or features and outputs differ in length.
        """
        check_features(scored, rows)
        if len(rows) == 0:
            raise BatchEmpty("the window")
        ratio = ratio_to(state.weighable, rows, clip=self.clip, seed=self.seed)
        n, effective = len(rows), ratio.effective
        few = at_least("reference_rows", effective, LEAST_ROWS, f"it rests on {effective:.0f} rows")
        frame = Frame(
            method="weighted",
            window=window,
            rows=n,
            assumptions=_ASSUMED,
            checks=(few, state.weighable.support.check(rows), *ratio.checks()),
        )
        if state.known is None:
            found = [_weighed(name, losses, ratio.weights) for name, losses in state.losses]
            errors = [sampling_of(name, losses, n) for name, losses in state.losses]
        else:
            asked = asked_of(self.metrics, self.costs)
            found = asked.figures(_chances(state.known, ratio), state.known.reference.classes)
            errors = asked.sampling_errors(state.known.reference.errors, n)
        return frame.estimates(found, lambda figure: figure.spread + figure.each / n, list(errors))


def _chances(known: Known, ratio: Ratio) -> Chances:
    """Return the reference's rows with their labels, which are certain, and their weights."""
    labels = np.eye(len(known.reference.classes))[known.labels]
    said = known.said
    return Chances(outputs=said.outputs, scores=said.scores, likely=labels, weights=ratio.weights)


def _weighed(metric: str, losses: Floats, weights: Floats) -> Figure:
    total = weights.sum()
    mean = float(weights @ losses / total)
    away = losses - mean
    spread = float((weights * away) @ (weights * away) / total**2)
    return figure_of(metric, mean, spread, float(weights @ away**2 / total))
