"""What happened, as marks on the timeline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ratoon.core import Event, Run
from ratoon.core.events import PROMOTED, REFUSED, ROLLED_BACK, RUN_FAILED, SETTLED
from ratoon.report.index import Index, ended_at
from ratoon.report.kinds import RETRAINING, kind_of
from ratoon.report.phrasing import clipped, signed
from ratoon.report.story import Story

MARKS_MOST = 2000  # marks drawn; the newest
_TEXT_MOST = 120  # characters of a mark's text; the list below has the rest

_OUTCOMES = {
    "running": "training",
    "testing": "its challenger is under test",
    "watching": "promoted, and watched",
    "settled": "promoted",
    "refused": "refused",
    "failed": "failed",
    "rolled back": "promoted, then rolled back",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something on the timeline."""

    kind: str
    at: datetime
    text: str
    until: datetime | None = None  # of what lasted
    version: int | None = None  # the version that it made champion
    link: str | None = None  # the place on the page that says more


def marks(story: Story, index: Index) -> tuple[Mark, ...]:
    """Return all marks of a story in order of time."""
    made = [*(_of_event(e, index) for e in index.events), *(_of_run(r, index) for r in story.runs)]
    return tuple(sorted(made, key=lambda mark: mark.at))


def _of_run(run: Run, index: Index) -> Mark:
    return Mark(
        kind=RETRAINING.id,
        at=run.started_at,
        until=ended_at(run, index.failed_at),
        text=_OUTCOMES[run.status],
        link=index.decision_anchors.get(run.decision_id),
    )


def _of_event(event: Event, index: Index) -> Mark:
    kind = kind_of(event.type)
    champion: int | None = None
    link = index.cause_anchors.get(event.id)
    if event.type == PROMOTED and isinstance(made := event.data.get("version"), int):
        champion, link = made, index.version_anchors.get(made)
    elif event.type == ROLLED_BACK and isinstance(back := event.data.get("to"), int):
        champion, link = back, index.decision_anchors.get(str(event.data.get("decision")))
    elif event.type in (REFUSED, RUN_FAILED):
        run = index.run_by_id.get(event.subject or "")
        link = None if run is None else index.decision_anchors.get(run.decision_id)
    elif event.type == SETTLED:
        link = _version_link(event, index)
    return Mark(
        kind=kind.id,
        at=event.time,
        text=clipped(_told(event, champion), _TEXT_MOST),
        version=champion,
        link=link,
    )


def _version_link(event: Event, index: Index) -> str | None:
    anchors = index.version_anchors.items()
    return next((a for n, a in anchors if event.subject == f"version {n}"), None)


def _told(event: Event, champion: int | None) -> str:
    reason = str(event.data.get("reason") or event.data.get("error") or "")
    match event.type:
        case t if t == PROMOTED:
            return f"version {champion} became champion: {reason}"
        case t if t == ROLLED_BACK:
            return f"back to version {champion}: {reason}"
        case t if t == SETTLED:
            gain, rows = event.data.get("gain"), event.data.get("rows")
            shown = signed(gain) if isinstance(gain, float) else "?"
            on = f" on {rows:,} rows" if isinstance(rows, int) else ""
            return f"{event.subject} settled: gained {shown}{on} over the one before"
        case _:
            return reason or event.type
