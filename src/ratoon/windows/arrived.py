"""What label delays say at one time: which windows are mature, and how long labels take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np

from ratoon.core.measuring import Window
from ratoon.core.settings import share as checked_share
from ratoon.core.times import from_micros, micros
from ratoon.windows.cohorts import Cohort, Grid, Tally
from ratoon.windows.judged import Floats
from ratoon.windows.survival import Curve, Mask, clustered_variance, product_limit, supremum_test

_SECOND_US = 1_000_000
_SURE = 0.001  # p-value below which two curves disagree
_FAR = 0.05  # and by how much they then differ, as a share of the predictions
_PARTS = (1 / 2, 1 / 4, 1 / 8)  # of the newest predictions, compared with the rest
_OVERDUE = 0.99  # a row that waits longer than this share of the labels took is overdue


@dataclass(frozen=True, slots=True, kw_only=True)
class Maturity:
    """How many of the labels that a window will ever have are in."""

    share: float | None  # of them; None where there are no rows, or delays are not known yet
    stderr: float | None  # standard error of the share
    rows: float  # predictions; a cohort on the window's edge counts in part
    labelled: float  # those whose label is in
    expected: float | None  # labels that there will be in the end
    usual: float | None  # labels that as many predictions of this age have as a rule
    mature: bool  # the share is as large as asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayChange:
    """The labels of new predictions do not come as those of earlier ones did."""

    since: datetime  # event time of the first of the newest predictions
    delay: timedelta  # where the two differ most
    newest: float  # share of the newest predictions that was labelled within it
    before: float  # the same of those before them
    p_value: float  # the chance of such a difference if nothing changed

    def __str__(self) -> str:
        """Say it in a sentence."""
        return (
            f"within {span(self.delay)} {self.newest:.0%} of the predictions since "
            f"{self.since:%Y-%m-%d %H:%M} were labelled, {self.before:.0%} of those before"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """How many predictions and labels there are, and how many of them lack the other."""

    predictions: int
    joined: int  # predictions with a label
    parked: int  # labels without a prediction
    overdue: int | None  # predictions that wait longer than 99 % of the labels took
    stranded: int | None  # labels that are parked for longer than that


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeenThrough:
    """Cohorts, the newest first, and what was seen of them in each bin of delay."""

    starts_us: Floats  # (cohorts,)
    widths_us: Floats  # (cohorts,)
    rows: Floats  # (cohorts,): predictions
    labelled: Floats  # (cohorts,): those with a label
    edges_us: Floats  # (bins,): upper edges
    at_risk: Floats  # (cohorts, bins): 0 where the bin is not over yet
    came: Floats  # (cohorts, bins): labels of those at risk


def seen_through(grid: Grid, cohorts: Sequence[Cohort], now_us: int) -> SeenThrough:
    """Return what was seen of cohorts at `now_us`, bin by bin."""
    newest_first = list(reversed(cohorts))
    edges = grid.edges().astype(np.float64)
    starts = np.array([one.start_us for one in newest_first], dtype=np.float64)
    widths = np.array([one.width_us for one in newest_first], dtype=np.float64)
    entered, joined, born = (
        _table([getattr(one, kind) for one in newest_first], len(edges) + 1)
        for kind in ("entered", "joined", "born")
    )
    late = joined - born
    waiting = np.cumsum(entered - born - late, axis=1)
    at_risk = np.concatenate([entered[:, :1], waiting[:, :-2]], axis=1)
    over = (now_us - starts - widths)[:, None] >= edges
    at_risk = np.where(over, np.maximum(at_risk, 0.0), 0.0)
    return SeenThrough(
        starts_us=starts,
        widths_us=widths,
        rows=entered.sum(axis=1),
        labelled=np.minimum(joined.sum(axis=1), entered.sum(axis=1)),
        edges_us=edges,
        at_risk=at_risk,
        came=np.minimum(late[:, :-1], at_risk),
    )


def _table(tallies: Sequence[Tally], bins: int) -> Floats:
    found = np.zeros((len(tallies), bins))
    for row, tally in enumerate(tallies):
        found[row, list(tally.bins)] = tally.counts
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Arrived:
    """Which labels are in at one time, and which still will come. `LabelDelays.seen` makes it."""

    now_us: int
    seen: SeenThrough
    waiting: tuple[tuple[int, int], ...]  # arrival of labels without a prediction, and how many
    memory: int
    least: int
    tail: float
    threshold: float

    @cached_property
    def curve(self) -> Curve:
        """The share of the predictions that waits for its label, by the delay in seconds.

        It ends where fewer than `least` predictions were seen through.
        """
        rows = self._newest(1.0)
        if self.change is not None:
            rows &= (self.seen.starts_us >= micros(self.change.since))[:, None]
        return self._curve(rows)

    @cached_property
    def change(self) -> DelayChange | None:
        """How the delays of the newest predictions differ from those before; None if they do not.

        For each delay the newest half, quarter and eighth of the predictions are compared with
        the rest of the newest `memory`. They differ where a difference like the largest has a
        chance below 0.1 % if nothing changed, and 5 % more or fewer are labelled.
        """
        found = [self._compared(part) for part in _PARTS]
        clear = [(statistic, change) for statistic, change in found if change is not None]
        return max(clear, key=lambda one: one[0])[1] if clear else None

    def _compared(self, part: float) -> tuple[float, DelayChange | None]:
        """Compare the newest part of the predictions with the rest: the statistic, the change."""
        every, rows = self._newest(1.0), self._newest(part)
        newest, before = self._curve(rows), self._curve(every & ~rows)
        bins = min(len(newest.edges), len(before.edges))
        if not bins:
            return 0.0, None
        newest, before = newest.upto(bins), before.upto(bins)
        at_risk, came = (
            np.where(every, x, 0.0)[:, :bins] for x in (self.seen.at_risk, self.seen.came)
        )
        variance = clustered_variance(at_risk, came, rows[:, :bins])
        statistic, p_value = supremum_test(newest, before, variance)
        gaps = np.abs(newest.waiting - before.waiting)
        widest = int(gaps.argmax())
        if p_value * len(_PARTS) >= _SURE or gaps[widest] < _FAR:
            return statistic, None
        counted = rows[:, widest] & (self.seen.at_risk[:, widest] > 0)
        return statistic, DelayChange(
            since=from_micros(int(self.seen.starts_us[counted].min())),
            delay=timedelta(seconds=float(newest.edges[widest])),
            newest=1.0 - float(newest.waiting[widest]),
            before=1.0 - float(before.waiting[widest]),
            p_value=p_value * len(_PARTS),
        )

    @property
    def follow_up(self) -> timedelta:
        """The longest delay that enough predictions were seen through."""
        return timedelta(seconds=float(self.curve.edges[-1]) if len(self.curve.edges) else 0.0)

    @cached_property
    def known(self) -> bool:
        """Whether the follow-up is long enough to say that no more labels will come.

        At most a `tail` of the labels came in its second half.
        """
        if not len(self.curve.edges) or self.curve.waiting[-1] >= 1.0:
            return False
        half = 1.0 - float(self.curve.at(self.curve.edges[-1:] / 2.0)[0])
        return half >= (1.0 - self.tail) * (1.0 - float(self.curve.waiting[-1]))

    @property
    def label_rate(self) -> float | None:
        """The share of recent predictions that is ever labelled; None where that is not known yet.

        Labels that are in, and those that are expected of the predictions that wait.
        """
        recent = self._recent()
        return None if recent.expected is None else recent.expected / recent.rows

    @property
    def label_rate_stderr(self) -> float | None:
        """The standard error of the label rate, as of a share of those predictions."""
        rate, rows = self.label_rate, self._recent().rows
        return None if rate is None else math.sqrt(max(0.0, rate * (1.0 - rate)) / rows)

    def quantile(self, level: float) -> timedelta | None:
        """Return the delay within which a share `level` of the labels comes; None if not known."""
        checked_share("level", level)
        if not self.known:
            return None
        waiting = np.append(1.0, self.curve.waiting)
        edges = np.append(0.0, self.curve.edges)
        wanted = 1.0 - level * (1.0 - waiting[-1])
        place = int(np.argmax(waiting <= wanted))
        fall = (waiting[place - 1] - wanted) / (waiting[place - 1] - waiting[place])
        return timedelta(seconds=float(edges[place - 1] + fall * (edges[place] - edges[place - 1])))

    def maturity(self, window: Window) -> Maturity:
        """Return how many of the labels of a window of event time are in.

        Predictions of a cohort that lies in the window in part count in part. A window of labelled
        rows has at least these: where its cohorts, which are wide where they are old, let expect
        fewer, predictions are denser there than in the rest of the cohort.
        """
        seen = self.seen
        ends = np.maximum(
            np.minimum(seen.starts_us + seen.widths_us, self.now_us), seen.starts_us + 1
        )
        first = np.maximum(seen.starts_us, micros(window.start))
        last = np.minimum(ends, micros(window.end))
        inside = np.maximum(0.0, last - first) / (ends - seen.starts_us)
        ages = np.maximum(0.0, self.now_us - (first + last) / 2.0) / _SECOND_US
        rows, labelled = seen.rows * inside, seen.labelled * inside
        told = 0 if window.rows is None else len(window.rows)
        denser = max(1.0, told / float(labelled.sum())) if labelled.any() else 1.0
        return self._maturity(rows * denser, labelled * denser, ages)

    def watermark(self) -> datetime | None:
        """Return the event time up to which windows are mature; None where that is not known.

        A cohort is judged together with those just before it, so that there are `least` rows.
        With delays that become longer a watermark can go back.
        """
        if not self.known:
            return None
        seen, rows = self.seen, np.flatnonzero(self.seen.rows)[::-1]
        total, labelled = np.cumsum(seen.rows[rows]), np.cumsum(seen.labelled[rows])
        waiting = seen.rows[rows] - seen.labelled[rows]
        coming = np.cumsum(waiting * (1.0 - self._never(self._ages()[rows])))
        since = np.searchsorted(total, np.maximum(total - self.least, 0.0), side="right") - 1
        have = labelled - np.where(since >= 0, labelled[since], 0.0)
        lack = coming - np.where(since >= 0, coming[since], 0.0)
        behind = np.flatnonzero((lack > 0) & (have < self.threshold * (have + lack)))
        if len(behind):
            return from_micros(int(seen.starts_us[rows[behind[0]]]))
        end = seen.starts_us[rows[-1]] + seen.widths_us[rows[-1]]
        return from_micros(int(min(end, self.now_us)))

    @property
    def matched(self) -> Matched:
        """How many predictions and labels there are, and how many lack the other."""
        late, seen = self.quantile(_OVERDUE), self.seen
        overdue: int | None = None
        stranded: int | None = None
        if late is not None:
            oldest = self.now_us - late // timedelta(microseconds=1)
            over = seen.starts_us + seen.widths_us <= oldest
            overdue = int((seen.rows - seen.labelled)[over].sum())
            stranded = sum(labels for came, labels in self.waiting if came <= oldest)
        return Matched(
            predictions=int(seen.rows.sum()),
            joined=int(seen.labelled.sum()),
            parked=sum(labels for _, labels in self.waiting),
            overdue=overdue,
            stranded=stranded,
        )

    def __str__(self) -> str:
        """Say in words how long labels take, and what that rests on."""
        rests = "New predictions are taken to be labelled as recent ones were."
        if self.change is not None:
            rests = f"Only the newest predictions tell it: {self.change}."
        half, most = self.quantile(0.5), self.quantile(_OVERDUE)
        if half is None or most is None:
            return (
                "How long labels take is not known yet: predictions were followed for "
                f"{span(self.follow_up)}, too short to say that no more labels come. {rests}"
            )
        return (
            f"Half of the labels come within {span(half)}, 99 % within {span(most)}; "
            f"{self.label_rate:.0%} of the predictions are labelled at all. {rests}"
        )

    def _ages(self) -> Floats:
        """Return the mean age of each cohort, in seconds."""
        ends = np.minimum(self.seen.starts_us + self.seen.widths_us, self.now_us)
        middle = (self.seen.starts_us + ends) / 2.0
        return np.maximum(0.0, self.now_us - middle) / _SECOND_US

    def _recent(self) -> Maturity:
        """Return how many labels the newest `memory` predictions have and will have."""
        rows = self.seen.rows
        newest = np.cumsum(rows) - rows < self.memory
        return self._maturity(rows[newest], self.seen.labelled[newest], self._ages()[newest])

    def _never(self, ages: Floats) -> Floats:
        """Return the chance that a prediction that waits at some age is never labelled."""
        waits, end = self.curve.at(ages), float(self.curve.waiting[-1])
        return np.divide(end, waits, out=np.ones_like(waits), where=waits > end)

    def _maturity(self, rows: Floats, labelled: Floats, ages: Floats) -> Maturity:
        total, have = float(rows.sum()), float(labelled.sum())
        if not self.known or total <= 0.0:
            return Maturity(
                share=None,
                stderr=None,
                rows=total,
                labelled=have,
                expected=None,
                usual=None,
                mature=False,
            )
        never, waiting = self._never(ages), rows - labelled
        expected = have + float((waiting * (1.0 - never)).sum())
        found = have / expected if expected > 0.0 else 1.0
        chance = float((waiting * never * (1.0 - never)).sum())
        spread = math.sqrt(chance + self._doubt(waiting * never, ages))
        return Maturity(
            share=found,
            stderr=have / expected**2 * spread if expected > 0.0 else 0.0,
            rows=total,
            labelled=have,
            expected=expected,
            usual=float((rows * (1.0 - self.curve.at(ages))).sum()),
            mature=found >= self.threshold,
        )

    def _doubt(self, never: Floats, ages: Floats) -> float:
        """Return the variance of the labels to come that is due to the curve's own error.

        By the delta method on the terms of Greenwood's sum: each bin that lies ahead of a row
        moves its chance to be never labelled in proportion to that chance.
        """
        upper = self.curve.edges
        lower = np.append(0.0, upper[:-1])
        ahead = np.clip((upper - ages[:, None]) / (upper - lower), 0.0, 1.0)
        return float(((never @ ahead) ** 2 * self.curve.terms).sum())

    def _newest(self, part: float) -> Mask:
        """Return the newest cohorts for each delay: a part of those that the estimate rests on."""
        before = np.cumsum(self.seen.at_risk, axis=0) - self.seen.at_risk
        return before < part * np.minimum(self.memory, self.seen.at_risk.sum(axis=0))

    def _curve(self, rows: Mask) -> Curve:
        """Return the curve of some cohorts, up to the last delay that enough rows say."""
        at_risk = np.where(rows, self.seen.at_risk, 0.0).sum(axis=0)
        came = np.where(rows, self.seen.came, 0.0).sum(axis=0)
        enough = at_risk >= self.least
        found = product_limit(
            self.seen.edges_us / _SECOND_US,
            np.where(enough, at_risk, 0.0),
            np.where(enough, came, 0.0),
        )
        return found.upto(int(np.flatnonzero(enough)[-1]) + 1 if enough.any() else 0)


def span(length: timedelta) -> str:
    """Return a length of time in words.

    >>> span(timedelta(hours=60)), span(timedelta(seconds=90))
    ('2.5 d', '1.5 min')
    """
    seconds = length / timedelta(seconds=1)
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
