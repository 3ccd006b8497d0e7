"""`ratoon data forget`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ratoon.cli import showing
from ratoon.cli.common import Common, LoopName, Reason
from ratoon.cli.data import looking
from ratoon.cli.data.blame import record, told
from ratoon.cli.data.looking import Ids, IdsFile
from ratoon.cli.opening import held
from ratoon.core.events import DATA_FORGOTTEN

if TYPE_CHECKING:
    from ratoon.engine.data import Touched
    from ratoon.stores.protocol import Forgotten


def forget(
    loop: LoopName,
    ids: Ids = None,
    ids_file: IdsFile = None,
    reason: Reason = "",
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    common: Common,
) -> None:
    """Erase rows for good, and list what was trained on them.

    Predictions, labels and feedback with these ids go from every file; rows of history too, which
    are called history-1-0, history-1-1, …, by their journal entry and their place in it. What was
    trained on them is listed; the models stay, as no model can be made to forget. Their
    snapshots keep their digests, which are of all rows, and say how many are gone. No other
    process may run the loop meanwhile.

    Example:
        ratoon data forget fraud --ids tx-17,tx-18 --reason "erasure request 42"
        ratoon data forget fraud --ids-file ids.txt --yes --json
    """
    named = looking.ids_of(ids, ids_file)
    if not named:
        raise typer.BadParameter("it names the rows to erase", param_hint="--ids or --ids-file")
    with held(common.folder, loop) as store:
        data = looking.data_of(store, loop)
        if not yes:
            _ask(loop, data.blame(named))
        with showing.working("erasing rows from every file"):
            gone, touched = data.forget(named, reason=reason)
    if common.json:
        showing.print_json({"loop": loop, "asked": len(named), "erased": gone, **_record(touched)})
        return
    _tell(loop, named, gone, touched)


def _ask(loop: str, touched: Touched) -> None:
    """Say what would be erased, and ask."""
    rows = showing.counted(len(touched.ids), "id")
    trained = looking.told_versions(loop, touched.versions)
    stay = f" {trained} were trained on them, and stay as they are." if touched.versions else ""
    question = f"Erase for good all rows of {rows} ({looking.told_ids(touched.ids)})?{stay}"
    typer.confirm(question, abort=True, err=True)


def _record(touched: Touched) -> dict[str, object]:
    found = record(touched)
    return {name: found[name] for name in ("snapshots", "runs", "versions")}


def _tell(loop: str, named: tuple[str, ...], gone: Forgotten, touched: Touched) -> None:
    unknown = len(named) - len(gone.ids)
    showing.say(
        f"Erased: {showing.counted(gone.rows, 'row')}, "
        f"{showing.counted(gone.labels, 'label')}, {gone.feedback:,} of feedback."
    )
    if unknown:
        showing.say(f"Of {showing.counted(unknown, 'id')} there was no row.")
    if not gone.ids:
        known = f"ratoon events {loop} --type {DATA_FORGOTTEN}"
        showing.say(f"What was erased before, and what was trained on it: {known}")
        return
    facts = told(loop, touched)
    showing.say("Trained on them, and kept:" if touched.runs else "No model was trained on them.")
    if touched.runs:
        showing.print_facts({name: facts[name] for name in ("snapshots", "runs", "versions")})
