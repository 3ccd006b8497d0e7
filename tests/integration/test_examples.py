"""The examples do what they say, run as a person runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
import skops.io
from sklearn.datasets import load_digits

from ratoon.core import EVENT_TYPES, ModelVersion, Retrain, Run
from ratoon.engine import Records
from ratoon.stores import FileVault
from ratoon.stores.folder import open_known

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LIMIT_S = 180
Opened: TypeAlias = Callable[[Path, str], Records]
PROMOTED = ("watching", "settled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an example printed, and the folder that it left."""

    text: str
    home: Path

    def accuracies(self, part: str) -> list[tuple[int, float]]:
        """Return version and accuracy of each line of the part with that title."""
        _, found, after = self.text.partition(f"{part}\n")
        assert found, self.text
        lines = re.split(r"^\S", after, maxsplit=1, flags=re.MULTILINE)[0]
        pairs = re.findall(r"version (\d+).*accuracy (\d\.\d+)", lines)
        return [(int(version), float(accuracy)) for version, accuracy in pairs]


def told(name: str, home: Path) -> Told:
    """Run an example as a person does."""
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), "--home", str(home)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=LIMIT_S, cwd=home.parent, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return Told(text=done.stdout, home=home)


@pytest.fixture(scope="module")
def adaptive(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Run the example on a model file."""
    return told("adaptive_retraining", tmp_path_factory.mktemp("adaptive") / "home")


@pytest.fixture(scope="module")
def triggered(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Run the example on events."""
    return told("event_triggered_retraining", tmp_path_factory.mktemp("triggered") / "home")


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Open the records of loops, and close them in the end."""
    with ExitStack() as stack:

        def records(home: Path, loop: str) -> Records:
            store = open_known(home, loop)
            stack.callback(store.close)
            return Records(store, loop)

        yield records


def check_judged_apart(records: Records) -> None:
    """Check that no run judged a model on rows that it was trained on."""
    plans = [d.plan for d in records.decisions() if isinstance(d, Retrain)]
    assert plans
    for plan in plans:
        for rows in (plan.train, *plan.others):
            assert rows.stop <= plan.holdout.start
            assert plan.chosen_on is None or rows.stop <= plan.chosen_on.start


def champion_of(run: Run, records: Records) -> bool:
    """Tell whether a run's version became champion."""
    events = [e for e in records.events() if e.type == "ratoon.version.promoted"]
    return any(event.data["run"] == run.id for event in events)


def same_model(file: Path, version: ModelVersion) -> bool:
    """Tell whether the file in use answers all digits as a version does."""
    rows, _ = load_digits(return_X_y=True)
    kept = FileVault(file.parent).model(version.artifact)
    in_use = skops.io.load(file)
    return bool(np.array_equal(in_use.predict(rows), kept.predict(rows)))


def test_adaptive_recovers(adaptive: Told) -> None:
    """Accuracy falls below 0.9 when the images turn, and the new file brings most of it back."""
    before, after, renewed = adaptive.accuracies("The images are turned by 90 degrees")
    assert [version for version, _ in (before, after, renewed)] == [1, 1, 2]
    assert after[1] < 0.9 < before[1]
    assert renewed[1] > after[1] + (before[1] - after[1]) / 2


def test_adaptive_replaces_through_gate(adaptive: Told, opened: Opened) -> None:
    """The file holds the version that passed the gate on paired rows, none of them trained on."""
    records = opened(adaptive.home, "turned")
    champion = records.version()
    assert champion.number > 1
    assert champion.verdict is not None
    assert champion.verdict.outcome == "pass"
    assert champion.verdict.n > 0
    assert "ratoon.performance.degraded" in {e.type for e in records.lineage().events}
    file = adaptive.home / "turned.skops"
    assert same_model(file, champion)
    assert not same_model(file, records.version(1))
    check_judged_apart(records)


def test_adaptive_refuses_what_is_no_better(adaptive: Told, opened: Opened) -> None:
    """Labels drawn at random have challengers trained and refused; the file stays as it was."""
    records = opened(adaptive.home, "mixed_up")
    runs = records.runs()[1:]
    assert any(run.status == "refused" for run in runs)
    assert not any(champion_of(run, records) for run in runs)
    assert records.champion() == 1
    assert same_model(adaptive.home / "mixed_up.skops", records.version(1))
    versions = adaptive.accuracies("150 labels are drawn at random, the images stay")
    assert {version for version, _ in versions} == {1}
    assert all(accuracy > 0.9 for _, accuracy in versions)
    check_judged_apart(records)


def test_triggered_recovers(triggered: Told) -> None:
    """Accuracy falls by more than 10 % when the names shift; retraining brings it back."""
    ((first, before),) = triggered.accuracies("Before the drift")
    (drifted, low), (renewed, high) = triggered.accuracies("The names are shifted")
    assert (first, drifted) == (1, 1)
    assert renewed > first
    assert low < 0.9 * before < high


def test_triggered_tries_old_plus_new(triggered: Told, opened: Opened) -> None:
    """The drift's run trains on old plus new rows and on the new alone, and keeps the better."""
    records = opened(triggered.home, "iris")
    run = next(r for r in records.runs()[1:] if champion_of(r, records))
    plan = next(
        d.plan for d in records.decisions() if isinstance(d, Retrain) and d.id == run.decision_id
    )
    assert plan.train.start == 0
    assert plan.others
    train = next(step for step in run.steps if step.name == "train")
    assert train.wrote["fits"] == 2
    check_judged_apart(records)


def test_triggered_by_event_and_person(triggered: Told, opened: Opened) -> None:
    """A business event and a request each cause a run; neither is promoted without a pass."""
    records = opened(triggered.home, "iris")
    causes = [
        cause.event_type
        for decision in records.decisions()
        if isinstance(decision, Retrain)
        for cause in decision.causes
    ]
    assert "supplier.changed" in causes
    assert "supplier.changed" not in EVENT_TYPES
    asked = [e for e in records.events() if e.type == "ratoon.retraining.requested"]
    assert any(event.data.get("by") == "ana" for event in asked)
    for run in records.runs():
        gate = next(step for step in reversed(run.steps) if step.name == "gate")
        passed = str(gate.decided).startswith("pass")
        assert champion_of(run, records) == passed
        assert (run.status in PROMOTED or run.status == "rolled back") == passed
