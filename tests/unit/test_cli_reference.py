from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.main import get_command
from typer.testing import CliRunner

from ratoon import __version__
from ratoon.cli import app
from ratoon.cli.common import flat
from tools import make_cli_reference

HEAVY = ("numpy", "pyarrow", "rich", "scipy", "sklearn", "sqlalchemy", "ratoon.engine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    wide: Annotated[int, typer.Option(help="Columns.")] = 80
    high: Annotated[int, typer.Option(help="Lines.")] = 24


def test_the_reference_is_fresh() -> None:
    """docs/cli.md says what the commands say; tools/make_cli_reference.py writes it anew."""
    assert make_cli_reference.PATH.read_text(encoding="utf-8") == make_cli_reference.reference()


def test_help_is_light() -> None:
    """`ratoon --help` imports nothing heavy, so it answers at once."""
    code = (
        "import sys; from ratoon.cli import main\n"
        "sys.argv = ['ratoon', '--help']\n"
        "try: main()\n"
        f"finally: print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "Exit codes:" in done.stdout


def every(group: Any, *before: str) -> Iterator[tuple[list[str], Any]]:
    """Yield every command, those of groups too, by the words that call it."""
    for name, command in group.commands.items():
        yield [*before, name], command
        if hasattr(command, "commands"):
            yield from every(command, *before, name)


def test_every_command_has_help() -> None:
    """Each command tells in a line what it does, takes --home and --json, and has examples."""
    for words, command in every(get_command(app())):
        shown = CliRunner().invoke(app(), [*words[:-1], "--help"], env={"COLUMNS": "80"}).stdout
        options = {option for parameter in command.params for option in parameter.opts}
        is_group, is_demo = hasattr(command, "commands"), words == ["demo"]
        assert is_group or "--json" in options
        assert is_group or is_demo or "--home" in options
        assert is_group or is_demo or "Example:" in command.help
        first = command.help.split("\n\n")[0].strip()
        assert f"{words[-1]} " in shown
        assert is_demo or first in shown


def test_help_fits() -> None:
    """No line of any help is wider than 80 columns, but for examples to copy."""
    for words, _ in every(get_command(app())):
        shown = CliRunner().invoke(app(), [*words, "--help"], env={"COLUMNS": "80"}).stdout
        lines = [line for line in shown.splitlines() if not line.startswith("      ratoon")]
        assert max(map(len, lines)) <= 80


def test_version() -> None:
    """`ratoon --version` tells the version."""
    assert CliRunner().invoke(app(), ["--version"]).stdout == f"ratoon {__version__}\n"


def test_no_such_command() -> None:
    """A command that does not exist is told with exit code 2, and a near one is suggested."""
    result = CliRunner().invoke(app(), ["stat"])
    assert result.exit_code == 2
    assert "Did you mean 'status'?" in result.stderr


def test_options_of_a_dataclass() -> None:
    """A dataclass argument of a command becomes an option a field, and is made from them."""
    seen: list[object] = []

    def draw(name: str, *, size: Size) -> None:
        seen.append((name, size))

    one = typer.Typer()
    one.command()(flat(draw))
    CliRunner().invoke(one, ["box", "--wide", "100"])
    assert seen == [("box", Size(wide=100, high=24))]
