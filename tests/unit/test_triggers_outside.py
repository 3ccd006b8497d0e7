from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from ratoon.core import wire
from ratoon.core.errors import SettingInvalid
from ratoon.core.events import FEEDBACK, NEW_LABELS, REQUESTED
from ratoon.triggers import Feedback, Fired, Never, NewLabels, On, Requested
from ratoon.triggers.outside import wilson_lower
from ratoon.triggers.protocol import Happening, Promoted, Rated, Refused, Settled, TimePassed
from tests.unit.triggers_views import START, answers, closed, fired, heard, moved, view

HAPPENINGS: list[Happening] = [
    closed(0),
    moved(0, {"x": (0.9, 0.0)}),
    heard("pricing.changed"),
    Rated(negative=50, predictions=60),
    TimePassed(),
    Promoted(),
    Settled(gain=1.0, lifetime=10, causes=()),
    Refused(causes=()),
]


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        ("pricing.changed", None, [0, 1]),
        ("pricing.*", None, [0, 1, 2]),
        ("*.changed", None, [0, 1, 3]),
        ("*", "eu", [1]),
        ("pricing.changed", "us", []),
        ("pricing.?ut", None, [2]),
        ("pricing", None, []),
        ("Pricing.*", None, []),
    ],
)
def test_an_event_fires_by_type_and_subject(
    pattern: str, subject: str | None, expected: list[int]
) -> None:
    """Patterns match the whole type, in its own case; a subject must be equal."""
    happened = [
        heard("pricing.changed"),
        heard("pricing.changed", "eu"),
        heard("pricing.cut"),
        heard("stock.changed"),
        TimePassed(),
    ]
    assert fired(On(pattern, subject), happened) == expected


def test_an_event_is_its_own_evidence() -> None:
    """The firing names the event by its id, so it is not stored twice, and carries its data."""
    (answer,) = answers(On("pricing.*"), [view(heard("pricing.cut", "eu", by=0.2))])
    (cause,) = answer.causes
    assert answer.sparks == answer.causes
    assert (cause.event_type, cause.event_id, cause.since) == ("pricing.cut", "e1", START)
    assert (cause.subject, cause.evidence) == ("eu", {"by": 0.2})
    assert cause.reason == "pricing.cut came from /shop"
    assert str(On("pricing.*")) == cause.trigger == "On(pricing.*)"
    with pytest.raises(SettingInvalid, match=r"^type must be an event type .*, got ''$"):
        On("")


def test_a_person_is_heard() -> None:
    """A request fires, and says who asked and why; other events are none of it."""
    trigger = Requested()
    happened = [
        heard("pricing.changed"),
        heard(REQUESTED, "fraud", by="ana", reason="new prices"),
        heard(REQUESTED, None),
    ]
    said = answers(trigger, [view(h) for h in happened])
    assert [bool(a.causes) for a in said] == [False, True, True]
    (cause,), (bare,) = said[1].causes, said[2].causes
    assert cause.reason == "ana asked for it: new prices"
    assert bare.reason == "a person asked for it"
    assert (cause.event_type, cause.event_id, cause.trigger) == (REQUESTED, "e1", "Requested()")
    assert said[1].sparks == said[1].causes


@pytest.mark.parametrize(
    ("trigger", "own"),
    [
        (On("pricing.*"), [2]),
        (Requested(), []),
        (Feedback(0.2), [3]),
        (NewLabels(500), [0]),
        (Never(), []),
    ],
    ids=str,
)
def test_each_trigger_fires_on_its_own_kind_alone(trigger: Any, own: list[int]) -> None:
    """Of all that can happen, a trigger fires only on what it is about."""
    facts = {"trained_rows": 1000, "labelled": 1500}
    found = [i for i, h in enumerate(HAPPENINGS) if fired(trigger, [h], **facts)]
    assert found == own


def test_never_never_fires_and_remembers_nothing() -> None:
    """Whatever happens, its state stays nothing, also through JSON."""
    trigger = Never()
    for happened in HAPPENINGS:
        assert trigger.fires(trigger.init(), view(happened)) == (None, Fired())
    assert trigger.load(None) is None
    assert (str(trigger), trigger.metric_names()) == ("Never()", frozenset())


@given(n=st.integers(1, 10_000), share=st.floats(0, 1))
def test_the_lower_bound_is_wilsons(n: int, share: float) -> None:
    """It is scipy's Wilson bound of a two-sided 90 % interval: one-sided 95 %."""
    hits = round(share * n)
    expected = binomtest(hits, n).proportion_ci(0.9, "wilson").low
    assert wilson_lower(hits, n) == pytest.approx(expected, abs=1e-12)


