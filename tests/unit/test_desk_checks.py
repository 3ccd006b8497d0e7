"""What comes to the desk is checked before anything of it is stored."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

import ratoon as rt
from ratoon.core.errors import (
    BatchEmpty,
    IdRepeated,
    LengthMismatch,
    MetricNeedsColumn,
    RowsRefused,
    SettingInvalid,
    ValueForbidden,
)
from ratoon.core.events import EVENT_TYPES, REQUESTED, ROLLBACK_REQUESTED, Event
from ratoon.engine.checking import (
    check_judges,
    check_settings,
    checked_event,
    checked_ids,
    checked_kinds,
    checked_ratings,
)
from ratoon.stores import MemoryStore, MemoryVault
from ratoon.windows import Judged, Scored, Target
from ratoon.windows.intake import read_rows

TWO = Target(task="binary", classes=("no", "yes"))
COUNTED = Target(task="binary", classes=(0, 1))
NUMBER = Target(task="regression")
ROWS = read_rows({"x": [1.0, 2.0], "city": ["Porto", "Faro"]})


def test_ids_become_texts() -> None:
    """Whole numbers, numpy's too, and unique ids of other kinds are taken as their texts."""
    key = uuid.UUID(int=5)
    given = [1, np.int64(2), "3", key]
    assert checked_ids(given, 4) == ("1", "2", "3", str(key))
    assert checked_ids(np.array([7, 8]), 2) == ("7", "8")


@pytest.mark.parametrize(
    ("ids", "rows", "kind", "told"),
    [
        (None, 1, RowsRefused, "got None"),
        ("abc", 3, RowsRefused, "got 'abc'"),
        (b"abc", 3, RowsRefused, "got b'abc'"),
        ([], 0, BatchEmpty, "the batch of ids is empty"),
        (["a"], 2, LengthMismatch, "2 rows but ids has 1"),
        (["a", ""], 2, ValueForbidden, "got '' in row 1"),
        (["a", None], 2, ValueForbidden, "got None in row 1"),
        ([float("nan")], 1, ValueForbidden, "got nan in row 0"),
        ([True], 1, ValueForbidden, "got True in row 0"),
        ([b"a"], 1, ValueForbidden, "got b'a' in row 0"),
        (["\ud800"], 1, ValueForbidden, "text that UTF-8 can hold"),
        (["a", "b", "a"], 3, IdRepeated, "id 'a' stands more than once"),
        ([1, "1"], 2, IdRepeated, "id '1' stands more than once"),
    ],
)
def test_bad_ids(ids: Any, rows: int, kind: type[Exception], told: str) -> None:
    """An id that is missing, repeated or of no use as a key is named with its row."""
    with pytest.raises(kind, match=told):
        checked_ids(ids, rows)


@pytest.mark.parametrize(
    ("values", "target", "task"),
    [
        (("yes", "so"), TWO, None),
        ((True, 0, 1.0, 2), COUNTED, None),
        ((0.5, 1e9), NUMBER, "regression"),
        (("yes", "no"), TWO, "binary"),
        (("b",), Target(task="binary", classes=("a",)), "binary"),
        (("a", 1), Target(task="binary"), None),
    ],
)
def test_kinds_that_fit(values: Any, target: Target, task: Any) -> None:
    """Labels of the classes' kind are taken, new classes too where two were not said."""
    checked_kinds(values, target, task)


@pytest.mark.parametrize(
    ("values", "target", "task", "told"),
    [
        (("yes", 1), TWO, None, "'label' must be a text, as the classes .*got 1 in row 1"),
        ((1, "1"), COUNTED, None, "must be a number or a truth, as .*got '1' in row 1"),
        (("yes", "so"), TWO, "binary", r"one of \['no', 'yes'\] \(the task is binary\), got 'so'"),
    ],
)
def test_kinds_that_do_not(values: Any, target: Target, task: Any, told: str) -> None:
    """A label of another kind than the classes is named with its row."""
    with pytest.raises(ValueForbidden, match=told):
        checked_kinds(values, target, task)


