"""Direct loss estimation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ratoon.core.errors import BatchEmpty, MetricNeedsColumn
from ratoon.core.measuring import Window
from ratoon.core.settings import whole
from ratoon.estimates.adapted import thinned
from ratoon.estimates.asked import Frame, check_features, check_labels
from ratoon.estimates.confident import LEAST_ROWS
from ratoon.estimates.estimate import Estimate, at_least
from ratoon.estimates.losses import USUAL, check_names, figure_of, losses_of, sampling_of
from ratoon.estimates.support import Support, support_of
from ratoon.windows.judged import Floats, Judged, Scored
from ratoon.windows.rows import Rows

_FOLDS = 5
_LEAF = 10  # reference rows of a leaf at least
_LEAST = 50  # reference rows; of fewer no trees are grown
_ASSUMED = (
    "the model errs on rows alike as it did on the reference: no concept drift",
    "the window lies where the reference has rows: trees do not extrapolate",
    "features and output tell which rows are hard; what they do not show stayed as it was",
    "the errors of a window are independent of each other, given the features",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LossModel:
    """What foretells the loss of a row by one metric, and how well it did on rows left out."""

    metric: str
    models: tuple[Any, ...]  # one for each part of the reference that was left out
    noise: float  # variance of a row's loss about what was foretold
    losses: Floats  # (m,): those of the reference

    def foretell(self, matrix: Floats) -> Floats:
        """Return the loss to expect of each row: the mean of the models."""
        return np.mean([model.predict(matrix) for model in self.models], axis=0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DLEState:
    """The models of the losses. They are not stored: `fit` on the same rows remakes them."""

    support: Support
    models: tuple[LossModel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DLE:
    """Metrics of a regression without labels: a second model foretells how far the first is out.

    Randomised trees learn the loss of a row, as |label - output|, from its features and its
    output, on labelled rows that the first model was not trained on. The estimate of a window is
    the mean of the losses foretold for its rows, or the root of it. Five models are fitted, each
    without every fifth row in turn, and their mean foretells; the rows left out tell how much a
    loss strays from what was foretold, r². The standard error is √(r² (1/n + 1/m)), of a root by
    the delta method, for n rows and m reference rows.

    The models are not stored: on the same rows, with the same seed and release of scikit-learn,
    `fit` makes the same again.

    Args:
        metrics: of "mae", "mape", "msle", "rmse", "rmsle" and "smape"; none: "mae" and "rmse".
        most_rows: reference rows that are learnt from at most, evenly spaced.
        trees: of each model.
        seed: of the models.

    Raises:
        SettingInvalid: where a setting breaks its rule.

    Example:
        >>> import numpy as np
        >>> from ratoon.core.schema import Column, Schema
        >>> from ratoon.core.times import EPOCH
        >>> from ratoon.windows.judged import Target
        >>> schema = Schema(columns=(Column(name="x", kind="number"),))
        >>> draw = np.random.default_rng(0)
        >>> x = draw.random(2000)
        >>> labels = x * draw.normal(size=2000)  # the model says 0: its error grows with x
        >>> judged = Judged(
        ...     target=Target(task="regression"),
        ...     labels=labels,
        ...     scored=Scored(outputs=np.zeros(2000)),
        ...     features=Rows(schema=schema, columns={"x": x}),
        ... )
        >>> dle = DLE(metrics=("mae",), trees=20)
        >>> moved = Rows(schema=schema, columns={"x": 0.8 + 0.2 * draw.random(1000)})
        >>> window, said = Window(start=EPOCH, end=EPOCH), Scored(outputs=np.zeros(1000))
        >>> (estimate,) = dle.estimate(dle.fit(judged), said, window, moved)
        >>> round(float(np.abs(labels).mean()), 1), round(estimate.measurement.value, 1)
        (0.4, 0.7)

    Source: NannyML 0.13.1, `DLE`, which fits one LightGBM model, on all rows; Geurts, Ernst &
    Wehenkel (2006), "Extremely randomized trees"; Chernozhukov et al. (2018), "Double/debiased
    machine learning", for leaving rows out.
    """

    metrics: tuple[str, ...] = ()
    most_rows: int = 20_000
    trees: int = 30
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the settings."""
        check_names(self.metrics)
        whole("most_rows", self.most_rows, least=_LEAST)
        whole("trees", self.trees, least=1)
        whole("seed", self.seed, least=0)

    def fit(self, judged: Judged, /) -> DLEState:
        """Learn from labelled rows, with their features, that the model was not trained on.

        Raises:
            SettingInvalid: the task is not regression.
            MetricNeedsColumn: there are no features.
            RowsRefused: there are fewer than 50 rows, or a label, output or loss is not finite.
        """
        kept = thinned(judged, self.most_rows)
        check_labels(kept)
        if kept.features is None:
            raise MetricNeedsColumn("direct loss estimation", "features")
        if len(kept) < _LEAST:
            raise BatchEmpty(f"the reference of {len(kept)} rows, where {_LEAST} are needed,")
        names = self.metrics or USUAL
        losses = [losses_of(name, kept) for name in names]
        support = support_of(kept.features)
        matrix = _matrix(support, kept.features, kept.scored)
        pairs = zip(names, losses, strict=True)
        models = tuple(self._learnt(name, matrix, each) for name, each in pairs)
        return DLEState(support=support, models=models)

    def estimate(
        self, state: DLEState, scored: Scored, window: Window, rows: Rows, /
    ) -> tuple[Estimate, ...]:
        """Estimate the metrics of a window: what a model said of its rows, and their features.

        Raises:
            RowsRefused: there are no rows, or features and outputs differ in length.
        """
        check_features(scored, rows)
        if len(scored) == 0:
            raise BatchEmpty("the window")
        matrix, n = _matrix(state.support, rows, scored), len(scored)
        known = len(state.models[0].losses)
        told = f"it rests on {known} rows"
        frame = Frame(
            method="dle",
            window=window,
            rows=n,
            assumptions=_ASSUMED,
            checks=(
                at_least("reference_rows", known, LEAST_ROWS, told),
                state.support.check(rows),
            ),
        )
        variance = 1.0 / n + 1.0 / known
        found = [
            figure_of(m.metric, float(m.foretell(matrix).mean()), m.noise * variance, 0.0)
            for m in state.models
        ]
        errors: list[float | None] = [sampling_of(m.metric, m.losses, n) for m in state.models]
        return frame.estimates(found, lambda figure: figure.spread, errors)

    def _learnt(self, metric: str, matrix: Floats, losses: Floats) -> LossModel:
        from sklearn.ensemble import ExtraTreesRegressor  # noqa: PLC0415 - slow to import

        fold, left = np.arange(len(losses)) % _FOLDS, np.empty(len(losses))
        models: list[Any] = []
        trees: Any = ExtraTreesRegressor  # boosting does no better here, and needs all cores
        for block in range(_FOLDS):
            out = fold == block
            model = trees(
                self.trees, min_samples_leaf=_LEAF, max_features=None, random_state=self.seed
            )
            models.append(model.fit(matrix[~out], losses[~out]))
            left[out] = losses[out] - model.predict(matrix[out])
        noise = float((left**2).mean())
        return LossModel(metric=metric, models=tuple(models), noise=noise, losses=losses)


def _matrix(support: Support, rows: Rows, scored: Scored) -> Floats:
    """Return features and output as numbers: what the loss is foretold from."""
    return np.column_stack([support.matrix(rows), scored.outputs])
