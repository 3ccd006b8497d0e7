"""A classifier two-sample test on columns of any kind."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ratoon.core import settings
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Window
from ratoon.drift.aspects import Limits
from ratoon.drift.control import benjamini_hochberg
from ratoon.drift.multivariate.encoding import pooled_categories
from ratoon.drift.multivariate.found import Joint, Part
from ratoon.drift.multivariate.sampling import check_sample, rows_of, sides_of
from ratoon.drift.multivariate.separating import (
    Held,
    Marks,
    Scores,
    Separation,
    separability,
    separate,
)
from ratoon.drift.placing import category_places
from ratoon.metrics.influence import standard_error
from ratoon.metrics.ranking import area_and_influence
from ratoon.windows.judged import Floats
from ratoon.windows.summaries.summary import Columns, is_text, numbers

_LEVELS = 254  # categories of a column that the trees tell apart
_TREES = 50
_LEAVES = 15
_IN_LEAF = 20  # rows at least
_SHUFFLED = 1000  # rows of a fold that a column is shuffled in
_LOST = 0.01  # of the area: what a column that is named takes with it
_NAMED = 0.05  # share of the columns that are named wrongly
_IN_FOLD = 10  # rows of a side at least
_MOST = 1e100  # what is larger counts as that


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierTest:
    """Whether a classifier can tell the rows of a window from those of the reference.

    Boosted trees learn to tell them apart on some of the rows, and are asked of the others. The
    area under the ROC curve is 0.5 where nothing tells them apart, and 1 where everything does. It
    sees whatever trees see: columns that each look as before while what they have to do with each
    other has changed. It is a drift where the area is at least `effect`, and more than chance.

    Of a drift the columns are named: those without which (shuffled among the rows that are asked
    of) the area is less, and by how much. Of columns that tell the same, one or none may be named.

    Args:
        effect: least area that matters, in (0.5, 1). A column of normally distributed numbers that
            moves by 0.36 of its standard deviation gives 0.6.
        false_alarms: windows with an alarm, of those without drift; in (0, 1).
        rows: of each side that are looked at, drawn at random; at least 40.
        folds: parts of the rows, each asked of once; at least 2.
        inflation: how many rows are worth one, as they come in clumps that are alike; at least 1.
        seed: of the draws.

    >>> from ratoon.core.times import EPOCH
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(2, 1000))
    >>> before, now = {"x": x, "y": x + 0.3 * y}, {"x": x, "y": 0.3 * y - x}
    >>> found = ClassifierTest().compare(before, now, Window(start=EPOCH, end=EPOCH))
    >>> found.drifted, sorted(part.column for part in found.columns)
    (True, ['x', 'y'])

    Source: Lopez-Paz & Oquab (2017), "Revisiting classifier two-sample tests", ICLR; Breiman
    (2001), Machine Learning 45, section 10, for the columns.
    """

    effect: float = 0.6
    false_alarms: float = 0.001
    rows: int = 4000
    folds: int = 3
    inflation: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the settings."""
        settings.share("effect", self.effect)
        if self.effect <= 0.5:  # noqa: PLR2004 - the area of a coin
            raise SettingInvalid("effect", "above 0.5 and below 1", self.effect)
        settings.whole("folds", self.folds, least=2)
        check_sample(
            rows=self.rows,
            seed=self.seed,
            false_alarms=self.false_alarms,
            inflation=self.inflation,
        )

    def compare(self, reference: Columns, now: Columns, window: Window) -> Joint | None:
        """Return how well the window is told from the reference; None of fewer than 40 rows.

        Args:
            reference: columns of numbers, truths, moments or texts, each of shape (m,), as arrays
                or of Arrow; missing values are values of their own.
            now: the window's, of shape (n,); columns that the reference lacks are left out.
            window: the one that is judged.

        Raises:
            KeyError: A column of the reference is missing.
        """
        rng = np.random.default_rng(self.seed)
        sides = sides_of(reference, now, self.rows, rng)
        if sides is None:
            return None
        table = _table(*sides)
        folds = min(self.folds, min(rows_of(side) for side in sides) // _IN_FOLD)
        found = separate(table.X, table.marks, table.learn, folds, rng)
        limits = Limits(least=self.effect, rate=self.false_alarms)
        change = separability(found, None, window, limits, self.inflation)
        return Joint(change=change, columns=_parts(found, table, rng) if change.drifted else ())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """Rows of both sides, as trees take them."""

    X: Floats  # (m + n, p): categories as numbers, NaN where a value is missing
    marks: Marks  # whether each row is the window's
    names: tuple[str, ...]
    texts: tuple[bool, ...]

    def learn(self, X: Floats, marks: Marks) -> Scores:
        """Learn to tell rows apart, the same way each time."""
        from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - slow

        maker: Any = HistGradientBoostingClassifier
        model = maker(
            max_iter=_TREES,
            max_leaf_nodes=_LEAVES,
            min_samples_leaf=_IN_LEAF,
            categorical_features=np.array(self.texts),
            early_stopping=False,
            random_state=0,
        )
        empty = np.isnan(X).all(axis=0)  # which the library refuses
        with _one_thread():
            model.fit(np.where(empty, 0.0, X), marks)
        return lambda rows: _scores(model, rows)


def _scores(model: Any, rows: Floats) -> Floats:
    with _one_thread():
        return model.decision_function(rows)


def _one_thread() -> Any:
    """Let trees grow on one thread: of few rows, more threads wait for each other most of the time.

    On a busy machine of two cores they took ten times the processor's time.
    """
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    return threadpool_limits(limits=1, user_api="openmp")


def _table(before: Columns, now: Columns) -> _Table:
    names = tuple(before)
    texts = tuple(is_text(before[name]) for name in names)
    pairs = [(before[name], now[name]) for name in names]
    parts = [
        _coded(*pair) if text else _joined(*pair) for pair, text in zip(pairs, texts, strict=True)
    ]
    return _Table(
        X=np.column_stack(parts),
        marks=np.repeat([False, True], [rows_of(before), rows_of(now)]),
        names=names,
        texts=texts,
    )


def _joined(before: Any, now: Any) -> Floats:
    return np.clip(np.concatenate([numbers(before), numbers(now)]), -_MOST, _MOST)


def _coded(before: Any, now: Any) -> Floats:
    """Number the categories of both sides, the commonest first; all others have one number."""
    known = pooled_categories((before, now), _LEVELS)
    places = np.concatenate([category_places(known, side) for side in (before, now)])
    return np.where(places > len(known), np.nan, places)


def _parts(found: Separation, table: _Table, rng: np.random.Generator) -> tuple[Part, ...]:
    """Return the columns that tell the sides apart, by what the area loses without each.

    Those are named without which it loses a hundredth, and more than by chance (Benjamini-Hochberg
    at 5 %).
    """
    index = [_some(fold, rng) for fold in found.folds]
    parts = [_part(found, table, column, index, rng) for column in range(len(table.names))]
    p_values = [
        math.erfc(p.value / p.stderr / math.sqrt(2)) / 2 if p.stderr else 1.0 for p in parts
    ]
    adjusted = benjamini_hochberg(np.array(p_values))
    named = [
        part
        for part, chance in zip(parts, adjusted.tolist(), strict=True)
        if part.value >= _LOST and chance <= _NAMED
    ]
    return tuple(sorted(named, key=lambda part: (-part.value, part.column)))


def _some(fold: Held, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw some rows of a fold, of both sides."""
    sides = (np.flatnonzero(fold.marks), np.flatnonzero(~fold.marks))
    return np.concatenate([rng.permutation(side)[: _SHUFFLED // 2] for side in sides])


def _part(
    found: Separation,
    table: _Table,
    column: int,
    index: list[NDArray[np.intp]],
    rng: np.random.Generator,
) -> Part:
    losses, variances = list[float](), list[float]()
    for fold, some in zip(found.folds, index, strict=True):
        rows = table.X[fold.rows[some]]
        rows[:, column] = rng.permutation(rows[:, column])
        area, influence = area_and_influence(fold.said[some], fold.marks[some])
        without, of_without = area_and_influence(fold.scores(rows), fold.marks[some])
        losses.append(area - without)
        variances.append(standard_error(influence - of_without) ** 2)
    return Part(
        column=table.names[column],
        value=float(np.mean(losses)),
        stderr=math.sqrt(sum(variances)) / len(losses),
    )
