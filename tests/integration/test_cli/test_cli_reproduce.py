"""`ratoon reproduce`: a training done again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ratoon.cli import app
from ratoon.core.versions import ModelVersion
from ratoon.engine import Records
from ratoon.stores.folder import FolderLock

Run = Callable[..., str]
Read = Callable[..., Any]

TRAINER = """
from sklearn.linear_model import LogisticRegression
import ratoon as rt

def train(data):
    print("training")
    return LogisticRegression({settings}).fit(data.X, data.y)

loop = rt.Loop("again", trainer=train, home={home!r})
"""


def rows(n: int) -> tuple[dict[str, list[float]], list[str]]:
    values = [(row * 37 % n) / n for row in range(n)]
    return {"x": values}, ["high" if value > 0.5 else "low" for value in values]


def defined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str = "") -> str:
    """Define the loop in a module of the current folder."""
    module = f"again_{tmp_path.name}_{len(settings)}"
    home = str(tmp_path / "home")
    (tmp_path / f"{module}.py").write_text(TRAINER.format(home=home, settings=settings))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return f"{module}:loop"


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The definition of a loop that was fitted, and the id of its run."""
    from ratoon.cli.opening import loop_at  # noqa: PLC0415 - after the module is there

    target = defined(tmp_path, monkeypatch)
    with loop_at(target) as loop:
        loop.fit(*rows(300))
        return target, loop.runs()[0].id


def test_the_same_model(run: Run, read: Read, trained: tuple[str, str]) -> None:
    """The same trainer on the pinned rows gives the same bytes: exit code 0, beside a loop."""
    target, run_id = trained
    lock = FolderLock(Path("home"), "again")
    text = run("reproduce", "again", run_id[:8], target)
    assert text.startswith("Reproduced: the same model, to the byte.")
    assert "training" not in text
    assert "the same source" in text
    found = read("reproduce", "again", run_id, target)
    lock.release()
    assert (found["same"], found["same_bytes"], found["version"]) == (True, True, 1)
    assert (found["largest_difference"], found["environment"]) == (0.0, {})


def test_another_model(
    run: Run,
    read: Read,
    trained: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Other settings give other answers: exit code 1, the difference and why it may be."""
    other = defined(tmp_path, monkeypatch, "C=0.01")
    text = run("reproduce", "again", trained[1], other, "--json", code=1)
    assert '"code_changed": true' in text
    found = read("reproduce", "again", trained[1], other, code=1)
    assert (found["same"], found["same_bytes"]) == (False, False)
    assert 0 < found["largest_difference"] <= 1


def test_other_libraries(
    run: Run, trained: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions of libraries that differ are shown: then and now."""
    from ratoon.engine import steps  # noqa: PLC0415 - changed here

    now = dict(steps.environment())
    monkeypatch.setattr(steps, "environment", lambda: now | {"numpy": "99.1", "python": "4.0"})
    target, run_id = trained
    text = run("reproduce", "again", run_id, target)
    assert "other versions, see below" in text
    assert "99.1" in text


def test_no_such_run(run: Run, home: Path, target: str, trained: tuple[str, str]) -> None:
    """There must be such a run, of the loop that the definition defines."""
    assert "no run 'nope'" in run("reproduce", "again", "nope", trained[0], code=1)
    told = run("reproduce", "again", "run", target, "--home", home, code=1)
    assert "is called 'fraud', not 'again'" in told


def test_a_trainer_that_fails(
    run: Run, trained: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the trainer raises is told as an error."""
    other = defined(tmp_path, monkeypatch, "penalty=1 / 0")
    told = run("reproduce", "again", trained[1], other, code=1)
    assert "the trainer raised ZeroDivisionError" in told


def test_erased_rows(run: Run, read: Read, home: Path, target: str, records: Records) -> None:
    """Where rows of the snapshot were erased since, it is another training, and that is said."""
    champion = records.version()
    assert read("reproduce", "fraud", champion.run_id, target)["same"] is True
    query = (
        f"SELECT max(ordinal) AS last FROM labelled WHERE ordinal < {_stop(read, home, champion)}"
    )
    [found] = read("data", "sql", "fraud", query, "--home", home)
    query = f"SELECT id FROM labelled WHERE ordinal = {found['last']}"
    [row] = read("data", "sql", "fraud", query, "--home", home)
    run("data", "forget", "fraud", "--ids", row["id"], "--yes", "--home", home)
    again = read("reproduce", "fraud", champion.run_id, target, code=1)
    assert (again["erased"], again["same"], again["probed"]) == (1, False, 20)
    args = ["reproduce", "fraud", champion.run_id, target]
    text = CliRunner().invoke(app(), args, env={"COLUMNS": "80"}).stdout
    assert text.startswith("Cannot be reproduced: 1 of its rows was erased since")
    assert f"{again['rows'] + 1:,} rows, of which 1 erased since" in text


def _stop(read: Read, home: Path, version: ModelVersion) -> int:
    """Return the ordinal after the last row that a version was trained on."""
    every = read("data", "versions", "fraud", "--home", home)
    [snapshot] = [one for one in every if one["digest"] == version.snapshot]
    return snapshot["ordinals"][-1]["stop"]
