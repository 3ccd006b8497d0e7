"""A loop that has lived, in a folder, and ways to run commands on it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner

import ratoon as rt
from ratoon.cli import app
from ratoon.engine import Records, VirtualClock
from ratoon.stores.folder import open_known

START = datetime(2026, 1, 1, tzinfo=UTC)
DEFINITION = """
from sklearn.linear_model import LogisticRegression
import ratoon as rt

def train(data):
    print("training")
    return LogisticRegression().fit(data.X, data.y)

print("imported")
number = 3
loop = rt.Loop(
    "fraud",
    trainer=train,
    home={home!r},
    window=50,
    retrain_when=rt.triggers.Degraded(by=0.1) | rt.triggers.On("pricing.changed"),
    train_on=rt.windows.SinceChange(least=100),
    rollout=rt.rollouts.Direct(watch=400),
    limits=rt.Limits(retry=100),
)
"""


def fraud(home: Path, **changes: Any) -> rt.Loop:
    """The loop that DEFINITION defines."""
    return rt.Loop(
        "fraud",
        trainer=lambda data: LogisticRegression().fit(data.X, data.y),
        home=home,
        window=50,
        retrain_when=rt.triggers.Degraded(by=0.1) | rt.triggers.On("pricing.changed"),
        train_on=rt.windows.SinceChange(least=100),
        rollout=rt.rollouts.Direct(watch=400),
        limits=rt.Limits(retry=100),
        **changes,
    )


def batch(rng: np.random.Generator, n: int, *, flipped: bool = False) -> tuple[Any, list[str]]:
    x = rng.normal(size=(n, 2))
    bad = (x[:, 0] + 0.3 * rng.normal(size=n) > 0) != flipped
    return {"a": x[:, 0], "b": x[:, 1]}, ["bad" if value else "good" for value in bad]


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a loop whose concept turned around, so that another version is champion."""
    home = tmp_path_factory.mktemp("lived")
    clock, rng = VirtualClock(START), np.random.default_rng(7)
    with fraud(home, clock=clock) as loop:
        loop.fit(*batch(rng, 300))
        for hour in range(26):
            clock.advance(timedelta(hours=1))
            rows, labels = batch(rng, 40, flipped=6 <= hour < 16)
            answered = loop.predict(rows)
            loop.label(answered.ids, labels)
        stands = loop.status()
    assert stands.champion is not None
    assert stands.champion.number > 2
    assert stands.challenger is None
    return home


@pytest.fixture
def home(lived: Path, tmp_path: Path) -> Path:
    """A copy of that folder, to be changed."""
    return Path(shutil.copytree(lived, tmp_path / "home"))


@pytest.fixture
def loop(home: Path) -> rt.Loop:
    """The loop in that folder, not open."""
    return fraud(home)


@pytest.fixture
def records(home: Path) -> Iterator[Records]:
    """What is on record in that folder."""
    store = open_known(home, "fraud")
    yield Records(store, "fraud")
    store.close()


@pytest.fixture
def target(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of the current folder that defines the loop, as --app wants it."""
    module = f"definition_of_{tmp_path.name}"
    (tmp_path / f"{module}.py").write_text(DEFINITION.format(home=str(home)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, module, raising=False)
    return f"{module}:loop"


@pytest.fixture
def run() -> Callable[..., str]:
    """Run a command; return what it wrote to stdout, or to stderr where it failed."""

    def command(*args: object, code: int = 0, **options: Any) -> str:
        environment = {"COLUMNS": "80"}
        result = CliRunner().invoke(app(), [str(a) for a in args], env=environment, **options)
        assert result.exit_code == code, result.output
        return result.stderr if code and "--json" not in args else result.stdout

    return command


@pytest.fixture
def read(run: Callable[..., str]) -> Callable[..., Any]:
    """Run a command with --json; return what it tells."""
    return lambda *args, code=0: json.loads(run(*args, "--json", code=code))
