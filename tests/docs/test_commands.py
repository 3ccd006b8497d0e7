"""The commands that the pages mention exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from ratoon.cli import app
from tests.docs.pages import PAGES, ROOT, blocks, inline_code, name_of, read

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def lines(path: Path) -> Iterator[str]:
    """Yield what a page tells to type: inline code, and lines of blocks that are not Python."""
    text = path.read_text(encoding="utf-8")
    yield from inline_code(text)
    for block in blocks(text):
        if block.language != "python":
            yield from (line.strip().removeprefix("$ ") for line in block.text.splitlines())


def mentioned(path: Path, program: str) -> list[list[str]]:
    """Return the calls of a program that a page mentions, as words."""
    found: list[list[str]] = []
    for line in lines(path):
        if line.startswith(f"{program} "):
            plain = line.partition(" | ")[0].partition("  #")[0]
            found.append(shlex.split(plain.replace("…", ""))[1:])
    return found


@pytest.mark.parametrize("page", [*PAGES, *EXAMPLES], ids=name_of)
def test_ratoon_commands_exist(page: Path) -> None:
    """Each `ratoon …` names a command that is there, with options that it has."""
    group: Any = get_command(app())
    wrong: list[str] = []
    for words in mentioned(page, "ratoon"):
        name, *rest = words
        if name == "COMMAND" or name.startswith("["):
            continue
        command = group.commands.get(name)
        if command is None and name not in {o for p in group.params for o in p.opts}:
            wrong.append(" ".join(words))
            continue
        while rest and rest[0] in getattr(command, "commands", {}):
            command, rest = command.commands[rest[0]], rest[1:]
        known = {option for p in (command or group).params for option in p.opts} | {"--help"}
        wrong += [" ".join(words) for word in rest if re.match(r"--\w", word) and word not in known]
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_exist(page: Path) -> None:
    """Each `make …` names targets of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    for words in mentioned(page, "make"):
        named = {word for word in words if "=" not in word and not word.startswith("-")}
        assert named <= targets, words


def test_readme_tells_what_ci_runs() -> None:
    """The CI runs nothing that the README does not tell a person."""
    ran = re.findall(r"^exec (.+)$", read(".ci/run"), re.MULTILINE)
    assert ran
    assert all(command in read("README.md") for command in ran)


def test_tools_exist() -> None:
    """Each `python …` names a script of the repository."""
    for page in [*PAGES, *EXAMPLES]:
        for words in mentioned(page, "python"):
            if words and words[0].endswith(".py"):
                assert (ROOT / words[0]).is_file(), words
