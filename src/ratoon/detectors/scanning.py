"""Many values at once: what all detectors share when they read arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from ratoon.core import settings
from ratoon.core.errors import LengthMismatch, SettingInvalid
from ratoon.core.measuring import Detection, Measurement
from ratoon.detectors.steps import LARGEST, Onset

S = TypeVar("S")
Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.int64]
Values: TypeAlias = Any  # what numpy can make an array of numbers of

LEAST = 256  # values in the first block after an alarm
MOST = 1 << 15  # values in a block: a few arrays of it fit into a core's cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A drift that a scan has found."""

    row: int  # ordinal of the value that raised it
    detection: Detection  # its `change_row` is the ordinal of the first value after the change
    stream: int = 0  # which of the streams


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The known values of one stream, in order."""

    values: Floats  # (n,): none is missing, all are finite
    rows: Ints  # (n,): the ordinal of each

    def place(self, i: int) -> Onset:
        """Return where the value at `i` stands."""
        return Onset(row=int(self.rows[i]))

    def cut(self, start: int, stop: int) -> Batch:
        """Return the part from `start` up to `stop`."""
        return Batch(values=self.values[start:stop], rows=self.rows[start:stop])

    def __len__(self) -> int:
        """Count the values."""
        return len(self.values)


class Scans(ABC, Generic[S]):
    """The doors for arrays: `scan` for one stream, `scan_streams` for several.

    A scan is `step` on each value in turn, faster: it leaves the same state and finds the same
    drifts, to the last digit, however a stream is split into batches. States are those of `step`,
    so a scan of the history may be followed by steps.
    """

    __slots__ = ()

    @abstractmethod
    def init(self) -> S:
        """Return the state before the first measurement."""

    @abstractmethod
    def step(self, state: S, m: Measurement, /) -> tuple[S, Detection]:
        """Take in `m`: return the state after it, and what it says of a change."""

    @abstractmethod
    def _read(self, state: S, batch: Batch) -> tuple[S, list[tuple[int, Detection]]]:
        """Take in a batch: the state after it, and each drift with the index that raised it."""

    def scan(self, state: S, values: Values, /, *, first: int = 0) -> tuple[S, tuple[Alarm, ...]]:
        """Take in the values of one stream; missing ones (NaN, None) change nothing.

        Args:
            state: of `init()`, or as a step or a scan left it.
            values: array of shape (n,).
            first: ordinal of the first value; of an alarm, `row` and `change_row` count alike.

        Returns:
            The state after the last value, and the drifts. Warnings are told by `step` alone.

        Raises:
            SettingInvalid: where `values` has another shape, or `first` is no whole number.

        """
        row = _array(values, dimensions=1)
        after, alarms = self.scan_streams((state,), row[np.newaxis], first=first)
        return after[0], alarms

    def scan_streams(
        self, states: Sequence[S], values: Values, /, *, first: int = 0
    ) -> tuple[tuple[S, ...], tuple[Alarm, ...]]:
        """Take in the values of several streams, which know nothing of each other.

        Args:
            states: one for each stream.
            values: array of shape (streams, n); fill up shorter streams with NaN.
            first: ordinal of the first value of each stream.

        Returns:
            The states after the last values, and the drifts, by stream and then by row.

        Raises:
            LengthMismatch: where there is not one state for each stream.
            SettingInvalid: where `values` has another shape, or `first` is no whole number.

        """
        matrix = _array(values, dimensions=2)
        settings.whole("first", first, least=0)
        if len(states) != len(matrix):
            raise LengthMismatch("states", len(states), "streams", len(matrix))
        batches = [_known(row, first) for row in matrix]
        after, found = self._read_all(states, batches)
        alarms = [
            Alarm(stream=stream, row=int(batches[stream].rows[i]), detection=detection)
            for stream, drifts in enumerate(found)
            for i, detection in drifts
        ]
        return after, tuple(alarms)

    def _read_all(
        self, states: Sequence[S], batches: Sequence[Batch]
    ) -> tuple[tuple[S, ...], list[list[tuple[int, Detection]]]]:
        """Take in a batch of each stream."""
        read = [self._read(s, b) for s, b in zip(states, batches, strict=True)]
        return tuple(state for state, _ in read), [found for _, found in read]


def in_blocks(n: int, read: Callable[[int, int], int], *, most: int = MOST) -> None:
    """Call `read(start, stop)` on blocks of n values until all are taken.

    `read` returns up to where it has taken them: fewer where it has stopped at an alarm. Blocks
    begin small after an alarm and double, so that reading a value twice costs a bounded share.
    """
    start, size = 0, LEAST
    while start < n:
        stop = min(n, start + size)
        taken = read(start, stop)
        size = min(most, 2 * size) if taken == stop else LEAST
        start = taken


def running(carry: Floats, x: Floats) -> Floats:
    """Return the sums of x along its last axis, begun at `carry`, added one after the other."""
    sums = x.copy()
    sums[..., 0] += carry
    np.cumsum(sums, axis=-1, out=sums)
    return sums


def _array(values: Values, *, dimensions: int) -> Floats:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as exc:
        raise SettingInvalid("values", "an array of numbers", type(values).__name__) from exc
    if array.ndim != dimensions:
        shape = "(n,)" if dimensions == 1 else "(streams, n)"
        raise SettingInvalid("values", f"an array of shape {shape}", array.shape)
    return array


def _known(row: Floats, first: int) -> Batch:
    """Drop what is missing, and bound what is infinite, as `value_of` does."""
    rows = np.arange(first, first + len(row), dtype=np.int64)
    missing = cast("Bools", np.isnan(row))
    if missing.any():
        row, rows = row[~missing], rows[~missing]
    return Batch(values=np.clip(row, -LARGEST, LARGEST), rows=rows)
