"""Learners of the benchmark of decisions, and what their models lose."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import lightgbm as lgb
import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression, Ridge

from benchmarks.decisions_streams import Array, Stream

LEARNERS: Mapping[str, str] = MappingProxyType(
    {
        "lightgbm": f"lightgbm {lgb.__version__}, 50 trees",
        "linear": f"scikit-learn {sklearn.__version__}, logistic or ridge regression",
    }
)
SEEDED = frozenset({"lightgbm"})  # learners that draw: a seed changes nothing for the others

_TREES = 50
_LEVELS = 30  # of a category that a linear model tells apart
_LEAST = 1e-6  # probability, for the logarithm


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bench:
    """A stream and a learner, as `ratoon.matrix.compute` wants them.

    The seed is that of LightGBM's draws of rows and columns: other seeds are other models. Logistic
    and ridge regression draw nothing, so their models are the same with every seed.
    """

    stream: Stream
    learner: str  # one of LEARNERS
    seed: int = 0

    @property
    def fingerprint(self) -> str:
        """The stream with a digest of its rows, the learner with its release, and its seed."""
        stream = self.stream
        digest = hashlib.sha256(repr((stream.categorical, stream.unit, stream.x.shape)).encode())
        digest.update(np.ascontiguousarray(stream.x).tobytes())
        digest.update(np.ascontiguousarray(stream.y).tobytes())
        seed = f", seed {self.seed}" if self.learner in SEEDED else ""
        told = f"{stream.name} ({stream.task}, {stream.loss}, sha256 {digest.hexdigest()[:16]})"
        return f"{told}, {LEARNERS[self.learner]}{seed}"

    def fit(self, start: int, stop: int) -> Any:
        """Train on rows of the stream; of one class alone there is nothing to train."""
        x, y = self.stream.x[start:stop], self.stream.y[start:stop]
        if self.stream.task != "regression" and len(np.unique(y)) == 1:
            return _Constant(float(y[0]))
        with warnings.catch_warnings():  # of few rows: no convergence, columns without a value
            warnings.simplefilter("ignore")
            return _LightGbm(self, x, y) if self.learner == "lightgbm" else _Linear(self, x, y)

    def losses(self, model: Any, start: int, stop: int) -> Array:
        """Return the loss of each row: errors, logarithmic loss, or error over a constant's."""
        x, y = self.stream.x[start:stop], self.stream.y[start:stop]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self.stream.loss == "absolute":
                return np.abs(model.predict(x) - y) / self.stream.unit
            if self.stream.loss == "error":
                return (model.predict(x) != y).astype(float)
            return -np.log(np.clip(model.probability(x, y), _LEAST, 1.0))


class _Constant:
    """Says one class of every row."""

    def __init__(self, value: float) -> None:
        self.value = value

    def predict(self, x: Array) -> Array:
        return np.full(len(x), self.value)

    def probability(self, x: Array, y: Array) -> Array:
        del x
        return np.where(y == self.value, 1.0, 0.0)


class _Model:
    """A model of scikit-learn's kind behind a preparation."""

    model: Any

    def prepared(self, x: Array) -> Array:
        return x

    def predict(self, x: Array) -> Array:
        return self.model.predict(self.prepared(x))

    def probability(self, x: Array, y: Array) -> Array:
        """Return the probability of each row's own class; 0 for one that was never seen."""
        found = self.model.predict_proba(self.prepared(x))
        places = np.searchsorted(self.model.classes_, y)
        inside = np.minimum(places, len(self.model.classes_) - 1)
        known = self.model.classes_[inside] == y
        return np.where(known, found[np.arange(len(y)), inside], 0.0)


class _LightGbm(_Model):
    """Fifty boosted trees, each on draws of rows and columns."""

    def __init__(self, bench: Bench, x: Array, y: Array) -> None:
        kind = lgb.LGBMRegressor if bench.stream.task == "regression" else lgb.LGBMClassifier
        self.model = kind(
            n_estimators=_TREES,
            num_leaves=15 if bench.stream.task == "multiclass" else 31,
            random_state=bench.seed,
            n_jobs=1,
            verbose=-1,
            bagging_fraction=0.8,
            bagging_freq=1,
            feature_fraction=0.9,
        )
        self.model.fit(x, y, categorical_feature=list(bench.stream.categorical) or "auto")


class _Linear(_Model):
    """Logistic or ridge regression on standardised numbers and one-hot codes."""

    def __init__(self, bench: Bench, x: Array, y: Array) -> None:
        self.codes = bench.stream.categorical
        self.levels = {i: _common(x[:, i]) for i in self.codes}
        self.numbers = [i for i in range(x.shape[1]) if i not in self.codes]
        plain = x[:, self.numbers].astype(float)
        self.middle = np.nan_to_num(np.nanmedian(plain, axis=0))
        filled = np.where(np.isnan(plain), self.middle, plain)
        self.mean, spread = filled.mean(axis=0), filled.std(axis=0)
        self.spread = np.where(spread > 0, spread, 1.0)
        regression = bench.stream.task == "regression"
        self.model = Ridge() if regression else LogisticRegression(max_iter=100, tol=1e-3)
        self.model.fit(self.prepared(x), y)

    def prepared(self, x: Array) -> Array:
        """Fill with the median, standardise, cut at ten deviations, and set codes apart."""
        plain = x[:, self.numbers].astype(float)
        filled = np.where(np.isnan(plain), self.middle, plain)
        parts = [np.clip((filled - self.mean) / self.spread, -10, 10)]
        parts += [(x[:, i, None] == self.levels[i]).astype(float) for i in self.codes]
        return np.column_stack(parts)


def _common(codes: Array) -> Array:
    values, counts = np.unique(codes[~np.isnan(codes)], return_counts=True)
    return values[np.argsort(-counts)[:_LEVELS]]
