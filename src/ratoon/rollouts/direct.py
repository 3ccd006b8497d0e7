"""The rollout at once, with a watch behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ratoon.core.measuring import Measurement
from ratoon.core.settings import share, whole
from ratoon.gates.betting import Bet, play
from ratoon.gates.paired import check_metric, differences, no_evidence
from ratoon.metrics import by_name
from ratoon.metrics.protocol import Metric
from ratoon.windows.judged import Judged, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchState:
    """What the labels since the promotion say of the old and the new champion."""

    metric: str
    bound: float  # the largest difference of row losses; larger ones are cut
    against: Bet = Bet()  # that the replaced model was better

    @property
    def rows(self) -> int:
        """The labelled rows looked at."""
        return self.against.n

    @property
    def gain(self) -> float:
        """The replaced model's mean loss minus the champion's, in the metric's unit."""
        return 0.0 - self.against.total / self.against.n * self.bound if self.against.n else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a watch says after some rows, and how many of them it took."""

    rows: int
    breached: bool  # the replaced model was better, with an error rate of alpha
    over: bool  # the watch has seen all the rows that it wanted


@dataclass(frozen=True, slots=True)
class Direct:
    """Moves all traffic at once; the replaced model goes on scoring for `watch` labelled rows.

    While it does, a betting e-process collects evidence that the replaced model was the better
    one, on the same rows. At 1 / alpha the rollout is undone, however late the labels came.
    """

    metric: str | Metric | None = None  # as for a gate
    watch: int = field(default=2000, kw_only=True)  # labelled rows; 0: nobody watches
    alpha: float = field(default=0.01, kw_only=True)  # chance of undoing a change for the better

    def __post_init__(self) -> None:
        """Check the settings."""
        whole("watch", self.watch, least=0)
        share("alpha", self.alpha)
        check_metric(self.metric)

    def init(self, baseline: Mapping[str, Measurement], target: Target, /) -> WatchState:
        """Return the state at the promotion."""
        start = no_evidence(self.metric, baseline, target)
        return WatchState(metric=start.metric, bound=start.bound)

    def step(
        self, state: WatchState, champion: Judged, replaced: Judged, /
    ) -> tuple[WatchState, Seen]:
        """Take in rows that both scored; stop where the guard is breached or the watch is over."""
        metric = by_name(state.metric) if isinstance(self.metric, str | None) else self.metric
        d = differences(metric, state.bound, champion, replaced)[: self.watch - state.rows]
        against, rows = play(state.against, d, 1.0, self.alpha)
        used = len(d) if rows is None else rows
        after = replace(state, against=against)
        return after, Seen(rows=used, breached=rows is not None, over=after.rows >= self.watch)

    def __str__(self) -> str:
        """Write it as a person would."""
        return f"Direct(watch={self.watch})"
