"""`ratoon status`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ratoon.cli import showing
from ratoon.cli.common import Common
from ratoon.cli.opening import loops_in, opened
from ratoon.cli.showing import Column

if TYPE_CHECKING:
    from ratoon.core.versions import ModelVersion
    from ratoon.engine import Status

_LOOPS = (
    Column(name="Loop"),
    Column(name="Champion"),
    Column(name="Since (UTC)", whole=True),
    Column(name="Measured"),
    Column(name="Labelled", numeric=True),
    Column(name="Now", whole=True),
)
_METRICS = (
    Column(name="Metric"),
    Column(name="Now"),
    Column(name="At validation"),
    Column(name="Rows", numeric=True),
    Column(name="Until (UTC)", whole=True),
)


def status(
    loop: Annotated[str | None, typer.Argument(metavar="LOOP", help="One loop, in detail.")] = None,
    *,
    common: Common,
) -> None:
    """Show how all loops stand, or one of them in detail.

    In detail: the champion and since when, how much came in, how much of it is parked or set
    aside, the latest measurements with their standard errors, what the loop waits for, how its
    last run ended, and why rows do not reach the tables where that fails.

    Example:
        ratoon status
        ratoon status fraud
        ratoon status fraud --json | jq .champion.number
    """
    if loop is None:
        _all(common)
        return
    stands, rows = _look(common.folder, loop)
    if common.json:
        showing.print_json(_record(stands, rows))
    else:
        _detail(stands, rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """How the rows of a loop stand."""

    behind: int  # journal entries that the loop has not taken in
    set_aside: int  # labelled rows that no model is trained on until they are released
    refused: int  # rows of other processes that could not be taken in
    trouble: str | None  # why rows do not reach the tables


def _look(home: Path, loop: str) -> tuple[Status, _Rows]:
    """Return how a loop and its rows stand."""
    from ratoon.engine import Records  # noqa: PLC0415 - slow to import

    with opened(home, loop) as store:
        records = Records(store, loop)
        stands, state = records.status(), records.state()
        aside = [q for q in store.quarantined() if q.released_at is None]
        rows = _Rows(
            behind=store.last_seq() - store.saved().cursor + store.pending(),
            set_aside=sum(len(part) for q in aside for part in q.rows),
            refused=len(store.refused()),
            trouble=store.trouble,
        )
    reign = None if state is None else state.reign
    if reign is None or stands.champion is None:
        return stands, rows
    if reign.standing.version != stands.champion.number:  # a rollback that is not taken in yet
        stands = replace(stands, since=None, latest={})
    return stands, rows


def _record(stands: Status, rows: _Rows) -> dict[str, Any]:
    return {
        **showing.plain(stands),
        "not_taken_in": rows.behind,
        "set_aside": rows.set_aside,
        "rows_refused": rows.refused,
        "trouble": rows.trouble,
    }


def _all(common: Common) -> None:
    names = loops_in(common.folder)
    found = [_look(common.folder, name) for name in names]
    if common.json:
        showing.print_json([_record(stands, rows) for stands, rows in found])
    else:
        lines = [_line(stands, rows) for stands, rows in found]
        showing.print_table(_LOOPS, lines, empty=f"There is no loop in {common.folder} yet.")


def _line(stands: Status, rows: _Rows) -> tuple[str, ...]:
    first = next(iter(stands.latest.values()), None)
    return (
        stands.loop,
        "none" if stands.champion is None else f"@{stands.champion.number}",
        showing.when(stands.since),
        "" if first is None else f"{first.metric} {showing.measured(first)}",
        str(stands.counts.labelled),
        _now(stands, rows),
    )


def _now(stands: Status, rows: _Rows) -> str:
    """Say in a word or two what the loop is about."""
    if rows.trouble is not None:
        return "in trouble"
    if stands.run is not None and stands.run.status in ("running", "testing", "watching"):
        return stands.run.status
    return "waiting" if stands.waiting else "steady"


def _detail(stands: Status, rows: _Rows) -> None:
    counts, run = stands.counts, stands.run
    facts = {
        "loop": stands.loop,
        "champion": _champion(stands),
        "challenger": "none" if stands.challenger is None else _under_test(stands.challenger),
        "rows": f"{counts.predictions} predicted, {counts.labelled} labelled, "
        f"{counts.parked} labels parked, {counts.feedback} with feedback",
        "waits for": stands.waiting or "nothing",
        "last run": "none" if run is None else _ended(run.id, run.status, run.error),
        "so far": f"{stands.retrainings} retrainings, {stands.refused} refused, "
        f"{stands.rollbacks} rolled back",
    }
    if rows.behind:
        entries = showing.counted(rows.behind, "entry", "entries")
        facts["pending"] = f"{entries}, taken in at the loop's next call"
    if rows.set_aside or rows.refused:
        aside = f"{rows.set_aside:,} set aside, {rows.refused:,} refused"
        facts["not used"] = f"{aside}: see `ratoon data quarantine {stands.loop}`"
    if rows.trouble is not None:
        facts["trouble"] = f"rows wait for their tables, and are safe: {rows.trouble}"
    showing.print_facts(facts)
    if stands.latest:
        showing.say("")
        showing.print_table(_METRICS, _metrics(stands), empty="")


def _champion(stands: Status) -> str:
    if stands.champion is None:
        return "none yet"
    since = "" if stands.since is None else f", since {showing.when(stands.since)}"
    return f"{stands.loop}@{stands.champion.number}{since}"


def _under_test(version: ModelVersion) -> str:
    verdict = "" if version.verdict is None else f": {version.verdict.reason}"
    return f"{version.loop}@{version.number} is under test{verdict}"


def _ended(run_id: str, state: str, error: str | None) -> str:
    return f"{run_id}, {state}" + (f": {error}" if error else "")


def _metrics(stands: Status) -> list[tuple[str, ...]]:
    baseline = () if stands.champion is None else stands.champion.baseline
    before = {m.metric: showing.measured(m) for m in baseline}
    return [
        (
            m.metric,
            showing.measured(m),
            before.get(m.metric, ""),
            str(m.n),
            showing.when(m.window.end),
        )
        for m in stands.latest.values()
    ]
