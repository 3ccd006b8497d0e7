"""`ratoon monitor`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ratoon.cli import showing
from ratoon.cli.common import Common
from ratoon.cli.handing_in import rows_in
from ratoon.cli.progress import moving
from ratoon.cli.showing import Column

if TYPE_CHECKING:
    from ratoon.engine import Monitoring

_MOST = 20  # rows of a table


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Which column is what."""

    label: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="What was true.  [default: guessed]")
    ] = None
    output: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="What the model answered.")
    ] = None
    score: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="The probability of the second class, or one for each class; may be repeated.",
        ),
    ] = None
    time: Annotated[str | None, typer.Option(metavar="COLUMN", help="The event times.")] = None
    id: Annotated[str | None, typer.Option(metavar="COLUMN", help="The ids.")] = None
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Leave a column out. May be repeated."),
    ] = None

    def settings(self) -> dict[str, Any]:
        """Return what was given."""
        every = {
            "label": self.label,
            "output": self.output,
            "scores": self.score,
            "time": self.time,
            "id": self.id,
            "ignore": tuple(self.ignore or ()),
        }
        return {name: value for name, value in every.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """How it is looked at, and where the answer goes."""

    window: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH",
            help="A time (1d, 6h) or a number of rows.  [default: at most 60 windows]",
        ),
    ] = None
    task: Annotated[
        str | None,
        typer.Option(metavar="TASK", help="binary, multiclass or regression.  [default: guessed]"),
    ] = None
    labels: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Labels in a file of their own: ids, and what was true."),
    ] = None
    together: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEST",
            help="Look at all features together: classifier, correlations, mmd, pca, or none; may "
            "be repeated.  [default: classifier, correlations]",
        ),
    ] = None
    query: Annotated[
        str | None, typer.Option(metavar="SQL", help="What to read, where LOG is a database.")
    ] = None
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page, which loads nothing.")
    ] = None
    fail_on_drift: Annotated[
        bool,
        typer.Option(
            "--fail-on-drift", help="Exit with 1 where something has drifted in the newest window."
        ),
    ] = False


def monitor(
    log: Annotated[
        str,
        typer.Argument(
            metavar="LOG",
            help="A file, a pattern, a Delta table, the URL of a database, or - for stdin.",
        ),
    ],
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="REF",
            help="The same: training rows, or a good month.  [default: the first fifth of LOG]",
        ),
    ] = None,
    *,
    named: Named,
    watching: Watching,
    common: Common,
) -> None:
    """Compare any log with a reference: drift, performance, slices.

    No loop is needed. Each column of the log is compared with the reference, window by window; a
    drift is large enough to matter, and more than chance over all columns. Where there are labels
    the model is measured, where they lack its metrics are estimated from its scores. What was
    guessed is said under 'Notes'. The exit code is 0, also where something has drifted; with
    --fail-on-drift it is 1 then.

    Example:
        ratoon monitor july.parquet --reference training.parquet
        ratoon monitor log.csv --window 1d --time at --label fraud --score p --html monitor.html
        ratoon monitor log.parquet --labels labels.csv --id prediction_id
        ratoon monitor 'logs/*.parquet' --reference ref.parquet --fail-on-drift
        ratoon monitor log.parquet --json | jq '.drifts[].column'
    """
    from ratoon.engine import monitor as run  # noqa: PLC0415 - slow to import

    settings = named.settings() | _how(watching)
    with moving(f"reading {Path(log).name}", "rows", lambda: rows_in(log)) as moved:
        found = run(log, reference, labels=watching.labels, progress=moved, **settings)
    if watching.html is not None:
        found.save(watching.html)
    if common.json:
        showing.print_json(found.to_json())
    else:
        _show(found, watching)
    if watching.fail_on_drift and found.drifted:
        raise typer.Exit(1)


def _how(watching: Watching) -> dict[str, Any]:
    found: dict[str, Any] = {"task": watching.task, "query": watching.query}
    if watching.together:
        found["joint"] = tuple(name for name in watching.together if name != "none")
    if watching.window is not None:
        rows = watching.window.replace("_", "")
        found["window"] = int(rows) if rows.isdigit() else watching.window
    return {name: value for name, value in found.items() if value is not None}


def _show(found: Monitoring, watching: Watching) -> None:
    """Print what was found: a sentence, then tables, then notes."""
    from ratoon.monitors.telling import headline, summary  # noqa: PLC0415 - slow to import

    showing.say(headline(found), style="bold")
    showing.say(summary(found))
    _show_drifts(found)
    _show_metrics(found)
    _show_slices(found)
    if found.notes:
        showing.say("\nNotes")
        for note in found.notes:
            showing.say(f"  - {note}")
    if watching.html is not None:
        showing.say(f"\nThe page: {watching.html}")


def _show_drifts(found: Monitoring) -> None:
    from ratoon.monitors.telling import because, together  # noqa: PLC0415 - slow to import

    names = ("Column", "Is", "What has changed", "How much", "Windows", "Since")
    columns = [
        Column(name=name, numeric=name == "Windows", whole=name == "Since") for name in names
    ]
    for drifts, title in ((found.now, "Drift now"), (found.past, "Drift in earlier windows")):
        if not drifts:
            continue
        changes = [d.newest if d.now else d.strongest for d in drifts]
        rows = [
            (
                change.column,
                found.roles.get(change.column, "input"),
                change.aspect,
                because(change),
                f"{drift.windows:,}",
                (found.since(drift) or "") if drift.now else "",
            )
            for drift, change in zip(drifts, changes, strict=True)
        ]
        showing.say(f"\n{title}" + _more(len(rows)))
        showing.print_table(columns, rows[:_MOST], empty="")
    if found.together:
        showing.say("\nDrift of several columns together" + _more(len(found.together)))
        for one in found.together[:_MOST]:
            showing.say(f"  {together(one)}")


def _show_metrics(found: Monitoring) -> None:
    from ratoon.monitors.telling import band, valued  # noqa: PLC0415 - slow to import

    known = [m for m in found.metrics if m.newest is not None]
    if known:
        showing.say(f"\nPerformance in {known[0].window}, the newest window whose labels are in")
        rows = [
            (
                m.name,
                "" if m.newest is None else valued(m.newest),
                "" if m.before is None else valued(m.before),
                "worse" if m.worse else "better" if m.better else "",
            )
            for m in known
        ]
        names = ("Metric", "Now (95 % interval)", "On the reference", "")
        showing.print_table([Column(name=name) for name in names], rows, empty="")
    waiting = [window for window in found.windows if window.estimates]
    if waiting:
        showing.say(f"\nEstimated for {waiting[-1].name}, whose labels are not in")
        lines = [(e.measurement.metric, band(e)) for e in waiting[-1].estimates]
        showing.print_table([Column(name="Metric"), Column(name="Estimate")], lines, empty="")


def _show_slices(found: Monitoring) -> None:
    from ratoon.monitors.telling import valued  # noqa: PLC0415 - slow to import

    if not found.slices:
        return
    showing.say("\nSlices where the model is surely worse" + _more(len(found.slices)))
    rows = [
        (
            str(seen.finding.slice),
            f"{seen.finding.measurement.metric} {valued(seen.finding.measurement)}",
            "" if seen.before is None else showing.number(seen.before.value),
            f"{100 * seen.finding.share:.3g} %",
        )
        for seen in found.slices[:_MOST]
    ]
    names = ("Slice", "Now (95 % interval)", "On the reference", "Of the rows")
    showing.print_table([Column(name=name) for name in names], rows, empty="")


def _more(count: int) -> str:
    return f" (the first {_MOST} of {count:,})" if count > _MOST else ""
