from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from ratoon.core import wire
from ratoon.core.errors import SettingInvalid
from ratoon.core.events import DATA_DRIFT
from ratoon.metrics.shift import shifts, summarise, tally
from ratoon.triggers import DataDrift
from ratoon.triggers.protocol import InputsClosed, Promoted, Refused, TimePassed
from ratoon.windows.intake import read_rows
from ratoon.windows.rows import Rows
from tests.unit.triggers_views import HOUR, START, answers, fired, moved, view, window

FAR, NEAR, CHANCE = (0.5, 1e-9), (0.09, 1e-9), (0.5, 0.2)


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ([FAR, FAR, FAR], [1]),
        ([FAR, NEAR, FAR, CHANCE, FAR], []),
        ([FAR, FAR, NEAR, FAR, FAR], [1, 4]),
        ([FAR, FAR, FAR, FAR, CHANCE, FAR, FAR], [1, 6]),
    ],
    ids=[str(i) for i in range(4)],
)
def test_it_fires_after_so_many_windows_that_are_far_and_sure(
    windows: list[tuple[float, float]], expected: list[int]
) -> None:
    """Two windows in a row with effect and significance fire; a calm one arms it again."""
    happened = [moved(i, {"age": shift, "size": (0.0, 1.0)}) for i, shift in enumerate(windows)]
    assert fired(DataDrift(), happened) == expected
    assert fired(DataDrift(windows=1), happened)[:1] == [0]


def test_a_promotion_arms_it_and_nothing_else_moves_it() -> None:
    """A new champion was trained on other data, so all is forgotten; time changes nothing."""
    trigger = DataDrift()
    state, _ = trigger.fires(trigger.init(), view(moved(0, {"age": FAR})))
    state, first = trigger.fires(state, view(moved(1, {"age": FAR})))
    assert first.causes
    for other in (TimePassed(), Refused(causes=())):
        assert trigger.fires(state, view(other)) == (state, first.__class__())
    state, _ = trigger.fires(state, view(Promoted()))
    assert state == trigger.init()


def test_only_the_named_features_count() -> None:
    """A feature that is not named may move as it will, and costs no power."""
    happened = [moved(i, {"age": FAR, "size": (0.0, 0.9)}) for i in range(3)]
    assert fired(DataDrift(("age",)), happened) == [1]
    assert fired(DataDrift(("size",)), happened) == []
    assert fired(DataDrift(("other",)), happened) == []
    many = {f"x{i}": (0.3, 0.8) for i in range(50)} | {"age": (0.3, 0.004)}
    assert fired(DataDrift(), [moved(i, many) for i in range(3)]) == []
    assert fired(DataDrift(("age",)), [moved(i, many) for i in range(3)]) == [1]


def test_it_says_which_features_moved_and_since_when() -> None:
    """The furthest feature is the subject; the evidence lists up to five, with their numbers."""
    shift = {f"x{i}": (0.3 + i / 100, 1e-6) for i in range(7)} | {"calm": (0.0, 1.0)}
    views = [view(moved(i, shift)) for i in (0, 1)]
    (cause,) = answers(DataDrift(), views)[-1].causes
    assert (cause.event_type, cause.subject, cause.since) == (DATA_DRIFT, "x6", START)
    assert cause.at == START + 9 * HOUR
    assert cause.reason == "x6 and 6 more moved by 0.36 from the training data"
    listed: Any = cause.evidence["features"]
    assert [f["feature"] for f in listed] == ["x6", "x5", "x4", "x3", "x2"]
    assert (cause.evidence["drifted"], cause.evidence["rows"]) == (7, 100)
    assert listed[0] == {"feature": "x6", "distance": pytest.approx(0.36), "p_value": 1e-6}
    wire.dumps(cause)
    assert (str(DataDrift()), str(DataDrift(("a", "b")))) == ("DataDrift()", "DataDrift(a, b)")


def test_a_list_of_features_is_a_value_and_a_text_is_refused() -> None:
    """Features may be a list; one text would be read letter by letter, so it is refused."""
    listed: Any = ["a", "b"]
    assert DataDrift(listed) == DataDrift(("a", "b"))
    assert hash(DataDrift(listed)) == hash(DataDrift(("a", "b")))
    text: Any = "age"
    with pytest.raises(SettingInvalid, match=r"^features must be a tuple of names, got 'age'$"):
        DataDrift(text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"effect": 0.0}, "effect must be strictly between 0 and 1, got 0.0"),
        ({"alpha": 1.0}, "alpha must be strictly between 0 and 1, got 1.0"),
        ({"windows": 0}, "windows must be .* of at least 1, got 0"),
    ],
    ids=[str(i) for i in range(3)],
)
def test_settings_are_checked_when_they_are_made(settings: dict[str, Any], message: str) -> None:
    """A setting that breaks its rule is refused by its name, the rule and the value."""
    with pytest.raises(SettingInvalid, match=f"^{message}$"):
        DataDrift(**settings)


def features(rng: np.random.Generator, rows: int, *, gone: float = 0.15, move: float = 0.0) -> Rows:
    """Twenty stationary features of every shape; one may lose values, one may move."""
    columns: dict[str, Any] = {f"normal{i}": rng.normal(size=rows) for i in range(6)}
    columns |= {f"skewed{i}": rng.lognormal(size=rows) for i in range(4)}
    columns |= {f"count{i}": rng.poisson(1.5, size=rows) for i in range(3)}
    columns |= {f"rare{i}": rng.random(rows) < 0.02 for i in range(2)}
    columns |= {
        f"text{i}": [f"c{v}" for v in np.minimum(rng.zipf(1.6, size=rows), 200)] for i in range(3)
    }
    columns["gaps"] = np.where(rng.random(rows) < gone, np.nan, rng.normal(size=rows))
    columns["moves"] = rng.normal(move, 1.0, size=rows)
    return read_rows(columns)


def windows_of(reference: Rows, later: list[Rows]) -> list[InputsClosed]:
    before = summarise(reference)
    return [
        InputsClosed(window=window(i), shifts=shifts(before, tally(before, rows), window(i)))
        for i, rows in enumerate(later)
    ]


def test_stationary_inputs_seldom_alarm() -> None:
    """Of 200 windows with 20 features each, no more count as drifted than the rate allows."""
    rng = np.random.default_rng(21)
    allowed = int(stats.binom.ppf(1 - 1e-4, 200, 0.01))
    for trained, rows in ((1000, 200), (160, 100)):
        happened = [
            h
            for _ in range(4)
            for h in windows_of(features(rng, trained), [features(rng, rows) for _ in range(50)])
        ]
        for effect in (0.1, 0.01):  # the second leaves it to the test of significance alone
            trigger = DataDrift(windows=1, effect=effect)
            assert sum(bool(trigger._drifted(h.shifts)) for h in happened) <= allowed
        assert fired(DataDrift(), happened) == []


def test_drifted_inputs_do_alarm() -> None:
    """A feature that moves by a standard deviation, or lacks 30 % instead of 15 %, is found."""
    rng = np.random.default_rng(22)
    reference = features(rng, 1000)
    for change in ({"move": 1.0}, {"gone": 0.3}):
        calm = [features(rng, 500) for _ in range(3)]
        drifted = [features(rng, 500, **change) for _ in range(3)]
        assert fired(DataDrift(), windows_of(reference, [*calm, *drifted])) == [4]
