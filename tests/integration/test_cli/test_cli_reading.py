"""The commands that look, against a real loop in a folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ratoon.engine import Records

Run = Callable[..., str]
Read = Callable[..., Any]


def test_status_of_all(run: Run, read: Read, home: Path) -> None:
    """`status` lists each loop with its champion, since when, and the first metric."""
    lines = run("status", "--home", home).splitlines()
    assert lines[0].split()[:2] == ["Loop", "Champion"]
    assert lines[2].startswith("fraud  @")
    assert [loop["loop"] for loop in read("status", "--home", home)] == ["fraud"]


def test_status_in_detail(run: Run, read: Read, home: Path, records: Records) -> None:
    """`status LOOP` tells champion, counts, measurements with standard errors, and the last run."""
    known = records.status()
    assert known.champion is not None
    text = run("status", "fraud", "--home", home)
    assert f"fraud@{known.champion.number}, since 2026-01-0" in text
    assert f"{known.counts.predictions} predicted, {known.counts.labelled} labelled" in text
    assert "±" in text
    assert records.runs()[-1].id in text
    found = read("status", "fraud", "--home", home)
    assert found["champion"]["number"] == known.champion.number
    assert found["counts"]["labelled"] == known.counts.labelled
    assert set(found["latest"]) == set(known.latest)
    assert found["not_taken_in"] == 0


def test_status_where_there_is_nothing(run: Run, read: Read, tmp_path: Path) -> None:
    """A folder without loops is no error, and none is made."""
    assert "There is no loop" in run("status", "--home", tmp_path / "none")
    assert read("status", "--home", tmp_path / "none") == []
    assert not (tmp_path / "none").exists()


def test_events(run: Run, read: Read, home: Path, records: Records) -> None:
    """`events` lists what happened, newest last, chosen by type and number."""
    every = records.events()
    text = run("events", "fraud", "--home", home)
    assert text.index(every[0].type) < text.rindex(every[-1].type)
    promoted = read("events", "fraud", "--type", "*.promoted", "--home", home)
    assert {event["type"] for event in promoted} == {"ratoon.version.promoted"}
    last = read("events", "fraud", "--limit", 2, "--home", home)
    assert last == [event.to_cloudevent() for event in every[-2:]]
    assert "no such event" in run("events", "fraud", "--type", "x", "--home", home)


def test_runs(run: Run, read: Read, home: Path, records: Records) -> None:
    """`runs LOOP` lists runs with their causes; with --json whole."""
    text = run("runs", "fraud", "--home", home)
    assert all(known.id in text for known in records.runs())
    assert "Degraded(by=0.1)" in text
    found = read("runs", "fraud", "--home", home)
    assert [one["status"] for one in found] == [known.status for known in records.runs()]


def test_one_run(run: Run, read: Read, home: Path, records: Records) -> None:
    """`runs LOOP RUN_ID` shows each step with what it read, wrote and decided; a prefix will do."""
    known = records.runs()[-1]
    text = run("runs", "fraud", known.id, "--home", home)
    for step in known.steps:
        assert f"\n{step.name} " in text
    assert "read: rows" in text
    assert "wrote: snapshot" in text
    assert "decided: " in text
    found = read("runs", "fraud", known.id[:12], "--home", home)
    assert found["id"] == known.id
    assert len(found["steps"]) == len(known.steps)


def test_no_such_run(run: Run, home: Path) -> None:
    """A run that is not there, and a prefix of several, are errors."""
    assert "no run 'x'" in run("runs", "fraud", "x", "--home", home, code=1)
    assert "several runs" in run("runs", "fraud", "run-", "--home", home, code=1)


def test_decisions(run: Run, read: Read, home: Path, records: Records) -> None:
    """`decisions` tells kind, time, causes, reason and what was refused."""
    text = run("decisions", "fraud", "--home", home)
    assert "retrain" in text
    assert "a person: the first fit" in text
    assert "not wait" in text
    found = read("decisions", "fraud", "--home", home)
    assert [one["id"] for one in found] == [known.id for known in records.decisions()]
    assert found[0]["decision"] == "retrain"
    assert found[0]["causes"][0]["trigger"] == "a person"


def test_versions(run: Run, read: Read, home: Path, records: Records) -> None:
    """`versions` tells role, cause, the gate's last word with its effect, snapshot, artifact."""
    champion = records.version()
    text = run("versions", "fraud", "--home", home)
    assert f"@{champion.number} champion" in text
    assert champion.artifact.sha256[:8] in text
    assert str(champion.snapshot)[:8] in text
    assert "pass: " in text
    found = {one["number"]: one for one in read("versions", "fraud", "--home", home)}
    assert found[champion.number]["role"] == "champion"
    assert found[champion.number]["verdict"]["outcome"] == "pass"
    assert found[1]["role"] is None


