"""`ratoon runs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ratoon.cli import showing
from ratoon.cli.common import Common, Limit, LoopName
from ratoon.cli.opening import recorded
from ratoon.cli.showing import Column
from ratoon.core.errors import RatoonError

if TYPE_CHECKING:
    from ratoon.core.deciding import Decision
    from ratoon.core.running import Run, Step
    from ratoon.engine import Records


def runs(
    loop: LoopName,
    run_id: Annotated[
        str | None,
        typer.Argument(metavar="RUN_ID", help="One run, with its steps; its first letters do."),
    ] = None,
    limit: Limit = 50,
    *,
    common: Common,
) -> None:
    """List the runs, or show the steps of one.

    The newest stands last. A run carries out one decision to retrain. Each step tells what it
    read, wrote and decided.

    Example:
        ratoon runs fraud
        ratoon runs fraud run-6qig
    """
    with recorded(common.folder, loop) as records:
        if run_id is not None:
            _one(common, found(records, loop, run_id), _causes(records.decisions()))
            return
        shown, causes = records.runs()[-limit:], _causes(records.decisions())
    if common.json:
        showing.print_json(shown)
        return
    columns = (
        Column(name="Run, started (UTC)", whole=True),
        Column(name="Status", whole=True),
        Column(name="Why"),
    )
    lines = [_line(run, causes) for run in shown]
    showing.print_table(columns, lines, empty=f"{loop!r} had no run yet.")


def found(records: Records, loop: str, run_id: str) -> Run:
    """Return the one run whose id begins so."""
    fitting = [run for run in records.runs() if run.id.startswith(run_id)]
    exact = [run for run in fitting if run.id == run_id]
    if len(exact or fitting) == 1:
        return (exact or fitting)[0]
    fact = "several runs that begin with" if fitting else "no run"
    raise RatoonError(f"loop {loop!r} has {fact} {run_id!r}", hint=f"ratoon runs {loop}")


def _causes(decisions: Sequence[Decision]) -> Mapping[str, str]:
    """Return why each decision was made."""
    return {d.id: "; ".join(f"{c.trigger}: {c.reason}" for c in d.causes) for d in decisions}


def _line(run: Run, causes: Mapping[str, str]) -> tuple[str, ...]:
    version = "" if run.version is None else f"\n@{run.version}"
    why = causes.get(run.decision_id, "")
    if run.error:
        why = f"{why}\n{run.status}: {run.error}"
    return f"{run.id}\n{showing.when(run.started_at)}", run.status + version, why


def _one(common: Common, run: Run, causes: Mapping[str, str]) -> None:
    if common.json:
        showing.print_json(run)
        return
    facts = {
        "run": run.id,
        "status": run.status + (f": {run.error}" if run.error else ""),
        "started": showing.when(run.started_at),
        "version": "none" if run.version is None else f"{run.loop}@{run.version}",
        "because": causes.get(run.decision_id, ""),
        "decision": run.decision_id,
    }
    showing.print_facts(facts)
    showing.say("")
    columns = (
        Column(name="Step", whole=True),
        Column(name="Ended (UTC)", whole=True),
        Column(name="What"),
    )
    showing.print_table(columns, [_step(step) for step in run.steps], empty="No step is done yet.")


def _step(step: Step) -> tuple[str, str, str]:
    parts = (("read", step.read), ("wrote", step.wrote), ("decided", step.decided))
    lines = [f"{name}: {showing.told(what)}" for name, what in parts if what]
    return step.name, showing.when(step.ended_at), "\n".join(lines)
