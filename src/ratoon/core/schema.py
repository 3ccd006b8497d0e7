"""What the rows look like: the columns that a model was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "integer", "boolean", "category", "time"]
Frame = Literal["numpy", "pandas", "polars", "arrow"]
Task = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A feature: its name, the kind of its values, and whether they may be missing."""

    name: str
    kind: Kind
    nullable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The features of a loop, in order, and the kind of frame that its models are given."""

    columns: tuple[Column, ...]
    frame: Frame = "numpy"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)
