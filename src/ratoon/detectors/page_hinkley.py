"""The Page-Hinkley test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ratoon.core import settings
from ratoon.core.measuring import Detection, Measurement
from ratoon.detectors.lanes import Fields, Lanes, Track
from ratoon.detectors.scanning import Floats, running
from ratoon.detectors.steps import (
    DIRECTIONS,
    Direction,
    Onset,
    drift,
    onset_of,
    sign_of,
    stable,
    value_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageHinkleyState:
    """The sums so far, of the values and of what they stand above their mean by."""

    count: float = 0.0  # values taken in
    origin: float = 0.0  # the first of them
    total: float = 0.0  # sum of what they differ from it by
    height: float = 0.0  # U
    lowest: float = 0.0  # least U so far
    onset: Onset | None = None  # the window after the sum's lowest point; None while there


@dataclass(frozen=True, slots=True, kw_only=True)
class PageHinkley(Lanes[PageHinkleyState]):
    """Page-Hinkley test for a rise of the mean, in the unit of the values.

    With x_t the values and mean_t their mean up to and with x_t::

        U_T = sum over t <= T of (x_t - mean_t - delta)
        PH_T = U_T - min over t <= T of U_t          drift where PH_T > threshold

    with PH_1 = 0. The change point is the window after the one where U was lowest. After a drift
    it starts anew from `init()`. Direction "down" tests for a fall.

    The statistic is not standardised: noise of deviation s alarms about every
    exp(2 delta (threshold + 1.2 s) / s^2) s^2 / (2 delta^2) values (Siegmund), and a rise by r is
    seen after about threshold / (r - delta) values, but one by less than delta never. So set
    `delta` to half the rise worth finding. In 100,000 values of noise of deviation 1 the defaults
    alarm 2 to 4 times; river 0.26.1, both ways and with a delta of 0.005, 57 to 70 times; on errors
    at a rate of 0.2 they alarm 0 and 6 times. Where the deviation is not known
    beforehand, or the values are metrics of windows, take `Cusum`.

    Args:
        delta: rise that is put up with, in the unit of the values; above 0.
        threshold: height of PH that is a drift, in the unit of the values; above 0.
        warm_up: values before the first answer other than stable; at least 1.
        direction: which way is worse.

    Raises:
        SettingInvalid: where a setting is outside its range.

    Example:
        >>> from ratoon.core.measuring import Measurement, RowRange, Window
        >>> from ratoon.core.times import EPOCH
        >>> detector = PageHinkley(delta=0.1, threshold=20.0)
        >>> state = detector.init()
        >>> for row in range(200):
        ...     window = Window(start=EPOCH, end=EPOCH, rows=RowRange(start=row, stop=row + 1))
        ...     loss = float(row % 5 == 0 if row < 100 else row % 5 != 0)
        ...     m = Measurement(metric="zero_one", window=window, value=loss, n=1)
        ...     state, detection = detector.step(state, m)
        ...     if detection.status == "drift":
        ...         print(f"seen at row {row}, since row {detection.change_row}")
        seen at row 152, since row 101

    References:
        Page, E. S. (1954). Continuous inspection schemes. Biometrika 41, 100-115.
        Hinkley, D. V. (1971). Inference about the change-point from cumulative sum tests.
        Biometrika 58, 509-523.
        Siegmund, D. (1985). Sequential Analysis. Springer.

    """

    delta: float = 0.05
    threshold: float = 50.0
    warm_up: int = 30
    direction: Direction = "up"

    def __post_init__(self) -> None:
        """Check the settings."""
        settings.positive("delta", self.delta)
        settings.positive("threshold", self.threshold)
        settings.whole("warm_up", self.warm_up, least=1)
        settings.one_of("direction", self.direction, DIRECTIONS)

    def init(self) -> PageHinkleyState:
        """Return the state before the first measurement."""
        return PageHinkleyState()

    def step(
        self, state: PageHinkleyState, m: Measurement, /
    ) -> tuple[PageHinkleyState, Detection]:
        """Take in `m`: return the state after it, and what it says of a change."""
        value = value_of(m)
        if value is None:
            return state, stable(state.height - state.lowest, self.threshold)
        origin = state.origin if state.count else value
        apart = value - origin
        count, total = state.count + 1.0, state.total + apart
        gain = sign_of(self.direction) * (apart - total / count) - self.delta
        height = state.height + gain
        lowest = min(state.lowest, height)
        statistic = height - lowest
        onset = (state.onset or onset_of(m.window)) if statistic else None
        if onset and count >= self.warm_up and statistic > self.threshold:
            return self.init(), drift(statistic, self.threshold, onset)
        after = PageHinkleyState(
            count=count, origin=origin, total=total, height=height, lowest=lowest, onset=onset
        )
        return after, stable(statistic, self.threshold)

    def _fields(self, state: PageHinkleyState) -> dict[str, float]:
        return {
            "count": state.count,
            "origin": state.origin,
            "total": state.total,
            "height": state.height,
            "lowest": state.lowest,
        }

    def _onsets(self, state: PageHinkleyState) -> tuple[Onset | None, ...]:
        return (state.onset,)

    def _state(
        self, fields: Mapping[str, float], onsets: tuple[Onset | None, ...]
    ) -> PageHinkleyState:
        return PageHinkleyState(onset=onsets[0], **fields)

    def _track(self, fields: Fields, x: Floats) -> Track:
        origin = np.where(fields["count"] > 0.0, fields["origin"], x[:, 0])
        apart = x - origin[:, np.newaxis]
        count = fields["count"][:, np.newaxis] + np.arange(1.0, x.shape[1] + 1.0)
        total = running(fields["total"], apart)
        gain = sign_of(self.direction) * (apart - total / count) - self.delta
        height = running(fields["height"], gain)
        lows = height.copy()
        lows[:, 0] = np.minimum(lows[:, 0], fields["lowest"])
        lowest = np.minimum.accumulate(lows, axis=1)
        statistic = height - lowest
        return Track(
            fields={
                "count": count,
                "origin": origin,
                "total": total,
                "height": height,
                "lowest": lowest,
            },
            statistic=statistic,
            threshold=np.full_like(statistic, self.threshold),
            alarm=(statistic > self.threshold) & (count >= self.warm_up),
            cuts=(statistic == 0.0,),
        )
