"""`ratoon label`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ratoon.cli.common import Common, LoopName
from ratoon.cli.handing_in import Asked, Id, Kinded, Reading, Sources, class_kind, known_kinds
from ratoon.cli.watching import Watching, bring
from ratoon.core.schema import Kind

if TYPE_CHECKING:
    from ratoon.engine.counter import Counter
    from ratoon.sources import ColumnsOf, LabelsIn
    from ratoon.stores.protocol import Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which column of labels is what."""

    id: Id = None
    label: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="What was true.  [default: label, target or y]"),
    ] = None
    time: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="When that was observed.  [default: observed_at or label_time]"
        ),
    ] = None
    source: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Who says so.  [default: source or label_source]"),
    ] = None
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who says so, where no column does.")
    ] = None

    def named(self, ignore: Sequence[str]) -> ColumnsOf:
        """Return them as the reader of sources wants them."""
        from ratoon.sources import ColumnsOf  # noqa: PLC0415 - slow to import

        return ColumnsOf(
            id=self.id,
            label=self.label,
            time=self.time,
            source=self.source,
            ignore=tuple(ignore),
        )


def label(
    loop: LoopName,
    sources: Sources,
    *,
    columns: Columns,
    reading: Reading,
    watching: Watching,
    common: Common,
) -> None:
    """Bring the labels of predictions, hours or weeks later.

    They join their predictions by id; a label that comes first waits for its prediction. Rows
    without a label are left out: they may come again with one. Labels whose source is 'model'
    neither judge a model nor train one. The labels are safe when the command ends, and the loop
    takes them in at its next call, whether it runs now or later; labels that it knows count once.

    Example:
        ratoon label fraud chargebacks.csv --by bank
        ratoon label fraud reviewed.parquet --id transaction --label is_fraud --source said_by
        ratoon label fraud 'labels/*.parquet' --watch --every 1m
    """
    asked = Asked(common=common, loop=loop, reading=reading, kind=_kind(columns, reading))
    bring(asked, sources, watching)


def _kind(columns: Columns, reading: Reading) -> Kinded:
    named = columns.named(reading.ignore or ())

    def parts(batch: Any) -> Sequence[LabelsIn]:
        from ratoon.sources import as_labels  # noqa: PLC0415 - slow to import

        return as_labels(batch, named)

    def types(counter: Counter, names: Sequence[str]) -> Mapping[str, Kind]:
        roles = named.labels(names)
        found = known_kinds(roles)
        found[roles["label"]] = class_kind(counter.target)
        return found

    def draft(counter: Counter, part: LabelsIn) -> Draft:
        return _draft(counter, part, part.source or columns.by)

    return Kinded(what="labels", parts=parts, draft=draft, types=types)


def _draft(counter: Counter, part: LabelsIn, source: str | None) -> Draft:
    from ratoon.engine import SystemClock  # noqa: PLC0415 - slow to import

    now = SystemClock().now()
    return counter.labels(part.ids, part.labels, now, times=part.times, source=source)
