"""Drift detection by McDiarmid's bounds, on weighted averages: HDDM-W."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ratoon.core import settings
from ratoon.core.measuring import Detection, Measurement
from ratoon.detectors.scanning import Batch, Scans, in_blocks
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
_HALF = 0.5  # height up to which it is no sign of a change


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighted:
    """An exponentially weighted mean, and the sum of its squared weights."""

    mean: float = 0.0
    weights: float = 0.0  # 0 while there is no value


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What is known of a rise, or, of the values with their sign turned, of a fall."""

    bound: float = math.inf  # least upper bound of the mean so far
    older: Weighted = field(default_factory=Weighted)  # all values up to there: the cut
    newer: Weighted = field(default_factory=Weighted)  # the values since
    onset: Onset | None = None  # the first after the last that gave no sign of a change


@dataclass(frozen=True, slots=True, kw_only=True)
class HDDMWState:
    """The weighted mean so far, and both sides of the best cut."""

    every: Weighted = field(default_factory=Weighted)
    rise: Side = field(default_factory=Side)
    fall: Side = field(default_factory=Side)
    statistic: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HDDMW(Scans[HDDMWState]):
    """HDDM with the W-test: weighted means, so that slow changes are seen sooner.

    The mean of values x_t is weighted, M_1 = x_1, M_t = weight x_t + (1 - weight) M_{t-1}; D is the
    sum of its squared weights, D_1 = 1, D_t = weight^2 + (1 - weight)^2 D_{t-1}. For values that
    span a range R, McDiarmid's bound of M is e = R sqrt(D ln(1 / drift_confidence) / 2). The cut
    is where M + e was least; with M', D' of the values before and up to it, and M'', D'' of those
    since, the mean has risen where::

        M'' - M' > R sqrt((D' + D'') ln(1 / drift_confidence) / 2)

    and with `warning_confidence` in its place a warning is due. The other way round for a fall,
    with `two_sided`. After a drift it starts anew from `init()`.

    The paper gives no change point; the cut is often long before it. Here it is the first window
    after the last one at which the left side was at most half of the right one.

    The statistic answered is the left side in units of the right one; above 1 it is a drift.

    The cut is where chance made the mean lowest, so the test alarms more often than its confidence
    says: with the paper's 0.001, 78 times in 100,000 errors at a constant rate of 0.5, and 7 at
    0.2; with this one 5 times and never.

    Args:
        drift_confidence: chance of a false drift of one test, in (0, 1); of each cut and moment,
            not of a whole stream.
        warning_confidence: the same for a warning; above the former.
        weight: of the newest value, the paper's lambda, in (0, 1); more sees sudden changes
            sooner, less sees slow ones.
        two_sided: whether a fall of the mean is a drift, too.
        span: range of the values, largest less smallest, in their unit; above 0.

    Raises:
        SettingInvalid: where a setting is outside its range.

    Example:
        >>> losses = [float(row % 5 == 0 if row < 1000 else row % 5 != 0) for row in range(2000)]
        >>> detector = HDDMW()
        >>> state, alarms = detector.scan(detector.init(), losses)
        >>> for alarm in alarms:
        ...     print(f"seen at row {alarm.row}, since row {alarm.detection.change_row}")
        seen at row 1037, since row 1012

    References:
        Frias-Blanco, I., del Campo-Avila, J., Ramos-Jimenez, G., Morales-Bueno, R., Ortiz-Diaz, A.
        and Caballero-Mota, Y. (2015). Online and non-parametric drift detection methods based on
        Hoeffding's bounds. IEEE Transactions on Knowledge and Data Engineering 27, 810-823:
        corollary 4, algorithm 2.

    """

    drift_confidence: float = 0.00001
    warning_confidence: float = 0.0001
    weight: float = 0.05
    two_sided: bool = False
    span: float = 1.0

    def __post_init__(self) -> None:
        """Check the settings."""
        check_confidences(
            drift_confidence=self.drift_confidence, warning_confidence=self.warning_confidence
        )
        settings.share("weight", self.weight)
        settings.positive("span", self.span)

    def init(self) -> HDDMWState:
        """Return the state before the first measurement."""
        return HDDMWState()

    def step(self, state: HDDMWState, m: Measurement, /) -> tuple[HDDMWState, Detection]:
        """Take in `m`: return the state after it, and what it says of a change."""
        value = value_of(m)
        if value is None:
            return state, stable(state.statistic, _CUT)
        after, found = self._block(state, [value], lambda _: onset_of(m.window))
        if found is not None:
            return after, found[1]
        return after, answer(after.statistic, _CUT, warned=after.statistic > self._warning())

    def _read(
        self, state: HDDMWState, batch: Batch
    ) -> tuple[HDDMWState, list[tuple[int, Detection]]]:
        found: list[tuple[int, Detection]] = []
        values: list[float] = batch.values.tolist()

        def read(start: int, stop: int) -> int:
            nonlocal state
            state, alarm = self._block(state, values[start:stop], lambda i: batch.place(start + i))
            if alarm is None:
                return stop
            found.append((start + alarm[0], alarm[1]))
            return start + alarm[0] + 1

        in_blocks(len(batch), read)
        return state, found

    def _block(
        self, state: HDDMWState, values: list[float], place: Callable[[int], Onset]
    ) -> tuple[HDDMWState, tuple[int, Detection] | None]:
        """Take in values up to the first alarm, which comes with its index among them."""
        rise = self._along(state.every, state.rise, values)
        ways = [(rise, state.rise)]
        if self.two_sided:
            mirrored = replace(state.every, mean=-state.every.mean)
            upto = values if rise.alarm is None else values[: rise.alarm + 1]
            fall = self._along(mirrored, state.fall, [-value for value in upto])
            ways.append((fall, state.fall))
        alarms = [
            (way.alarm, -way.statistic, way, side) for way, side in ways if way.alarm is not None
        ]
        if alarms:
            at, height, way, side = min(alarms, key=lambda each: each[:2])
            onset = way.onset(side, place)
            assert onset is not None, "a change begins before it is seen"
            return self.init(), (at, drift(-height, _CUT, onset))
        sides = [replace(way.side, onset=way.onset(side, place)) for way, side in ways]
        statistic = max(way.statistic for way, _ in ways)
        after = HDDMWState(every=rise.every, rise=sides[0], statistic=statistic)
        return (replace(after, fall=sides[1]) if self.two_sided else after), None

    def _along(self, every: Weighted, side: Side, values: list[float]) -> _Way:
        """Follow one side up to its alarm; the values are of the caller, one after the other."""
        scale = self.span * self.span * math.log(1.0 / self.drift_confidence) / 2.0
        share, squared, kept = self.weight, self.weight**2, (1.0 - self.weight) ** 2
        mean, weights, bound = every.mean, every.weights, side.bound
        old_mean, old_weights = side.older.mean, side.older.weights
        new_mean, new_weights = side.newer.mean, side.newer.weights
        calm, gap, limit, alarm = -1, 0.0, 1.0, None
        for i, value in enumerate(values):
            mean += (share if weights else 1.0) * (value - mean)
            weights = squared + kept * weights if weights else 1.0
            edge = mean + math.sqrt(weights * scale)
            if edge < bound:
                bound, old_mean, old_weights = edge, mean, weights
                calm, gap, new_weights = i, 0.0, 0.0
                continue
            new_mean += (share if new_weights else 1.0) * (value - new_mean)
            new_weights = squared + kept * new_weights if new_weights else 1.0
            gap = new_mean - old_mean
            limit = math.sqrt((old_weights + new_weights) * scale)
            if gap > limit:
                alarm = i
                break
            if gap <= _HALF * limit:
                calm = i
        return _Way(
            every=Weighted(mean=mean, weights=weights),
            side=Side(
                bound=bound,
                older=Weighted(mean=old_mean, weights=old_weights),
                newer=Weighted(mean=new_mean if new_weights else 0.0, weights=new_weights),
            ),
            statistic=gap / limit,
            calm=calm,
            alarm=alarm,
            taken=len(values),
        )

    def _warning(self) -> float:
        """Return the statistic that is a warning."""
        return math.sqrt(
            math.log(1.0 / self.warning_confidence) / math.log(1.0 / self.drift_confidence)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How one side went along a block."""

    every: Weighted
    side: Side  # but for its onset
    statistic: float
    calm: int  # index of the last value at which there was no sign of a change, -1 for none
    alarm: int | None
    taken: int  # values

    def onset(self, before: Side, place: Callable[[int], Onset]) -> Onset | None:
        """Return the first value of a possible change; None where there is none yet."""
        first = self.calm + 1
        if self.calm < 0 and before.onset is not None:
            return before.onset
        return place(first) if first < self.taken else None
