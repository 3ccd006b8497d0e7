"""The statistical test of equal proportions, STEPD."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ratoon.core import settings
from ratoon.core.measuring import Detection, Measurement
from ratoon.detectors.scanning import Batch, Floats, Scans, in_blocks, running
from ratoon.detectors.steps import (
    Onset,
    answer,
    check_confidences,
    drift,
    error_of,
    onset_of,
    stable,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class STEPDState:
    """The sum of the losses, as it was before each of the newest."""

    count: int = 0  # losses taken in
    total: float = 0.0  # their sum
    totals: tuple[float, ...] = ()  # the sum before each loss of the recent window
    places: tuple[Onset, ...] = ()  # where each of these losses stood
    statistic: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class STEPD(Scans[STEPDState]):
    """STEPD: the error rate of the newest losses against that of all before, as proportions.

    With r_o, n_o the sum and number of the older losses, r_r, n_r those of the `window_size`
    newest, and p = (r_o + r_r) / (n_o + n_r), the test with correction for continuity is::

        T = (r_r / n_r - r_o / n_o - (1 / n_o + 1 / n_r) / 2)
            / sqrt(p (1 - p) (1 / n_o + 1 / n_r))

    warning and drift are where T is above the upper alpha_warning and alpha_drift quantile of the
    standard normal, once there are 2 `window_size` losses. The paper takes the absolute difference
    and asks which rate is larger; so T is the same where errors become more frequent, else below.

    The change point is within the recent window, where the losses from there on differ most, in
    the same test without the correction, from those before. After a drift it starts anew.

    Losses lie in [0, 1], errors being 0 or 1; what lies outside counts as the nearer end. The
    test is done at each loss, and by a normal law that small windows of rare errors do not follow.
    So alpha_drift is far below the paper's 0.003, with which, and its window of 30, there are 25 to
    50 false alarms in 100,000 losses of a constant rate of errors of 0.01 to 0.5; now at most 1.

    Args:
        window_size: losses in the recent window; at least 2.
        alpha_drift: level of one test that is a drift, in (0, 1).
        alpha_warning: level of one test that is a warning; above the former.

    Raises:
        SettingInvalid: where a setting is outside its range.

    Example:
        >>> losses = [float(row % 5 == 0 if row < 1000 else row % 5 != 0) for row in range(2000)]
        >>> detector = STEPD()
        >>> state, alarms = detector.scan(detector.init(), losses)
        >>> for alarm in alarms:
        ...     print(f"seen at row {alarm.row}, since row {alarm.detection.change_row}")
        seen at row 1024, since row 1001

    References:
        Nishida, K. and Yamauchi, K. (2007). Detecting concept drift using statistical testing.
        Discovery Science, LNAI 4755, 264-269: section 3, equation 1.

    """

    window_size: int = 50
    alpha_drift: float = 0.000001
    alpha_warning: float = 0.0001

    def __post_init__(self) -> None:
        """Check the settings."""
        settings.whole("window_size", self.window_size, least=2)
        check_confidences(alpha_drift=self.alpha_drift, alpha_warning=self.alpha_warning)

    def init(self) -> STEPDState:
        """Return the state before the first measurement."""
        return STEPDState()

    def step(self, state: STEPDState, m: Measurement, /) -> tuple[STEPDState, Detection]:
        """Take in `m`: return the state after it, and what it says of a change."""
        loss, limit = error_of(m), _quantile(self.alpha_drift)
        if loss is None:
            return state, stable(state.statistic, limit)
        count, total = state.count + 1, state.total + loss
        totals = (*state.totals, state.total)[-self.window_size :]
        places = (*state.places, onset_of(m.window))[-self.window_size :]
        statistic = self._statistic(float(count), total, totals[0])
        if statistic > limit:
            onset = places[_split(count, total, totals)]
            return self.init(), drift(statistic, limit, onset)
        after = STEPDState(
            count=count, total=total, totals=totals, places=places, statistic=statistic
        )
        return after, answer(statistic, limit, warned=statistic > _quantile(self.alpha_warning))

    def _statistic(self, count: float, total: float, before: float) -> float:
        """Return T of `count` losses, with the sums of all and of the older ones."""
        older = count - self.window_size
        if older < self.window_size:
            return 0.0
        rate = total / count
        inverse = 1.0 / older + 1.0 / self.window_size
        gap = (total - before) / self.window_size - before / older
        variance = rate * (1.0 - rate) * inverse
        return (gap - 0.5 * inverse) / math.sqrt(variance) if variance > 0.0 else 0.0

    def _statistics(self, count: Floats, total: Floats, before: Floats) -> Floats:
        """Return T along a block."""
        older = count - self.window_size
        rate = total / count
        inverse = 1.0 / older + 1.0 / self.window_size
        gap = (total - before) / self.window_size - before / older
        variance = rate * (1.0 - rate) * inverse
        known = (older >= self.window_size) & (variance > 0.0)
        return np.where(known, (gap - 0.5 * inverse) / np.sqrt(variance), 0.0)

    def _read(
        self, state: STEPDState, batch: Batch
    ) -> tuple[STEPDState, list[tuple[int, Detection]]]:
        found: list[tuple[int, Detection]] = []
        limit = _quantile(self.alpha_drift)

        def read(start: int, stop: int) -> int:
            nonlocal state
            part = batch.cut(start, stop)
            total = running(np.array(state.total), np.clip(part.values, 0.0, 1.0))
            totals = np.concatenate([state.totals, [state.total], total])
            known = len(state.totals)  # of the newest losses before the block
            count = state.count + np.arange(1.0, len(part) + 1.0)
            index = np.maximum(np.arange(known + 1, known + 1 + len(part)) - self.window_size, 0)
            with np.errstate(all="ignore"):
                statistic = self._statistics(count, total, totals[index])
            hits = statistic > limit
            at = int(hits.argmax())
            if hits[at]:
                newest = tuple(totals[known + 2 + at - self.window_size - 1 : known + 1 + at])
                split = _split(state.count + at + 1, float(total[at]), newest)
                back = self.window_size - 1 - split  # losses from the onset to the alarm
                onset = part.place(at - back) if back <= at else state.places[at - back]
                found.append((start + at, drift(float(statistic[at]), limit, onset)))
                state = self.init()
                return start + at + 1
            state = self._after(state, part, totals, float(statistic[-1]))
            return stop

        in_blocks(len(batch), read)
        return state, found

    def _after(
        self, state: STEPDState, part: Batch, totals: Floats, statistic: float
    ) -> STEPDState:
        """Return the state after a block without an alarm."""
        fresh = max(0, len(part) - self.window_size)
        places = [part.place(i) for i in range(fresh, len(part))]
        return STEPDState(
            count=state.count + len(part),
            total=float(totals[-1]),
            totals=tuple(totals[:-1][-self.window_size :].tolist()),
            places=(*state.places, *places)[-self.window_size :],
            statistic=statistic,
        )


def _quantile(alpha: float) -> float:
    return -NormalDist().inv_cdf(alpha)


def _split(count: int, total: float, totals: Sequence[float]) -> int:
    """Return the first of the newest losses from which on they differ most from all before."""
    before = np.asarray(totals)
    newer = np.arange(len(totals), 0.0, -1.0)
    older = count - newer
    gap = (total - before) / newer - before / older
    return int(np.argmax(gap / np.sqrt(1.0 / newer + 1.0 / older)))
