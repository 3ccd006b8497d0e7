"""The cumulative-sum chart, self-starting, on standardised measurements of windows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ratoon.core import settings
from ratoon.core.measuring import Detection, Measurement
from ratoon.detectors.scanning import Batch, Scans
from ratoon.detectors.steps import (
    DIRECTIONS,
    Direction,
    Onset,
    drift,
    onset_of,
    sign_of,
    stable,
    stderr_of,
    value_of,
)

_MOST_CORRELATED = 0.9  # beyond that a change is not told from a slow swing
_RESOLUTION = 1e-12  # deviations below this share of the mean are rounding, not change


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What is known of windows: how many, their mean, and how they vary."""

    windows: int = 0
    mean: float = 0.0  # of the windows' values, each counting alike
    squares: float = 0.0  # sum of the squared deviations of the values from their mean
    sampled: int = 0  # windows whose standard error is known
    sampling: float = 0.0  # sum of their squared standard errors
    row_variance: float = 0.0  # sum of their squared standard errors times their rows
    pairs: int = 0  # windows whose neighbour before is known
    changes: float = 0.0  # sum of the squared differences from that neighbour


@dataclass(frozen=True, slots=True, kw_only=True)
class CusumState:
    """The sum, the windows it is measured against, and those it was gathered on."""

    reference: Reference = field(default_factory=Reference)
    pending: Reference = field(default_factory=Reference)  # windows since the sum was last 0
    statistic: float = 0.0
    onset: Onset | None = None  # the first of the pending windows
    last: float | None = None  # the newest value, where neighbours are compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Cusum(Scans[CusumState]):
    """One-sided CUSUM on standardised measurements, self-starting. The default detector.

    The sum and its alarm are Page's::

        S_t = max(0, S_{t-1} + u_t - slack - e_t)        drift where S_t > threshold

    u_t is how many standard deviations the window's value x_t stands above the mean M of the n
    reference windows, made standard normal for any n by Wallace's form of Student's distribution
    with v = n - 1 degrees of freedom, after Hawkins::

        z_t = (x_t - M) / sqrt(V_t + V_M)
        u_t = sign(z_t) (8v + 1) / (8v + 3) sqrt(v ln(1 + z_t^2 / v))

    V_M = (B + mean of stderr_i^2) / n is the variance of M, and e_t = sqrt(V_M / (V_t + V_M))
    widens the slack by one standard error of M, so that a reference of few windows does not alarm
    more often than one of many. V_t is what an unchanged window would vary by::

        V_t = B + (1 - w) R / n_t + w stderr_t^2,        w = 4 slack^2 / (3 (1 + 4 slack^2))

    where B, the variance between windows beyond sampling, is the sample variance of the reference
    values less the mean of their stderr_i^2, at least 0 (DerSimonian and Laird); R is the mean of
    n_i stderr_i^2, the variance of a row; n_t counts the window's rows. Where no standard error is
    known V_t is the sample variance alone.

    Why the share w: the mean of n_t skewed rows is skewed, by g, say; its own stderr rises and
    falls with it. Divided by R / n_t alone, losses with rare large values alarm too often; by
    stderr_t alone, almost never. With the share w the first three cumulants of z are -w g / 2, 1
    and (1 - 3 w) g, and that w solves, to first order in g, the equation of the in-control run
    length, E exp(2 slack (z - slack)) = 1, whatever g is. It also bounds what one wild
    row can add to the sum, by about 1 / sqrt(w).

    The reference holds the first `warm_up` windows, and learns on: windows join it when the sum
    returns to 0, and are held out while it stands above, so that a change does not hide itself.
    The change point is the window after the last one at which the sum was 0. After a drift it
    starts anew from `init()`, with a new warm-up. While all windows are equal and no stderr is
    known there is no scale, and they are learnt without a verdict.

    Windows between false alarms in 1,200,000 (with restarts), and the median windows until a shift
    by 1 and by 2 standard deviations is seen that comes after 100; `slack` 0.5, `warm_up` 20,
    normal values, no stderr. Beside them Siegmund's approximation for a known reference::

        threshold   in control   Siegmund   shift 1   shift 2
            5            1,170        930        10         4
            6            3,050      2,570        12         5
            7            7,450      7,020        14         5
            8           22,200     19,080        16         6

    With windows of 50 rows and their stderr, 7 gives 7,900 for normal losses, 7,700 for
    exponential ones, 16,700 for lognormal ones, 11,500 for errors at a rate of 0.05; without the
    stderr the last two give 1,500 and 3,300.

    All this is of windows that do not depend on each other: where neighbours correlate by 0.1, 0.3
    and 0.5, 7 gives 3,200, 690 and 270. `correlated` mends that. It estimates the correlation r of
    neighbours by von Neumann's ratio, from the mean squared difference of a reference window to the
    one before it and the sample variance::

        r = 1 - mean((x_i - x_{i-1})^2) / (2 variance), at least 0 and at most 0.9

    and, as the sum of windows with r varies as if each had (1 + r) / (1 - r) times its variance
    (a first-order autoregression), divides u_t and e_t by the root of that, V_M taken times it.
    Then 7 gives 8,700, 11,400 and 17,500 windows between false alarms, and 8,600 where neighbours
    do not depend on each other. It costs time: a shift by 1 is seen after 16 windows (median)
    where they do not, and after 33 where they correlate by 0.3, one in five not within 300; a
    shift by 2 after 6 and 8. A shift below slack times the root of (1 + r) / (1 - r) is not seen.

    A scan takes each value for a window without a standard error.

    Args:
        slack: half the shift worth finding, in standard deviations of a window; above 0.
        threshold: height of the sum that is a drift, in the same unit; above 0.
        warm_up: windows before the first answer other than stable; at least 3.
        direction: which way is worse.
        correlated: whether neighbouring windows may depend on each other: slower, and no more
            false alarms if they do.

    Raises:
        SettingInvalid: where a setting is outside its range.

    Example:
        >>> from ratoon.core.measuring import Measurement, RowRange, Window
        >>> from ratoon.core.times import EPOCH
        >>> detector = Cusum()
        >>> state = detector.init()
        >>> for i in range(100):
        ...     rows = RowRange(start=50 * i, stop=50 * i + 50)
        ...     loss = (0.30 if i < 81 else 0.36) + 0.01 * (i % 5)
        ...     window = Window(start=EPOCH, end=EPOCH, rows=rows)
        ...     m = Measurement(metric="log_loss", window=window, value=loss, n=50, stderr=0.02)
        ...     state, detection = detector.step(state, m)
        ...     if detection.status == "drift":
        ...         print(f"seen in window {i}, since row {detection.change_row}")
        seen in window 84, since row 4050

    References:
        Page, E. S. (1954). Continuous inspection schemes. Biometrika 41, 100-115.
        Montgomery, D. C. Introduction to Statistical Quality Control, section 9.1.
        Hawkins, D. M. (1987). Self-starting Cusum charts for location and scale. The Statistician
        36, 299-315.
        Wallace, D. L. (1959). Bounds on normal approximations to Student's and the chi-square
        distributions. Annals of Mathematical Statistics 30, 1121-1130.
        DerSimonian, R. and Laird, N. (1986). Meta-analysis in clinical trials. Controlled Clinical
        Trials 7, 177-188.
        Siegmund, D. (1985). Sequential Analysis. Springer.
        von Neumann, J. (1941). Distribution of the ratio of the mean square successive difference
        to the variance. Annals of Mathematical Statistics 12, 367-395.
        Johnson, R. A. and Bagshaw, M. (1974). The effect of serial correlation on the performance
        of CUSUM tests. Technometrics 16, 103-112.

    """

    slack: float = 0.5
    threshold: float = 7.0
    warm_up: int = 20
    direction: Direction = "up"
    correlated: bool = False

    def __post_init__(self) -> None:
        """Check the settings."""
        settings.positive("slack", self.slack)
        settings.positive("threshold", self.threshold)
        settings.whole("warm_up", self.warm_up, least=3)
        settings.one_of("direction", self.direction, DIRECTIONS)

    def init(self) -> CusumState:
        """Return the state before the first measurement."""
        return CusumState()

    def step(self, state: CusumState, m: Measurement, /) -> tuple[CusumState, Detection]:
        """Take in `m`: return the state after it, and what it says of a change."""
        value = value_of(m)
        if value is None:
            return state, stable(state.statistic, self.threshold)
        seen = _reference_of(value, m)
        return self._next(state, seen, max(1, m.n), lambda: onset_of(m.window))

    def _next(
        self, state: CusumState, seen: Reference, n: int, place: Callable[[], Onset]
    ) -> tuple[CusumState, Detection]:
        """Take in the window `seen` of `n` rows."""
        last = None
        if self.correlated:
            seen, last = _beside(seen, state.last), seen.mean
        if state.reference.windows < self.warm_up:
            learnt = CusumState(reference=_merged(state.reference, seen), last=last)
            return learnt, stable(0.0, self.threshold)
        statistic = max(0.0, state.statistic + self._gain(state.reference, seen, n))
        onset = state.onset or place()
        if statistic > self.threshold:
            return self.init(), drift(statistic, self.threshold, onset)
        pending = _merged(state.pending, seen)
        if statistic > 0.0:
            after = CusumState(
                reference=state.reference,
                pending=pending,
                statistic=statistic,
                onset=onset,
                last=last,
            )
        else:
            after = CusumState(reference=_merged(state.reference, pending), last=last)
        return after, stable(statistic, self.threshold)

    def _read(
        self, state: CusumState, batch: Batch
    ) -> tuple[CusumState, list[tuple[int, Detection]]]:
        found: list[tuple[int, Detection]] = []
        for i, value in enumerate(batch.values.tolist()):
            seen = Reference(windows=1, mean=value)
            state, detection = self._next(state, seen, 1, lambda at=i: batch.place(at))
            if detection.status == "drift":
                found.append((i, detection))
        return state, found

    def _gain(self, reference: Reference, seen: Reference, n: int) -> float:
        """Return what the sum gains by the window `seen` of `n` rows."""
        total = reference.squares / (reference.windows - 1)
        sampling = reference.sampling / reference.sampled if reference.sampled else 0.0
        between = max(0.0, total - sampling)
        inflation = _inflation(reference) if self.correlated else 1.0
        mean_variance = (between + sampling) / reference.windows * inflation
        variance = between + self._sampling(reference, seen, n) + mean_variance
        deviation = math.sqrt(variance)
        if deviation <= _RESOLUTION * abs(reference.mean):
            return -self.slack
        z = sign_of(self.direction) * (seen.mean - reference.mean) / deviation
        score = _normal(z, reference.windows - 1) - math.sqrt(mean_variance / variance)
        return score / math.sqrt(inflation) - self.slack

    def _sampling(self, reference: Reference, seen: Reference, n: int) -> float:
        """Return the sampling variance of an unchanged window of `n` rows."""
        if not reference.sampled:
            return 0.0
        pooled = reference.row_variance / reference.sampled / n
        if not seen.sampled:
            return pooled
        squared = 4.0 * self.slack * self.slack
        share = squared / (3.0 * (1.0 + squared))
        return (1.0 - share) * pooled + share * seen.sampling


