"""Whether estimates are to be believed: a comparison with the labels that came later."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from ratoon.core import settings
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Measurement
from ratoon.core.settings import share
from ratoon.estimates.estimate import Estimate

Bets = tuple[float, ...]

_BETS = (0.25, 0.5, 1.0, 2.0, 4.0)  # in standard errors: how far beyond the tolerance they bet
_SURE = 5.0  # standard errors that a difference is worth where no chance is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """How one metric's estimates have done; small, and JSON."""

    high: Bets = (0.0,) * len(_BETS)  # log evidence, by bet: the estimates are too high
    low: Bets = (0.0,) * len(_BETS)  # that they are too low
    not_high: Bets = (0.0,) * len(_BETS)  # that they are not too high; gathered while withdrawn
    not_low: Bets = (0.0,) * len(_BETS)
    windows: int = 0  # compared since the evidence began
    rows: int = 0  # labelled rows of these
    total: float = 0.0  # sum of (estimated - measured) / variance over these
    precision: float = 0.0  # sum of 1 / variance
    seen: datetime | None = None  # the end of the last window that was compared
    withdrawn: str | None = None  # why; None: trusted
    since: datetime | None = None  # the end of the window that decided it

    @property
    def bias(self) -> float | None:
        """How much higher the estimates were than what was measured, since the evidence began."""
        return self.total / self.precision if self.precision else None

    @property
    def z(self) -> float | None:
        """The bias in standard errors."""
        return self.total / math.sqrt(self.precision) if self.precision else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustState:
    """How the estimates of each method and metric have done; JSON."""

    tracks: Mapping[str, Track] = field(default_factory=dict[str, Track])

    def of(self, estimate: Estimate) -> Track:
        """Return the track of the estimate's method and metric."""
        return self.tracks.get(_key(estimate), Track())


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Compares estimates with the labels that came since, and takes back those that disagree.

    Each mature window gives d = estimated - measured, with the estimate's standard error s (times
    √(n / labelled) where not every label came). Two hypotheses are tested at all times: that the
    estimates are too high by no more than the tolerance, and too low by no more. Against each runs
    a mixture of bets b: the evidence E_b becomes max(1, E_b exp(b x - b²/2)) with
    x = (±d - tolerance) / s, and where the mean of the E_b reaches 1 / alpha the metric is
    withdrawn. The maximum with 1 forgets old agreement, so that a sudden change is seen as fast as
    at the start; by it a metric that is right is withdrawn wrongly at most once in
    1 / (2 alpha) windows on average, as far as d / s is normal.

    While withdrawn the same test runs the other way round, for a bias below the tolerance on both
    sides, and where both sides reach 1 / back_alpha the metric is trusted again. A window that ends
    no later than one that was compared is passed over, so that the same labels count once.

    What it cannot do: say anything before labels come. A drift is seen with the delay of the
    labels, plus the windows that the evidence needs: about (2 ln(1 / alpha) + 3) / x² of them, one
    where x is above 4.2.

    Args:
        tolerance: bias that is put up with: in the metric's unit, or with `relative` as a share
            of the estimate; at least 0.
        relative: whether the tolerance is a share of the estimate; for MAE, RMSE and costs.
        alpha: error rate of withdrawing, a window, each metric and side by itself; below 1.
        back_alpha: error rate of trusting again; below 1.

    Raises:
        SettingInvalid: where a setting is outside its range.

    Example:
        >>> from datetime import timedelta
        >>> from ratoon.core.measuring import Window
        >>> from ratoon.core.times import EPOCH
        >>> def on(day, value, stderr=0.01):
        ...     start = EPOCH + timedelta(days=day)
        ...     window = Window(start=start, end=start + timedelta(days=1))
        ...     return Measurement(
        ...         metric="accuracy", window=window, value=value, n=900, stderr=stderr
        ...     )
        >>> trust, state = Trust(tolerance=0.02), TrustState()
        >>> for day, measured in enumerate([0.91, 0.90, 0.80]):
        ...     said = Estimate(measurement=on(day, 0.90), method="cbpe", assumptions=())
        ...     state = trust.step(state, said, on(day, measured))
        >>> trust.judge(state, said).withdrawn
        'estimates of accuracy by cbpe were 0.1 too high over 1 windows (900 labels, z = 10.0)'

    Source: Shin, Ramdas & Rinaldo (2024), "E-detectors: a nonparametric framework for sequential
    change detection", New England Journal of Statistics in Data Science 2, section 2 (e-CUSUM);
    Schuirmann (1987) for the two one-sided tests.
    """

    tolerance: float = 0.03
    relative: bool = False
    alpha: float = 0.001
    back_alpha: float = 0.05

    def __post_init__(self) -> None:
        """Check the settings."""
        settings.not_negative("tolerance", self.tolerance)
        share("alpha", self.alpha)
        share("back_alpha", self.back_alpha)

    def step(self, state: TrustState, estimate: Estimate, measured: Measurement, /) -> TrustState:
        """Compare an estimate, as it was made, with what was measured on the labels of its window.

        An estimate or a measurement without a value tells nothing. A withdrawn estimate has none:
        hand in the one that the method made, not the one that `judge` took back.

        Raises:
            SettingInvalid: they are not of the same metric and window.
        """
        said = estimate.measurement
        if (said.metric, said.subject) != (measured.metric, measured.subject):
            raise SettingInvalid("metric of the measurement", repr(said.metric), measured.metric)
        if (said.window.start, said.window.end) != (measured.window.start, measured.window.end):
            raise SettingInvalid("window of the measurement", repr(said.window), measured.window)
        track = state.of(estimate)
        if track.seen is not None and said.window.end <= track.seen:
            return state
        if said.value is None or measured.value is None:
            return state
        bias = said.value - measured.value
        spread = _spread(said, measured) or abs(bias) / _SURE
        if not spread:  # both are sure, and they agree
            return state
        slack = self.tolerance * (abs(said.value) if self.relative else 1.0)
        after = _compared(track, bias, spread, slack, measured)
        return TrustState(tracks={**state.tracks, _key(estimate): self._decided(after, estimate)})

    def fold(
        self, state: TrustState, pairs: Iterable[tuple[Estimate, Measurement]], /
    ) -> TrustState:
        """Compare estimates with measurements, in the order of their windows."""
        for estimate, measured in pairs:
            state = self.step(state, estimate, measured)
        return state

    def judge(self, state: TrustState, estimate: Estimate, /) -> Estimate:
        """Return the estimate, without its value and with the reason where it is withdrawn."""
        reason = state.of(estimate).withdrawn
        return estimate if reason is None else estimate.without(reason)

    def _decided(self, track: Track, estimate: Estimate) -> Track:
        """Withdraw the metric, or trust it again, where the evidence is enough."""
        if track.withdrawn is None:
            if max(_log_mean(track.high), _log_mean(track.low)) < -math.log(self.alpha):
                return track
            return replace(
                Track(), seen=track.seen, since=track.seen, withdrawn=_reason(track, estimate)
            )
        if min(_log_mean(track.not_high), _log_mean(track.not_low)) < -math.log(self.back_alpha):
            return track
        return replace(Track(), seen=track.seen, since=track.seen)


def _spread(said: Measurement, measured: Measurement) -> float:
    """Return the standard error of their difference; 0 where neither knows one."""
    if said.stderr:
        return said.stderr * math.sqrt(max(1.0, said.n / max(1, measured.n)))
    return measured.stderr or 0.0


def _compared(
    track: Track, bias: float, spread: float, slack: float, measured: Measurement
) -> Track:
    """Take one more difference into the evidence."""
    z, width = bias / spread, slack / spread
    weight = 1.0 / spread**2
    found = replace(
        track,
        windows=track.windows + 1,
        rows=track.rows + measured.n,
        total=track.total + bias * weight,
        precision=track.precision + weight,
        seen=measured.window.end,
    )
    if track.withdrawn is not None:
        return replace(
            found,
            not_high=_bet(track.not_high, width - z),
            not_low=_bet(track.not_low, width + z),
        )
    high, low = _bet(track.high, z - width), _bet(track.low, -z - width)
    if max(*high, *low) <= 0:  # no evidence is left: what is told begins anew
        found = replace(found, windows=0, rows=0, total=0.0, precision=0.0)
    return replace(found, high=high, low=low)


def _bet(evidence: Bets, x: float) -> Bets:
    """Return the log evidence after x: normal with variance 1 and a mean of at most 0, or not."""
    pairs = zip(evidence, _BETS, strict=True)
    return tuple(max(0.0, log + bet * x - bet * bet / 2) for log, bet in pairs)


def _log_mean(logs: Bets) -> float:
    """Return the log of the mean of exp(logs)."""
    top = max(logs)
    return top + math.log(sum(math.exp(log - top) for log in logs) / len(logs))


def _reason(track: Track, estimate: Estimate) -> str:
    bias, z, said = track.bias or 0.0, track.z or 0.0, estimate.measurement
    of = said.metric if said.subject is None else f"{said.metric} of {said.subject}"
    way = "high" if bias > 0 else "low"
    told = f"{track.windows} windows ({track.rows} labels, z = {z:.1f})"
    return f"estimates of {of} by {estimate.method} were {abs(bias):.2g} too {way} over {told}"


def _key(estimate: Estimate) -> str:
    said = estimate.measurement
    return "/".join([estimate.method, said.metric, *([said.subject] if said.subject else [])])
