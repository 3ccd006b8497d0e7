"""Which column is what, and batches as the arguments of calls."""

from __future__ import annotations

import inspect
import io
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import ratoon as rt
from ratoon.core.errors import RowsRefused, SettingInvalid
from ratoon.sources import (
    ColumnsOf,
    FeedbackIn,
    LabelsIn,
    PredictionsIn,
    as_feedback,
    as_labels,
    as_predictions,
    read,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def table(**columns: list[Any]) -> pa.Table:
    """Return a table of two rows with ids, and other columns."""
    return pa.table({"id": ["p-1", "p-2"], **columns})


ANSWERED = {"age": [31, 40], "output": ["yes", "no"]}


def test_names_that_are_known() -> None:
    """Each role is known by any one of its names, and every other column is a feature."""
    for names in (
        ("id", "time", "output", "version"),
        ("prediction_id", "timestamp", "prediction", "model_version"),
        ("id", "event_time", "output", "version"),
    ):
        roles, features = ColumnsOf().predictions(["a", *names, "label", "observed_at", "b"])
        assert tuple(roles.values()) == names
        assert features == ("a", "b")


@pytest.mark.parametrize(
    ("names", "role"),
    [
        (["id", "prediction_id", "output"], "id"),
        (["id", "output", "prediction"], "output"),
        (["id", "output", "time", "event_time"], "time"),
        (["id", "output", "label", "y"], "label"),
    ],
)
def test_two_columns_of_one_role(names: list[str], role: str) -> None:
    """Where two columns may be meant, one must be named."""
    with pytest.raises(RowsRefused, match=f"may all be the {role}") as refused:
        ColumnsOf().predictions([*names, "x"])
    assert f"{role}=" in refused.value.hint
    named = ColumnsOf(**{role: names[-1]}) if role != "id" else ColumnsOf(id="id")
    assert ColumnsOf.predictions(named, [*names, "x"])


def test_names_win_over_what_is_known() -> None:
    """A column that was named is that; others of its known names are features then."""
    roles, features = ColumnsOf(output="guess", features=("y", "version")).predictions(
        ["id", "guess", "y", "version", "rest"]
    )
    assert roles == {"id": "id", "output": "guess"}
    assert features == ("y", "version")


@pytest.mark.parametrize(
    ("columns", "names", "message"),
    [
        (ColumnsOf(), ["x", "output"], "no column for the id among"),
        (ColumnsOf(), ["id", "x"], "no column for the output among"),
        (ColumnsOf(), ["id", "output", "label"], "no column is left for the features"),
        (ColumnsOf(time="when"), ["id", "output", "x"], "column 'when' is not there"),
        (ColumnsOf(scores=("p0",)), ["id", "output", "x"], "column 'p0' is not there"),
        (ColumnsOf(features=("z",)), ["id", "output", "x"], "column 'z' is not there"),
    ],
)
def test_columns_that_are_not_there(columns: ColumnsOf, names: list[str], message: str) -> None:
    """A column that is needed or named must be there."""
    with pytest.raises(RowsRefused, match=message):
        columns.predictions(names)


@pytest.mark.parametrize(
    "settings",
    [
        {"id": "a", "time": "a"},
        {"output": "a", "ignore": ("a",)},
        {"features": ("a", "a")},
        {"scores": ["a"]},
        {"features": "a"},
        {"id": 1},
    ],
)
def test_settings(settings: dict[str, Any]) -> None:
    """A column has one role; names are texts, and several of them a tuple."""
    with pytest.raises(SettingInvalid):
        ColumnsOf(**settings)


def test_predictions() -> None:
    """Features, outputs, ids, scores and times go where they belong."""
    batch = table(**ANSWERED, no=[0.2, 0.9], yes=[0.8, 0.1], time=[NOON, NOON], label=[1, None])
    [part] = as_predictions(batch, ColumnsOf(scores=("no", "yes")))
    assert part.rows.to_pydict() == {"age": [31, 40]}
    assert part.outputs.to_pylist() == ["yes", "no"]
    assert part.ids == ("p-1", "p-2")
    assert part.version is None
    np.testing.assert_array_equal(part.scores, [[0.2, 0.8], [0.9, 0.1]])
    np.testing.assert_array_equal(part.times, np.array(["2026-03-01T12"] * 2, "M8[us]"))


def test_predictions_of_several_versions() -> None:
    """Each version is a part of its own, in the order in which they come."""
    batch = pa.table(
        {"id": [1, 2, 3], "x": [1.0, 2.0, 3.0], "output": [0, 1, 0], "version": [7, 3, 7]}
    )
    parts = as_predictions(batch)
    assert [(part.version, part.ids) for part in parts] == [(7, ("1", "3")), (3, ("2",))]
    assert parts[0].rows.to_pydict() == {"x": [1.0, 3.0]}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": ["p-1", None]}, "column 'id': a value is missing"),
        ({"id": [1.5, 2.0]}, "column 'id': ids are texts or whole numbers, got 1.5"),
        ({"id": [True, False]}, "column 'id': ids are texts or whole numbers"),
        ({"time": ["now", "then"]}, "column 'time': times are moments"),
        ({"time": [1772366400, 1772366401]}, "column 'time': times are moments"),
        ({"time": [NOON, None]}, "column 'time': a value is missing"),
        ({"version": ["v1", "v2"]}, "column 'version': versions are whole numbers, got 'v1'"),
    ],
)
def test_predictions_that_are_refused(columns: dict[str, Any], message: str) -> None:
    """A value that is missing, or of another kind than it must be, is told by row and column."""
    batch = table(**{**ANSWERED, **columns})
    with pytest.raises(RowsRefused, match=r"^row [12], ") as refused:
        as_predictions(batch)
    assert message in refused.value.fact


