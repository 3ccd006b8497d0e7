"""`ratoon replay` on logs and on what a loop has recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

Run = Callable[..., str]
Read = Callable[..., Any]


@pytest.fixture
def table() -> pa.Table:
    """A log of 80 days in which the concept turns around."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=2000)
    y = (x + 0.3 * rng.normal(size=2000) > 0) != (np.arange(2000) > 900)
    at = np.datetime64("2026-01-01") + np.arange(2000) * np.timedelta64(3456, "s")
    return pa.table({"a": x, "b": rng.normal(size=2000), "at": at, "y": np.where(y, "bad", "good")})


def test_replay_of_a_log(run: Run, target: str, tmp_path: Path, table: pa.Table) -> None:
    """It compares policies in a table: a column each, with their figures below one another."""
    parquet.write_table(table, tmp_path / "log.parquet")
    log = (tmp_path / "log.parquet", "--target", "y", "--time", "at", "--label-delay", "2d")
    policies = ("--policy", "never", "--policy", "loop", "--policy", "every:15d")
    lines = run("replay", target, *log, *policies).splitlines()
    assert lines[0].split() == ["never", "loop", "every:15d"]
    figures = {line.split()[0]: line.split()[1:] for line in lines[2 : lines.index("")]}
    assert figures["retrainings"][0] == "0"
    assert int(figures["retrainings"][1]) > 0
    assert float(figures["log_loss"][1]) < float(figures["log_loss"][0])
    assert "0" in figures["regret"]
    assert "cost least of the 3 policies replayed" in " ".join(lines)


def test_replay_as_json(read: Read, target: str, tmp_path: Path, table: pa.Table) -> None:
    """With --json it tells each policy's figures and decisions; a fit costs what is said."""
    csv.write_csv(table, tmp_path / "log.csv")
    log = (tmp_path / "log.csv", "--target", "y", "--time", "at", "--first", "0.2")
    found = read("replay", target, *log, "--retrain-cost", 10)
    assert list(found["policies"]) == ["never", "loop"]
    loop = found["policies"]["loop"]
    assert loop["cost"] == pytest.approx(loop["total_loss"] + 10 * loop["fits"])
    retrained = [one for one in loop["decisions"] if one["decision"] == "retrain"]
    assert len(retrained) == loop["retrainings"] + 1  # and the first fit


def test_replay_of_a_stream(read: Read, target: str, tmp_path: Path, table: pa.Table) -> None:
    """A folder with data.parquet and meta.json needs no options."""
    names = {"at": "timestamp", "y": "target"}
    renamed = table.rename_columns([names.get(n, n) for n in table.column_names])
    parquet.write_table(renamed, tmp_path / "data.parquet")
    meta = {"name": "turn", "index_columns": ["timestamp"], "label_delay": "1d"}
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    assert read("replay", target, tmp_path, "--policy", "never")["history"] == "turn"


def test_replay_of_itself(read: Read, target: str) -> None:
    """Without a log it replays what the loop has recorded."""
    found = read("replay", target, "--policy", "never")
    assert found["history"] == "fraud"
    assert found["policies"]["never"]["fits"] == 0


def test_replay_called_wrongly(run: Run, target: str, tmp_path: Path) -> None:
    """A log that is not there, an unknown policy and a missing target are told with exit code 2."""
    (tmp_path / "log.csv").write_text("a,y\n1,2\n")
    assert "there is no 'gone.csv'" in run("replay", target, "gone.csv", code=2)
    assert "one of 'never'" in run("replay", target, "--policy", "sometimes", code=2)
    assert "'loop' alone" in run("replay", target, "--policy", "loop:3", code=2)
    assert "--model" in run("replay", "log.csv", "--target", "y", "--model", "deep", code=2)
    assert "of 1 rows none is left" in run("replay", "log.csv", "--target", "y", code=1)
    assert "--target" in run("replay", target, "log.csv", code=2)


def test_replay_of_a_bad_log(run: Run, target: str, tmp_path: Path) -> None:
    """A column that is not there, and a file of another kind, are errors that name them."""
    (tmp_path / "log.csv").write_text("a,y\n1,2\n")
    (tmp_path / "log.txt").write_text("a,y\n1,2\n")
    assert "'z'" in run("replay", target, "log.csv", "--target", "z", code=1)
    assert "log.txt" in run("replay", target, "log.txt", "--target", "y", code=1)


def test_replay_with_a_page(run: Run, target: str, tmp_path: Path, table: pa.Table) -> None:
    """With --html it writes the page; a training's time, triggers as Python writes them."""
    parquet.write_table(table, tmp_path / "log.parquet")
    log = (tmp_path / "log.parquet", "--target", "y", "--time", "at", "--training-takes", "3d")
    policies = ("--policy", "never", "--policy", "Degraded(by=0.1) | Every(days=20)")
    said = run("replay", target, *log, *policies, "--html", "replay.html", "--retrain-cost", 5)
    assert "The page: replay.html" in said
    page = (tmp_path / "replay.html").read_text(encoding="utf-8")
    assert "Degraded(by=0.1) | Every(days=20)" in page
    assert "A training takes 3 days" in page


def test_replay_of_a_log_alone(read: Read, tmp_path: Path, table: pa.Table) -> None:
    """Whoever has but a labelled file names its target, and a model of scikit-learn is tried."""
    csv.write_csv(table, tmp_path / "a log.csv")
    log = (tmp_path / "a log.csv", "--target", "y", "--time", "at", "--ignore", "b")
    found = read("replay", *log, "--model", "linear", "--policy", "never", "--policy", "drift")
    assert list(found["policies"]) == ["never", "drift"]
    assert found["recommendation"]["best"] in found["policies"]
    assert found["policies"]["drift"]["regret"] >= 0


def test_replay_of_many_policies(run: Run, target: str) -> None:
    """Where columns would not fit, each policy has a row."""
    names = ("never", "loop", "every:10d", "every:20d", "labels:900", "worth:1000", "drift")
    lines = run("replay", target, *(arg for n in names for arg in ("--policy", n))).splitlines()
    assert [line.split()[0] for line in lines[2:9]] == list(names)
