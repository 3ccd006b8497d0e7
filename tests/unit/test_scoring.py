"""What a model says of rows, and what is no answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from ratoon.core.errors import ModelUnusable
from ratoon.engine.evidence import recorded
from ratoon.engine.scoring import aligned, grown, known_classes, score
from ratoon.windows import Rows, Scored, Target
from ratoon.windows.intake import read_rows

ROWS: Rows = read_rows({"x": [0.0, 1.0, 2.0]})
NUMBER = Target(task="regression")
TWO = Target(task="binary", classes=("no", "yes"))
THREE = Target(task="multiclass", classes=("no", "yes", "maybe"))


class Says:
    """A model that gives what it was told to give."""

    def __init__(self, answer: Any = None, proba: Any = None, classes: Any = None) -> None:
        self._answer = answer
        if classes is not None:
            self.classes_ = classes
        if proba is not None:
            self.predict_proba = lambda _rows: proba

    def predict(self, _rows: Any) -> Any:
        return self._answer


@pytest.mark.parametrize(
    "answer", [[1, 2, 3], np.array([[1.0], [2.0], [3.0]]), np.float32([1, 2, 3]), (True, 2, 3.0)]
)
def test_numbers(answer: Any) -> None:
    """A regression's outputs are floats, one a row, from whatever form they come in."""
    said = score(Says(answer), ROWS, NUMBER)
    assert said.outputs.tolist() == [1.0, 2.0, 3.0]
    assert said.outputs.dtype == np.float64
    assert said.scores is None


def test_probabilities_by_class() -> None:
    """Scores stand in the order of the target's classes; a class the model lacks has 0."""
    proba = np.array([[0.1, 0.9], [0.8, 0.2], [0.5, 0.5]])
    said = score(Says(proba=proba, classes=["yes", "no"]), ROWS, THREE)
    assert said.scores is not None
    assert said.scores.tolist() == [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.5, 0.5, 0.0]]
    assert said.outputs.tolist() == [0.0, 1.0, 0.0]


def test_classes_without_probabilities() -> None:
    """A model without probabilities gives classes; 1.0 is the class 1."""
    said = score(Says(np.array(["yes", "no", "maybe"])), ROWS, THREE)
    assert (said.outputs.tolist(), said.scores) == ([1.0, 0.0, 2.0], None)
    counted = Target(task="binary", classes=(0, 1))
    assert score(Says([1.0, 0.0, 1.0]), ROWS, counted).outputs.tolist() == [1.0, 0.0, 1.0]


def _proba(*rows: list[float]) -> Says:
    return Says(proba=np.array(rows), classes=["no", "yes"])


BAD: dict[str, tuple[Any, Target, str]] = {
    "no model": ("model", NUMBER, "a str has no predict method: it is no model"),
    "unfitted": (LinearRegression(), NUMBER, "the model is not fitted"),
    "raises": (
        LinearRegression().fit([[1.0, 2.0]], [1.0]),
        NUMBER,
        "the model cannot predict: ValueError: X has 1 features",
    ),
    "NaN": (Says([1.0, np.nan, 2.0]), NUMBER, "an output that is NaN or infinite"),
    "infinity": (Says([1.0, np.inf, 2.0]), NUMBER, "an output that is NaN or infinite"),
    "texts": (Says(["a", "b", "c"]), NUMBER, "the model's outputs are no numbers"),
    "nothing": (Says(None), NUMBER, "an output that is NaN or infinite|gave 1 outputs"),
    "too few": (Says([1.0, 2.0]), NUMBER, "gave 2 outputs for 3 rows"),
    "two a row": (Says(np.zeros((3, 2))), NUMBER, "gave 6 outputs for 3 rows"),
    "too few classes": (Says(["no", "no"]), TWO, "gave 2 outputs for 3 rows"),
    "unknown class": (Says(["no", "yes", "so"]), TWO, "gave the class 'so', which no label has"),
    "no classes": (Says(proba=np.ones((3, 2)) / 2), TWO, "predict_proba but no classes_"),
    "shape": (_proba([0.5, 0.5]), TWO, r"predict_proba gave shape \(1, 2\) for 3 rows"),
    "NaN for a probability": (
        _proba([0.5, 0.5], [np.nan, 1], [0, 1]),
        TWO,
        "a probability that is NaN",
    ),
    "logits": (
        _proba([0.5, 0.5], [-3.0, 4.0], [0, 1]),
        TWO,
        "a probability that is not between 0 and 1: (-3|4)",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_no_answer(name: str) -> None:
    """A model that cannot answer as the task wants is refused, with what it gave."""
    model, target, told = BAD[name]
    with pytest.raises(ModelUnusable, match=told):
        score(model, ROWS, target)


def test_rounding_is_forgiven() -> None:
    """A probability of single precision may lie a little outside of 0 and 1."""
    said = score(_proba([1 + 1e-7, -1e-7], [0, 1], [1, 0]), ROWS, TWO)
    assert said.outputs.tolist() == [0.0, 1.0, 0.0]


def test_known_classes() -> None:
    """The classes of a model are plain Python values."""
    fitted = LogisticRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    assert known_classes(fitted) == (0, 1)
    assert [type(value) for value in known_classes(fitted)] == [int, int]
    several = Says(classes=[np.array(["a", "b"]), np.array(["c", "d"])])
    with pytest.raises(ModelUnusable, match="not those of one label"):
        known_classes(several)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (["no", "yes"], ("no", "yes")),
        (["yes", "so", "no"], ("no", "yes", "so")),
        (["yes"], ("no", "yes")),
    ],
)
def test_grown(classes: list[str], expected: tuple[str, ...]) -> None:
    """Classes that only the model knows come behind those of the labels."""
    assert grown(TWO, Says(classes=classes)).classes == expected


