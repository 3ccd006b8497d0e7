"""`ratoon data export`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ratoon.cli import showing
from ratoon.cli.common import Common, LoopName
from ratoon.cli.data import looking
from ratoon.cli.data.looking import MEMORY, Memory
from ratoon.cli.opening import opened
from ratoon.cli.progress import moving
from ratoon.core.errors import RatoonError

if TYPE_CHECKING:
    from ratoon.stores.asking import Asking
    from ratoon.stores.local import LocalStore

_FILES = ("parquet", "csv", "arrow")
_VIEWS = ("labelled", "predictions", "labels", "feedback")
_SNAPSHOT = "snapshot:"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What is exported."""

    name: str
    query: str
    rows: int  # about
    exactly: bool = False  # whether it must be so many


def export(
    loop: LoopName,
    dest: Annotated[
        Path, typer.Argument(metavar="DEST", help="The file; for iceberg a folder, new or empty.")
    ],
    what: Annotated[
        str,
        typer.Option(metavar="WHAT", help=f"{', '.join(_VIEWS)}, or {_SNAPSHOT}DIGEST."),
    ] = "labelled",
    to: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="parquet, csv, arrow or iceberg.  [default: what DEST ends in]",
        ),
    ] = None,
    memory: Memory = MEMORY,
    *,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
    common: Common,
) -> None:
    """Write rows to a file that other tools read.

    What is written are the columns of the view of that name (see `ratoon data sql`), in order of
    arrival, and of a snapshot the labelled rows that were trained on. The file takes its name
    when it is whole. However many rows there are, they take a bounded amount of memory. Iceberg
    needs `pip install 'ratoon[iceberg]'`.

    Example:
        ratoon data export fraud labelled.parquet
        ratoon data export fraud trained.csv --what snapshot:3f2a
        ratoon data export fraud lake/fraud --to iceberg --what predictions
    """
    chosen = _format(dest, to)
    if chosen in _FILES and dest.exists() and not (overwrite and dest.is_file()):
        raise RatoonError(f"{dest} is there already", hint="--overwrite replaces a file")
    with opened(common.folder, loop) as store:
        wanted = _wanted(store, loop, what)
        with looking.asked(common.folder, store, memory) as asking:
            rows = _write(asking, wanted, dest, chosen)
    if wanted.exactly and rows != wanted.rows:
        raise RatoonError(f"{dest} has {rows:,} rows, the snapshot had {wanted.rows:,}")
    if common.json:
        told = {"loop": loop, "what": what, "format": chosen, "path": str(dest), "rows": rows}
        showing.print_json(told)
    else:
        showing.say(f"{dest}: {showing.counted(rows, 'row')} ({what}) written.")


def _format(dest: Path, to: str | None) -> str:
    chosen = dest.suffix.removeprefix(".") if to is None else to
    if chosen not in (*_FILES, "iceberg"):
        rule = f"{chosen!r} is none of {', '.join(_FILES)} and iceberg"
        raise typer.BadParameter(rule, param_hint="--to")
    return chosen


def _wanted(store: LocalStore, loop: str, what: str) -> _Wanted:
    from ratoon.stores.asking_views import among  # noqa: PLC0415 - slow to import

    if what.startswith(_SNAPSHOT):
        pin = looking.data_of(store, loop).pin(what.removeprefix(_SNAPSHOT))
        return _Wanted(
            name=f"snapshot_{pin.digest[:8]}",
            query=f"SELECT * FROM {among(pin.rows)} ORDER BY ordinal",  # noqa: S608 - numbers
            rows=pin.count - pin.erased,
            exactly=True,
        )
    if what not in _VIEWS:
        rule = f"{what!r} is none of {', '.join(_VIEWS)} and {_SNAPSHOT}DIGEST"
        raise typer.BadParameter(rule, param_hint="--what")
    counts = store.counts()
    order = " ORDER BY ordinal" if what == "labelled" else ""  # a join keeps no order
    rows = {"predictions": counts.predictions, "feedback": counts.feedback}
    query = f"SELECT * FROM {what}{order}"  # noqa: S608 - one of the views
    return _Wanted(name=what, query=query, rows=rows.get(what, counts.labelled))


def _write(asking: Asking, wanted: _Wanted, dest: Path, chosen: str) -> int:
    from ratoon.stores import exporting  # noqa: PLC0415 - slow to import

    answer = looking.answer(asking, wanted.query)
    true: dict[str, str] = {one.view: one.true for one in asking.given}
    names: list[str] = answer.schema.names
    found = exporting.renamed(answer, [true.get(name, name) for name in names])
    with moving(f"writing {dest.name}", "rows", lambda: wanted.rows) as moved:
        if chosen != "iceberg":
            return exporting.export(found, dest, cast("Any", chosen), moved)
        return _to_iceberg(found, dest, wanted.name, moved)


def _to_iceberg(found: Any, dest: Path, name: str, moved: Any) -> int:
    from ratoon.integrations import iceberg  # noqa: PLC0415 - slow to import
    from ratoon.stores import exporting  # noqa: PLC0415

    written = [0]

    def told(rows: int) -> None:
        written[0] = rows
        moved(rows)

    iceberg.export(exporting.counted(found, told), dest, name)
    return written[0]
