"""Trainers for whatever columns a stream has: gradient boosting, and a linear model."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """Fits a scikit-learn pipeline: numbers scaled, texts one-hot, a linear model."""

    def __call__(self, snapshot: DatasetSnapshot) -> Any:
        """Return the fitted pipeline."""
        from sklearn import compose, pipeline  # noqa: PLC0415 - slow to import
        from sklearn.impute import SimpleImputer  # noqa: PLC0415
        from sklearn.linear_model import LogisticRegression, Ridge  # noqa: PLC0415
        from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: PLC0415

        texts = [i for i, c in enumerate(snapshot.schema.columns) if c.kind == "category"]
        numbers = [i for i, c in enumerate(snapshot.schema.columns) if c.kind != "category"]
        whole: Any = pipeline
        joined: Any = compose
        filled = SimpleImputer(strategy="median", keep_empty_features=True)
        columns = joined.make_column_transformer(
            (OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=30), texts),
            (whole.make_pipeline(filled, StandardScaler()), numbers),
        )
        regression = snapshot.target.task == "regression"
        model = Ridge() if regression else LogisticRegression(max_iter=1000)
        return whole.make_pipeline(columns, model).fit(snapshot.X, snapshot.y)
