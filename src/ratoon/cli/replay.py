"""`ratoon replay`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ratoon.cli import decisions, showing
from ratoon.cli.common import Common
from ratoon.cli.histories import Log, LogPath, progress_of, subject
from ratoon.cli.opening import aside
from ratoon.cli.showing import Column
from ratoon.core.errors import SettingInvalid

if TYPE_CHECKING:
    from ratoon.engine import Loop, ReplayReport
    from ratoon.engine.frontier import Stretch

_GAP = 2  # blanks between two columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Trying:
    """Which policies are tried, at what price, and where the page goes."""

    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="POLICY",
            help="never, loop, every:30d, worth:200, …, or a trigger as Python writes it; may be "
            "repeated.  [default: never and loop]",
        ),
    ] = None
    retrain_cost: Annotated[
        float, typer.Option(metavar="COST", help="What a fit costs, in summed losses.")
    ] = 0.0
    training_takes: Annotated[
        str,
        typer.Option(metavar="TIME", help="How long a run trains before its challenger exists."),
    ] = "0s"
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page, which loads nothing.")
    ] = None


def replay(
    app: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:LOOP", help="The loop's definition; or LOG alone, for a usual model."
        ),
    ],
    log: LogPath = None,
    *,
    trying: Trying,
    reading: Log,
    common: Common,
) -> None:
    """Try policies on a past log: retrainings, cost and gain.

    What is replayed is what would run: the same code decides, in virtual time, and labels come
    as late as they came. Nothing is stored. 'loop' is the loop as it is defined, 'never' keeps
    its first model, 'every:30d' retrains by the calendar and promotes without a test, 'worth:200'
    retrains where that saves what it costs; 'degraded:0.1', 'drift', 'data-drift', 'labels:1000'
    and 'cron:0 3 * * MON' are known too, and any trigger such as 'Drift() | Every(days=90)'.
    Besides the figures it says which policy costs least and how sure that is. A log alone is
    replayed with a model of scikit-learn, where 'loop' is Ratoon's usual policy.

    Example:
        ratoon replay fraud_app:loop log.parquet --target fraud --time at --label-delay 7d
        ratoon replay fraud_app:loop log.csv --target fraud --policy loop --policy every:30d
        ratoon replay fraud_app:loop --policy never --policy worth:200 --retrain-cost 200
        ratoon replay log.csv --target fraud --time at --html replay.html
    """
    from ratoon.engine import replay as run  # noqa: PLC0415 - slow to import

    names = list(dict.fromkeys(trying.policy or ("never", "loop")))
    with aside():
        loop, history = subject(app, log, reading, common)
        policies = {name: _policy(loop, name) for name in names}
        with progress_of(names) as progress:
            report = run(
                policies,
                history,
                retrain_cost=trying.retrain_cost,
                training_takes=trying.training_takes,
                progress=progress,
            )
    if trying.html is not None:
        report.save(trying.html)
    if common.json:
        showing.print_json(_record(report))
    else:
        _show(report, trying)


def _policy(loop: Loop, name: str) -> Loop:
    """Return the loop with the policy that `name` tells."""
    from ratoon.engine.naming_policies import policy_named  # noqa: PLC0415 - slow to import

    try:
        return policy_named(name, loop)
    except SettingInvalid as error:
        raise typer.BadParameter(error.fact, param_hint="--policy") from error


def _record(report: ReplayReport) -> Mapping[str, object]:
    found = dict(report.record())
    policies = cast("Mapping[str, Mapping[str, Any]]", found["policies"])
    made = {row.name: [decisions.record(d) for d in row.decisions] for row in report.rows}
    found["policies"] = {
        name: {**figures, "decisions": made[name]} for name, figures in policies.items()
    }
    return found


def _show(report: ReplayReport, trying: Trying) -> None:
    """Print the figures, what they advise, and who is cheapest at which price."""
    _show_figures(report)
    if len(report.rows) > 1:
        showing.say("")
        showing.say(report.advice())
    if len(report.cheapest) > 1:
        showing.say("\nThe cheapest, by what a fit costs:")
        for one in report.cheapest:
            showing.say(f"  {_prices(one)}: {one.name}")
    if trying.html is not None:
        showing.say(f"\nThe page: {trying.html}")


def _prices(one: Stretch) -> str:
    low = f"{one.low:,.4g}"
    return f"from {low} on" if one.high is None else f"{low} to {one.high:,.4g}"


def _show_figures(report: ReplayReport) -> None:
    """Print a column a policy, so that all figures fit; a row a policy where these are many."""
    metrics = {name: None for row in report.rows for name in row.loss}
    rows = report.rows
    figures = {m: [showing.number(row.loss.get(m)) for row in rows] for m in metrics}
    figures |= {
        "retrainings": [str(row.retrainings) for row in rows],
        "fits": [str(row.fits) for row in rows],
        "refused": [str(row.refused) for row in rows],
        "failed": [str(row.failed) for row in rows],
        "rollbacks": [str(row.rollbacks) for row in rows],
    }
    if report.comparable:
        regret = report.regret
        figures["cost"] = [f"{row.cost:,.5g}" for row in rows]
        figures["regret"] = [f"{regret[row.name]:,.4g}" for row in rows]
    widths = [max(len(row.name), 6) + _GAP for row in rows]
    if sum(widths) + max(map(len, figures)) <= showing.console().width:
        names = [Column(name=""), *(Column(name=row.name, numeric=True) for row in rows)]
        showing.print_table(names, [(n, *found) for n, found in figures.items()], empty="")
        return
    kept = [n for n in figures if n not in list(metrics)[1:] and n != "failed"]
    names = [Column(name="policy"), *(Column(name=n, numeric=True) for n in kept)]
    lines = [(row.name, *(figures[n][k] for n in kept)) for k, row in enumerate(rows)]
    showing.print_table(names, lines, empty="")
