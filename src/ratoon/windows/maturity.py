"""Late labels: how long they take, estimated from those that came and those that are waited for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from ratoon.core.errors import LengthMismatch, ValueForbidden
from ratoon.core.settings import positive, share, whole
from ratoon.core.times import duration, micros
from ratoon.windows.arrived import Arrived, seen_through
from ratoon.windows.cohorts import Cohort, Grid, Kind, Micros, counted, regrouped
from ratoon.windows.rows import Array

_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayState:
    """What is known of label delays: counts alone, so that it is small and merges by addition."""

    newest_us: int | None = None  # the last arrival, microseconds since 1970
    cohorts: tuple[Cohort, ...] = ()  # predictions by event time, ascending
    parked: tuple[Cohort, ...] = ()  # labels without a prediction, by their arrival


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrivals:
    """What arrived at one time: predictions, and labels with or without one.

    A prediction that came together with its label, or after it, was never waited for, and says
    nothing of delays. That is known by `joined_since`.

    Args:
        at: when it arrived.
        predicted: event times of predictions, (rows,), datetime64.
        joined: event times of the predictions that are labelled from now on, (labels,).
        joined_since: when those predictions had arrived, (labels,); without it all of them
            had been waited for.
        parked: labels that came before their prediction.
        released: when labels that had been parked had come, (labels,): they are no longer.

    Raises:
        LengthMismatch: there is not one `joined_since` a joined label.

    """

    at: datetime
    predicted: Array | None = None
    joined: Array | None = None
    joined_since: Array | None = None
    parked: int = 0
    released: Array | None = None

    def __post_init__(self) -> None:
        """Check the lengths."""
        labels = 0 if self.joined is None else len(self.joined)
        if self.joined_since is not None and len(self.joined_since) != labels:
            raise LengthMismatch("joined", labels, "joined_since", len(self.joined_since))


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDelays:
    """Learns how long labels take, from their arrivals, and tells which windows are mature.

    A label that has not come yet may come later, or never. Both are known in part only, and both
    are counted: predictions that still wait are censored, and those that wait longer than labels
    ever take are the share that is never labelled. The estimator is the product limit (Kaplan and
    Meier) on a grid of delays. Of the labels that a window will ever have, the share that is in
    follows from those that it has, and from the chance that each of its other predictions is
    still labelled::

        share = L / (L + sum over waiting rows of (1 - S(end) / S(age)))

    with S(age) the share of predictions that wait longer than `age`, and S(end) the share that
    waits at the end of the longest follow-up. So a window whose labels are behind those of its age
    is not mature, as long as more of them can be hoped for.

    It rests on one assumption: the labels of new predictions will take as long as those of recent
    ones did. For each delay the newest predictions that were seen through it count, about
    `memory` of them, and the newest among those are compared with the others. Where they disagree
    only predictions since the change count, and `Arrived.change` says so. Until the follow-up has
    lasted twice as long as all but a `tail` of the labels took, nobody knows whether more will
    come: shares are then None.

    The state is a value of whole numbers that `ratoon.core.wire` writes and reads. Its size
    depends on the grid and on the logarithm of the time that it covers, not on how many rows were
    counted. The order of arrivals and the cut into batches change nothing, and states of parts of
    the rows can be merged.

    Args:
        finest: the shortest delay that is told from none: a timedelta or a text such as "1m". At
            least a millisecond.
        per_octave: bins into which delays between t and 2 t are told apart; at least 1.
        cohorts: into how many parts the event times of the last t are told apart; at least 2.
        memory: newest predictions that the estimate rests on, for each delay; at least 1.
        least: predictions without which a delay says nothing; at least 1.
        tail: share of the labels that may come in the second half of the follow-up.
        mature: share of its labels that makes a window mature.

    Raises:
        SettingInvalid: where a setting is outside its range.

    Example:
        Of 3,000 predictions in 30 days, two in three are labelled, 1 to 3 days later:

        >>> from datetime import UTC, datetime, timedelta
        >>> from ratoon.core.measuring import Window
        >>> start, day = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=1)
        >>> first, delays = np.datetime64("2026-01-01", "us"), LabelDelays()
        >>> times = first + np.arange(3000) * np.timedelta64(864, "s")
        >>> labelled = np.arange(3000) % 3 > 0
        >>> came = times + (np.arange(3000) % 3) * np.timedelta64(36, "h")
        >>> state = delays.init()
        >>> for hour in range(24 * 30):
        ...     since, now = (
        ...         first + np.timedelta64(hour, "h"),
        ...         first + np.timedelta64(hour + 1, "h"),
        ...     )
        ...     new = (times >= since) & (times < now)
        ...     late = labelled & (came >= since) & (came < now)
        ...     state = delays.step(
        ...         state, start + (hour + 1) * day / 24, predicted=times[new], joined=times[late]
        ...     )
        >>> found = delays.seen(state, start + 30 * day)
        >>> round(found.label_rate, 2), found.quantile(0.5) < 2 * day < found.quantile(0.9)
        (0.67, True)
        >>> week = found.maturity(Window(start=start + 21 * day, end=start + 28 * day))
        >>> week.mature, 0.92 < week.share < 0.94  # of the last day half of the labels lack
        (False, True)
        >>> found.watermark() > start + 26 * day
        True

    References:
        Kaplan, E. L. and Meier, P. (1958), JASA 53. Shares that are never labelled: Maller, R. A.
        and Zhou, S. (1992). Estimating the proportion of immunes in a censored sample.
        Biometrika 79, 731-739.

    """

    finest: timedelta | str = "1m"
    per_octave: int = 8
    cohorts: int = 8
    memory: int = 10_000
    least: int = 30
    tail: float = 0.05
    mature: float = 0.95

    def __post_init__(self) -> None:
        """Check the settings."""
        positive("finest, in milliseconds", duration("finest", self.finest) // _MILLISECOND)
        whole("per_octave", self.per_octave, least=1)
        whole("cohorts", self.cohorts, least=2)
        whole("memory", self.memory, least=1)
        whole("least", self.least, least=1)
        share("tail", self.tail)
        share("mature", self.mature)

    def init(self) -> DelayState:
        """Return the state before the first arrival."""
        return DelayState()

    def step(
        self,
        state: DelayState,
        at: datetime,
        /,
        *,
        predicted: Array | None = None,
        joined: Array | None = None,
        joined_since: Array | None = None,
        parked: int = 0,
        released: Array | None = None,
    ) -> DelayState:
        """Take in what arrived at one time; return the state after it.

        Args:
            state: what was known before; it is not changed.
            at: when it arrived.
            predicted: as in `Arrivals`.
            joined: as in `Arrivals`.
            joined_since: as in `Arrivals`.
            parked: as in `Arrivals`.
            released: as in `Arrivals`.

        Raises:
            RowsRefused: a time is missing, or there is not one `joined_since` a joined label.
        """
        came = Arrivals(
            at=at,
            predicted=predicted,
            joined=joined,
            joined_since=joined_since,
            parked=parked,
            released=released,
        )
        return self.steps(state, (came,))

    def steps(self, state: DelayState, arrivals: Sequence[Arrivals], /) -> DelayState:
        """Take in what arrived at several times, in any order: the same as step by step, faster.

        Raises:
            RowsRefused: a time is missing.
        """
        if not arrivals:
            return state
        moments = [micros(one.at) for one in arrivals]
        newest = max(moments) if state.newest_us is None else max(*moments, state.newest_us)
        both = list(zip(arrivals, moments, strict=True))
        predicted = _together([(_times(one.predicted, now), now) for one, now in both])
        joined = _together([(_times(one.joined, now), now) for one, now in both])
        born = _together([(self._unwaited(one, now), now) for one, now in both])
        cohorts = [*state.cohorts]
        for kind, (times, nows) in (("entered", predicted), ("joined", joined), ("born", born)):
            cohorts += counted(self.grid, times, self.grid.bins(nows - times), newest, kind)
        parked = np.repeat(np.array(moments), [one.parked for one in arrivals])
        released, _ = _together([(_times(one.released, now), now) for one, now in both])
        waiting = [*state.parked, *self._parked(parked, newest, "entered")]
        waiting += self._parked(released, newest, "joined")
        return DelayState(
            newest_us=newest,
            cohorts=regrouped(self.grid, cohorts, newest),
            parked=regrouped(self.grid, waiting, newest),
        )

    def merge(self, one: DelayState, other: DelayState, /) -> DelayState:
        """Return the state of what either has seen, where no row was seen by both."""
        known = [state.newest_us for state in (one, other) if state.newest_us is not None]
        newest = max(known, default=None)
        if newest is None:
            return one
        return DelayState(
            newest_us=newest,
            cohorts=regrouped(self.grid, [*one.cohorts, *other.cohorts], newest),
            parked=regrouped(self.grid, [*one.parked, *other.parked], newest),
        )

    def seen(self, state: DelayState, now: datetime, /) -> Arrived:
        """Tell what is known at `now`, when all that arrived before it has been taken in."""
        moment = max(micros(now), state.newest_us or 0)
        return Arrived(
            now_us=moment,
            seen=seen_through(self.grid, state.cohorts, moment),
            waiting=tuple(
                (one.start_us, len(one.entered) - len(one.joined)) for one in state.parked
            ),
            memory=self.memory,
            least=self.least,
            tail=self.tail,
            threshold=self.mature,
        )

    @property
    def grid(self) -> Grid:
        """Which cohort an event time belongs to, and which bin a delay."""
        finest = duration("finest", self.finest) // timedelta(microseconds=1)
        return Grid(finest_us=finest, per_octave=self.per_octave, cohorts=self.cohorts)

    def _parked(self, times: Micros, newest: int, kind: Kind) -> tuple[Cohort, ...]:
        return counted(self.grid, times, np.zeros_like(times), newest, kind)

    def _unwaited(self, one: Arrivals, now: int) -> Micros:
        """Return the joined predictions whose label came so soon that it was never waited for."""
        times = _times(one.joined, now)
        if one.joined_since is None:
            return times[:0]
        delays = self.grid.bins(now - times)
        since = _times(one.joined_since, now)
        return times[(delays > 0) & (self.grid.bins(since - times) == delays)]


def _together(parts: Sequence[tuple[Micros, int]]) -> tuple[Micros, Micros]:
    """Return the times of all parts, and beside each the moment of its part."""
    times = [part for part, _ in parts]
    nows = np.repeat(np.array([now for _, now in parts]), [len(part) for part in times])
    return np.concatenate(times), nows


def _times(times: Array | None, now: int) -> Micros:
    """Return event times as microseconds; none lies behind its arrival."""
    if times is None:
        return np.zeros(0, dtype=np.int64)
    moments = np.asarray(times).astype("datetime64[us]")
    if np.isnat(moments).any():
        raise ValueForbidden("time", "given for every row", None, int(np.isnat(moments).argmax()))
    return np.minimum(moments.astype(np.int64), now)
