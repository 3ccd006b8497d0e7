"""Several columns looked at together, window by window, beside the single ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import false_discovery_control
from typer.testing import CliRunner

import ratoon as rt
from ratoon.cli import app
from ratoon.core.errors import SettingInvalid
from ratoon.core.measuring import Window
from ratoon.drift import ColumnTest
from ratoon.drift.multivariate import MMD, ClassifierTest, Correlations, PCAError
from ratoon.monitors import DriftMonitor, Sliding, Span
from ratoon.windows.summaries import Reference, reference_of

START, DAY = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=1)
Table = dict[str, np.ndarray]


def table(rng: np.random.Generator, rows: int, *, turned: bool = False) -> Table:
    """Return columns that look alike, of which two go together, or against each other."""
    a, b, c = rng.normal(size=(3, rows))
    return {"a": a, "b": 0.4 * b - a if turned else 0.4 * b + a, "c": c}


def spans_of(reference: Reference, tables: list[Table]) -> list[Span]:
    """Return a window a day, with all of its rows."""
    return [
        Span(
            window=Window(start=START + i * DAY, end=START + (i + 1) * DAY),
            summary=reference.summarise(one),
            rows=one,
        )
        for i, one in enumerate(tables)
    ]


def test_control_is_shared() -> None:
    """P-values are adjusted over single columns and joint tests, by Benjamini and Hochberg."""
    rng = np.random.default_rng(0)
    before, now = table(rng, 1000), table(rng, 300)
    now["c"] = now["c"] + 0.15
    reference = reference_of(before)
    monitor = DriftMonitor(test=ColumnTest(false_alarms=0.5), joint=(MMD(), PCAError()))
    step = monitor.run(reference, spans_of(reference, [now]), before).steps[0]
    every = [*step.changes, *(one.change for one in step.joint)]
    assert {change.aspect for change in every} >= {"joint distribution", "reconstruction", "range"}
    expected = false_discovery_control([change.p_value for change in every])
    assert [change.adjusted for change in every] == pytest.approx(expected.tolist())
    assert {change.rate for change in every} == {0.5}


def test_stationary_windows_raise_no_alarm() -> None:
    """Of windows without drift, at most the stated share has an alarm of any test."""
    rng = np.random.default_rng(1)
    before = table(rng, 2000)
    reference = reference_of(before)
    spans = spans_of(reference, [table(rng, 300) for _ in range(120)])
    eager = ColumnTest(effect=1e-6, missing=1e-6, fresh=1e-6, false_alarms=0.05)
    tests = (Correlations(effect=1e-6), MMD(effect=1e-6, rows=300))
    found = DriftMonitor(test=eager, joint=tests, joint_windows=120).run(reference, spans, before)
    alarms = sum(
        any(change.drifted for change in step.changes) or any(one.drifted for one in step.joint)
        for step in found.steps
    )
    assert alarms <= 12  # 6 are expected; more than 12 come by chance once in 100 times


def test_newest_windows_alone() -> None:
    """Windows further back than asked for are not looked at together."""
    rng = np.random.default_rng(2)
    before = table(rng, 1000)
    reference = reference_of(before)
    spans = spans_of(reference, [table(rng, 400, turned=day > 3) for day in range(6)])
    monitor = DriftMonitor(joint=(Correlations(),), joint_windows=3)
    found = monitor.run(reference, spans, before)
    assert [[one.change.column for one in step.joint] for step in found.steps] == [
        [], [], [], [], ["a, b"], ["a, b"],
    ]  # fmt: skip
    assert [part.column for part in found.joint[0].columns] == ["a", "b"]
    assert not found.columns
    assert not monitor.run(reference, spans).joint, "without rows of the reference"


def test_against_the_windows_before() -> None:
    """What windows are compared with is what their rows are compared with, too."""
    rng = np.random.default_rng(3)
    before = table(rng, 1000)
    reference = reference_of(before)
    spans = spans_of(reference, [table(rng, 600, turned=True) for _ in range(5)])
    fixed = DriftMonitor(joint=(Correlations(),)).run(reference, spans, before)
    sliding = DriftMonitor(joint=(Correlations(),), against=Sliding(windows=3)).run(
        reference, spans, before
    )
    assert fixed.joint[0].drifted
    assert not sliding.joint


@pytest.mark.parametrize("name", ["classifier", "correlations", "mmd", "pca"])
def test_by_name(name: str) -> None:
    """Each test may be asked for by its name, and finds what no single column shows."""
    rng = np.random.default_rng(4)
    found = rt.monitor(table(rng, 2500, turned=True), table(rng, 2500), window=2500, joint=name)
    assert found.drifted
    assert not found.now
    assert len(found.together) == 1
    same = rt.monitor(table(rng, 2500), table(rng, 2500), window=2500, joint=name)
    assert not same.drifted


def test_settings() -> None:
    """A test may be given with its settings; a name that is none is refused."""
    rng = np.random.default_rng(5)
    now, before = table(rng, 1000, turned=True), table(rng, 1000)
    strict = ClassifierTest(rows=500, effect=0.999)
    found = rt.monitor(now, before, window=1000, joint=(strict, "mmd"))
    assert [one.change.measurement.metric for one in found.together] == ["mmd"]
    assert len(found.joint) == 2
    with pytest.raises(SettingInvalid, match="joint"):
        rt.monitor(now, before, joint="svm")
    with pytest.raises(SettingInvalid, match="joint_windows"):
        rt.monitor(now, before, joint_windows=0)


def test_texts_and_one_number() -> None:
    """Without two columns of numbers there are no correlations, and no error."""
    rng = np.random.default_rng(6)
    rows = {"c": rng.choice(list("ab"), 800).astype(object), "x": rng.normal(size=800)}
    found = rt.monitor(rows, rows, window=400, joint=("correlations", "mmd", "pca"))
    assert {one.change.aspect for one in found.joint} == {"joint distribution", "reconstruction"}
    assert not found.drifted


def test_by_command(tmp_path: Path) -> None:
    """`--together` names tests, and the exit code is that of a drift."""
    rng = np.random.default_rng(7)
    for name, turned in (("before", False), ("now", True)):
        pq.write_table(pa.table(table(rng, 1000, turned=turned)), tmp_path / f"{name}.parquet")
    words = ["monitor", str(tmp_path / "now.parquet"), "--window", "1000", "--fail-on-drift"]
    words += ["--reference", str(tmp_path / "before.parquet")]
    done = CliRunner().invoke(app(), [*words, "--together", "mmd", "--together", "correlations"])
    assert done.exit_code == 1
    assert "Drift of several columns together" in done.stdout
    assert "The correlation of a, b is -0.9" in done.stdout
    none = CliRunner().invoke(app(), [*words, "--together", "none", "--json"])
    assert none.exit_code == 0
    assert json.loads(none.stdout)["joint"] == []
