from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratoon.core.errors import SettingInvalid
from ratoon.policies import Limits

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_nothing_is_blocked_before_the_first_retraining() -> None:
    """Without a retraining neither cooldown nor budget holds anything up."""
    assert Limits(cooldown="99d", per_day=1).blocked((), NOON) is None


def test_the_cooldown_ends_at_its_moment() -> None:
    """Until the last retraining is that long ago one must wait; at that very moment no more."""
    limits, last = Limits(cooldown="6h"), (NOON - DAY, NOON)
    until = NOON + 6 * HOUR
    assert limits.blocked(last, NOON) == (until, "cooldown of 6:00:00")
    assert limits.blocked(last, until - timedelta(microseconds=1)) is not None
    assert limits.blocked(last, until) is None
    assert Limits(cooldown=timedelta(hours=6)).blocked(last, NOON) == (until, "cooldown of 6:00:00")
    assert Limits().blocked((NOON,), NOON) is None


def test_the_budget_is_that_of_any_24_hours() -> None:
    """The third retraining waits until the first of the last two is a day ago, exactly."""
    limits, made = Limits(per_day=2), (NOON, NOON + 5 * HOUR)
    assert limits.blocked(made, NOON + 23 * HOUR) == (
        NOON + DAY,
        "budget of 2 retrainings a day",
    )
    assert limits.blocked(made, NOON + DAY) is None
    made = limits.kept(made, NOON + DAY)
    assert limits.blocked(made, NOON + DAY) == (NOON + 29 * HOUR, "budget of 2 retrainings a day")


@given(
    gaps=st.lists(st.integers(0, 30), min_size=1, max_size=40),
    cooldown=st.integers(0, 10),
    per_day=st.integers(1, 5),
)
def test_a_loop_that_waits_keeps_both_limits(gaps: list[int], cooldown: int, per_day: int) -> None:
    """Whoever retrains as soon as it may keeps cooldown and budget, and never waits longer."""
    limits = Limits(cooldown=timedelta(hours=cooldown), per_day=per_day)
    kept: tuple[datetime, ...] = ()
    made: list[datetime] = []
    at = NOON
    for gap in gaps:
        at += gap * HOUR
        blocked = limits.blocked(kept, at)
        cool = not made or at - made[-1] >= cooldown * HOUR
        cheap = sum(m > at - DAY for m in made) < per_day
        assert (blocked is None) == (cool and cheap)
        if blocked is None:
            made.append(at)
            kept = limits.kept(kept, at)
            assert len(kept) <= per_day
        else:
            assert blocked[0] > at
            assert limits.blocked(kept, blocked[0] - timedelta(microseconds=1)) is not None


def test_a_person_who_retrains_beyond_the_budget_uses_it_up() -> None:
    """More retrainings than the budget, made by people, hold the next one up for a day."""
    limits, kept = Limits(per_day=2), ()
    for hour in range(5):
        kept = limits.kept(kept, NOON + hour * HOUR)
    assert limits.blocked(kept, NOON + 5 * HOUR) == (
        NOON + 27 * HOUR,
        "budget of 2 retrainings a day",
    )


def test_the_pause_doubles_up_to_32_times() -> None:
    """One failure waits for `retry` rows, two for twice as many, six and more for 32 times."""
    pauses = [Limits(retry=100).pause(failures) for failures in range(1, 9)]
    assert pauses == [100, 200, 400, 800, 1600, 3200, 3200, 3200]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cooldown": "soon"}, "cooldown must be a length of time .*, got 'soon'"),
        ({"cooldown": 6}, "cooldown must be a length of time .*, got 6"),
        ({"per_day": 0}, "per_day must be .* of at least 1, got 0"),
        ({"per_day": 2.5}, "per_day must be .*, got 2.5"),
        ({"retry": 0}, "retry must be .* of at least 1, got 0"),
    ],
    ids=[str(i) for i in range(5)],
)
def test_settings_are_checked_when_they_are_made(settings: dict[str, Any], message: str) -> None:
    """A setting that breaks its rule is refused by its name, the rule and the value."""
    with pytest.raises(SettingInvalid, match=f"^{message}$"):
        Limits(**settings)
