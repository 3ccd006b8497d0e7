"""A log against a reference, without a loop: what is found, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.metrics import log_loss, roc_auc_score

import ratoon as rt
from ratoon.core.errors import BatchEmpty, RowsRefused, SettingInvalid
from ratoon.engine import Monitoring
from ratoon.metrics import Accuracy, MedianAE

START = np.datetime64("2026-01-01", "us")
DAY_US = 86_400_000_000


def world(
    rng: np.random.Generator, rows: int, first_day: int, days: int, *, shift: float = 0.0
) -> dict[str, Any]:
    """Return rows of a model that is right on average, in order of time."""
    x, c = rng.normal(size=rows), rng.choice(list("abcd"), rows)
    p = 1 / (1 + np.exp(-(1.5 * x + (c == "a"))))
    y = (rng.random(rows) < p).astype(int)
    within = np.sort(rng.integers(first_day * DAY_US, (first_day + days) * DAY_US, rows))
    return {
        "x": x,
        "z": rng.normal(size=rows) + shift,
        "c": c.astype(object),
        "score": p,
        "prediction": (p > 0.5).astype(int),
        "label": y.astype(float),
        "timestamp": START + within * np.timedelta64(1, "us"),
    }


def joined(*parts: dict[str, Any]) -> dict[str, Any]:
    """Put tables behind each other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    """Return ten good days."""
    return world(np.random.default_rng(0), 8000, 0, 10)


@pytest.fixture(scope="module")
def log() -> dict[str, Any]:
    """Return ten days as before, and ten days in which z moves and no label has come."""
    rng = np.random.default_rng(1)
    late = world(rng, 8000, 20, 10, shift=0.8)
    late["label"] = np.full(8000, np.nan)
    return joined(world(rng, 8000, 10, 10), late)


@pytest.fixture(scope="module")
def found(log: dict[str, Any], reference: dict[str, Any]) -> Monitoring:
    """Return what is found in the log, day by day."""
    return rt.monitor(log, reference, window="1d")


def test_finds_what_changed_and_when(found: Monitoring) -> None:
    """The column that moved is named, with the day from which on it is another one."""
    assert found.drifted
    assert {drift.newest.column for drift in found.drifts.columns} == {"z"}
    assert found.now[0].since == datetime(2026, 1, 21, tzinfo=UTC)
    assert found.since(found.now[0]) == "2026-01-21"
    assert found.now[0].windows == 10
    assert len(found.windows) == 20


def test_roles_are_guessed_and_said(found: Monitoring) -> None:
    """Columns of usual names are known, times are not watched, and the notes tell."""
    assert found.roles == {
        **dict.fromkeys(("x", "z", "c"), "input"),
        "prediction": "output",
        "score": "score",
        "label": "label",
    }
    assert "Column 'label' is taken for the label, by its name." in found.notes


def test_performance_is_that_of_the_rows(found: Monitoring, log: dict[str, Any]) -> None:
    """Metrics of a window are scikit-learn's on its rows, ROC-AUC within its bounds."""
    day = np.flatnonzero(log["timestamp"].astype("M8[D]") == np.datetime64("2026-01-13"))
    window = next(w for w in found.windows if w.name == "2026-01-13")
    values = {m.metric: m for m in window.measurements}
    labels, scores = log["label"][day], log["score"][day]
    assert window.rows == window.labelled == len(day)
    assert values["log_loss"].value == pytest.approx(log_loss(labels, scores))
    area = values["roc_auc"]
    assert area.low is None or area.low <= roc_auc_score(labels, scores) <= (area.high or 1.0)
    assert area.value == pytest.approx(roc_auc_score(labels, scores), abs=1e-3)


def test_windows_without_labels_are_marked_and_estimated(found: Monitoring) -> None:
    """Where labels lack the window waits, and metrics are estimated from the scores."""
    assert [w.mature for w in found.windows] == [True] * 10 + [False] * 10
    assert not any(w.estimates for w in found.windows[:10])
    for window in found.windows[10:]:
        accuracy = next(e for e in window.estimates if e.measurement.metric == "accuracy")
        assert accuracy.withdrawn is None
        assert accuracy.measurement.value == pytest.approx(0.75, abs=0.06)
    assert any("Estimates (cbpe) rest on" in note for note in found.notes)
    assert any("were compared with their labels: they agreed" in note for note in found.notes)


