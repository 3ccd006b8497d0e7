"""What commands have in common: the options that all of them take, and some that several do."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

DEFAULT_HOME = Path(".ratoon")

LoopName = Annotated[str, typer.Argument(metavar="LOOP", help="The name of the loop.")]
Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL[@VERSION]",
        help="A loop's name, and a version: a number, 'champion' or 'challenger'.",
    ),
]
App = Annotated[
    str | None,
    typer.Option(
        "--app",
        metavar="MODULE:LOOP",
        help="Open the loop that this module of the current folder defines, and let it act now.",
    ),
]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept with the event.")]
By = Annotated[
    str | None, typer.Option(metavar="NAME", help="Who asks.  [default: your login name]")
]
Limit = Annotated[int, typer.Option(metavar="N", min=1, help="Show the newest N at most.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What every command is told."""

    home: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder of the loops.  [default: .ratoon]"),
    ] = None
    json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False

    @property
    def folder(self) -> Path:
        """The folder of the loops."""
        return self.home or DEFAULT_HOME


def flat(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that Typer can read: each field of a dataclass argument is an option.

    So that options which belong together are told once, and a function has few arguments.
    """
    signature = inspect.signature(command, eval_str=True)
    arguments = signature.parameters.values()
    groups: dict[str, Any] = {p.name: p.annotation for p in arguments if _is_group(p)}

    @functools.wraps(command)
    def run(**given: Any) -> None:
        for name, kind in groups.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        command(**given)

    parameters = [one for p in arguments for one in _options(p)]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    vars(run)["__signature__"] = signature.replace(parameters=parameters)
    return run


def _is_group(argument: inspect.Parameter) -> bool:
    return is_dataclass(argument.annotation)


def _options(argument: inspect.Parameter) -> list[inspect.Parameter]:
    keyword = inspect.Parameter.KEYWORD_ONLY
    if not _is_group(argument):
        return [argument.replace(kind=keyword)]
    kind: Any = argument.annotation
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(field.name, keyword, default=field.default, annotation=hints[field.name])
        for field in fields(kind)
    ]
