"""A model is written in a format that cannot run code, wherever its types allow that."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from ratoon.stores import formats

_DRAWN = np.random.default_rng(0)
X = _DRAWN.normal(size=(120, 3))
NUMBERS = X[:, 0] * 2 + _DRAWN.normal(size=120) / 10
CLASSES = np.where(NUMBERS > 0, "late", "on time")
FRAME = pd.DataFrame({"x": X[:, 0], "city": np.where(X[:, 1] > 0, "Porto", "Faro")})


class Constant:
    """A person's own model: it always says the same."""

    def __init__(self, value: float) -> None:
        self.value = value

    def predict(self, rows: Any) -> np.ndarray[Any, Any]:
        return np.full(len(rows), self.value)


class OwnClassifier(ClassifierMixin, BaseEstimator):
    """A person's own scikit-learn class."""

    def fit(self, rows: Any, labels: Any) -> OwnClassifier:
        self.inner_ = LogisticRegression().fit(rows, labels)
        self.classes_ = self.inner_.classes_
        return self

    def predict(self, rows: Any) -> Any:
        return self.inner_.predict(rows)


PLAIN: dict[str, tuple[Any, Any]] = {
    "linear": (LinearRegression(), NUMBERS),
    "scaled ridge": (make_pipeline(StandardScaler(), Ridge()), NUMBERS),
    "scaled logistic": (make_pipeline(StandardScaler(), LogisticRegression()), CLASSES),
    "tree": (DecisionTreeClassifier(), CLASSES),
    "forest of numbers": (RandomForestRegressor(n_estimators=3), NUMBERS),
    "forest": (make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=3)), CLASSES),
    "boosting of numbers": (HistGradientBoostingRegressor(max_iter=5), NUMBERS),
    "boosting": (make_pipeline(HistGradientBoostingClassifier(max_iter=5)), CLASSES),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_models(name: str) -> None:
    """A model of scikit-learn's own classes becomes skops, and answers the same bits."""
    unfitted, labels = PLAIN[name]
    model = clone(unfitted).fit(X, labels)
    body, kind = formats.dump(model)
    assert kind == "skops"
    again = formats.load(body, kind)
    assert again.predict(X).tolist() == model.predict(X).tolist()
    if hasattr(model, "predict_proba"):
        assert again.predict_proba(X).tolist() == model.predict_proba(X).tolist()


def test_columns_by_name() -> None:
    """A pipeline that picks a frame's columns by name becomes skops too."""
    chosen = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
    model = make_pipeline(chosen, LogisticRegression()).fit(FRAME, CLASSES)
    body, kind = formats.dump(model)
    assert kind == "skops"
    assert formats.load(body, kind).predict(FRAME).tolist() == model.predict(FRAME).tolist()


@pytest.mark.parametrize(
    "model",
    [
        Constant(3.5),
        OwnClassifier().fit(X, CLASSES),
        make_pipeline(FunctionTransformer(lambda rows: rows * 2), Ridge()).fit(X, NUMBERS),
    ],
    ids=["own class", "own estimator", "own function"],
)
def test_own_code(model: Any) -> None:
    """A model with code of a person's own becomes a pickle, and answers the same."""
    body, kind = formats.dump(model)
    assert kind == "pickle"
    assert formats.load(body, kind).predict(X).tolist() == model.predict(X).tolist()


def test_a_pickle_is_never_read_as_skops() -> None:
    """Bytes are only read in the format that was recorded."""
    body, kind = formats.dump(Constant(1.0))
    assert kind == "pickle"
    with pytest.raises(Exception, match="not a zip file"):
        formats.load(body, "skops")
