"""A world for the policy: rows, labels and models that are nothing but their errors.

Version v has the error `errors(v, row)` on each labelled row; trainings end at once, or when they
are told to, and fail where the world says so. There is no store and no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from ratoon.core import wire
from ratoon.core.deciding import Decision, SnapshotPlan
from ratoon.core.events import Event
from ratoon.core.measuring import Measurement, RowRange
from ratoon.gates import Better
from ratoon.metrics import MAE
from ratoon.policies import Limits, Policy, PolicyState, Standing, Turn
from ratoon.policies.state import References
from ratoon.policies.turn import (
    Compared,
    Complained,
    Grown,
    Labelled,
    Order,
    Predicted,
    Reported,
    Seen,
    Ticked,
    Told,
    Train,
)
from ratoon.rollouts import Direct
from ratoon.triggers import AnyOf, On, Requested, Trigger
from ratoon.windows import SinceChange
from ratoon.windows.judged import Judged, Scored, Target
from ratoon.windows.summaries.stored import few_bins, stored

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIRST_ROWS = 100
NUMBER = Target(task="regression")
REFERENCES = References(
    inputs=stored(few_bins({"x": np.sin(np.arange(200.0))})),
    outputs=stored(few_bins({"output": np.cos(np.arange(100.0))})),
)


def policy(trigger: Trigger[Any] | None = None, **changes: Any) -> Policy:
    """A policy with small windows and quick decisions; `changes` overrides its settings."""
    settings: dict[str, Any] = {
        "loop": "prices",
        "metrics": (MAE(),),
        "retrain_when": AnyOf(parts=(trigger or On("go"), Requested())),
        "accept_if": Better("mae", patience=200),
        "rollout": Direct("mae", watch=100),
        "train_on": SinceChange(least=20),
        "limits": Limits(retry=30),
        "window": 20,
        "input_window": 25,
    }
    return Policy(**(settings | changes))


@dataclass(kw_only=True)
class World:
    """What drives a policy as an engine would, and keeps all that it said."""

    policy: Policy
    errors: Callable[[int, int], float]  # of a version on a row
    fails: frozenset[int] = frozenset()  # numbers of trainings that end with an error
    slow: bool = False  # trainings end when `finish` is called
    restarts: bool = False  # the state goes through JSON before every step
    state: PolicyState = field(init=False)
    turns: list[Turn] = field(default_factory=list)
    at: datetime = START
    trainings: int = 0
    told: int = 0
    running: Train | None = None
    standings: dict[int, Standing] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = self.policy.init()

    def started(self, rows: int = FIRST_ROWS) -> World:
        """Give it history and a first version, and forget how that came about."""
        self.see(Grown(at=self.at, rows=rows))
        plan = SnapshotPlan(
            train=RowRange(start=0, stop=rows - 20),
            holdout=RowRange(start=rows - 20, stop=rows),
            rule="the first rows",
        )
        self.take(self.policy.begin(self.state, self.at, "the loop was fitted", plan))
        if self.slow:
            self.finish()
        self.turns.clear()
        return self

    def see(self, seen: Seen) -> Turn:
        if self.restarts:
            self.state = self.policy.load(wire.dumps(self.state))
        return self.take(self.policy.step(self.state, seen))

    def take(self, turn: Turn) -> Turn:
        """Keep a turn, and do what it orders."""
        self.turns.append(turn)
        self.state = turn.state
        for order in turn.orders:
            if hasattr(order, "standing"):
                self.standings[order.standing.version] = order.standing
            if isinstance(order, Train):
                self.trainings += 1
                self.running = order
        if self.running is not None and not self.slow:
            self.finish()
        return turn

    def finish(self) -> Turn:
        """End the training that runs, well or with an error."""
        order, self.running = self.running, None
        assert order is not None
        if self.trainings in self.fails:
            return self.see(Reported(at=self.at, run_id=order.run_id, error="no memory left"))
        plan, version = order.decision.plan, self.state.versions + 1
        held = RowRange(start=plan.holdout.start, stop=max(self.state.rows, plan.holdout.stop))
        reign = self.state.reign
        champion = None
        if reign is not None:
            new = max(held.start, reign.standing.trained_rows)
            unseen = RowRange(start=min(new, held.stop), stop=held.stop)
            champion = self.judged(reign.standing.version, unseen)
        return self.see(
            Reported(
                at=self.at,
                run_id=order.run_id,
                trained_rows=plan.train.stop,
                challenger=self.judged(version, held),
                champion=champion,
                held_out=held,
                times=self.times(held),
                references=REFERENCES,
            )
        )

    def judged(self, version: int, rows: RowRange) -> Judged:
        errors = np.array([self.errors(version, row) for row in range(rows.start, rows.stop)])
        return Judged(target=NUMBER, labels=np.zeros(len(rows)), scored=Scored(outputs=errors))

    def times(self, rows: RowRange) -> np.ndarray:
        stamps = np.arange(rows.start, rows.stop).astype("m8[m]")
        return np.datetime64("2026-01-01", "us") + stamps

    def label(self, rows: int, *, batches: Iterable[int] = ()) -> None:
        """Label so many more rows, cut into batches of these sizes."""
        end = self.state.rows + rows
        for size in (*batches, rows):
            self._labelled(min(end, self.state.rows + size))

    def _labelled(self, stop: int) -> None:
        limit = 100
        while self.state.rows < stop:
            limit -= 1
            assert limit, "the policy does not get on"
            rows = RowRange(start=self.state.window_start, stop=stop)
            reign, trial, watch = self.state.reign, self.state.trial, self.state.watch
            assert reign is not None
            self.see(
                Labelled(
                    at=self.at,
                    rows=rows,
                    times=self.times(rows),
                    champion=self.judged(reign.standing.version, rows),
                    challenger=None if trial is None else self.judged(trial.version, rows),
                    replaced=None if watch is None else self.judged(watch.replaced.version, rows),
                )
            )

    def tell(self, kind: str, to: int | None = None, **data: Any) -> Turn:
        """Tell it an event."""
        self.told += 1
        made = Event(id=f"e{self.told}", source="/shop", type=kind, time=self.at, data=data)
        return self.see(Told(at=self.at, event=made, to=self.standings.get(to or 0)))

    def tick(self, hours: float = 0.0) -> Turn:
        """Let time pass."""
        self.at += hours * HOUR
        return self.see(Ticked(at=self.at))

    def predict(self, values: Iterable[float], answers: Iterable[float] = ()) -> Turn:
        """Let the champion be asked about rows, and answer to as many of them."""
        asked, answered = np.array(list(values)), np.array(list(answers))
        inputs, outputs = self._referred({"x": asked}), self._referred({"output": answered})
        seen = Predicted(at=self.at, rows=len(asked), inputs=inputs, outputs=outputs)
        return self.see(seen)

    def _referred(self, columns: dict[str, np.ndarray]) -> Compared | None:
        """Put columns beside what the version that is champion was registered with."""
        references = self.standings[self.champion].references
        assert references is not None
        kept = references.inputs if "x" in columns else references.outputs
        rows = len(next(iter(columns.values())))
        if kept is None or not rows:
            return None
        times = np.full(rows, np.datetime64(self.at.replace(tzinfo=None), "us"))
        return Compared(columns=columns, times=times, reference=kept.opened())

    def complain(self, times: int = 1) -> None:
        for _ in range(times):
            self.see(Complained(at=self.at))

    @property
    def decisions(self) -> list[Decision]:
        return [decision for turn in self.turns for decision in turn.decisions]

    @property
    def kinds(self) -> list[str]:
        """The kinds of the decisions so far."""
        return [type(decision).__name__ for decision in self.decisions]

    @property
    def events(self) -> list[Event]:
        return [event for turn in self.turns for event in turn.events]

    @property
    def measurements(self) -> list[Measurement]:
        return [m for turn in self.turns for m in turn.measurements]

    @property
    def orders(self) -> list[Order]:
        return [order for turn in self.turns for order in turn.orders]

    @property
    def ordered(self) -> list[str]:
        """The kinds of the orders so far."""
        return [type(order).__name__ for order in self.orders]

    @property
    def champion(self) -> int:
        assert self.state.reign is not None
        return self.state.reign.standing.version

    def account(self) -> dict[str, Any]:
        """All that it said and what it remembers, but for how it was cut into turns."""
        return {
            "decisions": self.decisions,
            "events": self.events,
            "measurements": self.measurements,
            "orders": self.orders,
            "state": self.state,
        }


def world(errors: Callable[[int, int], float], trigger: Any = None, **settings: Any) -> World:
    """A world that has started, with a first champion on 100 rows."""
    own = {name: settings.pop(name) for name in ("fails", "slow", "restarts") if name in settings}
    return World(policy=policy(trigger, **settings), errors=errors, **own).started()


def level(*levels: float) -> Callable[[int, int], float]:
    """Version v errs by the v-th level on every row; later versions as the last."""

    def errors(version: int, row: int) -> float:  # noqa: ARG001 - the same on every row
        return levels[min(version, len(levels)) - 1]

    return errors
