"""A bounded sample of rows that merges, and is the same however the rows were cut."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]


def _no_keys() -> Keys:
    return np.empty(0, dtype=np.uint64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """The rows whose keys are least: each is as likely, and no chance is drawn.

    The key of a row follows from its number alone, so that the same log gives the same sample.
    """

    most: int
    keys: Keys = field(default_factory=_no_keys)  # (k,), ascending
    table: Any = None  # of Arrow, k rows; None of no rows

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.keys)

    def updated(self, table: Any, numbers: NDArray[np.int64]) -> Sample:
        """Return the sample of these rows too.

        Args:
            table: of Arrow, n rows.
            numbers: of the rows in the log, (n,).
        """
        keys = keys_of(numbers)
        full = len(self.keys) == self.most
        near = np.flatnonzero(keys < self.keys[-1]) if full else np.arange(len(keys))
        if len(near) > self.most:
            near = near[np.argpartition(keys[near], self.most - 1)[: self.most]]
        if not len(near):
            return self
        order = near[np.argsort(keys[near])]
        return self.merged(replace(self, keys=keys[order], table=table.take(order)))

    def merged(self, other: Sample) -> Sample:
        """Return the sample of both, of the fewer rows that either may have."""
        if not len(self) or not len(other):
            one = self if len(self) else other
            return replace(one, most=min(self.most, other.most)).cut()
        import pyarrow as pa  # noqa: PLC0415 - slow to import

        keys = np.concatenate([self.keys, other.keys])
        order = np.argsort(keys, kind="stable")[: min(self.most, other.most)]
        both = cast("Any", pa).concat_tables([self.table, other.table])
        return Sample(most=min(self.most, other.most), keys=keys[order], table=both.take(order))

    def cut(self, most: int | None = None) -> Sample:
        """Return the sample of at most so many rows."""
        rows = min(self.most, self.most if most is None else most)
        if len(self) <= rows:
            return replace(self, most=rows)
        return Sample(most=rows, keys=self.keys[:rows], table=self.table.slice(0, rows))


def merged_samples(samples: list[Sample], most: int) -> Sample:
    """Return the sample of all of them."""
    return reduce(Sample.merged, samples, Sample(most=most))


def keys_of(numbers: NDArray[np.int64]) -> Keys:
    """Mix the bits of row numbers, so that their order says nothing.

    >>> len(set(keys_of(np.arange(1000)).tolist()))
    1000

    Source: Steele, Lea & Flood (2014), "Fast splittable pseudorandom number generators", OOPSLA,
    figure 17 (mix64variant13).
    """
    with np.errstate(over="ignore"):
        z = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
