"""`ratoon replay`."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ratoon.cli import decisions, showing
from ratoon.cli.common import Common
from ratoon.cli.opening import aside, loop_at, opened
from ratoon.cli.showing import Column

if TYPE_CHECKING:
    from ratoon.engine import History, Loop, Outcome, ReplayReport
    from ratoon.engine.replay import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """How a log is read."""

    target: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of labels.")] = (
        None
    )
    time: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column of event times.")
    ] = None
    label_delay: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="How much later labels come: 6h, 7d.  [default: 1d]"),
    ] = None
    first: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="The rows to begin with.  [default: 0.1]"),
    ] = None

    def settings(self) -> dict[str, Any]:
        """Return what was given."""
        every = {
            "target": self.target,
            "time": self.time,
            "label_delay": self.label_delay,
            "first": self.first,
        }
        return {name: value for name, value in every.items() if value is not None}


def replay(
    app: Annotated[str, typer.Argument(metavar="MODULE:LOOP", help="The loop's definition.")],
    log: Annotated[
        Path | None,
        typer.Argument(
            metavar="LOG",
            help="A .parquet, .csv or .arrow file, or a folder with data.parquet and meta.json.  "
            "[default: what the loop itself has recorded]",
        ),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="POLICY",
            help="never, loop, or every:30d; may be repeated.  [default: never and loop]",
        ),
    ] = None,
    retrain_cost: Annotated[
        float, typer.Option(metavar="COST", help="What a fit costs, in summed losses.")
    ] = 0.0,
    *,
    reading: Log,
    common: Common,
) -> None:
    """Try policies on a past log: retrainings, cost and gain.

    What is replayed is what would run: the same code decides, in virtual time, and labels come
    as late as they came. Nothing is stored. 'loop' is the loop as it is defined, 'never' keeps
    its first model, and 'every:30d' retrains by the calendar and promotes without a test.

    Example:
        ratoon replay fraud_app:loop log.parquet --target fraud --time at --label-delay 7d
        ratoon replay fraud_app:loop log.csv --target fraud --policy loop --policy every:30d
        ratoon replay fraud_app:loop
    """
    from ratoon.engine import replay as run  # noqa: PLC0415 - slow to import

    loop = loop_at(app)
    policies = {name: _policy(loop, name) for name in policy or ("never", "loop")}
    history = _history(loop, log, reading, common)
    with aside(), _progress() as progress:
        report = run(policies, history, retrain_cost=retrain_cost, progress=progress)
    if common.json:
        showing.print_json(_record(report))
    else:
        _show(report)


def _policy(loop: Loop, name: str) -> Loop:
    """Return the loop with the policy that `name` tells."""
    from ratoon.gates import Untested  # noqa: PLC0415 - slow to import
    from ratoon.triggers import Every, Never  # noqa: PLC0415

    match name.split(":", 1):
        case ["loop"]:
            return loop
        case ["never"]:
            return loop.settings(retrain_when=Never())
        case ["every", interval]:
            return loop.settings(retrain_when=Every(interval), accept_if=Untested())
        case _:
            rule = f"{name!r} is none of 'never', 'loop' and 'every:30d'"
            raise typer.BadParameter(rule, param_hint="--policy")


def _history(loop: Loop, log: Path | None, reading: Log, common: Common) -> History:
    from ratoon.engine import History  # noqa: PLC0415 - slow to import

    if log is None:
        home = common.home or Path(loop.home)
        with opened(home, loop.name) as store:
            return History.of_store(store, loop.name)
    if not log.exists():
        raise typer.BadParameter(f"there is no {str(log)!r}", param_hint="LOG")
    if reading.target is None and not log.is_dir():
        raise typer.BadParameter("it names the column of labels in LOG", param_hint="--target")
    return History.read(log, **reading.settings())


@contextmanager
def _progress() -> Generator[Progress | None]:
    """Show on stderr how far each policy is, where there is a terminal."""
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.progress import Progress, TaskID  # noqa: PLC0415

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    with Progress(console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(name: str, done: int, of: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=of)
            bars.update(tasks[name], completed=done)

        yield show


def _record(report: ReplayReport) -> Mapping[str, object]:
    policies = {row.name: {**row.record(), "decisions": _decisions(row)} for row in report.rows}
    return {
        "history": report.history,
        "retrain_cost": report.retrain_cost,
        "policies": policies,
    }


def _decisions(row: Outcome) -> list[dict[str, Any]]:
    return [decisions.record(decision) for decision in row.decisions]


def _show(report: ReplayReport) -> None:
    """Print a column a policy: however many figures there are, they fit."""
    columns = [Column(name=""), *(Column(name=row.name, numeric=True) for row in report.rows)]
    metrics = {name: None for row in report.rows for name in row.loss}
    figures = {m: [showing.number(row.loss.get(m)) for row in report.rows] for m in metrics}
    figures |= {
        "retrainings": [str(row.retrainings) for row in report.rows],
        "refused": [str(row.refused) for row in report.rows],
        "failed": [str(row.failed) for row in report.rows],
        "rollbacks": [str(row.rollbacks) for row in report.rows],
        "cost": [f"{row.cost:,.5g}" for row in report.rows],
    }
    showing.print_table(columns, [(name, *found) for name, found in figures.items()], empty="")
