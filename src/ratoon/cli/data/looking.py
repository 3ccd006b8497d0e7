"""What the commands on data have in common: ways to the rows, and how snapshots are told."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast
from uuid import UUID

import typer

from ratoon.cli import showing
from ratoon.cli.progress import moving

if TYPE_CHECKING:
    from ratoon.core.measuring import RowRange, Window
    from ratoon.engine.data import Data
    from ratoon.stores.asking import Asking
    from ratoon.stores.local import LocalStore
    from ratoon.stores.protocol import Store
    from ratoon.windows.judged import Target
    from ratoon.windows.pins import Pin

_TEMP = "tmp"  # below the folder of the loops: what does not fit in memory
_RANGES = 6  # told one by one
_IDS = 10  # told one by one

Memory = Annotated[
    str,
    typer.Option(
        metavar="SIZE", help="The most memory for joins and sorts; the rest goes to the disk."
    ),
]
MEMORY = "512MB"
Digest = Annotated[
    str,
    typer.Argument(
        metavar="DIGEST", help="A snapshot's digest, or what it begins with; see `data versions`."
    ),
]
Ids = Annotated[
    list[str] | None,
    typer.Option("--ids", metavar="ID,...", help="Ids with commas between. May be repeated."),
]
IdsFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A file with an id in each line, or - for standard input.",
        allow_dash=True,
    ),
]


@contextmanager
def asked(home: Path, store: LocalStore, memory: str = MEMORY) -> Generator[Asking]:
    """Open the rows of a loop for questions in SQL."""
    from ratoon.stores.asking import Asking  # noqa: PLC0415 - slow to import

    with Asking(store.parts(), temp=home / _TEMP, target=target_of(store), memory=memory) as asking:
        yield asking


def target_of(store: Store) -> Target | None:
    """Return what a loop predicts; None before its first fit."""
    from ratoon.core import wire  # noqa: PLC0415 - slow to import
    from ratoon.windows.judged import Target  # noqa: PLC0415

    text = store.saved().target
    return None if text is None else wire.loads(Target, text)


def answer(asking: Asking, query: str) -> Any:
    """Answer a question, as record batches; the digests of files are compared before."""
    with moving("comparing the files with their digests") as moved:
        return asking.ask(query, told=moved)


def rows(asking: Asking, query: str) -> list[dict[str, Any]]:
    """Answer a question whose answer is small."""
    return answer(asking, query).read_all().to_pylist()


def data_of(store: Store, loop: str) -> Data:
    """Return what there is to ask of the data under a loop."""
    from ratoon.engine import SystemClock  # noqa: PLC0415 - slow to import
    from ratoon.engine.data import Data  # noqa: PLC0415

    return Data(store, loop, SystemClock())


def versions_of(store: Store) -> Mapping[str, list[int]]:
    """Return which versions were trained on which snapshot, by its digest."""
    found: dict[str, list[int]] = {}
    for kept in store.versions():
        if kept.version.snapshot is not None:
            found.setdefault(kept.version.snapshot, []).append(kept.version.number)
    return found


def snapshot(pin: Pin, versions: Sequence[int]) -> dict[str, Any]:
    """Return what is known of a snapshot, as JSON."""
    window = {"start": pin.window.start, "end": pin.window.end}
    return showing.plain(
        {
            "digest": pin.digest,
            "at": pin.at,
            "rows": pin.count,
            "erased": pin.erased,
            "run": pin.run_id,
            "versions": versions,
            "rule": pin.plan.rule,
            "window": window,
            "ordinals": pin.rows,
            "tables": pin.tables,
        }
    )


def cell(value: Any) -> str:
    """Write a value of a row."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return showing.number(value)
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case _:
            return str(value)


def plain(value: Any) -> Any:
    """Return a value of an answer as JSON can hold it."""
    match value:
        case Decimal():
            return int(value) if value == int(value) else float(value)
        case datetime():
            return value.isoformat()
        case date() | time() | UUID():
            return str(value)
        case bytes():
            return value.hex()
        case Mapping():
            items = cast("Mapping[object, object]", value).items()
            return {str(key): plain(item) for key, item in items}
        case list():
            return [plain(item) for item in cast("list[object]", value)]
        case _:
            return showing.plain(value)


def told_ranges(found: Sequence[RowRange]) -> str:
    """Write ranges of labelled rows, the first of them one by one."""
    first = ", ".join(f"{one.start:,} to {one.stop:,}" for one in found[:_RANGES])
    more = len(found) - _RANGES
    return first + (f" and {showing.counted(more, 'more range')}" if more > 0 else "") or "none"


def told_window(window: Window) -> str:
    """Write an interval of event time."""
    return f"{showing.when(window.start)} to {showing.when(window.end)}"


def told_ids(ids: Sequence[str]) -> str:
    """Write ids, the first of them one by one."""
    more = len(ids) - _IDS
    return ", ".join(ids[:_IDS]) + (f" and {more:,} more" if more > 0 else "")


def told_versions(loop: str, versions: Iterable[int]) -> str:
    """Write versions."""
    return ", ".join(f"{loop}@{number}" for number in versions) or "none"


def ids_of(ids: Sequence[str] | None, file: Path | None) -> tuple[str, ...]:
    """Return the ids that --ids and --ids-file name, each once."""
    found = [one.strip() for text in ids or () for one in text.split(",")]
    if file is not None:
        text = (
            typer.get_text_stream("stdin").read() if str(file) == "-" else file.read_text("utf-8")
        )
        found += [line.strip() for line in text.splitlines()]
    return tuple(dict.fromkeys(one for one in found if one))
