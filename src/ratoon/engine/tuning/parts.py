"""A history in two parts: one to search on, and one to judge on that no search has seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from ratoon.core.errors import SettingInvalid
from ratoon.core.events import REQUESTED, ROLLBACK_REQUESTED
from ratoon.engine.history import Arrival, History
from ratoon.stores.drafts import MODEL
from ratoon.windows.judged import Scalar
from ratoon.windows.rows import Array, Rows, concat


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """The two parts of a history."""

    search: History
    held_out: History
    at: datetime  # where the first ends and the second begins


def parted(history: History, held_out: float) -> Parts:
    """Cut a history in two.

    The first part ends behind a share of the arrivals: what is labelled later counts there as not
    labelled. The second begins with a model of that time, fitted on all rows that were labelled by
    then; predictions that still wait for their label are its first arrival, answered by that
    model. What people asked for, a retraining or a rollback, is in neither: it was asked of
    another policy.

    Args:
        history: what arrived.
        held_out: the share of the arrivals that the second part has, in (0, 1).

    Raises:
        SettingInvalid: in one of the parts no label arrives for a row that is predicted there.
    """
    arrivals = tuple(one for one in history.arrivals if not _asked(one))
    cut = round(len(arrivals) * (1 - held_out))
    early, late = arrivals[:cut], arrivals[cut:]
    known = _Known(history)
    for arrival in early:
        known.take(arrival)
    at = early[-1].at if early else history.at
    kept = tuple(_still_to_come(known, late, at))
    if not known.labelled or not any(one.kind == "label" for one in kept):
        rule = "a share that leaves labels for rows predicted in both parts"
        raise SettingInvalid("held_out", rule, held_out)
    second = dataclasses.replace(
        history,
        rows=concat([history.rows, *known.rows_of(known.labelled)]),
        labels=(*history.labels, *known.labelled.values()),
        times=np.concatenate([history.times, *known.times_of(known.labelled)]),
        at=at,
        arrivals=kept,
    )
    return Parts(search=dataclasses.replace(history, arrivals=early), held_out=second, at=at)


def _asked(arrival: Arrival) -> bool:
    """Tell whether it is a wish of a person."""
    event = arrival.event
    return event is not None and event.type in (REQUESTED, ROLLBACK_REQUESTED)


@dataclass(slots=True, eq=False)
class _Known:
    """What is known at a moment: rows that were predicted, and labels of some of them."""

    history: History
    predicted: dict[str, tuple[Arrival, int]] = field(
        default_factory=dict[str, tuple[Arrival, int]]
    )
    parked: dict[str, Scalar] = field(default_factory=dict[str, Scalar])
    labelled: dict[str, Scalar] = field(
        default_factory=dict[str, Scalar]
    )  # in the order of joining

    def take(self, arrival: Arrival) -> None:
        """Take in what arrived."""
        if arrival.kind == "predict":
            for place, name in enumerate(arrival.ids):
                self.predicted.setdefault(name, (arrival, place))
                if name in self.parked:
                    self.labelled.setdefault(name, self.parked.pop(name))
        elif arrival.kind == "label" and arrival.source != MODEL:
            for name, value in zip(arrival.ids, arrival.values, strict=True):
                into = self.labelled if name in self.predicted else self.parked
                into.setdefault(name, value)

    @property
    def waiting(self) -> tuple[str, ...]:
        """The rows that were predicted and have no label yet, in their order."""
        return tuple(name for name in self.predicted if name not in self.labelled)

    def rows_of(self, names: Sequence[str] | Mapping[str, Scalar]) -> Iterator[Rows]:
        """Return rows that were predicted, in pieces."""
        for arrival, places in self._runs(names):
            assert arrival.rows is not None  # predictions have rows
            yield arrival.rows.take(places)

    def times_of(self, names: Sequence[str] | Mapping[str, Scalar]) -> Iterator[Array]:
        """Return the event times of rows that were predicted, in pieces."""
        for arrival, places in self._runs(names):
            assert arrival.times is not None  # predictions have times
            yield arrival.times[places]

    def _runs(
        self, names: Sequence[str] | Mapping[str, Scalar]
    ) -> Iterator[tuple[Arrival, np.ndarray[tuple[int], np.dtype[np.intp]]]]:
        """Return rows in a row that arrived together, and their places there."""
        places: list[int] = []
        last: Arrival | None = None
        for name in names:
            arrival, place = self.predicted[name]
            if arrival is not last and last is not None:
                yield last, np.array(places, dtype=np.intp)
                places = []
            last = arrival
            places.append(place)
        if last is not None:
            yield last, np.array(places, dtype=np.intp)


def _still_to_come(known: _Known, late: Sequence[Arrival], at: datetime) -> Iterator[Arrival]:
    """Return what a loop is told that begins now, with what is known already as its history."""
    waiting, there = known.waiting, set(known.waiting)
    if waiting:
        yield Arrival(
            at=at,
            kind="predict",
            ids=waiting,
            rows=concat(list(known.rows_of(waiting))),
            times=np.concatenate(list(known.times_of(waiting))),
        )
    if known.parked:
        yield Arrival(
            at=at, kind="label", ids=tuple(known.parked), values=tuple(known.parked.values())
        )
    done = set(known.labelled)
    for arrival in late:
        if arrival.kind in ("predict", "label"):
            there.update(arrival.ids if arrival.kind == "predict" else ())
            kept = _of(arrival, done, keep=False)
        else:
            kept = _of(arrival, there, keep=True) if arrival.kind == "feedback" else arrival
        if kept is not None:
            yield kept


def _of(arrival: Arrival, names: set[str], *, keep: bool) -> Arrival | None:
    """Return an arrival with the rows of these names alone, or without them; None of none."""
    places = [place for place, name in enumerate(arrival.ids) if (name in names) == keep]
    if len(places) == len(arrival.ids):
        return arrival
    if not places:
        return None
    index = np.array(places, dtype=np.intp)
    return dataclasses.replace(
        arrival,
        ids=tuple(arrival.ids[place] for place in places),
        rows=None if arrival.rows is None else arrival.rows.take(index),
        times=None if arrival.times is None else arrival.times[index],
        values=tuple(arrival.values[place] for place in places) if arrival.values else (),
    )