def test_wrong_estimates_are_withdrawn(reference: dict[str, Any], log: dict[str, Any]) -> None:
    """Where labels that came disagree with the estimates, later ones have no value."""
    wrong = dict(log)
    labels, known = log["label"].copy(), ~np.isnan(log["label"])
    flipped = known & (np.random.default_rng(2).random(len(labels)) < 0.4)
    labels[flipped] = 1 - labels[flipped]
    wrong["label"] = labels
    seen = rt.monitor(wrong, reference, window="1d", joint=None)
    assert all(
        e.withdrawn for e in seen.windows[-1].estimates if e.measurement.metric == "accuracy"
    )
    assert [m.name for m in seen.metrics if m.worse] == ["log_loss", "brier", "accuracy", "roc_auc"]
    assert "worse than on the reference" in str(seen)


def test_order_of_rows_is_irrelevant(
    found: Monitoring, log: dict[str, Any], reference: dict[str, Any]
) -> None:
    """Rows out of order, in many batches, give the same windows and drifts."""
    order = np.random.default_rng(3).permutation(len(log["x"]))
    mixed = pd.DataFrame({name: values[order] for name, values in log.items()})
    parts = iter([mixed.iloc[i : i + 1500] for i in range(0, len(mixed), 1500)])
    again = rt.monitor(parts, reference, window="1d")
    assert [(w.name, w.rows, w.labelled) for w in again.windows] == [
        (w.name, w.rows, w.labelled) for w in found.windows
    ]
    assert [d.newest.effect for d in again.now] == pytest.approx(
        [d.newest.effect for d in found.now]
    )


def sources(log: dict[str, Any], folder: Path) -> Iterator[Any]:
    """Yield the same rows in every form."""
    frame = pd.DataFrame(log)
    frame.to_parquet(folder / "log.parquet", index=False)
    frame.to_csv(folder / "log.csv", index=False)
    yield frame
    yield frame.set_index(frame.index + 7)  # an index that is no range
    yield pl.DataFrame(frame.to_dict("list"))
    yield pa.Table.from_pandas(frame, preserve_index=False)
    yield frame.to_dict("records")
    yield folder / "log.parquet"
    yield str(folder / "*.csv")


def test_any_source(reference: dict[str, Any], tmp_path: Path) -> None:
    """Frames of any kind, dicts, files and patterns give the same answer."""
    log = world(np.random.default_rng(4), 2000, 10, 4, shift=0.8)
    answers = [
        rt.monitor(source, reference, window="1d", joint=None, slices=False).to_json()
        for source in sources(log, tmp_path)
    ]
    first = json.dumps(answers[0]["drifts"])
    assert answers[0]["explained"] == ["z"]
    assert all(json.dumps(answer["drifts"]) == first for answer in answers[1:])


def test_delta(reference: dict[str, Any], tmp_path: Path) -> None:
    """A Delta table is read as it stands."""
    from deltalake import write_deltalake  # noqa: PLC0415 - slow to import

    table = pa.Table.from_pandas(pd.DataFrame(reference), preserve_index=False)
    write_deltalake(str(tmp_path / "t"), table)
    assert not rt.monitor(tmp_path / "t", reference, window=2000, joint=None).drifted


def test_no_reference(log: dict[str, Any]) -> None:
    """Without a reference the first fifth is taken, and that is said."""
    seen = rt.monitor(log, window="1d")
    assert seen.reference.rows == 3200
    assert seen.rows == 12_800
    assert seen.reference.told == "the first fifth of the log"
    assert any("No reference was given" in note for note in seen.notes)
    assert seen.explained == ("z",)


def test_default_windows(log: dict[str, Any], reference: dict[str, Any]) -> None:
    """Windows that nobody chose are at most sixty, by time or by rows, and their length is said."""
    by_time = rt.monitor(log, reference, joint=None, slices=False)
    without = {name: values for name, values in log.items() if name != "timestamp"}
    by_rows = rt.monitor(without, reference, joint=None, slices=False)
    assert (len(by_time.windows), len(by_rows.windows)) == (20, 16)
    assert any("a day is taken" in note for note in by_time.notes)
    assert any("1,000 rows is taken" in note for note in by_rows.notes)
    assert by_rows.windows[0].name == "rows 1 to 1,000"
    assert by_rows.drifted


def test_missing_values_are_a_drift(reference: dict[str, Any]) -> None:
    """More missing values are found, and named as such."""
    log = world(np.random.default_rng(5), 4000, 10, 4)
    log["x"] = np.where(np.random.default_rng(6).random(4000) < 0.15, np.nan, log["x"])
    seen = rt.monitor(log, reference, window=2000, joint=None)
    assert [(d.newest.column, d.newest.aspect) for d in seen.now] == [("x", "missing")]


