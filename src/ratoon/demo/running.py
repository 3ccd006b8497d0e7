"""One stream three times: never retrained, retrained by the calendar, and with Ratoon."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from time import perf_counter
from typing import Any

from ratoon.core import wire
from ratoon.core.errors import SettingInvalid
from ratoon.demo.models import Boosting
from ratoon.engine import History, Loop, Outcome, VirtualClock
from ratoon.engine.notifying import Notifier
from ratoon.engine.replay import drive, outcome, replay
from ratoon.gates import Untested
from ratoon.rollouts import Direct
from ratoon.stores.folder import open_known
from ratoon.triggers import Drift, Every, Never, NewLabels, WorthIt
from ratoon.windows.choices import Everything

NEVER, PERIOD, RATOON = "never", "period", "ratoon"
BUNDLED = ("hotel_rates", "flights_2013")
_PERIOD_DAYS = 30
_PRICED_ROWS = 0.01  # a retraining costs as much as the first model loses on this share of the rows

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream folder: its rows, and what is known of them."""

    history: History
    title: str
    unit: str | None
    label_delay: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a stream."""

    stream: Stream
    retrain_cost: float
    policies: Mapping[str, Outcome]  # never, period, ratoon
    seconds: float

    def record(self) -> dict[str, Any]:
        """Return it as JSON values."""
        ratoon = self.policies[RATOON]
        return {
            "stream": self.stream.history.name,
            "policies": {name: _figures(found) for name, found in self.policies.items()},
            "retrain_cost": self.retrain_cost,
            "versions": len(ratoon.versions),
            "refused": ratoon.refused,
            "rollbacks": ratoon.rollbacks,
            "seconds": round(self.seconds, 2),
        }


def _figures(found: Outcome) -> dict[str, Any]:
    """Return a policy's figures: the loss is the first metric, on all answers."""
    first = next(iter(found.loss.values()), None)
    return {**found.record(), "loss": first, "metrics": dict(found.loss)}


def open_stream(where: str) -> Stream:
    """Open a bundled stream by its name, or any stream by its folder."""
    bundled = resources.files("ratoon.demo") / "streams" / where
    path = Path(str(bundled)) if where in BUNDLED else Path(where)
    if not (path / "meta.json").is_file() or not (path / "data.parquet").is_file():
        rule = f"one of {list(BUNDLED)}, or a folder with data.parquet and meta.json"
        raise SettingInvalid("stream", rule, where)
    meta = wire.loads(dict[str, Any], (path / "meta.json").read_text())
    delay = str(meta.get("label_delay", "1d"))
    return Stream(
        history=History.read(path, label_delay=delay),
        title=str(meta.get("title", path.name)),
        unit=meta.get("unit"),
        label_delay=delay,
    )


def run(
    stream: Stream, home: Path, seed: int, progress: Progress, notifier: Notifier | None
) -> Result:
    """Let the stream happen three times, the last time to a live loop below `home`."""
    started, history = perf_counter(), stream.history
    first = Loop("never", trainer=Boosting(seed=seed), retrain_when=Never())
    never = replay({NEVER: first}, history, progress=progress)[NEVER]
    price = price_of(never, len(history))
    calendar = first.settings(
        retrain_when=Every(days=_PERIOD_DAYS),
        accept_if=Untested(),
        train_on=Everything(),
        rollout=Direct(watch=0),
    )
    period = replay({PERIOD: calendar}, history, retrain_cost=price, progress=progress)[PERIOD]
    clock = VirtualClock(history.at)
    ratoon = Loop(
        history.name,
        trainer=Boosting(seed=seed),
        retrain_when=WorthIt(price) | Drift() | NewLabels(share=1.0),
        home=home,
        clock=clock,
        notifier=notifier,
    )
    with ratoon:
        for done, _ in enumerate(drive(ratoon, history, clock), start=1):
            progress(RATOON, done, len(history.arrivals))
    store = open_known(home, history.name)
    lived = outcome(RATOON, ratoon, store, price)
    store.close()
    return Result(
        stream=stream,
        retrain_cost=price,
        policies={NEVER: never, PERIOD: period, RATOON: lived},
        seconds=perf_counter() - started,
    )


def price_of(never: Outcome, rows: int) -> float:
    """Return what a fit costs here: what the first model lost at its validation on 1 % of the rows.

    The unit is that of the summed row losses: errors in the target's own unit, or log loss.
    """
    baseline = never.versions[0].baseline[0].value or 0.0
    return baseline * rows * _PRICED_ROWS
