"""How answers look: tables that fit the terminal, or JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import textwrap
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ratoon.core.measuring import Measurement

_GAP = 2  # blanks between two columns
_DIGITS = 8  # of a digest, enough to tell versions apart by eye


def print_json(value: object) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(plain(value), indent=2, allow_nan=False))


def plain(value: Any) -> Any:
    """Turn records into what JSON can hold; what is not finite becomes null."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case None | bool() | int() | str():
            return value
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Mapping():
            items = cast("Mapping[object, object]", value).items()
            return {str(key): plain(item) for key, item in items}
        case _ if dataclasses.is_dataclass(value):
            return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        case _:
            return [plain(item) for item in cast("Sequence[object]", value)]


def console() -> Console:
    """Return a console that prints text as it is: colours only on a terminal."""
    from rich.console import Console  # noqa: PLC0415 - slow to import

    return Console(highlight=False, markup=False, emoji=False)


@contextmanager
def working(text: str) -> Generator[None]:
    """Show on stderr that something goes on, where there is a terminal."""
    from rich.console import Console  # noqa: PLC0415 - slow to import

    target = Console(stderr=True)
    if target.is_terminal:
        with target.status(text):
            yield
    else:
        yield


def say(text: str, style: str = "") -> None:
    """Print lines, folded to the terminal under their own indent."""
    target = console()
    for line in text.splitlines() or [""]:
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        folded = textwrap.wrap(
            line,
            target.width,
            subsequent_indent=indent,
            break_on_hyphens=False,
            drop_whitespace=True,
        )
        for part in folded or [""]:
            target.print(part, style=style, soft_wrap=True)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table."""

    name: str
    numeric: bool = False  # set to the right
    whole: bool = False  # never folded


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], empty: str) -> None:
    """Print a table, or `empty` where there are no rows."""
    from rich import box  # noqa: PLC0415 - slow to import
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    if not rows:
        say(empty)
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in columns:
        justify = "right" if column.numeric else "left"
        table.add_column(column.name, justify=justify, no_wrap=column.whole, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    _print(table)


def print_rows(columns: Sequence[Column], rows: Sequence[Sequence[str]], empty: str) -> None:
    """Print rows of data: as a table where it fits, else each row as names and values."""
    lines = [[column.name for column in columns], *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    if not rows or sum(widths) + _GAP * (len(widths) - 1) <= console().width:
        print_table(columns, rows, empty)
        return
    names = [column.name for column in columns]
    for number, row in enumerate(rows):
        if number:
            say("")
        print_facts(dict(zip(names, row, strict=True)))


def print_facts(facts: Mapping[str, str]) -> None:
    """Print names and what stands for them, in two columns."""
    from rich.table import Table  # noqa: PLC0415 - slow to import
    from rich.text import Text  # noqa: PLC0415

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        table.add_row(name, Text(fact))
    _print(table)


def _print(table: Table) -> None:
    """Print a table; into a file or a pipe without spaces at the end of lines."""
    target = console()
    if target.is_terminal:
        target.print(table)
        return
    with target.capture() as captured:
        target.print(table)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


WHEN = Column(name="When (UTC)", whole=True)


def when(moment: datetime | None) -> str:
    """Write a moment, to the minute."""
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def number(value: float | None) -> str:
    """Write a number with four digits."""
    return "undefined" if value is None else f"{value:.4g}"


def counted(count: int, one: str, many: str = "") -> str:
    """Write how many there are of something.

    >>> counted(1, "row"), counted(1200, "row"), counted(0, "batch", "batches")
    ('1 row', '1,200 rows', '0 batches')
    """
    return f"{count:,} {one}" if count == 1 else f"{count:,} {many or one + 's'}"


def measured(m: Measurement) -> str:
    """Write a measurement with its standard error."""
    return number(m.value) + ("" if m.stderr is None else f" ± {m.stderr:.2g}")


def short(digest: str | None) -> str:
    """Write the first digits of a digest."""
    return "" if digest is None else digest[:_DIGITS]


def told(value: Any) -> str:
    """Write what a record holds as JSON, for people."""
    match value:
        case None:
            return "none"
        case bool() | int():
            return str(value)
        case float():
            return number(value)
        case str():
            return short(value) if _is_digest(value) else value
        case Mapping():
            return _told_mapping(cast("Mapping[str, Any]", value))
        case _:
            return ", ".join(told(item) for item in value)


def _is_digest(text: str) -> bool:
    return len(text) == 64 and all(c in "0123456789abcdef" for c in text)  # noqa: PLR2004 - SHA-256


def _told_mapping(value: Mapping[str, Any]) -> str:
    match value:
        case {"kind": "RowRange", "start": start, "stop": stop}:
            return f"{start} to {stop}"
        case {"kind": "Measurement", "metric": metric, "value": found, "n": n}:
            return f"{metric} {told(found)} on {n} rows"
        case {"kind": "Artifact", "sha256": sha256, "size": size, "format": form}:
            return f"{form}, {size} bytes, sha256 {short(sha256)}"
        case {"kind": "Verdict", "outcome": outcome, "evidence": evidence}:
            return f"{outcome}, e-value {told(evidence)}"
        case {"kind": "SnapshotPlan", "rule": rule}:
            return str(rule)
        case _:
            items = ((key, item) for key, item in value.items() if key != "kind")
            return ", ".join(f"{key} {told(item)}" for key, item in items)
