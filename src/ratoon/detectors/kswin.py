"""Kolmogorov-Smirnov windowing, KSWIN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ratoon.core import settings
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Detection, Measurement
from ratoon.detectors.scanning import Batch, Floats, Ints, Scans, in_blocks
from ratoon.detectors.steps import Onset, drift, onset_of, stable, value_of

_TESTS = 1024  # windows tested at once


@dataclass(frozen=True, slots=True, kw_only=True)
class KSWINState:
    """The window."""

    values: tuple[float, ...] = ()  # oldest first
    places: tuple[Onset, ...] = ()  # where each of them stood
    statistic: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KSWIN(Scans[KSWINState]):
    """KSWIN: the newest values against the older ones of a sliding window, by the KS test.

    Of the last `window_size` values, the `stat_size` newest, R, and all others, W, are compared::

        D = max over x of |share of R at most x - share of W at most x|

    A drift is where P(D or more) <= alpha under no change, by the exact distribution of D for
    two samples of these sizes; among equal values it errs on the side of no drift. It finds a
    change of any kind in the distribution, up or down, in place or in spread.

    The paper draws as many values from W as R has, by chance, at each step, and compares D with
    sqrt(-ln(alpha) / stat_size). Here W is taken whole: no chance, and a sharper test. A test is
    done at each value, and the windows overlap, so alpha is not the rate of false alarms. In 40,000
    values of noise there are none by default (river's defaults: 16 in 10,000), and 1 where
    neighbours correlate by 0.3.

    The change point is where the window is best split in two: where D sqrt(n_0 n_1) of the values
    before and from there on is largest. After a drift the window goes on from the change point.

    Args:
        alpha: chance of a false drift of one test, in (0, 1).
        window_size: values in the window; at least 4.
        stat_size: newest values that are compared with the others; at least 2 and at most half.

    Raises:
        SettingInvalid: where a setting is outside its range.

    Example:
        >>> import numpy as np
        >>> generator = np.random.default_rng(0)
        >>> losses = generator.exponential(size=2000) * np.repeat([1.0, 3.0], 1000)
        >>> detector = KSWIN()
        >>> state, alarms = detector.scan(detector.init(), losses)
        >>> for alarm in alarms:
        ...     print(f"seen at row {alarm.row}, since row {alarm.detection.change_row}")
        seen at row 1065, since row 1010

    References:
        Raab, C., Heusinger, M. and Schleif, F.-M. (2020). Reactive soft prototype computing for
        concept drift streams. Neurocomputing 416, 340-351: section 3.1.
        Hodges, J. L. (1958). The significance probability of the Smirnov two-sample test. Arkiv
        for Matematik 3, 469-486: section 2, the exact distribution.

    """

    alpha: float = 0.00001
    window_size: int = 300
    stat_size: int = 100

    def __post_init__(self) -> None:
        """Check the settings."""
        settings.share("alpha", self.alpha)
        settings.whole("window_size", self.window_size, least=4)
        settings.whole("stat_size", self.stat_size, least=2)
        if 2 * self.stat_size > self.window_size:
            rule = f"at most half of window_size ({self.window_size})"
            raise SettingInvalid("stat_size", rule, self.stat_size)

    def init(self) -> KSWINState:
        """Return the state before the first measurement."""
        return KSWINState()

    def step(self, state: KSWINState, m: Measurement, /) -> tuple[KSWINState, Detection]:
        """Take in `m`: return the state after it, and what it says of a change."""
        value, limit = value_of(m), self._limit()
        if value is None:
            return state, stable(state.statistic, limit)
        values = (*state.values, value)[-self.window_size :]
        places = (*state.places, onset_of(m.window))[-self.window_size :]
        if len(values) < self.window_size:
            return KSWINState(values=values, places=places), stable(0.0, limit)
        distance = int(_distances(np.array([values]), self.stat_size)[0])
        statistic = distance / self._unit()
        if distance >= self._critical():
            return self._changed(values, lambda i: places[i], statistic)
        return KSWINState(values=values, places=places, statistic=statistic), stable(
            statistic, limit
        )

    def _unit(self) -> int:
        """Return the whole number that a distance of 1 is counted as."""
        return self.stat_size * (self.window_size - self.stat_size)

    def _critical(self) -> int:
        return critical(self.stat_size, self.window_size - self.stat_size, self.alpha)

    def _limit(self) -> float:
        """Return the largest D that is no drift."""
        return (self._critical() - 1) / self._unit()

    def _changed(
        self, values: Sequence[float], place: Callable[[int], Onset], statistic: float
    ) -> tuple[KSWINState, Detection]:
        """Answer a drift, and keep what came after it."""
        split = _split(np.asarray(values))
        kept = tuple(place(i) for i in range(split, len(values)))
        after = KSWINState(values=tuple(values[split:]), places=kept)
        return after, drift(statistic, self._limit(), kept[0])

    def _read(
        self, state: KSWINState, batch: Batch
    ) -> tuple[KSWINState, list[tuple[int, Detection]]]:
        found: list[tuple[int, Detection]] = []

        def read(start: int, stop: int) -> int:
            nonlocal state
            state, alarm = self._block(state, batch.cut(start, stop))
            if alarm is None:
                return stop
            found.append((start + alarm[0], alarm[1]))
            return start + alarm[0] + 1

        in_blocks(len(batch), read, most=_TESTS)
        return state, found

    def _block(
        self, state: KSWINState, part: Batch
    ) -> tuple[KSWINState, tuple[int, Detection] | None]:
        """Take in values up to the first alarm, which comes with its index among them."""
        values, known = np.concatenate([state.values, part.values]), len(state.values)

        def place(i: int) -> Onset:
            return state.places[i] if i < known else part.place(i - known)

        statistic = 0.0
        if len(values) >= self.window_size:
            windows = np.lib.stride_tricks.sliding_window_view(values, self.window_size)
            # A window that the state holds whole was tested when it was filled.
            windows = windows[max(0, known + 1 - self.window_size) :]
            distances = _distances(windows, self.stat_size)
            hits = distances >= self._critical()
            at = int(hits.argmax())
            statistic = int(distances[-1]) / self._unit()
            if hits[at]:
                end = len(values) - len(windows) + at
                first = end + 1 - self.window_size
                height = int(distances[at]) / self._unit()
                window: list[float] = windows[at].tolist()
                after, drifted = self._changed(window, lambda i: place(first + i), height)
                return after, (end - known, drifted)
        first = max(0, len(values) - self.window_size)
        kept = tuple(place(i) for i in range(first, len(values)))
        return KSWINState(
            values=tuple(values[first:].tolist()), places=kept, statistic=statistic
        ), None


def _distances(windows: Floats, newest: int) -> Ints:
    """Return D of the newest values against the others of each window, as whole numbers."""
    size = windows.shape[1]
    order = np.argsort(windows, axis=1, kind="stable")
    ordered = np.take_along_axis(windows, order, axis=1)
    steps = np.where(order >= size - newest, size - newest, -newest)
    apart = np.abs(np.cumsum(steps, axis=1))
    apart[:, :-1][ordered[:, :-1] == ordered[:, 1:]] = 0  # between equal values there is no x
    return apart.max(axis=1)


def _split(window: Floats) -> int:
    """Return the first value of the newer part, where the window is best split in two."""
    size = len(window)
    order = np.argsort(window, kind="stable")
    ends = np.append(window[order][:-1] != window[order][1:], True)
    newer = np.arange(1, size)
    is_newer = order[np.newaxis, :] >= newer[:, np.newaxis]
    older = newer[:, np.newaxis]
    steps = np.where(is_newer, older, older - size)  # n_0 up for one of the newer, n_1 down else
    apart = np.abs(np.cumsum(steps, axis=1)[:, ends]).max(axis=1)
    return int(np.argmax(apart / np.sqrt(newer * (size - newer)))) + 1


@lru_cache(maxsize=64)
def critical(m: int, n: int, alpha: float) -> int:
    """Return the least D of samples of m and n values, times m n, with P(D or more) <= alpha.

    It is above m n where even a D of 1 is more likely than that.
    """
    least, most = 1, m * n + 1
    while least < most:
        middle = (least + most) // 2
        if tail(m, n, middle) <= alpha:
            most = middle
        else:
            least = middle + 1
    return least


def tail(m: int, n: int, distance: int) -> float:
    """Return P(D m n >= distance) of two samples of m and n values without ties.

    Of the paths from (0, 0) to (m, n), all of them as likely, those count that leave the band
    |i n - j m| < distance; by diagonals i + j, backwards, as probabilities to have left it.
    """
    i = np.arange(m + 1)
    left = np.zeros(m + 1)
    left[m] = float(distance <= 0)
    for total in range(m + n - 1, -1, -1):
        j = total - i
        inside = (j >= 0) & (j <= n)
        to_i = np.where(inside, (m - i) / (m + n - total), 0.0)
        moved = to_i * np.append(left[1:], 0.0) + (1.0 - to_i) * left
        outside = np.abs(i * n - j * m) >= distance
        left = np.where(inside, np.where(outside, 1.0, moved), 0.0)
    return float(left[0])
