"""The demo on a small stream of one's own, as a person would run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ratoon.core.errors import SettingInvalid
from ratoon.demo.running import open_stream


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A regression whose slope turns around after a third of the rows."""
    folder = tmp_path_factory.mktemp("turning")
    rng = np.random.default_rng(5)
    x, kind = rng.normal(size=2400), rng.choice(["a", "b"], size=2400)
    slope = np.where(np.arange(2400) < 900, 3.0, -3.0)
    others = {f"noise{i}": rng.normal(size=2400) for i in range(4)}
    target = slope * x + rng.normal(size=2400)
    table = pa.table({"x": x, "kind": kind, **others, "target": target})
    pq.write_table(table, folder / "data.parquet")
    meta = {"name": "turning", "title": "A slope that turns", "unit": "EUR", "label_delay": "2d"}
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def ran(stream: Path, where: Path, *more: str) -> tuple[str, dict[str, Any]]:
    """Run the demo in a process of its own; return what it printed and its figures."""
    files = ["--report", str(where / "report.html"), "--json", str(where / "out.json")]
    done = subprocess.run(
        [sys.executable, "-m", "ratoon.cli", "demo", "--stream", str(stream), *files, *more],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout, json.loads((where / "out.json").read_text())


def test_a_stream_of_ones_own(stream: Path, tmp_path: Path) -> None:
    """It tells what happens, and Ratoon loses less than a model that is never retrained."""
    home = tmp_path / "home"
    told, figures = ran(stream, tmp_path, "--home", str(home))
    assert {"stream", "policies", "versions", "refused", "seconds"} <= set(figures)
    assert figures["stream"] == "turning"
    policies = figures["policies"]
    assert set(policies) == {"never", "period", "ratoon"}
    for found in policies.values():
        assert found["loss"] == found["metrics"]["mae"]
        paid = figures["retrain_cost"] * found["fits"]
        assert found["cost"] == pytest.approx(found["total_loss"] + paid)
    assert policies["never"]["retrainings"] == 0
    assert policies["period"]["retrainings"] >= 10
    assert policies["ratoon"]["loss"] < policies["never"]["loss"] / 1.5
    assert policies["ratoon"]["cost"] < policies["never"]["cost"]
    for word in ("promoted", "worthwhile", "never retrained", "every 30 days", "Ratoon"):
        assert word in told
    assert (
        "<canvas" in (tmp_path / "report.html").read_text()
        or "uPlot" in (tmp_path / "report.html").read_text()
    )
    why = subprocess.run(
        [sys.executable, "-m", "ratoon.cli", "why", "turning", "--home", str(home)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "because" in why.stdout
    assert "never trained on" in why.stdout


def test_another_seed_gives_other_figures(stream: Path, tmp_path: Path) -> None:
    """Nothing is fixed beforehand: the trainings draw by the seed."""
    found = [ran(stream, tmp_path, "--seed", seed)[1]["policies"] for seed in ("0", "1")]
    assert found[0]["never"]["loss"] != found[1]["never"]["loss"]


def test_no_such_stream(tmp_path: Path) -> None:
    """What is no stream is refused with the names of those that are."""
    with pytest.raises(SettingInvalid, match="hotel_rates"):
        open_stream(str(tmp_path))