def test_the_lower_bound_solves_wilsons_equation() -> None:
    """At the bound the hits are 1.645 standard deviations above what is expected."""
    for hits, n in ((30, 1000), (3, 9), (990, 1000)):
        p = wilson_lower(hits, n)
        z = (hits / n - p) / math.sqrt(p * (1 - p) / n)
        assert z == pytest.approx(norm.ppf(0.95))
    assert wilson_lower(0, 50) == wilson_lower(0, 0) == wilson_lower(7, 0) == 0.0
    assert wilson_lower(9, 5) == wilson_lower(5, 5) < 1


def test_feedback_fires_once_a_champion_and_only_when_sure() -> None:
    """Too few complaints, or a share that may be chance, are no cause; then it fires, once."""
    rated = [
        Rated(negative=9, predictions=20),
        Rated(negative=12, predictions=500),
        Rated(negative=30, predictions=1000),
        Rated(negative=60, predictions=1000),
        Promoted(),
        Rated(negative=12, predictions=12),
    ]
    assert wilson_lower(12, 500) < 0.02 < wilson_lower(30, 1000)
    assert fired(Feedback(0.02), rated) == [2, 5]
    assert fired(Feedback(0.02, least=9), rated)[0] == 0
    assert fired(Feedback(0.5), [Rated(negative=50, predictions=40)]) == [0]
    (answer,) = answers(Feedback(0.02), [view(Rated(negative=30, predictions=1000))])
    (cause,) = answer.causes
    assert (cause.event_type, cause.since) == (FEEDBACK, START)
    assert cause.reason == "users complained about 30 of 1000 predictions"
    assert cause.evidence["lower_bound"] == pytest.approx(wilson_lower(30, 1000))
    assert set(cause.evidence) == {"negative", "predictions", "lower_bound", "rate"}
    assert str(Feedback(0.02)) == "Feedback(rate=0.02)"
    wire.dumps(cause)


@pytest.mark.parametrize(
    ("trigger", "trained", "first"),
    [
        (NewLabels(500), 1000, 1500),
        (NewLabels(1), 1000, 1001),
        (NewLabels(share=0.25), 1000, 1250),
        (NewLabels(share=0.07), 100, 107),
        (NewLabels(share=1.5), 10, 25),
        (NewLabels(share=0.001), 10, 11),
        (NewLabels(share=0.5), 0, 1),
    ],
    ids=str,
)
def test_new_labels_fire_at_the_row_that_completes_them(
    trigger: NewLabels, trained: int, first: int
) -> None:
    """The first window that closes with so many rows, or such a share, fires; none before."""
    facts = {"trained_rows": trained}
    assert fired(trigger, [closed(0)], labelled=first - 1, **facts) == []
    assert fired(trigger, [closed(0)], labelled=first, **facts) == [0]
    assert fired(trigger, [TimePassed()], labelled=first, **facts) == []


def test_new_labels_fire_once_until_a_retraining_ends() -> None:
    """They fire again after a promotion, or when the retraining brought nothing; not before."""
    happened = [
        closed(0),
        closed(1),
        Refused(causes=()),
        closed(2),
        closed(3),
        Promoted(),
        closed(4),
    ]
    assert fired(NewLabels(100), happened, trained_rows=1000, labelled=1200) == [0, 3, 6]
    (answer,) = answers(NewLabels(100), [view(closed(0), labelled=1200)])
    (cause,) = answer.causes
    assert (cause.event_type, cause.since) == (NEW_LABELS, START)
    assert cause.reason == "200 labelled rows have come since the champion was trained"
    assert cause.evidence == {"new": 200, "threshold": 100, "trained_on": 1000}
    assert (str(NewLabels(100)), str(NewLabels(share=0.5))) == (
        "NewLabels(100)",
        "NewLabels(share=0.5)",
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (NewLabels, "the threshold of NewLabels must be given by rows or by share="),
        (lambda: NewLabels(5, share=0.5), "the threshold of NewLabels must be given"),
        (lambda: NewLabels(0), "rows must be .* of at least 1, got 0"),
        (lambda: NewLabels(share=0), "share must be a finite number above 0, got 0"),
        (lambda: Feedback(0.0), "rate must be strictly between 0 and 1, got 0.0"),
        (lambda: Feedback(0.1, least=0), "least must be .* of at least 1, got 0"),
    ],
    ids=[str(i) for i in range(6)],
)
def test_settings_are_checked_when_they_are_made(make: Any, message: str) -> None:
    """A setting that breaks its rule is refused by its name, the rule and the value."""
    with pytest.raises(SettingInvalid, match=f"^{message}"):
        make()
