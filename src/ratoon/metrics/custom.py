"""A metric of one's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Measurement, Window
from ratoon.core.settings import positive
from ratoon.metrics.checking import check_rows, check_task, class_codes, numbers, refuse
from ratoon.metrics.influence import undefined
from ratoon.metrics.means import told_of_mean
from ratoon.metrics.parts import mean_of
from ratoon.metrics.protocol import Metric
from ratoon.windows.judged import Floats, Judged, Scalar, Target

Array: TypeAlias = NDArray[Any]
MetricFunction: TypeAlias = Callable[[Array, Array, Floats | None], Any]

_BLOCKS = 20  # of the jackknife: 21 calls a measurement, a stderr known to about 16%


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """A metric from a function of one's own: ``function(labels, outputs, scores)``.

    Labels and outputs are arrays of shape (n,), of classes by their own values; scores are (n, k)
    or None. They are read-only. With ``per_row=True`` the function returns n finite numbers whose
    mean is the metric (stderr = s/√n); otherwise one number, or None or NaN where it is undefined,
    whose stderr is `jackknife`'s over 20 blocks of rows in their order of arrival.

    The losses of a metric by rows are its values, or ``largest`` (0 if not given) less the values
    where greater is better.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> def cost(labels, outputs, scores):  # a fraud missed costs 100, a false alarm 5
    ...     return np.where(labels == outputs, 0, np.where(labels == "fraud", 100, 5))
    >>> metric = Custom(
    ...     name="cost", function=cost, per_row=True, greater_is_better=False, largest=100
    ... )
    >>> target = Target(task="binary", classes=("fair", "fraud"))
    >>> said = Scored(outputs=np.array([0.0, 0.0, 1.0, 1.0]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 1.0, 0.0, 1.0]), scored=said)
    >>> metric.measure(judged, Window(start=EPOCH, end=EPOCH)).value
    26.25
    """

    name: str
    function: MetricFunction  # pure: the same rows must give the same numbers
    greater_is_better: bool
    per_row: bool = False
    tasks: frozenset[str] = frozenset({"binary", "multiclass", "regression"})
    largest: float | None = None  # values by rows lie between 0 and this; None: no bound

    def __post_init__(self) -> None:
        """Check the settings."""
        if not self.name:
            raise SettingInvalid("name", "a text that is not empty", self.name)
        if not callable(self.function):
            raise SettingInvalid("function", "callable", self.function)
        known = {"binary", "multiclass", "ranking", "regression"}
        if not self.tasks or not self.tasks <= known:
            raise SettingInvalid("tasks", "some of " + ", ".join(sorted(known)), self.tasks)
        if self.largest is not None:
            positive("largest", self.largest)
            if not self.per_row:
                raise SettingInvalid("largest", "None unless per_row=True", self.largest)

    @property
    def value_range(self) -> tuple[float, float]:
        """From 0 to `largest`, where that is given."""
        return (-math.inf, math.inf) if self.largest is None else (0.0, self.largest)

    def measure(self, judged: Judged, window: Window, /) -> Measurement:
        """Measure the rows with the function."""
        if self.per_row:
            return told_of_mean(self.name, window, mean_of(self._values(judged)))
        check_rows(self, judged)
        if len(judged) == 0:
            return undefined(self.name, window, 0)
        value, stderr = jackknife(self._value, decoded(self, judged))
        return Measurement(
            metric=self.name, window=window, value=value, n=len(judged), stderr=stderr
        )

    def losses(self, judged: Judged, /) -> Floats | None:
        """Return the loss of each row; None for a function of all rows."""
        check_task(self, judged.target)
        if not self.per_row:
            return None
        values = self._values(judged)
        return (self.largest or 0.0) - values if self.greater_is_better else values

    def bound(self, target: Target, /) -> float | None:
        """Return `largest`."""
        check_task(self, target)
        return self.largest

    def _values(self, judged: Judged) -> Floats:
        """Return the function's value of each row, checked."""
        check_rows(self, judged)
        if len(judged) == 0:
            return np.zeros(0)
        values = np.asarray(self.function(*decoded(self, judged)), dtype=np.float64)
        if values.shape != judged.labels.shape:
            rule = f"a function that returns one number for each row, shape {judged.labels.shape}"
            raise SettingInvalid(f"function of metric {self.name!r}", rule, values.shape)
        top = math.inf if self.largest is None else self.largest
        low = -math.inf if self.largest is None else 0.0
        wrong = ~(np.isfinite(values) & (values >= low) & (values <= top))
        refuse(wrong, self.name, f"finite, from {low} to {top}", values)
        return values

    def _value(self, labels: Array, outputs: Array, scores: Floats | None) -> float | None:
        """Return the function's value of the rows; None where it is undefined."""
        returned = self.function(labels, outputs, scores)
        if returned is None:
            return None
        if np.ndim(returned) != 0:
            rule = "a function that returns one number, or per_row=True must be set"
            raise SettingInvalid(f"function of metric {self.name!r}", rule, np.shape(returned))
        return float(returned) if math.isfinite(returned) else None


