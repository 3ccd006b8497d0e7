"""Drift detection by Hoeffding's bounds, on averages: HDDM-A."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ratoon.core import settings
from ratoon.core.measuring import Detection, Measurement
from ratoon.detectors.lanes import Fields, Lanes, Track, held
from ratoon.detectors.scanning import Bools, Floats, running
from ratoon.detectors.steps import (
    Onset,
    answer,
    check_confidences,
    drift,
    onset_of,
    stable,
    value_of,
)

_CUT = 1.0  # height of the statistic that is a drift
_NUMBERS = (
    "count",
    "origin",
    "total",
    "low",
    "low_count",
    "low_total",
    "high",
    "high_count",
    "high_total",
    "statistic",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HDDMAState:
    """The sum so far, and the cuts at which its mean was surely lowest and highest."""

    count: float = 0.0  # values taken in
    origin: float = 0.0  # the first of them; sums are of what they differ from it by
    total: float = 0.0
    low: float = math.inf  # least upper bound of the mean, and the values up to there
    low_count: float = 0.0
    low_total: float = 0.0
    high: float = -math.inf  # largest lower bound of the mean
    high_count: float = 0.0
    high_total: float = 0.0
    statistic: float = 0.0
    after_low: Onset | None = None  # the first window after the lower cut
    after_high: Onset | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HDDMA(Lanes[HDDMAState]):
    """HDDM with the A-test: the mean of all values against that up to the best cut.

    For values that span a range R, Hoeffding's bound of the mean of i values is
    e_i = R sqrt(ln(1 / drift_confidence) / (2 i)). The cut k is where mean_k + e_k was least, the
    last such; beyond it, after n values in all, the mean has risen where::

        mean_n - mean_k >= R sqrt((n - k) / (k n) ln(2 / drift_confidence) / 2)

    and with `warning_confidence` in its place a warning is due. The other way round for a fall,
    with `two_sided`. The change point is the first window after the cut k. After a drift it
    starts anew from `init()`.

    The statistic answered is the left side in units of the right one, and above 1 it is a drift.

    Args:
        drift_confidence: chance of a false drift of one test, in (0, 1); of each cut and moment,
            not of a whole stream.
        warning_confidence: the same for a warning; above the former.
        two_sided: whether a fall of the mean is a drift, too.
        span: range of the values, largest less smallest, in their unit; above 0.

    Raises:
        SettingInvalid: where a setting is outside its range.

    Example:
        >>> losses = [float(row % 5 == 0 if row < 1000 else row % 5 != 0) for row in range(2000)]
        >>> detector = HDDMA()
        >>> state, alarms = detector.scan(detector.init(), losses)
        >>> for alarm in alarms:
        ...     print(f"seen at row {alarm.row}, since row {alarm.detection.change_row}")
        seen at row 1009, since row 1001

    References:
        Frias-Blanco, I., del Campo-Avila, J., Ramos-Jimenez, G., Morales-Bueno, R., Ortiz-Diaz, A.
        and Caballero-Mota, Y. (2015). Online and non-parametric drift detection methods based on
        Hoeffding's bounds. IEEE Transactions on Knowledge and Data Engineering 27, 810-823:
        corollary 2, algorithm 1.

    """

    drift_confidence: float = 0.001
    warning_confidence: float = 0.005
    two_sided: bool = False
    span: float = 1.0

    def __post_init__(self) -> None:
        """Check the settings."""
        check_confidences(
            drift_confidence=self.drift_confidence, warning_confidence=self.warning_confidence
        )
        settings.positive("span", self.span)

    def init(self) -> HDDMAState:
        """Return the state before the first measurement."""
        return HDDMAState()

    def step(self, state: HDDMAState, m: Measurement, /) -> tuple[HDDMAState, Detection]:
        """Take in `m`: return the state after it, and what it says of a change."""
        value = value_of(m)
        if value is None:
            return state, stable(state.statistic, _CUT)
        place = onset_of(m.window)
        origin = state.origin if state.count else value
        count, total = state.count + 1.0, state.total + (value - origin)
        mean = total / count
        bound = math.sqrt(self._hoeffding() / count)
        low, low_count, low_total = state.low, state.low_count, state.low_total
        after_low: Onset | None = state.after_low or place
        if mean + bound <= low:
            low, low_count, low_total, after_low = mean + bound, count, total, None
        high, high_count, high_total = state.high, state.high_count, state.high_total
        after_high: Onset | None = state.after_high or place
        if mean - bound >= high:
            high, high_count, high_total, after_high = mean - bound, count, total, None
        rise = self._ratio(mean - low_total / low_count, count, low_count)
        fall = self._ratio(high_total / high_count - mean, count, high_count)
        statistic = max(rise, fall) if self.two_sided else rise
        onset = after_low if statistic == rise else after_high
        if onset and statistic > _CUT:
            return self.init(), drift(statistic, _CUT, onset)
        after = HDDMAState(
            count=count,
            origin=origin,
            total=total,
            low=low,
            low_count=low_count,
            low_total=low_total,
            high=high,
            high_count=high_count,
            high_total=high_total,
            statistic=statistic,
            after_low=after_low,
            after_high=after_high,
        )
        return after, answer(statistic, _CUT, warned=statistic > self._warning())

    def _hoeffding(self) -> float:
        """Return the square of the bound of the mean of one value."""
        return self.span * self.span * math.log(1.0 / self.drift_confidence) / 2.0

    def _test(self) -> float:
        """Return the square of the threshold, but for the counts."""
        return self.span * self.span * math.log(2.0 / self.drift_confidence) / 2.0

    def _warning(self) -> float:
        """Return the statistic that is a warning."""
        return math.sqrt(math.log(2.0 / self.warning_confidence)) / math.sqrt(
            math.log(2.0 / self.drift_confidence)
        )

    def _ratio(self, gap: float, count: float, cut: float) -> float:
        """Return a difference of means in units of its threshold."""
        if count == cut:
            return 0.0
        return gap / math.sqrt((count - cut) / (cut * count) * self._test())

    def _fields(self, state: HDDMAState) -> dict[str, float]:
        return {name: getattr(state, name) for name in _NUMBERS}

    def _onsets(self, state: HDDMAState) -> tuple[Onset | None, ...]:
        return state.after_low, state.after_high

    def _state(self, fields: Mapping[str, float], onsets: tuple[Onset | None, ...]) -> HDDMAState:
        return HDDMAState(after_low=onsets[0], after_high=onsets[1], **fields)

    def _track(self, fields: Fields, x: Floats) -> Track:
        origin = np.where(fields["count"] > 0.0, fields["origin"], x[:, 0])
        count = fields["count"][:, np.newaxis] + np.arange(1.0, x.shape[1] + 1.0)
        total = running(fields["total"], x - origin[:, np.newaxis])
        mean = total / count
        bound = np.sqrt(self._hoeffding() / count)
        upper, lower = mean + bound, bound - mean
        low, is_low = _lowest(upper, fields["low"])
        high, is_high = _lowest(lower, -fields["high"])
        low_count, low_total = _held(fields, "low", is_low, count, total)
        high_count, high_total = _held(fields, "high", is_high, count, total)
        rise = self._ratios(mean - low_total / low_count, count, low_count)
        fall = self._ratios(high_total / high_count - mean, count, high_count)
        statistic = np.maximum(rise, fall) if self.two_sided else rise
        return Track(
            fields={
                "count": count,
                "origin": origin,
                "total": total,
                "low": low,
                "low_count": low_count,
                "low_total": low_total,
                "high": -high,
                "high_count": high_count,
                "high_total": high_total,
                "statistic": statistic,
            },
            statistic=statistic,
            threshold=np.full_like(statistic, _CUT),
            alarm=statistic > _CUT,
            cuts=(is_low, is_high),
            side=(statistic != rise).astype(np.int64),
        )

    def _ratios(self, gap: Floats, count: Floats, cut: Floats) -> Floats:
        limit = np.sqrt((count - cut) / (cut * count) * self._test())
        return np.where(count == cut, 0.0, gap / limit)


def _lowest(bound: Floats, before: Floats) -> tuple[Floats, Bools]:
    """Return the least bound so far, and where it is a new one."""
    bounds = bound.copy()
    bounds[:, 0] = np.minimum(bounds[:, 0], before)
    lowest = np.minimum.accumulate(bounds, axis=1)
    return lowest, bound == lowest


def _held(
    fields: Fields, side: str, taken: Bools, count: Floats, total: Floats
) -> tuple[Floats, Floats]:
    """Return count and total at the last cut of a side."""
    counts = held(count, taken, fields[f"{side}_count"])
    return counts, held(total, taken, fields[f"{side}_total"])
