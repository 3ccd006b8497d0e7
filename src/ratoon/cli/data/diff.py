"""`ratoon data diff`."""

from __future__ import annotations

from typing import Annotated

import typer

from ratoon.cli import showing
from ratoon.cli.common import Common, LoopName
from ratoon.cli.data import looking
from ratoon.cli.opening import opened
from ratoon.cli.showing import Column


def diff(
    loop: LoopName,
    left: Annotated[str, typer.Argument(metavar="A", help="A snapshot's digest.")],
    right: Annotated[str, typer.Argument(metavar="B", help="Another one's.")],
    *,
    common: Common,
) -> None:
    """Compare two snapshots by their rows and columns.

    Rows are counted by their ordinals: a labelled row has one number for ever.

    Example:
        ratoon data diff fraud 3f2a 9c01
        ratoon data diff fraud 3f2a 9c01 --json | jq .only_right
    """
    with opened(common.folder, loop) as store:
        data, numbers = looking.data_of(store, loop), looking.versions_of(store)
        found = data.diff(left, right)
        pins = (data.pin(left), data.pin(right))
    if common.json:
        showing.print_json(found)
        return
    only = (found.only_left, found.only_right)
    facts = {
        "when": [showing.when(pin.at) for pin in pins],
        "version": [looking.told_versions(loop, numbers.get(pin.digest, [])) for pin in pins],
        "rows": [f"{pin.count:,}" for pin in pins],
        "only here": [f"{sum(map(len, ranges)):,}" for ranges in only],
        "ordinals": [looking.told_ranges(ranges) for ranges in only],
        "rule": [pin.plan.rule for pin in pins],
        "window": [looking.told_window(pin.window).replace(" to ", "\nto ") for pin in pins],
        "erased": [f"{pin.erased:,}" for pin in pins],
    }
    columns = (Column(name="", whole=True), *(Column(name=showing.short(p.digest)) for p in pins))
    showing.print_table(columns, [(name, *both) for name, both in facts.items()], empty="")
    showing.say("")
    showing.say(f"In both: {showing.counted(found.both, 'row')}.")
    for what, names in (
        (f"Columns only in {showing.short(found.left)}", found.columns_gone),
        (f"Columns only in {showing.short(found.right)}", found.columns_new),
        ("Columns of another kind", found.columns_changed),
    ):
        if names:
            showing.say(f"{what}: {', '.join(names)}.")
