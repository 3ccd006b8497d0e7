from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy import stats
from sklearn import metrics as sk

from ratoon.core.errors import SettingInvalid, ValueForbidden
from ratoon.core.measuring import Window
from ratoon.core.times import EPOCH
from ratoon.metrics import RMSE, Custom
from ratoon.windows.judged import Floats, Judged, Scalar, Scored, Target

WINDOW = Window(start=EPOCH, end=EPOCH)


def classified(
    classes: Sequence[Scalar],
    labels: ArrayLike,
    outputs: ArrayLike,
    scores: ArrayLike | None = None,
) -> Judged:
    target = Target(task="binary" if len(classes) == 2 else "multiclass", classes=tuple(classes))
    said = Scored(outputs=np.array(outputs, dtype=float), scores=scores)
    return Judged(target=target, labels=np.array(labels, dtype=float), scored=said)


def numbers(labels: ArrayLike, outputs: ArrayLike) -> Judged:
    said = Scored(outputs=np.array(outputs, dtype=float))
    target = Target(task="regression")
    return Judged(target=target, labels=np.array(labels, dtype=float), scored=said)


def custom(
    function: Any, *, per_row: bool = False, greater_is_better: bool = False, **settings: Any
) -> Custom:
    return Custom(
        name="mine",
        function=function,
        per_row=per_row,
        greater_is_better=greater_is_better,
        **settings,
    )


@pytest.mark.parametrize("classes", [("a", "b"), (False, True), (3, 7, 9), (0.5, 1.5), (1, "a")])
def test_function_receives_the_classes_own_values(classes: tuple[Scalar, ...]) -> None:
    """Labels and outputs come as the classes' own values and types; scores come as they are."""
    seen = []
    scores = np.full((2, len(classes)), 1 / len(classes))
    metric = custom(lambda *columns: seen.append(columns) or 0.0)
    metric.measure(classified(classes, [0, 1], [1, 0], scores), WINDOW)
    labels, outputs, given = seen[0]
    assert labels.tolist() == [classes[0], classes[1]]
    assert outputs.tolist() == [classes[1], classes[0]]
    assert [type(value) for value in labels.tolist()] == [type(value) for value in classes[:2]]
    assert given.tolist() == scores.tolist()


def test_function_receives_none_without_scores() -> None:
    """Rows without scores pass None."""
    assert custom(lambda _l, _o, s: float(s is None)).measure(
        classified("ab", [0, 1], [1, 1]), WINDOW
    ).value == (1.0)


@pytest.mark.parametrize("column", [0, 1, 2])
def test_function_cannot_change_the_rows(column: int) -> None:
    """What the function receives is read-only."""

    def spoil(*columns: Floats) -> float:
        columns[column][0] = 0
        return 0.0

    rows = Judged(
        target=Target(task="regression"),
        labels=np.ones(3),
        scored=Scored(outputs=np.ones(3), scores=np.ones((3, 1))),
    )
    with pytest.raises(ValueError, match="read-only"):
        custom(spoil).measure(rows, WINDOW)


def test_values_by_rows_are_averaged() -> None:
    """A function by rows measures its mean, with s/√n as standard error."""
    labels, outputs = np.array([1.0, 4.0, 2.0, 8.0]), np.array([1.0, 1.0, 3.0, 3.0])
    metric = custom(lambda y, p, _: np.abs(y - p) ** 3, per_row=True)
    measurement = metric.measure(numbers(labels, outputs), WINDOW)
    values = np.abs(labels - outputs) ** 3
    assert measurement.value == pytest.approx(values.mean())
    assert measurement.stderr == pytest.approx(stats.sem(values))
    assert (measurement.n, measurement.metric) == (4, "mine")


def test_losses_are_values_by_rows() -> None:
    """Losses are the values; where greater is better, `largest` less the values."""
    rows = numbers([1, 4, 2], [1, 1, 3])
    values = [0.0, 3.0, 1.0]
    absolute = {"function": lambda y, p, _: np.abs(y - p), "per_row": True}
    assert custom(**absolute).losses(rows).tolist() == values
    best = custom(**absolute, greater_is_better=True)
    assert best.losses(rows).tolist() == [-value for value in values]
    bounded = custom(**absolute, greater_is_better=True, largest=5)
    assert bounded.losses(rows).tolist() == [5.0, 2.0, 4.0]
    assert (best.bound(rows.target), bounded.bound(rows.target)) == (None, 5)


