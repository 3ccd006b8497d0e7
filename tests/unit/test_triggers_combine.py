from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ratoon.core.errors import SettingInvalid
from ratoon.triggers import (
    AnyOf,
    AtLeast,
    DataDrift,
    Degraded,
    Drift,
    Every,
    Never,
    On,
    Trigger,
)
from ratoon.triggers.protocol import Happening, Promoted, TimePassed
from tests.unit.triggers_views import HOUR, START, answers, fired, heard, restarted, view

A, B, C = On("a"), On("b"), On("c")


def events(names: str) -> list[Happening]:
    """One event a letter, an hour apart; "-" is an hour without one, "!" a promotion."""
    made: dict[str, Happening] = {"-": TimePassed(), "!": Promoted()}
    return [made.get(name) or heard(name) for name in names]


@pytest.mark.parametrize(
    ("trigger", "names", "expected"),
    [
        (A | B, "a-bc", [0, 2]),
        (A | B | C, "abcd", [0, 1, 2]),
        (A & B, "a-b-", [2]),
        (A & B, "bbba", [3]),
        (A & B, "aab-b", [2]),
        (A & B, "abab", [1, 3]),
        (A & B, "a!b", []),
        (A & B, "a!ba", [3]),
        (AtLeast(2, A, B, C), "a-c-b", [2]),
        (AtLeast(2, A, B, C), "a-c-b-a", [2, 6]),
        (AtLeast(1, A, B), "ab", [0, 1]),
        (AtLeast(3, A, B, C), "abacab", [3]),
        ((A & B) | C, "ac-b", [1, 3]),
        ((A | B) & C, "bc", [1]),
        (A & B & C, "abc", [2]),
        (A & B & C, "acb", [2]),
        (A & B & C, "ab", []),
        (Never() | A, "a", [0]),
        (Never() & A, "aaaa", []),
    ],
    ids=[str(i) for i in range(19)],
)
def test_triggers_combine_as_words_do(trigger: Any, names: str, expected: list[int]) -> None:
    """`|` fires with either, `&` when both have, `AtLeast(n)` when n have; then it starts anew."""
    assert fired(trigger, events(names)) == expected


def test_a_part_counts_until_it_is_too_old() -> None:
    """A part that fired exactly `within` ago still counts; a moment longer ago it does not."""
    for within, expected in (("3h", [3]), (timedelta(hours=3), [3]), ("2h 59m", [])):
        assert fired(AtLeast(2, A, B, within=within), events("a--b")) == expected
    assert (A & B).within == timedelta(days=30)
    renewed = AtLeast(2, A, B, within="3h")
    assert fired(renewed, events("a-a--b")) == [5]


def test_single_firings_are_told_even_where_the_whole_is_silent() -> None:
    """A part's firing is a spark, to be stored; the causes are those of all parts together."""
    said = answers(A & B, [view(h, START + i * HOUR) for i, h in enumerate(events("ab"))])
    assert [len(a.sparks) for a in said] == [1, 1]
    assert [len(a.causes) for a in said] == [0, 2]
    assert [c.trigger for c in said[1].causes] == ["On(a)", "On(b)"]
    assert said[1].causes == (*said[0].sparks, *said[1].sparks)
    both = answers(On("*") | On("a"), [view(heard("a"))])[0]
    assert [c.trigger for c in both.causes] == ["On(*)", "On(a)"]


def test_alternatives_are_flattened() -> None:
    """`a | b | c` is one choice of three however it is bracketed; it prints as it is written."""
    assert A | B | C == A | (B | C) == (A | B) | C == AnyOf(parts=(A, B, C))
    assert str(A | B | C) == "On(a) | On(b) | On(c)"
    assert AtLeast(2, A, B) == A & B
    assert str(AtLeast(2, A, B, C)) == "AtLeast(2, On(a), On(b), On(c))"
    assert hash(A | B) == hash(A | B)
    assert repr(A & B) == repr(AtLeast(2, A, B))


def test_combinations_ask_for_the_metrics_of_their_parts() -> None:
    """The metrics of all parts, however deep, are known before anything is measured."""
    one = (Drift("mae") | Every("1d")) & (Degraded("f1", by=0.1) | DataDrift() | A)
    assert one.metric_names() == {"mae", "f1"}
    assert (A | B).metric_names() == frozenset()


@pytest.mark.parametrize(
    "trigger",
    [A | Every("2h"), A & B, AtLeast(2, A & B, C, Never()), (A | B) & (C | Never())],
    ids=str,
)
def test_a_restart_between_any_two_moments_changes_nothing(trigger: Trigger[Any]) -> None:
    """The state goes through JSON after every step, and the answers stay the same."""
    happened = events("a-bc!ab-cca-b")
    views = [view(h, START + i * HOUR) for i, h in enumerate(happened)]
    expected, state = answers(trigger, views), trigger.init()
    for one, answer in zip(views, expected, strict=True):
        loaded = restarted(trigger, state)
        assert loaded == state
        state, found = trigger.fires(loaded, one)
        assert found == answer


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AtLeast(0, A), "n must be .* of at least 1, got 0"),
        (lambda: AtLeast(3, A, B), "AtLeast must be followed by at least 3 triggers, got 2"),
        (lambda: AtLeast(1, A, within="soon"), "within must be a length of time"),
    ],
    ids=["0", "1", "2"],
)
def test_settings_are_checked_when_they_are_made(make: Any, message: str) -> None:
    """A setting that breaks its rule is refused by its name, the rule and the value."""
    with pytest.raises(SettingInvalid, match=f"^{message}"):
        make()
