"""`ratoon data quarantine`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ratoon.cli import showing
from ratoon.cli.common import Common, LoopName
from ratoon.cli.data import looking
from ratoon.cli.opening import opened
from ratoon.cli.showing import WHEN, Column
from ratoon.core.errors import RowsRefused

if TYPE_CHECKING:
    from ratoon.core.quarantine import Quarantined
    from ratoon.stores.local import LocalStore

_SHOWN = 50  # rows that were refused; --json has all of them


def quarantine(
    loop: LoopName,
    quarantine_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="One batch, with the ids of its rows.")
    ] = None,
    *,
    common: Common,
) -> None:
    """List rows that were set aside, and rows that were refused.

    What is set aside trains no model until it is released. Refused are rows that the loop knew
    with another content, or could not take in, when it came to them.

    Example:
        ratoon data quarantine fraud
        ratoon data quarantine fraud quarantine-4hx2 --json | jq -r '.ids[]'
    """
    with opened(common.folder, loop) as store:
        batches, refused = store.quarantined(), store.refused()
        if quarantine_id is not None:
            batch = found(batches, quarantine_id)
            _one(common, batch, _ids(common, store, batch))
            return
    if common.json:
        showing.print_json({"set_aside": batches, "refused": refused})
        return
    _tell_batches(batches)
    if refused:
        showing.say("")
        _tell_refused(refused)


def found(batches: Any, quarantine_id: str) -> Quarantined:
    """Return the one batch whose id begins so."""
    fitting = [one for one in batches if one.id.startswith(quarantine_id)]
    exact = [one for one in fitting if one.id == quarantine_id]
    if len(exact or fitting) == 1:
        return (exact or fitting)[0]
    fact = "several batches that begin with" if fitting else "no batch"
    hint = "ratoon data quarantine LOOP"
    raise RowsRefused(f"{fact} {quarantine_id!r} was set aside", hint=hint)


def _ids(common: Common, store: LocalStore, batch: Quarantined) -> list[str]:
    from ratoon.stores.asking_views import among  # noqa: PLC0415 - slow to import

    query = f"SELECT id FROM {among(batch.rows)} ORDER BY ordinal"  # noqa: S608 - numbers
    with looking.asked(common.folder, store) as asking:
        return [row["id"] for row in looking.rows(asking, query)]


def _one(common: Common, batch: Quarantined, ids: list[str]) -> None:
    if common.json:
        showing.print_json({**showing.plain(batch), "ids": ids})
        return
    showing.print_facts(
        {
            "set aside": batch.id,
            "when": showing.when(batch.at),
            "rows": f"{sum(map(len, batch.rows)):,}",
            "because": "\n".join(batch.reasons),
            "run": batch.run_id or "none",
            "released": _released(batch) or "no",
        }
    )
    showing.say("")
    for row_id in ids:
        showing.say(row_id)


def _released(batch: Quarantined) -> str:
    if batch.released_at is None:
        return ""
    by = f" by {batch.released_by}" if batch.released_by else ""
    return f"{showing.when(batch.released_at)}{by}"


def _tell_batches(batches: Any) -> None:
    columns = (
        Column(name="Set aside, when (UTC)", whole=True),
        Column(name="Rows", numeric=True),
        Column(name="Because"),
        Column(name="Released"),
    )
    lines = [
        (
            f"{batch.id}\n{showing.when(batch.at)}",
            f"{sum(map(len, batch.rows)):,}",
            "\n".join(batch.reasons),
            _released(batch),
        )
        for batch in batches
    ]
    showing.print_table(columns, lines, empty="No row was set aside.")


def _tell_refused(refused: Any) -> None:
    columns = (WHEN, Column(name="Refused"), Column(name="Why"))
    newest: list[Mapping[str, Any]] = list(refused)[-_SHOWN:]
    lines = [(_when(row), f"{row['kind']}\n{row['id']}", str(row["why"])) for row in newest]
    showing.print_table(columns, lines, empty="")
    if len(refused) > _SHOWN:
        showing.say(f"The newest {_SHOWN} of {len(refused):,}; --json has them all.")


def _when(row: Mapping[str, Any]) -> str:
    from datetime import datetime  # noqa: PLC0415 - only here

    return showing.when(datetime.fromisoformat(row["at"]))