def test_the_row_of_the_file_is_told() -> None:
    """A refusal names the source and the row in it, behind earlier batches too."""
    body = io.BytesIO(b"id,x,output\n1,1,1\n2,2,1\n3,3,0\n,4,0\n")
    batches = list(read(body, format="csv", batch_rows=2))
    as_predictions(batches[0])
    with pytest.raises(RowsRefused, match="the stream, row 4, column 'id': a value is missing"):
        as_predictions(batches[1])


def test_other_types_of_columns() -> None:
    """Arrow tables that `read` did not make may have narrower types."""
    batch = pa.table(
        {
            "id": pa.array(["a", "b"]).dictionary_encode(),
            "x": [1, 2],
            "output": pa.array([1, 0], pa.int8()),
            "time": pa.array([0, 1], pa.timestamp("s")),
        }
    )
    [part] = as_predictions(batch)
    assert part.ids == ("a", "b")
    assert str(part.times[1]) == "1970-01-01T00:00:01.000000"


def test_labels() -> None:
    """A row without a label is left out, with its time; the rest go where they belong."""
    batch = table(label=[None, "yes"], observed_at=[None, NOON], age=[1, 2], time=[NOON, NOON])
    [part] = as_labels(batch)
    assert (part.ids, part.labels.to_pylist(), part.source) == (("p-2",), ["yes"], None)
    assert part.times.tolist() == [datetime(2026, 3, 1, 12)]  # noqa: DTZ001 - numpy has no zones


def test_labels_of_several_sources() -> None:
    """Each source is a part of its own."""
    batch = pa.table({"id": [1, 2, 3], "y": [1, 0, 1], "source": ["a", "b", "a"]})
    found = [(part.source, part.ids, part.labels.to_pylist()) for part in as_labels(batch)]
    assert found == [("a", ("1", "3"), [1, 1]), ("b", ("2",), [0])]


def test_too_many_sources() -> None:
    """A column of sources that is something else is refused."""
    names = [str(i) for i in range(101)]
    with pytest.raises(RowsRefused, match="101 sources in a batch, at most 100"):
        as_labels(pa.table({"id": names, "label": names, "source": names}))


def test_no_labels_yet() -> None:
    """A batch without labels gives no part."""
    assert as_labels(table(label=pa.nulls(2))) == ()
    assert as_labels(table(label=pa.nulls(2), source=["a", "b"])) == ()


def test_whose_time_it_is() -> None:
    """Among labels alone a time is theirs; beside features it is theirs only if it is named."""
    alone = table(label=[1, 0], time=[NOON, NOON])
    assert as_labels(alone)[0].times is not None
    beside = alone.append_column("age", [[1, 2]])
    with pytest.raises(RowsRefused, match="column 'time' may say when the labels were observed"):
        as_labels(beside)
    assert as_labels(beside, ColumnsOf(time="time"))[0].times is not None
    assert as_labels(beside, ColumnsOf(ignore=("time",)))[0].times is None
    assert as_labels(beside, ColumnsOf(ignore=("age",)))[0].times is not None


def test_feedback() -> None:
    """Ratings and corrections are parts of their own where a row has one of them alone."""
    batch = pa.table(
        {
            "id": ["both", "rated", "corrected", "neither"],
            "rating": [-1.0, 1.0, None, None],
            "correction": ["no", None, "yes", None],
        }
    )
    found = [(part.ids, part.ratings, part.corrections) for part in as_feedback(batch)]
    assert found == [
        (("both",), [-1.0], ["no"]),
        (("rated",), [1.0], None),
        (("corrected",), None, ["yes"]),
    ]
    assert as_feedback(batch.drop_columns(["rating"]))[0].ratings is None
    with pytest.raises(RowsRefused, match="no column for the ratings or corrections"):
        as_feedback(batch.select(["id"]))


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        (PredictionsIn, rt.Loop.record),
        (LabelsIn, rt.Loop.label),
        (FeedbackIn, rt.Loop.feedback),
    ],
)
def test_arguments_are_those_of_the_calls(kind: Any, call: Any) -> None:
    """What `arguments()` gives is what the loop's call takes."""
    part = kind(**dict.fromkeys(kind.__dataclass_fields__))
    assert part.arguments().keys() <= inspect.signature(call).parameters.keys()
