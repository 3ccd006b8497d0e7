"""`ratoon rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ratoon.cli import showing
from ratoon.cli.common import App, By, Common, Model, Reason
from ratoon.cli.opening import asker, defined, named, opened
from ratoon.cli.telling import Message, Told, hand, leave, record
from ratoon.core.errors import LoopNotStarted, RatoonError
from ratoon.core.events import ROLLBACK_REQUESTED

if TYPE_CHECKING:
    from ratoon.engine import Records


def rollback(
    model: Model,
    reason: Reason = "",
    by: By = None,
    app: App = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    common: Common,
) -> None:
    """Make an earlier version champion again, without training.

    Without a version it is the one before the champion. The champion alias moves at once, in one
    write with the event that asks for it. A running loop takes that in, and answers with the
    earlier version, at its next call. With --app the loop is opened here and carries it out now.

    Example:
        ratoon rollback fraud --reason "complaints from Spain"
        ratoon rollback fraud@2 --yes
    """
    from ratoon.engine import Records  # noqa: PLC0415 - slow to import

    loop, answer = model.partition("@")[0], None
    said = {"reason": reason, "by": asker(by)}
    if app is not None:
        with defined(app, loop, common.home) as live:
            leaves, to = _versions(live.records, model)
            if _wanted(loop, leaves, to, yes=yes):
                answer = hand(live, _message(loop, {"to": to, **said}))
    else:
        with opened(common.folder, loop) as store:
            leaves, to = _versions(Records(store, loop), model)
            if _wanted(loop, leaves, to, yes=yes):
                answer = leave(store, loop, _message(loop, {"to": to, **said}), champion=to)
    _show(common, loop, (leaves, to), answer)


def _message(loop: str, data: dict[str, object]) -> Message:
    return Message(type=ROLLBACK_REQUESTED, data=data, subject=loop)


def _versions(records: Records, model: str) -> tuple[int, int]:
    """Return the champion, and the version to go back to."""
    loop = model.partition("@")[0]
    leaves, to = records.champion(), named(model, records)
    if leaves is None:
        raise LoopNotStarted(loop)
    if to is None:
        to = records.version(leaves).parent
    if to is None:
        raise RatoonError(f"{loop}@{leaves} is the first version: there is none before it")
    return leaves, records.version(to).number


def _wanted(loop: str, leaves: int, to: int, *, yes: bool) -> bool:
    """Ask, unless there is nothing to do."""
    if leaves == to:
        return False
    if not yes:
        question = f"Make {loop}@{to} the champion in place of {loop}@{leaves}?"
        typer.confirm(question, abort=True, err=True)
    return True


def _show(common: Common, loop: str, versions: tuple[int, int], answer: Told | None) -> None:
    leaves, to = versions
    if common.json:
        showing.print_json({"loop": loop, "from": leaves, "to": to, **record(answer)})
    elif answer is None:
        showing.say(f"{loop}@{to} is the champion already: nothing was stored.")
    else:
        showing.say(f"{loop}@{answer.champion} is the champion, in place of {loop}@{leaves}.")
        showing.say(f"{answer.event.type} is stored as {answer.event.id}.")
        if not answer.taken_in:
            showing.say("A running loop answers with it from its next call on.")
