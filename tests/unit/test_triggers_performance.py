from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ratoon.core import wire
from ratoon.core.errors import SettingInvalid
from ratoon.core.events import CONCEPT_DRIFT, DEGRADED
from ratoon.detectors import Adwin, Cusum, PageHinkley
from ratoon.triggers import Degraded, Drift
from ratoon.triggers.performance import DegradedState
from ratoon.triggers.protocol import Promoted, Refused, TimePassed
from tests.unit.triggers_views import (
    HOUR,
    START,
    answers,
    closed,
    fired,
    measured,
    view,
)

NOISE = [0.0, 0.04, -0.02, 0.03, -0.05, 0.01, -0.03, 0.02]


def series(metric: str, values: list[float | None]) -> list[Any]:
    return [closed(i, {metric: v}) for i, v in enumerate(values)]


def shifted(before: float, after: float, rows: int = 60) -> list[float | None]:
    """A noisy metric that changes its level halfway."""
    half = rows // 2
    return [(before if i < half else after) + NOISE[i % 8] for i in range(rows)]


@pytest.mark.parametrize(
    "detector", [Cusum(), PageHinkley(threshold=1.0), Adwin(clock=1, delta=0.1)], ids=repr
)
def test_drift_fires_when_a_metric_becomes_worse(detector: Any) -> None:
    """A rise of an error is found soon after it, and no change at all is not."""
    trigger = Drift("mae", detector=detector)
    found = fired(trigger, series("mae", shifted(1.0, 1.6)))
    assert found
    assert 30 <= found[0] < 45
    assert fired(trigger, series("mae", shifted(1.0, 1.0))) == []


def test_worse_depends_on_the_metric() -> None:
    """A fall of the accuracy is drift, a rise is none; with an error it is the other way round."""
    falls, rises = shifted(0.9, 0.6), shifted(0.6, 0.9)
    detector = PageHinkley(threshold=1.0)
    assert fired(Drift("accuracy", detector=detector), series("accuracy", falls))
    assert not fired(Drift("accuracy", detector=detector), series("accuracy", rises))
    assert fired(Drift("mae", detector=detector), series("mae", rises))
    assert not fired(Drift("mae", detector=detector), series("mae", falls))


def test_a_drift_says_since_when_and_why() -> None:
    """The firing carries the change point, its first row, the measurement and the detection."""
    views = [view(h) for h in series("mae", shifted(1.0, 2.0))]
    said = answers(Drift(), views)
    first = next(a for a in said if a.causes)
    (cause,) = first.causes
    assert first.sparks == first.causes
    assert (cause.event_type, cause.subject, cause.at) == (CONCEPT_DRIFT, "mae", START + 9 * HOUR)
    assert (cause.since, cause.since_row) == (START + 30 * HOUR, 3000)
    value = shifted(1.0, 2.0)[said.index(first)]
    assert cause.reason == f"mae drifted to {value:.4g} since 2026-01-02 06:00"
    assert set(cause.evidence) == {"measurement", "detection", "detector"}
    wire.dumps(cause)


def test_without_a_name_the_first_metric_is_watched() -> None:
    """A trigger without a metric asks for none and watches the loop's first."""
    assert (Drift().metric_names(), Drift("mae").metric_names()) == (frozenset(), {"mae"})
    assert (str(Drift()), str(Drift("mae"))) == ("Drift()", "Drift(mae)")
    both = [closed(i, {"mae": v, "accuracy": 0.9}) for i, v in enumerate(shifted(1.0, 2.0))]
    assert fired(Drift(), both)
    assert not fired(Drift("accuracy"), both)


@pytest.mark.parametrize("trigger", [Drift("mae"), Degraded("mae", beyond=1.2)], ids=str)
def test_a_promotion_starts_anew(trigger: Drift | Degraded) -> None:
    """What was seen of the champion before counts no more; only windows of labels count at all."""
    state = trigger.init()
    for happened in series("mae", shifted(1.0, 2.0)[:32]):
        state, _ = trigger.fires(state, view(happened))
    assert state != trigger.init()
    for other in (TimePassed(), Refused(causes=())):
        assert trigger.fires(state, view(other))[0] == state
    renewed = trigger.fires(state, view(Promoted()))[0]
    if isinstance(renewed, DegradedState):
        assert [m.metric for m in renewed.validations] == ["mae"]
        renewed = replace(renewed, validations=())
    assert renewed == trigger.init()


def test_a_champion_that_was_bad_from_birth_is_no_norm() -> None:
    """The relative limit rests on the usual validation of late where its own is worse."""
    trigger = Degraded("mae", by=0.5, windows=1)
    state = trigger.init()
    for validation in (1.0, 5.0):
        known = {"mae": measured("mae", validation)}
        state, _ = trigger.fires(state, view(Promoted(), baseline=known))
    bad = closed(0, {"mae": 5.0})
    _, answer = trigger.fires(state, view(bad, baseline={"mae": measured("mae", 5.0)}))
    assert answer.causes
    assert answer.causes[0].evidence["limit"] == 1.5


