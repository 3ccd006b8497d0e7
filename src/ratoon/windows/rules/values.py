"""Data rules as values: what the reference was like, and how far a batch may be from it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal, TypeAlias, get_args

from ratoon.core.errors import SettingInvalid
from ratoon.core.schema import Kind, Task
from ratoon.core.settings import not_negative, one_of, positive, share, whole
from ratoon.core.wire import dumps
from ratoon.windows.judged import Scalar

Severity: TypeAlias = Literal["fail", "warn"]
Level: TypeAlias = Literal["fail", "warn", "off"]

RULES: Mapping[str, str] = {
    "schema": "a column is missing, is new, or holds another kind of values",
    "infinite": "a number is infinite",
    "nulls": "far more values are missing than in the reference",
    "sentinel": "a value such as -1, 9999, 1900-01-01 or 'N/A' stands in for missing ones",
    "units": "all numbers are those of the reference times a known factor: another unit",
    "range": "numbers lie far outside those of the reference",
    "categories": "texts that the reference does not have",
    "swapped": "columns hold each other's values",
    "constant": "a column has one value alone",
    "duplicates": "rows are repeated far more often than in the reference",
    "ids": "an id stands twice",
    "classes": "a class has disappeared, or is new",
    "label": "the labels are far from those of the reference",
    "leak": "one feature tells the label almost exactly, and did not in the reference",
    "time": "a row knows its future, or comes from another time",
    "split": "held-out rows are older than the rows to train on",
    "entity": "an entity stands on both sides of the split",
    "rows": "there are too few rows to train on",
}
"""The rules by name, and what breaks each."""

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
"""The quantiles that are kept of a column of numbers."""

CATEGORIES = 500
"""The most texts of a column that are kept; a column with more of them is an open one."""

KEPT_OPEN = 50
"""How many of the commonest texts are kept of an open column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerances:
    """How far data may be from the reference. The defaults are meant to be left alone.

    A difference counts where it is significant at `alpha` and beyond its margin. Beyond the margin
    named `…_warn` it is told; beyond `…_fail` the batch is set aside. Drift and seasons stay below
    the second; where they do not, set that rule to "warn" for a column or for all.
    """

    alpha: float = 0.01  # chance that unchanged data is found at fault, all tests of a training
    batch_rows: int = 200  # rows that are judged together at least; smaller batches are joined
    nulls_warn: float = 0.05  # rise of the share of missing values
    nulls_fail: float = 0.25
    sentinel_warn: float = 0.01  # share of rows with the value
    sentinel_fail: float = 0.05
    outside_warn: float = 0.25  # share of rows beyond the least and the largest of the reference
    far_fail: float = 0.1  # share of rows beyond `reach`
    reach: float = 10.0  # sizes of the column, beyond its middle 80 %
    unit_fail: float = 10.0  # factor from which a change of unit fails, however near it is
    categories_warn: float = 0.1  # rise of the share of texts that the reference does not have
    duplicates_warn: float = 0.25  # rise of the share of repeated rows
    duplicates_fail: float = 0.5  # rise of the share of different rows that come again
    class_share: float = 0.01  # share of a class in the reference from which its absence fails
    label_warn: float = 0.15  # change of the share of a class
    label_shift: float = 1.0  # move of the median of a number to predict, in spreads of it
    leak_warn: float = 0.95  # association of a feature with the label, 0 to 1
    leak_fail: float = 0.99
    skew_s: float = 300.0  # seconds that two clocks may differ
    back_years: float = 2.0  # years before the reference that an event may be
    rows_least: int = 20  # rows to train on
    class_rows_least: int = 2  # rows of a class, for it to count as one
    aside_most: float = 0.5  # share of rows that may be set aside before nothing is trained

    def __post_init__(self) -> None:
        """Check the settings."""
        for name in _COUNTS:
            whole(name, getattr(self, name), least=1)
        for name in _SIZES:
            positive(name, getattr(self, name))
        for name in _LENGTHS:
            not_negative(name, getattr(self, name))
        for item in fields(self):
            if item.name not in (*_COUNTS, *_SIZES, *_LENGTHS):
                share(item.name, getattr(self, item.name))


