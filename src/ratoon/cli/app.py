"""The command `ratoon`: its commands, its exit codes, its errors."""

from __future__ import annotations

import errno
import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from ratoon import __version__
from ratoon.cli import data
from ratoon.cli.common import flat
from ratoon.cli.decisions import decisions
from ratoon.cli.emit import emit
from ratoon.cli.events import events
from ratoon.cli.feedback import feedback
from ratoon.cli.label import label
from ratoon.cli.monitor import monitor
from ratoon.cli.record import record
from ratoon.cli.replay import replay
from ratoon.cli.reproduce import reproduce
from ratoon.cli.retrain import retrain
from ratoon.cli.rollback import rollback
from ratoon.cli.runs import runs
from ratoon.cli.status import status
from ratoon.cli.tune import tune
from ratoon.cli.versions import versions
from ratoon.cli.why import why
from ratoon.core.errors import RatoonError
from ratoon.demo.command import demo

FAILED = 1
MISUSED = 2

_COMMANDS = (
    *(demo, status, why, versions, runs, decisions, events),
    *(record, label, feedback),
    *(emit, retrain, rollback, replay, tune, reproduce),
    monitor,
)
_DATA = (
    *(data.labels, data.versions, data.show, data.diff, data.export, data.sql),
    *(data.check, data.quarantine, data.release, data.blame, data.forget, data.prune),
)
_EPILOG = """
Exit codes:
    0  it was done
    1  an error of Ratoon: what and why stands on stderr, with --json on stdout;
       also rows that were refused, damage that was found, a model that could
       not be reproduced, and with `monitor --fail-on-drift` a drift
    2  the command was called wrongly
    130  interrupted

Times are in UTC. `ratoon COMMAND --help` shows examples.
"""
# `UsageError`, under the name that every version of Typer has for it
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


class Command(TyperCommand):
    """A command whose help shows arguments as they are written."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the usage, without braces around what is required."""
        pieces = super().collect_usage_pieces(ctx)
        return [piece.replace("{", "").replace("}", "") for piece in pieces]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """List arguments and options, without types: their names and texts tell those."""
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            found = [p for p in self.get_params(ctx) if p.param_type_name == kind]
            rows = [record for p in found if (record := p.get_help_record(ctx)) is not None]
            if rows:
                with formatter.section(title):
                    formatter.write_dl([(name.partition(" <")[0], text) for name, text in rows])


class Commands(TyperGroup):
    """The group of commands; it turns errors into a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Carry out the command that was asked for."""
        given = list(ctx.args)
        try:
            return super().invoke(ctx)
        except (RatoonError, OSError, typer.Abort, _UsageError) as error:
            # `ratoon demo --json FILE` means a file.
            as_json = "--json" in given and ctx.invoked_subcommand != "demo"
            if _is_told_by_typer(error, as_json=as_json):
                raise
            problem = _problem(error)
            _tell(problem, as_json=as_json)
            raise typer.Exit(problem.code) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """Why a command ended otherwise than asked."""

    kind: str  # the class of the error
    fact: str
    hint: str = ""
    code: int = FAILED


def app() -> typer.Typer:
    """Return the command with all that it can do."""
    made = typer.Typer(
        cls=Commands,
        name="ratoon",
        help=_help(_whole),
        epilog=_raw(_EPILOG),
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    made.callback()(_whole)
    _add(made, _COMMANDS)
    made.add_typer(_data(), name="data")
    return made


def _data() -> typer.Typer:
    """Return the group of commands on data."""
    made = typer.Typer(
        name="data",
        help=_help(_on_data),
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    made.callback()(_on_data)
    _add(made, _DATA)
    return made


def _add(group: typer.Typer, commands: Sequence[Callable[..., None]]) -> None:
    for command in commands:
        group.command(command.__name__, cls=Command, help=_help(command))(flat(command))


def main() -> None:
    """Run the command `ratoon`."""
    app()(prog_name="ratoon")


def _version(wanted: bool) -> None:  # noqa: FBT001 - Typer calls it so
    if wanted:
        typer.echo(f"ratoon {__version__}")
        raise typer.Exit


def _whole(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Ratoon keeps deployed models accurate: look at its loops, and tell them something.

    A loop lives in a folder, by default .ratoon. Every command that looks only reads; it works
    beside a running loop, and after it.
    """


def _on_data() -> None:
    """Look at the data under a loop, check it, export it.

    Rows stand in Delta tables below the folder of the loops, which other tools read as they are.
    Labelled rows are numbered in the order in which they were joined, and never change: a
    snapshot is a set of them, known by its digest.
    """


def _is_told_by_typer(error: BaseException, *, as_json: bool) -> bool:
    """Tell whether Typer ends the command well: a reader that has gone, and words on a misuse."""
    if isinstance(error, OSError):
        return error.errno == errno.EPIPE
    return not as_json and not isinstance(error, RatoonError)


def _problem(error: Any) -> _Problem:
    match error:
        case RatoonError():
            return _Problem(kind=type(error).__name__, fact=error.fact, hint=error.hint)
        case OSError():
            return _Problem(kind=type(error).__name__, fact=str(error))
        case typer.Abort():
            return _Problem(kind="Aborted", fact="it was not confirmed", hint="--yes does not ask")
        case _:
            hint = "" if error.ctx is None else f"{error.ctx.command_path} --help"
            fact = error.format_message()
            return _Problem(kind="UsageError", fact=fact, hint=hint, code=MISUSED)


def _tell(problem: _Problem, *, as_json: bool) -> None:
    """Say what went wrong: in red on stderr, or as JSON on stdout."""
    if as_json:
        told = {"type": problem.kind, "message": problem.fact, "hint": problem.hint}
        typer.echo(json.dumps({"error": told}, indent=2))
        return
    typer.secho(f"Error: {problem.fact}", fg=typer.colors.RED, err=True)
    if problem.hint:
        typer.secho(f"  hint: {problem.hint}", err=True)


def _help(function: Callable[..., Any]) -> str:
    return _raw(inspect.getdoc(function) or "")


def _raw(text: str) -> str:
    """Mark paragraphs with indented lines, so that they are not filled."""
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(f"\b\n{p}" if "\n " in p or p.startswith(" ") else p for p in paragraphs)
