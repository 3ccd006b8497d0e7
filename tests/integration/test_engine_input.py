"""Bad input gets an error that names the thing, the rule and the value, and leaves no trace."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ratoon as rt
from ratoon.core.errors import (
    BatchEmpty,
    ColumnKindMismatch,
    ColumnsMismatch,
    LengthMismatch,
    LoopNotStarted,
    RatoonError,
    RowsRefused,
    SettingInvalid,
    ValueForbidden,
)
from ratoon.core.measuring import RowRange
from tests.integration.engine_loops import (
    HISTORY,
    fitted,
    ids_of,
    labels_of,
    nothing_stored,
    numbers_of,
    on_record,
    rows_of,
    small,
    store_of,
)

Call = Callable[[rt.Loop], object]


def changed(**columns: Any) -> dict[str, Any]:
    """Return two rows with some columns changed; None takes a column away."""
    rows = {**rows_of(70, 72), **columns}
    return {name: column for name, column in rows.items() if column is not None}


ROWS: dict[str, tuple[object, type[RatoonError], str]] = {
    "missing column": (changed(city=None), ColumnsMismatch, r"missing columns \['city'\]"),
    "extra column": (changed(age=[1, 2]), ColumnsMismatch, r"extra columns \['age'\]"),
    "another name": (
        changed(city=None, town=["Porto", "Faro"]),
        ColumnsMismatch,
        r"missing columns \['city'\]; extra columns \['town'\]",
    ),
    "NaN": (changed(x=[0.5, math.nan]), ValueForbidden, r"'x' must be present.*None in row 1"),
    "None": (changed(x=[None, 0.5]), ValueForbidden, r"'x' must be present.*None in row 0"),
    "missing text": (changed(city=["Faro", None]), ValueForbidden, r"'city' must be present"),
    "infinity": (changed(x=[0.5, -math.inf]), ValueForbidden, r"'x' must be finite.*-inf in row 1"),
    "infinity in a gap": (changed(gap=[math.inf, 1.0]), ValueForbidden, r"'gap' must be finite"),
    "half a number": (changed(n=[1.0, 2.5]), ValueForbidden, r"'n' must be a whole.*2\.5 in row 1"),
    "text for a number": (changed(x=["a", "b"]), ColumnKindMismatch, r"'x' must hold number"),
    "number for a text": (changed(city=[1, 2]), ColumnKindMismatch, r"'city' must hold category"),
    "number for a truth": (changed(known=[0, 1]), ColumnKindMismatch, r"'known' must hold boolean"),
    "time for a number": (
        changed(x=pd.to_datetime(["2026-01-01", "2026-01-02"])),
        ColumnKindMismatch,
        r"'x' must hold number",
    ),
    "lengths": (changed(x=[0.5]), LengthMismatch, "1"),
    "no rows": ({name: [] for name in rows_of(0, 1)}, BatchEmpty, "empty"),
    "no columns": ({}, BatchEmpty, "empty"),
    "no list": ([], BatchEmpty, "empty"),
    "a vector": (np.zeros(5), RowsRefused, "two dimensions"),
    "a text": ("rows.csv", RowsRefused, "rows must be a frame"),
    "nothing": (None, RowsRefused, "rows must be a frame"),
    "other records": ([{**dict.fromkeys(rows_of(0, 1), 1)}, {}], ColumnsMismatch, "missing"),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_to_predict(begun: rt.Loop, name: str) -> None:
    """Rows that the model was not made for are refused by `predict` and by `record`."""
    rows, kind, told = ROWS[name]
    with nothing_stored(begun), pytest.raises(kind, match=told):
        begun.predict(rows, ids=["new", "newer"])
    with nothing_stored(begun), pytest.raises(kind, match=told):
        begun.record(rows, ["yes", "no"], ids=["new", "newer"], scores=[[0.5, 0.5]] * 2)


NO_ROWS_AT_ALL = (
    "infinity",
    "infinity in a gap",
    "lengths",
    "no rows",
    "no columns",
    "no list",
    "a vector",
    "a text",
    "nothing",
    "other records",
)


@pytest.mark.parametrize("name", NO_ROWS_AT_ALL)
def test_rows_to_fit_on(name: str) -> None:
    """Rows to begin with are refused where no schema could make sense of them."""
    rows, kind, told = ROWS[name]
    loop = small()
    with pytest.raises(kind, match=told):
        loop.fit(rows, ["yes", "no"])
    assert store_of(loop).counts().entries == 0
    assert store_of(loop).saved().state is None


NOT_YET: dict[str, Call] = {
    "predict": lambda loop: loop.predict(rows_of(0, 1)),
    "record": lambda loop: loop.record(rows_of(0, 1), ["yes"], ids=["a"]),
    "label": lambda loop: loop.label(["a"], ["yes"]),
    "feedback": lambda loop: loop.feedback(["a"], ratings=[1]),
    "emit": lambda loop: loop.emit("now"),
    "retrain": lambda loop: loop.retrain(),
    "rollback": lambda loop: loop.rollback(),
}


@pytest.mark.parametrize("name", NOT_YET)
def test_before_the_fit(name: str) -> None:
    """A loop without a champion says how to get one."""
    loop = small()
    with pytest.raises(LoopNotStarted, match=r"'small' has no champion yet\s+hint: call loop.fit"):
        NOT_YET[name](loop)
    assert store_of(loop).counts().entries == 0


FITS: dict[str, tuple[dict[str, Any], object, type[RatoonError], str]] = {
    "too few labels": ({}, labels_of(0, 59), LengthMismatch, "the batch has 60 rows but labels"),
    "missing label": ({}, [*labels_of(0, 59), None], ValueForbidden, "got None in row 59"),
    "NaN": ({}, [math.nan] * 60, ValueForbidden, "'label' must be finite, got nan in row 0"),
    "infinity": ({}, [0.5] * 59 + [math.inf], ValueForbidden, "finite, got inf in row 59"),
    "mixed kinds": ({}, [*labels_of(0, 59), 1], ValueForbidden, r"as the classes.*in row \d+"),
    "texts as numbers": (
        {"task": "regression"},
        labels_of(0, 60),
        ValueForbidden,
        r"'label' must be a number \(the task is regression\), got '(yes|no)' in row 0",
    ),
    "halves as classes": (
        {"task": "binary"},
        [0.5] * 60,
        ValueForbidden,
        r"'label' must be a class \(the task is binary\), got 0\.5 in row 0",
    ),
    "three of two": (
        {"task": "binary"},
        ["a", "b", "c"] * 20,
        ValueForbidden,
        r"'label' must be one of \['a', 'b'\] \(the task is binary\), got 'c' in row 2",
    ),
    "a metric of another task": (
        {"metrics": [rt.metrics.MAE()]},
        labels_of(0, 60),
        SettingInvalid,
        "the task of metric 'mae' must be one of regression, got 'binary'",
    ),
    "a gate without a metric": (
        {"metrics": [rt.metrics.R2()], "accept_if": rt.gates.Better("accuracy")},
        np.linspace(0, 1, 60),
        SettingInvalid,
        "the task of metric 'accuracy' must be one of binary, multiclass, got 'regression'",
    ),
}


@pytest.mark.parametrize("name", FITS)
def test_fit(name: str) -> None:
    """A fit that can come to nothing is refused before anything of it is stored."""
    settings, labels, kind, told = FITS[name]
    loop = small(**settings)
    with pytest.raises(kind, match=told):
        loop.fit(rows_of(0, 60), labels)
    assert store_of(loop).counts().entries == 0
    assert store_of(loop).saved().state is None


def test_another_dtype_of_the_same_kind(begun: rt.Loop) -> None:
    """Whole floats go for integers, integers for numbers; columns may come in any order."""
    rows = {name: rows_of(70, 72)[name] for name in ("gap", "city", "n", "x", "known")}
    rows |= {"n": [1.0, 2.0], "gap": [1, 2]}
    assert len(begun.predict(rows)) == 2


def test_unknown_prediction_id(begun: rt.Loop) -> None:
    """A label without a prediction is parked and counted, and joins it when it comes."""
    receipt = begun.label(["later", "p65"], ["yes", "no"])
    assert (receipt.stored, receipt.parked) == (2, 1)
    counts = begun.status().counts
    assert (counts.parked, counts.labelled) == (1, HISTORY + 6)
    begun.predict(rows_of(70, 72), ids=["other", "later"])
    counts = begun.status().counts
    assert (counts.parked, counts.labelled) == (0, HISTORY + 7)
    last = store_of(begun).labelled(RowRange(start=HISTORY + 6, stop=HISTORY + 7))
    assert (last.ids, last.values) == (("later",), ("yes",))
    assert last.columns["feature:n"].tolist() == [71 % 5]


def test_the_same_again(begun: rt.Loop) -> None:
    """Predictions, labels, feedback and events sent again are accepted, and stored once."""
    begun.emit("pricing.changed", id="e1")
    first = begun.predict(rows_of(60, 70), ids=ids_of(60, 70))
    before = on_record(begun)
    again = begun.predict(rows_of(60, 70), ids=ids_of(60, 70))
    assert again.outputs.tolist() == first.outputs.tolist()
    assert again.scores is not None
    assert first.scores is not None
    assert again.scores.tolist() == first.scores.tolist()
    assert begun.label(ids_of(60, 65), labels_of(60, 65)).repeated == 5
    assert begun.feedback(["p60"], ratings=[-1]).repeated == 1
    assert begun.emit("pricing.changed", id="e1").repeated == 1
    assert on_record(begun) == before


def test_the_same_again_under_another_champion(begun: rt.Loop) -> None:
    """A prediction sent again after a promotion is answered as it was, by whom it was."""
    first = begun.predict(rows_of(60, 70), ids=ids_of(60, 70))
    rows, half = rows_of(70, 72), [[0.5, 0.5]] * 2
    begun.record(rows, ["yes", "no"], ids=["q1", "q2"], scores=half)
    other = begun.settings(accept_if=rt.gates.Untested())
    begun.close()
    other.emit("now")
    again = other.predict(rows_of(60, 70), ids=ids_of(60, 70))
    assert (again.version, again.outputs.tolist()) == (1, first.outputs.tolist())
    assert other.record(rows, ["yes", "no"], ids=["q1", "q2"], scores=half).repeated == 2
    assert other.predict(rows_of(69, 74), ids=["p69", "a", "b", "c", "d"]).version == 2
    other.close()


def test_a_rollback_that_nobody_can_do(begun: rt.Loop) -> None:
    """A wish for an unknown version that came as an event is held, and the loop goes on."""
    for to in (99, "first", None, 1.5):
        begun.emit("ratoon.rollback.requested", {"to": to})
    assert [type(decision).__name__ for decision in begun.decisions()] == ["Retrain", *["Hold"] * 4]
    assert begun.predict(rows_of(80, 82)).version == 1


def test_a_third_class_where_two_were_said() -> None:
    """A loop that was said to be binary refuses a third class; one that was not said grows."""
    said, told = fitted(task="binary"), fitted()
    for loop in (said, told):
        loop.predict(rows_of(60, 62), ids=["a", "b"])
    with nothing_stored(said), pytest.raises(ValueForbidden, match=r"one of .*the task is binary"):
        said.label(["a", "b"], ["yes", "maybe"])
    told.label(["a", "b"], ["yes", "maybe"])
    assert told.predict(rows_of(62, 63)).classes == ("no", "yes", "maybe")


def test_a_fit_after_one_that_failed() -> None:
    """Rows of a failed fit are kept: what comes then must look alike, and is taken beside them."""
    loop = small()
    with pytest.raises(rt.errors.DataUnfit, match="10 more labelled rows are needed"):
        loop.fit(numbers_of(0, 10), labels_of(0, 10))
    before = on_record(loop)
    with pytest.raises(ColumnsMismatch, match="missing columns"):
        loop.fit(rows_of(0, 60), labels_of(0, 60))
    with pytest.raises(ValueForbidden, match="as the classes"):
        loop.fit(numbers_of(0, 60), list(range(60)))
    assert on_record(loop) == before
    assert loop.fit(numbers_of(10, 60), labels_of(10, 60)).number == 1
    assert loop.status().counts.labelled == 60
