"""The counter: turns what people bring into drafts that a store can keep, or refuses it whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ratoon.core import wire
from ratoon.core.errors import (
    LengthMismatch,
    LoopNotStarted,
    RowsRefused,
    SettingInvalid,
    ValueForbidden,
)
from ratoon.core.events import Event
from ratoon.core.ids import derive
from ratoon.core.schema import Schema, Task
from ratoon.core.wire import Json
from ratoon.engine.answering import answer_columns, given_scores
from ratoon.engine.checking import (
    checked_event,
    checked_ids,
    checked_kinds,
    checked_ratings,
    checked_source,
)
from ratoon.stores.protocol import Columns, Draft, Store
from ratoon.windows.intake import read_rows, read_times
from ratoon.windows.judged import Scored, Target
from ratoon.windows.labels import decode, encode, extended, read_labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """Checks batches against what a loop knows of its rows; it stores nothing."""

    store: Store
    schema: Schema
    target: Target
    task: Task | None = None  # where a person said it

    @classmethod
    def of(cls, store: Store, loop: str) -> Counter:
        """Return the counter of a loop by its records, without its definition."""
        saved = store.saved()
        if saved.schema is None or saved.target is None:
            raise LoopNotStarted(loop)
        schema = wire.loads(Schema, saved.schema)
        return cls(store=store, schema=schema, target=wire.loads(Target, saved.target))

    def predictions(
        self,
        rows: object,
        outputs: object,
        at: datetime,
        *,
        scores: object = None,
        ids: object = None,
        times: object = None,
        version: int = 0,
    ) -> Draft:
        """Return predictions that were made elsewhere; without scores they are outputs alone.

        Without ids the store makes them when it takes the draft.
        """
        table = read_rows(rows, self.schema)
        moments = read_times(times, len(table), at)
        names = () if ids is None else checked_ids(ids, len(table))
        values = read_labels(outputs, self.target.task, "output")
        if len(values) != len(table):
            raise LengthMismatch("the batch", len(table), "outputs", len(values))
        target = extended(self.target, values)
        if target.classes != self.target.classes:
            unknown = next(v for v in values if v not in self.target.classes)
            rule = f"one of the classes {list(self.target.classes)}"
            raise ValueForbidden("output", rule, unknown, values.index(unknown))
        scored = Scored(
            outputs=encode(target, values), scores=given_scores(scores, len(table), target)
        )
        columns = answer_columns(table, moments, scored, version)
        nameless = 0 if names else len(table)
        return Draft(kind="predictions", at=at, ids=names, nameless=nameless, columns=columns)

    def labels(
        self,
        ids: object,
        labels: object,
        at: datetime,
        *,
        times: object = None,
        source: str | None = None,
    ) -> Draft:
        """Return labels."""
        values = read_labels(labels, self.target.task)
        checked_kinds(values, self.target, self.task)
        names = checked_ids(ids, len(values))
        columns = {} if times is None else {"time": read_times(times, len(values), at)}
        note: dict[str, Json] = {} if source is None else {"source": checked_source(source)}
        return Draft(kind="labels", at=at, ids=names, values=values, columns=columns, note=note)

    def feedback(
        self,
        ids: Sequence[str],
        ratings: Sequence[float] | None,
        corrections: Sequence[object] | None,
        at: datetime,
        known: Mapping[str, Columns] | None = None,
    ) -> Draft:
        """Return feedback, and which of it is a complaint.

        `known` are the predictions that it is about; by default they are read.
        """
        if ratings is None and corrections is None:
            raise RowsRefused("feedback needs ratings or corrections", hint="ratings=[-1, 1]")
        names = checked_ids(ids, len(list(ids)))
        rated = [None] * len(names) if ratings is None else checked_ratings(ratings)
        wanted = (None,) * len(names)
        if corrections is not None:
            wanted = read_labels(list(corrections), self.target.task, "correction")
            checked_kinds(wanted, self.target, self.task, "correction")
        for what, found in (("ratings", rated), ("corrections", wanted)):
            if len(found) != len(names):
                raise LengthMismatch("ids", len(names), what, len(found))
        known = self.store.predictions(names) if known is None else known
        said: list[str] = []
        negative: list[str] = []
        for name, rating, correction in zip(names, rated, wanted, strict=True):
            said.append(wire.dumps({"rating": rating, "correction": correction}))
            answered = self._answer(known[name]) if name in known else None
            corrected = correction is not None and correction != answered
            if (rating is not None and rating < 0) or corrected:
                negative.append(name)
        note: dict[str, Json] = {"negative": negative}
        return Draft(kind="feedback", at=at, ids=names, values=tuple(said), note=note)

    def _answer(self, columns: Columns) -> object:
        return decode(self.target, columns["output"])[0]


def told(
    event: tuple[str, Mapping[str, Json] | None, str | None],
    origin: tuple[str, str | None],
    at: datetime,
    made_of: tuple[object, ...],
) -> Draft:
    """Return an event from outside.

    Args:
        event: its type, data and subject.
        origin: its source, and its id; without one it gets an id `made_of` the given parts.
        at: when it came.
        made_of: see `origin`.
    """
    (kind, data, subject), (source, event_id) = event, origin
    if data is not None and not isinstance(data, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without types
        raise SettingInvalid("event data", "a mapping of names to JSON values", data)
    found = event_id or derive("event", *made_of)
    made = Event(
        id=found, source=source, type=kind, time=at, subject=subject, data=dict(data or {})
    )
    return Draft(kind="event", at=at, note={"event": checked_event(made)})