def jackknife(
    statistic: Callable[[Array, Array, Floats | None], float | None],
    columns: tuple[Array, Array, Floats | None],
) -> tuple[float | None, float | None]:
    """Return a statistic of n rows and its stderr, by leaving out each of g blocks in turn.

    With g = min(20, n) contiguous blocks of mⱼ rows, hⱼ = n/mⱼ, T₋ⱼ the statistic without block j,
    pseudo-values Pⱼ = hⱼ T - (hⱼ - 1) T₋ⱼ and T* = g T - Σ (1 - mⱼ/n) T₋ⱼ:

        stderr² = 1/g Σ (Pⱼ - T*)² / (hⱼ - 1)

    For a mean of up to 20 rows that is s²/n. Blocks are contiguous so that rows that depend on
    their neighbours do not make it too small. None where the statistic is undefined.

    Source: Busing, Meijer & van der Leeden (1999), "Delete-m jackknife for unequal m", Statistics
    and Computing 9, 3-8; Künsch (1989), Annals of Statistics 17, 1217-1241, for the blocks.
    """
    rows, whole = len(columns[0]), statistic(*columns)
    if whole is None or rows <= 1:
        return whole, None
    edges = np.linspace(0, rows, min(_BLOCKS, rows) + 1).astype(np.intp)
    parts = [statistic(*_without(columns, a, b)) for a, b in pairwise(edges)]
    if any(part is None for part in parts):
        return whole, None
    without = np.array(parts, dtype=np.float64)
    ratio: Floats = rows / np.diff(edges)
    pseudo = ratio * whole - (ratio - 1) * without
    centre = len(parts) * whole - ((1 - 1 / ratio) * without).sum()
    return whole, math.sqrt(((pseudo - centre) ** 2 / (ratio - 1)).mean())


def _without(
    columns: tuple[Array, Array, Floats | None], start: int, stop: int
) -> tuple[Array, Array, Floats | None]:
    labels, outputs, scores = columns
    rest = None if scores is None else _cut(scores, start, stop)
    return _cut(labels, start, stop), _cut(outputs, start, stop), rest


def _cut(column: Array, start: int, stop: int) -> Array:
    return np.concatenate([column[:start], column[stop:]])


def decoded(metric: Metric, judged: Judged) -> tuple[Array, Array, Floats | None]:
    """Return labels and outputs as the values that they stand for, and the scores."""
    if judged.target.task in ("regression", "ranking"):
        labels, outputs = numbers(metric, judged)
    else:
        classes = _array(judged.target.classes)
        labels, outputs = (classes[codes] for codes in class_codes(metric, judged))
    scores = judged.scored.scores
    return read_only(labels), read_only(outputs), None if scores is None else read_only(scores)


def _array(classes: tuple[Scalar, ...]) -> Array:
    """Return the classes as an array that keeps their types: numpy would make 1 and "a" texts."""
    kinds = {type(value) for value in classes}
    return np.array(classes, dtype=None if len(kinds) == 1 else object)


def read_only(column: Array) -> Array:
    """Return `column` so that nobody can write to it."""
    view = column.view()
    view.flags.writeable = False
    return view
