"""`ratoon data check`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from ratoon.cli import showing
from ratoon.cli.common import Common, LoopName
from ratoon.cli.data import looking
from ratoon.cli.opening import opened
from ratoon.cli.progress import moving
from ratoon.core.errors import StoreDamaged

if TYPE_CHECKING:
    from ratoon.stores.local import LocalStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What one check has looked at, and what is wrong with it."""

    what: str
    looked_at: str  # how much
    wrong: tuple[str, ...]
    note: str = ""  # what could not be compared


def check(loop: LoopName, *, common: Common) -> None:
    """Compare every data file and every snapshot with its digest.

    Each data file has the SHA-256 of its bytes in its name; a snapshot has one of the rows that
    were trained on. The exit code is 1 where something is not what was written, and it is named.

    Example:
        ratoon data check fraud
        ratoon data check fraud --json | jq '.checks[].wrong'
    """
    with opened(common.folder, loop) as store:
        found = [run(store, loop) for run in (_files, _snapshots)]
    sound = not any(one.wrong for one in found)
    if common.json:
        showing.print_json({"loop": loop, "sound": sound, "checks": found})
    else:
        for one in found:
            _tell(one)
    if not sound:
        raise typer.Exit(1)


def _files(store: LocalStore, loop: str) -> Checked:  # noqa: ARG001 - every check is called alike
    """Compare every data file with the SHA-256 in its name."""
    from ratoon.stores.asking import damaged  # noqa: PLC0415 - slow to import

    parts = list(store.parts().values())
    files = [file for part in parts for file in part.table.files]
    with moving("reading every data file") as moved:
        wrong = tuple(damage.fact for damage in damaged(parts, moved))
    size = sum(file.size for file in files)
    return Checked(
        what="data files",
        looked_at=f"{showing.counted(len(files), 'file')}, {_size(size)}",
        wrong=wrong,
    )


def _snapshots(store: LocalStore, loop: str) -> Checked:
    """Read the rows of every snapshot again, and compare them with its digest."""
    data = looking.data_of(store, loop)
    pins = data.snapshots()
    wrong: list[str] = []
    total, done, erased = sum(pin.count for pin in pins), 0, 0
    with moving("reading every snapshot", "rows", lambda: total) as moved:
        for pin in pins:
            try:
                data.snapshot(pin.digest)
            except StoreDamaged as error:
                wrong.append(f"snapshot {showing.short(pin.digest)}: {error.fact}")
            done, erased = done + pin.count, erased + bool(pin.erased)
            moved(done)
    snapshots = showing.counted(erased, "snapshot")
    return Checked(
        what="snapshots",
        looked_at=f"{showing.counted(len(pins), 'snapshot')}, {showing.counted(total, 'row')}",
        wrong=tuple(wrong),
        note=f"{snapshots} lost rows at a person's wish: not compared" if erased else "",
    )


def _size(count: int) -> str:
    """Write a number of bytes."""
    power = min(4, (len(str(count)) - 1) // 3)
    return f"{count / 1000**power:,.{min(power, 1)}f} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def _tell(found: Checked) -> None:
    verdict = f"{len(found.wrong)} wrong" if found.wrong else "sound"
    note = f" ({found.note})" if found.note else ""
    showing.say(f"{found.what}: {found.looked_at}: {verdict}{note}")
    for line in _lines(found):
        typer.secho(line, fg=typer.colors.RED)


def _lines(found: Checked) -> Iterator[str]:
    for wrong in found.wrong:
        yield f"  {wrong}"
