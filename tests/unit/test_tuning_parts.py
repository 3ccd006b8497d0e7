"""A history in two parts."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

import ratoon as rt
from ratoon.core.errors import SettingInvalid
from ratoon.core.events import REQUESTED, Event
from ratoon.engine import Arrival
from ratoon.engine.tuning.parts import parted
from tests.unit.tuning_world import history

WHOLE = history()
FIRST = len(WHOLE.labels)


def label(at: Any, ids: tuple[str, ...], source: str | None = None) -> Arrival:
    return Arrival(at=at, kind="label", ids=ids, values=(1,) * len(ids), source=source)


def predictions(told: rt.History) -> list[str]:
    return [name for one in told.arrivals if one.kind == "predict" for name in one.ids]


def labels(told: rt.History) -> list[str]:
    return [name for one in told.arrivals if one.kind == "label" for name in one.ids]


def test_parts_of_a_table() -> None:
    """The first part is the first arrivals; the second begins with the rows labelled by then."""
    parts = parted(WHOLE, 0.3)
    cut = round(0.7 * len(WHOLE.arrivals))
    assert parts.search.arrivals == WHOLE.arrivals[:cut]
    assert parts.at == parts.held_out.at == WHOLE.arrivals[cut - 1].at
    known = labels(parts.search)
    assert len(parts.held_out.labels) == len(parts.held_out.rows) == FIRST + len(known)
    # the rows of a table are named by their place, so the oracle is the table itself
    places = [int(name.removeprefix("row-")) for name in known]
    truth = [value for one in WHOLE.arrivals if one.kind == "label" for value in one.values]
    assert tuple(parts.held_out.labels)[FIRST:] == tuple(truth[p - FIRST] for p in places)
    every = np.concatenate(
        [o.rows.columns["a"] for o in WHOLE.arrivals if o.kind == "predict" and o.rows is not None]
    )
    here = parts.held_out.rows.columns["a"][FIRST:]
    assert np.array_equal(here, every[np.array(places) - FIRST])


def test_waiting_rows_are_answered_first() -> None:
    """Rows that were predicted and not labelled before are predicted again, and labelled once."""
    parts = parted(WHOLE, 0.3)
    waiting = set(predictions(parts.search)) - set(labels(parts.search))
    assert waiting  # labels come twenty days late
    assert set(parts.held_out.arrivals[0].ids) == waiting
    assert parts.held_out.arrivals[0].at == parts.at
    assert sorted(predictions(parts.held_out)) == sorted(labels(parts.held_out))
    both = set(labels(parts.search)) | set(labels(parts.held_out))
    assert both == {f"row-{n}" for n in range(FIRST, FIRST + len(WHOLE))}


def test_nothing_of_the_second_part_is_in_the_first() -> None:
    """Another ending of the history leaves the first part as it is."""
    cut = parted(WHOLE, 0.3)
    late = [dataclasses.replace(o, values=()) for o in WHOLE.arrivals[len(cut.search.arrivals) :]]
    other = dataclasses.replace(WHOLE, arrivals=(*cut.search.arrivals, *late))
    assert [o.ids for o in parted(other, 0.3).search.arrivals] == [
        o.ids for o in cut.search.arrivals
    ]


def test_wishes_of_people_are_left_out() -> None:
    """A retraining that a person asked for was asked of another policy; other events stay."""
    at = WHOLE.arrivals[0].at
    told = [
        Arrival(
            at=at,
            kind="event",
            event=Event(id=t, source="s", type=t, time=at, subject=None, data={}),
        )
        for t in (REQUESTED, "pricing.changed")
    ]
    parts = parted(dataclasses.replace(WHOLE, arrivals=(*told, *WHOLE.arrivals)), 0.3)
    types = [one.event.type for one in parts.search.arrivals if one.event is not None]
    assert types == ["pricing.changed"]


def test_labels_in_odd_orders() -> None:
    """Labels that came before their prediction, twice, or from a model are no surprise."""
    begun = WHOLE.arrivals[0]
    ids = begun.ids
    early = begun.at - timedelta(hours=1)
    last = WHOLE.arrivals[-1].at + timedelta(days=1)
    odd = (
        label(early, ids[:2]),  # before their prediction: they join it when it comes
        label(early, ("later",)),  # of a prediction that comes in the second part
        label(begun.at, ids[2:3], source="model"),  # joins nothing
        *WHOLE.arrivals,
        label(last, ids[:3]),  # once more
        Arrival(
            at=last, kind="feedback", ids=(ids[0], WHOLE.arrivals[-1].ids[0]), values=("{}",) * 2
        ),
        dataclasses.replace(begun, at=last, ids=("later", *ids[1:])),
    )
    parts = parted(dataclasses.replace(WHOLE, arrivals=odd), 0.3)
    assert tuple(parts.held_out.labels)[FIRST : FIRST + 2] == (1, 1)
    known = {f"row-{n}" for n in range(FIRST, FIRST + len(WHOLE))} - set(labels(parts.held_out))
    assert set(ids) <= known
    parked = [o for o in parts.held_out.arrivals if o.kind == "label" and "later" in o.ids]
    assert [(o.at, o.values) for o in parked] == [(parts.at, (1,))]
    feedback = [o for o in parts.held_out.arrivals if o.kind == "feedback"]
    assert [o.ids for o in feedback] == [(WHOLE.arrivals[-1].ids[0],)]
    assert "later" in predictions(parts.held_out)
    assert not set(ids[1:]) & set(predictions(parts.held_out))


def test_parts_without_labels() -> None:
    """A share that leaves one of the parts without a label is refused."""
    for share in (0.999, 0.001):
        with pytest.raises(SettingInvalid, match="held_out"):
            parted(WHOLE, share)
