"""The versions with their lineage: why is this one live, or why was it?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ratoon.core import ModelVersion, Run
from ratoon.report.decisions import Cause, Judged, Outcome, causes_of, data_of, judged, outcome_of
from ratoon.report.index import Index, Reign, verdict_of
from ratoon.report.phrasing import clipped, count, measured
from ratoon.report.story import Fact, Story

_ANCESTORS_MOST = 6  # versions shown of a line of descent
_REFUSED_MOST = 5  # runs shown that ended without a promotion before a version
_DIGEST = 16  # characters shown of a digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A time as champion."""

    start: datetime
    stop: datetime | None
    how: str
    reason: str | None
    link: str | None  # the decision to roll back that brought it


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestor:
    """A version in a line of descent."""

    number: int
    link: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """A version as it is shown: from its cause to its use."""

    anchor: str
    number: int
    live: bool
    role: str
    created_at: datetime
    descent: tuple[Ancestor, ...]  # oldest first, the version itself last
    descent_cut: bool
    causes: tuple[Cause, ...]
    decision: str | None  # its place on the page
    decided_at: datetime | None
    data: str | None
    baseline: tuple[Fact, ...]
    judged: Judged | None
    refused_before: tuple[Outcome, ...]
    refused_more: int
    terms: tuple[Term, ...]
    made: tuple[Fact, ...]


def lived(story: Story, index: Index) -> tuple[Lived, ...]:
    """Return the listed versions, newest first."""
    parents = {version.number: version.parent for version in story.versions}
    created = {version.number: version.created_at for version in story.versions}
    return tuple(_lived(version, story, index, (parents, created)) for version in index.versions)


def _lived(
    version: ModelVersion,
    story: Story,
    index: Index,
    known: tuple[dict[int, int | None], dict[int, datetime]],
) -> Lived:
    parents, created = known
    run = index.run_by_id.get(version.run_id or "")
    decision = None if run is None else index.decision_of(run)
    verdict = (None if run is None else verdict_of(run)) or version.verdict
    descent, cut = _descent(version.number, parents, index)
    since = None if version.parent is None else created.get(version.parent)
    refused = _refused_before(run, since, story, index)
    terms = tuple(_term(r, index) for r in index.reigns if r.version == version.number)
    live = version.number == story.champion
    return Lived(
        anchor=index.version_anchors[version.number],
        number=version.number,
        live=live,
        role=_role(run, version.number, index, live=live),
        created_at=version.created_at,
        descent=descent,
        descent_cut=cut,
        causes=() if decision is None else causes_of(decision, index, shown=False),
        decision=None if decision is None else index.decision_anchors.get(decision.id),
        decided_at=None if decision is None else decision.at,
        data=None if decision is None else data_of(decision, run),
        baseline=tuple(
            Fact(name=m.metric, value=measured(m), note=f"on {count(m.n, 'row')}")
            for m in version.baseline
        ),
        judged=None if verdict is None or verdict.gate == "none" else judged(verdict),
        refused_before=refused[:_REFUSED_MOST],
        refused_more=max(0, len(refused) - _REFUSED_MOST),
        terms=terms,
        made=_made(version, live=live),
    )


def _role(run: Run | None, number: int, index: Index, *, live: bool) -> str:
    if live:
        return "live"
    if index.rolled_back(number):
        return "rolled back"
    if any(reign.version == number for reign in index.reigns):
        return "replaced"
    if run is not None and run.status == "testing":
        return "challenger under test"
    return "never live"


def _descent(
    number: int, parents: dict[int, int | None], index: Index
) -> tuple[tuple[Ancestor, ...], bool]:
    """Return the line of descent, oldest first, and whether older ones were cut off."""
    line, at = [number], parents.get(number)
    while at is not None and at not in line and len(line) < _ANCESTORS_MOST:
        line.append(at)
        at = parents.get(at)
    line.reverse()
    shown = tuple(Ancestor(number=n, link=index.version_anchors.get(n)) for n in line)
    return shown, at is not None


def _refused_before(
    run: Run | None, since: datetime | None, story: Story, index: Index
) -> tuple[Outcome, ...]:
    """Return the runs that ended without a promotion since the version's parent was made."""
    if run is None or since is None:
        return ()
    return tuple(
        outcome_of(other, index)
        for other in story.runs
        if other.status in ("refused", "failed") and since <= other.started_at <= run.started_at
    )


def _term(reign: Reign, index: Index) -> Term:
    link = index.decision_anchors.get(reign.decision or "")
    return Term(start=reign.start, stop=reign.stop, how=reign.how, reason=reign.reason, link=link)


def _made(version: ModelVersion, *, live: bool) -> tuple[Fact, ...]:
    artifact = version.artifact
    digest = f"{artifact.format}, {artifact.sha256[:_DIGEST]}"
    size = f"{artifact.size:,} bytes" if artifact.size else None
    found = [Fact(name="artifact", value=digest, note=size)]
    if version.snapshot is not None:
        found.append(Fact(name="snapshot", value=version.snapshot[:_DIGEST]))
    if version.code is not None:
        found.append(Fact(name="trainer's code", value=version.code[:_DIGEST]))
    if version.environment and live:
        made = ", ".join(f"{name} {value}" for name, value in version.environment.items())
        found.append(Fact(name="environment", value=clipped(made)))
    return tuple(found)
