"""`ratoon data`: rules in a file, rows that go, and how long labels take."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ratoon.stores.folder import open_known
from ratoon.stores.local import LocalStore

Run = Callable[..., str]
Read = Callable[..., Any]


def test_rules_in_a_file(run: Run, read: Read, home: Path, tmp_path: Path) -> None:
    """Rules are inferred into a file, edited, and the newest rows are held to them."""
    file = tmp_path / "fraud.toml"
    made = read("data", "check", "fraud", "--home", home, "--rules", str(file), "--infer")
    assert made["columns"] == ["a", "b"]
    assert made["version"] == 1
    found = read("data", "check", "fraud", "--home", home, "--rules", str(file))
    assert {"rules", "found", "set_aside", "failed", "blocked"} <= set(found)
    text = file.read_text()
    place = text.index("\n", text.index("[columns.a]"))
    file.write_text(f"{text[:place]}\nat_most = 0.5{text[place:]}")
    strict = run("data", "check", "fraud", "--home", home, "--rules", str(file), "--json", code=1)
    broken = [one for one in json.loads(strict)["found"] if one["column"] == "a"]
    assert any(one["severity"] == "fail" and one["ids"] for one in broken)
    assert (
        read("data", "check", "fraud", "--home", home, "--rules", str(file), "--infer")["version"]
        == 2
    )
    assert "at_most = 0.5" in file.read_text()


def test_rules_for_a_file_of_rows(read: Read, home: Path, tmp_path: Path) -> None:
    """Any file of rows can be held to rules, without a loop."""
    rules, rows = tmp_path / "fraud.toml", tmp_path / "rows.csv"
    read("data", "check", "fraud", "--home", home, "--rules", str(rules), "--infer")
    rng = np.random.default_rng(5)
    lines = [f"r{n},{a * 1000},{b}" for n, (a, b) in enumerate(rng.normal(size=(500, 2)))]
    rows.write_text("\n".join(["id,a,b", *lines]))
    told = read("data", "check", "--rules", str(rules), "--rows", str(rows), code=1)
    broken = [one for one in told["found"] if one["severity"] == "fail"]
    assert "a" in {one["column"] for one in broken}
    assert "r0" in broken[0]["ids"]


def test_rules_as_pandera(run: Run, read: Read, home: Path) -> None:
    """The rules of the loop are printed as they are written down, or as pandera's code."""
    code = run("data", "check", "fraud", "--home", home, "--export", "pandera")
    compile(code, "schema.py", "exec")
    assert "pa.DataFrameSchema(" in code
    assert read("data", "check", "fraud", "--home", home, "--export", "rules")["rules"].startswith(
        "#"
    )
    assert "none of" in run("data", "check", "fraud", "--home", home, "--export", "xml", code=2)


def test_rules_that_are_not_there(run: Run, home: Path) -> None:
    """A missing file of rules is an error that says how to make one."""
    assert "--infer" in run(
        "data", "check", "fraud", "--home", home, "--rules", "none.toml", code=1
    )
    assert "--rules" in run("data", "check", "fraud", "--home", home, "--infer", code=2)


def test_prune(run: Run, read: Read, home: Path) -> None:
    """A dry run counts what would go; what goes was not needed, and versions stay whole."""
    assert "--age" in run("data", "prune", "fraud", "--home", home, code=2)
    would = read("data", "prune", "fraud", "--home", home, "--rows", "1", "--dry-run")
    assert would["dry_run"]
    gone = read("data", "prune", "fraud", "--home", home, "--rows", "1", "--yes")
    assert gone["removed"] == would["removed"]
    run("data", "check", "fraud", "--home", home)


def test_prune_asks(run: Run, home: Path) -> None:
    """Nothing goes without a word."""
    assert "Remove for good" in run("data", "prune", "fraud", "--home", home, "--age", "1d", code=1)


def test_delays(run: Run, read: Read, home: Path) -> None:
    """`data labels` tells how long labels take, which windows are in, and who brought labels."""
    found = read("data", "labels", "fraud", "--home", home)["delays"]
    assert found["matched"]["parked"] == 0
    assert len(found["windows"]) == 5
    assert {"p50", "p90", "p99", "label_rate", "watermark"} <= set(found)
    told = run("data", "labels", "fraud", "--home", home)
    assert found["said"].split()[0] in told
    assert "Expected" in told


def test_trouble_of_the_tables(
    run: Run, read: Read, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`status` tells why rows do not reach the tables, and how many rows are not used."""
    assert read("status", "fraud", "--home", home)["trouble"] is None
    monkeypatch.setattr(LocalStore, "trouble", property(lambda _: "StoreFull: no room"))
    found = read("status", "fraud", "--home", home)
    assert found["trouble"] == "StoreFull: no room"
    assert found["set_aside"] == found["rows_refused"] == 0
    assert "no room" in run("status", "fraud", "--home", home)
    assert "in trouble" in run("status", "--home", home)


def test_a_note_of_trouble_is_read_by_others(home: Path) -> None:
    """What the process that writes has noted is told by a process that only reads."""
    note = home / "logs" / "fraud" / "flush.error"
    note.write_text("StoreFull: no room")
    store = open_known(home, "fraud")
    assert store.trouble == "StoreFull: no room"
    store.close()
