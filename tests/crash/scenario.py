"""Small lives of a loop, call by call: every kind of arrival, and every kind of outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from sklearn.naive_bayes import GaussianNB

import ratoon as rt
from ratoon.core import wire
from ratoon.core.errors import LoopStarted
from ratoon.core.events import ROLLBACK_REQUESTED
from ratoon.core.measuring import RowRange
from ratoon.stores import FileVault
from ratoon.stores.book import SqlBook, sqlite_engine
from ratoon.stores.local import LocalStore
from ratoon.stores.protocol import Store
from ratoon.testing import Crash, CrashingStore, VirtualClock

START = datetime(2026, 1, 1, tzinfo=UTC)
NAME = "scenario"
FAILS_ON = 67  # rows to train on: the trainer raises
Call = Callable[[rt.Loop], Any]


def train(data: rt.DatasetSnapshot) -> GaussianNB:
    """Fit a model; on data with a gap in its numbers fail."""
    if len(data) == FAILS_ON:
        raise RuntimeError("the trainer does not like this number of rows")
    return GaussianNB().fit(data.X, data.y)


def rows_of(start: int, stop: int) -> dict[str, Any]:
    """Return rows by their number, the same at each call."""
    place = np.arange(start, stop)
    return {"x": np.sin(place * 1.7), "z": np.cos(place * 0.9)}


def labels_of(start: int, stop: int, *, flipped: bool = False) -> list[str]:
    """Return labels by the numbers of their rows; `flipped` after the concept has changed."""
    positive = (rows_of(start, stop)["x"] > 0) ^ flipped
    return ["yes" if value else "no" for value in positive]


def ids_of(start: int, stop: int) -> list[str]:
    """Return the ids of rows."""
    return [f"p{number}" for number in range(start, stop)]


def _first(call: Call) -> Call:
    """Make the call that begins a loop; a second time it has been done, and is told so."""

    def again(loop: rt.Loop) -> None:
        try:
            call(loop)
        except LoopStarted:
            assert loop.versions()[0].number == 1

    return again


def _fit(loop: rt.Loop) -> None:
    loop.fit(rows_of(0, 60), labels_of(0, 60))


def _adopt(loop: rt.Loop) -> None:
    rows = np.column_stack(list(rows_of(0, 60).values()))
    model = GaussianNB().fit(rows, labels_of(0, 60))
    loop.adopt(model, rows_of(0, 60), labels_of(0, 60))


def _predict(start: int, stop: int) -> Call:
    def call(loop: rt.Loop) -> tuple[list[str], int]:
        answer = loop.predict(rows_of(start, stop), ids=ids_of(start, stop))
        return answer.outputs.tolist(), answer.version

    return call


def _label(start: int, stop: int, *, flipped: bool = False) -> Call:
    labels = labels_of(start, stop, flipped=flipped)
    return lambda loop: loop.label(ids_of(start, stop), labels) and None


def _feedback(loop: rt.Loop) -> None:
    loop.feedback(["p60", "p61", "p62", "p63"], ratings=[-1, 1, -1, -1])


def _record(start: int, stop: int) -> Call:
    half = np.full((stop - start, 2), 0.5)
    outputs = ["no"] * (stop - start)
    rows, ids = rows_of(start, stop), ids_of(start, stop)
    return lambda loop: loop.record(rows, outputs, ids=ids, scores=half) and None


def _emit(kind: str, event_id: str, data: dict[str, Any] | None = None) -> Call:
    return lambda loop: loop.emit(kind, data, id=event_id, source="person") and None


def _tick(loop: rt.Loop) -> None:
    loop.tick()


SCRIPTS: dict[str, tuple[Call, ...]] = {
    "refused": (
        _first(_fit),
        _label(80, 84),  # four labels before their predictions
        _predict(60, 80),
        _label(60, 80),
        _predict(80, 90),
        _feedback,  # three complaints in one batch: a retraining, and a challenger under test
        _label(84, 90),
        _emit("pricing.changed", "e1"),  # held, since one is under test
        _predict(90, 130),
        _label(90, 130),  # not better: refused, and waits for a later try
    ),
    "promoted": (
        _first(_fit),
        _predict(60, 100),
        _label(60, 80, flipped=True),  # worse: a retraining, and a challenger under test
        _label(80, 100, flipped=True),  # it wins
        _predict(100, 140),
        _label(100, 140, flipped=True),
        _emit(ROLLBACK_REQUESTED, "back", {"to": 1, "by": "ann"}),
        _predict(140, 150),
        _label(140, 150),
    ),
    "rolled back": (
        _first(_adopt),
        _predict(60, 120),
        _label(60, 88, flipped=True),  # worse: a retraining, once the cooldown is over
        _label(130, 135),
        _label(88, 96, flipped=True),
        _label(96, 116),  # the concept comes back: the guard is breached
        _record(130, 140),
    ),
    "failed": (
        _first(_fit),
        _predict(60, 110),
        _label(60, 83),
        _emit("pricing.changed", "e1"),  # too soon after the last: it waits for the clock
        _tick,  # the trainer raises
        _label(83, 90),
        _label(90, 100),
        _tick,
        _label(100, 110),  # the later try
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """All that is on record of a loop in the end, as JSON."""

    answers: list[object]
    events: list[object]
    decisions: list[object]
    versions: list[object]
    runs: list[object]
    aliases: dict[str, int | None]
    labelled: dict[str, object]
    journal: list[object]
    state: str | None
    writes: int
    begins: tuple[int, ...]  # the number of the first write of each call

    def differences(self, other: Life) -> list[str]:
        """Return the names of what differs, with both values."""
        names = [name for name in self.__slots__ if name not in ("writes", "begins")]
        pairs = [(name, getattr(self, name), getattr(other, name)) for name in names]
        return [f"{name}: {mine} | {yours}" for name, mine, yours in pairs if mine != yours]


@contextmanager
def local_store(home: Path) -> Iterator[LocalStore]:
    """Open the loop's store, and leave it as a process does that dies: nothing is tidied up.

    No power is cut here, so that the book need not wait for the disk.
    """
    engine = sqlite_engine(home / "ratoon.db")
    sa.event.listen(engine, "connect", lambda c, _: c.execute("PRAGMA synchronous=OFF"))
    store = LocalStore(SqlBook(engine, NAME), home / "log", epoch=1)
    try:
        yield store
    finally:
        store.abandon()


def loop_on(store: Store, home: Path, clock: VirtualClock) -> rt.Loop:
    """Return the loop of the scenario."""
    return rt.Loop(
        NAME,
        trainer=train,
        metrics=[rt.metrics.Brier(), rt.metrics.Accuracy()],
        retrain_when=rt.triggers.Degraded("brier", beyond=0.2, windows=1)
        | rt.triggers.On("pricing.changed")
        | rt.triggers.Feedback(rate=0.01, least=3),
        accept_if=rt.gates.Better("brier", patience=60),
        rollout=rt.rollouts.Direct("brier", watch=60),
        train_on=rt.windows.SinceChange(least=20),
        limits=rt.Limits(retry=15, cooldown="4m"),
        window=20,
        input_window=25,
        store=store,
        vault=FileVault(home),
        clock=clock,
    )


def live(
    script: str, home: Path, at: int | None = None, *, after: bool = False, begin: int = 0
) -> Life:
    """Run a script; where the process dies, open the loop again and send the call again.

    `begin` is the number of the first call to send: those before it have been acknowledged.
    """
    clock, answers, begins, writes = VirtualClock(START), list[object](), list[int](), 0
    todo = list(enumerate(SCRIPTS[script]))[begin:]
    while True:
        with local_store(home) as inner:
            store = CrashingStore(inner, at, after=after)
            loop = loop_on(store, home, clock)
            try:
                while todo:
                    number, call = todo[0]
                    begins.append(store.writes + 1)
                    clock.set(START + timedelta(minutes=number))
                    answers.append(call(loop))
                    todo.pop(0)
                return life_of(store, answers, writes + store.writes, tuple(begins))
            except Crash:
                at, writes = None, writes + store.writes


def _told_without_attempts(run: Any) -> object:
    """Return a run without how often its training was begun: that a crash may well raise."""
    for step in run["steps"]:
        step["wrote"].pop("attempt", None)
    return run


def life_of(store: Store, answers: list[object], writes: int, begins: tuple[int, ...]) -> Life:
    """Return all that is on record."""
    rows = store.labelled(RowRange(start=0, stop=store.counts().labelled))
    columns = {name: [str(v) for v in column] for name, column in sorted(rows.columns.items())}
    return Life(
        answers=answers,
        events=[wire.to_json(event) for event in store.events()],
        decisions=[wire.to_json(decision) for decision in store.decisions()],
        versions=[wire.to_json(kept) for kept in store.versions()],
        runs=[_told_without_attempts(wire.to_json(run)) for run in store.runs()],
        aliases={name: store.alias(name) for name in ("champion", "challenger")},
        labelled={"ids": rows.ids, "values": rows.values} | columns,
        journal=[(e.seq, e.draft.kind, e.draft.ids, e.joined) for e in store.entries(0)],
        state=store.saved().state,
        writes=writes,
        begins=begins,
    )
