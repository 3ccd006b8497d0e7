"""`ratoon data prune`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ratoon.cli import showing
from ratoon.cli.common import Common, LoopName
from ratoon.cli.data import looking
from ratoon.cli.opening import held, opened

if TYPE_CHECKING:
    from ratoon.engine.data import Data


def prune(
    loop: LoopName,
    age: Annotated[
        str | None, typer.Option(metavar="TIME", help="Rows older than this may go, such as 400d.")
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="The oldest rows beyond N predictions may go."),
    ] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would go, and remove nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    common: Common,
) -> None:
    """Remove old rows, but never what is still needed.

    What a version was trained on stays, and so does what the loop still looks at. A file less than
    a quarter of which may go stays whole. Predictions go with their labels. No other process may
    run the loop meanwhile; --dry-run only looks.

    Example:
        ratoon data prune fraud --age 400d --dry-run
        ratoon data prune fraud --age 400d --rows 50000000 --yes --json
    """
    if age is None and rows is None:
        raise typer.BadParameter("they say what may go", param_hint="--age or --rows")
    with (opened if dry_run else held)(common.folder, loop) as store:
        data = looking.data_of(store, loop)
        if not yes and not dry_run:
            _ask(data, age, rows)
        with showing.working("looking for rows that may go"):
            gone = data.prune(age=age, rows=rows, dry_run=dry_run)
        left = store.counts().predictions
    if common.json:
        showing.print_json({"loop": loop, "removed": gone, "dry_run": dry_run})
        return
    verb = "would be removed" if dry_run else "removed"
    showing.say(f"{showing.counted(gone, 'row')} {verb}.")
    if not gone:
        showing.say(_NOTHING if left else "There is no row yet.")


_NOTHING = (
    "All rows are new enough, or needed: what versions were trained on, and what the loop still "
    "looks at; or few among many that are."
)


def _ask(data: Data, age: str | None, rows: int | None) -> None:
    """Say what would be removed, and ask."""
    would = data.prune(age=age, rows=rows, dry_run=True)
    typer.confirm(f"Remove for good {showing.counted(would, 'row')}?", abort=True, err=True)