_COUNTS = ("batch_rows", "rows_least", "class_rows_least")
_SIZES = ("reach", "unit_fail", "label_shift")
_LENGTHS = ("skew_s", "back_years")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """A value that the reference has, and in how many rows."""

    value: Scalar
    rows: int

    def __post_init__(self) -> None:
        """Check the settings."""
        whole("rows", self.rows, least=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRule:
    """One column of the reference, and what a person allows it beyond that.

    Moments stand as microseconds since 1970 in `least`, `most`, `quantiles` and `usual`.
    """

    name: str
    kind: Kind
    nulls: int = 0  # rows without a value
    nulls_effect: float = 1.0  # rows that count as one, since missing values come in runs
    least: float | None = None  # None: a text, or no value at all
    most: float | None = None
    quantiles: tuple[float, ...] = ()  # at LEVELS
    commonest: int = 0  # rows with the commonest value
    usual: tuple[Usual, ...] = ()  # values that could stand for missing ones
    distinct: int = 0  # texts
    singles: int = 0  # texts that one row alone has
    categories: tuple[Usual, ...] = ()  # the commonest first
    association: float | None = None  # with the label: 0 none, 1 exact
    nulls_most: float | None = None  # the share that may be missing, said by a person
    at_least: float | None = None  # no value may be below, said by a person
    at_most: float | None = None
    new_most: float | None = None  # the share of unknown texts, said by a person
    skip: tuple[str, ...] = ()  # rules that this column is not held to

    def __post_init__(self) -> None:
        """Check the settings."""
        one_of("kind", self.kind, get_args(Kind))
        for name in ("nulls", "commonest", "distinct", "singles"):
            whole(name, getattr(self, name), least=0)
        if self.nulls_effect < 1:
            raise SettingInvalid("nulls_effect", "at least 1", self.nulls_effect)
        if len(self.quantiles) not in (0, len(LEVELS)):
            raise SettingInvalid("quantiles", f"{len(LEVELS)} numbers", self.quantiles)
        for name in ("nulls_most", "new_most"):
            _whole_share(name, getattr(self, name))
        _ordered(("least", self.least), ("most", self.most))
        _ordered(("at_least", self.at_least), ("at_most", self.at_most))
        if self.new_most is not None and self.is_open:
            rule = f"said of a column of at most {CATEGORIES} texts alone"
            raise SettingInvalid("new_most", rule, self.new_most)
        for rule in self.skip:
            one_of("skip", rule, RULES)

    @property
    def is_open(self) -> bool:
        """Whether the reference has more texts than are kept."""
        return self.distinct > CATEGORIES

    @property
    def spread(self) -> float:
        """The width of the middle 80 %, or a tenth of the typical size where that is larger."""
        low, *_, high = self.quantiles
        middle = self.quantiles[len(self.quantiles) // 2]
        return max(high - low, 0.1 * abs(middle))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRule:
    """A class of the reference."""

    value: Scalar
    rows: int
    effect: float = 1.0  # rows that count as one, since labels come in runs

    def __post_init__(self) -> None:
        """Check the settings."""
        whole("rows", self.rows, least=0)
        if self.effect < 1:
            raise SettingInvalid("effect", "at least 1", self.effect)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRule:
    """The labels of the reference."""

    task: str
    rows: int  # labelled ones
    classes: tuple[ClassRule, ...] = ()
    values: ColumnRule | None = None  # of a regression

    def __post_init__(self) -> None:
        """Check the settings."""
        one_of("task", self.task, get_args(Task))
        whole("rows", self.rows, least=1)
        if (self.task == "regression") != (self.values is not None):
            raise SettingInvalid("values", "told for a regression, and for it alone", self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRules:
    """What data to train on must be like: inferred from a reference, edited by a person.

    `rules.infer` makes them, `rules.check` holds data to them, `rules.to_text` writes them down.
    """

    version: int  # counts up with each change
    rows: int  # of the reference
    columns: tuple[ColumnRule, ...]  # in the order of the schema
    label: LabelRule | None = None
    starts: float | None = None  # first event of the reference, microseconds since 1970
    ends: float | None = None
    repeated_most: float = 0.0  # share of repeated rows in the worst twentieth of the reference
    copied_most: float = 0.0  # and of different rows that stand there again
    entity: str | None = None  # the column that names whom a row is about
    tolerances: Tolerances = field(default_factory=Tolerances)
    severity: Mapping[str, Level] = field(default_factory=dict[str, Level])  # at most so, by rule

    def __post_init__(self) -> None:
        """Check the settings."""
        whole("version", self.version, least=1)
        whole("rows", self.rows, least=1)
        _whole_share("repeated_most", self.repeated_most)
        _whole_share("copied_most", self.copied_most)
        for rule, level in self.severity.items():
            one_of(f"severity.{rule}", rule, RULES)
            one_of(f"severity.{rule}", level, get_args(Level))
        if len({column.name for column in self.columns}) != len(self.columns):
            raise SettingInvalid("columns", "of different names", [c.name for c in self.columns])
        for column in self.columns:
            if max(column.nulls, column.commonest, column.distinct) > self.rows:
                rule = f"of at most {self.rows} rows"
                raise SettingInvalid(f"columns.{column.name}", rule, column)

    @property
    def digest(self) -> str:
        """The SHA-256 of all that they say; it names them beside the version."""
        return hashlib.sha256(dumps(self).encode()).hexdigest()

    @property
    def named(self) -> Mapping[str, ColumnRule]:
        """The columns by name."""
        return {column.name: column for column in self.columns}


def _whole_share(name: str, value: float | None) -> None:
    if value is not None and not 0 <= value <= 1:
        raise SettingInvalid(name, "between 0 and 1", value)


def _ordered(low: tuple[str, float | None], high: tuple[str, float | None]) -> None:
    if low[1] is not None and high[1] is not None and low[1] > high[1]:
        raise SettingInvalid(low[0], f"at most {high[0]} ({high[1]!r})", low[1])