def test_function_of_all_rows_has_no_losses() -> None:
    """A function that returns one number has neither row losses nor a bound."""
    metric = custom(lambda y, p, _: float((y - p).sum()))
    rows = numbers([1, 4], [1, 1])
    assert metric.losses(rows) is None
    assert metric.bound(rows.target) is None


@pytest.mark.parametrize("rows", [2, 7, 20])
def test_jackknife_of_a_mean_of_few_rows_is_exact(rows: int) -> None:
    """Up to 20 rows each is a block of its own: the stderr of a mean is s/√n."""
    values = np.random.default_rng(rows).normal(size=rows)
    metric = custom(lambda y, _p, _s: y.mean())
    measurement = metric.measure(numbers(values, values), WINDOW)
    assert measurement.value == pytest.approx(values.mean())
    assert measurement.stderr == pytest.approx(stats.sem(values), rel=1e-9)


def test_jackknife_of_equal_blocks_is_the_textbook_formula() -> None:
    """With 20 equal blocks it is √((g - 1)/g Σ (T₋ⱼ - mean)²), Efron (1982), chapter 3."""
    labels = np.random.default_rng(1).lognormal(size=200)
    measurement = custom(lambda y, _p, _s: np.median(y)).measure(numbers(labels, labels), WINDOW)
    without = [np.median(np.delete(labels, np.s_[10 * j : 10 * j + 10])) for j in range(20)]
    expected = math.sqrt(19 / 20 * ((without - np.mean(without)) ** 2).sum())
    assert measurement.stderr == pytest.approx(expected, rel=1e-9)


