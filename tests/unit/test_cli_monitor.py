"""`ratoon monitor`: tables, JSON, a page, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ratoon.cli import app


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a reference, a log as it, and a log that has moved."""
    rng = np.random.default_rng(0)
    for name, shift in (("reference", 0.0), ("same", 0.0), ("moved", 1.0)):
        columns = {"x": rng.normal(size=2000) + shift, "z": rng.normal(size=2000)}
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    return tmp_path


def run(*words: str) -> tuple[int, str]:
    """Run the command; return its exit code and what it printed."""
    done = CliRunner().invoke(app(), ["monitor", *words], env={"COLUMNS": "120"})
    return done.exit_code, done.stdout


def test_tables(folder: Path) -> None:
    """It prints a sentence, what has drifted, and what was chosen."""
    code, said = run(
        str(folder / "moved.parquet"), "--reference", str(folder / "reference.parquet")
    )
    assert code == 0
    assert "1 of 2 columns has drifted: x." in said
    assert "distribution" in said
    assert "No window was given: 1,000 rows is taken" in said


@pytest.mark.parametrize(("log", "expected"), [("same", 0), ("moved", 1)])
def test_fail_on_drift(folder: Path, log: str, expected: int) -> None:
    """The exit code is 1 with a drift where that is asked for, also with JSON."""
    words = (str(folder / f"{log}.parquet"), "--reference", str(folder / "reference.parquet"))
    assert run(*words, "--json")[0] == 0
    code, said = run(*words, "--window", "500", "--fail-on-drift", "--json")
    assert code == expected
    assert json.loads(said)["drifted"] is bool(expected)
    assert len(json.loads(said)["windows"]) == 4


def test_page(folder: Path) -> None:
    """The page is written where it is asked for."""
    page = folder / "page.html"
    code, said = run(str(folder / "moved.parquet"), "--window", "400", "--html", str(page))
    assert code == 0
    assert "page.html" in said.replace("\n", "")
    assert "Ratoon monitor" in page.read_text(encoding="utf-8")


def test_errors(folder: Path) -> None:
    """What is not there is an error with a message, in JSON where that is asked for."""
    code, said = run(str(folder / "none.parquet"), "--json")
    assert code == 1
    assert "none.parquet" in json.loads(said)["error"]["message"]
    code, said = run(str(folder / "same.parquet"), "--window", "1d", "--json")
    assert code == 1
    assert "a number of rows" in json.loads(said)["error"]["message"]
