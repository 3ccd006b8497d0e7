"""What a model says of rows, and whether it can say anything at all."""

from __future__ import annotations

from typing import Any

import numpy as np

from ratoon.core.errors import ModelUnusable
from ratoon.windows.frames import to_frame
from ratoon.windows.judged import Floats, Scalar, Scored, Target, widened
from ratoon.windows.labels import Labels, encode, extended
from ratoon.windows.rows import Rows

_ROUNDING = 1e-6  # how far a probability of single precision may lie outside of [0, 1]


def score(model: Any, rows: Rows, target: Target) -> Scored:
    """Let a model score rows.

    Args:
        model: anything with `predict`; for classes with `classes_` and, for probabilities,
            `predict_proba`, as in scikit-learn.
        rows: the features.
        target: the task, and the classes that outputs are counted by.

    Raises:
        ModelUnusable: where it has no `predict`, is not fitted, gives another number of rows, or
            something that is no number or no class.
    """
    predict = getattr(model, "predict", None)
    if not callable(predict):
        raise ModelUnusable(f"a {type(model).__name__} has no predict method: it is no model")
    frame = to_frame(rows)
    try:
        if target.task == "regression":
            return Scored(outputs=_numbers(predict(frame), len(rows)))
        if hasattr(model, "predict_proba"):
            return _by_probability(model, frame, len(rows), target)
        return Scored(outputs=_codes(predict(frame), len(rows), target))
    except ModelUnusable:
        raise
    except Exception as error:
        unfitted = type(error).__name__ == "NotFittedError"
        what = "is not fitted" if unfitted else f"cannot predict: {type(error).__name__}: {error}"
        raise ModelUnusable(f"the model {what}", hint="return what fit() returned") from error


def _numbers(outputs: Any, rows: int) -> Floats:
    try:
        found = np.asarray(outputs, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError) as error:
        raise ModelUnusable(f"the model's outputs are no numbers: {error}") from error
    if len(found) != rows:
        raise ModelUnusable(f"the model gave {len(found)} outputs for {rows} rows")
    if not np.isfinite(found).all():
        raise ModelUnusable("the model gave an output that is NaN or infinite")
    return found


def _by_probability(model: Any, frame: Any, rows: int, target: Target) -> Scored:
    given = np.asarray(model.predict_proba(frame), dtype=np.float64)
    classes = known_classes(model)
    if given.shape != (rows, len(classes)):
        raise ModelUnusable(f"predict_proba gave shape {given.shape} for {rows} rows")
    if not np.isfinite(given).all():
        raise ModelUnusable("the model gave a probability that is NaN or infinite")
    if ((given < -_ROUNDING) | (given > 1 + _ROUNDING)).any():
        worst = given.flat[np.abs(given - 0.5).argmax()]
        raise ModelUnusable(
            f"the model gave a probability that is not between 0 and 1: {worst:.4g}"
        )
    codes = encode(target, classes).astype(np.intp)
    scores = np.zeros((rows, len(target.classes)))
    scores[:, codes] = given
    return Scored(outputs=scores.argmax(axis=1).astype(np.float64), scores=scores)


def _codes(outputs: Any, rows: int, target: Target) -> Floats:
    found = tuple(_plain(value) for value in np.asarray(outputs).reshape(-1).tolist())
    if len(found) != rows:
        raise ModelUnusable(f"the model gave {len(found)} outputs for {rows} rows")
    try:
        return encode(target, found)
    except KeyError as error:
        raise ModelUnusable(f"the model gave the class {error}, which no label has") from error


def known_classes(model: Any) -> Labels:
    """Return the classes of a fitted classifier."""
    classes = getattr(model, "classes_", None)
    if classes is None:
        raise ModelUnusable("the model has predict_proba but no classes_")
    found = tuple(_plain(value) for value in np.asarray(classes).tolist())
    if not all(isinstance(value, Scalar) for value in found):
        raise ModelUnusable(
            f"the model's classes are not those of one label: {classes!r}",
            hint="a model gives one output a row",
        )
    return found


def grown(target: Target, model: Any) -> Target:
    """Return `target` with the classes that a model knows; some of them must be those of labels."""
    if not hasattr(model, "classes_") or target.task == "regression":
        return target
    classes = known_classes(model)
    if target.classes and not set(classes) & set(target.classes):
        raise ModelUnusable(
            f"the model's classes {list(classes)} are none of the labels {list(target.classes)}",
            hint="fit on the labels as they are given: snapshot.y",
        )
    return extended(target, classes)


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def aligned(scored: Scored, target: Target) -> Scored:
    """Return scores with a column for every class of the target."""
    if scored.scores is None:
        return scored
    return Scored(outputs=scored.outputs, scores=widened(scored.scores, len(target.classes)))
