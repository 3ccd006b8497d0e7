from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ratoon.core.errors import SettingInvalid
from ratoon.core.events import SCHEDULE
from ratoon.triggers import Cron, Every
from ratoon.triggers.protocol import Promoted, TimePassed
from tests.unit.triggers_views import HOUR, START, answers, closed, ticks, view

LISBON = ZoneInfo("Europe/Lisbon")


def due_at(trigger: Every | Cron, start: datetime, moments: Sequence[datetime]) -> list[datetime]:
    """At which of these moments the trigger fires."""
    views = [view(TimePassed(), at, champion_since=start) for at in moments]
    said = zip(moments, answers(trigger, views), strict=True)
    return [at for at, answer in said if answer.causes]


def minutes(start: datetime, end: datetime, step: int = 10) -> list[datetime]:
    count = int((end - start) / timedelta(minutes=step)) + 1
    return [start + timedelta(minutes=step * i) for i in range(count)]


def local(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), LISBON).astimezone(UTC)


@pytest.mark.parametrize(
    "trigger",
    [Every("12h"), Every(timedelta(hours=12)), Every(hours=12), Every(days=0.5)],
    ids=["text", "timedelta", "hours", "days"],
)
def test_an_interval_fires_when_it_has_passed(trigger: Every) -> None:
    """It fires 12, 24, 36, … hours after the first champion began, and at no other hour."""
    said = answers(trigger, ticks(range(60)))
    assert [i for i, a in enumerate(said) if a.causes] == [12, 24, 36, 48]
    assert str(trigger) == "Every(12:00:00)"


def test_missed_intervals_fire_once_and_keep_the_phase() -> None:
    """However long nothing ran it fires once, and next when the whole intervals say so."""
    said = answers(Every("12h"), ticks([1, 77, 77.5, 83.9, 84, 95]))
    assert [i for i, a in enumerate(said) if a.causes] == [1, 4]
    (cause,) = said[1].causes
    assert cause.evidence == {"due": (START + 72 * HOUR).isoformat(), "intervals": 6}
    assert (cause.event_type, cause.at) == (SCHEDULE, START + 77 * HOUR)
    assert cause.reason == "it was due at 2026-01-04 00:00 UTC"
    assert said[1].sparks == said[1].causes


def test_an_interval_is_looked_at_whatever_happens() -> None:
    """Labels or a promotion show the time as well; a clock that goes back fires nothing."""
    trigger, state = Every("12h"), Every("12h").init()
    for at, happened, fires in (
        (1, closed(0), False),
        (13, closed(1), True),
        (14, Promoted(), False),
        (11, TimePassed(), False),
        (24, TimePassed(), True),
    ):
        state, fired = trigger.fires(state, view(happened, START + at * HOUR))
        assert bool(fired.causes) == fires


def test_the_interval_counts_from_the_first_champion() -> None:
    """Before it has ever fired, it counts from when the first champion began that it saw."""
    begun = START + 5 * HOUR
    assert due_at(Every("12h"), begun, minutes(begun, begun + 13 * HOUR))[0] == begun + 12 * HOUR


def test_a_cron_time_follows_its_zone_through_the_year() -> None:
    """03:00 in Lisbon is 03:00 UTC in winter and 02:00 in summer, once each day of the year."""
    start, end = datetime(2026, 1, 1, 4, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC)
    found = due_at(Cron("0 3 * * *", "Europe/Lisbon"), start, minutes(start, end, 60))
    days = [date(2026, 1, 2) + timedelta(days=i) for i in range(363)]
    assert found == [local(day, 3) for day in days]
    assert {at.hour for at in found} == {2, 3}


def test_a_weekday_is_that_of_the_zone() -> None:
    """Mondays at half past midnight in Auckland are Sundays at noon in UTC."""
    start = datetime(2026, 6, 1, tzinfo=UTC)
    found = due_at(
        Cron("30 0 * * MON", "Pacific/Auckland"), start, minutes(start, start + 500 * HOUR)
    )
    assert found == [datetime(2026, 6, day, 12, 30, tzinfo=UTC) for day in (7, 14, 21)]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 3, 29), datetime(2026, 3, 29, 1, tzinfo=UTC)),  # 01:30 does not exist
        (date(2026, 10, 25), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # 01:30 comes twice
    ],
    ids=["spring", "autumn"],
)
def test_a_time_that_is_skipped_or_comes_twice_fires_once(day: date, expected: datetime) -> None:
    """When clocks change, 01:30 in Lisbon is due exactly once that day."""
    start, end = local(day - timedelta(days=1), 12), local(day, 12)
    assert due_at(Cron("30 1 * * *", "Europe/Lisbon"), start, minutes(start, end)) == [expected]


def test_missed_cron_times_fire_once() -> None:
    """After a week without a look it is due once, by the first time that was missed."""
    trigger = Cron("0 3 * * *")
    said = answers(trigger, ticks([1, 24 * 7 + 5, 24 * 7 + 6, 24 * 8 + 3]))
    assert [i for i, a in enumerate(said) if a.causes] == [1, 3]
    (cause,) = said[1].causes
    assert cause.evidence["due"] == (START + 3 * HOUR).isoformat()
    assert (cause.event_type, cause.subject, str(trigger)) == (
        SCHEDULE,
        "Cron(0 3 * * *)",
        "Cron(0 3 * * *)",
    )


@pytest.mark.parametrize(
    "settings",
    [{}, {"interval": "0s"}, {"days": -1}, {"hours": -0.5}, {"interval": "1h", "hours": -2}],
    ids=[str(i) for i in range(5)],
)
def test_an_interval_is_longer_than_nothing(settings: dict[str, Any]) -> None:
    """No interval, none that is negative, and none that cancels out can be made."""
    with pytest.raises(SettingInvalid, match=r"^interval must be longer than nothing, got "):
        Every(**settings)


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"interval": "soon"}, "interval"),
        ({"interval": 5}, "interval"),
        ({"days": 1e300}, "interval"),
        ({"days": "3"}, "interval"),
    ],
    ids=[str(i) for i in range(4)],
)
def test_an_unreadable_interval_is_refused(settings: dict[str, Any], setting: str) -> None:
    """What is no length of time is refused by its name."""
    with pytest.raises(SettingInvalid, match=f"^{setting} must be"):
        Every(**settings)


@pytest.mark.parametrize(
    ("expression", "zone", "message"),
    [
        ("nonsense", "UTC", "expression must be a cron expression of five fields, got 'nonsense'"),
        ("60 * * * *", "UTC", "expression must be a cron expression"),
        ("0 0 30 2 *", "UTC", "expression must be a cron expression"),
        ("* * * * * *", "UTC", "expression must be a cron expression of five fields"),
        (None, "UTC", "expression must be a cron expression of five fields, got None"),
        ("0 3 * * *", "Lisbon", "zone must be a time zone such as 'Europe/Lisbon', got 'Lisbon'"),
        ("0 3 * * *", "Europe", "zone must be a time zone"),
        ("0 3 * * *", "", "zone must be a time zone"),
        ("0 3 * * *", "../UTC", "zone must be a time zone"),
    ],
    ids=[str(i) for i in range(9)],
)
def test_an_impossible_cron_time_is_refused(expression: Any, zone: str, message: str) -> None:
    """An expression or a zone that does not exist is refused when it is made."""
    with pytest.raises(SettingInvalid, match=f"^{message}"):
        Cron(expression, zone)
