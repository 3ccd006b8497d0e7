"""Replay: the same loop, on history, in virtual time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypedDict, Unpack

from ratoon.core import wire
from ratoon.core.errors import SettingInvalid
from ratoon.core.events import REQUESTED, ROLLBACK_REQUESTED
from ratoon.core.settings import not_negative
from ratoon.core.times import duration
from ratoon.engine.clocks import VirtualClock
from ratoon.engine.comparison import ReplayReport, compared
from ratoon.engine.history import Arrival, History
from ratoon.engine.loop import Loop
from ratoon.engine.naming_policies import policy_named
from ratoon.engine.outcomes import Outcome, outcome
from ratoon.executors import Delayed, Inline
from ratoon.stores import MemoryStore, MemoryVault
from ratoon.triggers.protocol import Trigger

Progress = Callable[[str, int, int], None]
"""Told of the policy's name, the arrivals that are done, and how many there are."""


class Labelled(TypedDict, total=False):
    """How a labelled table is read; `History.of_table` says what each setting means."""

    target: str
    time: str | None
    label_delay: timedelta | str
    first: float
    batches: int
    ignore: tuple[str, ...]
    name: str


class Moving(Protocol):
    """A clock that is told what time it is."""

    def set(self, moment: Any, /) -> None:
        """Move on to a moment."""
        ...


def replay(
    loops: Loop | Mapping[str, Loop],
    history: object,
    *,
    policies: Mapping[str, Trigger[Any] | Loop | str] | Sequence[str] | None = None,
    retrain_cost: float = 0.0,
    training_takes: timedelta | str = timedelta(0),
    progress: Progress | None = None,
    **table: Unpack[Labelled],
) -> ReplayReport:
    """Tell what loops would have done on a history, by running them on it.

    The deciding code is the one that runs live; only store, clock and executor are others. Labels
    come when they came, or as late as you say; gates, limits and rollbacks are those of the loop.
    Where several policies are compared on what a loop has lived through, the retrainings and
    rollbacks that people asked for are left out.

    Args:
        loops: a loop, or several by name; they are not opened and not changed.
        history: a loop that has run; a labelled table (a pandas, polars or pyarrow frame, a dict of
            columns) with `target` and how else it is read; the path of a .parquet, .csv or .arrow
            file or of a stream folder; or a `History`.
        policies: policies of one loop by name: triggers, loops, or what `ratoon replay --policy`
            takes ("never", "every:30d", "worth:200", "Degraded(by=0.1)"); or a list of the last.
        retrain_cost: what a fit costs, in the unit of the summed row losses of the first metric
            that has them: errors, log loss, or money.
        training_takes: how long a run trains, in virtual time: its challenger exists only then,
            and meanwhile the champion answers. The first model is there from the beginning.
        progress: told how far it is.
        table: how a labelled table is read; see `History.of_table`.

    Raises:
        SettingInvalid: a setting is not what it must be, or a text tells no policy.
        RowsRefused: the table has no such column, or its times go back.

    Example:
        >>> import numpy as np
        >>> from sklearn.linear_model import LogisticRegression
        >>> x = np.random.default_rng(0).normal(size=2000)
        >>> turned = (x > 0) != (np.arange(2000) > 900)  # the concept turns around
        >>> loop = Loop("demo", trainer=lambda data: LogisticRegression().fit(data.X, data.y))
        >>> report = replay(
        ...     loop, {"x": x, "y": turned}, target="y", policies=["never", "degraded:0.1"]
        ... )
        >>> report["degraded:0.1"].retrainings > 0, report.recommendation.best
        (True, 'degraded:0.1')
    """
    not_negative("retrain_cost", retrain_cost)
    takes = duration("training_takes", training_takes)
    named = _named(loops, policies)
    told = _history(history, table)
    told = told if len(named) == 1 else _without_people(told)
    rows: list[Outcome] = []
    for name, loop in named.items():
        moved = None if progress is None else partial(progress, name)
        store, virtual = _lived(loop, told, takes, moved)
        rows.append(outcome(name, virtual, store, retrain_cost))
    return compared(told.name, tuple(rows), retrain_cost, takes)


