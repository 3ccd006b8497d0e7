"""`ratoon tune` on logs and on what a loop has recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

Run = Callable[..., str]
Read = Callable[..., Any]

SPACE = """
import ratoon as rt

print("imported")
families = [
    rt.tuning.Family(
        "mine",
        lambda by: rt.triggers.Degraded(by=by),
        settings={"by": rt.tuning.Number(0.1, 1.0)},
    )
]
nothing = 3
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of 40 days in which the concept turns around every ten."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=1600)
    y = (x > 0) != (np.arange(1600) // 400 % 2 == 1)
    at = np.datetime64("2026-01-01") + np.arange(1600) * np.timedelta64(2160, "s")
    found = pa.table(
        {"a": x, "b": rng.normal(size=1600), "at": at, "y": np.where(y, "bad", "good")}
    )
    parquet.write_table(found, tmp_path / "log.parquet")
    return tmp_path / "log.parquet"


@pytest.fixture
def options(log: Path) -> tuple[object, ...]:
    """How that log is read, and a quick search."""
    read = (log, "--target", "y", "--time", "at", "--label-delay", "1d", "--first", "0.2")
    return (*read, "--retrain-cost", 5, "--policy", "worth", "--policy", "degraded")


def test_tune_a_log(run: Run, target: str, options: tuple[object, ...], home: Path) -> None:
    """It tells the figures on both parts, what they mean, and the line to take; trials are kept."""
    text = run("tune", target, *options, "--trials", 2)
    words = " ".join(text.split())
    assert "winner: " in words
    assert "held out" in words
    assert "untuned default" in words
    assert "\n    retrain_when=rt.triggers." in text
    assert "The trials are kept in" in words
    assert (home / "tuning" / "fraud.db").exists()


def test_tune_as_json(read: Read, target: str, options: tuple[object, ...]) -> None:
    """With --json it tells all trials; called again with more it goes on where it was."""
    first = read("tune", target, *options, "--trials", 2)
    again = read("tune", target, *options, "--trials", 3)
    assert [len(first["tried"]), len(again["tried"])] == [2, 3]
    assert again["tried"][:2] == first["tried"]
    assert {one["policy"] for one in again["tried"]} <= {"worth", "degraded"}
    assert again["line"].startswith("retrain_when=rt.triggers.")
    assert next(iter(again["beside"])) == "worth"
    assert again["winner"]["held_out"]["rows"] > 0


def test_tune_itself(read: Read, target: str, home: Path) -> None:
    """Without a log it searches on what the loop has recorded, and leaves the loop as it is."""
    before = read("versions", "fraud", "--home", home)
    found = read("tune", target, "--retrain-cost", 5, "--trials", 1, "--policy", "worth")
    assert found["loop"] == found["history"] == "fraud"
    assert read("versions", "fraud", "--home", home) == before


def test_tune_a_space(
    read: Read, run: Run, target: str, options: tuple[object, ...], tmp_path: Path
) -> None:
    """Families of a person's own are searched; what a module prints does not reach stdout."""
    name = f"space_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(SPACE)
    own = (*options[:-4], "--trials", 1, "--space")
    found = read("tune", target, *own, f"{name}:families")
    assert [one["policy"] for one in found["tried"]] == ["mine"]
    for wrong in (f"{name}:gone", f"{name}:nothing", "no_such_module:families", "families"):
        assert "--space" in run("tune", target, *own, wrong, code=2)


def test_tune_called_wrongly(run: Run, target: str, options: tuple[object, ...]) -> None:
    """A price that is missing, an unknown policy or sampler are told."""
    assert "--retrain-cost" in run("tune", target, code=2)
    assert "none of worth" in run("tune", target, *options, "--policy", "sometimes", code=2)
    assert "sampler must be" in run("tune", target, *options, "--sampler", "grid", code=1)
