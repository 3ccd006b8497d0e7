"""`ratoon feedback`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ratoon.cli.common import Common, LoopName
from ratoon.cli.handing_in import (
    Asked,
    Id,
    Kinded,
    Reading,
    Sources,
    class_kind,
    known_kinds,
)
from ratoon.cli.watching import Watching, bring
from ratoon.core.errors import PredictionsUnknown
from ratoon.core.schema import Kind

if TYPE_CHECKING:
    from ratoon.engine.counter import Counter
    from ratoon.sources import ColumnsOf, FeedbackIn
    from ratoon.stores.protocol import Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which column of feedback is what."""

    id: Id = None
    rating: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="What a user thought; below 0 is a complaint.  [default: rating]",
        ),
    ] = None
    correction: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="What a user says the answer should have been.  [default: correction]",
        ),
    ] = None

    def named(self, ignore: Sequence[str]) -> ColumnsOf:
        """Return them as the reader of sources wants them."""
        from ratoon.sources import ColumnsOf  # noqa: PLC0415 - slow to import

        return ColumnsOf(
            id=self.id, rating=self.rating, correction=self.correction, ignore=tuple(ignore)
        )


def feedback(
    loop: LoopName,
    sources: Sources,
    *,
    columns: Columns,
    reading: Reading,
    watching: Watching,
    common: Common,
) -> None:
    """Bring what users said of predictions: ratings, corrections.

    A rating below 0, and a correction that is not what was answered, are complaints. The
    predictions must be known to the loop: those that `ratoon record` brought are so when the loop
    has taken them in. The feedback is safe when the command ends, and counts once.

    Example:
        ratoon feedback fraud ratings.csv
        ratoon feedback fraud complaints.jsonl --id transaction --correction should_be
    """
    asked = Asked(common=common, loop=loop, reading=reading, kind=_kind(columns, reading))
    bring(asked, sources, watching)


def _kind(columns: Columns, reading: Reading) -> Kinded:
    named = columns.named(reading.ignore or ())

    def parts(batch: Any) -> Sequence[FeedbackIn]:
        from ratoon.sources import as_feedback  # noqa: PLC0415 - slow to import

        return as_feedback(batch, named)

    def types(counter: Counter, names: Sequence[str]) -> Mapping[str, Kind]:
        roles = named.feedback(names)
        found = known_kinds(roles)
        if "correction" in roles:
            found[roles["correction"]] = class_kind(counter.target)
        return found

    return Kinded(what="feedback", parts=parts, draft=_draft, types=types)


def _draft(counter: Counter, part: FeedbackIn) -> Draft:
    from ratoon.engine import SystemClock  # noqa: PLC0415 - slow to import

    known = counter.store.predictions(part.ids)
    unknown = tuple([row_id for row_id in part.ids if row_id not in known])
    if unknown:
        raise PredictionsUnknown(unknown)
    now = SystemClock().now()
    return counter.feedback(part.ids, part.ratings, part.corrections, now, known)
