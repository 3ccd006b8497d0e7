"""`ratoon data release`."""

from __future__ import annotations

from typing import Annotated

import typer

from ratoon.cli import showing
from ratoon.cli.common import By, Common, LoopName
from ratoon.cli.data import looking
from ratoon.cli.data.quarantine import found
from ratoon.cli.opening import asker, held


def release(
    loop: LoopName,
    quarantine_id: Annotated[
        str, typer.Argument(metavar="ID", help="What was set aside; its first letters do.")
    ],
    by: By = None,
    *,
    common: Common,
) -> None:
    """Let rows that were set aside be trained on again.

    No other process may run the loop meanwhile.

    Example:
        ratoon data release fraud quarantine-4hx2 --by Ana
    """
    with held(common.folder, loop) as store:
        data = looking.data_of(store, loop)
        batch = found(data.quarantined(), quarantine_id)
        again = batch.released_at is not None
        batch = batch if again else data.release(batch.id, by=asker(by))
    if common.json:
        showing.print_json(batch)
        return
    rows = showing.counted(sum(map(len, batch.rows)), "row")
    if again:
        showing.say(f"{batch.id} was released before, by {batch.released_by}.")
    else:
        showing.say(f"{batch.id} is released: {rows} may be trained on again.")