@pytest.mark.parametrize(
    ("trigger", "values", "expected"),
    [
        (Degraded("mae", beyond=1.2), [1.3, 1.3, 1.3], [1]),
        (Degraded("mae", beyond=1.2), [1.3, 1.1, 1.3, 1.2, 1.3], []),
        (Degraded("mae", beyond=1.2, windows=1), [1.2, 1.21], [1]),
        (Degraded("mae", beyond=1.2, windows=3), [1.3, 1.3, 1.3, 1.3], [2]),
        (Degraded("mae", by=0.5), [1.5, 1.51, 1.51], [2]),
        (Degraded("accuracy", beyond=0.8), [0.9, 0.79, 0.79], [2]),
        (Degraded("accuracy", by=0.1), [0.82, 0.80, 0.80], [2]),
        (Degraded("accuracy", beyond=0.8), [0.85, 0.95, 0.99], []),
        (Degraded("mae", beyond=1.2), [None, 1.3, None, 1.3], [3]),
    ],
    ids=str,
)
def test_degradation_is_so_many_windows_in_a_row_beyond_the_limit(
    trigger: Degraded, values: list[float | None], expected: list[int]
) -> None:
    """It fires at the last of `windows` windows beyond the limit, absolute or relative."""
    metric = trigger.metric or ""
    assert fired(trigger, series(metric, values)) == expected


def test_a_window_counts_only_if_it_is_sure() -> None:
    """A metric must be beyond the limit by `sure` of its own standard errors."""
    for sure, expected in ((0.0, [1]), (1.0, []), (0.4, [1])):
        trigger = Degraded("mae", beyond=1.2, sure=sure)
        unsure = [closed(i, {"mae": 1.25}, stderr=0.1) for i in range(4)]
        assert fired(trigger, unsure) == expected


def test_a_relative_limit_is_as_unsure_as_its_baseline() -> None:
    """The errors of the window and of the limit, 1.5 times the baseline's, add up as squares."""
    baseline = {"mae": measured("mae", 1.0, stderr=0.2)}
    for value, stderr, expected in (
        (1.79, 0.0, []),
        (1.81, 0.0, [1]),
        (1.99, 0.4, []),
        (2.01, 0.4, [1]),
    ):
        happened = [closed(i, {"mae": value}, stderr=stderr) for i in range(3)]
        assert fired(Degraded("mae", by=0.5), happened, baseline=baseline) == expected
        assert fired(Degraded("mae", beyond=1.5, sure=0.1), happened, baseline=baseline) == [1]


def test_it_is_silent_until_the_metric_has_come_back_half_way() -> None:
    """Between the limit and the half-way point it stays silent; from there it may fire again."""
    trigger = Degraded("mae", beyond=1.4)  # the baseline is 1.0, half-way is 1.2
    bad, near, good = [1.5, 1.5], [1.3, 1.21], [1.19]
    assert fired(trigger, series("mae", [*bad, *bad, *bad])) == [1]
    assert fired(trigger, series("mae", [*bad, *near, *bad, *bad])) == [1]
    assert fired(trigger, series("mae", [*bad, *good, *bad])) == [1, 4]
    assert fired(trigger, series("mae", [*bad, *good, *near, *bad])) == [1, 6]
    accuracy = Degraded("accuracy", by=0.2)  # baseline 0.9, limit 0.72, half-way 0.81
    assert fired(accuracy, series("accuracy", [0.7, 0.7, 0.8, 0.7, 0.7])) == [1]
    assert fired(accuracy, series("accuracy", [0.7, 0.7, 0.82, 0.7, 0.7])) == [1, 4]


def test_without_a_baseline_there_is_no_relative_limit() -> None:
    """Relative to nothing, nothing is degraded; an absolute limit needs no baseline."""
    for baseline in ({}, {"mae": measured("mae", None)}):
        values = series("mae", [9.0] * 4)
        assert fired(Degraded("mae", by=0.1), values, baseline=baseline) == []
        again = series("mae", [9.0, 9.0, 1.0, 9.0, 9.0])
        assert fired(Degraded("mae", beyond=1.2), again, baseline=baseline) == [1, 4]


def test_a_degradation_says_since_when_and_why() -> None:
    """The firing begins at the first window beyond the limit, and carries all the numbers."""
    views = [view(h) for h in series("mae", [1.0, 1.3, 1.1, 1.3, 1.5])]
    (cause,) = answers(Degraded("mae", beyond=1.2), views)[-1].causes
    assert (cause.event_type, cause.subject) == (DEGRADED, "mae")
    assert (cause.since, cause.since_row) == (START + 3 * HOUR, 300)
    assert cause.reason == "mae is 1.5, beyond 1.2 for 2 windows"
    assert set(cause.evidence) == {"measurement", "baseline", "limit", "windows"}
    assert cause.trigger == "Degraded(mae, beyond=1.2)"
    wire.dumps(cause)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "the limit of Degraded must be given either .*"),
        ({"by": 0.1, "beyond": 1.0}, "the limit of Degraded must be given either .*"),
        ({"by": 0.0}, "by must be a finite number above 0, got 0.0"),
        ({"beyond": float("nan")}, "beyond must be a finite number, got nan"),
        ({"beyond": "0.8"}, "beyond must be a finite number, got '0.8'"),
        ({"by": 0.1, "windows": 0}, "windows must be .* of at least 1, got 0"),
        ({"by": 0.1, "sure": -1}, "sure must be .* of at least 0, got -1"),
    ],
    ids=[str(i) for i in range(7)],
)
def test_settings_are_checked_when_they_are_made(settings: dict[str, Any], message: str) -> None:
    """A setting that breaks its rule is refused by its name, the rule and the value."""
    with pytest.raises(SettingInvalid, match=f"^{message}$"):
        Degraded(**settings)
