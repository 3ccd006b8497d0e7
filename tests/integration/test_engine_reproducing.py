"""A training done again from its pin, where rows of it were erased since."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ratoon as rt
from ratoon.core.errors import SnapshotEmpty
from tests.integration.engine_loops import ids_of, labels_of, rows_of, small, train


class Told:
    """A classifier whose answer depends on the row alone, and on no row that it was fitted on."""

    classes_ = np.array(["no", "yes"])

    def predict(self, rows: Any) -> Any:
        return self.classes_[np.argmax(self.predict_proba(rows), axis=1)]

    def predict_proba(self, rows: Any) -> Any:
        yes = (1 + np.asarray(rows[:, 0], float)) / 2
        return np.column_stack([1 - yes, yes])


def told(data: rt.DatasetSnapshot) -> Any:
    """Make the same model of whatever rows."""
    assert len(data)
    return Told()


@pytest.fixture(params=["memory", "folder"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Return where a loop lives."""
    return {"home": tmp_path} if request.param == "folder" else {}


def trained(trainer: Callable[[rt.DatasetSnapshot], Any], where: dict[str, Any]) -> rt.Loop:
    """Return a loop whose newest run was trained on 80 predictions, p60 to p139."""
    loop = small(trainer, train_on=rt.windows.Last(rows=100, least=20), **where)
    loop.fit(rows(0, 60), labels_of(0, 60))
    loop.predict(rows(60, 160), ids=ids_of(60, 160))
    loop.label(ids_of(60, 160), labels_of(60, 160))
    loop.emit("now")
    return loop


def rows(start: int, stop: int) -> dict[str, Any]:
    """Return rows of two numbers."""
    found = rows_of(start, stop)
    return {"x": found["x"], "n": found["n"]}


def test_probe_rows_that_are_left_are_compared(where: dict[str, Any]) -> None:
    """What is left of the probe rows is compared row by row; it counts as another training."""
    with closing(trained(told, where)) as loop:
        run = loop.runs()[-1].id
        whole = loop.reproduce(run)
        assert (whole.rows, whole.erased, whole.probed, whole.same) == (80, 0, 20, True)
        loop.data.forget(["p60", "p67", "p100"])
        found = loop.reproduce(run)
    assert (found.rows, found.erased, found.probed) == (77, 3, 18)
    assert found.largest_difference == 0.0
    assert not found.same


def test_the_model_of_fewer_rows_differs(where: dict[str, Any]) -> None:
    """A trainer that learns of its rows comes to another model where some are gone."""
    with closing(trained(train, where)) as loop:
        loop.data.forget(ids_of(61, 64))
        found = loop.reproduce(loop.runs()[-1].id)
    assert (found.erased, found.probed) == (3, 17)
    assert found.largest_difference is not None
    assert 0 < found.largest_difference < 0.1


def test_all_probe_rows_erased(where: dict[str, Any]) -> None:
    """Where none of the probe rows is left, the answers cannot be compared."""
    with closing(trained(told, where)) as loop:
        loop.data.forget(ids_of(60, 80))
        found = loop.reproduce(loop.runs()[-1].id)
    assert (found.erased, found.probed, found.largest_difference) == (20, 0, None)
    assert not found.same


def test_all_rows_erased(where: dict[str, Any]) -> None:
    """Where no row is left there is nothing to train on."""
    with closing(trained(told, where)) as loop:
        loop.data.forget(ids_of(60, 140))
        with pytest.raises(SnapshotEmpty, match="rows 60 to 140 is left"):
            loop.reproduce(loop.runs()[-1].id)
