"""The data to check: rows with all that is known of them, in the batches they came in."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ratoon.core.errors import LengthMismatch
from ratoon.windows.judged import Floats, Target
from ratoon.windows.rows import Array, Rows

Mask: TypeAlias = NDArray[np.bool_]
Places: TypeAlias = NDArray[np.intp]

_BLOCKS = 20  # pieces that rows are cut into where no batches are told
_GROUPS = 1_000  # groups of small batches, about
_SAMPLE = 200_000  # rows that are sorted, of all groups together
_SAMPLE_GROUP = 2_000  # rows of one group that are sorted
_SAMPLE_LEAST = 100
_GOLDEN = 0.6180339887498949  # spreads evenly, and follows no season


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Rows to be checked, in the order in which they came, and all that is known of them.

    Args:
        rows: the features.
        target: what is predicted; with `labels`.
        labels: (n,) values, or classes as an index into the target's classes; NaN for none yet.
        ids: (n,) what a row is called, texts or whole numbers.
        times: (n,) datetime64, when a row's event was.
        arrived: (n,) datetime64, when a row came.
        labelled: (n,) datetime64, when its label came.
        entities: (n,) whom a row is about, texts or whole numbers; by default a column of the
            rows, if the rules name one.
        held_out: (n,) true for rows that judge and do not train.
        batches: (n,) whole numbers: rows that came in together have the same. A fault is told of
            a batch, and a batch is what is set aside. By default 20 equal pieces.
        label_batches: (n,) the same for the labels; by default as `batches`.

    Raises:
        LengthMismatch: where one of them has not a value for each row.
    """

    rows: Rows
    target: Target | None = None
    labels: Floats | None = None
    ids: Array | None = None
    times: Array | None = None
    arrived: Array | None = None
    labelled: Array | None = None
    entities: Array | None = None
    held_out: Mask | None = None
    batches: Array | None = None
    label_batches: Array | None = None

    def __post_init__(self) -> None:
        """Check the lengths."""
        for name, value in self._known().items():
            if value is not None and len(value) != len(self.rows):
                raise LengthMismatch("the rows", len(self.rows), name, len(value))

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.rows)

    def take(self, index: Places | slice) -> Dataset:
        """Return the rows at `index`, in its order."""
        known = self._known().items()
        picked: dict[str, Any] = {k: None if v is None else v[index] for k, v in known}
        return Dataset(rows=self.rows.take(index), target=self.target, **picked)

    def _known(self) -> dict[str, Array | None]:
        """Return what there is one of a row."""
        names = [field.name for field in fields(self)]
        return {name: getattr(self, name) for name in names if name not in ("rows", "target")}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Groups:
    """Rows by batch; small batches that follow each other stand together."""

    of_row: Places  # (n,): the group of each row
    sizes: Places  # (G + 1,): rows of each group, and of all
    firsts: NDArray[np.int64]  # (G,): the first batch of each
    lasts: NDArray[np.int64]  # (G,): the last batch of each
    sample: Places  # (G + 1, S): some rows of each group, and of all, in order; -1 for none
    told: bool  # whether the batches were told, and are no mere pieces

    def count(self, mask: Mask) -> Places:
        """Count the rows of `mask` in each group and, last, in all."""
        found = np.bincount(self.of_row[mask], minlength=len(self.sizes) - 1)
        return np.append(found, found.sum())

    def rows_of(self, groups: Mask) -> Mask:
        """Return the mask of the rows that are in `groups`, of shape (G,) or (G + 1,)."""
        return groups[: len(self.sizes) - 1][self.of_row]

    def name(self, group: int) -> str:
        """Return what a person calls a group."""
        first, last = int(self.firsts[group]), int(self.lasts[group])
        if not self.told:
            return f"piece {first + 1} of {len(self.sizes) - 1}"
        return f"batch {first}" if first == last else f"batches {first} to {last}"

    def sampled(self, values: Floats) -> Floats:
        """Return the values of the sampled rows, (G + 1, S); NaN for none."""
        return np.where(self.sample >= 0, values[self.sample], np.nan)


def grouped(rows: int, batches: Array | None, least: int) -> Groups:
    """Put `rows` rows into groups of at least `least` rows, batch by batch.

    A batch of `least` rows or more is a group of its own. Smaller ones are joined with those next
    to them until they have so many: a batch of three rows has no rates to speak of.

    >>> found = grouped(6, np.array([7, 7, 7, 8, 9, 9]), 3)
    >>> found.of_row.tolist(), [found.name(i) for i in range(2)]
    ([0, 0, 0, 1, 1, 1], ['batch 7', 'batches 8 to 9'])
    """
    least = max(least, rows // _GROUPS)
    told = batches is not None
    if batches is None:
        pieces = max(1, min(_BLOCKS, rows // least))
        batches = np.arange(rows) * pieces // max(rows, 1)
    numbers = batches.astype(np.int64)
    order = None if (numbers[1:] >= numbers[:-1]).all() else np.argsort(numbers, kind="stable")
    ordered = numbers if order is None else numbers[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))
    sizes = np.diff(np.append(starts, rows))
    group = _joined(sizes, least)
    in_order = np.repeat(group, sizes)
    of_row = in_order
    if order is not None:
        of_row = np.empty(rows, dtype=np.intp)
        of_row[order] = in_order
    found = np.bincount(in_order)
    begins = np.cumsum(found) - found
    return Groups(
        of_row=of_row,
        sizes=np.append(found, rows),
        firsts=ordered[begins],
        lasts=ordered[begins + found - 1],
        sample=_sample(found, begins, order),
        told=told,
    )


def _joined(sizes: Places, least: int) -> Places:
    """Return the group of each batch; there are at most two groups for each `least` rows."""
    ends = np.cumsum(sizes)
    large = np.append(np.flatnonzero(sizes >= least), len(sizes))
    starts: list[int] = []
    at = run = 0  # the batch that is next, and the first one of its run of small batches
    while at < len(sizes):
        stop = int(large[np.searchsorted(large, at)])
        if stop == at:
            starts.append(at)
            at = run = at + 1
            continue
        before = int(ends[at] - sizes[at])
        full = int(np.searchsorted(ends, before + least)) + 1
        # What is left over at the end of a run of small batches joins the last full group of it.
        if full <= stop or at == run:
            starts.append(at)
        at = min(full, stop)
    marks = np.zeros(len(sizes), dtype=np.intp)
    marks[starts] = 1
    return np.cumsum(marks) - 1


def _sample(sizes: Places, begins: Places, order: Places | None) -> Places:
    """Pick rows of each group, and of all, evenly but never in step with a season."""
    width = int(np.clip(_SAMPLE // (len(sizes) + 1), _SAMPLE_LEAST, _SAMPLE_GROUP))
    every, rows = np.append(begins, 0), np.append(sizes, sizes.sum())
    steps = np.arange(width)
    shift = steps * _GOLDEN % 1
    # A group that is no larger than the sample is taken whole.
    whole = rows[:, None] <= width
    spread = ((steps + shift) * (rows[:, None] / width)).astype(np.intp)
    place = np.where(whole, steps, np.minimum(spread, rows[:, None] - 1))
    found = every[:, None] + place
    gone = whole & (steps >= rows[:, None])
    found = np.where(gone, 0, found)
    if order is not None:
        found = order[found]
        found[-1] = np.sort(found[-1])
    return np.where(gone, -1, found)
