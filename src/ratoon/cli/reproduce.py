"""`ratoon reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ratoon.cli import showing
from ratoon.cli.common import Common, LoopName
from ratoon.cli.opening import aside, defined, opened
from ratoon.cli.runs import found
from ratoon.cli.showing import Column

if TYPE_CHECKING:
    from ratoon.core.running import Run
    from ratoon.engine.reproducing import Reproduction


def reproduce(
    loop: LoopName,
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run's id; its first letters do.")],
    app: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:LOOP", help="The loop's definition, whose trainer trains again."
        ),
    ],
    *,
    common: Common,
) -> None:
    """Train again what a run trained, and compare the two models.

    The same rows are read again, by their numbers, and must have the digest that they had. The
    answers of both models to the same probe rows are compared. Nothing is stored, and a running
    loop goes on. The exit code is 0 where the answers are the same to the last bit, else 1. A
    trainer that draws chance without a seed comes to another model each time. Where rows were
    erased since (`ratoon data forget`) it trains on those that are left, says how many are gone,
    and the exit code is 1: it is another training.

    Example:
        ratoon reproduce fraud run-6qig fraud_app:loop
        ratoon reproduce fraud run-6qig fraud_app:loop --json | jq .largest_difference
    """
    from ratoon.engine import Records  # noqa: PLC0415 - slow to import
    from ratoon.engine.reproducing import reproduce as again  # noqa: PLC0415

    definition = defined(app, loop, common.home)
    with opened(common.home or Path(definition.home), loop) as store:
        run = found(Records(store, loop), loop, run_id)
        with aside(), showing.working(f"training again what {run.id} trained{_took(run)}"):
            result = again(store, definition.trainer, run.id)
    if common.json:
        showing.print_json({"loop": loop, "same": result.same, **showing.plain(result)})
    else:
        _tell(loop, result)
    if not result.same:
        raise typer.Exit(1)


def _took(run: Run) -> str:
    """Say how long it took the first time."""
    ended = {step.name: step.ended_at for step in run.steps}
    if "prepare" not in ended or "train" not in ended:
        return ""
    seconds = (ended["train"] - ended["prepare"]).total_seconds()
    return f" (the first time it took {seconds:,.0f} s)"


def _tell(loop: str, result: Reproduction) -> None:
    showing.say(_verdict(result))
    showing.say("")
    showing.print_facts(
        {
            "run": result.run_id,
            "version": "none" if result.version is None else f"{loop}@{result.version}",
            "snapshot": f"{showing.short(result.snapshot)}, {_rows(result)}",
            "model": "the same bytes" if result.same_bytes else "other bytes",
            "answers": _answers(result),
            "trainer": _code(result),
            "libraries": "other versions, see below" if result.environment else "the same versions",
        }
    )
    if result.environment:
        showing.say("")
        columns = (Column(name="Library"), Column(name="Then"), Column(name="Now"))
        lines = [
            (name, str(then or "none"), str(now or "none"))
            for name, (then, now) in result.environment.items()
        ]
        showing.print_table(columns, lines, empty="")


def _rows(result: Reproduction) -> str:
    if not result.erased:
        return showing.counted(result.rows, "row")
    whole = showing.counted(result.rows + result.erased, "row")
    return f"{whole}, of which {result.erased:,} erased since"


def _verdict(result: Reproduction) -> str:
    if result.erased:
        gone = "1 of its rows was" if result.erased == 1 else f"{result.erased:,} of its rows were"
        return f"Cannot be reproduced: {gone} erased since, so this is another training."
    if result.same_bytes:
        return "Reproduced: the same model, to the byte."
    if result.same:
        return "Reproduced: the same answers, though the bytes of the model differ."
    if result.largest_difference is None:
        return "Not reproduced: another model, whose answers cannot be compared."
    return "Not reproduced: the answers differ."


def _answers(result: Reproduction) -> str:
    if result.largest_difference is None:
        gone = result.erased and not result.probed
        return "all probe rows are erased" if gone else "not recorded then, or of another shape"
    rows = showing.counted(result.probed, "probe row") + (" that are left" * bool(result.erased))
    if result.largest_difference == 0:
        return f"the same on {rows}"
    return f"differ by up to {showing.number(result.largest_difference)} on {rows}"


def _code(result: Reproduction) -> str:
    match result.code_changed:
        case None:
            return "its source is not known"
        case True:
            return "its source has changed"
        case False:
            return "the same source"
