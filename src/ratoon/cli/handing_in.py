"""Rows from files and queries, brought to a loop: what `record`, `label` and `feedback` share."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_args

import typer

from ratoon.cli import showing
from ratoon.cli.common import Common
from ratoon.cli.opening import opened
from ratoon.cli.progress import moving
from ratoon.core.errors import (
    ColumnKindMismatch,
    ColumnsMismatch,
    LoopNotStarted,
    PredictionsUnknown,
    RatoonError,
    RowsRefused,
    SourceUnreachable,
    ValueForbidden,
)
from ratoon.core.schema import Kind

if TYPE_CHECKING:
    from ratoon.engine.counter import Counter
    from ratoon.stores.local import LocalStore
    from ratoon.stores.protocol import Draft
    from ratoon.windows.judged import Target

_FORMATS = ("csv", "jsonl", "parquet", "arrow", "delta", "sql")
_LINES = (".csv", ".jsonl", ".ndjson")
_ROLES: Mapping[str, Kind] = {
    "id": "category",
    "time": "time",
    "version": "integer",
    "source": "category",
    "rating": "number",
}
_PIECE = 1 << 20  # bytes read at once
_AS_OPTIONS = (  # hints speak of Python's arguments
    (r"types=\{'([^']*)': '(\w+)'\}", r"--type '\1=\2'"),
    (r"\b(\w+)=COLUMN\b", r"--\1 COLUMN"),
    (r"\bignore=\('([^']*)',\)", r"--ignore '\1'"),
    (r"\b(id|time|output|version|label|source|rating|correction|format)='([^']*)'", r"--\1 '\2'"),
)

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Files (.csv, .jsonl, .parquet, .arrow; gzip too), patterns such as 'in/*.csv', the "
        "folder of a Delta table, the URL of a database, or - for standard input.",
    ),
]
Id = Annotated[
    str | None,
    typer.Option("--id", metavar="COLUMN", help="The ids.  [default: id or prediction_id]"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a source is read."""

    query: Annotated[
        str | None, typer.Option(metavar="SQL", help="What to read from a database.")
    ] = None
    format: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"What the source holds, where its name does not say it: {', '.join(_FORMATS)}.",
        ),
    ] = None
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Leave a column out. May be repeated."),
    ] = None
    type: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=KIND",
            help=f"What a column holds: {', '.join(get_args(Kind))}. May be repeated.",
        ),
    ] = None
    missing: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="A text of CSV, such as NA, that stands for a missing value. May be repeated.",
        ),
    ] = None

    def kinds(self) -> dict[str, Kind]:
        """Return what --type says, by column."""
        found: dict[str, Kind] = {}
        for said in self.type or ():
            column, equals, kind = said.rpartition("=")
            if not equals or kind not in get_args(Kind):
                rule = f"{said!r} is not COLUMN=KIND, a kind being {', '.join(get_args(Kind))}"
                raise typer.BadParameter(rule, param_hint="--type")
            found[column] = cast("Kind", kind)
        return found

    def read(self, source: str, types: Mapping[str, Kind]) -> Iterator[Any]:
        """Read a source in batches."""
        from ratoon.sources import read  # noqa: PLC0415 - slow to import

        if self.format is not None and self.format not in _FORMATS:
            rule = f"{self.format!r} is none of {', '.join(_FORMATS)}"
            raise typer.BadParameter(rule, param_hint="--format")
        return read(
            source,
            query=self.query,
            format=cast("Any", self.format),
            types=types,
            missing=("", *(self.missing or ())),
        )

    def is_csv(self, source: str) -> bool:
        """Tell whether a source is a file without types of its own, that can be read twice."""
        plain = source.lower().removesuffix(".gz")
        has_no_types = self.format == "csv" or (self.format is None and plain.endswith(".csv"))
        return has_no_types and self.query is None and Path(source).is_file()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinded:
    """A kind of rows, and what a batch of them becomes."""

    what: Literal["predictions", "labels", "feedback"]
    parts: Callable[[Any], Sequence[Any]]
    """Of a batch: parts, each of them the arguments of a call."""
    draft: Callable[[Counter, Any], Draft]
    """Of a part: what is stored."""
    types: Callable[[Counter, Sequence[str]], Mapping[str, Kind]]
    """Of the names of columns: what those hold that the loop knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of one source."""

    source: str
    rows: int  # that are stored
    batches: int
    left_out: int  # rows without a label, or without anything that a user said
    refused: str | None = None
    hint: str = ""
    again: bool = False  # whether the same rows may be taken later
    at: str | None = None  # when that was, where a folder is watched


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a command was asked for."""

    common: Common
    loop: str
    reading: Reading
    kind: Kinded


def hand_in(asked: Asked, sources: Sequence[str]) -> None:
    """Bring the rows of sources to a loop, and show what became of them."""
    with opened(asked.common.folder, asked.loop) as store:
        paths = [path for source in sources for path in _paths(asked.reading, source)]
        found = [taken(asked, store, path) for path in paths]
    if asked.common.json:
        showing.print_json(record(asked, found))
    else:
        for one in found:
            show(asked, one)
        _sum_up(asked, found)
    if any(one.refused is not None for one in found):
        raise typer.Exit(1)


def _paths(reading: Reading, source: str) -> Sequence[str]:
    """Return the files of a pattern; whatever is no file as it is. All of them must be there."""
    from ratoon.sources.reading import matching  # noqa: PLC0415 - slow to import

    files = [source] if "://" in source or source == "-" else list(map(str, matching(source)))
    for path in files:
        reading.read(path, {})
    return files


def taken(asked: Asked, store: LocalStore, source: str) -> Taken:
    """Bring the rows of one source to a loop; a batch that is refused ends it."""
    from ratoon.engine.counter import Counter  # noqa: PLC0415 - slow to import

    counter, refusal = Counter.of(store, asked.loop), None
    if store.alias("champion") is None:
        raise LoopNotStarted(asked.loop)
    read = stored = batches = 0
    name = _called(source)
    try:
        with moving(f"reading {Path(name).name}", "rows", lambda: rows_in(source)) as moved:
            for batch in _batches(asked, counter, source):
                stored += _stored(asked.kind, counter, batch)
                read += batch.num_rows
                batches += 1
                moved(read)
    except (RowsRefused, SourceUnreachable) as error:
        refusal = error
    return Taken(
        source=name,
        rows=stored,
        batches=batches,
        left_out=read - stored,
        refused=None if refusal is None else refusal.fact,
        hint="" if refusal is None else hint_of(refusal),
        again=refusal is not None and refusal.transient,
    )


def _called(source: str) -> str:
    """Return a source as it may be shown: without a password.

    >>> _called("postgresql://me:secret@host/shop?sslkey=mine")
    'postgresql://me:***@host/shop'
    """
    if "://" not in source:
        return source
    from sqlalchemy import make_url  # noqa: PLC0415 - slow to import
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    try:
        return make_url(source).set(query={}).render_as_string(hide_password=True)
    except ArgumentError:
        return source.partition("://")[0] + "://…"


def _batches(asked: Asked, counter: Counter, source: str) -> Iterator[Any]:
    """Read a source; CSV says little of what its columns hold, and the loop knows that."""
    types = asked.reading.kinds()
    if asked.reading.is_csv(source):
        first = next(asked.reading.read(source, types), None)
        if first is not None:
            types = dict(asked.kind.types(counter, first.column_names)) | types
    return asked.reading.read(source, types)


def _stored(kind: Kinded, counter: Counter, batch: Any) -> int:
    """Check a batch whole, then store it; return how many rows that were."""
    drafts = [_draft(kind, counter, part, batch) for part in kind.parts(batch)]
    return sum(counter.store.append(draft).stored for draft in drafts)


def _draft(kind: Kinded, counter: Counter, part: Any, batch: Any) -> Draft:
    """Return a part of a batch as it is stored; a refusal says where the row stands."""
    from ratoon.sources import where  # noqa: PLC0415 - slow to import
    from ratoon.sources.batching import row_of  # noqa: PLC0415

    try:
        return kind.draft(counter, part)
    except ValueForbidden as error:
        at = row_of(batch, error.row) if len(part.ids) == batch.num_rows else where(batch)
        fact = f"{at}: {error.column!r} must be {error.rule}, got {error.value!r}"
        raise RowsRefused(fact, hint=hint_of(error)) from error
    except PredictionsUnknown:
        raise
    except RowsRefused as error:
        raise RowsRefused(f"{where(batch)}: {error.fact}", hint=hint_of(error)) from error


def known_kinds(roles: Mapping[str, str]) -> dict[str, Kind]:
    """Return what columns hold whose role says it, by column."""
    return {column: _ROLES[role] for role, column in roles.items() if role in _ROLES}


def class_kind(target: Target) -> Kind:
    """Return what a column of labels or outputs holds."""
    if target.task == "regression":
        return "number"
    kinds = {type(label) for label in target.classes}
    if str in kinds:
        return "category"
    return "boolean" if kinds == {bool} else "integer"


def hint_of(error: RatoonError) -> str:
    """Return the hint of a refusal in the words of the command."""
    match error:
        case ColumnsMismatch(missing=(), extra=extra):
            ignored = " ".join(f"--ignore {shlex.quote(name)}" for name in extra)
            return f"the loop was fitted without them: {ignored}"
        case ColumnKindMismatch(column=column):
            return f"--type {shlex.quote(f'{column}=KIND')} takes it otherwise, if nothing is lost"
        case _:
            return as_options(error.hint)


def rows_in(source: str) -> int | None:
    """Count the rows of a file, about, where that costs little."""
    path = Path(source)
    if path.suffix == ".parquet" and path.is_file():
        import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

        return cast("Any", pq).read_metadata(path).num_rows
    if path.suffix in _LINES and path.is_file():
        with path.open("rb") as file:
            return sum(piece.count(b"\n") for piece in iter(lambda: file.read(_PIECE), b""))
    return None


def show(asked: Asked, found: Taken) -> None:
    """Tell what became of one source."""
    if found.rows or found.refused is None:
        batches = showing.counted(found.batches, "batch", "batches")
        stored = f"{rows_of(asked, found.rows)} in {batches} stored"
        left = f", {showing.counted(found.left_out, 'row')} without any left out"
        showing.say(f"{stored}{left if found.left_out else ''}: {found.source}")
    if found.refused is not None:
        more = "The rest is refused" if found.rows else "Refused"
        where = "" if found.refused.startswith(found.source) else f"{found.source}: "
        typer.secho(f"{more}: {where}{found.refused}", fg=typer.colors.RED, err=True)
        if found.hint:
            typer.secho(f"  hint: {found.hint}", err=True)


def rows_of(asked: Asked, count: int) -> str:
    """Write how many rows of the kind there are."""
    noun = {"predictions": "prediction", "labels": "label", "feedback": "row of feedback"}
    many = {"feedback": "rows of feedback"}
    return showing.counted(count, noun[asked.kind.what], many.get(asked.kind.what, ""))


def _sum_up(asked: Asked, found: Sequence[Taken]) -> None:
    rows = sum(one.rows for one in found)
    if len(found) > 1:
        refused = sum(one.refused is not None for one in found)
        what = f"{rows_of(asked, rows)} of {len(found)} sources stored"
        showing.say(f"{what}, {refused} refused." if refused else f"{what}.")
    if rows:
        showing.say(f"{asked.loop} takes them in at its next call; rows that it knows count once.")


def record(asked: Asked, found: Sequence[Taken]) -> dict[str, Any]:
    """Return what became of sources as JSON."""
    return {
        "loop": asked.loop,
        "kind": asked.kind.what,
        "rows": sum(one.rows for one in found),
        "batches": sum(one.batches for one in found),
        "left_out": sum(one.left_out for one in found),
        "taken_in": False,
        "sources": [showing.plain(one) for one in found],
    }


def as_options(hint: str) -> str:
    """Return a hint in the words of the command.

    >>> as_options("call it id or prediction_id, or name it: id=COLUMN")
    'call it id or prediction_id, or name it: --id COLUMN'
    >>> as_options("types={'zip': 'category'} takes whole numbers as texts")
    "--type 'zip=category' takes whole numbers as texts"
    """
    for pattern, option in _AS_OPTIONS:
        hint = re.sub(pattern, option, hint)
    return hint
