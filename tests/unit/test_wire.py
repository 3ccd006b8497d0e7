from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratoon.core import wire
from ratoon.core.deciding import (
    Alternative,
    Decision,
    Firing,
    Hold,
    Retrain,
    Rollback,
    SnapshotPlan,
    Wait,
)
from ratoon.core.events import Event
from ratoon.core.measuring import Detection, Measurement, RowRange, Window
from ratoon.core.running import Run, Step
from ratoon.core.schema import Column, Schema
from ratoon.core.versions import Artifact, ModelVersion, Verdict
from ratoon.policies import PolicyState
from ratoon.policies.state import (
    OpenWindow,
    References,
    Reign,
    Standing,
    Training,
    Waiting,
    Watch,
)
from ratoon.rollouts import WatchState

ZONES = [UTC, timezone(timedelta(hours=-3, minutes=-30)), timezone(timedelta(hours=14))]
MOMENTS = st.datetimes(
    min_value=datetime(1900, 1, 1),  # noqa: DTZ001 - Hypothesis sets the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from(ZONES),
)
FLOATS = st.floats(allow_nan=False)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), FLOATS, st.text())
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NOUNS: list[Any] = [
    Alternative,
    Artifact,
    Column,
    Detection,
    Event,
    Firing,
    Hold,
    Measurement,
    ModelVersion,
    OpenWindow,
    References,
    Reign,
    Retrain,
    Rollback,
    Run,
    Schema,
    SnapshotPlan,
    Standing,
    Step,
    Training,
    Verdict,
    Wait,
    Waiting,
    Watch,
    WatchState,
    Window,
]


@cache
def drawn(kind: Any) -> st.SearchStrategy[Any]:
    """Values of `kind`; what is JSON to it is drawn as JSON."""
    if kind is Event:
        texts = st.text(min_size=1, max_size=8)
        return st.builds(
            Event,
            id=texts,
            source=texts,
            type=texts,
            time=MOMENTS,
            subject=st.none() | texts,
            data=st.dictionaries(st.text(max_size=5), JSON, max_size=3),
        )
    return st.builds(kind, **{f.name: typed(hint) for f, hint in hinted(kind)})


def hinted(kind: Any) -> list[tuple[Any, Any]]:
    hints = get_type_hints(kind)
    return [(f, hints[f.name]) for f in fields(kind)]


@cache
def typed(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type as it is annotated."""
    origin, kinds = get_origin(hint), get_args(hint)
    scalars = {
        float: FLOATS,
        int: st.integers(),
        bool: st.booleans(),
        str: st.text(max_size=8),
        datetime: MOMENTS,
        object: JSON,
        type(None): st.none(),
    }
    if hint in scalars:
        return scalars[hint]
    if origin is Literal:
        return st.sampled_from(kinds)
    if origin is Mapping:
        return st.dictionaries(st.text(max_size=5), typed(kinds[1]), max_size=3)
    if origin is tuple and Ellipsis not in kinds:
        return st.tuples(*map(typed, kinds))
    if origin is tuple:
        return st.lists(typed(kinds[0]), max_size=3).map(tuple)
    if is_dataclass(hint):
        return drawn(hint)
    return st.one_of(*(typed(kind) for kind in kinds))


@pytest.mark.parametrize("kind", NOUNS)
@given(data=st.data())
@settings(max_examples=15)
def test_every_noun_comes_back(kind: Any, data: st.DataObject) -> None:
    """A noun that is written as JSON and read by its type is equal to itself."""
    value = data.draw(drawn(kind))
    assert wire.loads(kind, wire.dumps(value)) == value


@given(decision=st.one_of(drawn(Retrain), drawn(Wait), drawn(Hold), drawn(Rollback)))
@settings(max_examples=40)
def test_a_decision_comes_back_as_its_own_kind(decision: Decision) -> None:
    """A member of a union is read as the dataclass that it was."""
    back = wire.loads(Decision, wire.dumps(decision))
    assert type(back) is type(decision)
    assert back == decision


@given(value=st.tuples(st.none() | st.floats(), st.lists(st.floats(), max_size=3)))
def test_floats_that_json_lacks_come_back(value: tuple[float | None, list[float]]) -> None:
    """NaN and the infinities are written as strict JSON and read back, wherever they stand."""
    text = wire.dumps({"alone": value[0], "among": value[1]})
    json.loads(text, parse_constant=pytest.fail)
    back = wire.loads(dict[str, Any], text)
    assert repr(back) == repr({"alone": value[0], "among": value[1]})
    assert repr(wire.loads(list[float], wire.dumps(value[1]))) == repr(value[1])


@pytest.mark.parametrize("inner", ["abc", 1.5, None, {}])
def test_data_that_looks_like_a_float_stays_data(inner: object) -> None:
    """A person's own data with the key "float" is read back as it was written."""
    own = {"float": inner}
    event = Event(id="1", source="s", type="t", time=datetime(2026, 1, 1, tzinfo=UTC), data=own)
    assert wire.loads(Event, wire.dumps(event)).data == own
    nested = replace(event, data={"price": own, "list": [own]})
    assert wire.loads(Event, wire.dumps(nested)).data == nested.data


@given(moment=MOMENTS, length=st.timedeltas(timedelta(days=-36500), timedelta(days=36500)))
def test_moments_and_lengths_keep_their_microseconds(moment: datetime, length: timedelta) -> None:
    """A moment keeps its offset and a length of up to a century its microseconds."""
    back = wire.loads(datetime, wire.dumps(moment))
    assert (back, back.utcoffset()) == (moment, moment.utcoffset())
    assert wire.loads(timedelta, wire.dumps(length)) == length


@dataclass(frozen=True, slots=True, kw_only=True)
class Older:
    name: str
    inner: RowRange
    rate: float = 0.5


def test_unknown_keys_are_ignored_and_missing_ones_have_their_default() -> None:
    """What a newer version wrote beside is passed over; what an older one lacked is the default."""
    text = (
        '{"kind":"Older","name":"a","inner":{"kind":"RowRange","start":1,"stop":2,"new":3},"x":[]}'
    )
    assert wire.loads(Older, text) == Older(name="a", inner=RowRange(start=1, stop=2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    value: object = field(default=None)


@pytest.mark.parametrize("value", [{1, 2}, b"x", 1j, object(), datetime, print])
def test_a_type_without_json_form_raises(value: object) -> None:
    """A value that JSON cannot hold raises `TypeError` with its type, however deep it stands."""
    name = type(value).__name__
    for nested in (value, [value], {"a": value}, Holds(value=value)):
        with pytest.raises(TypeError, match=f"^{name} has no JSON form$"):
            wire.dumps(nested)


def test_an_integer_is_read_as_a_float_where_a_float_is_declared() -> None:
    """A field that is declared a float is one, also where JSON text says `1`."""
    read = wire.loads(Detection, '{"status":"drift","statistic":1,"threshold":2}')
    assert (type(read.statistic), type(read.threshold)) == (float, float)
    assert math.isclose(read.threshold, 2.0)


def test_a_policy_state_has_only_fields_that_come_back() -> None:
    """An empty policy state is read back equal to itself."""
    state = PolicyState(triggers=None)
    assert wire.loads(PolicyState, wire.dumps(state)) == state
