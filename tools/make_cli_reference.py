"""Write docs/cli.md from the commands themselves.

Run as ``python tools/make_cli_reference.py``; with ``--check`` it writes nothing, and exits with 1
where the file says something else. A test does the same.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from ratoon.cli import app

PATH = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
_HEAD = """# The command

<!-- Made by tools/make_cli_reference.py from the commands themselves. -->
"""


def reference() -> str:
    """Return the reference of all commands as Markdown."""
    group: Any = get_command(app())
    parts = [_HEAD, *_told(group.help), _table(group.params), *_told(group.epilog)]
    parts += _commands("ratoon", group, "##")
    return "\n".join(parts).rstrip() + "\n"


def _commands(called: str, group: Any, heading: str) -> Iterator[str]:
    """Return what the commands of a group say, and those of the groups in it."""
    for name, command in group.commands.items():
        yield f"{heading} `{called} {name}`\n"
        if hasattr(command, "commands"):
            yield from _told(command.help)
            yield from _commands(f"{called} {name}", command, f"{heading}#")
        else:
            yield from _command(f"{called} {name}", command)


def _command(called: str, command: Any) -> Iterator[str]:
    first, *rest = _told(command.help)
    yield first
    arguments = [_usage(p) for p in command.params if p.param_type_name == "argument"]
    yield "```\n" + " ".join([called, "[OPTIONS]", *arguments]) + "\n```\n"
    yield from rest
    yield _table(command.params)


def _table(parameters: Iterable[Any]) -> str:
    rows = [_row(parameter) for parameter in parameters]
    return "\n".join(["| argument or option | meaning |", "|---|---|", *rows, ""])


def _told(text: str | None) -> list[str]:
    """Return paragraphs; those whose lines are indented become code under their title."""
    found: list[str] = []
    for paragraph in (text or "").replace("\b\n", "").split("\n\n"):
        title, _, lines = paragraph.partition("\n")
        if not lines.startswith(" "):
            found.append(" ".join(paragraph.split("\n")) + "\n")
            continue
        code = "\n".join(line.strip() for line in lines.split("\n"))
        found.append(f"{title}\n\n```\n{code}\n```\n")
    return found


def _usage(argument: Any) -> str:
    shown = _metavar(argument) + ("..." if argument.nargs < 0 else "")
    return shown if argument.required else f"[{shown}]"


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = f"`{_metavar(parameter)}`"
    else:
        value = "" if parameter.is_flag else f" {_metavar(parameter)}"
        name = ", ".join(f"`{option}{value}`" for option in parameter.opts)
    told = re.sub(r"\s*\[default: (.*)\]", r" By default \1.", parameter.help or "")
    if not told.endswith("."):
        told += "."
    default = parameter.default
    if default not in (None, "") and not isinstance(default, bool):
        told += f" By default `{default}`."
    return f"| {name} | {told} |"


def _metavar(parameter: Any) -> str:
    return parameter.metavar or parameter.name.upper()


def main(given: list[str]) -> int:
    """Write the reference, or with --check compare; return the status."""
    made = reference()
    if "--check" not in given:
        PATH.write_text(made, encoding="utf-8")
        print(f"{PATH} written")
        return 0
    if PATH.read_text(encoding="utf-8") == made:
        return 0
    print(f"{PATH} is stale: run python tools/make_cli_reference.py")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
