"""Adaptive windowing, ADWIN2."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ratoon.core import settings
from ratoon.core.measuring import Detection, Measurement
from ratoon.detectors.exponential_histogram import (
    Bucket,
    Histograms,
    Levels,
    inserted,
    length,
    oldest_first,
    shortened,
)
from ratoon.detectors.scanning import LEAST, MOST, Batch, Floats, Ints, Scans
from ratoon.detectors.steps import drift, onset_of, stable, value_of

_CUT = 1.0  # height of the statistic that is a drift
_CHECKS = 256  # of a scan, at once


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
class Adwin(Scans[AdwinState]):
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
        levels = inserted(state.levels, bucket, self.max_buckets)
        ticks = state.ticks + 1
        if ticks % self.clock or length(levels) <= self.warm_up:
            after = AdwinState(levels=levels, ticks=ticks, statistic=state.statistic)
            return after, stable(state.statistic, _CUT)
        strongest = self._strongest(levels)
        if strongest.statistic <= _CUT:
            after = AdwinState(levels=levels, ticks=ticks, statistic=strongest.statistic)
            return after, stable(strongest.statistic, _CUT)
        return self._cut(levels, ticks)

    def _cut(self, levels: Levels, ticks: int) -> tuple[AdwinState, Detection]:
        """Answer a drift, and keep the part of the window after the last change in it."""
        strongest = self._strongest(levels)
        height = strongest.statistic
        while strongest.statistic > _CUT:
            for _ in range(strongest.older):
                levels = shortened(levels)
            strongest = self._strongest(levels)
        onset = next(oldest_first(levels))[1].onset
        return AdwinState(levels=levels, ticks=ticks), drift(height, _CUT, onset)

    def _strongest(self, levels: Levels) -> _Border:
        """Return the border whose means differ most, in units of its cut."""
        window = list(oldest_first(levels))
        anchor = window[0][1].mean  # sums are of what the means differ from it by
        n, total, squares = 0.0, 0.0, 0.0
        borders: list[tuple[float, float]] = []
        for size, bucket in window:
            apart = bucket.mean - anchor
            n += size
            total += size * apart
            squares += bucket.squares + size * apart * apart
            borders.append((n, total))
        log = self._log(n)
        variance = max(0.0, squares - total * total / n) / n
        strongest = _Border(statistic=0.0, older=0)
        for older, (n0, total0) in enumerate(borders[:-1], start=1):
            n1 = n - n0
            if n0 < self.min_length or n1 < self.min_length:
                continue
            product = n0 * n1
            noise = n / product * log
            cut = math.sqrt(2.0 * variance * noise) + 2.0 / 3.0 * self.span * noise
            statistic = abs(total0 * n - total * n0) / (product * cut)
            if statistic > strongest.statistic:
                strongest = _Border(statistic=statistic, older=older)
        return strongest

    def _log(self, n: float) -> float:
        """Return L of a window of n values; no border is checked where n is 1."""
        return math.log(2.0 * math.log(n) / self.delta) if n > 1.0 else 0.0

    def _read(
        self, state: AdwinState, batch: Batch
    ) -> tuple[AdwinState, list[tuple[int, Detection]]]:
        states, found = self._read_all((state,), (batch,))
        return states[0], found[0]

    def _read_all(
        self, states: Sequence[AdwinState], batches: Sequence[Batch]
    ) -> tuple[tuple[AdwinState, ...], list[list[tuple[int, Detection]]]]:
        """Read the streams block by block, those together whose windows are laid out alike."""
        after = list(states)
        found: list[list[tuple[int, Detection]]] = [[] for _ in states]
        at, sizes = [0] * len(states), [LEAST] * len(states)
        live = [stream for stream, batch in enumerate(batches) if len(batch)]
        while live:
            blocks = {s: min(sizes[s], len(batches[s]) - at[s]) for s in live}
            for group in self._alike(after, blocks):
                parts = [batches[s].cut(at[s], at[s] + blocks[s]) for s in group]
                read = self._block([after[s] for s in group], parts)
                for stream, (state, alarm) in zip(group, read, strict=True):
                    taken = blocks[stream] if alarm is None else alarm[0] + 1
                    if alarm is not None:
                        found[stream].append((at[stream] + alarm[0], alarm[1]))
                    after[stream] = state
                    at[stream] += taken
                    sizes[stream] = LEAST if alarm else min(MOST, 2 * sizes[stream])
            live = [stream for stream in live if at[stream] < len(batches[stream])]
        return tuple(after), found

    def _alike(self, states: Sequence[AdwinState], blocks: Mapping[int, int]) -> list[list[int]]:
        """Group the streams that have as many buckets on each level, and the same next check."""
        groups: dict[tuple[int, ...], list[int]] = {}
        for stream, size in blocks.items():
            state = states[stream]
            layout = (size, state.ticks % self.clock, *map(len, state.levels))
            groups.setdefault(layout, []).append(stream)
        together = {layout: max(1, MOST // layout[0]) for layout in groups}
        return [
            group[i : i + together[layout]]
            for layout, group in groups.items()
            for i in range(0, len(group), together[layout])
        ]

    def _block(
        self, states: Sequence[AdwinState], parts: Sequence[Batch]
    ) -> list[tuple[AdwinState, tuple[int, Detection] | None]]:
        """Take in values of streams laid out alike, each up to its first alarm."""
        histograms = Histograms.of([s.levels for s in states], parts, self.max_buckets)
        size, first = len(parts[0]), self.clock - states[0].ticks % self.clock
        taken = np.arange(first, size + 1, self.clock)  # values taken in at each check
        taken = taken[length(states[0].levels) + taken > self.warm_up]
        each = max(1, _CHECKS // len(states))
        steps = [taken[i : i + each] for i in range(0, len(taken), each)]
        ends = np.full(len(states), -1)  # values taken in at the first alarm
        newest = np.array([state.statistic for state in states])
        for times in steps:
            statistics = self._strengths(histograms, times)
            hits = statistics > _CUT
            hit = hits.any(axis=1) & (ends < 0)
            ends[hit] = times[hits.argmax(axis=1)[hit]]
            newest = statistics[:, -1]
            if (ends >= 0).all():
                break
        return [
            self._after(state, histograms, i, (end, statistic))
            for i, (state, end, statistic) in enumerate(
                zip(states, ends.tolist(), newest.tolist(), strict=True)
            )
        ]

    def _after(
        self, state: AdwinState, histograms: Histograms, stream: int, told: tuple[int, float]
    ) -> tuple[AdwinState, tuple[int, Detection] | None]:
        """Return the state after a block, or after the alarm in it."""
        end, statistic = told
        if end >= 0:
            cut = self._cut(histograms.levels(stream, end), state.ticks + end)
            return cut[0], (end - 1, cut[1])
        size = len(histograms.parts[stream])
        levels = histograms.levels(stream, size)
        return AdwinState(levels=levels, ticks=state.ticks + size, statistic=statistic), None

    def _strengths(self, histograms: Histograms, taken: Ints) -> Floats:
        """Return the statistic of each stream at each check."""
        sizes, means, within = histograms.buckets(taken)
        oldest = (sizes > 0.0).argmax(axis=1)
        apart = means - means[:, np.arange(len(taken)), oldest][:, :, np.newaxis]
        apart[:, sizes == 0.0] = 0.0
        n0, total0 = np.cumsum(sizes, axis=1), np.cumsum(sizes * apart, axis=2)
        squares = np.cumsum(within + sizes * apart * apart, axis=2)[:, :, -1:]
        n, total = n0[:, -1:], total0[:, :, -1:]
        log = np.array([[self._log(length)] for length in n[:, 0].tolist()])
        variance = np.maximum(0.0, squares - total * total / n) / n
        n1 = n - n0
        product = n0 * n1
        with np.errstate(divide="ignore", invalid="ignore"):  # a side may be empty
            noise = n / product * log
            cut = np.sqrt(2.0 * variance * noise) + 2.0 / 3.0 * self.span * noise
            statistics = np.abs(total0 * n - total * n0) / (product * cut)
        statistics[:, np.minimum(n0, n1) < self.min_length] = 0.0
        return statistics.max(axis=2)
