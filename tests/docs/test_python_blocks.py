"""The Python on the pages runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_examples import find_examples

import ratoon
from tests.docs.pages import PAGES, ROOT, blocks, name_of, read

WITH_PYTHON = [
    page for page in PAGES if any(b.language == "python" for b in blocks(read(name_of(page))))
]
LIMIT_S = 60


def run(page: Path) -> None:
    """Run the blocks of a page in order; they share their names, as a reader's session does."""
    names: dict[str, Any] = {"__name__": __name__}
    try:
        for example in find_examples(str(page)):
            # Each line keeps its number, so that a traceback and `inspect` find it on the page.
            source = "\n" * example.start_line + example.source
            exec(compile(source, str(page), "exec"), names)
    finally:
        for value in names.values():
            if isinstance(value, ratoon.Loop):
                value.close()


@pytest.mark.parametrize("page", WITH_PYTHON, ids=name_of)
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python block of a page runs, after those before it, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    run(page)


def test_every_block_is_found() -> None:
    """The finder of examples sees each block that is marked as Python."""
    for page in WITH_PYTHON:
        marked = [b for b in blocks(read(name_of(page))) if b.language == "python"]
        assert len(list(find_examples(str(page)))) == len(marked), name_of(page)


def test_no_other_marks() -> None:
    """Python is marked as python, so that no block escapes the test."""
    for page in PAGES:
        for block in blocks(read(name_of(page))):
            assert block.language in {"python", "console", "text", ""}, name_of(page)
            assert block.language == "python" or "import " not in block.text, block.text


def test_readme_shows_what_why_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer of `ratoon why` that the README shows has the lines of the real one."""
    monkeypatch.chdir(tmp_path)
    run(ROOT / "README.md")
    said = subprocess.run(
        [sys.executable, "-m", "ratoon.cli", "why", "fraud"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    ).stdout
    shown = next(b for b in blocks(read("README.md")) if "is the champion" in b.text).text
    wanted = {_worded(line) for line in shown.splitlines() if not line.startswith("  ")}
    assert wanted <= {_worded(line) for line in said.splitlines()}


def _worded(line: str) -> str:
    """Return a line without its numbers."""
    return re.sub(r"[\d.:-]+", "#", line).strip()