def test_ratings() -> None:
    """Ratings are finite numbers, from whatever holds them."""
    assert checked_ratings([1, np.float32(-0.5), True, "2"]) == [1.0, -0.5, 1.0, 2.0]
    for bad in (None, "bad", float("nan"), float("inf"), [1]):
        with pytest.raises(ValueForbidden, match=r"'rating' must be a finite number.*in row 1"):
            checked_ratings([1, bad])


def _event(**changes: Any) -> Event:
    usual: dict[str, Any] = {"id": "e", "source": "shop", "type": "pricing.changed"}
    return Event(**{**usual, "time": datetime(2026, 1, 1, tzinfo=UTC), **changes})


def test_events() -> None:
    """An event from outside is JSON, and no fact that only Ratoon can know."""
    assert checked_event(_event(data={"a": [1, None]}))["data"] == {"a": [1, None]}
    for known in EVENT_TYPES:
        if known in (REQUESTED, ROLLBACK_REQUESTED):
            checked_event(_event(type=known))
            continue
        with pytest.raises(SettingInvalid, match=f"event type must be none.*{known}"):
            checked_event(_event(type=known))
    for name in ("type", "source", "id", "subject"):
        with pytest.raises(SettingInvalid, match=f"event {name} must be a text, got 7"):
            checked_event(_event(**{name: 7}))
    with pytest.raises(SettingInvalid, match=r"event data must be JSON \(set has no JSON form\)"):
        checked_event(_event(data={"a": {1}}))


def policy(**settings: Any) -> Any:
    """Return the policy of a loop with these settings."""
    loop = rt.Loop("a", trainer=len, store=MemoryStore(), vault=MemoryVault(), **settings)
    return loop.policy(settings.pop("target", TWO))


@pytest.mark.parametrize("target", [TWO, NUMBER, Target(task="multiclass", classes=(1, 2, 3))])
def test_usual_settings_fit_every_task(target: Target) -> None:
    """The defaults judge every task."""
    loop = rt.Loop("a", trainer=len, store=MemoryStore(), vault=MemoryVault())
    check_settings(loop.policy(target), target, ROWS)


@pytest.mark.parametrize(
    "settings",
    [
        {"metrics": [rt.metrics.MAE()]},
        {"metrics": [rt.metrics.Accuracy(), rt.metrics.MAE()]},
        {"accept_if": rt.gates.Better("mae")},
        {"rollout": rt.rollouts.Direct("mae")},
    ],
)
def test_settings_for_another_task(settings: dict[str, Any]) -> None:
    """A metric of another task is refused wherever it stands, before there is a model."""
    with pytest.raises(SettingInvalid, match="the task of metric 'mae'"):
        check_settings(policy(**settings), TWO, ROWS)


def test_judges_without_scores() -> None:
    """Answers without scores are refused where anything needs them, and only there."""
    said = Scored(outputs=np.zeros(2))
    judged = Judged(target=TWO, labels=np.zeros(2), scored=said)
    with pytest.raises(MetricNeedsColumn, match="metric 'log_loss' needs scores"):
        check_judges(policy(), judged)
    accuracy = [rt.metrics.Accuracy()]
    check_judges(policy(metrics=accuracy), judged)
    for settings in (
        {"accept_if": rt.gates.Better("brier")},
        {"rollout": rt.rollouts.Direct("brier")},
    ):
        with pytest.raises(MetricNeedsColumn, match="metric 'brier' needs scores"):
            check_judges(policy(metrics=accuracy, **settings), judged)
    unwatched = rt.rollouts.Direct("brier", watch=0)
    check_judges(policy(metrics=accuracy, rollout=unwatched), judged)


def test_a_metric_of_ones_own_may_need_more_rows() -> None:
    """A metric that fails on the few rows that it is tried on is not refused for that."""

    def needy(labels: Any, outputs: Any, scores: Any) -> float:
        del outputs, scores
        raise ValueError(f"{len(labels)} rows are too few")

    own = rt.metrics.Custom(name="own", function=needy, greater_is_better=False)
    check_settings(policy(metrics=[own, rt.metrics.Brier()]), TWO, ROWS)
