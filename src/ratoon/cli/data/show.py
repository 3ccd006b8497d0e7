"""`ratoon data show`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ratoon.cli import showing
from ratoon.cli.common import Common, LoopName
from ratoon.cli.data import looking
from ratoon.cli.data.looking import MEMORY, Digest, Memory
from ratoon.cli.opening import opened
from ratoon.cli.showing import Column
from ratoon.core.errors import RatoonError

if TYPE_CHECKING:
    from ratoon.core.schema import Kind
    from ratoon.stores.asking import Asking
    from ratoon.windows.pins import Pin

_CLASSES = 20  # labels that are counted one by one
_FACTS = ("low", "high", "distinct", "missing")
_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def show(
    loop: LoopName,
    digest: Digest,
    rows: Annotated[int, typer.Option(metavar="N", min=0, help="Show the first N rows too.")] = 0,
    memory: Memory = MEMORY,
    *,
    common: Common,
) -> None:
    """Show a snapshot: its columns, labels and rows.

    Numbers have their least and greatest value, texts how many distinct ones there are. Of labels
    that are classes each is counted; of numbers the quantiles are told.

    Example:
        ratoon data show fraud 3f2a
        ratoon data show fraud 3f2a --rows 5
    """
    with opened(common.folder, loop) as store:
        pin = looking.data_of(store, loop).pin(digest)
        numbers = looking.versions_of(store).get(pin.digest, [])
        with looking.asked(common.folder, store, memory) as asking:
            columns = _columns(asking, pin)
            labels = _labels(asking, pin)
            first = _first(asking, pin, rows) if rows else []
    if common.json:
        known = looking.snapshot(pin, numbers)
        told = {"task": pin.target.task, "columns": columns, "labels": labels, "first": first}
        showing.print_json({**known, **told})
        return
    _tell(loop, pin, numbers)
    _tell_columns(columns)
    _tell_labels(pin, labels)
    _tell_rows(first)


def _columns(asking: Asking, pin: Pin) -> list[dict[str, Any]]:
    """Return the columns with their kinds, and what values they have."""
    from ratoon.stores.asking_views import among  # noqa: PLC0415 - slow to import

    shown = {one.true: one.view for one in asking.given}
    asks = list[str]()
    for place, column in enumerate(pin.schema.columns):
        name = f"feature_{column.name}"
        if name not in shown:
            raise RatoonError(f"the tables have no column {name!r} any more")
        asks += _asked(shown[name], column.kind, place)
    [found] = looking.rows(asking, f"SELECT {', '.join(asks)} FROM {among(pin.rows)}")  # noqa: S608 - names are quoted
    return [
        {
            "name": column.name,
            "kind": column.kind,
            "nullable": column.nullable,
            **{
                what: found.get(f"{what}{place}") for what in ("low", "high", "distinct", "missing")
            },
        }
        for place, column in enumerate(pin.schema.columns)
    ]


def _asked(name: str, kind: Kind, place: int) -> list[str]:
    from ratoon.stores.asking_views import quoted  # noqa: PLC0415 - slow to import

    column = quoted(name)
    found = [f"count(*) - count({column}) AS missing{place}"]
    if kind in ("category", "boolean"):
        return [*found, f"count(DISTINCT {column}) AS distinct{place}"]
    return [*found, f"min({column}) AS low{place}", f"max({column}) AS high{place}"]


def _labels(asking: Asking, pin: Pin) -> list[dict[str, Any]]:
    """Return how often each label stands there, or the quantiles of labels that are numbers."""
    from ratoon.stores.asking_views import among  # noqa: PLC0415 - slow to import

    rows = f"FROM {among(pin.rows)}"
    if pin.target.task != "regression":
        query = f"SELECT label, count(*) AS rows {rows} GROUP BY label ORDER BY rows DESC, label"
        return looking.rows(asking, query)
    quantiles = f"quantile_cont(label, {list(_QUANTILES)})"
    [found] = looking.rows(asking, f"SELECT {quantiles} AS labels {rows}")
    pairs = zip(_QUANTILES, found["labels"] or [], strict=False)
    return [{"quantile": quantile, "label": label} for quantile, label in pairs]


def _first(asking: Asking, pin: Pin, rows: int) -> list[dict[str, Any]]:
    """Return the first rows."""
    from ratoon.stores.asking_views import among, quoted  # noqa: PLC0415 - slow to import

    wanted = {f"feature_{column.name}" for column in pin.schema.columns}
    names = [one.view for one in asking.given if one.true in wanted]
    columns = ", ".join(["ordinal", "id", "time", "label", *map(quoted, names)])
    order = f"ORDER BY ordinal LIMIT {rows}"
    return looking.rows(asking, f"SELECT {columns} FROM {among(pin.rows)} {order}")  # noqa: S608 - names are quoted


def _tell(loop: str, pin: Pin, numbers: Sequence[int]) -> None:
    erased = f", {pin.erased:,} erased since" if pin.erased else ""
    tables = ", ".join(f"{name} {version}" for name, version in pin.tables.items())
    showing.print_facts(
        {
            "snapshot": pin.digest,
            "rows": f"{pin.count:,}{erased}",
            "ordinals": looking.told_ranges(pin.rows),
            "rule": pin.plan.rule,
            "window": looking.told_window(pin.window),
            "pinned": showing.when(pin.at),
            "run": pin.run_id or "none",
            "versions": looking.told_versions(loop, numbers),
            "task": pin.target.task,
            "tables": tables or "none: the rows had not reached a table",
        }
    )
    showing.say("")


def _tell_columns(columns: Sequence[dict[str, Any]]) -> None:
    names = (
        Column(name="Column"),
        Column(name="Kind", whole=True),
        Column(name="Values"),
        Column(name="Missing", numeric=True),
    )
    showing.print_table(names, [_column(column) for column in columns], empty="There is no column.")


def _column(column: dict[str, Any]) -> tuple[str, ...]:
    if column["distinct"] is not None:
        values = f"{column['distinct']:,} distinct"
    elif column["low"] is None:
        values = "none"
    else:
        values = f"{looking.cell(column['low'])} to {looking.cell(column['high'])}"
    allowed = "" if column["nullable"] else " (not allowed)"
    missing = column["missing"]
    return column["name"], column["kind"], values, f"{missing:,}{allowed if missing else ''}"


def _tell_labels(pin: Pin, labels: Sequence[dict[str, Any]]) -> None:
    showing.say("")
    if pin.target.task == "regression":
        columns = (Column(name="Quantile", numeric=True), Column(name="Label", numeric=True))
        lines = [(f"{one['quantile']:.0%}", looking.cell(one["label"])) for one in labels]
    else:
        columns = (
            Column(name="Label"),
            Column(name="Rows", numeric=True),
            Column(name="Share", numeric=True),
        )
        total = sum(one["rows"] for one in labels)
        lines = [
            (looking.cell(one["label"]), f"{one['rows']:,}", f"{one['rows'] / total:.1%}")
            for one in labels[:_CLASSES]
        ]
    showing.print_table(columns, lines, empty="There is no label.")
    if len(labels) > _CLASSES and pin.target.task != "regression":
        showing.say(f"… and {len(labels) - _CLASSES:,} more; --json has them all.")


def _tell_rows(first: Sequence[dict[str, Any]]) -> None:
    if first:
        showing.say("")
        columns = [Column(name=name.removeprefix("feature_")) for name in first[0]]
        lines = [[looking.cell(value) for value in row.values()] for row in first]
        showing.print_rows(columns, lines, empty="")