def drive(
    loop: Loop,
    history: History,
    clock: Moving,
    next_end: Callable[[], datetime | None] = lambda: None,
) -> Iterator[Arrival]:
    """Let a history happen to a loop; yield each arrival when it has been taken in.

    Args:
        loop: what it happens to; it is fitted first, unless it was.
        history: what arrives.
        clock: the loop's, which is moved on.
        next_end: tells when the next training that runs will have ended; the loop looks at it then.
    """
    if not loop.versions():
        loop.fit(history.rows, history.labels, times=history.times)
    for arrival in history.arrivals:
        while (end := next_end()) is not None and end <= arrival.at:
            clock.set(end)
            loop.tick()
        clock.set(arrival.at)
        _happen(loop, arrival)
        yield arrival


def _lived(
    loop: Loop, history: History, takes: timedelta, moved: Callable[[int, int], None] | None
) -> tuple[MemoryStore, Loop]:
    """Run one policy on the history; return what it has recorded, and the loop that ran."""
    store, clock = MemoryStore(), VirtualClock(history.at)
    delayed = Delayed(clock, takes)
    executor = delayed if takes else Inline()
    with loop.settings(
        store=store, vault=MemoryVault(), clock=clock, executor=executor, notifier=None
    ) as virtual:
        for done, _ in enumerate(drive(virtual, history, clock, delayed.next_end), start=1):
            if moved is not None:
                moved(done, len(history.arrivals))
    return store, virtual


def _named(
    loops: Loop | Mapping[str, Loop],
    policies: Mapping[str, Trigger[Any] | Loop | str] | Sequence[str] | None,
) -> Mapping[str, Loop]:
    """Return the loops to run, by the names of their policies."""
    if policies is None:
        named = {loops.name: loops} if isinstance(loops, Loop) else dict(loops)
    elif isinstance(policies, str) or not isinstance(loops, Loop):
        rule = "of one loop: a mapping of names to triggers, or a list of texts"
        raise SettingInvalid("policies", rule, policies)
    elif isinstance(policies, Mapping):
        named = {str(name): _policy(one, loops) for name, one in policies.items()}
    else:
        named = {text: policy_named(text, loops) for text in policies}
    if not named:
        raise SettingInvalid("policies", "at least one", policies)
    return named


def _policy(one: Trigger[Any] | Loop | str, loop: Loop) -> Loop:
    if isinstance(one, Loop):
        return one
    return policy_named(one, loop) if isinstance(one, str) else loop.settings(retrain_when=one)


def _history(history: object, table: Labelled) -> History:
    """Return what happens, whatever it was given as."""
    if isinstance(history, History | Loop):
        if table:
            rule = "left out where the history is no table"
            raise SettingInvalid(next(iter(table)), rule, next(iter(table.values())))
        return history if isinstance(history, History) else history.history()
    if isinstance(history, str | Path):
        if not Path(history).is_dir() and "target" not in table:
            raise SettingInvalid("target", "the column of labels in the file", None)
        return History.read(history, **table)
    if "target" not in table:
        raise SettingInvalid("target", "the column of labels in the table", None)
    return History.of_table(history, **table)


def _without_people(history: History) -> History:
    asked = (REQUESTED, ROLLBACK_REQUESTED)
    kept = (a for a in history.arrivals if a.event is None or a.event.type not in asked)
    return dataclasses.replace(history, arrivals=tuple(kept))


def _happen(loop: Loop, arrival: Arrival) -> None:
    match arrival.kind:
        case "predict":
            loop.predict(arrival.rows, ids=arrival.ids, times=arrival.times)
        case "label":
            loop.label(arrival.ids, arrival.values, source=arrival.source)
        case "feedback":
            said = [wire.loads(dict[str, Any], str(value)) for value in arrival.values]
            ratings = [one["rating"] for one in said]
            corrections = [one["correction"] for one in said]
            loop.feedback(
                arrival.ids,
                ratings=None if None in ratings else ratings,
                corrections=None if None in corrections else corrections,
            )
        case "event":
            event = arrival.event
            assert event is not None  # an arrival of its kind has one
            loop.emit(
                event.type, event.data, subject=event.subject, id=event.id, source=event.source
            )
        case "tick":
            loop.tick()