def _reference_of(value: float, m: Measurement) -> Reference:
    """Return what one window says."""
    stderr = stderr_of(m)
    if stderr is None:
        return Reference(windows=1, mean=value)
    variance = stderr * stderr
    return Reference(
        windows=1, mean=value, sampled=1, sampling=variance, row_variance=variance * m.n
    )


def _beside(seen: Reference, last: float | None) -> Reference:
    """Return what a window says, and its difference from the one before."""
    if last is None:
        return seen
    return replace(seen, pairs=1, changes=(seen.mean - last) ** 2)


def _inflation(reference: Reference) -> float:
    """Return by how much the correlation of neighbours inflates the variance of a sum."""
    if not (reference.pairs and reference.squares):
        return 1.0
    variance = reference.squares / (reference.windows - 1)
    correlation = 1.0 - reference.changes / reference.pairs / (2.0 * variance)
    correlation = min(max(correlation, 0.0), _MOST_CORRELATED)
    return (1.0 + correlation) / (1.0 - correlation)


def _merged(a: Reference, b: Reference) -> Reference:
    """Return what the windows of both say (Chan, Golub and LeVeque 1983)."""
    windows = a.windows + b.windows
    gap = b.mean - a.mean
    return Reference(
        windows=windows,
        mean=a.mean + gap * b.windows / windows,
        squares=a.squares + b.squares + gap * gap * a.windows * b.windows / windows,
        sampled=a.sampled + b.sampled,
        sampling=a.sampling + b.sampling,
        row_variance=a.row_variance + b.row_variance,
        pairs=a.pairs + b.pairs,
        changes=a.changes + b.changes,
    )


def _normal(t: float, freedom: int) -> float:
    """Return the standard normal value as likely as `t` of Student's distribution (Wallace)."""
    size = (8 * freedom + 1) / (8 * freedom + 3) * math.sqrt(freedom * math.log1p(t * t / freedom))
    return math.copysign(size, t)
