"""The demo's trainer: gradient boosting on whatever columns a stream has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ratoon.windows.snapshot import DatasetSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Boosting:
    """Fits a scikit-learn pipeline: texts by their code, then 50 small boosted trees."""

    seed: int

    def __call__(self, snapshot: DatasetSnapshot) -> Any:
        """Return the fitted pipeline."""
        from sklearn import compose, pipeline  # noqa: PLC0415 - slow to import
        from sklearn.ensemble import (  # noqa: PLC0415
            HistGradientBoostingClassifier,
            HistGradientBoostingRegressor,
        )
        from sklearn.preprocessing import OrdinalEncoder  # noqa: PLC0415

        texts = [i for i, c in enumerate(snapshot.schema.columns) if c.kind == "category"]
        coded = OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan
        )
        regression = snapshot.target.task == "regression"
        kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
        trees = kind(max_iter=50, max_features=0.8, random_state=self.seed)
        joined: Any = compose
        columns = joined.make_column_transformer((coded, texts), remainder="passthrough")
        whole: Any = pipeline
        return whole.make_pipeline(columns, trees).fit(snapshot.X, snapshot.y)
