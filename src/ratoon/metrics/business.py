"""Metrics of what answers are worth: a cost for each kind of error, or a function of the row."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from ratoon.core.errors import MetricNeedsColumn, SettingInvalid
from ratoon.core.measuring import Measurement, Window
from ratoon.core.settings import finite
from ratoon.metrics.checking import check_rows, check_task, class_codes, refuse
from ratoon.metrics.counts import Cells, OfCounts, told_of_cells
from ratoon.metrics.custom import Array, decoded, read_only
from ratoon.metrics.influence import undefined
from ratoon.metrics.means import OfMean
from ratoon.windows.judged import Floats, Judged, Scalar, Target

ValueFunction: TypeAlias = Callable[[Array, Array, Floats | None, Mapping[str, Array]], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost(OfCounts):
    """The mean cost of an answer, by a matrix: what it costs to say one class of another.

    cost = mean(matrix[label][output]), in the unit of the matrix; stderr = s/√n. A gain is a
    negative cost. The loss of a row is its cost less the least one in the matrix.

    Args:
        matrix: a row for each label, in it a number for each output, in the order of `classes`.
        classes: what rows and columns stand for; all the classes of the target.
        name: the name of the metric.

    >>> import numpy as np
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> metric = Cost(  # a fraud missed costs 100, a false alarm 5
    ...     classes=("fair", "fraud"),
    ...     matrix=((0, 5), (100, 0)),
    ... )
    >>> target = Target(task="binary", classes=("fair", "fraud"))
    >>> said = Scored(outputs=np.array([0.0, 0.0, 1.0, 1.0]))
    >>> judged = Judged(target=target, labels=np.array([0.0, 1.0, 0.0, 1.0]), scored=said)
    >>> metric.measure(judged, Window(start=EPOCH, end=EPOCH)).value
    26.25

    Source: Elkan (2001), "The foundations of cost-sensitive learning", IJCAI, section 1.
    """

    greater_is_better = False

    matrix: tuple[tuple[float, ...], ...]
    classes: tuple[Scalar, ...]
    name: str = "cost"

    def __post_init__(self) -> None:
        """Check the settings."""
        if not self.name:
            raise SettingInvalid("name", "a text that is not empty", self.name)
        width = len(self.classes)
        if width == 0 or len(set(self.classes)) < width:
            raise SettingInvalid("classes", "at least one, and each once", self.classes)
        if len(self.matrix) != width or any(len(row) != width for row in self.matrix):
            rule = f"{width} rows of {width} numbers, as there are classes"
            raise SettingInvalid("matrix", rule, self.matrix)
        for row in self.matrix:
            for cost in row:
                finite("a cost in matrix", cost)

    @property
    def value_range(self) -> tuple[float, float]:
        """The least and the greatest cost."""
        costs = [float(cost) for row in self.matrix for cost in row]
        return min(costs), max(costs)

    def of_cells(self, found: Cells, target: Target, window: Window, /) -> Measurement:
        """Measure the mean cost."""
        if found.rows == 0:
            return undefined(self.name, window, 0)
        costs = self._costs(target)[found.labels, found.outputs]
        value = float(found.counts @ costs) / found.rows
        return told_of_cells(self.name, window, found, value, costs - value)

    def losses(self, judged: Judged, /) -> Floats:
        """Return the cost of each row, less the least one."""
        labels, outputs = class_codes(self, judged)
        if len(labels) == 0:
            return np.zeros(0)
        return self._costs(judged.target)[labels, outputs] - self.value_range[0]

    def bound(self, target: Target, /) -> float:
        """Return the greatest cost less the least one."""
        check_task(self, target)
        least, greatest = self.value_range
        return greatest - least

    def _costs(self, target: Target) -> Floats:
        """Return the matrix in the order of the target's classes."""
        unknown = [label for label in target.classes if label not in self.classes]
        if unknown:
            rule = f"those of the target, {target.classes}"
            raise SettingInvalid(f"classes of metric {self.name!r}", rule, self.classes)
        places = [self.classes.index(label) for label in target.classes]
        return np.array(self.matrix, dtype=np.float64)[np.ix_(places, places)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value(OfMean):
    """The mean worth of an answer, by a function of the row: what it earned, or what it cost.

    ``function(labels, outputs, scores, features)`` returns n finite numbers. Labels and outputs are
    arrays of shape (n,), of classes by their own values; scores are (n, k) or None; features are
    the `columns` that were asked for, by name. All are read-only. stderr = s/√n, which is poor
    where a few rows are worth most.

    The loss of a row is its value, or `greatest` (0 if not given) less it where greater is better;
    so that a gate can compare them, give `least` and `greatest` where you know them.

    >>> import numpy as np
    >>> from ratoon.core.measuring import Window
    >>> from ratoon.core.schema import Column, Schema
    >>> from ratoon.core.times import EPOCH
    >>> from ratoon.windows.judged import Judged, Scored, Target
    >>> from ratoon.windows.rows import Rows
    >>> def earned(labels, outputs, scores, features):  # a loan that is paid back earns 5%
    ...     given = np.where(outputs == "pays", features["amount"], 0)
    ...     return np.where(labels == "pays", 0.05 * given, -given)
    >>> metric = Value(name="earned", function=earned, columns=("amount",))
    >>> schema = Schema(columns=(Column(name="amount", kind="number"),))
    >>> amounts = {"amount": np.array([1000.0, 4000.0, 400.0])}
    >>> judged = Judged(
    ...     target=Target(task="binary", classes=("defaults", "pays")),
    ...     labels=np.array([1.0, 1.0, 0.0]),
    ...     scored=Scored(outputs=np.array([1.0, 0.0, 1.0])),
    ...     features=Rows(schema=schema, columns=amounts),
    ... )
    >>> metric.measure(judged, Window(start=EPOCH, end=EPOCH)).value
    -116.66666666666667
    """

    name: str
    function: ValueFunction  # pure: the same rows must give the same numbers
    greater_is_better: bool = True
    columns: tuple[str, ...] = ()  # the features that the function reads
    tasks: frozenset[str] = frozenset({"binary", "multiclass", "regression"})
    least: float | None = None  # no row is worth less; None: not known
    greatest: float | None = None  # no row is worth more; None: not known

    def __post_init__(self) -> None:
        """Check the settings."""
        if not self.name:
            raise SettingInvalid("name", "a text that is not empty", self.name)
        if not callable(self.function):
            raise SettingInvalid("function", "callable", self.function)
        for name, edge in (("least", self.least), ("greatest", self.greatest)):
            if edge is not None:
                finite(name, edge)
        if self.value_range[0] >= self.value_range[1]:
            raise SettingInvalid("least", f"below greatest, {self.greatest}", self.least)

    @property
    def value_range(self) -> tuple[float, float]:
        """From `least` to `greatest`."""
        least = -math.inf if self.least is None else self.least
        return least, math.inf if self.greatest is None else self.greatest

    def values(self, judged: Judged, /) -> Floats:
        """Return what each row is worth, checked."""
        check_rows(self, judged)
        if len(judged) == 0:
            return np.zeros(0)
        found = self.function(*decoded(self, judged), self._features(judged))
        values = np.asarray(found, dtype=np.float64)
        if values.shape != judged.labels.shape:
            rule = f"a function that returns one number for each row, shape {judged.labels.shape}"
            raise SettingInvalid(f"function of metric {self.name!r}", rule, values.shape)
        least, greatest = self.value_range
        wrong = ~(np.isfinite(values) & (values >= least) & (values <= greatest))
        refuse(wrong, self.name, f"finite, from {least} to {greatest}", values)
        return values

    def losses(self, judged: Judged, /) -> Floats:
        """Return how much less than the best each row is worth."""
        values = self.values(judged)
        if self.greater_is_better:
            return (self.greatest or 0.0) - values
        return values - (self.least or 0.0)

    def bound(self, target: Target, /) -> float | None:
        """Return `greatest` less `least`; None where one is not known."""
        check_task(self, target)
        if self.least is None or self.greatest is None:
            return None
        return self.greatest - self.least

    def _features(self, judged: Judged) -> Mapping[str, Array]:
        known: Mapping[str, Array] = {}
        if judged.features is not None:
            known = judged.features.columns
        for name in self.columns:
            if name not in known:
                raise MetricNeedsColumn(self.name, f"the feature {name!r}")
        return MappingProxyType({name: read_only(known[name]) for name in self.columns})
