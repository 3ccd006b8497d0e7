"""Which labelled rows to train on, by a function of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ratoon.core.deciding import RowChoice, SnapshotPlan
from ratoon.core.errors import ChoiceInvalid, DataUnfit, RatoonError, SettingInvalid
from ratoon.core.measuring import RowRange
from ratoon.windows.choices_each import Held
from ratoon.windows.judged import Floats
from ratoon.windows.rows import Array
from ratoon.windows.weights import packed

_ANSWERS = "truths or weights (a number with a fraction), one a row, or positions (whole numbers)"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainableRows:
    """The rows that a person's function may choose from; nothing of them can be changed.

    They are in the order in which they were labelled, and none of them will judge the model.
    """

    times: Array  # (rows,): event times, datetime64 in microseconds
    columns: Mapping[str, Array]  # each feature, (rows,)
    labels: Array  # (rows,)
    ordinals: NDArray[np.int64]  # (rows,): their numbers among all labelled rows
    since: datetime | None = None  # the newest change point, where one is known
    since_row: int | None = None  # ordinal of the first row after it

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.ordinals)


Choose: TypeAlias = Callable[[TrainableRows], Any]
"""A function that says which rows to train on: a truth or a weight a row, or positions."""


@dataclass(frozen=True, slots=True)
class By(Held):
    """The rows that a function of one's own chooses, among all labelled rows but the held-out ones.

    The function gets `TrainableRows` and returns one of these, as an array or a list:

    * truths, one a row: those are trained on;
    * whole numbers: the positions of the rows to train on, each at most once;
    * numbers with a fraction, one a row: weights, of which `snapshot.weights` has those above 0.

    It runs when the rows are collected, not when the decision is made, so it must come to the same
    whenever it is given the same rows: without chance, clock or files. What it chose is pinned.

    Args:
        function: chooses the rows.
        name: what the function is called in records; by default its own name. Two functions of one
            loop have names of their own.
        least: rows that there must be, before the function is asked.
        holdout: share of the newest rows that is not trained on.
        holdout_most: rows that are held out at most.

    Raises:
        SettingInvalid: where a setting is outside its range.

    Example:
        Only working days:

        >>> def working_days(rows):
        ...     day = rows.times.astype("datetime64[D]")
        ...     return np.is_busday(day)
        >>> By(working_days).plan(1000, None, None).rule
        'the rows that working_days chooses'
    """

    function: Choose = field()
    name: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        """Check the settings."""
        Held.__post_init__(self)
        if not callable(self.function):
            rule = "a function that takes TrainableRows and returns what it chooses"
            raise SettingInvalid("function", rule, self.function)

    @property
    def called(self) -> str:
        """What the function is called in records."""
        own = getattr(self.function, "__qualname__", type(self.function).__name__)
        return self.name or str(own).rpartition(".")[2]

    def plan(self, rows: int, since_row: int | None, since: datetime | None, /) -> SnapshotPlan:
        """Let the function choose from every row."""
        found = self.split(0, rows, f"the rows that {self.called} chooses", since)
        choice = self.choice(found.train.stop, since_row)
        return replace(found, choices=(choice,), since_row=since_row)

    def choice(self, stop: int, since_row: int | None, /) -> RowChoice:  # noqa: ARG002 - the protocol's
        """Let the function choose from every row before a boundary."""
        rows = RowRange(start=0, stop=stop)
        rule = f"the rows that {self.called} chooses"
        return RowChoice(rows=rows, rule=rule, function=self.called)

    def needed(self, since_row: int | None, /) -> int:  # noqa: ARG002 - the protocol's
        """Return the least number of rows."""
        return self.least


def functions_of(train_on: object) -> Mapping[str, Choose]:
    """Return the functions by their names that a setting `train_on` chooses rows with."""
    found = train_on if isinstance(train_on, By) else None
    each: tuple[object, ...] = getattr(train_on, "candidates", ())
    return {one.called: one.function for one in (found, *each) if isinstance(one, By)}


def chosen(
    choice: RowChoice, rows: TrainableRows, functions: Mapping[str, Choose]
) -> tuple[Array | None, RowChoice]:
    """Let the person's function choose: return the positions, and the choice with its weights.

    The positions are None where there is no function, so that all rows are meant.

    Raises:
        DataUnfit: the function is not there, or it chose no row.
        ChoiceInvalid: it raised, or it returned something else.
    """
    name = choice.function
    if name is None:
        return None, choice
    if name not in functions:
        raise DataUnfit(
            f"the rows were to be chosen by {name}, which the loop's train_on does not have",
            hint="give the loop the function that it had when the retraining was decided",
        )
    try:
        answer = functions[name](rows)
    except RatoonError:
        raise
    except Exception as error:  # the function is a person's own code
        raise ChoiceInvalid(f"{name} raised {type(error).__name__}: {error}") from error
    positions, weights = _read(name, answer, len(rows))
    if not len(positions):
        raise DataUnfit(f"{name} chose none of the {len(rows)} rows")
    return positions, choice if weights is None else replace(choice, weights=packed(weights))


def _read(name: str, answer: object, rows: int) -> tuple[Array, Floats | None]:
    """Read what a function returned: positions in order, and their weights."""
    try:
        found: Array = np.asarray(answer)
    except (TypeError, ValueError) as error:
        raise _unreadable(name, f"a {type(answer).__name__}", rows) from error
    if found.ndim != 1:
        raise _unreadable(name, f"a {type(answer).__name__} of shape {found.shape}", rows)
    match found.dtype.kind:
        case "b":
            _check_one_each(name, "truths", len(found), rows)
            return np.flatnonzero(found), None
        case "i" | "u":
            return _positions(name, found, rows), None
        case "f":
            _check_one_each(name, "weights", len(found), rows)
            return _weighted(name, found.astype(np.float64))
        case _:
            raise _unreadable(name, f"values such as {found[:1].tolist()}", rows)


def _positions(name: str, found: Array, rows: int) -> Array:
    outside = (found < 0) | (found >= rows)
    if outside.any():
        told = f"{name} returned the position {found[outside][0]} of {rows} rows"
        raise ChoiceInvalid(told, hint="positions begin at 0; `ordinals` are numbers of the store")
    ordered = np.unique(found).astype(np.intp)
    if len(ordered) < len(found):
        hint = "a row that counts more than others has a larger weight: a number with a fraction"
        raise ChoiceInvalid(f"{name} returned the same position more than once", hint=hint)
    return ordered


def _weighted(name: str, weights: Floats) -> tuple[Array, Floats]:
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        told = f"{name} gave row {int(wrong.argmax())} the weight {weights[wrong][0]}"
        raise ChoiceInvalid(told, hint="weights are finite and not below 0; 0 leaves a row out")
    positions = np.flatnonzero(weights)
    return positions, weights[positions]


def _check_one_each(name: str, what: str, got: int, rows: int) -> None:
    if got != rows:
        raise ChoiceInvalid(f"{name} returned {got} {what} for {rows} rows")


def _unreadable(name: str, got: str, rows: int) -> ChoiceInvalid:
    return ChoiceInvalid(f"{name} returned {got} for {rows} rows", hint=f"it returns {_ANSWERS}")
