"""Orders of the policy become records: runs, versions, aliases."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ratoon.core import wire
from ratoon.core.running import Run
from ratoon.core.versions import Alias, Artifact, ModelVersion, Verdict
from ratoon.core.wire import Json, to_json
from ratoon.engine import steps
from ratoon.policies.turn import Fail, Judge, Order, Promote, Register, Restore, Settle, Train
from ratoon.stores.protocol import Kept, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What orders change in the records."""

    runs: dict[str, Run] = field(default_factory=dict[str, Run])
    versions: tuple[Kept, ...] = ()
    aliases: dict[Alias, int | None] = field(default_factory=dict["Alias", "int | None"])


def carried_out(store: Store, loop: str, at: datetime, orders: tuple[Order, ...]) -> Changes:
    """Return the records that follow from `orders`."""
    champion = store.alias("champion") if orders else None
    changes = Changes()
    for order in orders:
        if order.run_id is not None and order.run_id not in changes.runs:
            run = store.run(order.run_id)
            changes.runs.update({} if run is None else {run.id: run})
        changes = _one(changes, (loop, at, champion), order)
        if isinstance(order, Promote):
            changes = replace(changes, versions=_with_verdict(store, changes.versions, order))
    return changes


def _with_verdict(store: Store, versions: tuple[Kept, ...], order: Promote) -> tuple[Kept, ...]:
    """Let the version that is promoted carry the verdict that promoted it."""
    made = next((k for k in versions if k.version.number == order.version), None)
    kept = made or store.version(order.version)
    if kept is None:
        return versions
    passed = replace(kept, version=replace(kept.version, verdict=order.verdict))
    return (*(k for k in versions if k is not made), passed)


def _one(changes: Changes, where: tuple[str, datetime, int | None], order: Order) -> Changes:
    loop, at, champion = where
    runs, aliases = dict(changes.runs), dict(changes.aliases)
    versions = changes.versions
    match order:
        case Train():
            runs[order.run_id] = Run(
                id=order.run_id,
                loop=loop,
                decision_id=order.decision.id,
                status="running",
                started_at=at,
            )
        case Fail():
            runs[order.run_id] = steps.ended(runs[order.run_id], "failed", order.error)
        case Judge():
            runs[order.run_id] = _judged(runs[order.run_id], at, order.verdict)
            if order.verdict.outcome == "fail":
                aliases["challenger"] = None
        case Register():
            version = _version(runs[order.run_id], at, champion, order)
            versions = (*versions, Kept(version=version, standing=wire.dumps(order.standing)))
            runs[order.run_id] = _registered(runs[order.run_id], at, order)
            aliases["challenger"] = version.number
        case Promote():
            aliases["champion"], aliases["challenger"] = order.version, None
            moved = steps.done(
                runs[order.run_id], "roll out", at, at, wrote={"champion": order.version}
            )
            runs[order.run_id] = steps.ended(moved, "watching" if champion else "settled")
        case Restore():
            aliases["champion"], aliases["challenger"] = order.version, None
            if order.run_id is not None:
                run = steps.done(
                    runs[order.run_id], "watch", at, at, decided=f"roll back to {order.version}"
                )
                runs[run.id] = steps.ended(run, "rolled back")
        case Settle():
            read: dict[str, Json] = {"rows": order.rows}
            run = steps.done(runs[order.run_id], "watch", at, at, read=read)
            gained: dict[str, Json] = {"gain": order.gain}
            run = steps.done(run, "settle", at, at, wrote=gained)
            runs[run.id] = steps.ended(run, "settled")
    return Changes(runs=runs, versions=versions, aliases=aliases)


def _judged(run: Run, at: datetime, verdict: Verdict) -> Run:
    run = steps.done(
        run,
        "gate",
        at,
        at,
        read={"rows": verdict.n},
        wrote={"verdict": to_json(verdict)},
        decided=f"{verdict.outcome}: {verdict.reason}",
    )
    return steps.ended(run, "refused", verdict.reason) if verdict.outcome == "fail" else run


def _registered(run: Run, at: datetime, order: Register) -> Run:
    run = _judged(run, at, order.verdict)
    run = steps.done(run, "register", at, at, wrote={"version": order.standing.version})
    return replace(steps.ended(run, "testing"), version=order.standing.version)


def _version(run: Run, at: datetime, champion: int | None, order: Register) -> ModelVersion:
    artifact: Any = steps.wrote(run, "train", "artifact")
    return ModelVersion(
        loop=run.loop,
        number=order.standing.version,
        created_at=at,
        artifact=wire.from_json(Artifact, artifact),
        snapshot=steps.wrote(run, "train", "snapshot"),
        run_id=run.id,
        parent=champion,
        baseline=order.standing.baseline,
        verdict=order.verdict,
        environment=steps.wrote(run, "train", "environment") or {},
        code=steps.wrote(run, "train", "code"),
    )