def test_labels_that_come_late_are_no_drift(reference: dict[str, Any]) -> None:
    """That labels have not come is neither a missing value nor a change of their distribution."""
    log = world(np.random.default_rng(7), 8000, 10, 10)
    log["label"][4000:] = np.nan
    log["label"][4000:4400] = 1.0  # those that come first are all alike
    seen = rt.monitor(log, reference, window=2000, joint=None)
    assert not seen.drifted
    assert [w.mature for w in seen.windows] == [True, True, False, False]
    waiting = next(m for m in seen.windows[2].measurements if m.metric == "accuracy")
    assert waiting.share == pytest.approx(0.2)
    assert waiting.low is not None
    assert waiting.high is not None
    assert waiting.low < (waiting.value or 0.0) <= waiting.high


def test_a_log_without_a_column_of_labels(reference: dict[str, Any], log: dict[str, Any]) -> None:
    """Labels of the reference are enough to estimate the metrics of a log that has none."""
    without = {name: values for name, values in log.items() if name != "label"}
    seen = rt.monitor(without, reference, window="1d", joint=None)
    assert seen.explained == ("z",)
    assert all(window.estimates and not window.measurements for window in seen.windows)
    assert "No estimate could be compared with labels yet." in seen.notes


def test_slices_are_found_with_what_was_before(reference: dict[str, Any]) -> None:
    """A slice where the model fails is named, with its value on the reference."""
    rng = np.random.default_rng(8)
    log = world(rng, 8000, 10, 10)
    bad = (log["c"] == "b") & (rng.random(8000) < 0.5)
    log["label"] = np.where(bad, 1 - log["prediction"], log["label"])
    seen = rt.monitor(log, reference, window=2000, joint=None, metrics=[Accuracy()])
    worst = seen.slices[0]
    assert str(worst.finding.slice) == "c = b"
    assert worst.before is not None
    assert (worst.before.value or 0.0) - (worst.finding.measurement.value or 0.0) > 0.2


def test_regression_is_estimated_by_its_losses() -> None:
    """Numbers without labels are estimated by DLE; metrics of all rows are measured on samples."""
    rng = np.random.default_rng(9)

    def rows(size: int) -> dict[str, Any]:
        x = rng.normal(size=size)
        return {
            "x": x,
            "u": rng.normal(size=size),
            "pred": 2 * x,
            "y": 2 * x + rng.normal(size=size),
        }

    log = rows(4000)
    log["y"][2000:] = np.nan
    metrics = [rt.metrics.MAE(), MedianAE()]
    seen = rt.monitor(log, rows(4000), window=1000, joint=None, metrics=metrics)
    mae = seen.windows[-1].estimates[0].measurement
    assert (mae.metric, mae.value) == ("mae", pytest.approx(0.8, abs=0.06))
    median = seen.windows[0].measurements[1]
    assert median.value == pytest.approx(0.6745, abs=0.08)
    assert any("on samples" in note for note in seen.notes)


def test_classes_that_are_new_are_said(reference: dict[str, Any]) -> None:
    """Rows of a class that was not there before are in no metric, and a drift of the labels."""
    log = world(np.random.default_rng(18), 2000, 10, 2)
    log["label"] = np.where(np.arange(2000) % 10 == 0, 7.0, log["label"])
    seen = rt.monitor(log, reference, window=1000, joint=None)
    assert ("label", "new categories") in {(d.newest.column, d.newest.aspect) for d in seen.now}
    assert any(
        note.startswith("200 of 2,000 labelled rows are in no metric") for note in seen.notes
    )


def test_joint_drift(reference: dict[str, Any]) -> None:
    """Columns that each look as before, and have another relation, are found together."""
    rng = np.random.default_rng(10)
    a, b = rng.normal(size=(2, 6000))
    now = {"a": a[3000:], "b": 0.4 * b[3000:] - a[3000:]}
    before = {"a": a[:3000], "b": a[:3000] + 0.4 * b[:3000]}
    seen = rt.monitor(now, before, window=3000)
    assert seen.drifted
    assert not seen.now
    assert {one.change.aspect for one in seen.together} == {"separability", "correlation"}
    assert "have to do with each other" in str(seen)
    del reference


def test_ids_and_texts_are_left_out() -> None:
    """Columns that count the rows, or hardly repeat, are not watched, and that is said."""
    rng = np.random.default_rng(11)

    def rows(first: int) -> dict[str, Any]:
        names = np.array([f"n{i}" for i in range(first, first + 1000)], dtype=object)
        return {"row": np.arange(first, first + 1000), "name": names, "x": rng.normal(size=1000)}

    seen = rt.monitor(rows(1000), rows(0), window=500)
    assert list(seen.roles) == ["x"]
    assert "Ids or free texts, and not watched: row, name." in seen.notes