def test_grown_by_strangers() -> None:
    """A model all of whose classes are unknown was fitted on something else."""
    with pytest.raises(ModelUnusable, match=r"classes \[0, 1\] are none of the labels \['no', 'y"):
        grown(TWO, Says(classes=[0, 1]))
    assert grown(NUMBER, Says(classes=[0, 1])) is NUMBER


def test_aligned() -> None:
    """Scores get a column of zeros for each class that came later."""
    said = Scored(outputs=np.zeros(1), scores=np.array([[0.25, 0.75]]))
    wide = aligned(said, THREE).scores
    assert wide is not None
    assert wide.tolist() == [[0.25, 0.75, 0.0]]
    assert aligned(Scored(outputs=np.zeros(1)), THREE).scores is None


Columns = dict[str, Any]
MIXED: dict[str, tuple[Columns, Any]] = {
    "all have scores": (
        {"output": [0.0, 1.0], "score:0": [0.75, 0.25], "score:1": [0.25, 0.75]},
        [[0.75, 0.25, 0.0], [0.25, 0.75, 0.0]],
    ),
    "one knows fewer classes": (
        {
            "output": [0.0, 2.0],
            "score:0": [0.75, 0.0],
            "score:1": [0.25, 0.0],
            "score:2": [np.nan, 1],
        },
        [[0.75, 0.25, 0.0], [0.0, 0.0, 1.0]],
    ),
    "one has none": (
        {"output": [0.0, 1.0], "score:0": [0.75, np.nan], "score:1": [0.25, np.nan]},
        None,
    ),
    "none has": ({"output": [0.0, 1.0]}, None),
}


@pytest.mark.parametrize("name", MIXED)
def test_recorded(name: str) -> None:
    """A class that a row does not know has 0; a score that is missing is not made up."""
    columns, expected = MIXED[name]
    said = recorded({key: np.array(column) for key, column in columns.items()}, THREE)
    assert said is not None
    assert said.outputs.tolist() == columns["output"]
    assert (None if said.scores is None else said.scores.tolist()) == expected


def test_recorded_of_history() -> None:
    """Rows that were never predicted have no answer."""
    assert recorded({"feature:x": np.zeros(2)}, TWO) is None


def test_own_errors_name_the_cause() -> None:
    """What a model raised is told in one line, with its type."""

    class Raises:
        def predict(self, _rows: Any) -> Any:
            raise KeyError("city")

    with pytest.raises(ModelUnusable, match="the model cannot predict: KeyError: 'city'"):
        score(Raises(), ROWS, NUMBER)


def test_rows_are_given_as_a_frame() -> None:
    """A model is given what its loop's frame says."""
    given: list[Any] = []
    model: Callable[..., Any] = given.append

    class Sees:
        def predict(self, rows: Any) -> Any:
            model(rows)
            return np.zeros(len(rows))

    score(Sees(), ROWS, NUMBER)
    assert isinstance(given[0], np.ndarray)
    assert given[0].tolist() == [[0.0], [1.0], [2.0]]
