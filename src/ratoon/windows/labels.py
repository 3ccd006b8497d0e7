"""Labels in: numbers or classes, and never a missing one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeAlias, cast

import numpy as np

from ratoon.core.errors import BatchEmpty, ValueForbidden
from ratoon.windows.columns import LARGEST, listed
from ratoon.windows.judged import Floats, Scalar, Target
from ratoon.windows.label_column import LabelColumn

Labels: TypeAlias = tuple[Scalar, ...] | LabelColumn
"""Labels in order: a tuple, or, where many were read from tables, a column that reads like one."""

_MANY_CLASSES = 20


def read_labels(values: object, task: str | None = None, what: str = "label") -> tuple[Scalar, ...]:
    """Read a batch of labels: a list, an array or a series of numbers, texts or truths.

    Args:
        values: one a row.
        task: where it is known.
        what: how an error calls them.

    Raises:
        RowsRefused: where it is empty, or a label is missing, infinite, of no known type, or no
            number although the task is regression.

    >>> read_labels([1.0, 0.0], "binary")
    (1, 0)
    """
    found = listed(what, values)
    if not found:
        raise BatchEmpty(f"the batch of {what}s")
    return tuple(_label(value, row, task, what) for row, value in enumerate(found))


def _label(value: object, row: int, task: str | None, what: str) -> Scalar:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueForbidden(what, "finite", value, row)
    if not isinstance(value, bool | int | float | str):
        raise ValueForbidden(what, "a number, a text or a truth", value, row)
    if task == "regression":
        if isinstance(value, str | bool):
            raise ValueForbidden(what, "a number (the task is regression)", value, row)
        return _float(value, row, what)
    if isinstance(value, float) and task is not None:
        if not value.is_integer():
            raise ValueForbidden(what, f"a class (the task is {task})", value, row)
        return _class(int(value), row, what)
    return _class(value, row, what)


def _class(value: Scalar, row: int, what: str) -> Scalar:
    """Return a class that every store can keep."""
    if isinstance(value, str) and not value.isprintable():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueForbidden(what, "text that UTF-8 can hold", value, row) from error
    if isinstance(value, int) and abs(value) > LARGEST:
        raise ValueForbidden(what, f"a class of at most {LARGEST}", value, row)
    return value


def _float(value: float, row: int, what: str) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise ValueForbidden(what, "a number that fits a float", value, row) from error


def infer_target(labels: tuple[Scalar, ...]) -> Target:
    """Tell the task from labels: texts, truths or few whole numbers are classes, others a number.

    >>> infer_target(("late", "on time", "late"))
    Target(task='binary', classes=('late', 'on time'), levels=())
    """
    if all(isinstance(label, int | float) and not isinstance(label, bool) for label in labels):
        numbers = set(cast("tuple[float, ...]", labels))
        if len(numbers) > _MANY_CLASSES or any(number != int(number) for number in numbers):
            return Target(task="regression")
        labels = tuple(int(number) for number in numbers)
    classes = tuple(sorted(set(labels), key=lambda label: (str(type(label)), label)))
    return Target(task="binary" if len(classes) <= 2 else "multiclass", classes=classes)  # noqa: PLR2004


def extended(target: Target, labels: Labels) -> Target:
    """Return `target` with the classes in `labels` that it does not know, behind its own."""
    if target.task == "regression":
        return target
    new = tuple(label for label in distinct(labels) if label not in target.classes)
    if not new:
        return target
    classes = target.classes + new
    return Target(task="binary" if len(classes) <= 2 else "multiclass", classes=classes)  # noqa: PLR2004


def distinct(labels: Labels) -> list[Scalar]:
    """Return the labels that stand there, each once, in the order in which they first do.

    >>> distinct(("b", "a", "b"))
    ['b', 'a']
    """
    found = labels.coded() if isinstance(labels, LabelColumn) else None
    return list(dict.fromkeys(labels if found is None else found[0]))


def encode(target: Target, labels: Labels) -> Floats:
    """Return labels as numbers: themselves, or the index of their class."""
    if target.task == "regression":
        return np.array(labels, dtype=np.float64)
    index: Mapping[Scalar, int] = {label: i for i, label in enumerate(target.classes)}
    found = labels.coded() if isinstance(labels, LabelColumn) else None
    if found is not None:
        return np.array([index[label] for label in found[0]], dtype=np.float64)[found[1]]
    return np.array([index[label] for label in labels], dtype=np.float64)


def decode(target: Target, codes: Floats) -> list[Scalar]:
    """Return the labels that `encode` made numbers of."""
    if target.task == "regression":
        return cast("list[Scalar]", codes.tolist())
    return [target.classes[int(code)] for code in codes]
