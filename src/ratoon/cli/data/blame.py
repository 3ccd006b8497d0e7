"""`ratoon data blame`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ratoon.cli import showing
from ratoon.cli.common import Common, LoopName
from ratoon.cli.data import looking
from ratoon.cli.data.looking import Ids, IdsFile
from ratoon.cli.opening import opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ratoon.engine.data import Touched

_SHOWN = 10  # measurements, runs or snapshots that are told one by one


def blame(
    loop: LoopName,
    entry: Annotated[
        int | None,
        typer.Argument(
            metavar="ENTRY",
            min=1,
            help="A batch as it came: its number is the column seq of `ratoon data sql`.",
        ),
    ] = None,
    ids: Ids = None,
    ids_file: IdsFile = None,
    *,
    common: Common,
) -> None:
    """Tell what a batch of rows has touched.

    These are measurements, and the snapshots, runs and versions that rest on the rows.

    Example:
        ratoon data blame fraud 1207
        ratoon data blame fraud --ids tx-17,tx-18
    """
    named = looking.ids_of(ids, ids_file)
    if (entry is None) == (not named):
        raise typer.BadParameter("it is either ENTRY, or --ids and --ids-file", param_hint="ENTRY")
    with opened(common.folder, loop) as store:
        data = looking.data_of(store, loop)
        touched = data.blame(named) if entry is None else data.blame_entry(entry)
    if common.json:
        showing.print_json({"loop": loop, **record(touched)})
        return
    showing.print_facts({"rows": _rows(touched), **told(loop, touched)})


def record(touched: Touched) -> dict[str, object]:
    """Return what rows have touched as JSON."""
    return {
        "ids": touched.ids,
        "ordinals": touched.ordinals,
        "measurements": touched.measurements,
        "snapshots": [pin.digest for pin in touched.snapshots],
        "runs": [run.id for run in touched.runs],
        "versions": touched.versions,
    }


def told(loop: str, touched: Touched) -> Mapping[str, str]:
    """Write what rows have touched."""
    measured = [
        f"{m.metric} {showing.measured(m)} until {showing.when(m.window.end)}"
        for m in touched.measurements
    ]
    snapshots = [f"{showing.short(p.digest)}, {p.count:,} rows" for p in touched.snapshots]
    return {
        "labelled": looking.told_ranges(touched.ordinals),
        "measured": _first(measured),
        "snapshots": _first(snapshots),
        "runs": _first([f"{run.id}, {run.status}" for run in touched.runs]),
        "versions": looking.told_versions(loop, touched.versions),
    }


def _rows(touched: Touched) -> str:
    if not touched.ids:
        return f"{sum(map(len, touched.ordinals)):,} of history"
    return f"{len(touched.ids):,}: {looking.told_ids(touched.ids)}"


def _first(lines: list[str]) -> str:
    """Write the newest of many, a line each."""
    more = len(lines) - _SHOWN
    before = [f"{more:,} before, and"] if more > 0 else []
    return "\n".join(before + lines[-_SHOWN:]) or "none"
