"""The list of decisions: what was decided, why, on what evidence, and what was refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from ratoon.core import (
    Alternative,
    Decision,
    Firing,
    Hold,
    Retrain,
    Rollback,
    RowRange,
    Run,
    Verdict,
    Wait,
    wire,
)
from ratoon.report.index import Index, ended_at, step_of, verdict_of
from ratoon.report.kinds import Kind, kind_of
from ratoon.report.phrasing import brief, clipped, count, evidence, moment, signed
from ratoon.report.story import Fact

_FOLD_FROM = 4  # so many quiet decisions in a row are folded into one line
_REFUSED_MOST = 8  # alternatives shown of one decision
_HALF = 50.0  # half the width of the drawn interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why now."""

    kind: Kind
    reason: str
    trigger: str
    since: datetime | None
    evidence: tuple[Fact, ...]  # empty where `told_in` has it
    told_in: str | None  # the place of an earlier decision that shows the same event's evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a gate said, with its numbers, and where its interval is drawn (0 to 100, 50 is 0)."""

    gate: str
    outcome: str
    reason: str
    numbers: tuple[str, ...]
    low: float | None
    effect: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a retraining."""

    word: str
    status: str
    at: datetime
    version: int | None
    link: str | None  # to the version, where there is one
    decision: str | None  # its decision's place on the page
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A decision as it is shown."""

    anchor: str
    id: str
    at: datetime
    verb: str
    slug: str
    text: str
    causes: tuple[Cause, ...]
    data: str | None  # the rows of a retraining, in words
    facts: tuple[Fact, ...]
    refused: tuple[Alternative, ...]
    judged: Judged | None
    outcome: Outcome | None

    @property
    def quiet(self) -> bool:
        """Whether nothing was done."""
        return self.slug in ("wait", "hold")

    @property
    def repeats(self) -> bool:
        """Whether nothing was done about causes that are all told above."""
        return self.quiet and all(cause.told_in is not None for cause in self.causes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Decisions in a row; folded where they are many and nothing was done."""

    decisions: tuple[Told, ...]
    folded: str | None  # the line that stands for them


def passages(index: Index) -> tuple[Passage, ...]:
    """Return the decisions in order of time, long quiet stretches folded."""
    found: list[Passage] = []
    for quiet, stretch in groupby(_all(index), key=lambda told: told.quiet):
        group = tuple(stretch)
        folded = _folded(group) if quiet and len(group) >= _FOLD_FROM else None
        found.append(Passage(decisions=group, folded=folded))
    return tuple(found)


def judged(verdict: Verdict) -> Judged:
    """Return a verdict with its numbers in words and its interval in drawing units."""
    known = [v for v in (verdict.low, verdict.effect, verdict.high) if v is not None]
    reach = max((abs(v) for v in known), default=0.0)
    needed = "label" if verdict.needed == 1 else "labels"
    numbers = (
        None if verdict.effect is None else f"difference {_effect(verdict)}",
        None if verdict.evidence is None else f"e\u2011value {brief(verdict.evidence)}",
        count(verdict.n, "paired row") if verdict.n else None,
        None if verdict.needed is None else f"about {verdict.needed:,} more {needed}",
    )
    return Judged(
        gate=verdict.gate,
        outcome=verdict.outcome,
        reason=clipped(verdict.reason),
        numbers=tuple(text for text in numbers if text is not None),
        low=_placed(verdict.low, reach),
        effect=_placed(verdict.effect, reach),
        high=_placed(verdict.high, reach),
    )


def outcome_of(run: Run, index: Index) -> Outcome:
    """Return what became of a run, in a word."""
    version = run.version if run.version is not None else index.version_by_run.get(run.id)
    match run.status:
        case "settled" | "watching" | "rolled back":
            word = "promoted" if version is None else f"promoted as version {version}"
            undone = run.status == "rolled back" or index.rolled_back(version)
            word += ", later rolled back" if undone else ""
        case "running":
            word = "still training"
        case "testing":
            word = "challenger under test"
        case "refused" | "failed":
            word = run.status
    link = None if version is None else index.version_anchors.get(version)
    return Outcome(
        word=word,
        status=run.status.replace(" ", "-"),
        at=ended_at(run, index.failed_at),
        version=version,
        link=link,
        decision=index.decision_anchors.get(run.decision_id),
        error=None if run.error is None else clipped(run.error),
    )


def causes_of(decision: Decision, index: Index, *, shown: bool) -> tuple[Cause, ...]:
    """Return the causes of a decision; the evidence of an event is shown once on the page."""
    own = index.decision_anchors.get(decision.id)
    return tuple(_cause(firing, own, index, shown=shown) for firing in decision.causes)


def data_of(decision: Decision, run: Run | None) -> str | None:
    """Say which rows a retraining used, or was to use while it has not trained yet."""
    if not isinstance(decision, Retrain):
        return None
    plan, trained = decision.plan, None if run is None else step_of(run, "train")
    rows: Any = None if trained is None else trained.wrote.get("rows")
    train = plan.train if rows is None else wire.from_json(RowRange, rows)
    why = plan.rule if trained is None or not trained.decided else trained.decided
    return (
        f"Trained on {_rows(train)} ({clipped(why)}), "
        f"first judged on {_rows(plan.holdout)}, never trained on."
    )


def _rows(rows: RowRange) -> str:
    return f"rows {rows.start:,} to {rows.stop:,}" if len(rows) else "no rows"


def _all(index: Index) -> list[Told]:
    return [_told(decision, index) for decision in index.decisions]


def _told(decision: Decision, index: Index) -> Told:
    run = index.run_by_decision.get(decision.id)
    verdict = None if run is None else verdict_of(run)
    verb, slug, facts = _verb(decision)
    return Told(
        anchor=index.decision_anchors[decision.id],
        id=decision.id,
        at=decision.at,
        verb=verb,
        slug=slug,
        text=_text(decision),
        causes=causes_of(decision, index, shown=True),
        data=data_of(decision, run),
        facts=facts,
        refused=_refused(decision),
        judged=None if verdict is None or verdict.gate == "none" else judged(verdict),
        outcome=None if run is None else outcome_of(run, index),
    )


def _verb(decision: Decision) -> tuple[str, str, tuple[Fact, ...]]:
    match decision:
        case Retrain():
            return "Retrain", "retrain", ()
        case Wait():
            return "Wait", "wait", _until(decision)
        case Hold():
            return "Hold", "hold", ()
        case Rollback():
            fact = Fact(name="champion before", value=f"version {decision.leaves}")
            return f"Roll back to version {decision.to}", "rollback", (fact,)


def _text(decision: Decision) -> str:
    """Return the reason, where no cause has the same."""
    if isinstance(decision, Retrain):
        return ""
    same = any(cause.reason == decision.reason for cause in decision.causes)
    return "" if same else clipped(decision.reason)


def _until(decision: Wait) -> tuple[Fact, ...]:
    found: list[Fact] = []
    if decision.until is not None:
        found.append(Fact(name="until", value=f"{moment(decision.until)} UTC"))
    if decision.until_row is not None:
        found.append(Fact(name="until there are", value=count(decision.until_row, "labelled row")))
    return tuple(found)


def _refused(decision: Decision) -> tuple[Alternative, ...]:
    """Return what was refused, but for what the decision's own reason says already."""
    said = None if isinstance(decision, Retrain) else decision.reason
    found = [alternative for alternative in decision.refused if alternative.why != said]
    kept = [Alternative(what=clipped(a.what), why=clipped(a.why)) for a in found[:_REFUSED_MOST]]
    rest = len(found) - len(kept)
    more = [Alternative(what=f"{rest} more", why="this page is short")] if rest else []
    return (*kept, *more)


def _cause(firing: Firing, own: str | None, index: Index, *, shown: bool) -> Cause:
    first = None if firing.event_id is None else index.cause_anchors.get(firing.event_id)
    elsewhere = first if first != own else None
    return Cause(
        kind=kind_of(firing.event_type),
        reason=clipped(firing.reason),
        trigger=clipped(firing.trigger),
        since=firing.since,
        evidence=evidence(firing.evidence) if shown and elsewhere is None else (),
        told_in=elsewhere,
    )


def _folded(group: tuple[Told, ...]) -> str:
    waits = sum(told.slug == "wait" for told in group)
    holds = len(group) - waits
    parts = [count(waits, "wait")] * bool(waits) + [count(holds, "hold")] * bool(holds)
    return f"{' and '.join(parts)}, nothing done"


def _effect(verdict: Verdict) -> str:
    shown = signed(verdict.effect)
    if verdict.low is None or verdict.high is None:
        return shown
    return f"{shown} [{signed(verdict.low)}, {signed(verdict.high)}]"


def _placed(value: float | None, reach: float) -> float | None:
    if value is None:
        return None
    return round(_HALF + (0.9 * _HALF * value / reach if reach else 0.0), 1)
