"""`ratoon data sql`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any, cast

import typer

from ratoon.cli import showing
from ratoon.cli.common import Common, LoopName
from ratoon.cli.data import looking
from ratoon.cli.data.looking import MEMORY, Memory
from ratoon.cli.opening import opened
from ratoon.cli.showing import Column
from ratoon.core.errors import RatoonError


def sql(
    loop: LoopName,
    query: Annotated[str, typer.Argument(metavar="SELECT", help="The question, in DuckDB's SQL.")],
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Show N rows at most.")] = 20,
    memory: Memory = MEMORY,
    *,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV, all rows of it.")] = False,
    common: Common,
) -> None:
    """Ask the rows of a loop in SQL; nothing can be changed.

    There are the views predictions, labels, feedback, and labelled: predictions beside their
    labels, with arrived_at of the one and label_arrived_at of the other, so that what was known
    at a time is a condition. Features are called feature_NAME. Times are in UTC. Rows count that
    the loop has taken in.

    Example:
        ratoon data sql fraud "DESCRIBE labelled"
        ratoon data sql fraud "SELECT label, count(*) FROM labelled GROUP BY label"
        ratoon data sql fraud "FROM labelled WHERE label_arrived_at < '2026-06-01'" --csv
    """
    if csv and common.json:
        raise typer.BadParameter("it is either --csv or --json", param_hint="--csv")
    folder = common.folder
    with opened(folder, loop) as store, looking.asked(folder, store, memory) as asking:
        found = looking.answer(asking, query)
        if csv:
            _print_csv(found)
        elif common.json:
            _print_json(found)
        else:
            _print_table(found, limit)


def _print_csv(found: Any) -> None:
    import pyarrow as pa  # noqa: PLC0415 - slow to import
    from pyarrow import csv  # noqa: PLC0415

    try:
        with cast("Any", csv).CSVWriter(sys.stdout.buffer, found.schema) as writer:
            for batch in found:
                writer.write_batch(batch)
    except pa.ArrowException as error:
        hint = "CSV has no lists and no structs: --json prints them"
        raise RatoonError(f"the rows cannot be written: {error}", hint=hint) from error


def _print_json(found: Any) -> None:
    """Print a list of rows, each in a line, as they come."""
    names, before = _unlike(found.schema.names), "["
    for batch in found:
        for values in _rows(batch):
            row = dict(zip(names, map(looking.plain, values), strict=True))
            typer.echo(before + json.dumps(row, allow_nan=False), nl=False)
            before = ",\n "
    typer.echo("[]" if before == "[" else "]")


def _unlike(names: Sequence[str]) -> list[str]:
    """Return names of which none stands twice.

    >>> _unlike(["a", "b", "a"])
    ['a', 'b', 'a_2']
    """
    found: list[str] = []
    for name in names:
        again = found.count(name) and names[: len(found)].count(name) + 1
        found.append(f"{name}_{again}" if again else name)
    return found


def _print_table(found: Any, limit: int) -> None:
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    rows: list[tuple[Any, ...]] = []
    for batch in found:
        rows += _rows(batch.slice(0, limit + 1 - len(rows)))
        if len(rows) > limit:
            break
    is_number: Any = pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal
    columns = [
        Column(name=name, numeric=any(ask(kind) for ask in is_number))
        for name, kind in zip(_unlike(found.schema.names), found.schema.types, strict=True)
    ]
    lines = [[looking.cell(value) for value in row] for row in rows[:limit]]
    showing.print_rows(columns, lines, empty="No row.")
    if len(rows) > limit:
        showing.say(f"… and more: --limit shows more than {limit:,}, --csv and --json all of them.")


def _rows(batch: Any) -> list[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in batch.columns), strict=True))
