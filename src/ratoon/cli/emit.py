"""`ratoon emit`."""

from __future__ import annotations

import json
from typing import Annotated, cast

import typer

from ratoon.cli.common import App, Common, LoopName
from ratoon.cli.telling import Message, tell
from ratoon.core.wire import Json

_MOST = 65_536  # characters of data


def emit(
    loop: LoopName,
    type: Annotated[
        str, typer.Argument(metavar="TYPE", help="What happened, such as pricing.changed.")
    ],
    data: Annotated[str, typer.Option(metavar="JSON", help="A JSON object with details.")] = "{}",
    subject: Annotated[str | None, typer.Option(metavar="TEXT", help="What it is about.")] = None,
    id: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Its id: the same from one source counts once."),
    ] = None,
    source: Annotated[str, typer.Option(metavar="URI", help="Who says so.")] = "command",
    app: App = None,
    *,
    common: Common,
) -> None:
    """Tell a loop of a business event.

    Its triggers may make that a cause to retrain. The event is stored at once and survives a
    crash. A running loop takes it in at its next call. With --app the loop is opened here and
    acts on it now, while no other process runs it.

    Example:
        ratoon emit fraud pricing.changed --data '{"tariff": "B"}' --source shop
        ratoon emit fraud pricing.changed --app fraud_app:loop
    """
    if type.startswith("ratoon."):
        rule = "types that begin with 'ratoon.' are its own; see `ratoon retrain` and `rollback`"
        raise typer.BadParameter(rule, param_hint="TYPE")
    message = Message(type=type, data=_read(data), subject=subject, source=source, id=id)
    tell(common, loop, app, message)


def _read(text: str) -> dict[str, Json]:
    """Read --data."""
    if len(text) > _MOST:
        raise typer.BadParameter(f"more than {_MOST} characters", param_hint="--data")
    try:
        found = json.loads(text, parse_constant=_not_json)
    except ValueError as error:
        raise typer.BadParameter(f"this is no JSON: {error}", param_hint="--data") from error
    if not isinstance(found, dict):
        rule = 'it must be an object, as in \'{"tariff": "B"}\''
        raise typer.BadParameter(rule, param_hint="--data")
    return cast("dict[str, Json]", found)


def _not_json(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
