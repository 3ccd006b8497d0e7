"""A bad call gets an error that names the thing, the rule and the value, and leaves no trace."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

import ratoon as rt
from ratoon.core.errors import (
    BatchEmpty,
    IdConflict,
    IdRepeated,
    LengthMismatch,
    LoopStarted,
    MetricNeedsColumn,
    PredictionsUnknown,
    RatoonError,
    RowsRefused,
    SettingInvalid,
    ValueForbidden,
    VersionUnknown,
)
from ratoon.core.measuring import RowRange
from tests.integration.engine_loops import (
    HISTORY,
    labels_of,
    nothing_stored,
    rows_of,
    store_of,
    train,
)

Call = Callable[[rt.Loop], object]
BAD: dict[str, tuple[Call, type[RatoonError], str]] = {
    "predict: id twice": (
        lambda loop: loop.predict(rows_of(70, 72), ids=["a", "a"]),
        IdRepeated,
        "id 'a' stands more than once",
    ),
    "predict: too few ids": (
        lambda loop: loop.predict(rows_of(70, 72), ids=["a"]),
        LengthMismatch,
        "the batch has 2 rows but ids has 1",
    ),
    "predict: an id is missing": (
        lambda loop: loop.predict(rows_of(70, 72), ids=["a", None]),  # type: ignore[list-item]
        ValueForbidden,
        r"'id' must be a text or a whole number, got None in row 1",
    ),
    "predict: an id is a float": (
        lambda loop: loop.predict(rows_of(70, 71), ids=[1.0]),  # type: ignore[list-item]
        ValueForbidden,
        r"'id' must be a text or a whole number, got 1\.0 in row 0",
    ),
    "predict: known id, other content": (
        lambda loop: loop.predict(rows_of(70, 72), ids=["new", "p60"]),
        IdConflict,
        r"prediction 'p60' is known with another content \(x: \S+ before, \S+ now\)",
    ),
    "predict: naive time": (
        lambda loop: loop.predict(rows_of(70, 71), times=[datetime(2026, 1, 1)]),  # noqa: DTZ001
        ValueForbidden,
        "'time' must be aware",
    ),
    "predict: too few times": (
        lambda loop: loop.predict(rows_of(70, 72), times=[datetime(2026, 1, 1, tzinfo=UTC)]),
        LengthMismatch,
        "2.*times",
    ),
    "record: one id for all": (
        lambda loop: loop.record(rows_of(70, 71), ["yes"], ids="p70"),
        RowsRefused,
        "ids must be a list of texts",
    ),
    "record: without scores": (
        lambda loop: loop.record(rows_of(70, 71), ["yes"], ids=["a"]),
        MetricNeedsColumn,
        "metric 'log_loss' needs scores",
    ),
    "record: unknown class": (
        lambda loop: loop.record(rows_of(70, 71), ["maybe"], ids=["a"], scores=[[0.5, 0.5]]),
        ValueForbidden,
        r"'output' must be one of the classes \['no', 'yes'\], got 'maybe' in row 0",
    ),
    "record: no probability": (
        lambda loop: loop.record(rows_of(70, 71), ["yes"], ids=["a"], scores=[[1.5, -0.5]]),
        ValueForbidden,
        r"'scores' must be probabilities, between 0 and 1, got 1\.5 in row 0",
    ),
    "record: NaN for a score": (
        lambda loop: loop.record(rows_of(70, 71), ["yes"], ids=["a"], scores=[[0.5, math.nan]]),
        ValueForbidden,
        "'scores' must be probabilities",
    ),
    "record: too few scores": (
        lambda loop: loop.record(rows_of(70, 71), ["yes"], ids=["a"], scores=[[1.0]]),
        RowsRefused,
        r"scores must be of shape \(1, 2\).*got \(1, 1\)",
    ),
    "record: known id, other answer": (
        lambda loop: loop.record(rows_of(60, 61), [_other(loop)], ids=["p60"], scores=[[0.5, 0.5]]),
        IdConflict,
        "prediction 'p60' is known with another content",
    ),
    "label: id twice": (
        lambda loop: loop.label(["p66", "p66"], ["yes", "yes"]),
        IdRepeated,
        "id 'p66' stands more than once",
    ),
    "label: without ids": (
        lambda loop: loop.label(None, ["yes"]),  # type: ignore[arg-type]
        RowsRefused,
        "ids must be a list of texts",
    ),
    "label: a text for ids": (
        lambda loop: loop.label("p6", ["yes", "no"]),
        RowsRefused,
        "ids must be a list of texts, one a row, got 'p6'",
    ),
    "label: too many": (
        lambda loop: loop.label(["p66"], ["yes", "no"]),
        LengthMismatch,
        "the batch has 2 rows but ids has 1",
    ),
    "label: none": (lambda loop: loop.label([], []), BatchEmpty, "the batch of labels is empty"),
    "label: missing": (
        lambda loop: loop.label(["p66", "p67"], ["yes", None]),
        ValueForbidden,
        r"'label' must be a number, a text or a truth, got None in row 1",
    ),
    "label: NaN": (
        lambda loop: loop.label(["p66"], [math.nan]),
        ValueForbidden,
        "'label' must be finite, got nan in row 0",
    ),
    "label: another kind": (
        lambda loop: loop.label(["p66", "p67"], ["yes", 1]),
        ValueForbidden,
        r"'label' must be a text, as the classes \['no', 'yes'\], got 1 in row 1",
    ),
    "label: known id, other content": (
        lambda loop: loop.label(["p66", "p60"], ["yes", _other_label(loop)]),
        IdConflict,
        "label 'p60' is known with another content",
    ),
    "feedback: nothing said": (
        lambda loop: loop.feedback(["p61"]),
        RowsRefused,
        "feedback needs ratings or corrections",
    ),
    "feedback: none": (
        lambda loop: loop.feedback([], ratings=[]),
        BatchEmpty,
        "the batch of ids is empty",
    ),
    "feedback: unknown id": (
        lambda loop: loop.feedback(["p61", "who"], ratings=[1, 1]),
        PredictionsUnknown,
        "feedback on prediction 'who', which is unknown",
    ),
    "feedback: unknown ids": (
        lambda loop: loop.feedback(["why", "p61", "who"], ratings=[1, 1, 1]),
        PredictionsUnknown,
        r"prediction 'why', which is unknown \(1 more of the batch too\)",
    ),
    "feedback: id twice": (
        lambda loop: loop.feedback(["p61", "p61"], ratings=[1, 1]),
        IdRepeated,
        "id 'p61' stands more than once",
    ),
    "feedback: too few": (
        lambda loop: loop.feedback(["p61", "p62"], ratings=[1]),
        LengthMismatch,
        "ids has 2 rows but ratings has 1",
    ),
    "feedback: NaN": (
        lambda loop: loop.feedback(["p61"], ratings=[math.nan]),
        ValueForbidden,
        "'rating' must be a finite number, got nan in row 0",
    ),
    "feedback: text for a rating": (
        lambda loop: loop.feedback(["p61"], ratings=["bad"]),  # type: ignore[list-item]
        ValueForbidden,
        "'rating' must be a finite number, got 'bad' in row 0",
    ),
    "feedback: another kind": (
        lambda loop: loop.feedback(["p61"], corrections=[3]),
        ValueForbidden,
        "'correction' must be a text, as the classes",
    ),
    "feedback: known id, other content": (
        lambda loop: loop.feedback(["p60"], ratings=[1]),
        IdConflict,
        "feedback on 'p60' is known with another content",
    ),
    "emit: no type": (lambda loop: loop.emit(""), SettingInvalid, "event type must be a text"),
    "emit: no JSON": (
        lambda loop: loop.emit("a", {"x": object()}),
        SettingInvalid,
        "event data must be JSON",
    ),
    "emit: no mapping": (
        lambda loop: loop.emit("a", ["x"]),  # type: ignore[arg-type]
        SettingInvalid,
        r"event data must be a mapping of names to JSON values, got \['x'\]",
    ),
    "emit: Ratoon's own": (
        lambda loop: loop.emit("ratoon.version.promoted"),
        SettingInvalid,
        "event type must be none of those that Ratoon itself reports",
    ),
    "rollback: unknown version": (
        lambda loop: loop.rollback(7),
        VersionUnknown,
        r"loop 'small' has no version 7; kept are \[1\]",
    ),
    "rollback: no version": (
        lambda loop: loop.rollback("first"),  # type: ignore[arg-type]
        VersionUnknown,
        "no version 'first'",
    ),
    "rollback: none before": (lambda loop: loop.rollback(), VersionUnknown, "no version None"),
    "fit: a second time": (
        lambda loop: loop.fit(rows_of(0, HISTORY), labels_of(0, HISTORY)),
        LoopStarted,
        "loop 'small' has a champion already",
    ),
    "adopt: a second time": (
        lambda loop: loop.adopt(train(_snapshot()), rows_of(0, 60), labels_of(0, 60)),
        LoopStarted,
        "loop 'small' has a champion already",
    ),
}


def _other(loop: rt.Loop) -> str:
    answer = loop.predict(rows_of(60, 61), ids=["p60"]).outputs[0]
    return "no" if answer == "yes" else "yes"


def _other_label(loop: rt.Loop) -> str:
    known = store_of(loop).labelled(RowRange(start=HISTORY, stop=HISTORY + 1)).values[0]
    return "no" if known == "yes" else "yes"


class _Snapshot:
    X = np.sin(np.arange(60.0) * 1.7).reshape(-1, 1)
    y = np.array(labels_of(0, 60))


def _snapshot() -> Any:
    return _Snapshot()


@pytest.mark.parametrize("name", BAD)
def test_bad_calls(begun: rt.Loop, name: str) -> None:
    """A call with bad input raises an error that names it; what is stored is as before."""
    call, kind, told = BAD[name]
    with nothing_stored(begun), pytest.raises(kind, match=told):
        call(begun)
    assert begun.predict(rows_of(80, 82)).version == 1