def test_columns_that_differ() -> None:
    """What only one side has is left out and said; what is of another kind is refused."""
    rng = np.random.default_rng(12)
    before = {"x": rng.normal(size=500), "old": rng.normal(size=500)}
    seen = rt.monitor({"x": before["x"], "new": before["x"]}, before, window=250)
    assert list(seen.roles) == ["x"]
    assert "The log lacks columns that the reference has: old." in seen.notes
    assert "Column 'new' is not watched: the reference has no value of it." in seen.notes
    with pytest.raises(RowsRefused, match="column 'x' holds string"):
        rt.monitor({"x": ["a"] * 9, "old": [1.0] * 9}, before)


def test_scores_that_are_no_probabilities_are_watched_alone() -> None:
    """Scores beyond 0 and 1 are watched for drift, and metrics use the outputs."""
    rng = np.random.default_rng(13)

    def rows() -> dict[str, Any]:
        margin = rng.normal(size=1000)
        return {"x": margin, "score": 5 * margin, "pred": margin > 0, "y": margin > 0.1}

    seen = rt.monitor(rows(), rows(), window=500)
    assert [m.name for m in seen.metrics] == ["accuracy", "f1", "precision", "recall"]
    assert seen.roles["score"] == "score"
    assert any("watched alone" in note for note in seen.notes)


def test_json_has_no_odd_values(found: Monitoring) -> None:
    """The answer is JSON without NaN or infinities, and has the findings in it."""
    body = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert body["drifted"] is True
    assert body["drifts"][0]["column"] == "z"
    assert body["drifts"][0]["since_window"] == "2026-01-21"
    assert len(body["timeline"]) == len(body["windows"]) == 20


def test_the_page_loads_nothing(found: Monitoring, tmp_path: Path) -> None:
    """The page is one file without scripts and addresses; a notebook shows it in a frame."""
    found.save(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert "1 column has drifted" in page
    assert found._repr_html_().startswith("<iframe srcdoc=")
    assert rt.monitor({"x": [1.0, 2.0]}, {"x": [1.0, 2.0]}).to_html()


def test_texts_are_escaped() -> None:
    """Names of columns and categories cannot become part of the page."""
    rng, evil = np.random.default_rng(14), "<b>&\"x'"
    before = {evil: rng.choice(["u", "v"], 1000).astype(object)}
    page = rt.monitor({evil: np.full(1000, "<i>", object)}, before, window=500).to_html()
    assert "<b>" not in page.replace("<b>since", "").replace("<b>All", "")
    assert "<i>" not in page


def test_refusals() -> None:
    """What cannot be monitored is refused, and named."""
    with pytest.raises(SettingInvalid, match="window must be a number of rows"):
        rt.monitor({"x": [1.0] * 10}, {"x": [1.0] * 10}, window="1d")
    with pytest.raises(SettingInvalid, match="window"):
        rt.monitor({"x": [1.0]}, window="0s")
    with pytest.raises(BatchEmpty):
        rt.monitor({"x": [1.0]})
    with pytest.raises(RowsRefused, match="no column is left to watch"):
        rt.monitor({"x": [datetime(2026, 1, 1, tzinfo=UTC)] * 10})
    with pytest.raises(RowsRefused, match="column 'z' is not there"):
        rt.monitor({"x": [1.0] * 10}, label="z")


def test_windows_by_timedelta(reference: dict[str, Any]) -> None:
    """A length of time may be a timedelta; a column of times may be told."""
    log = world(np.random.default_rng(17), 1000, 10, 2)
    log["at"], other = log.pop("timestamp"), dict(reference)
    other["at"] = other.pop("timestamp")
    seen = rt.monitor(log, other, window=timedelta(hours=12), time="at", joint=None)
    assert [w.name for w in seen.windows] == [
        f"2026-01-{day} {hour}:00" for day in (11, 12) for hour in ("00", "12")
    ]


def test_labels_drift_without_any_output() -> None:
    """Labels that become others are a drift, also in a log that has no output of a model."""
    rng = np.random.default_rng(19)
    before = {"x": rng.normal(size=1000), "label": (rng.random(1000) < 0.2).astype(float)}
    log = {"x": rng.normal(size=2000), "label": (rng.random(2000) < 0.5).astype(float)}
    seen = rt.monitor(log, before, window=1000, joint=None)
    assert {drift.newest.column for drift in seen.now} == {"label"}