def test_why(run: Run, read: Read, home: Path, records: Records) -> None:
    """`why MODEL` tells the champion's story, `why MODEL@VERSION` that of another."""
    champion = records.version().number
    assert run("why", "fraud", "--home", home).startswith(f"fraud@{champion} is the champion")
    assert run("why", "fraud@1", "--home", home).startswith("fraud@1 is kept")
    lineage = read("why", "fraud@champion", "--home", home)
    assert lineage["version"]["number"] == champion
    assert lineage["decision"]["causes"][0]["trigger"] == "Degraded(by=0.1)"
    assert lineage["run"]["steps"][0]["name"] == "collect"


@pytest.mark.parametrize("command", ["status", "why", "versions", "runs", "decisions", "events"])
def test_lines_fit(run: Run, home: Path, command: str) -> None:
    """No line of an answer is wider than the terminal, and none ends in a space."""
    lines = run(command, "fraud", "--home", home).splitlines()
    assert max(len(line) for line in lines) <= 80
    assert not [line for line in lines if line != line.rstrip()]


@pytest.mark.parametrize("command", ["status", "why", "versions", "runs", "decisions", "events"])
def test_unknown_loop(run: Run, read: Read, home: Path, command: str) -> None:
    """A loop that is not there is an error of exit code 1 that names the folder."""
    told = run(command, "spam", "--home", home, code=1)
    assert "no loop 'spam'" in told
    assert str(home) in told
    assert read(command, "spam", "--home", home, code=1)["error"]["type"] == "LoopUnknown"


def test_unknown_version(run: Run, home: Path) -> None:
    """A version that is not kept is an error; one that is no number is called wrongly."""
    assert "no version 99" in run("why", "fraud@99", "--home", home, code=1)
    assert "no challenger" in run("why", "fraud@challenger", "--home", home, code=1)
    assert "a version is a number" in run("why", "fraud@x", "--home", home, code=2)
    assert "no version 99" in run("rollback", "fraud@99", "--yes", "--home", home, code=1)


def test_usage_error_as_json(read: Read, home: Path) -> None:
    """With --json an option that does not exist is told as JSON, with exit code 2."""
    found = read("status", "--nope", "--home", home, code=2)
    assert found["error"]["type"] == "UsageError"
    assert found["error"]["hint"].endswith("status --help")


def test_damaged_database(run: Run, tmp_path: Path) -> None:
    """A database that is none is an error that names the folder, not a traceback."""
    (tmp_path / "ratoon.db").write_bytes(b"this is no database, whatever its name is" * 50)
    assert str(tmp_path) in run("status", "--home", tmp_path, code=1).replace("\n", "")


def test_real_process(home: Path) -> None:
    """As a process of its own: no colours in a pipe, JSON alone on stdout, errors on stderr."""
    environment = {key: value for key, value in os.environ.items() if key != "FORCE_COLOR"}

    def ratoon(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ratoon.cli", *args, "--home", str(home)]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    good, bad = ratoon("status", "fraud", "--json"), ratoon("status", "spam")
    assert (good.returncode, good.stderr) == (0, "")
    assert json.loads(good.stdout)["loop"] == "fraud"
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.startswith("Error: no loop 'spam'")
    assert "\x1b" not in good.stdout + bad.stderr
