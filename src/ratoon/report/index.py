"""What belongs to what in a story: decisions to runs, runs to versions, events to decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from ratoon.core import Decision, Event, ModelVersion, Run, Step, Verdict, wire
from ratoon.core.events import PROMOTED, ROLLED_BACK, RUN_FAILED
from ratoon.report.phrasing import clipped
from ratoon.report.story import Story

DECISIONS_MOST = 500  # decisions listed; the newest
VERSIONS_MOST = 100  # versions listed; the newest


@dataclass(frozen=True, slots=True, kw_only=True)
class Reign:
    """A version's time as champion."""

    version: int
    start: datetime
    stop: datetime | None  # None while it lasts
    how: str  # what brought it: a promotion or a rollback
    reason: str | None
    decision: str | None  # id of the decision to roll back, where one brought it
    rolled_back: bool  # whether a rollback ended it


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A story's records in order of time, by their ids, and with their places on the page."""

    events: tuple[Event, ...]
    decisions: tuple[Decision, ...]  # those that are listed
    decisions_left_out: int
    versions: tuple[ModelVersion, ...]  # those that are listed, newest first
    versions_left_out: int
    reigns: tuple[Reign, ...]
    run_by_id: Mapping[str, Run]
    run_by_decision: Mapping[str, Run]
    version_by_run: Mapping[str, int]
    decision_anchors: Mapping[str, str]  # by the decision's id
    cause_anchors: Mapping[str, str]  # of the first decision about an event, by the event's id
    version_anchors: Mapping[int, str]
    failed_at: Mapping[str, datetime]  # by the run's id

    def rolled_back(self, version: int | None) -> bool:
        """Tell whether a version's last time as champion ended with a rollback."""
        terms = [reign for reign in self.reigns if reign.version == version]
        return bool(terms) and terms[-1].rolled_back

    def decision_of(self, run: Run) -> Decision | None:
        """Return the listed decision that a run carries out."""
        return next((d for d in self.decisions if d.id == run.decision_id), None)


def indexed(story: Story) -> Index:
    """Put a story's records in order, and find what belongs to what."""
    events = tuple(sorted(story.events, key=lambda event: event.time))
    ordered = tuple(sorted(story.decisions, key=lambda decision: decision.at))
    decisions = ordered[-DECISIONS_MOST:]
    first = len(ordered) - len(decisions) + 1
    anchors = {d.id: f"decision-{first + k}" for k, d in enumerate(decisions)}
    newest = sorted(story.versions, key=lambda version: version.number, reverse=True)
    versions = tuple(newest[:VERSIONS_MOST])
    return Index(
        events=events,
        decisions=decisions,
        decisions_left_out=len(ordered) - len(decisions),
        versions=versions,
        versions_left_out=len(newest) - len(versions),
        reigns=_reigns(story, events),
        run_by_id={run.id: run for run in story.runs},
        run_by_decision={run.decision_id: run for run in story.runs},
        version_by_run={v.run_id: v.number for v in story.versions if v.run_id is not None},
        decision_anchors=anchors,
        cause_anchors={
            cause.event_id: anchors[decision.id]
            for decision in reversed(decisions)
            for cause in decision.causes
            if cause.event_id is not None
        },
        version_anchors={v.number: f"version-{v.number}" for v in versions},
        failed_at={e.subject: e.time for e in events if e.type == RUN_FAILED and e.subject},
    )


def verdict_of(run: Run) -> Verdict | None:
    """Return the last thing that the gate said of a run's challenger."""
    gates = [step for step in run.steps if step.name == "gate" and "verdict" in step.wrote]
    return None if not gates else _verdict(gates[-1])


def ended_at(run: Run, failed_at: Mapping[str, datetime]) -> datetime:
    """Return when it was known whether a run brought a champion: promotion, refusal, failure."""
    if run.id in failed_at:
        return failed_at[run.id]
    named = {step.name: step.ended_at for step in run.steps}
    last = run.steps[-1].ended_at if run.steps else run.started_at
    return named.get("roll out") or named.get("gate") or last


def step_of(run: Run, name: str) -> Step | None:
    """Return the last step of that name."""
    return next((step for step in reversed(run.steps) if step.name == name), None)


def _verdict(step: Step) -> Verdict:
    return cast("Verdict", wire.from_json(Verdict, step.wrote["verdict"]))


def _reigns(story: Story, events: tuple[Event, ...]) -> tuple[Reign, ...]:
    changes = [e for e in events if _enthroned(e) is not None]
    if not changes:
        known = [v for v in story.versions if v.number == story.champion]
        return tuple(_unrecorded(version) for version in known)
    return tuple(_reign(e, after) for e, after in zip(changes, [*changes[1:], None], strict=True))


def _reign(event: Event, after: Event | None) -> Reign:
    reason = str(event.data.get("reason") or "")
    number = _enthroned(event)
    assert number is not None
    promoted = event.type == PROMOTED
    what = "promoted" if promoted else f"back from version {event.data.get('leaves')}"
    return Reign(
        version=number,
        start=event.time,
        stop=None if after is None else after.time,
        how=what,
        reason=clipped(reason) or None,
        decision=None if promoted else str(event.data.get("decision")),
        rolled_back=after is not None and after.type == ROLLED_BACK,
    )


def _unrecorded(version: ModelVersion) -> Reign:
    return Reign(
        version=version.number,
        start=version.created_at,
        stop=None,
        how="live",
        reason=None,
        decision=None,
        rolled_back=False,
    )


def _enthroned(event: Event) -> int | None:
    """Return the version that an event made champion; None for any other event."""
    names = {PROMOTED: "version", ROLLED_BACK: "to"}
    found: Any = event.data.get(names[event.type]) if event.type in names else None
    return found if isinstance(found, int) else None
