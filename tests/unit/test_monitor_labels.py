"""Labels that come in a table of their own, joined to a log by id."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import ratoon as rt
from ratoon.cli import app
from ratoon.core.errors import BatchEmpty, RowsRefused

ROWS = 2000


@pytest.fixture
def whole() -> dict[str, Any]:
    """Return a log with ids and labels, the second half of which is answered worse."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=2 * ROWS)
    score = 1 / (1 + np.exp(-2 * x))
    turned = np.where(np.arange(2 * ROWS) < ROWS, score, 1 - score)
    return {
        "id": np.array([f"p{i}" for i in range(2 * ROWS)], dtype=object),
        "x": x,
        "z": rng.normal(size=2 * ROWS),
        "score": score,
        "label": (rng.random(2 * ROWS) < turned).astype(int),
    }


def apart(whole: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the log without its labels, and the labels in another order."""
    order = np.random.default_rng(1).permutation(len(whole["x"]))
    log = {name: column for name, column in whole.items() if name != "label"}
    return log, {"id": whole["id"][order], "label": whole["label"][order]}


def values(found: rt.Monitoring) -> list[float | None]:
    """Return the first metric, window by window."""
    return [w.measurements[0].value if w.measurements else None for w in found.windows]


def test_the_same_as_labels_in_the_log(whole: dict[str, Any]) -> None:
    """Joined labels give the metrics of a log that has them; the notes say how many were."""
    log, labels = apart(whole)
    for batches in (log, iter([pd.DataFrame(log)[:700], pd.DataFrame(log)[700:]])):
        found = rt.monitor(batches, window=500, labels=labels, joint=None)
        assert values(found) == values(rt.monitor(whole, window=500, joint=None))
        assert found.metrics[0].worse
        assert "Labels were joined by id: 4,000 of 4,000 have a row." in found.notes


def test_some_labels_lack(whole: dict[str, Any]) -> None:
    """Rows without a label wait for it, and labels of unknown ids are told of."""
    log, labels = apart(whole)
    late = np.isin(labels["id"], whole["id"][3000:])
    some = {name: column[~late] for name, column in labels.items()}
    some["id"] = np.append(some["id"], ["q1", "q2"])
    some["label"] = np.append(some["label"], [0, 1])
    found = rt.monitor(log, window=500, labels=some, joint=None)
    assert [w.labelled for w in found.windows] == [500] * 4 + [200, 0, 0]
    assert any(note.startswith("2 labels are of an id that no row has") for note in found.notes)


def test_the_last_label_counts(whole: dict[str, Any]) -> None:
    """A label that is corrected later in the table replaces the one before."""
    log, labels = apart(whole)
    wrong = {"id": labels["id"][:50], "label": 1 - labels["label"][:50]}
    twice = {name: np.concatenate([wrong[name], labels[name]]) for name in labels}
    found = rt.monitor(log, window=500, labels=twice, joint=None)
    assert values(found) == values(rt.monitor(whole, window=500, joint=None))


def test_a_label_of_the_log_is_kept(whole: dict[str, Any]) -> None:
    """Labels are joined where the log has none, and to the reference too."""
    log, labels = apart(whole)
    own = whole["label"].astype(float)
    own[::2] = np.nan
    reference = {name: column[:1000] for name, column in log.items()}
    rest = {name: column[1000:] for name, column in (log | {"label": own}).items()}
    found = rt.monitor(rest, reference, window=500, labels=labels, joint=None)
    expected = {name: column[1000:] for name, column in whole.items()}
    known = {name: column[:1000] for name, column in whole.items()}
    assert values(found) == values(rt.monitor(expected, known, window=500, joint=None))
    assert found.metrics[0].before is not None


def test_names_and_kinds(whole: dict[str, Any]) -> None:
    """Ids may be numbers on one side and texts on the other, and columns be named by hand."""
    log, labels = apart(whole)
    log["request"] = np.array([int(text[1:]) for text in log.pop("id")])
    labels = {"request": [text[1:] for text in labels["id"]], "paid": labels["label"]}
    found = rt.monitor(log, window=500, labels=labels, id="request", joint=None)
    assert values(found) == values(rt.monitor(whole, window=500, joint=None))
    assert found.roles == {"x": "input", "z": "input", "score": "score", "paid": "label"}


def test_what_cannot_be_joined(whole: dict[str, Any]) -> None:
    """It is said which column lacks, and how to name it."""
    log, labels = apart(whole)
    without = {name: column for name, column in log.items() if name != "id"}
    with pytest.raises(RowsRefused, match="the log has no column of ids"):
        rt.monitor(without, labels=labels)
    with pytest.raises(RowsRefused, match="the table of labels has no column of ids"):
        rt.monitor(log, labels={"key": labels["id"], "label": labels["label"]})
    with pytest.raises(RowsRefused, match="several columns that may be the label"):
        rt.monitor(log, labels={"id": labels["id"], "a": labels["label"], "b": labels["label"]})
    with pytest.raises(BatchEmpty, match="labels"):
        rt.monitor(log, labels=pd.DataFrame({"id": [], "label": []}))


def test_by_command(whole: dict[str, Any], tmp_path: Path) -> None:
    """`--labels` takes a file of another kind than the log."""
    log, labels = apart(whole)
    pd.DataFrame(log).to_parquet(tmp_path / "log.parquet")
    pd.DataFrame(labels).to_csv(tmp_path / "labels.csv", index=False)
    words = ["monitor", str(tmp_path / "log.parquet"), "--window", "500", "--json"]
    done = CliRunner().invoke(app(), [*words, "--labels", str(tmp_path / "labels.csv")])
    assert done.exit_code == 0
    said = json.loads(done.stdout)
    assert said["metrics"][0]["worse"] is True
    assert [window["labelled"] for window in said["windows"]] == [500] * 6 + [200]
