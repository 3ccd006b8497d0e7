"""The story of a version, from its cause to its use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ratoon.core.deciding import Decision, Retrain
from ratoon.core.events import Event
from ratoon.core.measuring import Measurement
from ratoon.core.running import Run
from ratoon.core.versions import ModelVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """All that led to a version, and what became of it."""

    version: ModelVersion
    is_champion: bool
    run: Run | None
    decision: Decision | None
    events: tuple[Event, ...]  # the causes
    refused: tuple[Run, ...]  # runs since the parent that ended without a promotion
    history: tuple[Event, ...]  # what became of the version


def told(lineage: Lineage) -> str:
    """Tell it in lines of text."""
    version = lineage.version
    role = "is the champion" if lineage.is_champion else "is kept"
    lines = [f"{version.loop}@{version.number} {role}, made {_when(version.created_at)}"]
    lines += _because(lineage)
    lines += _data(lineage)
    lines += _judged(version)
    if lineage.refused:
        lines.append("refused before it")
        lines += [f"  {run.id}: {run.status}, {run.error}" for run in lineage.refused]
    if lineage.history:
        lines.append("since then")
        lines += [f"  {_when(e.time)}  {e.type}  {_reason(e)}" for e in lineage.history]
    made = ", ".join(f"{name} {value}" for name, value in version.environment.items())
    lines += ["model", f"  {version.artifact.format}, sha256 {version.artifact.sha256[:16]}…"]
    lines += [f"  made with {made}"] if made else []
    return "\n".join(lines)


def _because(lineage: Lineage) -> list[str]:
    if lineage.decision is None:
        return ["because", "  it was adopted: a model that existed"]
    lines = ["because"]
    for cause in lineage.decision.causes:
        since = "" if cause.since is None else f" (since {_when(cause.since)})"
        lines.append(f"  {cause.trigger}: {cause.reason}{since}")
        lines.append(f"    event {cause.event_id}, {cause.event_type}, {_when(cause.at)}")
    lines.append(f"  decided {_when(lineage.decision.at)}: {lineage.decision.id}")
    lines += [f"    not: {a.what}, since {a.why}" for a in lineage.decision.refused]
    return lines


def _data(lineage: Lineage) -> list[str]:
    decision, run = lineage.decision, lineage.run
    if not isinstance(decision, Retrain) or run is None:
        return []
    plan, snapshot = decision.plan, lineage.version.snapshot
    trained = next((step for step in run.steps if step.name == "train"), None)
    digest = "" if snapshot is None else f"snapshot {snapshot[:16]}…, "
    chosen = "" if trained is None else f" ({trained.decided})"
    return [
        "trained on",
        f"  {digest}{plan.rule}{chosen}",
        f"  first judged on rows {plan.holdout.start} to {plan.holdout.stop}, never trained on",
    ]


def _judged(version: ModelVersion) -> list[str]:
    lines = ["measured on rows it was not trained on"]
    lines += [f"  {_measured(m)}" for m in version.baseline]
    verdict = version.verdict
    if verdict is None:
        return lines
    lines.append(f"gate {verdict.gate}: {verdict.outcome}")
    lines.append(f"  {verdict.reason}")
    if verdict.evidence is not None:
        lines.append(f"  e-value {verdict.evidence:.4g} on {verdict.n} paired rows")
    return lines


def _measured(m: Measurement) -> str:
    value = "undefined" if m.value is None else f"{m.value:.4g}"
    spread = "" if m.stderr is None else f" ± {m.stderr:.2g}"
    return f"{m.metric} {value}{spread} on {m.n} rows"


def _reason(event: Event) -> str:
    parts = [f"{key} {value}" for key, value in event.data.items() if key != "decision"]
    return ", ".join(parts)


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
