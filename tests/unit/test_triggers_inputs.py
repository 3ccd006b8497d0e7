"""The trigger on drift: features and predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ratoon.core import wire
from ratoon.core.errors import SettingInvalid
from ratoon.core.events import DATA_DRIFT, PREDICTION_DRIFT
from ratoon.drift import ColumnTest
from ratoon.monitors import DriftMonitor, Span
from ratoon.triggers import DataDrift
from ratoon.triggers.protocol import PredictionsClosed, Promoted, Refused, TimePassed
from ratoon.triggers.suspects import KEPT
from ratoon.windows.summaries import Reference
from ratoon.windows.summaries.stored import few_bins
from tests.unit.triggers_views import (
    HOUR,
    START,
    answers,
    fired,
    moved,
    restarted,
    view,
    window,
)

Columns = Mapping[str, Any]
FAR, NEAR, CHANCE = (0.5, 1e-9), (0.09, 1e-9), (0.5, 0.2)


def closed(i: int, reference: Reference, columns: Columns) -> PredictionsClosed:
    """The i-th window, compared as a policy compares it."""
    summary = reference.summarise(columns)
    return PredictionsClosed(
        of="inputs",
        window=window(i),
        reference=reference,
        summary=summary,
        changes=ColumnTest().compare(reference, summary, window(i)),
    )


def windows_of(before: Columns, later: Iterable[Columns]) -> list[PredictionsClosed]:
    reference = few_bins(before)
    return [closed(i, reference, columns) for i, columns in enumerate(later)]


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


def test_a_column_counts_by_itself() -> None:
    """Two columns that drift in turn are no lasting drift; another one is a cause of its own."""
    ones, others = {"a": FAR, "b": NEAR}, {"a": NEAR, "b": FAR}
    in_turn = [moved(i, (ones, others)[i % 2]) for i in range(6)]
    assert fired(DataDrift(), in_turn) == []
    both = {"a": FAR, "b": FAR}
    assert fired(DataDrift(), [moved(i, ones if i < 4 else both) for i in range(8)]) == [1, 5]


def test_a_promotion_arms_it_and_nothing_else_moves_it() -> None:
    """A new champion was trained on other data, so all is forgotten; time changes nothing."""
    trigger = DataDrift()
    state, _ = trigger.fires(trigger.init(), view(moved(0, {"age": FAR})))
    state, first = trigger.fires(state, view(moved(1, {"age": FAR})))
    assert first.causes
    for other in (TimePassed(), Refused(causes=()), moved(2, {"age": FAR}, of="outputs")):
        assert trigger.fires(state, view(other)) == (state, first.__class__())
    state, _ = trigger.fires(state, view(Promoted()))
    assert state == trigger.init()


def test_only_the_named_features_count() -> None:
    """A feature that is not named may move as it will, and costs no power."""
    happened = [moved(i, {"age": FAR, "size": (0.0, 0.9)}) for i in range(3)]
    assert fired(DataDrift(("age",)), happened) == [1]
    assert fired(DataDrift(("size",)), happened) == []
    assert fired(DataDrift(("other",)), happened) == []
    many = {f"x{i}": (0.3, 0.8) for i in range(50)} | {"age": (0.3, 0.0004)}
    assert fired(DataDrift(), [moved(i, many) for i in range(3)]) == []
    assert fired(DataDrift(("age",)), [moved(i, many) for i in range(3)]) == [1]


def test_the_limits_are_those_of_the_settings() -> None:
    """A larger effect, or another rate of false alarms, is asked of the same windows."""
    happened = [moved(i, {"age": (0.3, 1e-5)}) for i in range(3)]
    assert fired(DataDrift(effect=0.2), happened) == [1]
    assert fired(DataDrift(effect=0.4), happened) == []
    assert fired(DataDrift(false_alarms=1e-6), happened) == []


def test_it_says_which_columns_moved_and_since_when() -> None:
    """The strongest column is the subject; the evidence lists up to five, with their numbers."""
    shift = {f"x{i}": (0.3 + i / 100, 1e-6) for i in range(7)} | {"calm": (0.0, 1.0)}
    views = [view(moved(i, shift)) for i in (0, 1)]
    (cause,) = answers(DataDrift(), views)[-1].causes
    assert (cause.event_type, cause.subject) == (DATA_DRIFT, "x6")
    assert cause.since in (START, START + HOUR)
    assert cause.at == START + 9 * HOUR
    told = "jensen shannon 0.36, which matters from 0.1, and 6 more"
    assert cause.reason == f"x6 is not as in training: {told}"
    listed: Any = cause.evidence["columns"]
    assert [f["column"] for f in listed] == ["x6", "x5", "x4", "x3", "x2"]
    assert (cause.evidence["drifted"], cause.evidence["rows"]) == (7, 8)
    assert listed[0]["respect"] == "distribution"
    assert listed[0]["measurement"]["value"] == pytest.approx(0.36)
    assert (listed[0]["p_value"], listed[0]["matters_from"]) == (1e-6, 0.1)
    wire.dumps(cause)


def test_predictions_are_another_side() -> None:
    """`of="outputs"` looks at what was answered, says so, and does not look at the features."""
    trigger = DataDrift(of="outputs")
    shift = {"score of yes": FAR}
    assert fired(trigger, [moved(i, shift) for i in range(3)]) == []
    views = [view(moved(i, shift, of="outputs")) for i in range(2)]
    (cause,) = answers(trigger, views)[-1].causes
    assert (cause.event_type, cause.subject) == (PREDICTION_DRIFT, "score of yes")
    assert cause.reason.startswith("score of yes is not as on held-out rows: jensen shannon 0.5")
    assert (str(DataDrift()), str(DataDrift(("a", "b")))) == ("DataDrift()", "DataDrift(a, b)")
    assert str(DataDrift(("a",), of="outputs")) == "DataDrift(a, of=outputs)"


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
        ({"effect": 0.0}, "effect must be a finite number above 0, got 0.0"),
        ({"false_alarms": 1.0}, "false_alarms must be strictly between 0 and 1, got 1.0"),
        ({"missing": 0.0}, "missing must be strictly between 0 and 1, got 0.0"),
        ({"fresh": 1.0}, "fresh must be strictly between 0 and 1, got 1.0"),
        ({"windows": 0}, "windows must be .* of at least 1, got 0"),
        ({"of": "labels"}, "of must be one of inputs, outputs, got 'labels'"),
        ({"distance": "far"}, "distance must be one of .*, got 'far'"),
    ],
    ids=[str(i) for i in range(7)],
)
def test_settings_are_checked_when_they_are_made(settings: dict[str, Any], message: str) -> None:
    """A setting that breaks its rule is refused by its name, the rule and the value."""
    with pytest.raises(SettingInvalid, match=f"^{message}$"):
        DataDrift(**settings)


def features(rng: np.random.Generator, rows: int, **drift: float) -> dict[str, Any]:
    """Twenty features of every shape; one may lose values, move, grow or get a new category."""
    columns: dict[str, Any] = {f"normal{i}": rng.normal(size=rows) for i in range(6)}
    columns |= {f"skewed{i}": rng.lognormal(size=rows) for i in range(4)}
    columns |= {f"count{i}": rng.poisson(1.5, size=rows) for i in range(3)}
    columns |= {f"rare{i}": rng.random(rows) < 0.02 for i in range(2)}
    for i in range(3):
        drawn = np.minimum(rng.zipf(1.6, size=rows), 200)
        columns[f"text{i}"] = np.array([f"c{v}" for v in drawn], dtype=object)
    new = rng.random(rows) < drift.get("new", 0.0)
    columns["text0"] = np.where(new, "unheard of", columns["text0"])
    lost = rng.random(rows) < drift.get("gone", 0.15)
    columns["gaps"] = np.where(lost, np.nan, rng.normal(size=rows))
    columns["moves"] = rng.normal(drift.get("move", 0.0), 1.0, size=rows)
    return columns


def test_stationary_inputs_seldom_alarm() -> None:
    """Of 240 windows with 20 features each, no more drift than the stated rate allows."""
    rng = np.random.default_rng(21)
    rate = 0.02  # a rate that so few windows can tell; the default is a twentieth of it
    allowed = int(stats.binom.ppf(1 - 1e-4, 240, rate))
    happened = [
        [closed(i, reference, features(rng, rows)) for i in range(40)]
        for trained, rows in ((4000, 500), (1000, 200), (160, 100))
        for reference in (few_bins(features(rng, trained)), few_bins(features(rng, trained)))
    ]
    for effect in (None, 0.001):  # the second leaves it to significance alone
        trigger = DataDrift(windows=1, false_alarms=rate, effect=effect, missing=0.001, fresh=0.001)
        alarms = sum(len(fired(trigger, windows)) for windows in happened)
        assert alarms <= allowed
    assert [fired(DataDrift(), windows) for windows in happened] == [[]] * 6


@pytest.mark.parametrize(
    ("drift", "column", "respect"),
    [
        ({"move": 1.0}, "moves", "distribution"),
        ({"gone": 0.3}, "gaps", "missing"),
        ({"new": 0.1}, "text0", "new categories"),
        ({"move": 5.0}, "moves", "range"),
    ],
    ids=["move", "missing", "new", "range"],
)
def test_drifted_inputs_do_alarm(drift: dict[str, float], column: str, respect: str) -> None:
    """A move, missing values from 15 to 30 %, new categories and a new range, each since when."""
    rng = np.random.default_rng(22)
    calm = [features(rng, 500) for _ in range(3)]
    drifted = [features(rng, 500, **drift) for _ in range(3)]
    happened = windows_of(features(rng, 2000), [*calm, *drifted])
    assert fired(DataDrift(), happened) == [4]
    (cause,) = answers(DataDrift(), [view(h) for h in happened])[4].causes
    found: Any = cause.evidence["columns"]
    assert {"column": column, "respect": respect}.items() <= {
        key: value for one in found if one["respect"] == respect for key, value in one.items()
    }.items()
    assert (cause.subject, cause.since) == (column, START + 3 * HOUR)
    assert {one["since"] for one in found} == {(START + 3 * HOUR).isoformat()}


def test_a_change_within_a_window_is_dated_as_the_monitor_dates_it() -> None:
    """Columns, respects, strengths and change points are those of `DriftMonitor` on the same."""
    rng = np.random.default_rng(23)
    for share in (0.0, 0.3, 0.6, 0.9):
        mixed = [features(rng, 500), features(rng, 500, move=1.0, gone=0.4)]
        cut = int(share * 500)
        turning = {n: np.concatenate([mixed[1][n][:cut], mixed[0][n][cut:]]) for n in mixed[0]}
        calm = [features(rng, 500) for _ in range(4)]
        later = [features(rng, 500, move=1.0, gone=0.4) for _ in range(2)]
        happened = windows_of(features(rng, 3000), [*calm, turning, *later])
        spans = [Span(window=h.window, summary=h.summary) for h in happened]
        said = answers(DataDrift(), [view(h) for h in happened])
        last = next(i for i, answer in enumerate(said) if answer.causes)
        (cause,) = said[last].causes
        told = DriftMonitor().run(happened[0].reference, spans[: last + 1])
        lasting: Any = cause.evidence["columns"]
        expected = {
            (d.newest.column, d.newest.aspect): (d.newest.effect, d.since.isoformat())
            for d in told.columns
            if d.now and d.since is not None and d.windows > 1
        }
        assert {(f["column"], f["respect"]): (f["effect"], f["since"]) for f in lasting} == expected


def test_the_state_stays_small_and_is_json() -> None:
    """Of calm columns nothing is kept, of others the last eight windows; all of it comes back."""
    rng = np.random.default_rng(24)
    trigger = DataDrift(windows=100)
    happened = windows_of(features(rng, 2000), [features(rng, 500, move=1.0) for _ in range(12)])
    state = trigger.init()
    for one in happened:
        state, answer = trigger.fires(restarted(trigger, state), view(one))
        assert not answer.sparks
    (moves,) = [s for s in state.suspects if s.column == "moves" and s.aspect == "distribution"]
    assert (len(moves.windows), moves.lasting) == (KEPT, 12)
    assert len(wire.dumps(state)) < 10_000
    calm, _ = trigger.fires(state, view(closed(13, happened[0].reference, features(rng, 500))))
    assert not [s for s in calm.suspects if s.column == "moves"]
    told, _ = replace(trigger, windows=2).fires(state, view(happened[-1]))
    assert [s.windows for s in told.suspects if s.told] == [()] * sum(s.told for s in told.suspects)
    assert any(s.told for s in told.suspects)
