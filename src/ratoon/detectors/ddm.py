"""The drift detection method, DDM."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ratoon.core import settings
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Detection, Measurement
from ratoon.detectors.lanes import Fields, Lanes, Track, held
from ratoon.detectors.scanning import Floats, running
from ratoon.detectors.steps import Onset, answer, drift, error_of, onset_of, stable


@dataclass(frozen=True, slots=True, kw_only=True)
class DDMState:
    """The error rate so far, and where it was lowest."""

    count: float = 0.0  # losses taken in
    total: float = 0.0  # their sum
    lowest: float = math.inf  # p_min + s_min
    rate: float = 0.0  # p_min
    onset: Onset | None = None  # the first window of the warning that stands


@dataclass(frozen=True, slots=True, kw_only=True)
class DDM(Lanes[DDMState]):
    """DDM: a rise of the error rate above its lowest, in standard deviations of that rate.

    After i losses, with p_i their mean::

        s_i = sqrt(p_i (1 - p_i) / i)
        warning where p_i + s_i > p_min + warning_threshold s_min
        drift   where p_i + s_i > p_min + drift_threshold s_min

    p_min and s_min are those of the i, beyond the warm-up, at which p_i + s_i was lowest, the last
    if there are several. The change point is the first window of the warning that led to the
    drift. After a drift it starts anew from `init()`.

    The statistic answered is p_i + s_i, the threshold the right side of the third line.

    Losses lie in [0, 1], errors being 0 or 1; what lies outside counts as the nearer end.

    The paper looks for the lowest rate from 30 losses on. Where errors are rare there may be none
    yet, s_min is 0, and the first error is a drift: over streams of 2,500 losses, with rates of
    0.01, 0.05, 0.2 and 0.5, it gives 188, 40, 11 and 4 false alarms in 100,000, without
    `least_errors`; with 30 it gives 0, 1, 3 and 2, and a rise is seen no later. A price remains:
    after thousands of losses at a constant rate a rise must lift the mean of them all, so it is
    seen late.

    Args:
        warm_up: losses before the lowest rate is looked for; at least 1.
        least_errors: sum of the losses before that, too; at least 0. The paper has none.
        warning_threshold: deviations that are a warning; above 0.
        drift_threshold: deviations that are a drift; above the former.

    Raises:
        SettingInvalid: where a setting is outside its range.

    Example:
        >>> losses = [float(row % 5 == 0 if row < 1000 else row % 5 != 0) for row in range(2000)]
        >>> detector = DDM()
        >>> state, alarms = detector.scan(detector.init(), losses)
        >>> for alarm in alarms:
        ...     print(f"seen at row {alarm.row}, since row {alarm.detection.change_row}")
        seen at row 1043, since row 1021

    References:
        Gama, J., Medas, P., Castillo, G. and Rodrigues, P. (2004). Learning with drift detection.
        SBIA 2004, LNAI 3171, 286-295: section 3.

    """

    warm_up: int = 30
    least_errors: float = 30.0
    warning_threshold: float = 2.0
    drift_threshold: float = 3.0

    def __post_init__(self) -> None:
        """Check the settings."""
        settings.whole("warm_up", self.warm_up, least=1)
        settings.not_negative("least_errors", self.least_errors)
        settings.positive("warning_threshold", self.warning_threshold)
        settings.positive("drift_threshold", self.drift_threshold)
        if self.drift_threshold <= self.warning_threshold:
            rule = f"above warning_threshold ({self.warning_threshold})"
            raise SettingInvalid("drift_threshold", rule, self.drift_threshold)

    def init(self) -> DDMState:
        """Return the state before the first measurement."""
        return DDMState()

    def step(self, state: DDMState, m: Measurement, /) -> tuple[DDMState, Detection]:
        """Take in `m`: return the state after it, and what it says of a change."""
        loss = error_of(m)
        if loss is None:
            height = _height(state) if state.count else 0.0
            return state, stable(height, self._limit(state.rate, state.lowest))
        count, total = state.count + 1.0, state.total + loss
        rate = total / count
        height = rate + math.sqrt(rate * (1.0 - rate) / count)
        lowest, at_lowest = state.lowest, state.rate
        if count > self.warm_up and total >= self.least_errors and height <= lowest:
            lowest, at_lowest = height, rate
        spread = lowest - at_lowest
        limit = at_lowest + self.drift_threshold * spread
        warned = height > at_lowest + self.warning_threshold * spread
        onset = (state.onset or onset_of(m.window)) if warned else None
        if onset and height > limit:
            return self.init(), drift(height, limit, onset)
        after = DDMState(count=count, total=total, lowest=lowest, rate=at_lowest, onset=onset)
        return after, answer(height, limit, warned=warned)

    def _limit(self, rate: float, lowest: float) -> float:
        return rate + self.drift_threshold * (lowest - rate)

    def _fields(self, state: DDMState) -> dict[str, float]:
        return {
            "count": state.count,
            "total": state.total,
            "lowest": state.lowest,
            "rate": state.rate,
        }

    def _onsets(self, state: DDMState) -> tuple[Onset | None, ...]:
        return (state.onset,)

    def _state(self, fields: Mapping[str, float], onsets: tuple[Onset | None, ...]) -> DDMState:
        return DDMState(onset=onsets[0], **fields)

    def _track(self, fields: Fields, x: Floats) -> Track:
        count = fields["count"][:, np.newaxis] + np.arange(1.0, x.shape[1] + 1.0)
        total = running(fields["total"], np.clip(x, 0.0, 1.0))
        rate = total / count
        height = rate + np.sqrt(rate * (1.0 - rate) / count)
        ready = (count > self.warm_up) & (total >= self.least_errors)
        lows = np.where(ready, height, np.inf)
        lows[:, 0] = np.minimum(lows[:, 0], fields["lowest"])
        lowest = np.minimum.accumulate(lows, axis=1)
        at_lowest = held(rate, ready & (height == lowest), fields["rate"])
        spread = lowest - at_lowest
        limit = at_lowest + self.drift_threshold * spread
        warned = height > at_lowest + self.warning_threshold * spread
        return Track(
            fields={"count": count, "total": total, "lowest": lowest, "rate": at_lowest},
            statistic=height,
            threshold=limit,
            alarm=height > limit,
            cuts=(~warned,),
        )


def _height(state: DDMState) -> float:
    rate = state.total / state.count
    return rate + math.sqrt(rate * (1.0 - rate) / state.count)
