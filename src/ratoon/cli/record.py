"""`ratoon record`."""

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
from ratoon.core.errors import MetricNeedsColumn, RowsRefused, SettingInvalid
from ratoon.core.schema import Kind

if TYPE_CHECKING:
    from ratoon.engine.counter import Counter
    from ratoon.sources import ColumnsOf, PredictionsIn
    from ratoon.stores.protocol import Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which column of predictions is what."""

    id: Id = None
    time: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="The event times.  [default: time, timestamp or event_time; else now]",
        ),
    ] = None
    output: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="What was answered.  [default: output or prediction]"),
    ] = None
    score: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="The probability of a class; once for each class, in the order of "
            "`ratoon data labels LOOP`.",
        ),
    ] = None
    version: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Which version answered.  [default: version or model_version; else the champion]",
        ),
    ] = None

    def named(self, ignore: Sequence[str]) -> ColumnsOf:
        """Return them as the reader of sources wants them."""
        from ratoon.sources import ColumnsOf  # noqa: PLC0415 - slow to import

        return ColumnsOf(
            id=self.id,
            time=self.time,
            output=self.output,
            scores=tuple(self.score) if self.score else None,
            version=self.version,
            ignore=tuple(ignore),
        )


def record(
    loop: LoopName,
    sources: Sources,
    *,
    columns: Columns,
    reading: Reading,
    watching: Watching,
    common: Common,
) -> None:
    """Keep predictions that were made elsewhere.

    Each row needs an id of its own: labels come back by it. What is no id, time, output, score,
    version or label is a feature, and the features must be those that the loop was fitted on.
    The rows are safe when the command ends. The loop takes them in at its next call, whether it
    runs now or later; rows that it knows with the same content count once, so a file may be sent
    again.

    Example:
        ratoon record fraud scored.parquet
        ratoon record fraud 'scored/*.csv' --id transaction --time at --score p_no --score p_yes
        ratoon record fraud postgresql+psycopg://me@host/shop --query "SELECT * FROM scored"
        ratoon record fraud incoming/ --watch --every 30s
    """
    asked = Asked(common=common, loop=loop, reading=reading, kind=_kind(columns, reading))
    bring(asked, sources, watching)


def _kind(columns: Columns, reading: Reading) -> Kinded:
    named = columns.named(reading.ignore or ())

    def parts(batch: Any) -> Sequence[PredictionsIn]:
        from ratoon.sources import as_predictions  # noqa: PLC0415 - slow to import

        _parted(named, batch.column_names)
        return as_predictions(batch, named)

    def types(counter: Counter, names: Sequence[str]) -> Mapping[str, Kind]:
        roles, features = _parted(named, names)
        found = known_kinds(roles)
        found[roles["output"]] = class_kind(counter.target)
        for name in named.scores or ():
            found[name] = "number"
        for column in counter.schema.columns:
            if column.name in features:
                found[column.name] = column.kind
        return found

    return Kinded(what="predictions", parts=parts, draft=_draft, types=types)


def _parted(named: ColumnsOf, names: Sequence[str]) -> tuple[Mapping[str, str], Sequence[str]]:
    """Return the columns by what they are, and the features."""
    try:
        return named.predictions(names)
    except RowsRefused as error:
        if error.fact.startswith("no column for the id"):
            why = "a label could never find a row whose id was made here"
            raise RowsRefused(error.fact, hint=f"{error.hint}; {why}") from error
        raise


def _draft(counter: Counter, part: PredictionsIn) -> Draft:
    from ratoon.engine import SystemClock  # noqa: PLC0415 - slow to import

    version = _version(counter, part.version)
    if part.scores is None:
        _check_unscored(counter)
    return counter.predictions(
        part.rows,
        part.outputs,
        SystemClock().now(),
        scores=part.scores,
        ids=part.ids,
        times=part.times,
        version=version,
    )


def _version(counter: Counter, said: int | None) -> int:
    """Return which version answered: the one that was said, or the champion."""
    if said is None:
        return counter.store.alias("champion") or 0
    if counter.store.version(said) is None:
        kept = [found.version.number for found in counter.store.versions()]
        raise RowsRefused(f"there is no version {said}; kept are {kept}")
    return said


def _check_unscored(counter: Counter) -> None:
    """Refuse outputs alone where the champion is measured by what needs scores."""
    import numpy as np  # noqa: PLC0415 - slow to import

    from ratoon.core.measuring import Window  # noqa: PLC0415
    from ratoon.core.times import EPOCH  # noqa: PLC0415
    from ratoon.metrics import by_name  # noqa: PLC0415
    from ratoon.windows.judged import Judged, Scored  # noqa: PLC0415

    kept = counter.store.version(counter.store.alias("champion") or 0)
    one = np.zeros(1)
    judged = Judged(target=counter.target, labels=one, scored=Scored(outputs=one))
    for measured in () if kept is None else kept.version.baseline:
        try:
            by_name(measured.metric).measure(judged, Window(start=EPOCH, end=EPOCH))
        except SettingInvalid:  # a person's own metric: only the loop knows what it needs
            continue
        except MetricNeedsColumn as error:
            classes = ", ".join(str(label) for label in counter.target.classes)
            hint = f"--score COLUMN, once for each class, in this order: {classes}"
            raise RowsRefused(
                f"the loop measures {error.metric}, which needs scores", hint=hint
            ) from error
