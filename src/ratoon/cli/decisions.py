"""`ratoon decisions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ratoon.cli import showing
from ratoon.cli.common import Common, Limit, LoopName
from ratoon.cli.opening import recorded
from ratoon.cli.showing import WHEN, Column

if TYPE_CHECKING:
    from ratoon.core.deciding import Decision


def decisions(loop: LoopName, limit: Limit = 50, *, common: Common) -> None:
    """List what was decided, and what was refused instead.

    A decision is to retrain, to wait, to hold or to roll back, and has its causes. The newest
    stands last.

    Example:
        ratoon decisions fraud
        ratoon decisions fraud --limit 1 --json
    """
    with recorded(common.folder, loop) as records:
        found = records.decisions()[-limit:]
    if common.json:
        showing.print_json([record(decision) for decision in found])
        return
    columns = (
        WHEN,
        Column(name="Decision", whole=True),
        Column(name="Because"),
        Column(name="What follows"),
    )
    lines = [_line(decision) for decision in found]
    showing.print_table(columns, lines, empty=f"Nothing was decided yet for {loop!r}.")


def kind(decision: Decision) -> str:
    """Name what was decided."""
    name = type(decision).__name__.lower()
    return "roll back" if name == "rollback" else name


def record(decision: Decision) -> dict[str, Any]:
    """Return a decision as JSON, with its kind."""
    return {"decision": kind(decision), **showing.plain(decision)}


def _line(decision: Decision) -> tuple[str, ...]:
    because = "\n".join(f"{cause.trigger}: {cause.reason}" for cause in decision.causes)
    lines = [told(decision)]
    lines += [f"not {other.what}: {other.why}" for other in _refused(decision)]
    return showing.when(decision.at), kind(decision), because, "\n".join(lines)


def _refused(decision: Decision) -> list[Any]:
    """Return the alternatives whose reason is not the decision's own."""
    reason = getattr(decision, "reason", None)
    return [other for other in decision.refused if other.why != reason]


def told(decision: Decision) -> str:
    """Say what a decision does, and why where its causes do not tell."""
    from ratoon.core.deciding import Retrain, Rollback  # noqa: PLC0415

    match decision:
        case Retrain(plan=plan):
            train, held = plan.train, plan.holdout
            rows = f"rows {train.start} to {train.stop}, judged on {held.start} to {held.stop}"
            return f"{plan.rule}: {rows}"
        case Rollback(to=to, leaves=leaves):
            return f"from version {leaves} to {to}"
        case _:
            return decision.reason
