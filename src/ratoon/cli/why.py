"""`ratoon why`."""

from __future__ import annotations

from ratoon.cli import showing
from ratoon.cli.common import Common, Model
from ratoon.cli.opening import named, recorded


def why(model: Model, *, common: Common) -> None:
    """Tell why a version is or was live: cause, data, evidence.

    Without a version it tells of the champion. With --json it prints the whole lineage: causes,
    events, decision, run with its steps, and the runs that were refused before it.

    Example:
        ratoon why fraud
        ratoon why fraud@3
    """
    loop = model.partition("@")[0]
    with recorded(common.folder, loop) as records:
        number = named(model, records)
        if common.json:
            showing.print_json(records.lineage(number))
        else:
            showing.say(records.why(number))
