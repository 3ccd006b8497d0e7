"""Telling a loop something: through its journal, or through the loop itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ratoon.cli import decisions, showing
from ratoon.cli.common import Common
from ratoon.cli.opening import aside, defined, opened
from ratoon.core.events import Event
from ratoon.core.ids import derive
from ratoon.core.wire import Json, to_json

if TYPE_CHECKING:
    from ratoon.core.deciding import Decision
    from ratoon.engine import Loop
    from ratoon.stores.protocol import Aliases, Store

PERSON = "person"  # the source of what a person asks for, as in `Loop`


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An event before it has an id and a time."""

    type: str
    data: Mapping[str, Json]
    subject: str | None = None
    source: str = PERSON
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of a message."""

    event: Event
    stored: bool  # False where the event was known
    taken_in: bool  # whether the loop has acted on it
    decisions: tuple[Decision, ...] = ()  # made since
    champion: int | None = None


def tell(common: Common, loop: str, app: str | None, message: Message) -> None:
    """Leave a message for a loop, or with `app` let the loop act on it; show what followed."""
    if app is not None:
        answer = hand(defined(app, loop, common.home), message)
    else:
        with opened(common.folder, loop) as store:
            answer = leave(store, loop, message)
    if common.json:
        showing.print_json({"loop": loop, **record(answer)})
    else:
        _show(loop, answer)


def leave(store: Store, loop: str, message: Message, *, champion: int | None = None) -> Told:
    """Store a message in the journal, where the loop finds it at its next call.

    Where `champion` is given, that version becomes champion in the same write, and no other
    version is a challenger: just what a rollback to it does when the loop takes in the message.
    """
    from ratoon.stores.protocol import Draft  # noqa: PLC0415 - slow to import

    event = made(loop, message, store.last_seq())
    draft = Draft(kind="event", at=event.time, note={"event": to_json(event)})
    aliases: Aliases = {} if champion is None else {"champion": champion, "challenger": None}
    receipt = store.append(draft, aliases=aliases)
    return Told(
        event=event,
        stored=receipt.stored > 0,
        taken_in=False,
        champion=store.alias("champion"),
    )


def made(loop: str, message: Message, seq: int) -> Event:
    """Return the event; its id follows from the moment, the journal and what it says."""
    from ratoon.engine import SystemClock  # noqa: PLC0415 - slow to import

    now = SystemClock().now()
    parts = (loop, message.type, message.source, seq, now.isoformat(), sorted(message.data.items()))
    return Event(
        id=message.id or derive("event", *parts),
        source=message.source,
        type=message.type,
        time=now,
        subject=message.subject,
        data=message.data,
    )


def hand(loop: Loop, message: Message) -> Told:
    """Open the loop, and let it act on a message now."""
    with aside(), showing.working(f"{loop.name} takes in {message.type}"), loop:
        known = len(loop.decisions())
        event = made(loop.name, message, len(loop.events()))
        receipt = loop.emit(
            event.type, event.data, subject=event.subject, id=event.id, source=event.source
        )
        known_as = (event.source, event.id)
        return Told(
            event=next(one for one in loop.events() if (one.source, one.id) == known_as),
            stored=receipt.stored > 0,
            taken_in=True,
            decisions=tuple(loop.decisions()[known:]),
            champion=loop.records.champion(),
        )


def record(answer: Told | None) -> dict[str, Any]:
    """Return what became of a message as JSON."""
    if answer is None:
        return {"event": None, "stored": False, "taken_in": False, "decisions": []}
    return {
        "event": answer.event.to_cloudevent(),
        "stored": answer.stored,
        "taken_in": answer.taken_in,
        "decisions": [decisions.record(decision) for decision in answer.decisions],
        "champion": answer.champion,
    }


def _show(loop: str, answer: Told) -> None:
    if not answer.stored:
        showing.say(f"{answer.event.id} is known already: nothing was stored.")
        return
    showing.say(f"{answer.event.type} is stored as {answer.event.id}.")
    if not answer.taken_in:
        showing.say(f"{loop} takes it in at its next call.")
        return
    for decision in answer.decisions:
        showing.say(f"  {decisions.kind(decision)}: {decisions.told(decision)}")
    if not answer.decisions:
        showing.say("  nothing followed from it.")
    showing.say(f"The champion is {loop}@{answer.champion}.")