def test_jackknife_of_unequal_blocks_weighs_them() -> None:
    """For a mean, delete-m gives √(1/g Σ mⱼ/(n - mⱼ) (block mean - mean)²)."""
    labels = np.random.default_rng(2).normal(size=33)
    measurement = custom(lambda y, _p, _s: y.mean()).measure(numbers(labels, labels), WINDOW)
    edges = [33 * j // 20 for j in range(21)]
    blocks = [labels[a:b] for a, b in pairwise(edges)]
    terms = [len(b) / (33 - len(b)) * (b.mean() - labels.mean()) ** 2 for b in blocks]
    assert measurement.stderr == pytest.approx(math.sqrt(sum(terms) / 20), rel=1e-9)


def test_jackknife_agrees_with_influence_functions() -> None:
    """The RMSE as a function of one's own has about the standard error of `RMSE`."""
    generator = np.random.default_rng(6)
    labels = generator.normal(size=4000)
    rows = numbers(labels, labels + generator.normal(size=4000))
    own = custom(lambda y, p, _: sk.root_mean_squared_error(y, p)).measure(rows, WINDOW)
    built_in = RMSE().measure(rows, WINDOW)
    assert own.value == pytest.approx(built_in.value, rel=1e-12)
    assert own.stderr == pytest.approx(built_in.stderr, rel=0.35)  # g = 20: one sigma is 16%


def test_measuring_twice_gives_the_same() -> None:
    """Nothing is drawn by chance: the same rows give the same measurement."""
    labels = np.random.default_rng(7).normal(size=90)
    metric = custom(lambda y, _p, _s: np.median(y))
    rows = numbers(labels, labels)
    assert metric.measure(rows, WINDOW) == metric.measure(rows, WINDOW)


@pytest.mark.parametrize("returned", [None, math.nan, math.inf, -math.inf])
def test_undefined_function_is_none(returned: object) -> None:
    """None, NaN and infinity mean undefined: the value is None, the rows are counted."""
    measurement = custom(lambda *_: returned).measure(numbers([1, 2], [1, 2]), WINDOW)
    assert (measurement.value, measurement.stderr, measurement.n) == (None, None, 2)


def test_statistic_undefined_without_a_block_has_no_standard_error() -> None:
    """The value stays; the standard error is None if leaving a block out makes it undefined."""
    metric = custom(lambda y, _p, _s: y.mean() if 9.0 in y else None)
    measurement = metric.measure(numbers([1, 2, 9], [1, 2, 9]), WINDOW)
    assert (measurement.value, measurement.stderr) == (4.0, None)


@pytest.mark.parametrize("per_row", [True, False])
def test_no_rows_are_undefined_and_not_asked(*, per_row: bool) -> None:
    """An empty window has no value and n 0; the function is not called."""

    def fails(*_columns: Any) -> None:
        raise AssertionError

    measurement = custom(fails, per_row=per_row).measure(numbers([], []), WINDOW)
    assert (measurement.value, measurement.stderr, measurement.n) == (None, None, 0)
    assert custom(fails, per_row=True).losses(numbers([], [])).tolist() == []


@pytest.mark.parametrize("per_row", [True, False])
def test_one_row_has_a_value_without_standard_error(*, per_row: bool) -> None:
    """One row gives a value, but says nothing about how sure it is."""
    metric = custom(lambda y, _p, _s: y if per_row else y[0], per_row=per_row)
    measurement = metric.measure(numbers([3], [1]), WINDOW)
    assert (measurement.value, measurement.stderr, measurement.n) == (3.0, None, 1)


def test_returning_the_wrong_shape_is_refused() -> None:
    """One number by rows, or many for all of them, is refused with a hint."""
    rows = numbers([1, 2], [1, 2])
    with pytest.raises(SettingInvalid, match=r"'mine'.*one number for each row, shape \(2,\)"):
        custom(lambda *_: 1.0, per_row=True).measure(rows, WINDOW)
    with pytest.raises(SettingInvalid, match=r"'mine'.*one number, or per_row=True"):
        custom(lambda y, _p, _s: y).measure(rows, WINDOW)


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.5, 2.5])
def test_values_by_rows_outside_of_the_bound_are_refused(value: float) -> None:
    """A value that is not finite, or not between 0 and `largest`, is refused with its row."""
    metric = custom(lambda *_: np.array([0.0, value]), per_row=True, largest=2)
    for call in (lambda rows: metric.measure(rows, WINDOW), metric.losses):
        with pytest.raises(ValueForbidden, match=r"'mine' must be finite, from 0.0 to 2.* row 1"):
            call(numbers([1, 2], [1, 2]))


def test_nan_by_rows_is_refused_without_a_bound() -> None:
    """A NaN by rows is an error, not an undefined metric."""
    metric = custom(lambda *_: np.array([0.0, np.nan]), per_row=True)
    with pytest.raises(ValueForbidden, match="'mine' must be finite"):
        metric.measure(numbers([1, 2], [1, 2]), WINDOW)


def test_other_tasks_are_refused() -> None:
    """A custom metric judges the tasks that it names, by default all."""
    metric = custom(lambda *_: 0.0, tasks=frozenset({"regression"}))
    rows = classified("ab", [0, 1], [0, 1])
    for call in (
        lambda: metric.measure(rows, WINDOW),
        lambda: metric.losses(rows),
        lambda: metric.bound(rows.target),
    ):
        with pytest.raises(SettingInvalid, match=r"'mine'.*regression.*binary"):
            call()
    assert custom(lambda *_: 0.0).measure(rows, WINDOW).value == 0.0


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"name": ""}, "name"),
        ({"function": 3}, "function"),
        ({"tasks": frozenset()}, "tasks"),
        ({"tasks": frozenset({"clustering"})}, "tasks"),
        ({"largest": 0, "per_row": True}, "largest"),
        ({"largest": math.inf, "per_row": True}, "largest"),
        ({"largest": 1, "per_row": False}, "largest"),
    ],
)
def test_settings_are_checked_when_made(settings: dict[str, Any], named: str) -> None:
    """A wrong setting is refused at once, naming itself."""
    right = {"name": "mine", "function": len, "greater_is_better": True}
    with pytest.raises(SettingInvalid, match=f"^{named} must be"):
        Custom(**{**right, **settings})
