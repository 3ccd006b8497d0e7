"""`ratoon events`."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import typer

from ratoon.cli import showing
from ratoon.cli.common import Common, Limit, LoopName
from ratoon.cli.opening import recorded
from ratoon.cli.showing import WHEN, Column

if TYPE_CHECKING:
    from ratoon.core.events import Event


def events(
    loop: LoopName,
    kind: Annotated[
        str,
        typer.Option("--type", metavar="PATTERN", help="Only types that match, with * and ?."),
    ] = "*",
    limit: Limit = 50,
    *,
    common: Common,
) -> None:
    """List what happened; with --json as CloudEvents 1.0.

    The newest stands last.

    Example:
        ratoon events fraud --type 'ratoon.version.*'
        ratoon events fraud --limit 5 --json
    """
    with recorded(common.folder, loop) as records:
        found = [event for event in records.events() if fnmatchcase(event.type, kind)][-limit:]
    if common.json:
        showing.print_json([event.to_cloudevent() for event in found])
        return
    columns = (WHEN, Column(name="Event"), Column(name="What"))
    lines = [_line(event) for event in found]
    showing.print_table(columns, lines, empty=f"There is no such event of {loop!r}.")


def _line(event: Event) -> tuple[str, ...]:
    about = f"{event.type}\n  {event.subject}" if event.subject else event.type
    return showing.when(event.time), about, _what(event)


def _what(event: Event) -> str:
    """Return the reason that an event gives, or else all that it says."""
    reason = event.data.get("reason")
    if isinstance(reason, str) and reason:
        return reason
    return showing.told(event.data)
