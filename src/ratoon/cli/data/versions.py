"""`ratoon data versions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ratoon.cli import showing
from ratoon.cli.common import Common, LoopName
from ratoon.cli.data import looking
from ratoon.cli.opening import opened
from ratoon.cli.showing import Column

if TYPE_CHECKING:
    from ratoon.windows.pins import Pin


def versions(loop: LoopName, *, common: Common) -> None:
    """List the snapshots that models were trained on.

    A snapshot is known by its digest, and can be read again as it was. The newest stands last.

    Example:
        ratoon data versions fraud
        ratoon data versions fraud --json | jq '.[-1].digest'
    """
    with opened(common.folder, loop) as store:
        pins, numbers = store.pins(), looking.versions_of(store)
    if common.json:
        found = [looking.snapshot(pin, numbers.get(pin.digest, [])) for pin in pins]
        showing.print_json(found)
        return
    columns = (
        Column(name="Snapshot, when (UTC)", whole=True),
        Column(name="Rows", numeric=True),
        Column(name="Run, version", whole=True),
        Column(name="Rule, window of event time (UTC)"),
    )
    lines = [_line(loop, pin, numbers.get(pin.digest, [])) for pin in pins]
    showing.print_table(columns, lines, empty=f"{loop!r} has no snapshot yet.")


def _line(loop: str, pin: Pin, versions: list[int]) -> tuple[str, ...]:
    erased = f"\n{pin.erased:,} erased" if pin.erased else ""
    came = ", ".join(f"{loop}@{number}" for number in versions) or "no version"
    return (
        f"{showing.short(pin.digest)}\n{showing.when(pin.at)}",
        f"{pin.count:,}{erased}",
        f"{pin.run_id or 'no run'}\n{came}",
        f"{pin.plan.rule}\n{looking.told_window(pin.window)}",
    )
