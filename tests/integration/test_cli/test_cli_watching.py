"""`--watch`: files of a folder are brought to a loop as they come."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ratoon.engine import Loop

Run = Callable[..., str]

LABELS = "id,label\nw-{n},good\n"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it is ended by a signal")


@contextmanager
def watching(home: Path, *args: object) -> Iterator[subprocess.Popen[str]]:
    """Watch in a process of its own, that is interrupted at the end."""
    command = [sys.executable, "-m", "ratoon.cli", "label", "fraud", *map(str, args)]
    command += ["--watch", "--every", "0.2s", "--still", "0s", "--home", str(home), "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline().startswith("Watching")
            yield process
        finally:
            process.kill()


def following(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for what became of the next file."""
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def ended(process: subprocess.Popen[str]) -> str:
    """Interrupt it; return what it said at the end."""
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    return told


def put(folder: Path, name: str, text: str) -> Path:
    """Write a file elsewhere and move it into a folder."""
    folder.mkdir(exist_ok=True)
    path, aside = folder / name, folder.parent / f"aside-{name}"
    aside.write_text(text)
    return aside.replace(path)


def test_files_are_taken_once(home: Path, tmp_path: Path, loop: Loop) -> None:
    """Each file is taken as it comes, once; what cannot be read is told, and listed at the end."""
    folder = tmp_path / "in"
    first = put(folder, "1.csv", LABELS.format(n=1))
    with watching(home, folder) as process:
        taken = following(process)
        assert (taken["source"], taken["rows"], taken["refused"]) == (str(first), 1, None)
        put(folder, "2.csv", "id\nw-2\n")
        refused = following(process)
        assert "no column for the label" in refused["refused"]
        assert "--label COLUMN" in refused["hint"]
        put(folder, "notes.txt", "nothing")
        assert "format" in following(process)["refused"]
        told = ended(process)
    assert "1 label stored; of the folder 1 file taken." in told
    assert f"Set aside until it changes: {folder / '2.csv'}: no column" in told
    put(folder, "3.csv", LABELS.format(n=3))
    with watching(home, folder) as process:
        assert following(process)["source"] == str(folder / "3.csv")
        put(folder, "2.csv", LABELS.format(n=2))
        assert following(process)["source"] == str(folder / "2.csv")
        ended(process)
    with loop:
        before = loop.status().counts.parked
        loop.tick()
        assert loop.status().counts.parked == before == 3


def test_a_pattern(home: Path, tmp_path: Path) -> None:
    """A pattern says which files of the folder are meant."""
    folder = tmp_path / "in"
    put(folder, "a.txt", "nothing")
    put(folder, "b.csv", LABELS.format(n=1))
    with watching(home, folder / "*.csv") as process:
        assert following(process)["source"] == str(folder / "b.csv")
        assert "Set aside" not in ended(process)


def test_one_process_watches_a_folder(home: Path, tmp_path: Path, run: Run) -> None:
    """Two would take the same file twice: the second one is refused."""
    folder = tmp_path / "in"
    put(folder, "b.csv", LABELS.format(n=1))
    with watching(home, folder) as process:
        told = run("label", "fraud", folder, "--watch", "--home", home, code=1)
        assert "another process watches" in told
        ended(process)


def test_feedback_waits_for_its_predictions(home: Path, tmp_path: Path, loop: Loop) -> None:
    """Feedback on a prediction that has not come yet is no bad file: it is taken when it has."""
    folder = tmp_path / "in"
    put(folder, "f.csv", "id,rating\nlate,-1\n")
    command = [sys.executable, "-m", "ratoon.cli", "feedback", "fraud", str(folder), "--watch"]
    command += ["--every", "0.2s", "--still", "0s", "--home", str(home), "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        waits = following(process)
        assert (waits["again"], waits["rows"]) == (True, 0)
        with loop:
            loop.predict({"a": [0.1], "b": [0.2]}, ids=["late"])
            taken = following(process)
        assert (taken["refused"], taken["rows"]) == (None, 1)
        ended(process)


@pytest.mark.parametrize("sources", [("a", "b"), ("-",), ("sqlite:///x.db",)])
def test_what_cannot_be_watched(run: Run, home: Path, sources: tuple[str, ...]) -> None:
    """Only one folder, or one pattern, can be watched."""
    told = run("label", "fraud", *sources, "--watch", "--home", home, code=2)
    assert "it watches one folder, or one pattern" in told


def test_a_folder_must_be_there(run: Run, home: Path, tmp_path: Path) -> None:
    """A folder that is not there is told at once."""
    told = run("label", "fraud", tmp_path / "none", "--watch", "--home", home, code=1)
    assert "none" in told
