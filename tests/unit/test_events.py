from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratoon.core import events
from ratoon.core.errors import SettingInvalid
from ratoon.core.events import EVENT_TYPES, Event

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
ATTRIBUTE = re.compile(r"[a-z0-9]{1,20}")
TEXTS = st.text(min_size=1, max_size=10)
FLOATS = st.floats() | st.integers() | st.text() | st.booleans() | st.none()
DATA = st.dictionaries(st.text(), FLOATS | st.lists(FLOATS), max_size=3)


@given(
    id=TEXTS,
    source=TEXTS,
    type=TEXTS,
    subject=st.none() | TEXTS,
    data=DATA,
    hours=st.integers(-9, 9),
)
def test_an_event_is_a_cloudevent(hours: int, data: dict[str, Any], **texts: Any) -> None:
    """It has the required attributes of CloudEvents 1.0, as non-empty texts, and strict JSON."""
    zone = timezone(timedelta(hours=hours))
    event = Event(time=datetime(2026, 3, 1, 12, tzinfo=zone), data=data, **texts)
    body = json.loads(json.dumps(event.to_cloudevent(), allow_nan=False))
    required = {"specversion": "1.0"} | {name: texts[name] for name in ("id", "source", "type")}
    assert required.items() <= body.items()
    assert all(ATTRIBUTE.fullmatch(name) for name in body)
    assert RFC_3339.fullmatch(body["time"])
    assert datetime.fromisoformat(body["time"]) == event.time
    assert body.get("subject") == texts["subject"]
    assert ("subject" in body) == (texts["subject"] is not None)
    assert (body["datacontenttype"], set(body["data"])) == ("application/json", set(data))


def test_evidence_of_any_kind_becomes_json() -> None:
    """Moments and lengths of time in the data are written as JSON, not passed on as they are."""
    data = {"since": AT, "age": timedelta(minutes=1), "p": float("nan")}
    body = Event(id="1", source="s", type="t", time=AT, data=data).to_cloudevent()
    assert json.loads(json.dumps(body["data"], allow_nan=False))["since"] == AT.isoformat()


@pytest.mark.parametrize("name", ["id", "source", "type", "subject"])
def test_an_empty_attribute_is_refused(name: str) -> None:
    """An attribute that CloudEvents wants non-empty is refused by its name when it is empty."""
    attributes: dict[str, Any] = {"id": "1", "source": "s", "type": "t", "time": AT, name: ""}
    with pytest.raises(SettingInvalid, match=f"^event {name} must be .*, got ''$"):
        Event(**attributes)


def test_the_time_of_an_event_is_aware_and_in_utc() -> None:
    """A time of any zone is kept in UTC; a naive one is refused."""
    zone = timezone(timedelta(hours=5))
    event = Event(id="1", source="s", type="t", time=datetime(2026, 3, 1, 17, tzinfo=zone))
    assert (event.time, event.time.tzinfo) == (AT, UTC)
    with pytest.raises(SettingInvalid, match=r"^event time must be aware"):
        Event(id="1", source="s", type="t", time=datetime(2026, 3, 1))  # noqa: DTZ001 - naive


def test_every_event_type_says_what_it_means() -> None:
    """The types that Ratoon makes are all listed, differ, and begin with `ratoon.`."""
    made = {v for k, v in vars(events).items() if k.isupper() and isinstance(v, str)}
    assert made == set(EVENT_TYPES)
    assert all(name.startswith("ratoon.") and said for name, said in EVENT_TYPES.items())
