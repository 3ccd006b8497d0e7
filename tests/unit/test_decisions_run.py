"""The benchmark of decisions runs on folders that it has never seen, and does nothing twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import decisions, decisions_cells, decisions_report
from benchmarks.decisions_cells import Job, LeftOut, Scene, scene
from benchmarks.decisions_page import pictures
from benchmarks.decisions_policies import OURS, families
from benchmarks.decisions_report import FIXED, ORACLE, Outcome, as_json, outcome, printed


def a_stream(folder: Path, rows: int = 300, *, constant: bool = False) -> Path:
    """Write a stream whose concept flips."""
    rng = np.random.default_rng(rows)
    x = rng.normal(size=rows)
    target = [1] * rows if constant else ((x > 0) ^ (np.arange(rows) > rows // 2)).tolist()
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"x": x, "target": target}), folder / "data.parquet")
    (folder / "meta.json").write_text(json.dumps({"task": "binary"}))
    return folder


@pytest.fixture(scope="module", autouse=True)
def few_settings() -> Iterator[None]:
    """Try two settings of each policy, which is enough to choose from."""
    few = [replace(family, settings=family.settings[:2]) for family in families()]
    with pytest.MonkeyPatch.context() as patch:
        for module in (decisions_cells, decisions_report):
            patch.setattr(module, "families", lambda: few)
        yield


@pytest.fixture(scope="module")
def benchmark_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the benchmark on two streams, and on two that nothing can be judged on."""
    home = tmp_path_factory.mktemp("run")
    a_stream(home / "streams" / "one")
    a_stream(home / "streams" / "a<b", 280)
    a_stream(home / "streams" / "short", 20)
    a_stream(home / "streams" / "same", constant=True)
    asked = ["--quick", "--learner", "linear", "--processes", "1", "--costs", "0.5,4"]
    files = ["--json", str(home / "found.json"), "--page", str(home / "page.html")]
    folders = ["--streams", str(home / "streams"), "--folder", str(home / "cache")]
    assert decisions.main([*asked, *folders, *files, "--pictures", str(home / "drawn")]) == 0
    return home


def test_figures_of_a_run(benchmark_run: Path) -> None:
    """A folder that it has never seen gives figures of each policy, and what is left out."""
    body = json.loads((benchmark_run / "found.json").read_text())
    assert OURS in body["policies"]
    for name, one in body["policies"].items():
        assert {"median_nr", "mean_nr", "below_1", "retrainings", "error"} <= set(one), name
    assert set(body["controls"]) == set(body["policies"])
    assert set(body["streams"]) == {"one", "a<b"}
    assert set(body["left_out"]) == {"same", "same:log_loss", "short"}
    assert {FIXED, ORACLE, "CARA-T, prefix paid"} <= set(body["references"])
    assert all(set(goal) == {"name", "figure", "op", "goal", "met"} for goal in body["goals"])


def test_page_of_a_run(benchmark_run: Path) -> None:
    """The page needs nothing from elsewhere, and has a picture of each stream."""
    text = (benchmark_run / "page.html").read_text()
    assert text.count("<svg") == 2
    assert "prefers-color-scheme: dark" in text
    assert "src=" not in text
    assert "a<b" not in text
    assert sorted(path.name for path in (benchmark_run / "drawn").iterdir()) == [
        "linear-a<b.svg",
        "linear-one.svg",
    ]


def test_nothing_is_done_twice(benchmark_run: Path) -> None:
    """What is beside the matrix is read, but ours is always run."""
    home = next(path for path in (benchmark_run / "cache").glob("*/one"))
    job = Job(
        stream="one",
        place=benchmark_run / "streams" / "one",
        most=20_000,
        learner="linear",
        seed=0,
        home=home,
        delays=(0, 1),
        costs=(0.5, 4.0),
    )
    before = {path: path.stat().st_mtime_ns for path in (home / "policies").iterdir()}
    found = scene(job)
    assert isinstance(found, Scene)
    changed = {p.stem for p, then in before.items() if p.stat().st_mtime_ns != then}
    assert changed == {OURS}
    text = printed(outcome([found]))
    assert text.splitlines()[0].split()[:3] == ["policy", "median", "mean"]
    assert OURS in text


def test_nothing_to_judge() -> None:
    """Without a stream it says so."""
    found = outcome([LeftOut(stream="s", why="nothing is lost")])
    assert isinstance(found, Outcome)
    assert (
        printed(found) == "There is no stream to judge policies on.\nleft out: s: nothing is lost"
    )
    assert as_json(found)["left_out"] == {"s": "nothing is lost"}
    assert pictures(found) == {}
