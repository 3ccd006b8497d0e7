"""An e-detector: an anytime-valid test of change by betting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ratoon.core import settings
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Detection, Measurement
from ratoon.detectors.scanning import Batch, Floats, Ints, Scans, in_blocks
from ratoon.detectors.steps import (
    DIRECTIONS,
    Direction,
    Onset,
    drift,
    onset_of,
    stable,
    value_of,
)

_PERIOD = 64  # values after which products begin anew, so that none runs out of range


@dataclass(frozen=True, slots=True, kw_only=True)
class Bet:
    """What one fraction has made of the values of a period."""

    carried: float = 0.0  # the e-detector, before the period
    product: float = 1.0  # of the e-values of the period
    inverses: float = 0.0  # sum of 1 / product before each value of the period
    best: float = 0.0  # the largest product up to the period, over all starts
    peak: float = 0.0  # that, or the largest 1 / product before a value of the period
    onset: Onset | None = None  # the start that the peak belongs to


@dataclass(frozen=True, slots=True, kw_only=True)
class EDetectorState:
    """The bets, and how far the period is."""

    count: int = 0  # values of the period
    bets: tuple[Bet, ...] = ()
    statistic: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EDetector(Scans[EDetectorState]):
    """e-SR: a Shiryaev-Roberts sum of bets that the mean has risen above a known bound.

    For values x_t in [low, high] whose mean, given all before, is at most `mean`, write
    y_t = (x_t - low) / (mean - low). Whoever bets a share f of what he has on each y_t,
    0 < f < 1, multiplies it by an e-value, whose mean given the past is at most 1::

        e_t = 1 - f + f y_t

    A new bettor starts with 1 at each t; their sum is the e-detector M_t(f) = (M_{t-1}(f) + 1) e_t,
    and that of several f is the mean over them. Then::

        statistic M_t, the mean of M_t(f) over the fractions;    drift where M_t >= 1 / alpha

    The time to a false alarm is 1 / alpha values or more on average, for values of any
    distribution and however they depend on each other: only the bound of the mean is assumed.
    The price is a delay longer than that of a detector tuned to the noise.

    The best fraction for errors whose rate rises from p to q is (q - p) / (1 - p); the defaults
    are for all rises. The change point is the start that would have made most, with the fraction
    that made most. After a drift it starts anew from `init()`.

    With direction "down", for scores, the mean is a lower bound, and y_t = (high - x_t) /
    (high - mean). Values outside [low, high] count as the nearer end; where they are frequent on
    the good side, the mean is no longer bounded as assumed.

    Args:
        mean: the largest mean that is no drift, or with "down" the least; between low and high.
        alpha: 1 / alpha values are the least average time to a false alarm; in (0, 1).
        fractions: shares that are bet; each in (0, 1), at most 32 of them.
        low: least value.
        high: largest value.
        direction: which way is worse.

    Raises:
        SettingInvalid: where a setting is outside its range.

    Example:
        >>> losses = [float(row % 5 == 0 if row < 1000 else row % 5 != 0) for row in range(2000)]
        >>> detector = EDetector(mean=0.2)
        >>> state, alarms = detector.scan(detector.init(), losses[:1020])
        >>> for alarm in alarms:
        ...     print(f"seen at row {alarm.row}, since row {alarm.detection.change_row}")
        seen at row 1013, since row 1001

    References:
        Shin, J., Ramdas, A. and Rinaldo, A. (2024). E-detectors: a nonparametric framework for
        sequential change detection. New England Journal of Statistics in Data Science 2, 229-260
        (arXiv 2203.03532): definitions 2.2 and 2.6, theorem 2.4; section 4 for bounded values.
        Waudby-Smith, I. and Ramdas, A. (2024). Estimating means of bounded random variables by
        betting. Journal of the Royal Statistical Society B 86, 1-27: the e-values.

    """

    mean: float
    alpha: float = 0.0001
    fractions: tuple[float, ...] = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
    low: float = 0.0
    high: float = 1.0
    direction: Direction = "up"

    def __post_init__(self) -> None:
        """Check the settings."""
        settings.share("alpha", self.alpha)
        settings.finite("low", self.low)
        settings.finite("high", self.high)
        settings.finite("mean", self.mean)
        settings.one_of("direction", self.direction, DIRECTIONS)
        if not self.low < self.mean < self.high:
            rule = f"between low ({self.low}) and high ({self.high})"
            raise SettingInvalid("mean", rule, self.mean)
        if not 1 <= len(self.fractions) <= 32:  # noqa: PLR2004 - a limit
            raise SettingInvalid("fractions", "1 to 32 of them", self.fractions)
        for fraction in self.fractions:
            settings.share("fractions", fraction)

    def init(self) -> EDetectorState:
        """Return the state before the first measurement."""
        return EDetectorState(bets=tuple(Bet() for _ in self.fractions))

    def step(self, state: EDetectorState, m: Measurement, /) -> tuple[EDetectorState, Detection]:
        """Take in `m`: return the state after it, and what it says of a change."""
        value = value_of(m)
        if value is None:
            return state, stable(state.statistic, 1.0 / self.alpha)
        after, alarm = self._values(state, [value], lambda _: onset_of(m.window))
        if alarm is not None:
            return after, alarm[1]
        return after, stable(after.statistic, 1.0 / self.alpha)

    def _values(
        self, state: EDetectorState, values: list[float], place: Callable[[int], Onset]
    ) -> tuple[EDetectorState, tuple[int, Detection] | None]:
        """Take in values up to the first alarm, which comes with its index among them."""
        table = _Table.of(state, self.fractions)
        statistic = state.statistic
        for i, value in enumerate(values):
            statistic = table.take(self._outcome(value), i)
            if statistic >= 1.0 / self.alpha:
                best = max(range(len(table.values)), key=table.values.__getitem__)
                onset = table.onset(best, state, place)
                assert onset is not None, "a change begins before it is seen"
                return self.init(), (i, drift(statistic, 1.0 / self.alpha, onset))
        return table.state(state, statistic, place), None

    def _outcome(self, value: float) -> float:
        """Return y, whose mean is at most 1."""
        held = min(max(value, self.low), self.high)
        if self.direction == "up":
            return (held - self.low) / (self.mean - self.low)
        return (self.high - held) / (self.high - self.mean)

    def _outcomes(self, values: Floats) -> Floats:
        held = np.minimum(np.maximum(values, self.low), self.high)
        if self.direction == "up":
            return (held - self.low) / (self.mean - self.low)
        return (self.high - held) / (self.high - self.mean)

    def _read(
        self, state: EDetectorState, batch: Batch
    ) -> tuple[EDetectorState, list[tuple[int, Detection]]]:
        found: list[tuple[int, Detection]] = []

        def read(start: int, stop: int) -> int:
            nonlocal state
            whole = 0 if state.count else (stop - start) // _PERIOD
            if whole:
                periods = batch.cut(start, start + whole * _PERIOD)
                state, whole = self._periods(state, periods)
                if whole:
                    return start + whole * _PERIOD
            rest = min(stop, start + _PERIOD - state.count)
            values: list[float] = batch.values[start:rest].tolist()
            state, alarm = self._values(state, values, lambda i: batch.place(start + i))
            if alarm is None:
                return rest
            found.append((start + alarm[0], alarm[1]))
            return start + alarm[0] + 1

        in_blocks(len(batch), read)
        return state, found

    def _periods(self, state: EDetectorState, batch: Batch) -> tuple[EDetectorState, int]:
        """Take in the periods before the first alarm, and say how many these are."""
        outcomes = self._outcomes(batch.values).reshape(-1, _PERIOD)
        runs = [
            _Run.of((1.0 - f) + f * outcomes, bet)
            for f, bet in zip(self.fractions, state.bets, strict=True)
        ]
        total = runs[0].values.copy()
        for run in runs[1:]:
            total += run.values
        total /= len(runs)
        alarmed = (total >= 1.0 / self.alpha).any(axis=1)
        whole = int(alarmed.argmax()) if alarmed.any() else len(outcomes)
        if not whole:
            return state, 0
        bets = [run.bet(bet, whole, batch) for run, bet in zip(runs, state.bets, strict=True)]
        return EDetectorState(bets=tuple(bets), statistic=float(total[whole - 1, -1])), whole


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One bet along whole periods: arrays of shape (periods,), or (periods, values)."""

    products: Floats
    inverses: Floats  # 1 / product before each value
    values: Floats  # of the e-detector
    ends: list[float]  # the e-detector after each period

    @classmethod
    def of(cls, e_values: Floats, bet: Bet) -> _Run:
        """Run along the e-values."""
        products: Floats = np.cumprod(e_values, axis=1, dtype=np.float64)
        inverses: Floats = np.ones(products.shape)
        with np.errstate(all="ignore"):  # beyond an alarm a product may be infinite
            np.divide(1.0, products[:, :-1], out=inverses[:, 1:])
            sums = np.cumsum(inverses, axis=1)
            carried, ends = bet.carried, list[float]()
            last_products: list[float] = products[:, -1].tolist()
            for product, inner in zip(last_products, sums[:, -1].tolist(), strict=True):
                ends.append(carried)
                carried = product * (carried + inner)
            before = np.array(ends)[:, np.newaxis]
            values = products * (before + sums)
        return cls(products=products, inverses=inverses, values=values, ends=[*ends[1:], carried])

    def bet(self, bet: Bet, whole: int, batch: Batch) -> Bet:
        """Return the bet after so many periods."""
        peaks: list[float] = self.inverses[:whole].max(axis=1).tolist()
        starts: Ints = self.inverses[:whole].argmax(axis=1)
        best, onset = bet.best, -1
        for period, (product, peak) in enumerate(
            zip(self.products[:whole, -1].tolist(), peaks, strict=True)
        ):
            if peak > best:
                best, onset = peak, period
            best *= product
        place = bet.onset if onset < 0 else batch.place(onset * _PERIOD + int(starts[onset]))
        return Bet(carried=self.ends[whole - 1], best=best, peak=best, onset=place)


