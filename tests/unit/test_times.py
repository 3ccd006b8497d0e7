from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratoon.core import settings
from ratoon.core.errors import SettingInvalid
from ratoon.core.ids import derive
from ratoon.core.times import EPOCH, duration, from_micros, micros, utc

NAIVE = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - a naive moment is what is refused
MOMENTS = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9))]))
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@given(moment=st.datetimes(timezones=st.just(UTC)))
def test_microseconds_name_a_moment(moment: datetime) -> None:
    """A moment of any year is the moment of its microseconds, to the microsecond."""
    assert from_micros(micros(moment)) == moment
    assert micros(EPOCH) == 0
    assert micros(EPOCH - timedelta(microseconds=1)) == -1


def test_moments_are_brought_to_utc() -> None:
    """An aware moment keeps its instant and stands in UTC; a naive one is refused by name."""
    lisbon = timezone(timedelta(hours=1))
    at = utc("time", datetime(2026, 7, 1, 12, tzinfo=lisbon))
    assert (at, at.utcoffset()) == (datetime(2026, 7, 1, 11, tzinfo=UTC), timedelta(0))
    with pytest.raises(SettingInvalid, match=r"^bake must be aware") as caught:
        utc("bake", NAIVE)
    assert (caught.value.setting, caught.value.got) == ("bake", NAIVE)


@given(
    terms=st.lists(
        st.tuples(st.integers(0, 999), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "])),
        min_size=1,
        max_size=4,
    )
)
def test_a_length_of_time_is_the_sum_of_its_terms(terms: list[tuple[int, str, str]]) -> None:
    """Text such as "1d 12h" is the sum of its terms, in any order, with or without spaces."""
    text = " ".join(f"{number}{space}{unit}" for number, unit, space in terms)
    expected = sum((timedelta(**{UNITS[u]: n}) for n, u, _ in terms), timedelta(0))
    assert duration("bake", text) == duration("bake", text.replace(" ", "")) == expected


def test_fractions_and_timedeltas_are_lengths() -> None:
    """Half an hour may be written 0.5h; a timedelta is taken as it is."""
    assert duration("bake", "0.5h") == timedelta(minutes=30)
    assert duration("bake", timedelta(hours=6)) == timedelta(hours=6)


NO_LENGTHS: list[Any] = ["", " ", "6", "h", "-6h", "6h ago", "6 hours", "1d,2h", "1e3s"]
NO_LENGTHS += ["9" * 30 + "w", timedelta(seconds=-1), 6, 6.0, None, ("6h",)]


@pytest.mark.parametrize("value", NO_LENGTHS, ids=repr)
def test_what_is_no_length_of_time_is_refused(value: Any) -> None:
    """Anything else is a `SettingInvalid` that names the setting, the rule and the value."""
    with pytest.raises(SettingInvalid) as caught:
        duration("cooldown", value)
    assert str(caught.value).startswith("cooldown must be a length of time such as '6h'")
    assert str(caught.value).endswith(f"got {value!r}")


def test_ids_follow_from_their_parts() -> None:
    """Equal parts give an equal id of 16 characters; another part, order or kind another id."""
    ids = [
        derive("decision", "fraud", 42),
        derive("decision", "fraud", 43),
        derive("decision", 42, "fraud"),
        derive("run", "fraud", 42),
        derive("decision", "fraud4", 2),
        derive("decision", "fraud"),
    ]
    assert len(set(ids)) == len(ids)
    assert derive("decision", "fraud", 42) == ids[0]
    assert all(len(made.split("-")[1]) == 16 for made in ids)


CHECKS: dict[str, tuple[Callable[[str, Any], None], list[Any], list[Any]]] = {
    "a finite number above 0": (
        settings.positive,
        [1, 0.001, np.float64(2.0), np.int64(3), 10**400],
        [0, -1, math.nan, math.inf, True, "1", None, 1j],
    ),
    "a finite number of at least 0": (
        settings.not_negative,
        [0, 0.0, 3, np.float32(1.0)],
        [-0.1, math.nan, math.inf, False, "0", None],
    ),
    "strictly between 0 and 1": (
        settings.share,
        [0.5, 1e-12, np.float64(0.3)],
        [0, 1, -0.1, 1.1, math.nan, True, "0.5", None],
    ),
    "a finite number": (
        settings.finite,
        [0, -3.5, np.float64(2.0)],
        [math.nan, -math.inf, True, "0", None],
    ),
    "a whole number (an int) of at least 2": (
        lambda name, value: settings.whole(name, value, least=2),
        [2, 10**30, np.int64(7)],
        [1, -2, 2.0, 2.5, math.nan, math.inf, True, "2", "x", None],
    ),
    "one of a, b": (
        lambda name, value: settings.one_of(name, value, ("b", "a")),
        ["a", "b"],
        ["c", "", None, 1],
    ),
}


@pytest.mark.parametrize("rule", CHECKS)
def test_settings_are_checked_by_name_rule_and_value(rule: str) -> None:
    """A good setting passes; a bad one of any type raises what names setting, rule and value."""
    check, good, bad = CHECKS[rule]
    for value in good:
        check("window", value)
    for value in bad:
        with pytest.raises(SettingInvalid) as caught:
            check("window", value)
        assert str(caught.value) == f"window must be {rule}, got {value!r}"
        error = caught.value
        assert (error.setting, error.rule, error.got) == ("window", rule, value)
