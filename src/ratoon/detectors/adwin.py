"""Adaptive windowing, ADWIN2."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from ratoon.core import settings
from ratoon.core.measuring import Detection, Measurement
from ratoon.detectors.steps import Onset, drift, onset_of, stable, value_of

_CUT = 1.0  # height of the statistic that is a drift


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What is kept of neighbouring values; how many follows from its level."""

    mean: float
    squares: float  # sum of the squared deviations from the mean
    onset: Onset  # where its first value stood


Levels: TypeAlias = tuple[tuple[Bucket, ...], ...]
"""At i, buckets of 2^i values, oldest first; the last level holds the oldest values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdwinState:
    """The window, as an exponential histogram."""

    levels: Levels = ()
    ticks: int = 0  # values taken in
    statistic: float = 0.0  # of the last check


@dataclass(frozen=True, slots=True, kw_only=True)
class _Border:
    """Where the window may be cut: after so many of its oldest buckets."""

    statistic: float  # difference of the means on its sides, in units of its cut
    older: int  # buckets


@dataclass(frozen=True, slots=True, kw_only=True)
class Adwin:
    """ADWIN2: a window that grows while its mean holds, and drops its old part when it does not.

    For every border between two buckets that splits the window of n values, of variance s^2, into
    an older part of n0 and a newer part of n1::

        m = 1 / (1 / n0 + 1 / n1),    L = ln(2 ln(n) / delta)
        cut = sqrt(2 s^2 L / m) + 2 span L / (3 m)

    the statistic is the largest |mean0 - mean1| / cut, and above 1 it is a drift, up or down. The
    window then loses all before the border that gave it, until no border is above 1. The change
    point is the start of the first bucket kept, and the window goes on from there; it is not
    emptied.

    The paper drops one bucket at a time, and so keeps a mixture that is cut again at later checks:
    for a shift by one standard deviation after 1,500 values, 2.8 alarms whose first change point
    is 193 values off on average, against 1.0 and 7 this way. The first alarm comes when it did.

    Buckets hold 1, 2, 4, ... values, at most `max_buckets` of each size, so that n values take
    about max_buckets log2(n / max_buckets) buckets. They hold means and squared deviations, not
    sums, so values may be negative and far from 0.

    The paper takes values in [0, 1]; its bound holds for values that span any range, with the
    second term, Bernstein's, times `span`. With `clock` 32 a change is seen up to 31 measurements
    late: set it to 1 where measurements are of windows.

    Args:
        delta: chance of a false cut, in (0, 1). Of each check, not of a whole stream.
        clock: measurements from one check to the next; at least 1.
        max_buckets: buckets of each size; at least 2.
        min_length: values on each side of a border that is checked; at least 1.
        warm_up: values in the window above which it is checked; at least 1.
        span: range of the values, largest less smallest, in their unit; above 0.

    Raises:
        SettingInvalid: where a setting is outside its range.

    Example:
        >>> from ratoon.core.measuring import Measurement, RowRange, Window
        >>> from ratoon.core.times import EPOCH
        >>> detector = Adwin()
        >>> state = detector.init()
        >>> for row in range(2000):
        ...     loss = float(row % 5 == 0 if row < 1000 else row % 5 != 0)
        ...     window = Window(start=EPOCH, end=EPOCH, rows=RowRange(start=row, stop=row + 1))
        ...     m = Measurement(metric="zero_one", window=window, value=loss, n=1)
        ...     state, detection = detector.step(state, m)
        ...     if detection.status == "drift":
        ...         print(f"seen at row {row}, since row {detection.change_row}")
        seen at row 1055, since row 1000

    References:
        Bifet, A. and Gavalda, R. (2007). Learning from time-changing data with adaptive windowing.
        SIAM International Conference on Data Mining, 443-448: section 2, equation 3.1; section 3.

    """

    delta: float = 0.002
    clock: int = 32
    max_buckets: int = 5
    min_length: int = 5
    warm_up: int = 10
    span: float = 1.0

    def __post_init__(self) -> None:
        """Check the settings."""
        settings.share("delta", self.delta)
        settings.whole("clock", self.clock, least=1)
        settings.whole("max_buckets", self.max_buckets, least=2)
        settings.whole("min_length", self.min_length, least=1)
        settings.whole("warm_up", self.warm_up, least=1)
        settings.positive("span", self.span)

    def init(self) -> AdwinState:
        """Return the state before the first measurement."""
        return AdwinState()

    def step(self, state: AdwinState, m: Measurement, /) -> tuple[AdwinState, Detection]:
        """Take in `m`: return the state after it, and what it says of a change."""
        value = value_of(m)
        if value is None:
            return state, stable(state.statistic, _CUT)
        bucket = Bucket(mean=value, squares=0.0, onset=onset_of(m.window))
        levels = _inserted(state.levels, bucket, self.max_buckets)
        ticks = state.ticks + 1
        if ticks % self.clock or _length(levels) <= self.warm_up:
            after = AdwinState(levels=levels, ticks=ticks, statistic=state.statistic)
            return after, stable(state.statistic, _CUT)
        strongest = self._strongest(levels)
        if strongest.statistic <= _CUT:
            after = AdwinState(levels=levels, ticks=ticks, statistic=strongest.statistic)
            return after, stable(strongest.statistic, _CUT)
        kept = self._kept(levels, strongest)
        onset = next(_oldest_first(kept))[1].onset
        return AdwinState(levels=kept, ticks=ticks), drift(strongest.statistic, _CUT, onset)

    def _kept(self, levels: Levels, strongest: _Border) -> Levels:
        """Return the part of the window after the last change in it."""
        while strongest.statistic > _CUT:
            for _ in range(strongest.older):
                levels = _shortened(levels)
            strongest = self._strongest(levels)
        return levels

    def _strongest(self, levels: Levels) -> _Border:
        """Return the border whose means differ most, in units of its cut."""
        n, mean, squares = _whole(levels)
        strongest = _Border(statistic=0.0, older=0)
        if n < 2 * self.min_length:
            return strongest
        log = math.log(2.0 * math.log(n) / self.delta)
        n0, mean0 = 0, mean
        for older, (size, bucket) in enumerate(_oldest_first(levels), start=1):
            n0 += size
            mean0 += (bucket.mean - mean0) * size / n0
            n1 = n - n0
            if n0 < self.min_length or n1 < self.min_length:
                continue
            cut = self._cut(log, squares / n, 1.0 / n0 + 1.0 / n1)
            gap = abs(mean0 - mean) * n / n1  # |mean0 - mean1|, without a difference of sums
            if gap > strongest.statistic * cut:
                strongest = _Border(statistic=gap / cut, older=older)
        return strongest

    def _cut(self, log: float, variance: float, inverse: float) -> float:
        """Return the difference of means that chance explains, from L, s^2 and 1 / m."""
        bernstein = 2.0 / 3.0 * self.span * log * inverse
        return math.sqrt(2.0 * variance * log * inverse) + bernstein


def _oldest_first(levels: Levels) -> Iterator[tuple[int, Bucket]]:
    """Yield each bucket with the number of values it stands for."""
    for i in range(len(levels) - 1, -1, -1):
        for bucket in levels[i]:
            yield 1 << i, bucket


def _length(levels: Levels) -> int:
    """Return the number of values in the window."""
    return sum(len(level) << i for i, level in enumerate(levels))


def _whole(levels: Levels) -> tuple[int, float, float]:
    """Return length, mean and sum of squared deviations of the window."""
    n, mean, squares = 0, 0.0, 0.0
    for size, bucket in _oldest_first(levels):
        total = n + size
        gap = bucket.mean - mean
        squares += bucket.squares + gap * gap * n * size / total
        mean += gap * size / total
        n = total
    return n, mean, squares


def _inserted(levels: Levels, bucket: Bucket, limit: int) -> Levels:
    """Return the window with `bucket` of one value behind, at most `limit` buckets a level."""
    changed: list[tuple[Bucket, ...]] = []
    for i, level in enumerate(levels):
        grown = (*level, bucket)
        if len(grown) <= limit:
            return (*changed, grown, *levels[i + 1 :])
        changed.append(grown[2:])
        bucket = _joined(grown[0], grown[1], 1 << i)
    return (*changed, (bucket,))


def _joined(older: Bucket, newer: Bucket, size: int) -> Bucket:
    """Return one bucket for two of `size` values each."""
    gap = newer.mean - older.mean
    return Bucket(
        mean=older.mean + gap / 2.0,
        squares=older.squares + newer.squares + gap * gap * size / 2.0,
        onset=older.onset,
    )


def _shortened(levels: Levels) -> Levels:
    """Return the window without its oldest bucket."""
    rest = levels[-1][1:]
    return (*levels[:-1], rest) if rest else levels[:-1]