@dataclass(slots=True, kw_only=True)
class _Table:
    """The bets on their way, one after the other by column."""

    count: int
    fractions: tuple[float, ...]
    carried: list[float]
    products: list[float]
    inverses: list[float]
    best: list[float]
    peaks: list[float]
    values: list[float]
    starts: list[int]  # index of the value that the peak begins at; -1: as it was

    @classmethod
    def of(cls, state: EDetectorState, fractions: tuple[float, ...]) -> _Table:
        """Return the bets of a state."""
        return cls(
            count=state.count,
            fractions=fractions,
            carried=[bet.carried for bet in state.bets],
            products=[bet.product for bet in state.bets],
            inverses=[bet.inverses for bet in state.bets],
            best=[bet.best for bet in state.bets],
            peaks=[bet.peak for bet in state.bets],
            values=[0.0] * len(fractions),
            starts=[-1] * len(fractions),
        )

    def take(self, outcome: float, i: int) -> float:
        """Take in the i-th outcome: return the statistic."""
        total = 0.0
        for k, f in enumerate(self.fractions):
            product = self.products[k]
            inverse = 1.0 / product
            self.inverses[k] += inverse
            if inverse > self.peaks[k]:
                self.peaks[k], self.starts[k] = inverse, i
            self.products[k] = product = product * ((1.0 - f) + f * outcome)
            self.values[k] = value = product * (self.carried[k] + self.inverses[k])
            total += value
        self.count += 1
        if self.count == _PERIOD:
            self._begin()
        return total / len(self.fractions)

    def _begin(self) -> None:
        """Begin a new period."""
        self.count = 0
        self.carried = list(self.values)
        self.best = [peak * p for peak, p in zip(self.peaks, self.products, strict=True)]
        self.peaks = list(self.best)
        self.products = [1.0] * len(self.values)
        self.inverses = [0.0] * len(self.values)

    def onset(self, k: int, before: EDetectorState, place: Callable[[int], Onset]) -> Onset | None:
        """Return the start that the peak of the k-th bet belongs to."""
        return before.bets[k].onset if self.starts[k] < 0 else place(self.starts[k])

    def state(
        self, before: EDetectorState, statistic: float, place: Callable[[int], Onset]
    ) -> EDetectorState:
        """Return the state."""
        bets = tuple(
            Bet(
                carried=self.carried[k],
                product=self.products[k],
                inverses=self.inverses[k],
                best=self.best[k],
                peak=self.peaks[k],
                onset=self.onset(k, before, place),
            )
            for k in range(len(self.values))
        )
        return EDetectorState(count=self.count, bets=bets, statistic=statistic)
